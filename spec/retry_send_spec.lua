-- `mailer:send` with several tries, against a server that says what the spec wants.
local batch = require("spec.support.send_all")
local fake_time = require("spec.support.fake_time")
local qqmail = require("qqmail")
local send = require("spec.support.send")

-- Such waits are longer than those that replies ask for.
local POLICY = { attempts = 4, base = 100, cap = 5000, jitter = 1, budget = 50000 }

local function mailer_for(server, more)
  return fake_time.mailer(server, send.merge({ timeout = { total = 100000 },
    retry = send.merge({}, POLICY) }, more))
end

local function times(n, reply)
  local list = {}
  for index = 1, n do
    list[index] = reply
  end
  return list
end

local function id_of(message)
  return message.data:match("Message%-ID: (%S+)")
end

describe("mailer:send, when it may try again,", function()
  after_each(send.stop)

  it("waits longer each time, with some chance, and sends", function()
    local server = send.server({ replies = { mail = times(3, "451 4.3.0 Not now") } })
    local mailer, driver = mailer_for(server)
    local receipt = send.good(mailer)
    assert.equal(4, receipt.attempts)
    fake_time.assert_waits({ 100.5, 200.5, 400.5 }, driver)
    assert.equal(3, mailer:stats().retries)
    assert.equal(1, mailer:stats().sent)
    assert.equal(0, mailer:stats().failed)
    assert.equal(1, #server:messages())
  end)

  it("repeats a login without an answer once, and then leaves it alone", function()
    local server = send.server({ drop_at = "auth", how = "stall" })
    local mailer, driver = mailer_for(server, { timeout = { reply = 0.2 } })
    send.bad(mailer, { kind = "timeout", phase = "auth", delivered = "no", attempts = 2 })
    fake_time.assert_waits({ 100.5 }, driver)
    assert.equal(2, send.count(server, "AUTH"))
    local err = send.bad(mailer, { kind = "timeout", phase = "auth", retry = "never" })
    assert.is_true(err.not_tried)
    assert.equal(2, send.count(server, "AUTH"))
  end)

  it("leaves a login alone in which the server hung up twice", function()
    local server = send.server({ drop_at = "auth" })
    local summary = send.mailer(server):send_all(batch.messages(8))
    assert.equal(8, summary.failed)
    send.is_error(summary.errors[1].err, { code = "auth.closed_during_login", retry = "never" })
    local err = send.is_error(summary.errors[8].err, { code = "auth.closed_during_login" })
    assert.is_true(err.not_tried)
    assert.equal(2, send.count(server, "AUTH"))
  end)

  it("gives up after so many tries", function()
    local server = send.server({ replies = { mail = times(9, "451 4.3.0 Not now") } })
    local mailer, driver = mailer_for(server)
    local err = send.bad(mailer, { delivered = "no", retry = "later", attempts = 4 })
    assert.equal(451, err.smtp.code)
    fake_time.assert_waits({ 100.5, 200.5, 400.5 }, driver)
    assert.equal(4, send.count(server, "MAIL"))
  end)

  it("never waits longer than the cap", function()
    local server = send.server({ replies = { mail = times(3, "451 4.3.0 Not now") } })
    local mailer, driver = mailer_for(server, { retry = { cap = 150, jitter = 0 } })
    send.good(mailer)
    fake_time.assert_waits({ 100, 150, 150 }, driver)
  end)

  it("begins no wait beyond its budget", function()
    local server = send.server({ replies = { mail = times(9, "451 4.3.0 Not now") } })
    local mailer, driver = mailer_for(server, { retry = { budget = 400, attempts = 9 } })
    send.bad(mailer, { attempts = 3 })
    fake_time.assert_waits({ 100.5, 200.5 }, driver)
  end)

  it("begins no wait beyond its time, and says how long it would have been", function()
    local server = send.server({ replies = { mail = times(9, "451 4.3.0 Not now") } })
    local mailer, driver = mailer_for(server, { timeout = { total = 500 } })
    local err = send.bad(mailer, { attempts = 3, retry = "later" })
    fake_time.assert_waits({ 100.5, 200.5 }, driver)
    assert.equal(60, err.retry_after) -- what the reply asks for
  end)

  it("says how long a wait beyond the budget would have been", function()
    local server = send.server({ drop_at = "connect" })
    local mailer, driver = mailer_for(server, { retry = { budget = 99 } })
    local err = send.bad(mailer, { attempts = 1, retry = "later", delivered = "no" })
    assert.equal(100.5, err.retry_after)
    assert.same({}, driver.waits)
  end)

  it("keeps the deadline of a message", function()
    local server = send.server({ replies = { mail = times(9, "451 4.3.0 Not now") } })
    local mailer, driver = mailer_for(server)
    send.bad(mailer, { attempts = 2 }, send.message({ deadline = 250 }))
    fake_time.assert_waits({ 100.5 }, driver)
  end)

  it("waits as long as the provider asks", function()
    local server = send.server({ replies = { rcpt = { "450 4.2.0 Greylisted" } } })
    local mailer, driver = mailer_for(server)
    assert.equal(2, send.good(mailer).attempts)
    fake_time.assert_waits({ 300.5 }, driver)
  end)

  it("tries at once after a connection that broke, once", function()
    local server = send.server({ drop_at = "data", drop_times = 2 })
    local mailer, driver = mailer_for(server)
    local receipt = send.good(mailer)
    assert.equal(1, #server:messages())
    assert.is_true(receipt.attempts >= 2)
    assert.is_true(#driver.waits >= 1)
  end)

  it("tries not at all where it is told so", function()
    for _, policy in ipairs({ false, { attempts = 1 } }) do
      local server = send.server({ replies = { mail = times(3, "451 4.3.0 Not now") } })
      local mailer, driver = fake_time.mailer(server, { retry = policy })
      send.bad(mailer, { attempts = 1 })
      assert.same({}, driver.waits)
      assert.equal(1, send.count(server, "MAIL"))
    end
  end)

  it("tries no refusal for good again", function()
    local server = send.server({ replies = { mail = { "550 5.7.1 Never" } } })
    local mailer, driver = mailer_for(server)
    send.bad(mailer, { attempts = 1, retry = "never" })
    assert.same({}, driver.waits)
  end)

  it("tries no wrong password twice", function()
    local server = send.server({ replies = { auth = times(9, "535 5.7.8 Wrong") } })
    local mailer, driver = mailer_for(server)
    send.bad(mailer, { kind = "auth", attempts = 1 })
    send.bad(mailer, { kind = "auth", not_tried = true })
    assert.same({}, driver.waits)
    assert.equal(1, server:auth_attempts())
  end)

  it("sends to those who were put off, and to nobody twice", function()
    local server = send.server({ replies = { rcpt = {
      ["refused@test.local"] = "550 5.1.1 No such user",
      "451 4.3.0 Not now", "451 4.3.0 Not now" } } })
    local mailer = mailer_for(server)
    local receipt = send.good(mailer, send.message({
      to = { "refused@test.local", "a@test.local", "b@test.local", "c@test.local" } }))
    assert.same({ "a@test.local", "b@test.local", "c@test.local" }, receipt.accepted)
    assert.equal(1, #receipt.rejected)
    assert.equal("refused@test.local", receipt.rejected[1].address)
    assert.equal(550, receipt.rejected[1].code)
    assert.equal(2, receipt.attempts)
    local first, second = server:messages()[1], server:messages()[2]
    assert.same({ "c@test.local" }, first.to)
    assert.same({ "a@test.local", "b@test.local" }, second.to)
    assert.equal(id_of(first), id_of(second))
    assert.equal(receipt.message_id, id_of(first))
    assert.equal(2, #server:messages())
    assert.equal(1, mailer:stats().sent)
  end)

  it("keeps its receipt when those who were put off stay so", function()
    local server = send.server({ replies = { rcpt = { ["b@test.local"] = "451 4.3.0 Not now" } } })
    local mailer = mailer_for(server)
    local receipt = send.good(mailer, send.message({ to = { "a@test.local", "b@test.local" } }))
    assert.same({ "a@test.local" }, receipt.accepted)
    assert.equal("b@test.local", receipt.rejected[1].address)
    assert.equal("later", receipt.rejected[1].retry)
    assert.equal(4, receipt.attempts)
    assert.equal(1, #server:messages())
    assert.equal(1, send.count(server, "RCPT TO:<a@test.local>"))
    assert.equal(4, send.count(server, "RCPT TO:<b@test.local>"))
  end)

  it("tells the hook of each wait", function()
    local server = send.server({ replies = { rcpt = { "451 4.3.0 Not now" } } })
    local told = {}
    local mailer = mailer_for(server, { on = { retry = function(event)
      told[#told + 1] = event
      error("a hook that raises changes nothing")
    end } })
    local receipt = send.good(mailer)
    assert.equal(1, #told)
    local event = told[1]
    assert.equal(receipt.message_id, event.message_id)
    assert.equal(2, event.attempt)
    assert.equal(100.5, event.delay)
    assert.same({ "a@test.local" }, event.recipients)
    send.is_error(event.err, { kind = "recipient", delivered = "no" })
    assert.equal(1, mailer:stats().hook_errors)
  end)

  it("stops in the middle of a wait when the caller says so", function()
    local server = send.server({ replies = { mail = times(9, "451 4.3.0 Not now") } })
    local mailer, driver = mailer_for(server)
    local stop = qqmail.canceller()
    driver.on_sleep = function()
      if #driver.waits == 1010 then
        stop:cancel()
      end
    end
    local err = send.bad(mailer, { kind = "cancelled", delivered = "no", attempts = 2 },
      send.message({ cancel = stop }))
    assert.equal("now", err.retry)
    assert.equal(1010, #driver.waits)
    for _, seconds in ipairs(driver.waits) do
      assert.is_true(seconds <= 0.1)
    end
    assert.equal(2, send.count(server, "MAIL"))
  end)

  it("sends nothing when the caller had stopped before", function()
    local server = send.server()
    local mailer = mailer_for(server)
    send.bad(mailer, { kind = "cancelled", delivered = "no" }, send.message({
      cancel = function() return true end }))
    assert.same({}, server:connections())
  end)

  describe("of a mail that may have arrived,", function()
    it("stops", function()
      local server = send.server({ drop_at = "dot" })
      local mailer, driver = mailer_for(server)
      send.bad(mailer, { delivered = "unknown", retry = "never", attempts = 1 })
      assert.same({}, driver.waits)
      assert.equal(1, #server:connections())
      assert.equal(1, mailer:stats().unknown)
      assert.equal(0, mailer:stats().failed)
    end)

    it("sends it again where that is wanted, as the same mail", function()
      local server = send.server({ drop_at = "dot", drop_times = 1 })
      local mailer, driver = mailer_for(server, { retry = { when_unknown = "retry" } })
      local receipt = send.good(mailer)
      assert.equal(2, receipt.attempts)
      assert.same({ "a@test.local" }, receipt.accepted)
      assert.same({}, receipt.rejected)
      fake_time.assert_waits({ 100.5 }, driver)
      local list = server:messages()
      assert.equal(receipt.message_id, id_of(list[#list]))
      assert.equal(id_of(list[1]), id_of(list[#list]))
    end)

    it("never says later that it did not arrive", function()
      for _, reply in ipairs({ "550 5.7.1 Never", "451 4.3.0 Not now" }) do
        local server = send.server({ drop_at = "dot", drop_times = 1 })
        local mailer = mailer_for(server, { retry = { when_unknown = "retry" } })
        local hooked = 0
        mailer.settings.on = { retry = function()
          hooked = hooked + 1
          server:set({ replies = { mail = times(9, reply) } })
        end }
        local err = send.bad(mailer, { delivered = "unknown", retry = "never" })
        assert.is_true(hooked >= 1)
        assert.equal(tonumber(reply:sub(1, 3)), err.smtp.code)
        assert.equal(1, mailer:stats().unknown)
      end
    end)

    it("says so of the recipients a later try refused", function()
      local server = send.server({ drop_at = "dot", drop_times = 1 })
      local mailer = mailer_for(server, { retry = { when_unknown = "retry" },
        on = { retry = function()
          server:set({ replies = { rcpt = { ["b@test.local"] = "550 5.1.1 No such user" } } })
        end } })
      local receipt = send.good(mailer, send.message({ to = { "a@test.local", "b@test.local" } }))
      assert.same({ "a@test.local" }, receipt.accepted)
      assert.equal("b@test.local", receipt.rejected[1].address)
      assert.equal("unknown", receipt.rejected[1].delivered)
    end)
  end)
end)
