-- qqmail.io.lookup over a name server that answers when the spec says so, in a
-- time of its own.

local FAR = 1000

-- A fresh module over a fake qqmail.net.
local function new_world()
  local world = { now = 100, asked = {}, resolvers = {}, slept = {} }
  local net = {
    now = function()
      return world.now
    end,
    resolve = function(host, port, family)
      world.asked[#world.asked + 1] = ("%s %s %d"):format(family, host, port)
      if world.refusal then
        return nil, world.refusal, "no thread"
      end
      local resolver = { closed = 0 }
      function resolver.result()
        assert(resolver.closed == 0, "asked after the end")
        local answer = resolver.answer or world.answer
        if not answer then
          return nil, "again", "not yet"
        end
        return answer.list, answer.name, answer.text
      end
      function resolver:close()
        self.closed = self.closed + 1
      end
      world.resolvers[#world.resolvers + 1] = resolver
      return resolver
    end,
  }
  local kept = { net = package.loaded["qqmail.net"], lookup = package.loaded["qqmail.io.lookup"] }
  package.loaded["qqmail.net"], package.loaded["qqmail.io.lookup"] = net, nil
  world.lookup = require("qqmail.io.lookup")
  package.loaded["qqmail.net"], package.loaded["qqmail.io.lookup"] = kept.net, kept.lookup
  return world
end

local function address(text)
  return { list = { { address = text, family = "inet" } } }
end

describe("qqmail.io.lookup", function()
  local world, find

  before_each(function()
    world = new_world()
    -- Pauses pass the time; `world.on_sleep` is what happens meanwhile.
    local function sleep(seconds)
      world.slept[#world.slept + 1] = seconds
      world.now = world.now + seconds
      if world.on_sleep then
        world.on_sleep(#world.slept)
      end
    end
    function find(host, deadline, family)
      return world.lookup.find(host, family or "any", deadline or FAR, sleep)
    end
  end)

  -- Starts a look-up in a coroutine that stops at each pause.
  local function begin(host, deadline)
    local thread = coroutine.create(function()
      return world.lookup.find(host, "any", deadline or FAR, coroutine.yield)
    end)
    assert(coroutine.resume(thread))
    return thread
  end

  it("answers at once what is known at once", function()
    world.answer = address("192.0.2.1")
    assert.equal("192.0.2.1", find("mx.test")[1].address)
    assert.same({}, world.slept)
    assert.same({ "any mx.test 0" }, world.asked)
    assert.equal(1, world.resolvers[1].closed)
  end)

  it("asks again after pauses that grow, but not for long", function()
    world.on_sleep = function(count)
      if count == 10 then
        world.answer = address("192.0.2.1")
      end
    end
    assert.is_table(find("mx.test"))
    assert.equal(1, #world.asked)
    for i = 2, 10 do
      assert.is_true(world.slept[i] >= world.slept[i - 1])
    end
    assert.is_true(world.slept[1] <= 0.001 and world.slept[10] <= 0.02)
  end)

  it("is shared by those who ask meanwhile", function()
    local threads = {}
    for i = 1, 5 do
      threads[i] = begin(i % 2 == 0 and "mx.test" or "MX.Test")
    end
    assert.equal(1, #world.asked)
    world.answer = address("192.0.2.1")
    for _, thread in ipairs(threads) do
      local ok, list = coroutine.resume(thread)
      assert.is_true(ok, list)
      assert.equal("192.0.2.1", list[1].address)
      assert.equal("dead", coroutine.status(thread))
    end
    assert.equal(1, world.resolvers[1].closed)
  end)

  it("tells a failure to all who wait for it", function()
    local one, two = begin("mx.test"), begin("mx.test")
    world.answer = { name = "resolve.noname", text = "unknown" }
    for _, thread in ipairs({ one, two }) do
      assert.same({ true, nil, "resolve.noname", "unknown" }, { coroutine.resume(thread) })
    end
    assert.equal(1, #world.asked)
  end)

  it("is another one for another family or host", function()
    world.answer = address("192.0.2.1")
    find("mx.test")
    find("mx.test", FAR, "inet")
    find("mx2.test")
    assert.same({ "any mx.test 0", "inet mx.test 0", "any mx2.test 0" }, world.asked)
  end)

  it("serves others while it is fresh, and not after", function()
    world.answer = address("192.0.2.1")
    find("mx.test")
    world.answer = address("192.0.2.2")
    world.now = world.now + world.lookup.fresh - 0.01
    assert.equal("192.0.2.1", find("mx.test")[1].address)
    assert.equal(1, #world.asked)
    world.now = world.now + 0.02
    assert.equal("192.0.2.2", find("mx.test")[1].address)
    assert.equal(2, #world.asked)
  end)

  it("is fresh from the answer on, not from the question", function()
    world.on_sleep = function(count)
      world.now = world.now + world.lookup.fresh
      world.answer = count == 2 and address("192.0.2.1") or nil
    end
    find("mx.test")
    find("mx.test")
    assert.equal(1, #world.asked)
  end)

  it("does not remember failures", function()
    world.answer = { name = "resolve.again", text = "try again" }
    assert.same({ nil, "resolve.again", "try again" }, { find("mx.test") })
    world.answer = address("192.0.2.1")
    assert.is_table(find("mx.test"))
    assert.equal(2, #world.asked)
  end)

  it("tells when no look-up can be begun, and begins one later", function()
    world.refusal = "limit"
    assert.same({ nil, "limit", "no thread" }, { find("mx.test") })
    world.refusal, world.answer = nil, address("192.0.2.1")
    assert.is_table(find("mx.test"))
  end)

  it("is cut at the deadline, to the moment", function()
    local list, name, text = find("mx.test", world.now + 5)
    assert.is_nil(list)
    assert.equal("timeout", name)
    assert.is_string(text)
    assert.is_true(math.abs(world.now - 105) < 1e-6, tostring(world.now))
  end)

  it("is taken up by those who have more time", function()
    local patient = begin("mx.test", world.now + 60)
    assert.is_nil((find("mx.test", world.now + 5)))
    world.answer = address("192.0.2.1")
    assert.equal("192.0.2.1", (select(2, coroutine.resume(patient)))[1].address)
    assert.equal(1, #world.asked)
  end)

  it("that nobody waited for is no answer later", function()
    assert.equal("timeout", select(2, find("mx.test", world.now + 1)))
    world.resolvers[1].answer = { name = "resolve.again", text = "an hour ago" }
    world.now, world.answer = world.now + 3600, address("192.0.2.1")
    assert.equal("192.0.2.1", (find("mx.test", world.now + 1) or { {} })[1].address)
    assert.equal(2, #world.asked)
  end)

  it("remembers no more than so many names", function()
    world.answer = address("192.0.2.1")
    local known = 0
    repeat
      known = known + 1
      find(("h%d.test"):format(known))
      local before = #world.asked
      find(("h%d.test"):format(known))
    until #world.asked > before or known > 5000
    assert.equal(1001, known)
    -- The others are remembered still, and there is room again when they are old.
    local before = #world.asked
    find("h1.test")
    assert.equal(before, #world.asked)
    world.now = world.now + world.lookup.fresh
    for _ = 1, 2 do
      find("late.test")
    end
    assert.equal(before + 1, #world.asked)
  end)

  it("shares nothing above that, but answers", function()
    for i = 1, 1000 do
      begin(("h%d.test"):format(i))
    end
    local threads = { begin("late.test"), begin("late.test") }
    assert.equal(1002, #world.asked)
    world.answer = address("192.0.2.1")
    for _, thread in ipairs(threads) do
      assert.equal("192.0.2.1", (select(2, coroutine.resume(thread)))[1].address)
    end
    assert.equal(1, world.resolvers[1001].closed)
    assert.equal(1, world.resolvers[1002].closed)
  end)
end)
