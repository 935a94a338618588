--- Leaves an account alone for a while after failures in a row: pure, the clock is
-- the caller's.
--
-- Closed: tries go. Open: none goes until the pause is over. Half-open: one try, the
-- probe, finds out for all.
-- @module qqmail.breaker

local M = {}

local Breaker = {}
Breaker.__index = Breaker

--- A breaker that is closed.
-- @tparam table options `failures`: how many in a row open it; `pause`: seconds
-- @treturn table breaker
function M.new(options)
  return setmetatable({ limit = options.failures, pause = options.pause, failures = 0 }, Breaker)
end

--- The state at a moment.
-- @tparam number now seconds
-- @treturn string "closed", "open" or "half-open"
function Breaker:state(now)
  if not self.open_until then
    return "closed"
  end
  return now < self.open_until and "open" or "half-open"
end

-- A probe that never reports (its coroutine was dropped) blocks for one more pause.
local function take_probe(self, now)
  if self.probe_until and now < self.probe_until then
    return nil, self.probe_until - now
  end
  self.probe_until = now + self.pause
  return true
end

--- May a try begin? In the state half-open the answer true makes the caller the
-- probe: it must report by `success`, `failure` or `release`.
-- @tparam number now seconds
-- @treturn ?boolean true
-- @treturn ?number seconds until a probe may go
function Breaker:allow(now)
  local state = self:state(now)
  if state == "closed" then
    return true
  elseif state == "open" then
    return nil, self.open_until - now
  end
  return take_probe(self, now)
end

--- A try came through: close.
function Breaker:success()
  self.failures, self.open_until, self.probe_until, self.cause = 0, nil, nil, nil
end

--- A try failed through the account's fault.
-- @tparam number now seconds
-- @tparam ?table cause whatever says why; `cause` of the breaker is the last one
function Breaker:failure(now, cause)
  self.cause = cause or self.cause
  if self:state(now) == "open" then
    return -- begun before the breaker opened: the pause does not grow by it
  end
  self.failures = self.failures + 1
  if self.open_until or self.failures >= self.limit then
    self.open_until, self.probe_until = now + self.pause, nil
  end
end

--- The probe came to no verdict about the account (it was cancelled, or the mail
-- itself was at fault before the server was asked): the next try is the probe.
function Breaker:release()
  self.probe_until = nil
end

return M
