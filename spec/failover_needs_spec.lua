-- Mails that one account's server cannot take and another's can: each goes where it can
-- go, and takes no other with it.
local batch = require("spec.support.send_all")
local send = require("spec.support.send")

local OTHER = "u@other.test"

local function other_server(options)
  return send.server(send.merge({ users = { [OTHER] = send.CODE } }, options))
end

local function pair(first, second, more)
  local spare = send.options(second, { user = OTHER })
  spare.retry, spare.timeout, spare.lang = nil, nil, nil
  return send.mailer(first, send.merge({ failover = { spare }, breaker = false }, more))
end

-- The subjects that a server took, in their order.
local function subjects(server)
  local list = {}
  for index, message in ipairs(server:messages()) do
    list[index] = message.data:match("Subject: ([^\r\n]*)")
  end
  return table.concat(list, " ")
end

describe("a mail that the first account's server cannot take", function()
  after_each(send.stop)

  it("goes by the other one, and those behind it do not", function()
    for _, window in ipairs({ 0, 3 }) do
      local first, second = send.server(), other_server({ dsn = true })
      local mailer = pair(first, second, { window = window })
      batch.all(mailer, batch.messages(6, function(message, index)
        message.dsn = index % 3 == 2 and { notify = "delay" } or nil
        return message
      end))
      assert.equal("m1 m3 m4 m6", subjects(first))
      assert.equal("m2 m5", subjects(second))
      assert.equal(1, first:auth_attempts())
      assert.equal(1, second:auth_attempts())
      send.stop()
    end
  end)

  it("finds the account that can, wherever the one before it went", function()
    local first, second = send.server({ dsn = true, smtputf8 = false }), other_server()
    batch.all(pair(first, second), batch.messages(4, function(message, index)
      message.to = index % 2 == 1 and "用户@test.local" or message.to
      message.dsn = index % 2 == 0 and { notify = "delay" } or nil
      return message
    end))
    assert.equal("m2 m4", subjects(first))
    assert.equal("m1 m3", subjects(second))
  end)

  it("is not tried there once more by another connection", function()
    for _ = 1, 5 do
      local first = send.server({ delay = { dot = 0.005 } })
      local second = other_server({ dsn = true, delay = { dot = 0.005 } })
      local mailer = pair(first, second, { pool = { max = 3 }, window = 2 })
      batch.all(mailer, batch.messages(24, function(message, index)
        message.dsn = index % 4 == 0 and { notify = "delay" } or nil
        return message
      end))
      assert.equal(18, #first:messages())
      assert.equal(6, #second:messages())
      send.stop()
    end
  end)

  it("is no outage when the other one is not there", function()
    local first, second = send.server(), other_server({ drop_at = "connect" })
    local told = 0
    local mailer = pair(first, second, { retry = { attempts = 2, base = 0, jitter = 0 },
      on = { retry = function()
        told = told + 1
      end } })
    local results, summary = batch.run(mailer, batch.messages(5, function(message, index)
      message.dsn = index == 2 and { notify = "delay" } or nil
      return message
    end))
    assert.equal(4, summary.sent)
    send.is_error(results[2].err, { kind = "closed", delivered = "no", retry = "later" })
    assert.equal(1, told)
    assert.equal(2, #second:connections())
  end)

  it("does not hold up the mails of notify when the other one cannot be used", function()
    local first, second = send.server(), other_server({ replies = { auth = "535 5.7.8 Wrong" } })
    local mailer = pair(first, second, { outbox = false })
    for index = 1, 3 do
      assert(mailer:notify(send.message({ subject = "m" .. index,
        dsn = index == 1 and { notify = "delay" } or nil })))
      mailer:flush(0.2)
    end
    assert.equal("m2 m3", subjects(first))
    assert.equal(1, mailer:stats().outbox.waiting)
    assert.equal(1, second:auth_attempts())
  end)

  it("is an error of the last one when none can", function()
    local first, second = send.server(), other_server()
    local mailer = pair(first, second)
    local list = { send.message({ subject = "m1", dsn = { notify = "delay" } }),
      send.message({ subject = "m2" }) }
    local err = send.bad(mailer, { code = "message.dsn_not_offered", attempts = 2,
      delivered = "no", retry = "never", port = second.port }, list[1])
    assert.equal(OTHER, err.account)
    local results = batch.run(mailer, list)
    send.is_error(results[1].err, { code = "message.dsn_not_offered", attempts = 2 })
    assert.equal("m2", subjects(first))
    assert.equal("", subjects(second))
  end)
end)

describe("a hidden recipient that an account's server cannot take", function()
  after_each(send.stop)

  local BOTH = { bcc = "用户@test.local" }

  local function run(mailer, mode)
    if mode == "send" then
      return send.good(mailer, send.message(BOTH))
    end
    local results = batch.run(mailer, { send.message(BOTH) })
    return results[1].receipt
  end

  for _, mode in ipairs({ "send", "send_all" }) do
    it("gets it by another one, " .. mode, function()
      local first, second = send.server({ smtputf8 = false }), other_server()
      local receipt = run(pair(first, second, { retry = { base = 0, jitter = 0 } }), mode)
      assert.same({ "a@test.local", "用户@test.local" }, receipt.accepted)
      assert.same({}, receipt.rejected)
      assert.same({ "a@test.local" }, first:messages()[1].to)
      assert.same({ "用户@test.local" }, second:messages()[1].to)
      assert.equal(1, #first:messages())
      assert.equal(1, #second:messages())
    end)

    it("is refused for good where none can, " .. mode, function()
      local options = { smtputf8 = false }
      local first, second = send.server(options), other_server(options)
      local receipt = run(pair(first, second, { retry = { base = 0, jitter = 0 } }), mode)
      assert.same({ "a@test.local" }, receipt.accepted)
      assert.equal("never", receipt.rejected[1].retry)
      assert.equal(1, #first:messages())
      assert.equal(0, #second:messages())
    end)
  end

  it("may be tried again by the caller, where this mailer does not", function()
    local receipt = send.good(pair(send.server({ smtputf8 = false }), other_server()),
      send.message(BOTH))
    assert.equal("now", receipt.rejected[1].retry)
  end)
end)
