local net = require("qqmail.net")
local progress = require("qqmail.progress")

local function state(more)
  local out = { done = 5, total = 10, sent = 5, failed = 0, unknown = 0, waiting = 0,
    seconds = 2.5, per_second = 2, left = 2.5, is_last = false }
  for key, value in pairs(more or {}) do
    out[key] = value
  end
  return out
end

local function line(more, lang)
  return progress.line(state(more), lang or "en")
end

-- Runs a body while standard error is said to be a terminal or not.
local function with_terminal(is_terminal, body)
  local isatty, stderr, written = net.isatty, io.stderr, {}
  net.isatty = function(number)
    assert.equal(2, number)
    return is_terminal
  end
  rawset(io, "stderr", {
    write = function(_, text) written[#written + 1] = text end,
    flush = function() end,
  })
  local ok, why = pcall(body)
  net.isatty = isatty
  rawset(io, "stderr", stderr)
  assert(ok, why)
  return table.concat(written)
end

describe("qqmail.progress", function()
  it("draws a bar, counts and a forecast", function()
    assert.equal("[############............] 5/10 · 2/s · left 0:02", line())
    assert.equal("[########################] 10/10 · 4/s",
      line({ done = 10, per_second = 4, left = 0 }))
    assert.equal("[........................] 0/10 · 0/s",
      progress.line({ done = 0, total = 10, failed = 0, unknown = 0, per_second = 0 }, "en"))
  end)

  it("draws no bar where nobody knows how many there are", function()
    local unknown = state()
    unknown.total, unknown.left = nil, nil
    assert.equal("5 · 2/s", progress.line(unknown, "en"))
  end)

  it("draws an empty list", function()
    assert.equal("[........................] 0/0 · 0/s",
      line({ done = 0, total = 0, per_second = 0, left = 0 }))
  end)

  it("names failures and what nobody knows, when there are any", function()
    assert.equal("[############............] 5/10 · 2 failed · 1 unknown · 2/s · left 0:02",
      line({ failed = 2, unknown = 1 }))
    assert.equal("[############............] 5/10 · 2 失败 · 1 未知 · 2封/秒 · 剩余 0:02",
      line({ failed = 2, unknown = 1 }, "zh"))
  end)

  it("tells a long time in minutes", function()
    assert.is_truthy(line({ left = 3725 }):find("left 62:05", 1, true))
  end)

  it("is silent where nobody looks", function()
    local bar
    local written = with_terminal(false, function()
      bar = progress.bar("en")
    end)
    assert.is_nil(bar)
    assert.equal("", written)
  end)

  it("makes room for a line of others, when it is there", function()
    local written = with_terminal(true, function()
      local bar, erase = progress.bar("en")
      assert.is_false(erase())
      bar(state())
      assert.is_true(erase())
      assert.is_false(erase())
      bar(state({ done = 10, is_last = true }))
      assert.is_false(erase())
    end)
    assert.equal("\r\27[K" .. line() .. "\r\27[K\r\27[K" .. line({ done = 10 }) .. "\n", written)
  end)

  it("draws over its own line, and ends it in the end", function()
    local written = with_terminal(true, function()
      local bar = progress.bar("en")
      bar(state())
      bar(state({ done = 10, is_last = true }))
    end)
    local first, last = written:match("^\r\27%[K([^\r]*)\r\27%[K([^\r]*\n)$")
    assert.equal(line(), first)
    assert.equal(line({ done = 10 }) .. "\n", last)
  end)
end)
