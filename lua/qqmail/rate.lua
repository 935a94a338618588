--- Spaces messages out: at most `n` in `per` seconds, evenly.
--
-- Time is cut into slots of `per / n` seconds and each slot lets one message
-- go. A slot is taken by counting it up in a store, which one process has for
-- itself or several share (`lua_shared_dict` of nginx): counting is all a store
-- must be able to do at once.
-- @module qqmail.rate

local M = {}

local Limiter = {}
Limiter.__index = Limiter

-- --- a store of this process alone -------------------------------------------

local Store = {}
Store.__index = Store

--- A store with the call of nginx's shared dictionaries that is needed here.
-- Slots are asked for in the order of time: what lies two slots back is gone.
function M.store()
  return setmetatable({ counts = {}, order = {} }, Store)
end

function Store:incr(key, by, first)
  local counts, order = self.counts, self.order
  if not counts[key] then
    counts[key] = first
    order[#order + 1] = key
    if #order > 10000 then
      counts[table.remove(order, 1)] = nil
    end
  end
  counts[key] = counts[key] + by
  return counts[key]
end

-- --- the limiter --------------------------------------------------------------

--- A limiter.
-- @tparam table options `[1]` (messages), `per` (seconds)
-- @tparam string name of what is limited: limiters of one name share a store's slots
-- @tparam ?table store with `incr(key, by, first, seconds)`
-- @treturn table limiter
function M.new(options, name, store)
  return setmetatable({
    interval = options.per / options[1], name = name, store = store or M.store(), from = 0,
    ready_at = 0,
  }, Limiter)
end

-- True when the slot was free and is ours now. A store that is full counts
-- nothing; then no mail is held up for it.
local function claim(self, slot)
  local key = ("qqmail:%s:%.0f"):format(self.name, slot)
  local count = self.store:incr(key, 1, 0, math.ceil(self.interval * 2) + 3600)
  return count == nil or count == 1
end

--- The next moment at which a message may go.
-- @tparam number now seconds, on a clock that all who share the store have
-- @tparam number latest nothing later than this is taken
-- @treturn ?number the moment, taken for this message; nil when it would be too late
-- @treturn ?number seconds until a moment is free, when none was taken
function Limiter:take(now, latest)
  -- Slots keep those apart who share the store; within one limiter the whole
  -- distance is kept, also after a message that left late in its slot.
  local earliest = math.max(now, self.ready_at)
  local slot = math.max(math.floor(earliest / self.interval), self.from)
  while true do
    local moment = math.max(earliest, slot * self.interval)
    if moment > latest then
      return nil, moment - now
    end
    self.from = slot + 1
    if claim(self, slot) then
      self.ready_at = moment + self.interval
      return moment
    end
    slot = self.from
  end
end

return M
