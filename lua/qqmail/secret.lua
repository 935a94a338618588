--- Passwords, authorization codes and tokens.
-- @module qqmail.secret

local validate = require "qqmail.validate"

local M = {}

-- A message of a login holds 9000 bytes (RFC 4954 section 4: a line of 12288 in base64),
-- the user and what stands around it included.
local LONGEST = 8192

local function is_code(text, shape)
  return #text == shape.letters and text:find("^[A-Za-z]+$") ~= nil
end

-- Web pages show the code in groups; pasted so, the blanks come along.
local function close_groups(text, shape)
  if not text:find("[ \t]") then
    return text, false
  end
  local joined = text:gsub("[ \t]", "")
  if is_code(joined, shape) then
    return joined, true
  end
  return text, false
end

--- Clean what was given as a secret, and say what is odd about it.
-- @tparam string text
-- @tparam ?table shape the preset's `code_shape`
-- @treturn ?string the secret to use; nil when it cannot be one
-- @treturn table list of warnings `{ code, en, zh }`; or the fault, `{ code, en, zh }`,
-- the rest of a sentence that begins with the option's name
function M.clean(text, shape)
  local warnings = {}
  local function warn(code, en, zh)
    warnings[#warnings + 1] = { code = code, en = en, zh = zh }
  end
  local bare = text:match("^[^\r\n]*")
  if text:find("^[\r\n]+$", #bare + 1) then
    text = bare
    warn("config.secret_newline", "ended with a line break, which was dropped",
      "末尾有换行，已去掉")
  end
  if text == "" then
    return nil, { code = "config.empty_secret", en = "is empty", zh = "为空" }
  end
  if #text > LONGEST then
    return nil, {
      code = "config.bad_value",
      en = ("has %d bytes, and a login carries %d at most"):format(#text, LONGEST),
      zh = ("长 %d 字节，而登录最多只能携带 %d 字节"):format(#text, LONGEST),
    }
  end
  local at, name = validate.find_odd(text, true)
  if at then
    return nil, {
      code = "config.bad_character",
      en = ("has %s at byte %d; copy it again"):format(name.en, at),
      zh = ("第 %d 字节处有 %s，请重新复制"):format(at, name.zh),
    }
  end
  if shape then
    local joined, changed = close_groups(text, shape)
    if changed then
      text = joined
      warn("config.secret_blanks", "had blanks between its letters, which were dropped",
        "字母之间有空格，已去掉")
    elseif not is_code(text, shape) then
      warn("config.not_a_code",
        ("does not look like an authorization code of %d letters"):format(shape.letters),
        ("看起来不是 %d 位字母的授权码"):format(shape.letters))
    end
  end
  return text, warnings
end

return M
