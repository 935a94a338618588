--- Calls a function of the caller's, such as the reader of an attachment, so that
-- what it raises becomes an error of the mail at hand and not of everything else.
-- @module qqmail.callback

local M = {}

-- PUC Lua 5.1 cannot suspend a coroutine inside pcall, and such a function may wait.
local IS_PUC_51 = _VERSION == "Lua 5.1" and rawget(_G, "jit") == nil

--- Call.
-- @tparam function f
-- @param ... its arguments
-- @treturn boolean whether it returned
-- @return what it returned, or what it raised
function M.call(f, ...)
  if IS_PUC_51 and coroutine.running() then
    return true, f(...)
  end
  return pcall(f, ...)
end

return M
