--- A plain, correct submission server: the scenario the others start from.
--
-- A scenario is a table of functions; each gets the dialogue (see
-- `qqmail.testing.smtpd`) first and answers a reply ("250 2.1.0 Ok", several
-- lines joined with CRLF, `{ raw = bytes }`, or nil for silence) and, when the
-- connection is to end there, "fin", "rst" or "stall".
-- @module qqmail.testing.scenarios.basic

local base64 = require("qqmail.testing.base64")
local parameters = require("qqmail.testing.parameters")

local M = {}

M.name = "basic"

--- Options and their values when the caller names none.
M.defaults = {
  host = "mail.test",
  mode = "plain",
  size_limit = 52428800,
  users = { ["user@qq.com"] = "abcdefghijklmnop", u = "p" },
  mechanisms = "PLAIN LOGIN XOAUTH2",
}

--- The texts that ask for the name and the password in AUTH LOGIN.
M.login_challenges = { user = "VXNlcm5hbWU6", password = "UGFzc3dvcmQ6" }

--- Joins the lines of a reply.
-- @tparam number code
-- @tparam {string,...} lines
-- @treturn string without the last CRLF
function M.lines(code, lines)
  local out = {}
  for i, line in ipairs(lines) do
    out[i] = ("%d%s%s"):format(code, i == #lines and " " or "-", line)
  end
  return table.concat(out, "\r\n")
end

--- Makes a scenario that does as this one where it has no function of its own.
function M.extend(scenario)
  return setmetatable(scenario, { __index = M })
end

function M.greeting(dialogue)
  local host = dialogue.options.host
  if dialogue.options.greeting_multiline then
    return M.lines(220, { host .. " ESMTP", "No relaying here", "ready" })
  end
  return ("220 %s ESMTP ready"):format(host)
end

local function offers_auth(dialogue)
  local options = dialogue.options
  return options.mechanisms and (dialogue.tls or options.mode == "plain" or options.clear_auth)
end

local function capabilities(dialogue)
  local options = dialogue.options
  local list = {}
  local function offer(wanted, text)
    if wanted then
      list[#list + 1] = text
    end
  end
  offer(options.pipelining ~= false, "PIPELINING")
  offer(options.size_limit, ("SIZE %.0f"):format(options.size_limit or 0))
  offer(options.mode == "starttls" and not dialogue.tls, "STARTTLS")
  offer(offers_auth(dialogue), "AUTH " .. tostring(options.mechanisms))
  offer(options.chunking, "CHUNKING")
  offer(true, "ENHANCEDSTATUSCODES")
  offer(options.eightbitmime ~= false, "8BITMIME")
  offer(options.smtputf8 ~= false, "SMTPUTF8")
  offer(options.dsn, "DSN")
  offer(options.requiretls and dialogue.tls, "REQUIRETLS")
  return list
end

function M.ehlo(dialogue, name)
  local options = dialogue.options
  if name == "" then
    return "501 5.5.4 EHLO needs a name"
  end
  local list = { ("%s greets %s"):format(options.host, name) }
  local chosen = dialogue.tls and options.ehlo_tls or options.ehlo or capabilities(dialogue)
  for _, capability in ipairs(chosen) do
    list[#list + 1] = capability
  end
  return M.lines(250, list)
end

M.lhlo = M.ehlo

function M.helo(dialogue, name)
  if name == "" then
    return "501 5.5.4 HELO needs a name"
  end
  return "250 " .. dialogue.options.host
end

function M.starttls(dialogue)
  if dialogue.options.mode ~= "starttls" or dialogue.tls then
    return "502 5.5.1 STARTTLS is not available"
  end
  return "220 2.0.0 Ready to start TLS"
end

--- Whether AUTH may begin; a reply says no.
function M.auth(dialogue, mechanism, _, is_known)
  if dialogue.auth then
    return "503 5.5.1 Already authenticated"
  elseif dialogue.transaction then
    return "503 5.5.1 AUTH inside a transaction"
  elseif not offers_auth(dialogue) then
    return "538 5.7.11 Encryption required"
  end
  local offered = " " .. dialogue.options.mechanisms .. " "
  if not is_known or not offered:find(" " .. mechanism .. " ", 1, true) then
    return "504 5.5.4 Unknown mechanism"
  end
  return nil
end

local SYNTAX = {
  cancelled = "501 5.7.0 Authentication cancelled",
  base64 = "501 5.5.2 Cannot decode base64",
  format = "501 5.5.2 Malformed credentials",
}

--- The exchange cannot go on.
function M.auth_syntax(_, what)
  return SYNTAX[what]
end

--- Whether name and password belong together.
function M.knows(dialogue, login)
  local options = dialogue.options
  local secrets = login.token and options.tokens or options.users
  return secrets and secrets[login.user] == login.password
end

function M.login(dialogue, login)
  if M.knows(dialogue, login) then
    return "235 2.7.0 Authentication successful"
  elseif login.token and not login.answer then
    -- The reason, to which the client answers with an empty line.
    return "334 " .. base64.encode('{"status":"401","schemes":"bearer","scope":"mail"}')
  end
  return "535 5.7.8 Authentication credentials invalid"
end

local function is_ascii(text)
  return not text:find("[\128-\255]")
end

function M.mail(dialogue, path)
  local options = dialogue.options
  if not dialogue.helo then
    return "503 5.5.1 EHLO first"
  elseif options.require_auth and not dialogue.auth then
    return "530 5.7.0 Authentication required"
  elseif dialogue.transaction then
    return "503 5.5.1 Nested MAIL"
  elseif path.malformed or not path.bracketed then
    return "501 5.5.4 Syntax: MAIL FROM:<address>"
  elseif not is_ascii(path.address) and not path.params.SMTPUTF8 then
    return "553 5.6.7 Address needs SMTPUTF8"
  end
  local fault = parameters.check_mail(dialogue, path)
  if fault then
    return fault
  end
  local size = tonumber(path.params.SIZE)
  if size and options.size_limit and options.size_limit > 0 and size > options.size_limit then
    return "552 5.3.4 Message too big"
  end
  return "250 2.1.0 Ok"
end

function M.rcpt(dialogue, path)
  local transaction = dialogue.transaction
  if not transaction then
    return "503 5.5.1 MAIL first"
  elseif path.malformed or not path.bracketed or path.address == "" then
    return "501 5.5.4 Syntax: RCPT TO:<address>"
  elseif not is_ascii(path.address) and not transaction.params.SMTPUTF8 then
    return "553 5.6.7 Address needs SMTPUTF8"
  end
  local fault = parameters.check_rcpt(dialogue, path)
  if fault then
    return fault
  elseif #transaction.to >= (dialogue.options.max_recipients or math.huge) then
    return "452 4.5.3 Too many recipients"
  end
  return "250 2.1.5 Ok"
end

function M.data(dialogue)
  if not dialogue.transaction then
    return "503 5.5.1 MAIL first"
  elseif #dialogue.transaction.to == 0 then
    return "554 5.5.1 No valid recipients"
  end
  return "354 End data with <CR><LF>.<CR><LF>"
end

--- Whether a chunk is refused; only asked with the option `chunking`.
function M.bdat(dialogue)
  if not dialogue.transaction then
    return "503 5.5.1 MAIL first"
  elseif #dialogue.transaction.to == 0 then
    return "554 5.5.1 No valid recipients"
  end
  return nil
end

--- The verdict on a message; under LMTP asked for each recipient.
function M.dot(dialogue, message)
  local limit = dialogue.options.size_limit
  if limit and limit > 0 and message.size > limit then
    return "552 5.3.4 Message too big"
  end
  return ("250 2.0.0 Ok: queued as %08X"):format(#dialogue.shared.messages + 1)
end

function M.rset()
  return "250 2.0.0 Ok"
end

function M.noop()
  return "250 2.0.0 Ok"
end

function M.vrfy()
  return "252 2.0.0 Send some mail"
end

function M.quit()
  return "221 2.0.0 Bye", "fin"
end

function M.unknown()
  return "502 5.5.1 Command not implemented"
end

return M
