--- The option `rules`: what users say about errors of their server.
local config = require "qqmail.config"
local diagnose = require "qqmail.diagnose"
local send = require "spec.support.send"

local BASE = { host = "mail.example", tls = "starttls", lang = "en" }

local function load(rules, more)
  return config.load(send.merge(send.merge({ rules = rules }, BASE), more), {
    getenv = function() end, dir = "/nonexistent",
  })
end

local function good(rules)
  local settings, err = load(rules)
  assert.is_table(settings, tostring(err))
  return settings.rules
end

local function bad(rules, field, part, code)
  local settings, err = load(rules)
  assert.is_nil(settings)
  assert.same({ field, code or "config.invalid_value" }, { err.field, err.code }, tostring(err))
  assert.is_truthy(err.message:find(part, 1, true), err.message)
  assert.equal(1, err.message:find(field, 1, true), err.message)
end

describe("the option rules", function()
  it("makes rows as the catalogue has them", function()
    local rules = good { {
      text = { "Come BACK", "授权" }, code = "4xx", phase = "final", enhanced = "4.7.1",
      host = "Mail.Example.", as = "rate.frequency_limited", retry_after = 90,
      hint = { en = "a", zh = "甲" }, help_url = "https://intranet.example/mail",
    }, { reason = "closed", phase = { "auth", "mail" }, as = "auth.own", retry = "now",
      hint = "b" } }
    assert.same({
      text = { "come back", "授权" }, code = { "4xx" }, phase = { "final" },
      enhanced = { "4.7.1" }, host = { "mail.example" }, as = "rate.frequency_limited",
      later = 90, hint = { en = "a", zh = "甲" }, url = "https://intranet.example/mail",
    }, rules[1])
    assert.same({ reason = { "closed" }, phase = { "auth", "mail" }, as = "auth.own",
      retry = "now", hint = "b" }, rules[2])
    assert.same({}, good(nil))
    assert.same({}, good {})
  end)

  it("names the field at fault", function()
    local ok = { as = "rate.own", text = "x" }
    local function second(more)
      return { ok, send.merge({ as = "rate.own", text = "x" }, more) }
    end
    bad(second { retry = "soon" }, "rules[2].retry", "now, later, never")
    bad(second { retry_after = -1 }, "rules[2].retry_after", "seconds")
    bad(second { retry_after = 1 / 0 }, "rules[2].retry_after", "seconds")
    bad(second { retry_after = 5, retry = "never" }, "rules[2].retry_after", "later")
    bad(second { code = 55 }, "rules[2].code", "550")
    bad(second { code = { 550, "6xx" } }, "rules[2].code", "550")
    bad(second { code = {} }, "rules[2].code", "list")
    bad(second { code = { x = 550 } }, "rules[2].code", "list")
    bad(second { host = "*.example" }, "rules[2].host", '".example.com"')
    bad(second { phase = "dat" }, "rules[2].phase", 'did you mean "data"?')
    bad(second { enhanced = "5.7" }, "rules[2].enhanced", "5.7.1")
    bad(second { text = "" }, "rules[2].text", "empty")
    bad(second { text = 5 }, "rules[2].text", "text")
    bad(second { host = false }, "rules[2].host", "text")
    bad(second { reason = "timeot" }, "rules[2].reason", 'did you mean "timeout"?')
    bad(second { reason = "closed", code = 421 }, "rules[2].reason", "without a reply")
    bad({ { phase = { "connect", "tls" }, as = "connect.own" } }, "rules[1].phase", "add `reason`")
    bad(second { hint = { de = "x" } }, "rules[2].hint", "en = text")
    bad(second { hint = {} }, "rules[2].hint", "en = text")
    bad(second { help_url = "intranet" }, "rules[2].help_url", "https://")
    bad(second { as = "rat.own" }, "rules[2].as", 'did you mean "rate"?')
    bad(second { as = "rate" }, "rules[2].as", "kind.name")
    bad({ { text = "x" } }, "rules[1].as", "missing")
    bad({ ok, ok, { as = "rate.own" } }, "rules[3]", "no condition")
    bad(second { retri = "now" }, "rules[2].retri", 'did you mean "retry"?',
      "config.unknown_option")
    bad(second { url = "https://x.example/" }, "rules[2].url", 'did you mean "help_url"?',
      "config.unknown_option")
    bad(second { [1] = "x" }, "rules[2].1", "no field", "config.unknown_option")
  end)

  it("must be a list of tables", function()
    for _, value in ipairs { "x", true, { "x" }, { a = {} }, { [2] = {} } } do
      bad(value, "rules", "list of rules")
    end
  end)

  it("says in Chinese what is wrong", function()
    local _, err = load({ { as = "rate.own", text = "x", retri = 1 } }, { lang = "zh" })
    assert.is_truthy(err.message:find("不是规则的字段", 1, true))
  end)

  it("cannot come from an URL", function()
    local _, err = config.load("smtps://mail.example?rules=x", { getenv = function() end })
    assert.equal("url.unknown_option", err.code)
  end)

  it("holds for accounts of failover, which may have their own", function()
    local rule = { as = "rate.own", text = "x" }
    local settings = assert(load({ rule }, { failover = { { host = "b.example" },
      { host = "c.example", rules = {} } } }))
    assert.equal(1, #settings.failover[1].rules)
    assert.equal(0, #settings.failover[2].rules)
    local _, err = load({}, { failover = { { host = "b.example", rules = { { as = "x" } } } } })
    assert.equal("failover[1].rules[1].as", err.field)
  end)
end)

describe("a rule of the user", function()
  local function reply(rule, more)
    return diagnose.reply(send.merge({ phase = "final", code = 550, enhanced = "5.7.1",
      host = "mail.example", text = "Quota of PROJECT used up" }, more), good { rule })
  end

  it("comes before ours", function()
    local found = reply { text = "project used", as = "rate.project_quota", retry = "later",
      retry_after = 600, hint = "ask ops", help_url = "https://intranet.example/" }
    assert.same({ "rate", "rate.project_quota", "later", 600, "ask ops",
      "https://intranet.example/" }, { found.kind, found.code, found.retry, found.retry_after,
      found.hint, found.help_url })
  end)

  it("needs all its conditions", function()
    for name, value in pairs { text = "other", code = { 551, "4xx" }, phase = "rcpt",
      enhanced = "5.7.2", host = "other.example" } do
      local rule = { text = "project", as = "rate.own" }
      rule[name] = value
      assert.not_equal("rate.own", reply(rule).code, name)
    end
    assert.equal("rate.own", reply({ host = "MAIL.example", code = { "5xx" }, phase = "final",
      as = "rate.own" }).code)
  end)

  it("may be for all hosts of a domain", function()
    local domain = { host = ".Example", text = "project", as = "rate.own" }
    assert.equal("rate.own", reply(domain).code)
    assert.not_equal("rate.own", reply(domain, { host = "mail.other-example" }).code)
    assert.not_equal("rate.own", reply(domain, { host = "example" }).code)
  end)

  it("takes what it does not say from the code's row", function()
    local found = reply { text = "project", as = "rate.frequency_limited" }
    assert.same({ "later", 3600 }, { found.retry, found.retry_after })
    assert.is_truthy(found.hint.zh)
    found = reply { text = "project", as = "rate.own" }
    assert.equal("never", found.retry)
    assert.is_truthy(found.hint.zh)
    found = reply { text = "project", as = "rate.frequency_limited", retry = "never" }
    assert.is_nil(found.retry_after)
  end)

  it("is for failures without a reply where it has a reason", function()
    local settings = { host = "mail.example", port = 465, rules = good {
      { reason = "closed", phase = "auth", as = "auth.vpn_needed", hint = "start the VPN" },
      { phase = "mail", as = "sender.own" },
    } }
    local found = diagnose.failure({ phase = "auth", reason = "closed" }, settings)
    assert.same({ "auth.vpn_needed", "start the VPN" }, { found.code, found.hint })
    assert.equal("mail.example:465 hung up during the login", found.text.en)
    assert.equal("timeout.reply",
      diagnose.failure({ phase = "auth", reason = "timeout" }, settings).code)
    assert.equal("closed.by_server",
      diagnose.failure({ phase = "mail", reason = "closed" }, settings).code)
  end)
end)

describe("rules of a mailer", function()
  after_each(send.stop)

  it("judge what the server says", function()
    local server = send.server({ replies = { dot = "554 The Project quota is used up" } })
    local err = send.bad(send.mailer(server, { rules = {
      { text = "project QUOTA", as = "rate.project_quota", retry_after = 5400,
        hint = { en = "Ask ops.", zh = "请找运维。" }, help_url = "https://ops.example/quota" },
    } }), { kind = "rate", code = "rate.project_quota", retry = "later", retry_after = 5400,
      hint = "Ask ops.", help_url = "https://ops.example/quota", delivered = "no" })
    assert.equal(554, err.smtp.code)
  end)

  it("judge a refused connection", function()
    local server = send.server()
    local options = send.options(server, { rules = {
      { reason = "refused", phase = "connect", as = "connect.maintenance", retry = "later",
        retry_after = 120, hint = "The relay restarts each hour." },
    } })
    server:stop()
    local mailer = assert(require("qqmail").new(options))
    send.bad(mailer, { kind = "connect", code = "connect.maintenance", retry_after = 120,
      hint = "The relay restarts each hour." })
    mailer:close()
  end)

  it("do not make a delivery certain that is not", function()
    local server = send.server({ drop_at = "dot" })
    local err = send.bad(send.mailer(server, { rules = {
      { reason = "closed", as = "closed.own", retry = "now", hint = "again" },
    } }), { delivered = "unknown", retry = "never" })
    assert.is_truthy(err.hint:find("may have been delivered", 1, true))
  end)

  -- Each refused login brings the account closer to being locked.
  it("never have a refused login tried again", function()
    for _, case in ipairs({
      { replies = { auth = "535 5.7.8 no" }, rule = { code = 535, as = "auth.refused" } },
      { replies = { auth = "535 5.7.8 no" }, rule = { text = "no", as = "rate.own" } },
      { replies = { auth = "535 5.7.8 no" },
        rule = { text = "no", as = "auth.mechanism_refused" } },
      { replies = { auth = "535 Too many failed logins" } },
      { drop_at = "auth", rule = { reason = "closed", as = "closed.own" } },
    }) do
      local rule = case.rule
      if rule then
        rule.retry, case.rule = "now", nil
      end
      local server = send.server(case)
      -- QQ hangs up on a code that was revoked.
      local mailer = send.mailer(server, { rules = { rule },
        provider = case.drop_at and "qq" or nil,
        retry = { attempts = 3, base = 0.01, cap = 0.01, jitter = 0, budget = 5 } })
      for try = 1, 2 do
        local err = send.bad(mailer, { phase = "auth", not_tried = try > 1 or nil })
        assert.equal(rule and rule.as or "rate.too_many_logins", err.code)
      end
      assert.equal(1, server:auth_attempts())
      send.stop()
    end
  end)
end)
