--- Runs several functions at the same time in a program without an event loop.
--
-- Each becomes a coroutine; where it would wait, the others go on. Only the waits
-- of the blocking driver may suspend them, see `wait` and `sleep`.
-- @module qqmail.io.group

local net = require("qqmail.net")

local M = {}

-- By coroutine: what it waits for. Kept from one wait to the next.
local members = setmetatable({}, { __mode = "k" })

-- The longest single wait.
local FAR = 86400

local function current()
  local thread = coroutine.running()
  return thread and members[thread]
end

--- Whether this code runs inside a function given to `all`.
-- @treturn boolean
function M.is_inside()
  return current() ~= nil
end

-- Suspends the function; true when the descriptor may be ready.
local function suspend(descriptor, mode, seconds)
  local entry = current()
  entry.fd, entry.read, entry.write = descriptor, mode == "r", mode == "w"
  entry.till = net.now() + math.min(seconds, FAR)
  coroutine.yield(entry)
  return entry.readable or entry.writable
end

--- Wait for a descriptor, inside `all`.
-- @treturn ?boolean true
-- @treturn ?string "timeout"
function M.wait(descriptor, mode, seconds)
  if suspend(descriptor, mode, seconds) then
    return true
  end
  return nil, "timeout"
end

--- Let time pass, inside `all`.
function M.sleep(seconds)
  suspend(-1, nil, seconds)
end

local Group = {}
Group.__index = Group

local function fail(self, entry, why)
  self.failure = self.failure or debug.traceback(entry.thread, tostring(why))
end

-- Goes on with one until it waits again or ends.
local function resume(self, entry)
  entry.readable, entry.writable = entry.readable or false, entry.writable or false
  local ok, yielded = coroutine.resume(entry.thread)
  if not ok then
    fail(self, entry, yielded)
  elseif coroutine.status(entry.thread) == "dead" then
    return
  elseif yielded ~= entry then
    fail(self, entry, "a function of the caller's yields to nobody")
  else
    self.waiting[#self.waiting + 1] = entry
  end
end

local function first_moment(waiting)
  local first = math.huge
  for _, entry in ipairs(waiting) do
    first = math.min(first, entry.till)
  end
  return first
end

-- Goes on with all whose wait is over.
local function turn(self)
  local waiting = self.waiting
  net.poll(waiting, math.max(0, first_moment(waiting) - net.now()))
  self.waiting = {}
  local now = net.now()
  for _, entry in ipairs(waiting) do
    if entry.readable or entry.writable or now >= entry.till then
      resume(self, entry)
    else
      self.waiting[#self.waiting + 1] = entry
    end
  end
end

--- Run functions until all have ended. Raises what one of them raised, when the
-- others are done.
-- @tparam table functions list
function M.all(functions)
  local self = setmetatable({ waiting = {} }, Group)
  for _, body in ipairs(functions) do
    local entry = { thread = coroutine.create(body) }
    members[entry.thread] = entry
    resume(self, entry)
  end
  while #self.waiting > 0 do
    turn(self)
  end
  if self.failure then
    error(self.failure, 0)
  end
end

return M
