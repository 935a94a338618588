--- Base64 in plain Lua, so that the scripted server judges what the library
-- encodes with code of its own.
-- @module qqmail.testing.base64

local M = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local VALUE = {}
for i = 1, #ALPHABET do
  VALUE[ALPHABET:byte(i)] = i - 1
end

local floor = math.floor

--- @tparam string text without line ends
-- @treturn ?string nil when it is not strict base64
function M.decode(text)
  local padding = text:match("^[A-Za-z0-9+/]*(=?=?)$")
  if not padding or #text % 4 ~= 0 then
    return nil
  end
  local out = {}
  for at = 1, #text, 4 do
    local a, b, c, d = text:byte(at, at + 3)
    local bits = VALUE[a] * 262144 + VALUE[b] * 4096 + (VALUE[c] or 0) * 64 + (VALUE[d] or 0)
    out[#out + 1] = string.char(floor(bits / 65536), floor(bits / 256) % 256, bits % 256)
  end
  local bytes = table.concat(out)
  return bytes:sub(1, #bytes - #padding)
end

--- @tparam string bytes
-- @treturn string
function M.encode(bytes)
  local out = {}
  for at = 1, #bytes, 3 do
    local a, b, c = bytes:byte(at, at + 2)
    local bits = a * 65536 + (b or 0) * 256 + (c or 0)
    for _, shift in ipairs({ 262144, 4096, 64, 1 }) do
      local value = floor(bits / shift) % 64 + 1
      out[#out + 1] = ALPHABET:sub(value, value)
    end
    if not c then
      out[#out] = "="
    end
    if not b then
      out[#out - 1] = "="
    end
  end
  return table.concat(out)
end

return M
