-- Accounts in place of others, accounts left alone for a while, refused logins.
local batch = require("spec.support.send_all")
local fake_time = require("spec.support.fake_time")
local logins = require("qqmail.logins")
local qqmail = require("qqmail")
local send = require("spec.support.send")

local OTHER = "u@other.test"

local function other_server(options)
  return send.server(send.merge({ users = { [OTHER] = send.CODE } }, options))
end

-- The second account as an option; it has no retry of its own.
local function account(server, more)
  local options = send.options(server, send.merge({ user = OTHER }, more))
  options.retry, options.timeout, options.lang = nil, nil, nil
  return options
end

local function pair(first, second, more)
  return send.mailer(first, send.merge({ failover = { account(second) }, breaker = false }, more))
end

local function ids(server)
  local list = {}
  for index, message in ipairs(server:messages()) do
    list[index] = message.data:match("Message%-ID: (%S+)")
  end
  return list
end

describe("failover", function()
  after_each(send.stop)

  local TO_THE_OTHER = {
    ["hangs up on connect"] = { drop_at = "connect" },
    ["breaks the connection on connect"] = { drop_at = "connect", how = "rst" },
    ["greets with 421"] = { replies = { greeting = "421 4.3.2 Not now" } },
    ["greets with 554"] = { replies = { greeting = "554 5.3.2 Go away" } },
    ["refuses the login"] = { replies = { auth = "535 5.7.8 Wrong" } },
    ["refuses the login for now"] = { replies = { auth = "454 4.7.0 Not now" } },
    ["has no TLS to offer"] = { drop_at = "tls", mode = "implicit" },
    ["shows a certificate of the past"] = { mode = "implicit", cert = "expired" },
    ["leaves with 421 at MAIL"] = { replies = { mail = "421 4.3.2 Going down" } },
    ["leaves with 421 at the end"] = { replies = { dot = "421 4.3.2 Going down" } },
    ["says nothing at MAIL"] = { drop_at = "mail", how = "stall" },
  }

  for what, options in pairs(TO_THE_OTHER) do
    it("goes to the second account when the first server " .. what, function()
      local first, second = send.server(options), other_server()
      local mailer = pair(first, second, { timeout = { reply = 0.3 } })
      local receipt = send.good(mailer)
      assert.equal(1, mailer:stats().failovers)
      assert.is_true(receipt.attempts >= 2)
      assert.equal(second.port, tonumber(receipt.peer:match(":(%d+)$")))
      assert.equal(0, #first:messages())
      assert.equal(1, #second:messages())
      assert.equal(OTHER, second:messages()[1].auth.user)
      -- Many go the same way.
      batch.all(mailer, batch.messages(8))
      assert.equal(9, #second:messages())
      assert.equal(0, #first:messages())
    end)
  end

  it("goes to the second account when nobody listens at the first", function()
    local first, second = send.server(), other_server()
    local mailer = pair(first, second)
    first:stop()
    assert.equal(2, send.good(mailer).attempts)
    batch.all(mailer, batch.messages(8))
    assert.equal(9, #second:messages())
  end)

  local NOT = {
    ["for a mail that may have arrived"] = { { drop_at = "dot" }, { delivered = "unknown" } },
    ["for a refused recipient"] = { { replies = { rcpt = "550 5.1.1 No such user" } },
      { kind = "recipient" } },
    ["for a recipient that was put off"] = { { replies = { rcpt = "451 4.3.0 Not now" } },
      { kind = "recipient" } },
    ["for refused content"] = { { replies = { dot = "550 5.7.1 Spam message rejected" } },
      { kind = "content" } },
    ["for a message that is too large"] = { { size_limit = 100 }, { kind = "message" } },
  }

  for what, row in pairs(NOT) do
    it("asks no other account " .. what, function()
      local first, second = send.server(row[1]), other_server()
      local mailer = pair(first, second)
      send.bad(mailer, row[2])
      local _, summary = batch.run(mailer, batch.messages(3))
      assert.equal(0, summary.sent)
      assert.same({}, second:connections())
      assert.equal(0, mailer:stats().failovers)
    end)
  end

  it("tries all accounts in their order, then waits, and begins anew", function()
    local first, second, third = send.server({ drop_at = "connect" }),
      other_server({ drop_at = "connect" }), other_server({ drop_at = "connect" })
    local told = 0
    local mailer = send.mailer(first, { failover = { account(second), account(third) },
      breaker = false, retry = { attempts = 2, base = 0, jitter = 0 },
      on = { retry = function()
        told = told + 1
        third:set({ drop_at = false })
      end } })
    local receipt = send.good(mailer)
    assert.equal(1, told)
    assert.equal(6, receipt.attempts)
    assert.equal(1, #third:messages())
    assert.equal(4, mailer:stats().failovers)
    for _, server in ipairs({ first, second, third }) do
      assert.equal(2, #server:connections())
    end
  end)

  it("does not make trouble that passes final by a spare account that is wrong", function()
    local first = send.server({ replies = { mail = { "421 4.3.2 Going down", false } } })
    local second = other_server({ replies = { auth = "535 5.7.8 Wrong" } })
    local logged = {}
    local mailer = pair(first, second, { retry = { base = 0, jitter = 0 },
      log = function(level, text, record)
        logged[record.event] = (logged[record.event] or "") .. level .. text .. "\n"
      end })
    assert.equal(3, send.good(mailer).attempts)
    assert.equal(1, #first:messages())
    -- Each account once.
    assert.equal(2, select(2, logged.failover:gsub("warning", "")), logged.failover)
    send.has(logged.failover, "535 5.7.8 Wrong")
    first:set({ replies = { mail = "421 4.3.2 Going down" } })
    send.bad(send.mailer(first, { failover = { account(second) }, retry = false }),
      { code = "reject.closing", retry = "later" })
  end)

  it("does not end a batch by a spare account that is wrong", function()
    local first = send.server({ replies = { mail = { "421 4.3.2 Going down", false } } })
    local second = other_server({ replies = { auth = "535 5.7.8 Wrong" } })
    local mailer = pair(first, second, { retry = { base = 0, jitter = 0 } })
    local summary = mailer:send_all({ send.message(), send.message() })
    assert.equal(2, summary.sent)
    assert.equal(2, #first:messages())
    assert.equal(1, second:auth_attempts())
  end)

  it("keeps a mail of notify that a spare account takes from its own address only", function()
    local first = send.server({ replies = { mail = { "421 4.3.2 Going down", false } } })
    local second = other_server({ replies = {
      mail = "553 Mail from must equal authorized user" } })
    local mailer = pair(first, second, { outbox = false })
    assert(mailer:notify(send.message()))
    mailer:flush(0.5)
    assert.equal(0, mailer:stats().failed)
    assert.equal(1, mailer:stats().outbox.waiting + mailer:stats().sent)
  end)

  it("tells the error of the last account when all fail", function()
    local first = send.server({ drop_at = "connect" })
    local second = other_server({ replies = { greeting = "421 4.3.2 Second not now" } })
    local mailer = pair(first, second)
    local err = send.bad(mailer, { attempts = 2, delivered = "no" })
    send.has(err.message, "Second not now")
    local results, summary = batch.run(mailer, batch.messages(6))
    assert.equal(6, summary.failed)
    send.is_error(results[6].err, { delivered = "no" })
  end)

  it("sends from the account that is used, when the message names no sender", function()
    local first, second = send.server({ replies = { mail = "421 4.3.2 Going down" } }),
      other_server()
    local mailer = pair(first, second)
    local receipt = send.good(mailer)
    assert.same({ receipt.message_id }, ids(second))
    local got = second:messages()[1]
    assert.equal(OTHER, got.from)
    send.has(got.data, "From: " .. OTHER)
    send.has(receipt.message_id, "@qq.com>") -- made for the first account, and kept
    send.good(mailer, send.message({ from = "own@test.local" }))
    got = second:messages()[2]
    assert.equal("own@test.local", got.from)
    send.has(got.data, "From: own@test.local")
    batch.all(mailer, { send.message() })
    assert.equal(OTHER, second:messages()[3].from)
  end)

  it("ends when another connection took the message that failed over", function()
    local limit = "450 4.7.1 Sender frequency limited"
    local first = send.server({ delay = { dot = 0.02 },
      replies = { mail = { ["fast@test.local"] = limit } } })
    local second = other_server({ replies = { mail = { ["fast@test.local"] = limit } } })
    for _, bad in ipairs({ 1, 2, 5, 8 }) do
      local mailer = pair(first, second, { pool = { max = 2 }, window = 3 })
      local results, summary = batch.run(mailer, batch.messages(8, function(message, index)
        message.from = index == bad and "fast@test.local" or nil
        return message
      end))
      assert.equal(7, summary.sent)
      send.is_error(results[bad].err, { delivered = "no" })
      assert.equal(2, results[bad].err.attempts, tostring(results[bad].err))
    end
  end)

  it("keeps messages going that broke the connection to the first account", function()
    local first = send.server({ delay = { dot = 0.005 }, scenario = "spec.support.picky_scenario" })
    local second = other_server({ delay = { dot = 0.005 } })
    local mailer = pair(first, second, { pool = { max = 3 }, window = 3 })
    local list = batch.messages(60, function(message, index)
      message.to = index % 7 == 0 and "poison@test.local" or message.to
      return message
    end)
    batch.all(mailer, list)
    assert.equal(60, #first:messages() + #second:messages())
    assert.equal(0, mailer:stats().connections.used)
  end)
end)

describe("a breaker", function()
  after_each(send.stop)

  local OPTIONS = { breaker = { failures = 2, pause = 60 } }

  it("opens after failures in a row, for all mailers of the process", function()
    local server = send.server({ drop_at = "connect" })
    local one, clock = fake_time.mailer(server, OPTIONS)
    local two, other_clock = fake_time.mailer(server, OPTIONS)
    send.bad(one, { kind = "closed" })
    assert.equal("closed", two:stats().breakers[1])
    send.bad(two, { kind = "closed" })
    assert.equal("open", one:stats().breakers[1])
    assert.equal("open", two:stats().breakers[1])
    local err = send.bad(one, { code = "closed.breaker", delivered = "no", retry = "later" })
    assert.is_true(err.retry_after > 50 and err.retry_after <= 60)
    send.bad(two, { code = "closed.breaker" })
    assert.equal(2, #server:connections())
    -- One probe, when the pause is over; it fails.
    clock.ahead, other_clock.ahead = 61, 61
    send.bad(one, { kind = "closed" })
    send.bad(two, { code = "closed.breaker" })
    assert.equal(3, #server:connections())
    clock.ahead, other_clock.ahead = 200, 200
    server:set({ drop_at = false })
    send.good(two)
    assert.equal("closed", one:stats().breakers[1])
    send.good(one)
  end)

  it("lets the mail go to another account at once", function()
    local first, second = send.server({ drop_at = "connect" }), other_server()
    local mailer = pair(first, second, OPTIONS)
    for _ = 1, 5 do
      send.good(mailer)
    end
    assert.equal(2, #first:connections())
    batch.all(mailer, batch.messages(12))
    assert.equal(2, #first:connections())
    assert.equal(17, #second:messages())
    assert.same({ "open", "closed" }, mailer:stats().breakers)
  end)

  it("is not opened by mails that are refused", function()
    local server = send.server({ replies = { rcpt = "550 5.1.1 No such user" } })
    local mailer = send.mailer(server, OPTIONS)
    for _ = 1, 5 do
      send.bad(mailer, { kind = "recipient" })
    end
    batch.run(mailer, batch.messages(5))
    assert.equal("closed", mailer:stats().breakers[1])
  end)

  it("has no say where there is none", function()
    local server = send.server({ drop_at = "connect" })
    local mailer = send.mailer(server)
    for _ = 1, 8 do
      send.bad(mailer, { kind = "closed" })
    end
    assert.equal(8, #server:connections())
    assert.is_nil(mailer:stats().breakers[1])
  end)

  it("is closed by the mails of send_all, and gives its probe back", function()
    local server = send.server({ drop_at = "connect" })
    local mailer, clock = fake_time.mailer(server, OPTIONS)
    batch.run(mailer, batch.messages(6))
    assert.equal("open", mailer:stats().breakers[1])
    assert.equal(2, #server:connections())
    server:set({ drop_at = false })
    clock.ahead = 61
    -- A message at fault itself says nothing of the account.
    server:set({ size_limit = 100 })
    local _, summary = batch.run(mailer, batch.messages(1))
    send.is_error(summary.errors[1].err, { kind = "message" })
    server:set({ size_limit = 100000 })
    mailer:close()
    mailer, clock = fake_time.mailer(server, OPTIONS)
    clock.ahead = 62
    batch.all(mailer, batch.messages(6))
    assert.equal("closed", mailer:stats().breakers[1])
  end)
end)

describe("a refused login", function()
  after_each(send.stop)

  it("is tried by no other mailer of the process", function()
    local server = send.server({ replies = { auth = "535 5.7.8 Wrong" } })
    local one, two = send.mailer(server), send.mailer(server)
    send.bad(one, { kind = "auth" })
    local err = send.bad(two, { kind = "auth", not_tried = true, retry = "never" })
    assert.is_true(err.retry_after > 800 and err.retry_after <= logins.pause)
    batch.run(two, batch.messages(10))
    assert.equal(1, server:auth_attempts())
    assert.equal(1, #server:connections())
  end)

  it("is tried with another password, and only that one is blocked", function()
    local server = send.server()
    local secret = "wrongwrongwrong!"
    local mailer = send.mailer(server, { password = function() return secret end })
    send.bad(mailer, { kind = "auth" })
    send.bad(mailer, { kind = "auth", not_tried = true })
    secret = send.CODE
    send.good(mailer)
    assert.equal(2, server:auth_attempts())
    send.good(send.mailer(server))
    assert.equal(3, server:auth_attempts())
  end)

  it("is tried again after the pause", function()
    local server = send.server({ replies = { auth = { "535 5.7.8 Wrong" } } })
    local mailer, clock = fake_time.mailer(server)
    send.bad(mailer, { kind = "auth" })
    clock.ahead = logins.pause - 1
    send.bad(mailer, { kind = "auth", not_tried = true })
    clock.ahead = logins.pause + 1
    send.good(mailer)
    assert.equal(2, server:auth_attempts())
  end)

  it("leaves the second account to send", function()
    local first, second = send.server({ replies = { auth = "535 5.7.8 Wrong" } }), other_server()
    local mailer = pair(first, second)
    for _ = 1, 3 do
      send.good(mailer)
    end
    batch.all(mailer, batch.messages(10))
    assert.equal(1, first:auth_attempts())
    assert.equal(13, #second:messages())
  end)
end)

describe("mailer:stats", function()
  after_each(send.stop)

  it("counts what happened", function()
    local server = send.server({ replies = { rcpt = { ["no@test.local"] = "550 5.1.1 No" } } })
    local mailer = send.mailer(server, { on = { sent = function() error("hook") end } })
    send.good(mailer)
    send.good(mailer)
    send.bad(mailer, { kind = "recipient" }, send.message({ to = "no@test.local" }))
    server:set({ drop_at = "dot" })
    mailer:close()
    mailer = send.mailer(server)
    send.bad(mailer, { delivered = "unknown" })
    local stats = mailer:stats()
    assert.same({ 0, 0, 1, 1, 0 },
      { stats.sent, stats.failed, stats.unknown, stats.opened, stats.reused })
    assert.same({ used = 0, idle = 0 }, stats.connections)
  end)

  it("tells opened and reused connections apart", function()
    local server = send.server()
    local mailer = send.mailer(server)
    for _ = 1, 3 do
      send.good(mailer)
    end
    batch.all(mailer, batch.messages(4))
    local stats = mailer:stats()
    assert.same({ 7, 1, 1 }, { stats.sent, stats.opened, stats.connections.idle })
    assert.is_true(stats.reused >= 2)
  end)

  it("can be asked for before anything happened, and is the caller's own", function()
    local mailer = assert(qqmail.new({ host = "h.test", tls = "none", from = "a@test.local" }))
    local stats = mailer:stats()
    stats.sent = 7
    stats.connections.used = 7
    assert.equal(0, mailer:stats().sent)
    assert.equal(0, mailer:stats().connections.used)
    assert.equal(0, mailer:stats().hook_errors)
  end)
end)
