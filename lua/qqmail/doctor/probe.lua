--- Who answers at a port: asks with a connection of its own, and never logs in.
-- @module qqmail.doctor.probe

local M = {}

-- Seconds for a banner, the same where nobody is expected to speak first, and for an
-- answer to what is said in its place.
local BANNER_WAIT, SHORT_WAIT, ANSWER_WAIT = 2, 0.3, 2

-- Bytes looked at.
local ENOUGH = 2048

local function bytes(hex)
  return (hex:gsub("%s+", ""):gsub("%x%x", function(pair)
    return string.char(tonumber(pair, 16))
  end))
end

-- A ClientHello of TLS 1.2 without a name (RFC 5246, 7.4.1.2): who speaks TLS answers it
-- with a handshake or an alert, whatever it thinks of it; a web server with HTTP.
local HELLO = bytes([[
  16 0301 004f  01 00004b  0303
  71716d61696c20646f63746f7220617361736b7320776820616e737765727320 00
  0008 c02f c030 009c 002f  01 00
  001a  000a 0006 0004 0017 0018  000b 0002 01 00  000d 0006 0004 0401 0403
]])

local function read_some(conn, driver, deadline, is_enough)
  local text = ""
  while #text < ENOUGH and not is_enough(text) do
    conn:settimeout(math.max(0, deadline - driver:now()))
    local data, why = conn:recv(ENOUGH - #text)
    if not data then
      return text, why
    end
    text = text .. data
  end
  return text
end

local function has_line(text)
  return text:find("\n", 1, true) ~= nil
end

-- A greeting of several lines is over with the one that has a blank behind its number
-- (RFC 5321 section 4.2.1); what is left of it would look like the answer to EHLO.
local function has_greeting(text)
  if text:find("^220%-") then
    return text:find("\n220[ \r\n]") ~= nil and text:find("\n$") ~= nil
  end
  return has_line(text)
end

-- First bytes of what speaks first, or answers the ClientHello.
local KINDS = {
  { "^220[ -]", "smtp" }, { "^[45]%d%d[ -]", "smtp" }, { "^%* OK", "imap" }, { "^%+OK", "pop3" },
  { "^SSH%-", "ssh" }, { "^HTTP/", "http" }, { "^%s*<[!%a]", "http" }, { "^\22\3", "tls" },
  { "^\21\3", "tls" },
}

local function classify(text)
  for _, row in ipairs(KINDS) do
    if text:find(row[1]) then
      return row[2]
    end
  end
  return "other"
end

local function first_line(text)
  return (text:match("^[^\r\n]*"):gsub("[%c\127-\255]", "?"):sub(1, 120))
end

-- A byte now and then may become anything.
local function answered(text, why)
  local kind = classify(text)
  if kind == "other" and why == "timeout" and not has_line(text) then
    return { kind = "slow" }
  end
  return { kind = kind, banner = kind ~= "tls" and first_line(text) or nil }
end

local function is_whole_reply(said)
  return ("\n" .. said):find("\n%d%d%d [^\n]*\n") ~= nil
end

-- Whether a server of SMTP offers STARTTLS; nil when it did not say.
local function ask_starttls(conn, driver, deadline)
  conn:settimeout(math.max(0, deadline - driver:now()))
  if not conn:send("EHLO [127.0.0.1]\r\n") then
    return nil
  end
  local text = read_some(conn, driver, deadline, is_whole_reply)
  conn:settimeout(0.2)
  conn:send("QUIT\r\n")
  if not is_whole_reply(text) or not text:find("^250") then
    return nil
  end
  return text:upper():find("\n250[ -]STARTTLS") ~= nil
end

local function listen(conn, driver, deadline, patience)
  local left = deadline - driver:now()
  local text, why = read_some(conn, driver, driver:now() + math.min(patience, left / 2),
    has_greeting)
  if text ~= "" then
    local found = answered(text, why)
    if found.kind == "smtp" and text:find("^220") then
      found.starttls = ask_starttls(conn, driver, math.min(deadline, driver:now() + ANSWER_WAIT))
    end
    return found
  elseif why ~= "timeout" then
    return { kind = "closed" }
  end
  conn:settimeout(math.max(0, deadline - driver:now()))
  if not conn:send(HELLO) then
    return { kind = "closed" }
  end
  text, why = read_some(conn, driver, math.min(deadline, driver:now() + ANSWER_WAIT),
    function(said)
      return #said >= 5
    end)
  if text ~= "" then
    return answered(text, why)
  end
  return { kind = why == "timeout" and "silent" or "closed" }
end

--- Find out who answers.
-- @tparam table driver
-- @tparam table target for `dial`; its port is asked
-- @tparam table address of `lookup`
-- @tparam number deadline absolute
-- @tparam ?boolean is_silent it is known that it does not speak first
-- @treturn table `kind` = "smtp", "tls", "http", "imap", "pop3", "ssh", "other", "slow",
-- "silent", "closed" or "unreachable"; `banner`: the first line; `starttls`: whether it is offered
function M.who(driver, target, address, deadline, is_silent)
  local own = {}
  for key, value in pairs(address) do
    own[key] = value
  end
  own.port = target.port
  local conn = driver:dial(target, own, math.min(deadline, driver:now() + BANNER_WAIT))
  if not conn then
    return { kind = "unreachable" }
  end
  local found = listen(conn, driver, deadline, is_silent and SHORT_WAIT or BANNER_WAIT)
  conn:close()
  return found
end

return M
