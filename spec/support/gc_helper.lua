-- busted helper: the collector at its most aggressive where it matters.
--
-- Everywhere the collector never rests: a new cycle begins as soon as one ends.
-- Inside every call into our C modules each allocation runs a whole cycle, and
-- one more runs before and after the call: a value that C holds without an
-- anchor is gone at once. (A whole cycle for every allocation of the suite
-- itself would take hours and find nothing more.)

local collect = collectgarbage
local generic = _VERSION == "Lua 5.4"

-- pause 0: start again at once; a huge step: one step is the whole cycle.
local function every_allocation()
  if generic then
    collect("incremental", 1, 1000, 60)
  else
    collect("setpause", 0)
    collect("setstepmul", 1000000)
  end
end

local function never_resting()
  if generic then
    collect("incremental", 100, 400, 13)
  else
    collect("setpause", 100)
    collect("setstepmul", 400)
  end
end

local function leave(...)
  never_resting()
  collect()
  return ...
end

local wrapped = setmetatable({}, { __mode = "k" })

local function wrap(f)
  if wrapped[f] then
    return wrapped[f]
  end
  local function stressed(...)
    collect()
    every_allocation()
    return leave(f(...))
  end
  wrapped[f], wrapped[stressed] = stressed, stressed
  return stressed
end

-- A raised error must not leave the slow setting behind.
local function guard_errors()
  local busted = require "busted"
  busted.subscribe({ "test", "start" }, function()
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
for _, name in ipairs { "qqmail.core", "qqmail.tls", "qqmail.net" } do
  local module = require(name)
  wrap_table(module)
  wrap_classes()
  package.preload[name] = function()
    return module
  end
end
guard_errors()
never_resting()
