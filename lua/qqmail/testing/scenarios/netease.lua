--- NetEase's submission server (smtp.163.com) as clients saw it.
--
-- Options: `offer_size` (also SIZE in the EHLO list), `from_must_match` (true),
-- `content_words` = list: what is taken for spam, as it stands in the message.
-- @module qqmail.testing.scenarios.netease

local basic = require("qqmail.testing.scenarios.basic")

local M = basic.extend({ name = "netease" })

-- What stands for a queue id.
local QUEUE = "smtp10,DsCowAA3D+JApVpd78gMKg--.16104S2 1566221632"

M.login_challenges = { user = "dXNlcm5hbWU6", password = "UGFzc3dvcmQ6" }

--- Defaults.
function M.defaults(given)
  return {
    host = "163.com",
    mode = given.cert and "implicit" or "plain",
    from_must_match = true,
    size_limit = 73400320,
    users = { ["user@163.com"] = "ABCDEFGHIJKLMNOP" },
  }
end

function M.greeting()
  return "220 163.com Anti-spam GT for Coremail System (163com[20141201])"
end

function M.ehlo(dialogue, name)
  if name == "" then
    return "500 Error: bad syntax"
  end
  local options = dialogue.options
  local list = { "mail", "PIPELINING", "AUTH LOGIN PLAIN", "AUTH=LOGIN PLAIN",
    "coremail 1Uxr2xKj7kG0xkI17xGrU7I0s8FY2U3Uj8Cz28x1UUUUU7Ic2I0Y2UFRbmXhUCa0xDrUUUUj" }
  if options.mode == "starttls" and not dialogue.tls then
    list[#list + 1] = "STARTTLS"
  end
  if options.offer_size then
    list[#list + 1] = ("SIZE %.0f"):format(options.size_limit)
  end
  list[#list + 1] = "8BITMIME"
  return basic.lines(250, options.ehlo or list)
end

function M.helo(_, name)
  return name == "" and "500 Error: bad syntax" or "250 OK"
end

function M.starttls(dialogue)
  if dialogue.options.mode ~= "starttls" or dialogue.tls then
    return "502 Error: command not implemented"
  end
  return "220 Ready to start TLS"
end

function M.auth(_, mechanism)
  if mechanism ~= "LOGIN" and mechanism ~= "PLAIN" then
    return "504 Error: unrecognized authentication type"
  end
  return nil
end

function M.auth_syntax()
  return "535 Error: authentication failed"
end

function M.login(dialogue, login)
  if basic.knows(dialogue, login) then
    return "235 Authentication successful"
  end
  return "535 Error: authentication failed"
end

function M.mail(dialogue, path)
  if not dialogue.auth then
    return "553 authentication is required," .. QUEUE
  elseif path.malformed or not path.bracketed then
    return "500 Error: bad syntax"
  elseif dialogue.options.from_must_match
    and path.address:lower() ~= dialogue.auth.user:lower() then
    return "553 Mail from must equal authorized user"
  end
  return "250 Mail OK"
end

function M.rcpt(dialogue, path)
  if not dialogue.transaction then
    return "503 bad sequence of commands"
  elseif path.malformed or not path.bracketed then
    return "500 Error: bad syntax"
  end
  return "250 Mail OK"
end

function M.data(dialogue)
  if not dialogue.transaction or #dialogue.transaction.to == 0 then
    return "503 bad sequence of commands"
  end
  return "354 End data with <CR><LF>.<CR><LF>"
end

function M.dot(dialogue, message)
  for _, word in ipairs(dialogue.options.content_words or {}) do
    if message.data and message.data:find(word, 1, true) then
      return "554 DT:SPM 163 " .. QUEUE
        .. ",please see http://mail.163.com/help/help_spam_16.htm"
    end
  end
  return "250 Mail OK queued as " .. QUEUE
end

function M.rset()
  return "250 OK"
end

function M.noop()
  return "250 OK"
end

function M.quit()
  return "221 Bye", "fin"
end

function M.unknown()
  return "502 Error: command not implemented"
end

return M
