--- Texts of a message in another charset than UTF-8: the field `charset`.
--
-- What is in none of those that are asked for is an error that says where; nothing is
-- replaced or left out.
-- @module qqmail.message.charset

local codec = require("qqmail.core").codec
local fault = require "qqmail.message.fault"

local M = {}

-- What is tried for a guess, in order. What looks like Big5 and is none may be
-- traditional text of the mainland, or a longer one of Hong Kong, whose characters fill
-- the gaps of Big5. GB18030 is never taken for another one: nearly all of Big5 is valid
-- in it, so that where it fails Big5 would only make other characters of the whole text.
local GB18030 = { "gb18030" }
local BIG5_SHORT = { "big5", "gb18030" }
local BIG5_LONG = { "big5", "big5-hkscs", "gb18030" }
local LONG = 12 -- bytes beyond ASCII, of some eight characters

local function candidates(text, charset)
  if charset == "gb18030" then
    return GB18030
  end
  local _, count = text:gsub("[\128-\255]", "")
  return count > LONG and BIG5_LONG or BIG5_SHORT
end

-- Where words of Latin letters have accents, a byte each, or the apostrophe of Windows
-- (\146): GB18030 would make one character of each and the letter behind it. In Chinese text
-- nearly no character ends in a letter and stands alone within a word of them.
local function find_latin(text)
  if text:find("[\128-\255][^A-Za-z]") or text:find("[\128-\145\147-\191]") then
    return nil
  end
  return text:match("()[\192-\255][A-Za-z][A-Za-z]") or text:match("^[A-Za-z]()[\192-\255]")
    or text:match("[^\128-\255][A-Za-z]()[\192-\255]") or text:match("[A-Za-z]()\146[A-Za-z]")
end

-- Where a text that begins as Chinese in UTF-8 ceases to be UTF-8: GB18030 would
-- make other characters of all of it.
local function broken_utf8(text)
  local position = codec.utf8_fault(text)
  if not position then
    return nil
  end
  local start = text:sub(1, position - 1)
  local _, count = start:gsub("[\224-\239][\128-\191][\128-\191]", "")
  return count >= 2 and position or nil
end

-- Characters of private use, U+E000 to U+F8FF, are what no font shows: what is decoded
-- to some was something else.
local PRIVATE = { "\238[\128-\191]", "\239[\128-\163]" }

local function decoded(text, charset)
  local out, _, _, position = codec.convert(text, charset)
  local private = out and (out:find(PRIVATE[1]) or out:find(PRIVATE[2]))
  if out and not private then
    return out
  end
  return nil, position or text:find("[\128-\255]")
end

-- The text, and the charset it was in; or nil, and where it is in none.
local function guess(text)
  local charset = codec.guess_charset(text)
  if charset == "utf-8" then
    return text, charset
  end
  local broken = broken_utf8(text) or find_latin(text)
  if broken then
    return nil, broken
  end
  for _, name in ipairs(candidates(text, charset)) do
    local out, position = decoded(text, name)
    if out then
      return out, name
    end
    broken = broken or position
  end
  return nil, broken
end

-- Of each text by itself; what was guessed is noted in `guessed`.
local function guesser(lang, guessed)
  return function(text, field)
    if not text:find("[\128-\255]") then
      return text
    end
    local out, found = guess(text)
    if out then
      guessed[field] = found
      return out
    end
    return nil, fault.new(lang, "message.bad_text", field, {
      en = "is none of UTF-8, GB18030 and Big5", zh = "不是 UTF-8、GB18030 或 Big5",
    }, { position = found })
  end
end

local function decoder(lang, charset)
  return function(text, field)
    local converted, _, why, position = codec.convert(text, charset)
    if converted then
      return converted
    end
    return nil, fault.new(lang, "message.bad_text", field, {
      en = ("is not valid %s: %s"):format(charset, why), zh = ("不是合法的 %s"):format(charset),
    }, { position = position })
  end
end

--- The converter for texts in another charset.
-- @tparam ?string lang
-- @param charset as the user gave it; "auto": UTF-8, GB18030 or Big5, with its form of Hong Kong
-- @treturn ?function f(text, field) -> text | nil, error; false: nothing to do
-- @treturn ?table error
-- @treturn ?table with "auto": the charset of each text with more than ASCII, by
-- field, filled as the texts are converted
function M.converter(lang, charset)
  if charset == nil then
    return false
  elseif type(charset) ~= "string" then
    return nil, fault.type(lang, "charset", { en = "a string", zh = "字符串" }, charset)
  end
  local name = charset:lower():gsub("[-_]", "")
  if name == "utf8" or name == "usascii" or name == "ascii" then
    return false
  elseif name == "auto" then
    local guessed = {}
    return guesser(lang, guessed), nil, guessed
  end
  if not charset:find("^[%w%-_:.]+$") or not codec.convert("", charset) then
    return nil, fault.new(lang, "message.bad_charset", "charset", {
      en = ('"%s" is not known to this system'):format(charset:gsub("%c", "?")),
      zh = ('"%s" 不被本系统支持'):format(charset:gsub("%c", "?")),
    })
  end
  return decoder(lang, charset)
end

local CONVERTED = { "from", "sender", "to", "cc", "bcc", "reply_to", "subject", "headers",
  "read_receipt" }

-- No field nests deeper than a list of tables; what does is refused later on.
local function convert_value(convert, field, value, depth)
  if type(value) == "string" then
    return convert(value, field)
  elseif type(value) ~= "table" or depth > 2 then
    return value
  end
  local out = {}
  for key, inner in pairs(value) do
    local where = type(key) == "number" and ("%s[%d]"):format(field, key)
      or field .. "." .. tostring(key)
    local made, err = convert_value(convert, where, inner, depth + 1)
    if made == nil then
      return nil, err
    end
    out[key] = made
  end
  return out
end

--- A copy of a message table with the texts of its header in UTF-8.
-- @tparam function convert from `converter`
-- @tparam table spec
-- @treturn ?table
-- @treturn ?table error
function M.convert_header(convert, spec)
  local out = {}
  for key, value in pairs(spec) do
    out[key] = value
  end
  for _, key in ipairs(CONVERTED) do
    if spec[key] ~= nil then
      local made, err = convert_value(convert, key, spec[key], 1)
      if made == nil then
        return nil, err
      end
      out[key] = made
    end
  end
  return out
end

return M
