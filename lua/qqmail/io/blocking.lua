--- The driver for programs without an event loop: it simply waits. Where several
-- functions run in a group (see `all`), a wait lets the others go on.
-- The module is the driver itself; it keeps no state.
-- @module qqmail.io.blocking

local fd = require("qqmail.io.fd")
local group = require("qqmail.io.group")
local net = require("qqmail.net")

-- A signal ends the C function early, so that Lua can run its hook (Ctrl-C) here; if the
-- hook raises no error, the rest of the time is slept.
local function sleep(seconds)
  if group.is_inside() then
    return group.sleep(seconds)
  end
  local left = seconds
  while left > 0 do
    left = net.sleep(left)
  end
end

local function wait(descriptor, mode, seconds)
  if group.is_inside() then
    return group.wait(descriptor, mode, seconds)
  end
  local ready, name, text = net.wait(descriptor, mode, seconds)
  if ready then
    return true
  end
  return nil, name == "timeout" and name or text
end

local driver = fd.new({ name = "blocking", wait = wait, sleep = sleep, all = group.all })
local gate = driver.gate

--- Outside a group nobody else runs who could open a gate.
function driver:gate()
  return group.is_inside() and gate(self) or nil
end

return driver
