--- What shows in a text that something went wrong before it came here.
-- @module qqmail.lint.words

local core = require "qqmail.core"

local M = {}

local codec = core.codec

--- Bytes that are looked at; what is wrong with a text shows before.
M.LOOKED_AT = 256 * 1024

--- The part of a text that is looked at.
-- @tparam string text
-- @treturn string
-- @treturn boolean whether that is all
function M.head(text)
  return text:sub(1, M.LOOKED_AT), #text <= M.LOOKED_AT
end

-- Signs are what they begin with, and a pattern where that is not all. Most texts have
-- none, and to find that out takes a tenth of the time without patterns.
local function first_of(text, signs)
  for _, row in ipairs(signs) do
    local sign = text:find(row[1], 1, true) and (not row[2] and row[1] or text:match(row[2]))
    if sign then
      return sign
    end
  end
end

-- Of UTF-8 read as GBK, and of UTF-8 read as Latin-1 and encoded again.
local MOJIBAKE = {
  { "\239\191\189" }, -- U+FFFD
  { "\233\148\159\230\150\164\230\139\183" }, -- 锟斤拷
  { "\195\175\194\191\194\189" }, { "\195\175\194\187\194\191" }, -- U+FFFD and U+FEFF
  { "\195\162\226\130\172" }, -- quotes and dashes
  { "\195\131\194", "\195\131\194[\128-\191]" }, -- ä and the like
  { "\194", "\195[\164-\169]\194[\128-\191]\194[\128-\191]" }, -- many Chinese characters
}

local INVISIBLE = {
  ["\226\128\139"] = "U+200B", ["\226\129\160"] = "U+2060", ["\239\187\191"] = "U+FEFF",
  ["\226\128\174"] = "U+202E", ["\226\128\173"] = "U+202D", ["\226\129\166"] = "U+2066",
  ["\226\129\167"] = "U+2067",
}

local function invisible(text)
  for sign, name in pairs(INVISIBLE) do
    if text:find(sign, 1, true) then
      return name
    end
  end
end

--- The character that turns the direction of writing, in a name.
-- @tparam string text
-- @treturn ?string such as "U+202E"
function M.turns_direction(text)
  local name = invisible(text)
  return name ~= "U+200B" and name ~= "U+2060" and name ~= "U+FEFF" and name or nil
end

local PLACEHOLDERS = {
  { "{{", "{{%s?[%a_][%w_%.]*%s?}}" }, { "{%", "{%%%s?[%a_][%w_%.]*%s?%%}" },
  { "<%", "<%%=?%s?[%a_][%w_%.]*%s?%%>" },
}

-- In the text of a report these are often meant.
local IN_SUBJECT = { { "${", "%${[%a_][%w_%.]*}" }, { "%", "%%[sd]%f[%W]" } }

local LUA_VALUES = {
  { "table: 0x", "%f[%a]table: 0x%x%x%x%x%x+" },
  { "function: 0x", "%f[%a]function: 0x%x%x%x%x%x+" },
}

local function placeholder(text, in_subject)
  return first_of(text, PLACEHOLDERS) or (in_subject and first_of(text, IN_SUBJECT)) or nil
end

--- Findings about a text of the message.
-- @tparam string text
-- @tparam string field
-- @tparam function add
-- @tparam ?boolean is_line whether it is one short line: a subject or a name
function M.check(text, field, add, is_line)
  local head = M.head(text)
  local sign = first_of(head, MOJIBAKE)
  if sign then
    add("lint.mojibake", field, { sign = sign })
  end
  sign = is_line and invisible(head)
  if sign then
    add("lint.invisible", field, { sign = sign })
  end
  sign = placeholder(head, is_line)
  if sign then
    add("lint.placeholder", field, { sign = sign })
  end
  sign = first_of(head, LUA_VALUES)
  if sign then
    add("lint.lua_value", field, { sign = sign })
  end
end

--- Columns a line takes: a wide character takes two.
-- @tparam string text UTF-8
-- @treturn number
function M.columns(text)
  local _, narrow = text:gsub("[%z\1-\127\194-\223]", "")
  local _, wide = text:gsub("[\224-\244]", "")
  return narrow + 2 * wide
end

-- --- encoded words ------------------------------------------------------------------

local function decode_q(text)
  return (text:gsub("_", " "):gsub("=(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

local function decode_word(charset, form, text)
  local bytes = form:lower() == "q" and decode_q(text) or codec.base64_decode(text)
  charset = charset:lower():gsub("%*.*$", "")
  if not bytes or charset == "utf-8" then
    return bytes
  end
  return (codec.convert(bytes, charset))
end

--- A field of a raw message as it is read (RFC 2047). What cannot be decoded stays.
-- @tparam string value unfolded
-- @treturn string
function M.decode(value)
  value = value:sub(1, 4096):gsub("%?=%s+=%?", "?==?")
  return (value:gsub("=%?([%w%-%*_]+)%?([bBqQ])%?([^%s?]*)%?=", decode_word))
end

return M
