--- Writes JSON (RFC 8259), one value on one line.
--
-- * Text is always valid UTF-8: a byte that belongs to no character becomes U+FFFD.
--   Control characters (C0, DEL, C1) and U+2028, U+2029 are escaped, so that a line
--   can neither be broken nor move a terminal's cursor.
-- * Numbers that are whole have no ".0" under any Lua; NaN and the infinities are null.
-- * A table whose keys are 1 to n is an array, and so is an empty one; a table whose
--   keys are all strings is an object, and so is an empty one from `json.object`. Any
--   other table is refused.
-- * The keys of an object are sorted, so that equal values give equal bytes.
-- @module qqmail.json

local M = {}

--- Tables may stand inside each other so deep.
M.MAX_DEPTH = 64

local NULL = setmetatable({}, { __name = "qqmail.json.null", __tostring = function()
  return "null"
end })

--- What is written as null inside a table, where Lua's nil cannot stand.
M.null = NULL

local OBJECT = { __name = "qqmail.json.object" }

--- Mark a table as an object, also while it is empty.
-- @tparam table value
-- @treturn table the same
function M.object(value)
  return setmetatable(value, OBJECT)
end

-- --- text -------------------------------------------------------------------

local REPLACEMENT = "\239\191\189"

-- RFC 3629 section 4: the well-formed sequences, by their first byte.
local function sequence_of(first)
  if first < 0xC2 or first > 0xF4 then
    return nil
  elseif first < 0xE0 then
    return "^.[\128-\191]"
  elseif first < 0xF0 then
    local second = first == 0xE0 and "[\160-\191]" or first == 0xED and "[\128-\159]"
      or "[\128-\191]"
    return "^." .. second .. "[\128-\191]"
  end
  local second = first == 0xF0 and "[\144-\191]" or first == 0xF4 and "[\128-\143]"
    or "[\128-\191]"
  return "^." .. second .. "[\128-\191][\128-\191]"
end

local SEQUENCES = {}

for first = 128, 255 do
  SEQUENCES[first] = sequence_of(first)
end

local function escaped(code)
  return ("\\u%04x"):format(code)
end

-- Line and paragraph separator end a line for JavaScript and for some viewers.
local SEPARATORS = { ["\226\128\168"] = "\\u2028", ["\226\128\169"] = "\\u2029" }

-- C1 in its UTF-8 form moves the cursor of some terminals.
local function shown(sequence)
  local control = sequence:match("^\194([\128-\159])$")
  return control and escaped(control:byte()) or SEPARATORS[sequence] or sequence
end

-- Bytes above 127 that stand side by side.
local function clean_run(run)
  local out, at = {}, 1
  while at <= #run do
    local pattern = SEQUENCES[run:byte(at)]
    local sequence = pattern and run:match(pattern, at)
    out[#out + 1] = sequence and shown(sequence) or REPLACEMENT
    at = at + (sequence and #sequence or 1)
  end
  return table.concat(out)
end

local SHORT = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
  ["\b"] = "\\b", ["\f"] = "\\f" }

local function escape(char)
  return SHORT[char] or escaped(char:byte())
end

-- Printable ASCII but for the quote and the backslash; and the same with what
-- `clean_run` looks at.
local NOT_PLAIN, TO_ESCAPE = "[^ !#-[%]^-~]", "[^ !#-[%]^-~\128-\255]"

local function write_text(text)
  if text:find(NOT_PLAIN) then
    text = text:gsub(TO_ESCAPE, escape):gsub("[\128-\255]+", clean_run)
  end
  return '"' .. text .. '"'
end

-- --- numbers ----------------------------------------------------------------

-- Lua 5.3 and later tell integers from floats.
local math_type = rawget(math, "type")

-- Above this a float is no longer sure to be the whole number that was meant.
local EXACT = 2 ^ 53

-- The shortest of the usual precisions that reads back as the same number. A locale
-- may write a comma.
local function write_float(value)
  for _, form in ipairs({ "%.14g", "%.15g", "%.16g" }) do
    local text = form:format(value)
    if tonumber(text) == value then
      return (text:gsub(",", "."))
    end
  end
  return (("%.17g"):format(value):gsub(",", "."))
end

local function write_number(value)
  if value ~= value or value == math.huge or value == -math.huge then
    return "null"
  elseif math_type and math_type(value) == "integer" then
    return ("%d"):format(value)
  elseif value % 1 == 0 and value > -EXACT and value < EXACT then
    -- Zero has two signs.
    return value == 0 and "0" or ("%.0f"):format(value)
  end
  return write_float(value)
end

-- --- tables -----------------------------------------------------------------

-- "array" or "object"; nil and what is wrong with its keys.
local function form_of(value)
  local count, texts = 0, 0
  for key in pairs(value) do
    count = count + 1
    texts = texts + (type(key) == "string" and 1 or 0)
  end
  if count == 0 then
    return getmetatable(value) == OBJECT and "object" or "array"
  elseif texts == count then
    return "object"
  end
  for index = 1, count do
    if value[index] == nil then
      return nil, "a table has keys that are neither 1 to n nor all texts"
    end
  end
  return "array"
end

local function sorted_keys(value, rank)
  local keys = {}
  for key in pairs(value) do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b)
    local x, y = rank[a], rank[b]
    if x and y then
      return x < y
    elseif x or y then
      return x ~= nil
    end
    return a < b
  end)
  return keys
end

local WRITERS

local function write(state, value)
  local writer = value == NULL and WRITERS["nil"] or WRITERS[type(value)]
  if not writer then
    return nil, "a " .. type(value) .. " cannot be written as JSON"
  end
  return writer(value, state)
end

local function write_array(value, state)
  local out = {}
  for index, item in ipairs(value) do
    local text, why = write(state, item)
    if not text then
      return nil, why
    end
    out[index] = text
  end
  return "[" .. table.concat(out, ",") .. "]"
end

local function write_object(value, state)
  local out = {}
  for index, key in ipairs(sorted_keys(value, state.rank)) do
    local text, why = write(state, value[key])
    if not text then
      return nil, why
    end
    out[index] = write_text(key) .. ":" .. text
  end
  return "{" .. table.concat(out, ",") .. "}"
end

local function write_table(value, state)
  local form, why = form_of(value)
  if not form then
    return nil, why
  elseif state.open[value] then
    return nil, "a table holds itself"
  elseif state.depth >= M.MAX_DEPTH then
    return nil, ("tables stand more than %d deep in each other"):format(M.MAX_DEPTH)
  end
  state.open[value], state.depth = true, state.depth + 1
  local text
  text, why = (form == "array" and write_array or write_object)(value, state)
  state.open[value], state.depth = nil, state.depth - 1
  return text, why
end

WRITERS = {
  ["nil"] = function()
    return "null"
  end,
  boolean = tostring,
  number = write_number,
  string = write_text,
  table = write_table,
}

--- Write a value as JSON.
-- @param value nil, boolean, number, string, `json.null`, or a table of such
-- @tparam ?table order list of keys that come first in each object, in this order;
-- the others follow, sorted
-- @treturn ?string the text, without a line break in it
-- @treturn ?string why it cannot be written: a function or the like, a table with
-- mixed keys, one that holds itself, or too many inside each other
function M.encode(value, order)
  local rank = {}
  for place, key in ipairs(order or {}) do
    rank[key] = place
  end
  return write({ open = {}, depth = 0, rank = rank }, value)
end

return M
