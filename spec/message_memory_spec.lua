-- What a large attachment costs in memory, measured in a process of its own.

local shell = require "spec.support.shell"

local MEGABYTE = 1024 -- in KiB, as /proc counts

-- Sanitizers and valgrind have memory of their own.
local function measurable()
  if os.getenv("QQMAIL_INSTRUMENTED") then
    return false
  end
  local file = io.open("/proc/self/clear_refs", "r") or io.open("/proc/self/status", "r")
  if file then
    file:close()
  end
  return file ~= nil
end

local function run(...)
  local words = { shell.quote(shell.lua), "spec/support/big_message.lua", ... }
  local env = ("LUA_PATH=%s LUA_CPATH=%s "):format(shell.quote(package.path),
    shell.quote(package.cpath))
  local output = shell.run(env .. table.concat(words, " "))
  local facts = {}
  for key, value in output:gmatch("(%w+)=(%d+)") do
    facts[key] = tonumber(value)
  end
  assert(facts.peak, output)
  assert.equal(facts.size, facts.read)
  return facts
end

describe("a large attachment", function()
  if not measurable() then
    pending("memory cannot be measured here")
    return
  end

  it("of 200 MB from a file is sent within 16 MB", function()
    local folder, remove = shell.folder()
    local path = folder .. "/big.bin"
    assert.equal(0, select(2, shell.run("truncate -s 200M " .. path)))
    local facts = run("file", path)
    remove()
    assert.is_true(facts.read > 200 * MEGABYTE * 1024 * 4 / 3)
    assert.is_true(facts.peak < 16 * MEGABYTE, facts.peak .. " KiB")
  end)

  it("of 100 MB from a file is signed twice and sent within 16 MB", function()
    local folder, remove = shell.folder()
    local path = folder .. "/big.bin"
    assert.equal(0, select(2, shell.run("truncate -s 100M " .. path)))
    local facts = run("signed", path)
    remove()
    assert.is_true(facts.read > 100 * MEGABYTE * 1024 * 4 / 3)
    assert.is_true(facts.peak < 16 * MEGABYTE, facts.peak .. " KiB")
  end)

  it("of 200 MB from a function is sent within 16 MB", function()
    local facts = run("reader", "200")
    assert.is_true(facts.read > 200 * MEGABYTE * 1024 * 4 / 3)
    assert.is_true(facts.peak < 16 * MEGABYTE, facts.peak .. " KiB")
  end)

  it("of 25 MB from a string costs less than 1.1 times the string", function()
    local facts = run("string", "25")
    assert.is_true(facts.peak - facts.before < 1.1 * 25 * MEGABYTE,
      facts.before .. " then " .. facts.peak .. " KiB")
  end)

  it("of 25 MB from a string is never copied", function()
    local facts = run("collected", "25")
    assert.is_true(facts.peak - facts.before < 2 * MEGABYTE,
      facts.before .. " then " .. facts.peak .. " KiB")
  end)
end)
