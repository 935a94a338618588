-- `mailer:send_all` while the server is away: nobody's tries are used up by that.
local batch = require("spec.support.send_all")
local fake_time = require("spec.support.fake_time")
local send = require("spec.support.send")

local POLICY = { attempts = 2, base = 1, cap = 8, jitter = 0, budget = 40 }

-- A mailer whose driver cannot connect before `back` seconds have passed.
local function mailer_without(server, back, more)
  local mailer, driver = fake_time.mailer(server, send.merge({ retry = send.merge({}, POLICY),
    timeout = { total = 1000 } }, more))
  local connect, began = driver.connect, driver:now()
  function driver:connect(target, deadline)
    self.tries = (self.tries or 0) + 1
    if self:now() - began < back then
      return nil, { phase = "connect", reason = "refused", text = "refused", tried = {} }
    end
    return connect(self, target, deadline)
  end
  return mailer, driver
end

describe("mailer:send_all, when the server is away,", function()
  after_each(send.stop)

  it("waits for it, and sends all", function()
    local server = send.server()
    local mailer, driver = mailer_without(server, 20)
    batch.all(mailer, batch.messages(30))
    batch.arrived_once(server, 30)
    fake_time.assert_waits({ 1, 2, 4, 8, 8 }, driver)
    assert.equal(6, driver.tries)
    assert.equal(5, mailer:stats().retries)
  end)

  it("waits again after it was there", function()
    local server = send.server()
    local mailer, driver = mailer_without(server, 20)
    batch.all(mailer, batch.messages(3))
    mailer.routes[1]:close()
    local connect = driver.connect
    local left = 3
    function driver:connect(...)
      left = left - 1
      if left >= 0 then
        return nil, { phase = "connect", reason = "refused", text = "refused", tried = {} }
      end
      return connect(self, ...)
    end
    driver.waits = {}
    batch.all(mailer, batch.messages(3))
    fake_time.assert_waits({ 1, 2, 4 }, driver)
  end)

  it("gives up when the time for that is over, without a wait for each message", function()
    local mailer, driver = mailer_without(send.server(), math.huge)
    local results, summary = batch.run(mailer, batch.messages(30))
    assert.equal(30, summary.failed)
    fake_time.assert_waits({ 1, 2, 4, 8, 8, 8, 8 }, driver)
    for index = 1, 30 do
      send.is_error(results[index].err, { kind = "connect", delivered = "no", retry = "later" })
    end
    assert.equal(7 + 30, driver.tries)
  end)

  it("does not wait where nobody asked for further tries", function()
    local mailer, driver = mailer_without(send.server(), math.huge, { retry = false })
    local _, summary = batch.run(mailer, batch.messages(5))
    assert.equal(5, summary.failed)
    assert.same({}, driver.waits)
  end)

  it("waits a little also where a message does not, and not for ever", function()
    local mailer, driver = mailer_without(send.server(), math.huge,
      { retry = { base = 0, cap = 0, budget = 1 } })
    local _, summary = batch.run(mailer, batch.messages(2))
    assert.equal(2, summary.failed)
    for _, seconds in ipairs(driver.waits) do
      assert.is_true(seconds > 0)
    end
    assert.is_true(#driver.waits > 0 and driver.tries < 50)
  end)

  it("stops waiting when it is told to", function()
    local mailer, driver = mailer_without(send.server(), math.huge)
    local results, summary = batch.run(mailer, batch.messages(5), { cancel = function()
      return driver.tries == 2
    end })
    assert.is_true(summary.stopped)
    assert.equal(1, summary.total)
    send.is_error(results[1].err, { kind = "connect", delivered = "no" })
  end)
end)
