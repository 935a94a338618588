--- The basic scenario, but of a server that offers PIPELINING and cannot do it.
-- Option `stumbles` says how it shows when more came behind a MAIL: "discard" (what
-- came is thrown away), "mail" or "data" (that command is refused, the connection
-- goes on), "exim" (refused, and the connection ends).
local basic = require("qqmail.testing.scenarios.basic")

local M = basic.extend({ name = "stumbling" })

local function is_followed(dialogue)
  return dialogue.at <= #dialogue.inbox
end

local AT_MAIL = {
  discard = function(dialogue)
    dialogue.inbox, dialogue.at = "", 1
  end,
  mail = function()
    return "503 5.5.1 Error: improper command pipelining after MAIL"
  end,
  data = function(dialogue)
    dialogue.is_hasty = true
  end,
  exim = function()
    return "554 SMTP synchronization error", "fin"
  end,
}

function M.mail(dialogue, ...)
  dialogue.is_hasty = false
  if is_followed(dialogue) then
    local reply, how = AT_MAIL[dialogue.options.stumbles](dialogue)
    if reply then
      return reply, how
    end
  end
  return basic.mail(dialogue, ...)
end

function M.data(dialogue)
  if dialogue.is_hasty then
    return "503 5.5.0 <DATA>: Data command rejected: Improper use of SMTP command pipelining"
  end
  return basic.data(dialogue)
end

return M
