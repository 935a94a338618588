--- Names to addresses where nothing may wait for a descriptor: a look-up runs in
-- a thread of `qqmail.net`, and is asked again after short pauses.
--
-- Users of one process share a look-up under way and, for a moment, its result:
-- a burst of connections asks the name server once.
-- @module qqmail.io.lookup

local net = require("qqmail.net")

local M = {}

--- Seconds for which a result serves others.
M.fresh = 10

-- Most names remembered; more are looked up each time.
local CAP = 1000

-- Pauses between two questions: a local answer comes at once, a slow one is not
-- worth waking up for.
local FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.02

-- By "family host": `{ list =, stale_at = }` or, while it is under way,
-- `{ resolver =, stale_at = }`: what nobody waited for must not be an answer later.
local known, count = {}, 0

local function forget(key)
  if known[key] then
    known[key], count = nil, count - 1
  end
end

local function remember(key, entry)
  if not known[key] then
    count = count + 1
  end
  known[key] = entry
end

local function forget_stale()
  local now = net.now()
  for key, entry in pairs(known) do
    if now >= entry.stale_at then
      forget(key)
    end
  end
end

local function start(key, host, family)
  local entry = known[key]
  if entry and net.now() < entry.stale_at then
    return entry
  end
  local resolver, name, text = net.resolve(host, 0, family)
  if not resolver then
    return nil, name, text
  end
  entry = { resolver = resolver, stale_at = net.now() + M.fresh }
  if count >= CAP then
    forget_stale()
  end
  if count < CAP then
    remember(key, entry)
  end
  return entry
end

-- True when the entry has an answer: the first who sees it notes it for all.
local function is_answered(key, entry)
  if not entry.resolver then
    return true
  end
  local list, name, text = entry.resolver:result()
  if not list and name == "again" then
    return false
  end
  entry.resolver:close()
  entry.resolver = nil
  entry.list, entry.name, entry.text = list, name, text
  entry.stale_at = net.now() + M.fresh
  if not list and known[key] == entry then
    forget(key)
  end
  return true
end

--- The addresses of a host.
-- @tparam string host name or address
-- @tparam string family "any", "inet" or "inet6"
-- @tparam number deadline on the clock of `qqmail.net.now`
-- @tparam function sleep pauses without holding up others
-- @treturn ?table list of `{ address =, family = }`
-- @treturn ?string name of the failure, as of `qqmail.net`, or "timeout"
-- @treturn ?string text
function M.find(host, family, deadline, sleep)
  local key = family .. " " .. host:lower()
  local entry, name, text = start(key, host, family)
  if not entry then
    return nil, name, text
  end
  local pause = FIRST_PAUSE
  while not is_answered(key, entry) do
    local left = deadline - net.now()
    if left <= 0 then
      return nil, "timeout", "no answer in time"
    end
    sleep(math.min(pause, left))
    pause = math.min(pause * 2, LONGEST_PAUSE)
  end
  return entry.list, entry.name, entry.text
end

return M
