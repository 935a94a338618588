--- The basic scenario, but only so many connections may be open at the same time:
-- option `crowd` = { max = n, reply = what others are told at the door }. How many
-- there were at most is kept in the shared `most`.
local basic = require("qqmail.testing.scenarios.basic")

local M = basic.extend({ name = "crowded" })

local function open_now(dialogue)
  local count = 0
  for _, record in ipairs(dialogue.shared.connections) do
    count = count + ((record.closed or record.refused) and 0 or 1)
  end
  return count
end

function M.greeting(dialogue)
  local crowd, shared = dialogue.options.crowd, dialogue.shared
  local count = open_now(dialogue)
  if count > (crowd.max or math.huge) then
    dialogue.record.refused = true
    return crowd.reply, "fin"
  end
  shared.most = math.max(shared.most or 0, count)
  return basic.greeting(dialogue)
end

return M
