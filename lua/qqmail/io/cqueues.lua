--- The driver for programs that run cqueues: a wait lets the other coroutines of the controller
-- go on. Where no controller runs, as when a mailer is closed at the end of a program, it waits
-- as the blocking driver does.
-- The module is the driver itself; it keeps no state.
-- @module qqmail.io.cqueues

local blocking = require("qqmail.io.blocking")
local condition = require("cqueues.condition")
local cqueues = require("cqueues")
local fd = require("qqmail.io.fd")
local group = require("qqmail.io.group")

-- `poll` answers what is ready: the object, the number when its time has passed, or nothing
-- (somebody cancelled the descriptor), which is a wake-up like others.
local function is_late(first, second)
  return type(first) == "number" and second == nil
end

local function wait(descriptor, mode, seconds)
  if not cqueues.running() then
    return blocking.wait(descriptor, mode, seconds)
  end
  if is_late(cqueues.poll({ pollfd = descriptor, events = mode }, seconds)) then
    return nil, "timeout"
  end
  return true
end

local function sleep(seconds)
  if not cqueues.running() then
    return blocking.pause(seconds)
  end
  cqueues.poll(seconds)
end

-- A controller remembers what it asked the kernel to watch until its next turn. Of a descriptor
-- that was closed meanwhile it would fail with EBADF, in whichever coroutine is at hand, or wait
-- for ever on a new one of the same number.
local function closing(descriptor)
  cqueues.cancel(descriptor)
end

-- Each in a coroutine of the controller that runs this one.
local function all(functions)
  local controller, left, done = cqueues.running(), #functions, condition.new()
  local function run(body)
    body()
    left = left - 1
    done:signal()
  end
  if not controller then
    return group.all(functions)
  end
  for _, body in ipairs(functions) do
    controller:wrap(run, body)
  end
  while left > 0 do
    done:wait()
  end
end

return fd.new({ name = "cqueues", wait = wait, sleep = sleep, closing = closing, all = all })
