local gates = require("qqmail.io.gate")
local group = require("qqmail.io.group")
local net = require("qqmail.net")

local FAR = 60 -- seconds; no test waits that long

describe("qqmail.io.group", function()
  it("runs functions side by side", function()
    local log, now, most = {}, 0, 0
    local function body(name, seconds)
      return function()
        now = now + 1
        most = math.max(most, now)
        group.sleep(seconds)
        log[#log + 1] = name
        now = now - 1
      end
    end
    group.all({ body("late", 0.06), body("early", 0.02), body("middle", 0.04) })
    assert.same({ "early", "middle", "late" }, log)
    assert.equal(3, most)
  end)

  it("knows whether code runs inside", function()
    local inside, nested
    assert.is_false(group.is_inside())
    group.all({ function()
      inside = group.is_inside()
      coroutine.wrap(function()
        nested = group.is_inside()
      end)()
    end })
    assert.is_true(inside)
    assert.is_false(nested)
    assert.is_false(group.is_inside())
  end)

  it("runs nothing, and functions that never wait", function()
    group.all({})
    local count = 0
    local function body()
      count = count + 1
    end
    group.all({ body, body, body })
    assert.equal(3, count)
  end)

  it("wakes who waits for a descriptor, and only then", function()
    local signal = net.signal()
    local told, log = nil, {}
    group.all({ function()
      told = { group.wait(signal:fd(), "r", FAR) }
      log[#log + 1] = "woken"
    end, function()
      group.sleep(0.02)
      log[#log + 1] = "set"
      signal:set()
    end })
    signal:close()
    assert.same({ true }, told)
    assert.same({ "set", "woken" }, log)
  end)

  it("tells that the time of a wait has passed", function()
    local signal = net.signal()
    local told
    local began = net.now()
    group.all({ function()
      told = { group.wait(signal:fd(), "r", 0.03) }
    end })
    signal:close()
    assert.same({ nil, "timeout" }, told)
    assert.is_true(net.now() - began >= 0.029)
  end)

  it("finishes the others when one raises, and raises then", function()
    local log = {}
    local ok, why = pcall(group.all, { function()
      group.sleep(0.01)
      error("first")
    end, function()
      group.sleep(0.03)
      log[#log + 1] = "done"
      error("second")
    end, function()
      error("at once")
    end })
    assert.is_false(ok)
    assert.same({ "done" }, log)
    assert.is_truthy(why:find("at once", 1, true))
    assert.is_nil(why:find("second", 1, true))
  end)

  it("refuses a yield that nobody can answer", function()
    local went_on = false
    local ok, why = pcall(group.all, { function()
      coroutine.yield("to whom?")
      went_on = true
    end })
    assert.is_false(ok)
    assert.is_false(went_on)
    assert.is_truthy(why:find("yields to nobody", 1, true))
  end)

  it("can run inside another one", function()
    local log = {}
    group.all({ function()
      group.all({ function()
        group.sleep(0.01)
        log[#log + 1] = "inner"
      end })
      log[#log + 1] = "outer"
    end })
    assert.same({ "inner", "outer" }, log)
  end)
end)

describe("qqmail.io.gate", function()
  it("lets one wait until another opens it", function()
    local log, gate = {}, nil
    group.all({ function()
      gate = assert(gates.new(group.wait))
      local is_open = gate:wait(net.now() + FAR)
      log[#log + 1] = is_open and "through"
      gate:close()
      gate:close()
    end, function()
      group.sleep(0.01)
      log[#log + 1] = "opens"
      gate:open()
    end })
    assert.same({ "opens", "through" }, log)
  end)

  it("lets through at once when it is open", function()
    local gate = assert(gates.new(function()
      error("nobody has to wait")
    end))
    gate:open()
    assert.is_true(gate:wait(net.now() - 1))
    gate:close()
  end)

  it("ends the wait at its deadline, and where it cannot wait", function()
    local gate = assert(gates.new(net.wait))
    assert.is_false(gate:wait(net.now() + 0.01))
    assert.is_false(gate:wait(net.now() - 1))
    gate:close()
    gate = assert(gates.new(function()
      return nil, "no coroutine"
    end))
    assert.is_false(gate:wait(net.now() + FAR))
    gate:close()
  end)

  it("waits on after being woken for nothing", function()
    local waits, gate = 0, nil
    gate = assert(gates.new(function()
      waits = waits + 1
      if waits == 3 then
        gate:open()
      end
      return true
    end))
    assert.is_true(gate:wait(net.now() + FAR))
    assert.equal(3, waits)
    gate:close()
  end)

  it("tells a loop before its descriptor is closed, once", function()
    local told = {}
    local gate = assert(gates.new(net.wait, function(descriptor)
      told[#told + 1] = descriptor
    end))
    gate:close()
    gate:close()
    assert.equal(1, #told)
    assert.is_number(told[1])
  end)
end)
