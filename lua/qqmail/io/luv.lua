--- The driver for programs that run luv, the event loop of libuv. Mail has to be sent inside a
-- coroutine: a wait yields, and callbacks of the loop resume. Elsewhere sending fails with an
-- error that says so.
--
-- Has to be required by the main chunk of the program, not inside a coroutine, like luv itself:
-- luv calls back on the Lua thread that loaded it. An error that a coroutine raises after a wait
-- ends the program, as luv does with errors of all callbacks.
-- The module is the driver itself; it keeps no state.
-- @module qqmail.io.luv

local blocking = require("qqmail.io.blocking")
local fd = require("qqmail.io.fd")
local group = require("qqmail.io.group")

-- Lua 5.1 has no name for the main thread.
local function current_thread()
  local thread, is_main = coroutine.running()
  return not is_main and thread or nil
end

if not package.loaded["luv"] and current_thread() then
  error("require luv or qqmail.io.luv in the main chunk, not inside a coroutine", 0)
end

local uv = require("luv")

local NO_COROUTINE = "with luv, mail can be sent inside a coroutine only"

-- Whoever started the coroutine has gone on and cannot be told what it raises.
local function resume(thread, ...)
  local ok, why = coroutine.resume(thread, ...)
  if not ok then
    error(debug.traceback(thread, tostring(why)), 0)
  end
end

-- The loop's clock stands still while code runs: without the update, a timer would be over too
-- early by what the code took.
local function start_timer(seconds, callback)
  local timer = uv.new_timer()
  uv.update_time()
  timer:start(math.ceil(seconds * 1000), 0, callback)
  return timer
end

local function wait(descriptor, mode, seconds)
  local thread = current_thread()
  if not thread then
    return nil, NO_COROUTINE
  end
  local poll, why = uv.new_poll(descriptor)
  if not poll then
    return nil, why
  end
  local timer
  local function wake(...)
    poll:close()
    timer:close()
    resume(thread, ...)
  end
  timer = start_timer(seconds, function()
    wake(nil, "timeout")
  end)
  -- An error of the descriptor is for the read or write that follows to tell. (luv prints
  -- "EBADF" to standard error where the peer broke the connection; it does so with all pollers.)
  poll:start(mode, function()
    wake(true)
  end)
  return coroutine.yield()
end

local function sleep(seconds)
  local thread = current_thread()
  if not thread then
    return blocking.pause(seconds)
  end
  local timer
  timer = start_timer(seconds, function()
    timer:close()
    resume(thread)
  end)
  coroutine.yield()
end

local function all(functions)
  local thread, left, is_waiting = current_thread(), #functions, false
  if not thread then
    return group.all(functions) -- each will say that it needs a coroutine
  end
  for _, body in ipairs(functions) do
    resume(coroutine.create(function()
      body()
      left = left - 1
      if left == 0 and is_waiting then
        resume(thread)
      end
    end))
  end
  if left > 0 then
    is_waiting = true
    coroutine.yield()
  end
end

local driver = fd.new({ name = "luv", wait = wait, sleep = sleep, all = all })
local lookup = driver.lookup

--- The addresses of a server, inside a coroutine; see `qqmail.io.fd`. Connecting begins so.
function driver:lookup(target, deadline)
  if not current_thread() then
    return nil, { phase = "connect", reason = "no_coroutine", text = NO_COROUTINE, tried = {} }
  end
  return lookup(self, target, deadline)
end

return driver
