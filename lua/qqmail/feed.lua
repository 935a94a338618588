--- What is still to be sent of a list or an iterator, for several takers: messages
-- that are due for another try first, then new ones.
-- @module qqmail.feed

local callback = require("qqmail.callback")

local M = {}

local Feed = {}
Feed.__index = Feed

-- `#` may end at any hole, and what stands behind it is a mail as well.
local function length_of(list)
  local length = #list
  for key in pairs(list) do
    if type(key) == "number" and key > length then
      length = key
    end
  end
  return length
end

local function of_list(list)
  local index = 0
  return function()
    index = index + 1
    return list[index]
  end, length_of(list)
end

--- @tparam table|function messages a list, or a function that gives the next one and
-- nil at the end
-- @treturn table feed; `total`: how many there are, nil when nobody knows;
-- `is_stopped`: a function that says when nothing new is to be taken, or nil
function M.new(messages)
  local pull, total = messages, nil
  if type(messages) ~= "function" then
    pull, total = of_list(messages)
  end
  return setmetatable({ pull = pull, total = total, count = 0, delayed = {}, again = {} }, Feed)
end

-- Until a taker looks again whether another one got something out of an iterator.
local PULL_PAUSE = 0.01

-- A caller's iterator may raise: then there is nothing more to take, what is under
-- way goes on, and the error is for the caller in the end. It may wait for a loop,
-- too, and nobody expects to be called again meanwhile.
local function pull_next(self)
  self.is_pulling = true
  local ok, spec = callback.call(self.pull)
  self.is_pulling = false
  if not ok then
    self.failure = spec
  end
  -- A hole in a list is an item too: it fails as any other that is no message.
  if not ok or (spec == nil and self.count >= (self.total or 0)) then
    self.is_dry = true
    return nil
  end
  self.count = self.count + 1
  return { index = self.count, spec = spec }
end

-- The delayed one that is due first, and its place.
local function earliest(self)
  local first, place
  for index, item in ipairs(self.delayed) do
    if not first or item.due < first.due then
      first, place = item, index
    end
  end
  return first, place
end

--- The next one to send; once it is stopped also those that are not due yet, for
-- which nobody waits any more.
-- @tparam number now
-- @treturn ?table item: `index`, `spec`, and what the takers put into it
-- @treturn ?number without an item: seconds until one is due; nil: there is none
function Feed:next(now)
  local item = table.remove(self.again, 1)
  if item then
    return item
  end
  local is_stopped = self.is_stopped and self.is_stopped()
  local first, place = earliest(self)
  if first and (is_stopped or first.due <= now) then
    table.remove(self.delayed, place)
    return first
  elseif self.is_dry or is_stopped then
    return nil, first and first.due - now
  elseif self.is_pulling then
    return nil, PULL_PAUSE
  end
  item = pull_next(self)
  if item then
    return item
  end
  return nil, first and first.due - now
end

--- Give one back that was not sent after all: it comes first.
function Feed:unread(item)
  self.again[#self.again + 1] = item
end

--- Give one back for a later try.
-- @tparam table item
-- @tparam number due absolute
function Feed:delay(item, due)
  item.due = due
  self.delayed[#self.delayed + 1] = item
end

--- How many wait for another try.
-- @treturn number
function Feed:waiting()
  return #self.delayed + #self.again
end

return M
