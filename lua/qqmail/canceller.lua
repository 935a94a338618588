--- Stops a send from outside: from another coroutine, a hook or a signal handler.
--
--     local stop = qqmail.canceller()
--     mailer:send { ..., cancel = stop }   -- elsewhere: stop:cancel()
-- @module qqmail.canceller

local callback = require("qqmail.callback")

local M = {}

local Canceller = {}
Canceller.__index = Canceller

--- Seconds between two looks whether a caller wants to stop.
M.SLICE = 0.1

--- @treturn table token with `cancelled` (false) and `cancel()`
function M.new()
  return setmetatable({ cancelled = false }, Canceller)
end

--- Stop every send that has this token, as soon as it looks: within a tenth of a
-- second. What the server was given whole may still be delivered; the error then
-- says so.
function Canceller:cancel()
  self.cancelled = true
end

--- Whether a caller wants to stop. A function that raises is taken for a yes: what is
-- under way is to have its results all the same.
-- @tparam ?table|function cancel a token, or a function that answers true; nil: never
-- @treturn boolean
function M.is_set(cancel)
  if type(cancel) == "function" then
    local ok, answer = callback.call(cancel)
    return not ok or answer == true
  end
  return cancel ~= nil and cancel.cancelled == true
end

--- Let time pass, as long as the caller does not want to stop.
-- @tparam table driver
-- @tparam ?table|function cancel
-- @tparam number seconds
function M.pause(driver, cancel, seconds)
  local till = driver:now() + seconds
  local left = seconds
  while left > 0 and not M.is_set(cancel) do
    driver:sleep(cancel and math.min(left, M.SLICE) or left)
    left = till - driver:now()
  end
end

return M
