--- The basic scenario, but each reply names what it is about: the final one says
-- "queued as" and the subject of that very message, a recipient that begins with
-- "no" is refused by its own name. Who gets another's reply is found out.
--
-- Each record of a connection has `beside`: the most connections that were open
-- while mail was begun on it, itself included.
local basic = require("qqmail.testing.scenarios.basic")

local M = basic.extend({ name = "echo" })

local function count_open(dialogue)
  local n = 0
  for _, record in ipairs(dialogue.shared.connections) do
    n = n + (record.closed and 0 or 1)
  end
  return n
end

-- Not at the greeting: the end of the connection before may still be unread then.
function M.mail(dialogue, path)
  local record = dialogue.record
  record.beside = math.max(record.beside or 0, count_open(dialogue))
  return basic.mail(dialogue, path)
end

function M.rcpt(dialogue, path)
  if path.address:find("^no") then
    return ("550 5.1.1 <%s> is unknown"):format(path.address)
  end
  return basic.rcpt(dialogue, path)
end

function M.dot(dialogue, message)
  local reply, how = basic.dot(dialogue, message)
  if not reply:find("^250") then
    return reply, how
  end
  return "250 2.0.0 Ok: queued as " .. message.data:match("Subject: ([%w%-]+)"), how
end

return M
