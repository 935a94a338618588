--- The basic scenario, but connections do not outlive their first message:
-- option `dies` = { at = "dot" | "mail", how = "fin" | "rst" }: hangs up behind
-- the verdict, or when the next MAIL comes.
local basic = require("qqmail.testing.scenarios.basic")

local M = basic.extend({ name = "dying" })

function M.dot(dialogue, ...)
  local reply, how = basic.dot(dialogue, ...)
  local dies = dialogue.options.dies
  return reply, dies.at == "dot" and dies.how or how
end

function M.mail(dialogue, ...)
  local dies = dialogue.options.dies
  if dies.at == "mail" and dialogue.accepted > 0 then
    return nil, dies.how
  end
  return basic.mail(dialogue, ...)
end

return M
