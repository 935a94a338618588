--- How many connections of one account are open at a time, and who waits for one.
--
-- A place is the right to hold one connection. Who comes when all are taken waits
-- in the order of coming, where the driver lets one wait for another; a place that
-- is given back goes straight to the first who waits, so that nobody overtakes.
-- @module qqmail.places

local M = {}

local Places = {}
Places.__index = Places

-- A thread that was ended from outside (nginx does that to requests) gives nothing
-- back: it must not be kept alive by the place it holds.
local PLACE = { __mode = "v" }

--- @treturn table nobody has a place yet
function M.new()
  return setmetatable({ taken = {}, count = 0, first = 1, last = 0, waiting = {} }, Places)
end

-- Lua 5.1 has no name for the main thread.
local function current_thread()
  local thread, is_main = coroutine.running()
  return not is_main and thread or nil
end

local function new_place()
  local thread = current_thread()
  return setmetatable({ thread = thread, of_thread = thread ~= nil }, PLACE)
end

local function is_lost(place)
  if not place.of_thread then
    return false
  end
  return place.thread == nil or coroutine.status(place.thread) == "dead"
end

-- By thread: the one that waits until it has ended; false: the main one.
local parents = setmetatable({}, { __mode = "kv" })

--- For functions that other threads run while this one waits for their end: what it
-- holds can be given back no sooner, so it is theirs as well.
-- @treturn function to be called at the begin of each such thread
function M.helpers()
  local parent = current_thread()
  return function()
    local thread = current_thread()
    if thread and thread ~= parent then
      parents[thread] = parent or false
    end
  end
end

-- Who sends from within a send (in a hook, in the reader of an attachment) holds a
-- place that nobody can give back before: it does not count. Nor does one that was
-- left by an error which went past us.
local function is_own(place)
  local thread = current_thread() or false
  while thread do
    if place.of_thread and place.thread == thread then
      return true
    end
    thread = parents[thread]
  end
  return thread == false and not place.of_thread
end

local function add(self, place)
  self.taken[place], self.count = true, self.count + 1
  return place
end

local function remove(self, place)
  if self.taken[place] then
    self.taken[place], self.count = nil, self.count - 1
  end
end

local function reclaim(self)
  for place in pairs(self.taken) do
    if is_lost(place) or is_own(place) then
      remove(self, place)
    end
  end
end

-- --- the queue ----------------------------------------------------------------

local function push(self, waiter)
  self.last = self.last + 1
  self.waiting[self.last] = waiter
end

-- The first who still waits.
local function pop(self)
  while self.first <= self.last do
    local waiter = self.waiting[self.first]
    self.waiting[self.first] = nil
    self.first = self.first + 1
    if not waiter.gone and not is_lost(waiter.place) then
      return waiter
    end
  end
end

-- A place has come free: it is for the first who waits.
local function pass_on(self)
  local waiter = pop(self)
  if waiter then
    waiter.granted = true
    add(self, waiter.place)
    waiter.gate:open()
  end
  return waiter
end

-- Where threads can be ended from outside a gate looks now and then whether the places
-- of such came free: nobody says so.
local function look(self, max)
  reclaim(self)
  repeat
    local is_full = self.count >= max or not pass_on(self)
  until is_full
end

local function wait(self, max, driver, deadline)
  local waiter = { place = new_place(), gate = driver.gate and driver:gate() }
  if not waiter.gate then
    return nil
  end
  push(self, waiter)
  waiter.gate:wait(deadline, function()
    -- It may have been granted just when the look was due.
    if not waiter.granted then
      look(self, max)
    end
  end)
  waiter.gate:close()
  waiter.gone = true
  return waiter.granted and waiter.place or nil
end

--- Take a place.
-- @tparam number max places there are
-- @tparam table driver its `gate` lets one wait
-- @tparam number deadline absolute, on the driver's clock
-- @treturn ?table place; nil when none came free in time, or when nobody else could
-- give one back meanwhile
function Places:enter(max, driver, deadline)
  if self.count >= max then
    reclaim(self)
  end
  if self.count < max then
    return add(self, new_place())
  end
  return wait(self, max, driver, deadline)
end

--- Give it back. May be called again.
-- @tparam table place
function Places:leave(place)
  if not self.taken[place] then
    return
  end
  remove(self, place)
  pass_on(self)
end

--- Whether somebody waits.
-- @treturn boolean
function Places:is_wanted()
  while self.first <= self.last do
    local waiter = self.waiting[self.first]
    if not waiter.gone and not is_lost(waiter.place) then
      return true
    end
    self.waiting[self.first] = nil
    self.first = self.first + 1
  end
  return false
end

--- After a fork: those who held places are in the other process.
function Places:forget()
  self.taken, self.count = {}, 0
  self.waiting, self.first, self.last = {}, 1, 0
end

return M
