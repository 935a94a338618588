--- A small JSON reader (RFC 8259) for specs that run over corpora.
--
-- Arrays and objects become tables, `null` becomes `json.null` (a value of its
-- own, so that arrays keep their places). Strings come out as UTF-8; an
-- unpaired surrogate escape gives its three bytes as they are, because corpora
-- of hostile input hold such things on purpose.

local M = {}

--- What `null` decodes to.
M.null = setmetatable({}, { __tostring = function() return "null" end })

local ESCAPES = {
  ['"'] = '"', ["\\"] = "\\", ["/"] = "/",
  b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
}

local DEEPEST = 200

local function fail(at, what)
  error(("JSON: %s at byte %d"):format(what, at), 0)
end

local function skip_blanks(text, at)
  return text:find("[^ \t\r\n]", at) or #text + 1
end

local function utf8_bytes(code)
  local floor, char = math.floor, string.char
  if code < 0x80 then
    return char(code)
  elseif code < 0x800 then
    return char(0xC0 + floor(code / 64), 0x80 + code % 64)
  elseif code < 0x10000 then
    return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
  end
  return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64,
    0x80 + floor(code / 64) % 64, 0x80 + code % 64)
end

local function read_hex(text, at)
  local digits = text:match("^%x%x%x%x", at)
  if not digits then
    fail(at, "four hexadecimal digits expected")
  end
  return tonumber(digits, 16)
end

-- `at` is the first digit; answers the bytes and the place behind the escape.
local function read_unicode(text, at)
  local code = read_hex(text, at)
  if code >= 0xD800 and code < 0xDC00 and text:find("^\\u[Dd][C-Fc-f]", at + 4) then
    local low = read_hex(text, at + 6)
    return utf8_bytes(0x10000 + (code - 0xD800) * 1024 + low - 0xDC00), at + 10
  end
  return utf8_bytes(code), at + 4
end

-- `at` is the byte behind the opening quote.
local function read_string(text, at)
  local parts = {}
  while true do
    local stop = text:find('[%c"\\]', at)
    if not stop then
      fail(#text + 1, "unfinished string")
    end
    parts[#parts + 1] = text:sub(at, stop - 1)
    local c = text:sub(stop, stop)
    at = stop + 2
    if c == '"' then
      return table.concat(parts), stop + 1
    elseif c == "\127" then
      parts[#parts + 1], at = c, stop + 1
    elseif c ~= "\\" then
      fail(stop, "control character in a string")
    elseif text:sub(stop + 1, stop + 1) == "u" then
      parts[#parts + 1], at = read_unicode(text, at)
    else
      parts[#parts + 1] = ESCAPES[text:sub(stop + 1, stop + 1)] or fail(stop, "unknown escape")
    end
  end
end

local function read_number(text, at)
  local digits = text:match("^%-?%d+%.?%d*[eE]?[+-]?%d*", at)
  local number = digits and tonumber(digits)
  if not number or digits:find("^%-?0%d") or digits:find("%.$") or digits:find("%.[eE]") then
    fail(at, "malformed value")
  end
  return number, at + #digits
end

local read_value

local function read_array(text, at, depth)
  local array, count = {}, 0
  at = skip_blanks(text, at)
  if text:sub(at, at) == "]" then
    return array, at + 1
  end
  while true do
    count = count + 1
    array[count], at = read_value(text, at, depth + 1)
    at = skip_blanks(text, at)
    local c = text:sub(at, at)
    if c == "]" then
      return array, at + 1
    elseif c ~= "," then
      fail(at, "',' or ']' expected")
    end
    at = at + 1
  end
end

local function read_member(text, at, depth)
  at = skip_blanks(text, at)
  if text:sub(at, at) ~= '"' then
    fail(at, "a member name expected")
  end
  local name, value
  name, at = read_string(text, at + 1)
  at = skip_blanks(text, at)
  if text:sub(at, at) ~= ":" then
    fail(at, "':' expected")
  end
  value, at = read_value(text, at + 1, depth + 1)
  return name, value, at
end

local function read_object(text, at, depth)
  local object = {}
  local first = skip_blanks(text, at)
  if text:sub(first, first) == "}" then
    return object, first + 1
  end
  while true do
    local name, value
    name, value, at = read_member(text, at, depth)
    object[name] = value
    at = skip_blanks(text, at)
    local c = text:sub(at, at)
    if c == "}" then
      return object, at + 1
    elseif c ~= "," then
      fail(at, "',' or '}' expected")
    end
    at = at + 1
  end
end

local WORDS = { { "true", true }, { "false", false }, { "null", M.null } }

function read_value(text, at, depth)
  at = skip_blanks(text, at)
  local c = text:sub(at, at)
  if depth > DEEPEST then
    fail(at, "nested too deeply")
  elseif c == '"' then
    return read_string(text, at + 1)
  elseif c == "{" then
    return read_object(text, at + 1, depth)
  elseif c == "[" then
    return read_array(text, at + 1, depth)
  end
  for _, word in ipairs(WORDS) do
    if text:sub(at, at + #word[1] - 1) == word[1] then
      return word[2], at + #word[1]
    end
  end
  return read_number(text, at)
end

--- Decodes one JSON text; raises when it is malformed.
-- @tparam string text
-- @return the value
function M.decode(text)
  local value, at = read_value(text, 1, 0)
  at = skip_blanks(text, at)
  if at <= #text then
    fail(at, "something behind the value")
  end
  return value
end

--- Reads a whole file, or answers nil when there is none (a spec is then
-- pending).
-- @tparam string path
-- @treturn ?string
function M.read_file(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local text = file:read("*a")
  file:close()
  return text
end

--- Decodes a file with one JSON value for each line; nil when there is none.
-- @tparam string path
-- @treturn ?table list of values
function M.read_lines(path)
  local text = M.read_file(path)
  if not text then
    return nil
  end
  local rows = {}
  for line in text:gmatch("[^\n]+") do
    rows[#rows + 1] = M.decode(line)
  end
  return rows
end

return M
