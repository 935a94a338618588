--- Values between the scripted server's process and the one that started it.
-- A frame is the length of its value in eight hexadecimal digits, then the
-- value: `t`, `f`, `d<number>;`, `s<length>:<bytes>` or `{key value ... }`.
-- Strings may hold any byte.
-- @module qqmail.testing.wire

local M = {}

local HEAD = 8

local function number_text(value)
  if value % 1 == 0 and value > -2^53 and value < 2^53 then
    return ("%.0f"):format(value)
  end
  return ("%.17g"):format(value)
end

local write_value

local WRITERS = {
  boolean = function(value, out) out[#out + 1] = value and "t" or "f" end,
  number = function(value, out) out[#out + 1] = "d" .. number_text(value) .. ";" end,
  string = function(value, out) out[#out + 1] = "s" .. #value .. ":" .. value end,
  table = function(value, out)
    out[#out + 1] = "{"
    for key, item in pairs(value) do
      write_value(key, out)
      write_value(item, out)
    end
    out[#out + 1] = "}"
  end,
}

function write_value(value, out)
  local writer = WRITERS[type(value)]
  if not writer then
    error("a " .. type(value) .. " cannot be handed to another process", 0)
  end
  writer(value, out)
end

--- Makes a frame. Raises when the value holds a function or userdata.
-- @param value nil not allowed
-- @treturn string the frame
function M.encode(value)
  local out = {}
  write_value(value, out)
  local text = table.concat(out)
  return ("%08x"):format(#text) .. text
end

local read_value

local READERS = {
  t = function(_, at) return true, at end,
  f = function(_, at) return false, at end,
  d = function(text, at)
    local stop = text:find(";", at, true)
    return tonumber(text:sub(at, stop - 1)), stop + 1
  end,
  s = function(text, at)
    local colon = text:find(":", at, true)
    local stop = colon + tonumber(text:sub(at, colon - 1))
    return text:sub(colon + 1, stop), stop + 1
  end,
  ["{"] = function(text, at)
    local value = {}
    while text:sub(at, at) ~= "}" do
      local key, behind = read_value(text, at)
      value[key], at = read_value(text, behind)
    end
    return value, at + 1
  end,
}

function read_value(text, at)
  return READERS[text:sub(at, at)](text, at + 1)
end

--- Takes the first whole frame off a buffer.
-- @tparam string buffer
-- @return the value, or nil while the frame is not complete
-- @treturn string what is left of the buffer
function M.decode(buffer)
  local length = tonumber(buffer:sub(1, HEAD), 16)
  if #buffer < HEAD or #buffer < HEAD + length then
    return nil, buffer
  end
  return (read_value(buffer, HEAD + 1)), buffer:sub(HEAD + length + 1)
end

--- How many more bytes the first frame of a buffer needs (at least 1 while it is
-- not complete), so that a long frame is put together once.
-- @tparam number have bytes at hand
-- @tparam string head the first bytes, at least eight when there are as many
-- @treturn number
function M.missing(have, head)
  if have < HEAD then
    return HEAD - have
  end
  return HEAD + tonumber(head:sub(1, HEAD), 16) - have
end

return M
