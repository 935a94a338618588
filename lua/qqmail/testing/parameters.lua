--- The parameters of MAIL and RCPT as a strict server reads them: what was not offered is
-- unknown, what is offered has to be well formed (RFC 1870, 3461, 6152, 6531, 8689).
-- @module qqmail.testing.parameters

local M = {}

local UNKNOWN = "555 5.5.4 Unsupported parameter"
local MALFORMED = "501 5.5.4 Malformed parameter"

-- RFC 3461 section 4: "+" and two hexadecimal digits in upper case, or a visible character.
local function is_xtext(text)
  return text:gsub("%+[0-9A-F][0-9A-F]", ""):find("^[!-*,-<>-~]*$") ~= nil
end

-- RFC 6533 section 3: no +, = or backslash but in an escape.
local function is_utf8_address(text, may_be_raw)
  local rest = text:gsub("\\x{%x%x+}", "")
  local fits = may_be_raw and "^[!-*,-<>-Z%[%]^-~\128-\255]*$" or "^[!-*,-<>-Z%[%]^-~]*$"
  return rest:find(fits) ~= nil
end

local function is_notify(text)
  if text == "NEVER" then
    return true
  end
  local seen = {}
  for word in (text .. ","):gmatch("([^,]*),") do
    if seen[word] or not (word == "SUCCESS" or word == "FAILURE" or word == "DELAY") then
      return false
    end
    seen[word] = true
  end
  return true
end

local function is_orcpt(text, transaction)
  local kind, address = text:match("^([%w-]+);(.+)$")
  if not kind or #text > 500 then
    return false
  elseif kind == "utf-8" then
    return is_utf8_address(address, transaction.params.SMTPUTF8 ~= nil)
  end
  return kind == "rfc822" and is_xtext(address)
end

local function is_text(value)
  return type(value) == "string" and value ~= ""
end

-- By parameter: the extension that has to be offered for it, and whether its value (true
-- where there is none) is well formed.
local OF_MAIL = {
  SIZE = { "SIZE", function(value)
    return is_text(value) and value:find("^%d+$") ~= nil
  end },
  BODY = { "8BITMIME", function(value)
    return value == "8BITMIME" or value == "7BIT"
  end },
  SMTPUTF8 = { "SMTPUTF8", function(value)
    return value == true
  end },
  REQUIRETLS = { "REQUIRETLS", function(value)
    return value == true
  end },
  RET = { "DSN", function(value)
    return value == "FULL" or value == "HDRS"
  end },
  ENVID = { "DSN", function(value)
    return is_text(value) and #value <= 100 and is_xtext(value)
  end },
}

local OF_RCPT = {
  NOTIFY = { "DSN", function(value)
    return is_text(value) and is_notify(value)
  end },
  ORCPT = { "DSN", function(value, transaction)
    return is_text(value) and is_orcpt(value, transaction)
  end },
}

local function is_offered(dialogue, keyword)
  for line in ((dialogue.capabilities or "") .. "\r\n"):gmatch("%d%d%d[ -]([^\r\n]*)\r\n") do
    if line:upper():match("^[^ ]*") == keyword then
      return true
    end
  end
  return false
end

local function check(dialogue, path, known)
  for name, value in pairs(path.params) do
    local row = known[name]
    if not row or not is_offered(dialogue, row[1]) then
      return UNKNOWN
    elseif not row[2](value, dialogue.transaction) then
      return MALFORMED
    end
  end
  return nil
end

--- What is wrong with the parameters of MAIL.
-- @tparam table dialogue
-- @tparam table path with `params`
-- @treturn ?string reply; nil: nothing
function M.check_mail(dialogue, path)
  return check(dialogue, path, OF_MAIL)
end

--- What is wrong with the parameters of RCPT.
-- @tparam table dialogue inside a transaction
-- @tparam table path with `params`
-- @treturn ?string reply; nil: nothing
function M.check_rcpt(dialogue, path)
  return check(dialogue, path, OF_RCPT)
end

return M
