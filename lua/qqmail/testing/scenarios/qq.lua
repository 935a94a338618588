--- QQ Mail's submission server (smtp.qq.com) as clients saw it, byte for byte
-- where transcripts exist.
--
-- Options, with the defaults of late 2025:
--
-- * `era` = 2025, 2022 or 2020: capabilities, texts and habits of that time
-- * `quit` = "frame26" (a binary frame instead of a reply), "221", "close",
--   "silent" or "frame8_then_close"; 221 before 2025
-- * `post_data_cmd` = "garbage", "silent", "close" or "ok": what RSET and NOOP get
--   once a message was taken; ok before 2025
-- * `after_535` = "close", "close_on_next_auth" or "stay"; stay before 2025
-- * `silent_auth_reject`: wrong credentials end the connection without a reply
-- * `reply_charset` = "utf8" or "gbk": the refusal of a login in Chinese; the
--   default of 2020 is GBK
-- * `exmail`: the texts of smtp.exmail.qq.com
-- * `from_must_match` (true), `from_check` (true): envelope and header sender
-- * `rcpt_check` = "lazy" (all recipients are taken, the message refused) or
--   "strict"; `unknown_recipients` = list of addresses
-- * `content_words` = list: what the content filter looks for, as it stands in
--   the message
-- * `rate` = `{ after = n, reply = }`: refuse when n messages were taken
-- * `size_limit` (73400320)
--
-- The checks of a message need its data: they are off with `discard`.
-- @module qqmail.testing.scenarios.qq

local basic = require("qqmail.testing.scenarios.basic")

local M = basic.extend({ name = "qq" })

local HOSTS = {
  [2020] = "newxmesmtplogicsvrsza5.qq.com",
  [2022] = "newxmesmtplogicsvrszc8-2.qq.com",
  [2025] = "newxmesmtplogicsvrszb51-0.qq.com",
}

--- Defaults for the era asked for.
function M.defaults(given)
  local era = given.era or 2025
  local is_new = era == 2025
  return {
    era = era,
    host = assert(HOSTS[era], "era: 2025, 2022 or 2020"),
    mode = given.cert and "implicit" or "plain",
    quit = is_new and "frame26" or "221",
    post_data_cmd = is_new and "garbage" or "ok",
    after_535 = is_new and "close" or "stay",
    reply_charset = era == 2020 and "gbk" or "utf8",
    rcpt_check = "lazy",
    unknown_recipients = { "nosuch@qq.com" },
    from_check = true,
    from_must_match = true,
    size_limit = 73400320,
    users = { ["user@qq.com"] = "abcdefghijklmnop" },
  }
end

local function invalid_input(dialogue)
  return ("502 Invalid input from %s to %s."):format(dialogue:peer_ip(), dialogue.options.host)
end

-- A number as four bytes, most significant first.
local function four_bytes(number)
  return string.char(0, 0, math.floor(number / 256), number % 256)
end

-- The frame of QQ's inner protocol that reaches clients since 2025: its own
-- length, that of the text, eight bytes of zero, the text.
local function frame(text)
  return four_bytes(16 + #text) .. four_bytes(#text) .. ("\0"):rep(8) .. text
end

-- --- hello -----------------------------------------------------------------

function M.greeting(dialogue)
  local text = ("%s XMail Esmtp QQ Mail Server."):format(dialogue.options.host)
  if dialogue.options.greeting_multiline then
    return basic.lines(220, { dialogue.options.host, text })
  end
  return "220 " .. text
end

function M.ehlo(dialogue, name)
  if name == "" then
    return invalid_input(dialogue)
  end
  local options = dialogue.options
  local list = { options.host, "PIPELINING", ("SIZE %.0f"):format(options.size_limit) }
  local function offer(wanted, text)
    if wanted then
      list[#list + 1] = text
    end
  end
  offer(options.mode == "starttls" and not dialogue.tls, "STARTTLS")
  offer(true, options.era == 2020 and "AUTH LOGIN PLAIN" or "AUTH LOGIN PLAIN XOAUTH XOAUTH2")
  offer(true, "AUTH=LOGIN")
  offer(true, "MAILCOMPRESS")
  offer(options.era == 2025, "SMTPUTF8")
  offer(true, "8BITMIME")
  return basic.lines(250, options.ehlo or list)
end

-- The inner address and the number are of no meaning.
function M.helo(dialogue, name)
  if name == "" then
    return invalid_input(dialogue)
  end
  local options = dialogue.options
  return basic.lines(250, { options.host .. "-9.21.152.32-4157511",
    ("SIZE %.0f"):format(options.size_limit), "OK" })
end

function M.starttls(dialogue)
  local options = dialogue.options
  if options.mode ~= "starttls" or dialogue.tls then
    return invalid_input(dialogue)
  elseif options.exmail then
    return "220 Ready to start TLS"
  end
  return ("220 Ready to start TLS from %s to %s."):format(dialogue:peer_ip(), options.host)
end

-- --- AUTH ------------------------------------------------------------------

local OFFERED = { LOGIN = true, PLAIN = true, XOAUTH2 = true }

-- AUTH PLAIN wants its response on the same line.
function M.auth(dialogue, mechanism, initial)
  if dialogue.refused_login and dialogue.options.after_535 == "close_on_next_auth" then
    return nil, "fin"
  elseif not OFFERED[mechanism] or (mechanism == "XOAUTH2" and dialogue.options.era == 2020) then
    return invalid_input(dialogue)
  elseif mechanism == "PLAIN" and initial == "" then
    return invalid_input(dialogue)
  end
  return nil
end

function M.auth_syntax(dialogue)
  return invalid_input(dialogue)
end

-- "Please log in with the authorization code. For details see"
local CHINESE = {
  gbk = "\199\235\202\185\211\195\202\218\200\168\194\235\181\199\194\188\161\163"
    .. "\207\234\199\233\199\235\191\180",
  utf8 = "请使用授权码登录。详情请看",
}

local OLD_HELP = "http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=28&&no=1001256"

local function login_refusal(options)
  if options.exmail then
    return "535 Error: authentication failed, system busy"
  elseif options.era == 2020 or options.reply_charset == "gbk" then
    return ("535 Error: %s: %s"):format(CHINESE[options.reply_charset], OLD_HELP)
  elseif options.era == 2022 then
    return "535 Login Fail. Please enter your authorization code to login. More information in "
      .. OLD_HELP
  end
  return "535 Login fail. Account is abnormal, service is not open, password is incorrect, "
    .. "login frequency limited, or system is busy. More information at "
    .. "https://help.mail.qq.com/detail/108/1023"
end

function M.login(dialogue, login)
  local options = dialogue.options
  if basic.knows(dialogue, login) then
    if login.mechanism == "XOAUTH2" then
      return "235 2.7.0 Accepted"
    end
    return "235 Authentication successful"
  end
  dialogue.refused_login = true
  if options.silent_auth_reject then
    return nil, "fin"
  end
  return login_refusal(options), options.after_535 == "close" and "fin" or nil
end

-- --- envelope --------------------------------------------------------------

local function is_address(path)
  return path.bracketed and not path.address:find("[^\33-\126]")
    and path.address:find("^[^<>@]+@[^<>@]+$") ~= nil
end

-- Not seen with QQ: its refusal of a too large message. The text is that of its
-- bounces.
local TOO_LARGE = "552 Message too large. https://service.mail.qq.com/detail/122/168."

function M.mail(dialogue, path)
  local options = dialogue.options
  if not dialogue.helo or not dialogue.auth then
    return "503 Error: need EHLO and AUTH first !"
  elseif not is_address(path) then
    return invalid_input(dialogue)
  elseif options.from_must_match and path.address:lower() ~= dialogue.auth.user:lower() then
    return "501 mail from address must be same as authorization user"
  elseif (tonumber(path.params.SIZE) or 0) > options.size_limit then
    return TOO_LARGE
  end
  return options.era == 2020 and "250 OK." or "250 OK"
end

local function is_unknown(options, address)
  for _, unknown in ipairs(options.unknown_recipients) do
    if unknown:lower() == address:lower() then
      return true
    end
  end
  return false
end

local NO_SUCH_RECIPIENT = "550 The recipient may contain a non-existent account, "
  .. "please check the recipient address."

function M.rcpt(dialogue, path)
  local options = dialogue.options
  if not is_address(path) or not dialogue.transaction then
    return invalid_input(dialogue)
  elseif options.rcpt_check == "strict" and is_unknown(options, path.address) then
    return NO_SUCH_RECIPIENT
  end
  return "250 OK"
end

function M.data(dialogue)
  if not dialogue.transaction or #dialogue.transaction.to == 0 then
    return invalid_input(dialogue)
  end
  return "354 End data with <CR><LF>.<CR><LF>."
end

-- --- message ---------------------------------------------------------------

--- The value of the first header field of a name, unfolded; nil when absent.
function M.header(data, name)
  local head = data:match("^(.-\r\n)\r\n") or data
  head = ("\r\n" .. head):gsub("\r\n([ \t])", "%1")
  for line in head:gmatch("[^\r\n]+") do
    local field, value = line:match("^([^:%s]+)%s*:%s*(.-)%s*$")
    if field and field:lower() == name then
      return value
    end
  end
  return nil
end

--- Whether QQ takes a From field: an address that is not inside an encoded-word,
-- behind nothing but ASCII.
function M.is_good_from(value)
  if not value then
    return false
  end
  local before, word = value:match("^(.-)(%S+)$")
  if not word or not word:find("^<?[^<>@=?]+@[^<>]+>?$") then
    return false
  end
  return before == "" or before:find("^[\32-\126]*%s$") ~= nil
end

local BAD_FROM = '550 The "From" header is missing or invalid. Please follow RFC5322, RFC2047, '
  .. "RFC822 standard protocol. https://service.mail.qq.com/detail/124/995."

local function content_refusal(dialogue)
  if dialogue.options.era == 2020 then
    return ("550 Mail content denied. http://service.mail.qq.com/cgi-bin/help?"
      .. "subtype=1&&id=20022&&no=1000726 [MTIzNDU2Nzg5MA== IP: %s]"):format(dialogue:peer_ip())
  end
  return "550 The mail may contain inappropriate words or content."
end

local function has_bad_word(options, data)
  for _, word in ipairs(options.content_words or {}) do
    if data:find(word, 1, true) then
      return true
    end
  end
  return false
end

local function has_unknown(options, list)
  for _, address in ipairs(list) do
    if is_unknown(options, address) then
      return true
    end
  end
  return false
end

function M.dot(dialogue, message)
  local options, data = dialogue.options, message.data
  local rate = options.rate
  if rate and #dialogue.shared.messages >= rate.after then
    return rate.reply or "550 Too many attempts. Unable to send. Try again later"
  elseif message.size > options.size_limit then
    return TOO_LARGE
  elseif data and options.from_check and not M.is_good_from(M.header(data, "from")) then
    return BAD_FROM
  elseif data and has_bad_word(options, data) then
    return content_refusal(dialogue)
  elseif has_unknown(options, message.to) then
    return NO_SUCH_RECIPIENT
  end
  -- Nothing stands behind "as", not even a space.
  return "250 OK: queued as."
end

-- --- the rest --------------------------------------------------------------

local AFTER_MESSAGE = {
  garbage = function() return { raw = frame("250 OK\r\n") } end,
  silent = function() return nil end,
  close = function() return nil, "fin" end,
  ok = function() return "250 OK" end,
}

local function idle_command(dialogue)
  if dialogue.accepted == 0 then
    return "250 OK"
  end
  return AFTER_MESSAGE[dialogue.options.post_data_cmd]()
end

M.rset = idle_command
M.noop = idle_command

local BYE = "221 Bye.\r\n"

local QUIT = {
  ["221"] = function() return "221 Bye.", "fin" end,
  frame26 = function() return { raw = frame(BYE) }, "fin" end,
  frame8_then_close = function() return { raw = frame(BYE):sub(1, 8) }, "fin" end,
  close = function() return nil, "fin" end,
  silent = function() return nil end,
}

function M.quit(dialogue)
  return QUIT[tostring(dialogue.options.quit)]()
end

M.vrfy = invalid_input
M.unknown = invalid_input

return M
