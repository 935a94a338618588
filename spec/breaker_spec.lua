local breaker = require("qqmail.breaker")

local function new(failures)
  return breaker.new({ failures = failures or 3, pause = 60 })
end

-- One that opened at the moment 100.
local function opened()
  local b = new()
  for _ = 1, 3 do
    b:failure(100)
  end
  return b
end

describe("qqmail.breaker", function()
  it("opens after failures in a row", function()
    local b = new()
    for now = 1, 2 do
      b:failure(now)
      assert.is_true(b:allow(now))
    end
    assert.equal("closed", b:state(2))
    b:failure(3)
    assert.equal("open", b:state(3))
    assert.same({ nil, 60 }, { b:allow(3) })
    assert.same({ nil, 1 }, { b:allow(62) })
  end)

  it("begins to count anew after a success", function()
    local b = new()
    for now = 1, 20 do
      b:failure(now)
      b:failure(now)
      b:success()
    end
    assert.equal("closed", b:state(20))
  end)

  it("lets one probe through when the pause is over", function()
    local b = opened()
    assert.equal("half-open", b:state(160))
    assert.is_true(b:allow(160))
    assert.same({ nil, 60 }, { b:allow(160) })
    assert.same({ nil, 50 }, { b:allow(170) })
    assert.equal("half-open", b:state(170))
  end)

  it("closes when the probe comes through", function()
    local b = opened()
    b:allow(160)
    b:success()
    assert.equal("closed", b:state(161))
    assert.is_true(b:allow(161))
    b:failure(162)
    b:failure(162)
    assert.is_true(b:allow(162))
  end)

  it("opens again when the probe fails", function()
    local b = opened()
    b:allow(160)
    b:failure(165)
    assert.equal("open", b:state(165))
    assert.same({ nil, 60 }, { b:allow(165) })
    assert.is_true(b:allow(225))
  end)

  it("lets another probe go when one came to no verdict", function()
    local b = opened()
    b:allow(160)
    b:release()
    assert.equal("half-open", b:state(161))
    assert.is_true(b:allow(161))
    assert.is_nil((b:allow(161)))
  end)

  it("does not wait for ever for a probe", function()
    local b = opened()
    assert.is_true(b:allow(160))
    assert.is_nil((b:allow(219)))
    assert.is_true(b:allow(220))
    assert.is_nil((b:allow(221)))
  end)

  it("is not held open by tries that began before", function()
    local b = opened()
    b:failure(130)
    b:failure(159)
    assert.is_true(b:allow(160))
    b = opened()
    b:success()
    assert.equal("closed", b:state(101))
  end)

  it("takes no notice of a release while it is closed or open", function()
    local b = new()
    b:release()
    assert.is_true(b:allow(0))
    b = opened()
    b:release()
    assert.is_nil((b:allow(101)))
  end)

  it("opens at the first failure where that is asked for", function()
    local b = new(1)
    b:failure(0)
    assert.equal("open", b:state(59))
  end)
end)
