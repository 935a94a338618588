--- The scenarios of the scripted server, by name.
-- @module qqmail.testing.scenarios

local M = {}

M.names = { "basic", "qq", "netease" }

local OWN = {}
for _, name in ipairs(M.names) do
  OWN[name] = "qqmail.testing.scenarios." .. name
end

--- @tparam string name one of ours, or the name of a module that answers a
-- scenario (see `qqmail.testing.scenarios.basic`)
-- @treturn table
function M.get(name)
  if type(name) ~= "string" then
    error("scenario: a name expected, not a " .. type(name), 0)
  end
  return require(OWN[name] or name)
end

return setmetatable(M, { __index = function(_, name)
  return OWN[name] and M.get(name) or nil
end })
