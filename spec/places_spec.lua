local places = require("qqmail.places")

-- A driver whose gates suspend the coroutine until they are opened, or until the
-- spec resumes it: then its time has passed.
local function fake_driver()
  local self = { open_gates = 0 }
  function self.gate()
    self.open_gates = self.open_gates + 1
    return {
      wait = function(gate)
        gate.thread = coroutine.running()
        coroutine.yield()
        return gate.is_open
      end,
      open = function(gate)
        gate.is_open = true
        coroutine.resume(gate.thread)
      end,
      close = function()
        self.open_gates = self.open_gates - 1
      end,
    }
  end
  return self
end

-- A place whose holder is forgotten is free: in a spec nobody is before its end.
local people = {}

-- Somebody who takes a place and keeps it until told to `leave`.
local function person(list, driver, max, log, name)
  local self = {}
  people[#people + 1] = self
  self.thread = coroutine.create(function()
    self.place = list:enter(max, driver, 10)
    log[#log + 1] = self.place and name or name .. " gave up"
    if self.place then
      coroutine.yield()
      list:leave(self.place)
    end
  end)
  function self.go_on()
    assert(coroutine.resume(self.thread))
  end
  self.go_on()
  return self
end

describe("qqmail.places", function()
  after_each(function()
    people = {}
  end)

  it("gives as many places as there are, and no more", function()
    local list, log, driver = places.new(), {}, fake_driver()
    local a = person(list, driver, 2, log, "a")
    person(list, driver, 2, log, "b")
    local c = person(list, driver, 2, log, "c")
    assert.same({ "a", "b" }, log)
    assert.equal(2, list.count)
    assert.is_true(list:is_wanted())
    a.go_on()
    assert.same({ "a", "b", "c" }, log)
    assert.equal(2, list.count)
    assert.is_false(list:is_wanted())
    c.go_on()
    assert.equal(1, list.count)
  end)

  it("serves those who wait in the order of their coming", function()
    local list, log, driver = places.new(), {}, fake_driver()
    local row = {}
    for index, name in ipairs({ "a", "b", "c", "d", "e" }) do
      row[index] = person(list, driver, 1, log, name)
    end
    for _, one in ipairs(row) do
      one.go_on()
    end
    assert.same({ "a", "b", "c", "d", "e" }, log)
    assert.equal(0, list.count)
    assert.equal(0, driver.open_gates)
  end)

  it("lets nobody overtake those who wait", function()
    local list, log, driver = places.new(), {}, fake_driver()
    local a = person(list, driver, 1, log, "a")
    local b = person(list, driver, 1, log, "b")
    a.go_on() -- b has it now
    local c = person(list, driver, 1, log, "c")
    assert.same({ "a", "b" }, log)
    b.go_on()
    c.go_on()
    assert.same({ "a", "b", "c" }, log)
  end)

  it("passes over one who gave up waiting", function()
    local list, log, driver = places.new(), {}, fake_driver()
    local a = person(list, driver, 1, log, "a")
    local b = person(list, driver, 1, log, "b")
    local c = person(list, driver, 1, log, "c")
    b.go_on() -- its time has passed
    assert.same({ "a", "b gave up" }, log)
    assert.is_true(list:is_wanted())
    a.go_on()
    assert.same({ "a", "b gave up", "c" }, log)
    c.go_on()
    assert.equal(0, list.count)
    assert.equal(0, driver.open_gates)
  end)

  it("is wanted by nobody when all gave up", function()
    local list, log, driver = places.new(), {}, fake_driver()
    person(list, driver, 1, log, "a")
    person(list, driver, 1, log, "b").go_on()
    assert.is_false(list:is_wanted())
  end)

  it("gives no place where nobody could give one back meanwhile", function()
    local list = places.new()
    local holder = coroutine.create(function()
      list:enter(1, {}, 10)
      coroutine.yield()
    end)
    coroutine.resume(holder)
    assert.is_nil((list:enter(1, {}, 10)))
    assert.is_nil((list:enter(1, { gate = function() end }, 10)))
    assert.equal("suspended", coroutine.status(holder))
  end)

  it("does not count a place given back twice", function()
    local list, driver = places.new(), fake_driver()
    local first, other
    coroutine.resume(coroutine.create(function()
      first = list:enter(2, driver, 10)
    end))
    coroutine.resume(coroutine.create(function()
      other = list:enter(2, driver, 10)
    end))
    list:leave(first)
    list:leave(first)
    assert.equal(1, list.count)
    list:leave(other)
    assert.equal(0, list.count)
  end)

  it("takes the place of a coroutine that ended without giving it back", function()
    local list, driver = places.new(), fake_driver()
    local body = coroutine.create(function()
      list:enter(1, driver, 10)
    end)
    coroutine.resume(body)
    assert.equal(1, list.count)
    local place
    coroutine.wrap(function()
      place = list:enter(1, driver, 10)
    end)()
    assert.is_table(place)
    assert.equal(1, list.count)
  end)

  it("does not keep a forgotten coroutine alive", function()
    local list, driver = places.new(), fake_driver()
    do
      local body = coroutine.create(function()
        list:enter(1, driver, 10)
        coroutine.yield()
      end)
      coroutine.resume(body)
    end
    collectgarbage()
    collectgarbage()
    local place
    coroutine.wrap(function()
      place = list:enter(1, driver, 10)
    end)()
    assert.is_table(place)
    assert.equal(1, list.count)
  end)

  it("lets a coroutine enter that holds the place itself", function()
    local list, driver = places.new(), fake_driver()
    local outer, inner
    coroutine.wrap(function()
      outer = list:enter(1, driver, 10)
      inner = list:enter(1, driver, 10)
      assert(inner)
      list:leave(inner)
      list:leave(outer)
    end)()
    assert.is_table(inner)
    assert.equal(0, list.count)
  end)

  it("lets the main program enter that holds the place itself", function()
    local list = places.new()
    local outer = list:enter(1, {}, 10)
    local inner = list:enter(1, {}, 10)
    assert.is_table(inner)
    list:leave(inner)
    list:leave(outer)
    assert.equal(0, list.count)
  end)

  it("forgets those of another process", function()
    local list, log, driver = places.new(), {}, fake_driver()
    local a = person(list, driver, 1, log, "a")
    person(list, driver, 1, log, "b")
    list:forget()
    assert.equal(0, list.count)
    assert.is_false(list:is_wanted())
    a.go_on() -- its place is of another count
    assert.equal(0, list.count)
    person(list, driver, 1, log, "c")
    assert.same({ "a", "c" }, log)
  end)

  it("keeps nothing of those who came and went", function()
    local list, driver = places.new(), fake_driver()
    for _ = 1, 100 do
      local log = {}
      local a = person(list, driver, 1, log, "a")
      local b = person(list, driver, 1, log, "b")
      a.go_on()
      b.go_on()
    end
    assert.is_nil(next(list.waiting))
    assert.is_nil(next(list.taken))
  end)
end)
