local feeds = require("qqmail.feed")

local function counter(last)
  local n = 0
  return function()
    n = n + 1
    return n <= last and n or nil
  end
end

-- What comes out of `next` until it gives nothing.
local function drain(feed, now)
  local out = {}
  local item, seconds = feed:next(now or 0)
  while item do
    out[#out + 1] = item.spec
    item, seconds = feed:next(now or 0)
  end
  return out, seconds
end

describe("qqmail.feed", function()
  it("gives a list in its order, with indexes", function()
    local feed = feeds.new({ "a", "b" })
    assert.equal(2, feed.total)
    assert.same({ index = 1, spec = "a" }, feed:next(0))
    assert.same({ index = 2, spec = "b" }, feed:next(0))
    assert.is_nil(feed:next(0))
    assert.is_nil(select(2, feed:next(0)))
  end)

  it("gives a hole in a list as an item, and what stands behind it", function()
    local list = { "a", nil, "c" }
    list[6] = "f"
    local feed = feeds.new(list)
    assert.equal(6, feed.total)
    assert.same({ index = 1, spec = "a" }, feed:next(0))
    assert.same({ index = 2 }, feed:next(0))
    for index = 3, 6 do
      assert.same({ index = index, spec = list[index] }, feed:next(0))
    end
    assert.is_nil(feed:next(0))
  end)

  it("gives what an iterator gives, without knowing how many", function()
    local feed = feeds.new(counter(3))
    assert.is_nil(feed.total)
    assert.same({ 1, 2, 3 }, (drain(feed)))
  end)

  it("takes false for something to send, not for the end", function()
    local values, at = { false, "a" }, 0
    local feed = feeds.new(function()
      at = at + 1
      return values[at]
    end)
    assert.same({ false, "a" }, (drain(feed)))
  end)

  it("never asks an iterator again after its end", function()
    local generator = coroutine.wrap(function()
      coroutine.yield("a")
    end)
    local feed = feeds.new(generator)
    assert.same({ "a" }, (drain(feed)))
    assert.same({}, (drain(feed)))
    assert.is_nil(feed.failure)
  end)

  it("keeps what an iterator raises, and is at its end", function()
    local why = { "a table" }
    local feed = feeds.new(function()
      error(why)
    end)
    assert.is_nil(feed:next(0))
    assert.equal(why, feed.failure)
    feed.failure = nil
    assert.is_nil(feed:next(0))
    assert.is_nil(feed.failure)
  end)

  it("gives what was given back first, in its order", function()
    local feed = feeds.new(counter(4))
    local one, two = feed:next(0), feed:next(0)
    feed:unread(one)
    feed:unread(two)
    assert.equal(2, feed:waiting())
    assert.same({ 1, 2, 3, 4 }, (drain(feed)))
    assert.equal(0, feed:waiting())
  end)

  it("gives the delayed ones when they are due, the earliest first", function()
    local feed = feeds.new(counter(4))
    local one, two, three = feed:next(0), feed:next(0), feed:next(0)
    feed:delay(one, 30)
    feed:delay(two, 10)
    feed:delay(three, 20)
    assert.equal(3, feed:waiting())
    assert.equal(4, feed:next(5).spec)
    assert.same({ nil, 5 }, { feed:next(5) })
    assert.same({ 2, 3 }, (drain(feed, 20)))
    assert.same({ nil, 10 }, { feed:next(20) })
    assert.same({ 1 }, (drain(feed, 30)))
    assert.same({}, { feed:next(30) })
  end)

  it("prefers one that is due to a new one", function()
    local feed = feeds.new(counter(2))
    feed:delay(feed:next(0), 1)
    assert.equal(1, feed:next(1).spec)
    assert.equal(2, feed:next(1).spec)
  end)

  it("takes nothing new once it is stopped", function()
    local feed, asked = feeds.new(counter(9)), false
    local one, two = feed:next(0), feed:next(0)
    feed:unread(one)
    feed.is_stopped = function()
      asked = true
      return true
    end
    feed:delay(two, 5)
    assert.same({ 1 }, { feed:next(0).spec })
    -- Nobody waits for the time of one that is not going to be tried again.
    assert.equal(two, feed:next(0))
    assert.is_nil(feed:next(0))
    assert.is_true(asked)
  end)

  it("asks an iterator that waits for one thing at a time", function()
    local inside, most, last = 0, 0, 0
    local feed = feeds.new(function()
      inside = inside + 1
      most = math.max(most, inside)
      coroutine.yield()
      inside, last = inside - 1, last + 1
      return last <= 2 and last or nil
    end)
    if not jit and _VERSION == "Lua 5.1" then
      pending("there nothing can wait inside pcall")
      return
    end
    local got = {}
    local taker = coroutine.wrap(function()
      got[#got + 1] = feed:next(0)
    end)
    taker()
    local item, seconds = feed:next(0)
    assert.is_nil(item)
    assert.is_true(seconds > 0)
    taker()
    assert.equal(1, got[1].spec)
    assert.equal(1, most)
  end)
end)
