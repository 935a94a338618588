--- The driver for programs without an event loop: it simply waits.
-- The module is the driver itself; it keeps no state.
-- @module qqmail.io.blocking

local fd = require("qqmail.io.fd")
local net = require("qqmail.net")

-- A signal ends the C function early, so that Lua can run its hook (Ctrl-C) here; if the
-- hook raises no error, the rest of the time is slept.
local function sleep(seconds)
  local left = seconds
  while left > 0 do
    left = net.sleep(left)
  end
end

local function wait(descriptor, mode, seconds)
  local ready, name, text = net.wait(descriptor, mode, seconds)
  if ready then
    return true
  end
  return nil, name == "timeout" and name or text
end

return fd.new({ name = "blocking", wait = wait, sleep = sleep })
