local qqmail = require("qqmail")
local rate = require("qqmail.rate")
local send = require("spec.support.send")

-- When `n` messages may go that all come at once.
local function moments(limiter, n, now)
  local out = {}
  for index = 1, n do
    out[index] = limiter:take(now, math.huge)
  end
  return out
end

describe("qqmail.rate", function()
  it("spreads messages evenly", function()
    assert.same({ 100, 104, 108, 112 }, moments(rate.new({ 15, per = 60 }, "a"), 4, 100))
  end)

  it("lets a message go at once after a quiet time, and saves up nothing", function()
    local limiter = rate.new({ 1, per = 10 }, "a")
    assert.equal(0, limiter:take(0, math.huge))
    assert.equal(1003, limiter:take(1003, math.huge))
    assert.equal(1013, limiter:take(1003, math.huge))
    assert.equal(1023, limiter:take(1003, math.huge))
  end)

  it("never lets more go than allowed in any time of that length", function()
    local limiter = rate.new({ 5, per = 7 }, "a")
    local times = {}
    for step = 0, 200 do
      local moment = limiter:take(step * 0.3, step * 0.3)
      times[#times + 1] = moment
    end
    for first = 1, #times - 5 do
      assert.is_true(times[first + 5] - times[first] >= 7 - 1e-9, "from " .. times[first])
    end
    assert.is_true(#times > 35)
  end)

  it("takes no turn that comes too late, and says how long it is", function()
    local limiter = rate.new({ 1, per = 10 }, "a")
    limiter:take(0, 0)
    local moment, seconds = limiter:take(2, 5)
    assert.is_nil(moment)
    assert.equal(8, seconds)
    assert.equal(10, limiter:take(2, 10))
  end)

  it("counts together where a store is shared, and apart under other names", function()
    local store = rate.store()
    local one, two = rate.new({ 1, per = 10 }, "a", store), rate.new({ 1, per = 10 }, "a", store)
    local other = rate.new({ 1, per = 10 }, "b", store)
    assert.equal(0, one:take(0, 100))
    assert.equal(10, two:take(0, 100))
    assert.equal(20, one:take(0, 100))
    assert.equal(0, other:take(0, 100))
  end)

  it("holds up nothing for a store that is full", function()
    local full = { incr = function()
      return nil, "no memory"
    end }
    assert.equal(3, rate.new({ 1, per = 10 }, "a", full):take(3, 3))
  end)

  it("forgets what is long past", function()
    local store = rate.store()
    local limiter = rate.new({ 1, per = 1 }, "a", store)
    for now = 1, 12000 do
      assert.equal(now, limiter:take(now, now))
    end
    local count = 0
    for _ in pairs(store.counts) do
      count = count + 1
    end
    assert.is_true(count <= 10000)
  end)
end)

describe("the option rate", function()
  after_each(send.stop)

  it("holds messages apart, for all mailers of an account", function()
    local server = send.server()
    local first, second = send.mailer(server, { rate = { 10, per = 1 } }),
      send.mailer(server, { rate = "10/1" })
    for _ = 1, 2 do
      send.good(first)
      send.good(second)
    end
    local times = {}
    for _, record in ipairs(server:connections()) do
      for _, line in ipairs(record.lines) do
        if line.dir == "C" and line.line:find("^MAIL") then
          times[#times + 1] = line.t
        end
      end
    end
    assert.equal(4, #times)
  end)

  it("answers an error when the turn would come too late", function()
    local server = send.server()
    local mailer = send.mailer(server, { rate = { 1, per = 1e8 }, timeout = { total = 5 } })
    send.good(mailer)
    local err = send.bad(mailer, { kind = "rate", code = "rate.own_limit", delivered = "no",
      retry = "later" })
    assert.is_true(err.retry_after > 2.5 and err.retry_after <= 1e8)
    assert.equal(1, #server:messages())
  end)

  it("is refused when it makes no sense", function()
    for _, value in ipairs({ "x", "0/5", "5/0", { 5 }, { per = 3 }, { 1.5, per = 2 },
      { 5, per = 3, more = 1 }, 7, true }) do
      local mailer, err = qqmail.new({ host = "localhost", tls = "none", rate = value })
      assert.is_nil(mailer)
      assert.equal("config.invalid_value", err.code)
      assert.equal("rate", err.field)
    end
  end)
end)
