--- Stops a send from outside: from another coroutine, a hook or a signal handler.
--
--     local stop = qqmail.canceller()
--     mailer:send { ..., cancel = stop }   -- elsewhere: stop:cancel()
-- @module qqmail.canceller

local callback = require("qqmail.callback")

local M = {}

local Canceller = {}
Canceller.__index = Canceller

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

return M
