local config = require "qqmail.config"
local errors = require "qqmail.errors"
local world = require "spec.support.settings"

local CODE, good, bad, qq, warning, has, everything = world.CODE, world.good, world.bad, world.qq,
  world.warning, world.has, world.everything

describe("config policy", function()
  before_each(function()
    errors.set_lang("en")
  end)
  after_each(function()
    errors.set_lang(nil)
  end)

  local function invalid(given, field)
    local err = bad(qq(given))
    assert.are.equal("config.invalid_value", err.code)
    assert.are.equal(field, err.field)
    return err
  end

  describe("retry", function()
    local DEFAULT = { attempts = 3, base = 1, cap = 30, jitter = 1, budget = 60,
      when_unknown = "stop" }

    it("is on, and off as false", function()
      assert.are.same(DEFAULT, good(qq()).retry)
      assert.are.same(DEFAULT, good(qq { retry = true }).retry)
      assert.are.same(DEFAULT, good(qq { retry = {} }).retry)
      assert.is_false(good(qq { retry = false }).retry)
    end)

    it("is off with one attempt, however that was said", function()
      assert.is_false(good(qq { retry = { attempts = 1, base = 5 } }).retry)
      assert.is_false(good(qq(), { QQMAIL_RETRY_ATTEMPTS = "1" }).retry)
      assert.is_false(good("smtps://h.example?retry.attempts=1").retry)
    end)

    it("takes each value", function()
      assert.are.same({ attempts = 5, base = 0, cap = 2.5, jitter = 0, budget = 0,
        when_unknown = "retry" }, good(qq { retry = { attempts = 5, base = 0, cap = 2.5,
        jitter = 0, budget = 0, when_unknown = "retry" } }).retry)
      local settings = good("smtps://h.example?retry.when_unknown=retry&retry.budget=9",
        { QQMAIL_RETRY_ATTEMPTS = "7" })
      assert.are.same({ 7, 9, "retry" }, { settings.retry.attempts, settings.retry.budget,
        settings.retry.when_unknown })
    end)

    it("cannot begin above its cap", function()
      local err = bad(qq { retry = { base = 60 } })
      assert.are.same({ "config.contradiction", "retry.base" }, { err.code, err.field })
      has(err, "retry.cap (30 s)")
    end)

    it("of the options wins over the environment", function()
      local env = { QQMAIL_RETRY_ATTEMPTS = "7" }
      assert.is_false(good(qq { retry = false }, env).retry)
      assert.are.equal(3, good(qq { retry = true }, env).retry.attempts)
      assert.are.equal(7, good(qq { retry = { base = 2 } }, env).retry.attempts)
    end)

    it("is checked", function()
      for _, attempts in ipairs { 0, 101, 1.5, "x" } do
        invalid({ retry = { attempts = attempts } }, "retry.attempts")
      end
      for _, name in ipairs { "base", "cap", "jitter", "budget" } do
        for _, value in ipairs { -1, math.huge, 0 / 0, "x", true } do
          invalid({ retry = { [name] = value } }, "retry." .. name)
        end
      end
      has(invalid({ retry = { when_unknown = "rety" } }, "retry.when_unknown"), '"retry"')
      has(invalid({ retry = 5 }, "retry"), "{ attempts = ... }, or true or false")
      has(bad(qq { retry = { attemps = 2 } }), '"retry.attempts"')
      has(bad(qq { retries = 2 }), '"retry.attempts"')
      has(bad(qq(), { QQMAIL_RETRY_ATTEMPTS = "0" }), "QQMAIL_RETRY_ATTEMPTS")
    end)

    it("is shown", function()
      local list = config.describe(good(qq { retry = false }))
      assert.are.same({ 1, "option" }, { list["retry.attempts"].value,
        list["retry.attempts"].origin })
      assert.is_nil(list["retry.base"])
      assert.are.equal(60, config.describe(good(qq()))["retry.budget"].value)
    end)
  end)

  describe("breaker", function()
    it("is off unless asked for", function()
      assert.is_false(good(qq()).breaker)
      assert.is_false(good(qq { breaker = false }).breaker)
      assert.is_false(good(qq { breaker = { failures = 0 } }).breaker)
      for _, given in ipairs { true, {} } do
        assert.are.same({ failures = 5, pause = 60 }, good(qq { breaker = given }).breaker)
      end
      assert.are.same({ failures = 5, pause = 9 }, good(qq { breaker = { pause = 9 } }).breaker)
      assert.are.same({ failures = 2, pause = 60 },
        good("smtps://h.example?breaker.failures=2").breaker)
    end)

    it("is on with failover, for each account", function()
      local given = qq { failover = { "smtps://h.example" } }
      local settings = good(given)
      assert.are.same({ failures = 5, pause = 60 }, settings.breaker)
      assert.are.same({ failures = 5, pause = 60 }, settings.failover[1].breaker)
      given.breaker = false
      settings = good(given)
      assert.is_false(settings.breaker)
      assert.is_false(settings.failover[1].breaker)
      given.breaker = { failures = 2, pause = 3 }
      assert.are.same({ failures = 2, pause = 3 }, good(given).failover[1].breaker)
    end)

    it("is checked and shown", function()
      invalid({ breaker = { failures = -1 } }, "breaker.failures")
      invalid({ breaker = { pause = 0 } }, "breaker.pause")
      invalid({ breaker = "on" }, "breaker")
      has(bad(qq { breaker = { failure = 2 } }), '"breaker.failures"')
      assert.is_nil(config.describe(good(qq()))["breaker.failures"])
      assert.are.equal(0, config.describe(good(qq { breaker = false }))["breaker.failures"].value)
      assert.are.equal(5, config.describe(good(qq { breaker = true }))["breaker.failures"].value)
    end)
  end)

  describe("failover", function()
    local SECRET = "hunter2hunter2"

    it("is a list of settings", function()
      assert.are.same({}, good(qq()).failover)
      assert.are.same({}, good(qq { failover = false }).failover)
      assert.are.same({}, good(qq { failover = {} }).failover)
      local settings = good(qq { failover = {
        { user = "a@163.com", password = CODE }, "smtps://u:p@h.example:2465",
      } })
      local first, second = settings.failover[1], settings.failover[2]
      assert.are.same({ "smtp.163.com", 465, "a@163.com", "a@163.com", CODE }, {
        first.host, first.port, first.user, first.from, first.secret() })
      assert.is_true(first.quirks.no_reset)
      assert.are.same({ "h.example", 2465, "u", "p" },
        { second.host, second.port, second.user, second.secret() })
      assert.are.same({}, second.failover)
    end)

    it("shares what is not about server, login and sender", function()
      local log = function() end
      local settings = good(qq { timeout = { reply = 5 }, io = "memory", log = log, lang = "zh",
        reply_to = "r@x.org", retry = { attempts = 9 }, on = { sent = log }, pool = { max = 2 },
        failover = { { host = "h.example", pool = { max = 3 } } } },
        { QQMAIL_TIMEOUT = "44" })
      local account = settings.failover[1]
      assert.are.same({ 5, 44, "memory", log, "zh", "r@x.org", 9, log, 3 }, {
        account.timeout.reply, account.timeout.total, account.io, account.log, account.lang,
        account.reply_to, account.retry.attempts, account.on.sent, account.pool.max })
      assert.are.same({ "env", "QQMAIL_TIMEOUT" },
        { account.origin["timeout.total"], account.where["timeout.total"] })
    end)

    it("takes nothing else over from the first account", function()
      local settings = good({
        host = "first.example", port = 587, tls = "starttls", user = "me@first.example",
        password = SECRET, from = "boss@first.example", auth = "LOGIN", window = 1, rate = "5/9",
        allow_plaintext_auth = true, pipelining = false, smtputf8 = false, chunking = false,
        tls_options = { verify = false, server_name = "x.example", cert = "/c", key = "/k",
          ca_file = "/ca" },
        failover = { { host = "second.example" } },
      })
      local account = settings.failover[1]
      assert.are.same({ "second.example", 465, "implicit", false, true, "second.example" }, {
        account.host, account.port, account.tls, account.allow_plaintext_auth,
        account.tls_options.verify, account.tls_options.server_name })
      for _, key in ipairs { "user", "from", "rate", "pipelining", "smtputf8", "chunking",
        "provider" } do
        assert.is_nil(account[key], key)
      end
      for _, key in ipairs { "cert", "key", "ca_file" } do
        assert.is_nil(account.tls_options[key], key)
      end
      assert.is_nil(account.secret())
      assert.are.same({}, account.auth)
    end)

    it("sends no password of the environment to another server", function()
      local names = "QQMAIL_HOST=first.example\nQQMAIL_USER=me@qq.com\nQQMAIL_PORT=587\n"
        .. "QQMAIL_FROM=me@qq.com\nQQMAIL_TLS=starttls\nQQMAIL_CA_FILE=/ca\n"
      local env, url_env = {}, { QQMAIL_URL = "smtps://me%40qq.com:" .. SECRET .. "@first.example" }
      for name, value in (names .. "QQMAIL_PASSWORD=" .. SECRET .. "\n"):gmatch("(%S+)=(%S+)") do
        env[name] = value
      end
      local file = { ["/secret"] = SECRET }
      file[".env"] = names .. "QQMAIL_PASSWORD_FILE=/secret\n"
      for _, place in ipairs { { env }, { url_env }, { {}, file } } do
        local settings = good({ failover = { "smtps://second.example" } }, place[1], place[2])
        assert.are.equal(SECRET, settings.secret())
        local account = settings.failover[1]
        assert.are.same({ "second.example", 465 }, { account.host, account.port })
        assert.is_nil(account.secret())
        assert.is_nil(account.user)
        assert.is_nil(account.from)
        assert.is_nil(account.tls_options.ca_file)
        assert.are.equal("config.no_host",
          bad({ failover = { { user = "x@second.example" } } }, place[1], place[2]).code)
      end
    end)

    it("says where an error is", function()
      local function bad_second(account, field, code, part)
        local err = bad(qq { failover = { "smtps://h.example", account } })
        assert.are.same({ field, code }, { err.field, err.code })
        has(err, "qqmail: failover[2]" .. part)
      end
      bad_second({ host = "a b" }, "failover[2].host", "config.bad_host", ".host must")
      bad_second({ hots = "h" }, "failover[2].hots", "config.unknown_option", ": unknown option")
      bad_second({ host = "h.example", pool = { max = 0 } }, "failover[2].pool.max",
        "config.invalid_value", ".pool.max must")
      bad_second({ user = "a@qq.com" }, "failover[2].password", "config.no_password", ": no ")
      bad_second("nonsense", "failover[2].url", "url.no_scheme", ": connection URL")
      bad_second({ failover = { "smtps://h.example" } }, "failover[2].failover",
        "config.contradiction", ".failover cannot")
      bad_second({}, "failover[2].host", "config.no_host", ": no SMTP server")
      assert.is_nil(bad(qq { failover = { {} } }).hint:find("QQMAIL_", 1, true))
      has(bad(qq { lang = "zh", failover = { { hots = 1 } } }), "failover[1]：未知选项")
    end)

    it("must be a list of tables and URLs", function()
      for _, value in ipairs { "smtps://h.example", true, { host = "h" }, { 5 },
        { [2] = "smtps://h.example" }, { "smtps://h.example", x = 1 } } do
        invalid({ failover = value }, "failover")
      end
    end)

    it("refuses what all accounts have in common, inside an account", function()
      for key, value in pairs { retry = false, outbox = "/tmp/x", on = { sent = print },
        io = "memory", log = "off", timeout = 5 } do
        local err = bad(qq { failover = { { host = "h.example", [key] = value } } })
        assert.are.equal("config.contradiction", err.code)
        has(err.field, "failover[1]." .. key)
        has(err, "beside failover")
      end
      local url = "smtps://h.example?retry.attempts=2"
      assert.are.equal("config.contradiction", bad(qq { failover = { url } }).code)
      good(qq { failover = { { host = "h.example", timeout = { connect = 2 } } } })
    end)

    it("is no list with holes, behind which accounts would be lost", function()
      invalid({ failover = { "smtps://h.example", nil, "smtps://i.example" } }, "failover")
      invalid({ failover = { nil, "smtps://i.example" } }, "failover")
    end)

    it("passes warnings on, with their place", function()
      local settings = good(qq { failover = { {
        host = "h.example", tls_options = { verify = false } } } })
      local item = warning(settings, "config.verify_off")
      assert.are.equal("failover[1].tls_options.verify", item.key)
      has(item.message, "failover[1]: ")
    end)

    it("shows no secret, and leaves the caller's options alone", function()
      local given = qq { failover = { { user = "a@163.com", password = SECRET },
        "smtps://u:" .. SECRET .. "@h.example" } }
      local settings = good(given)
      assert.is_nil(everything(settings):find(SECRET, 1, true))
      local list = config.describe(settings)
      assert.is_nil(everything(list):find(SECRET, 1, true))
      assert.are.same({ "a@163.com at smtp.163.com:465", "u at h.example:465" },
        list.failover.value)
      has(list, "u at h.example:465")
      assert.are.same({ user = "a@163.com", password = SECRET }, given.failover[1])
      assert.is_nil(everything(bad(qq { failover = { { host = "a b", password = SECRET } } }))
        :find(SECRET, 1, true))
    end)
  end)

  it("window is 0 to 64", function()
    for _, window in ipairs { 0, 1, 64 } do
      assert.are.equal(window, good(qq { window = window }).window)
    end
    invalid({ window = 65 }, "window")
    invalid({ window = -1 }, "window")
  end)

  it("chunking is true or false", function()
    assert.is_nil(good(qq()).chunking)
    assert.is_false(good("smtps://h.example?chunking=off").chunking)
    assert.is_true(good(qq { chunking = true }).chunking)
    invalid({ chunking = "no" }, "chunking")
  end)

  it("hooks are functions", function()
    local function hook() end
    local settings = good(qq { on = { retry = hook, reply = hook, state = hook } })
    assert.are.same({ hook, hook, hook }, { settings.on.retry, settings.on.reply,
      settings.on.state })
    invalid({ on = { retry = true } }, "on.retry")
  end)
end)
