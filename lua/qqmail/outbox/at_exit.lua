--- Calls a function when this Lua state is taken down, or when nobody holds what
-- is answered any more. nginx takes its states down at every end of a worker but
-- a kill.
--
-- What is called then must rely on little: userdata made after this one may be
-- gone, no request is there, and nobody catches an error. What a user gave is not
-- to be called inside nginx.
-- @module qqmail.outbox.at_exit

--- @tparam function run
-- @return what has to be kept until then
return function(run)
  local make = rawget(_G, "newproxy")
  if not make then
    return setmetatable({}, { __gc = run })
  end
  -- On 5.1 and LuaJIT a table has no finalizer.
  local sentinel = make(true)
  getmetatable(sentinel).__gc = run
  return sentinel
end
