--- The basic scenario, but of a server that hangs up when somebody writes to
-- poison@test.local. Options: `most_mails` on one connection, 421 to those behind;
-- `bdat_reply` and `bdat_how` to each chunk.
local basic = require("qqmail.testing.scenarios.basic")

local M = basic.extend({ name = "picky" })

function M.mail(dialogue, ...)
  local most = dialogue.options.most_mails
  if most and dialogue.accepted >= most then
    return "421 4.7.0 Too many messages on this connection", "fin"
  end
  return basic.mail(dialogue, ...)
end

function M.rcpt(dialogue, path)
  if path.address == "poison@test.local" then
    return nil, "rst"
  end
  return basic.rcpt(dialogue, path)
end

function M.bdat(dialogue, ...)
  local reply = dialogue.options.bdat_reply
  if reply then
    return reply, dialogue.options.bdat_how
  end
  return basic.bdat(dialogue, ...)
end

return M
