-- busted helper: the collector at its most aggressive where it matters.
--
-- Everywhere the collector never rests: a new cycle begins as soon as one ends.
-- Inside calls into our C modules each allocation runs a whole cycle, and one
-- more runs after the call: a value that C holds without an anchor is gone at
-- once. That is done for the first call of each function in each test and for
-- every so many after; for every call, or for every allocation of the suite
-- itself, it would take hours.

local FIRST_CALLS = 1
local EVERY = 500

local collect = collectgarbage
local modern = _VERSION == "Lua 5.4"

-- pause 0: start again at once; a huge step: one step is the whole cycle.
local function every_allocation()
  if modern then
    collect("incremental", 1, 1000, 40)
  else
    collect("setpause", 0)
    collect("setstepmul", 1000000)
  end
end

local function never_resting()
  if modern then
    collect("incremental", 100, 100, 13)
  else
    collect("setpause", 100)
    collect("setstepmul", 400)
  end
end

local function leave(ok, ...)
  never_resting()
  collect()
  if not ok then
    error((...), 0)
  end
  return ...
end

local wrapped = setmetatable({}, { __mode = "k" })
local calls = {}

local function wrap(f)
  if wrapped[f] then
    return wrapped[f]
  end
  local function stressed(...)
    local count = (calls[f] or 0) + 1
    calls[f] = count
    if count > FIRST_CALLS and count % EVERY ~= 0 then
      return f(...)
    end
    every_allocation()
    return leave(pcall(f, ...))
  end
  wrapped[f], wrapped[stressed] = stressed, stressed
  return stressed
end

-- Counts begin anew with each test.
local function follow_tests()
  local busted = require "busted"
  busted.subscribe({ "test", "start" }, function()
    calls = {}
    never_resting()
    return nil, true
  end)
  busted.subscribe({ "test", "end" }, function()
    never_resting()
    collect()
    return nil, true
  end)
end

local function is_c(f)
  return type(f) == "function" and debug.getinfo(f, "S").what == "C"
end

local function wrap_table(t, seen)
  seen = seen or {}
  if seen[t] then
    return
  end
  seen[t] = true
  for key, value in pairs(t) do
    if is_c(value) and key ~= "__gc" then
      t[key] = wrap(value)
    elseif type(value) == "table" then
      wrap_table(value, seen)
    end
  end
end

local function wrap_classes()
  for key, value in pairs(debug.getregistry()) do
    if type(key) == "string" and key:find("^qqmail%.") and type(value) == "table" then
      wrap_table(value)
    end
  end
end

-- The C modules are loaded now, wrapped, and kept over busted's insulation,
-- which empties package.loaded between files: package.preload survives it.
for _, name in ipairs { "qqmail.core", "qqmail.tls", "qqmail.net", "qqmail.disk",
  "qqmail.crypto" } do
  local module = require(name)
  wrap_table(module)
  wrap_classes()
  package.preload[name] = function()
    return module
  end
end
assert(next(wrapped), "no C function was wrapped")
follow_tests()
never_resting()
