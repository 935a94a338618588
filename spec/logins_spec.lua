local errors = require("qqmail.errors")
local logins = require("qqmail.logins")
local send = require("spec.support.send")

local SECRET = "abcdefghijklmnop"
local number = 0

-- The module as another process has it.
local function another()
  package.loaded["qqmail.logins"] = nil
  local other = require("qqmail.logins")
  package.loaded["qqmail.logins"] = logins
  return other
end

-- A key nobody else in this process has.
local function new_key()
  number = number + 1
  return logins.key("server", "user" .. number, SECRET)
end

local function refusal(fields)
  local spec = { kind = "auth", code = "auth.authorization_code_required", phase = "auth",
    retry = "never", lang = "en", smtp = { code = 535, text = "Login fail." } }
  for key, value in pairs(fields or {}) do
    spec[key] = value or nil
  end
  return errors.new(spec)
end

describe("logins.key", function()
  it("differs with each field, and with where one field ends", function()
    local seen = {}
    for _, fields in ipairs({ { "a", "b", "c" }, { "a", "b", "d" }, { "a", "c", "c" },
      { "b", "b", "c" }, { "a", "bc", "" }, { "ab", "c", "" }, { "a", "b" }, { "a" },
      { "a", "1:b", "c" } }) do
      local key = logins.key(fields[1], fields[2], fields[3])
      assert.is_nil(seen[key])
      seen[key] = true
      assert.equal(key, logins.key(fields[1], fields[2], fields[3]))
    end
  end)

  it("does not show the secret, nor let it be guessed elsewhere", function()
    local core = require("qqmail.core")
    local key = logins.key("a", "b", SECRET)
    assert.is_nil(key:find(SECRET, 1, true))
    assert.are_not.equal(core.hash("1:a1:b16:" .. SECRET), key)
    assert.are_not.equal(key, another().key("a", "b", SECRET))
  end)
end)

describe("logins.is_refusal", function()
  it("means that the server has judged the login", function()
    assert.is_true(logins.is_refusal(refusal()))
    assert.is_true(logins.is_refusal(refusal({ code = "auth.closed_during_login" })))
    local not_now = { code = "auth.not_now", retry = "later", smtp = { code = 454, text = "x" } }
    assert.is_false(logins.is_refusal(refusal(not_now)))
    assert.is_false(logins.is_refusal(refusal({ phase = "mail" })))
    assert.is_false(logins.is_refusal(refusal({ kind = "config", code = "config.bad_value" })))
  end)

  it("is said by the reply, whatever the error is called", function()
    local spec = { kind = "rate", code = "rate.too_many_logins", retry = "later" }
    assert.is_true(logins.is_refusal(refusal(spec)))
    spec.code, spec.retry = "rate.own", "now"
    assert.is_true(logins.is_refusal(refusal(spec)))
    spec.smtp = { code = 454, text = "x" }
    assert.is_false(logins.is_refusal(refusal(spec)))
    assert.is_true(logins.is_refusal(refusal({ code = "auth.mechanism_refused" })))
  end)

  it("is not what an option mends", function()
    for _, code in ipairs({ "auth.not_offered", "auth.no_mechanism", "auth.needs_tls",
      "auth.mechanism_refused" }) do
      local smtp = { code = 504, text = "x" }
      assert.is_false(logins.is_refusal(refusal({ code = code, smtp = smtp })), code)
    end
  end)
end)

describe("a refused login", function()
  local pause = logins.pause

  after_each(function()
    logins.pause = pause
  end)

  it("is not tried again until the pause is over", function()
    local key = new_key()
    assert.is_nil(logins.check(key, 100))
    logins.block(key, refusal(), 100)
    local record = logins.check(key, 112)
    assert.same({ 12, 888 }, { record.ago, record.left })
    assert.equal("auth.authorization_code_required", record.code)
    assert.is_table(logins.check(key, 999))
    assert.is_nil(logins.check(key, 1000))
    assert.is_nil(logins.check(key, 100))
  end)

  it("may be tried with another password", function()
    local key = logins.key("server", "somebody", SECRET)
    logins.block(key, refusal(), 0)
    assert.is_nil(logins.check(logins.key("server", "somebody", SECRET .. "q"), 1))
    assert.is_nil(logins.check(logins.key("other", "somebody", SECRET), 1))
  end)

  it("is forgotten when asked to", function()
    local key = new_key()
    logins.block(key, refusal(), 0)
    logins.forget(key)
    assert.is_nil(logins.check(key, 1))
    logins.forget(key)
  end)

  it("is forgotten when one beside it is taken", function()
    local key = new_key()
    logins.leave(key, nil, true)
    logins.block(key, refusal(), 0)
    logins.leave(key, nil, false)
    assert.is_table(logins.check(key, 1))
    logins.leave(key, nil, true)
    assert.is_nil(logins.check(key, 1))
    assert.is_true(logins.has_worked(key))
  end)

  it("begins a new pause when it is refused again", function()
    local key = new_key()
    logins.pause = 10
    logins.block(key, refusal(), 0)
    logins.block(key, refusal({ code = "auth.refused" }), 8)
    assert.equal("auth.refused", logins.check(key, 17).code)
    assert.is_nil(logins.check(key, 18))
  end)

  it("makes an error that says so in both languages", function()
    local key = new_key()
    logins.block(key, refusal(), 0)
    local err = logins.error(logins.check(key, 12.5), { host = "smtp.qq.com", lang = "en" })
    assert.is_true(errors.is(err))
    assert.same({ "auth", "auth.authorization_code_required", "auth", "no", "never", 887.5, true,
      "https://help.mail.qq.com/detail/108/1023" }, { err.kind, err.code, err.phase, err.delivered,
      err.retry, err.retry_after, err.not_tried, err.help_url })
    assert.is_truthy(err.hint:find("16-letter authorization code", 1, true), err.hint)
    for _, part in ipairs({ "smtp.qq.com", "12 s ago", "535 Login fail.", "888 s" }) do
      assert.is_truthy(err.message:find(part, 1, true), err.message)
    end
    err = logins.error(logins.check(key, 12.5), { socket = "/run/smtp", lang = "zh" })
    for _, part in ipairs({ "/run/smtp", "12 秒前", "535 Login fail.", "888 秒" }) do
      assert.is_truthy(err.message:find(part, 1, true), err.message)
    end
    assert.is_truthy(err.hint:find("密码", 1, true), err.hint)
  end)

  it("is told in the language of whoever asks, also where the server said nothing", function()
    local key = new_key()
    logins.block(key, errors.new({ kind = "auth", code = "auth.closed_during_login",
      phase = "auth", lang = "en", text = { en = "smtp.qq.com hung up", zh = "断开" } }), 0)
    local err = logins.error(logins.check(key, 1), { host = "smtp.qq.com", port = 465,
      lang = "zh" })
    assert.equal("auth.closed_during_login", err.code)
    assert.is_truthy(err.message:find("smtp.qq.com:465 在登录时断开了连接", 1, true), err.message)
    assert.is_nil(err.message:find("hung up", 1, true))
    assert.is_truthy(err.hint:find("授权码", 1, true), err.hint)
  end)

  it("is judged by the rules of whoever asks", function()
    local key = new_key()
    logins.block(key, refusal(), 0)
    local err = logins.error(logins.check(key, 1), { host = "h", lang = "en", rules = {
      { code = { 535 }, as = "rate.own", retry = "now", hint = "Call ops." } } })
    assert.same({ "rate", "rate.own", "never", "Call ops.", true },
      { err.kind, err.code, err.retry, err.hint, err.not_tried })
  end)

  it("is not prolonged by the error of a try that was not made", function()
    local key = new_key()
    logins.block(key, refusal(), 0)
    assert.is_false(logins.is_refusal(logins.error(logins.check(key, 1), { host = "h" })))
  end)

  it("makes room by the oldest", function()
    local own = another()
    for i = 1, 1000 do
      own.block("key " .. i, refusal(), i)
    end
    own.block("key 2", refusal(), 1001)
    assert.is_table(own.check("key 1", 0))
    own.block("one more", refusal(), 1002)
    assert.is_nil(own.check("key 1", 0))
    own.block("and another", refusal(), 1003)
    assert.is_table(own.check("key 2", 1003))
    assert.is_nil(own.check("key 3", 0))
    assert.is_table(own.check("key 4", 0))
  end)
end)

describe("a login without an answer", function()
  local function silence(fields)
    return refusal(send.merge({ kind = "timeout", code = "timeout.reply", retry = "later",
      smtp = false, text = "no reply" }, fields))
  end

  it("is one that was begun, and that nobody judged", function()
    assert.is_true(logins.is_unanswered(silence()))
    local hung_up = { kind = "auth", code = "auth.closed_during_login" }
    assert.is_false(logins.is_unanswered(silence(hung_up)))
    local rubbish = { kind = "protocol", code = "protocol.bad_reply" }
    assert.is_false(logins.is_unanswered(silence(rubbish)))
    assert.is_false(logins.is_unanswered(refusal()))
    assert.is_false(logins.is_unanswered(silence({ phase = "ehlo" })))
    assert.is_false(logins.is_unanswered(silence({ not_tried = true })))
    assert.is_false(logins.is_unanswered(silence({ kind = "auth", code = "auth.no_mechanism" })))
    assert.is_false(logins.is_unanswered(silence({ kind = "limit", code = "limit.memory" })))
  end)

  it("may be tried once more", function()
    local key = new_key()
    logins.note_unanswered(key, silence(), 100)
    assert.is_nil(logins.check(key, 101))
    logins.note_unanswered(key, silence(), 130)
    local record = logins.check(key, 140)
    assert.same({ 10, 890, true }, { record.ago, record.left, record.is_unanswered })
    local err = logins.error(record, { host = "smtp.qq.com", port = 465, lang = "en" })
    assert.same({ "timeout", "timeout.reply", "auth", "never", true },
      { err.kind, err.code, err.phase, err.retry, err.not_tried })
    assert.truthy(err.message:find("left two logins without an answer, the last 10 s ago", 1, true))
    err = logins.error(record, { host = "smtp.qq.com", port = 465, lang = "zh" })
    assert.truthy(err.message:find("连续两次未对登录作出答复", 1, true))
    assert.is_nil(logins.check(key, 130 + logins.pause))
  end)

  it("tells nothing of a secret that has been taken before", function()
    local key = new_key()
    logins.note_unanswered(key, silence(), 100)
    logins.leave(key, nil, true)
    for now = 130, 190, 20 do
      logins.note_unanswered(key, silence(), now)
      assert.is_nil(logins.check(key, now))
    end
  end)

  it("begins anew after the pause, or when somebody says so", function()
    local key = new_key()
    logins.note_unanswered(key, silence(), 100)
    logins.note_unanswered(key, silence(), 100 + logins.pause)
    assert.is_nil(logins.check(key, 101 + logins.pause))
    logins.forget(key)
    logins.note_unanswered(key, silence(), 102 + logins.pause)
    assert.is_nil(logins.check(key, 103 + logins.pause))
  end)
end)
