--- URLs that hold what they name (RFC 2397): `data:image/png;base64,iVBORw0...`.
-- @module qqmail.message.data_url

local codec = require("qqmail.core").codec

local M = {}

-- As many bytes as a media type may have, and a few more.
local HEAD_MAX = 300

-- Extensions of names made for what has none.
local EXTENSIONS = { ["image/png"] = ".png", ["image/jpeg"] = ".jpg", ["image/gif"] = ".gif",
  ["image/webp"] = ".webp", ["image/svg+xml"] = ".svg", ["image/bmp"] = ".bmp",
  ["image/avif"] = ".avif", ["application/pdf"] = ".pdf", ["text/plain"] = ".txt",
  ["text/html"] = ".html", ["text/csv"] = ".csv", ["application/json"] = ".json" }

--- Is this one?
-- @tparam string text
-- @treturn boolean
function M.is(text)
  return text:sub(1, 5):lower() == "data:"
end

--- What %XX stand for; a sign that begins none stays as it is.
-- @tparam string text
-- @treturn string
function M.unescape(text)
  return (text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

-- How makers of such URLs say what the file is called.
local IS_NAME = { name = true, filename = true }

-- The head without "data:", taken apart; the type in lower case, parameters without a
-- value left out. The last of them may be "base64".
local function read_head(head)
  local media_type, parameters, is_base64, file_name = nil, "", false, nil
  for word in (head .. ";"):gmatch("([^;]*);") do
    word = word:match("^ *(.-) *$")
    is_base64 = word:lower() == "base64"
    local key, value = word:match("^([^=]+)=(.+)")
    if not media_type then
      media_type = word:lower()
    elseif key and IS_NAME[key:lower()] then
      file_name = M.unescape(value:match('^"(.*)"$') or value)
    elseif key then
      parameters = parameters .. ";" .. word
    end
  end
  if media_type == "" or media_type == "base64" then
    -- RFC 2397 section 2.
    media_type, parameters = "text/plain", parameters ~= "" and parameters or ";charset=US-ASCII"
  end
  return media_type, parameters, is_base64, file_name
end

local function decode(text)
  text = M.unescape(text):gsub("[ \t\r\n]", "")
  if #text % 4 ~= 0 and text:sub(-1) ~= "=" then
    text = text .. ("="):rep(4 - #text % 4)
  end
  return (codec.base64_decode(text))
end

-- Where its data begin; a head is short, what is longer is none.
local function find_comma(url)
  return url:sub(1, HEAD_MAX):find(",", 1, true)
end

--- The type it says, without reading what it holds.
-- @tparam string url
-- @treturn ?string such as "image/png"; nil when it has no comma
function M.type_of(url)
  local comma = find_comma(url)
  return comma and (read_head(url:sub(6, comma - 1))) or nil
end

--- Take one apart.
-- @tparam string url
-- @treturn ?table `type`, `parameters` (";charset=utf-8" or ""), `data`, `extension`, `name`
-- (nil: it says none); nil: it is not well formed
function M.read(url)
  local comma = find_comma(url)
  if not comma then
    return nil
  end
  local media_type, parameters, is_base64, name = read_head(url:sub(6, comma - 1))
  local data = (is_base64 and decode or M.unescape)(url:sub(comma + 1))
  return data and { type = media_type, parameters = parameters, data = data,
    extension = EXTENSIONS[media_type] or "", name = name }
end

return M
