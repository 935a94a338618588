--- Text for a terminal: columns that Chinese characters take, and lines that fit.
-- @module qqmail.doctor.layout

local M = {}

-- First and last code points of what takes two columns (Unicode TR 11, W and F).
local WIDE = {
  { 0x1100, 0x115F }, { 0x2E80, 0x303E }, { 0x3041, 0xA4CF }, { 0xA960, 0xA97F },
  { 0xAC00, 0xD7A3 }, { 0xF900, 0xFAFF }, { 0xFE30, 0xFE6F }, { 0xFF01, 0xFF60 },
  { 0xFFE0, 0xFFE6 }, { 0x1F300, 0x1FAFF }, { 0x20000, 0x3FFFD },
}

-- What no line may begin with, and what none may end with.
local CLOSING, OPENING = {}, {}

local ONE = "[%z\1-\127\192-\255][\128-\191]*"

for char in ("，。、；：？！）》”’」』】…％"):gmatch(ONE) do
  CLOSING[char] = true
end
for char in ("（《“‘「『【"):gmatch(ONE) do
  OPENING[char] = true
end

local function code_point(char)
  local first = char:byte()
  if first < 0xC0 then
    return first
  end
  local value = first < 0xE0 and first - 0xC0 or (first < 0xF0 and first - 0xE0 or first - 0xF0)
  for index = 2, #char do
    value = value * 64 + char:byte(index) - 0x80
  end
  return value
end

local function columns(char)
  local point = code_point(char)
  for _, range in ipairs(WIDE) do
    if point >= range[1] and point <= range[2] then
      return 2
    end
  end
  return 1
end

--- Columns that a text takes.
-- @tparam string text UTF-8
-- @treturn number
function M.width(text)
  local sum = 0
  for char in text:gmatch(ONE) do
    sum = sum + columns(char)
  end
  return sum
end

--- A text with blanks behind it, up to a number of columns.
-- @tparam string text
-- @tparam number width
-- @treturn string
function M.pad(text, width)
  return text .. (" "):rep(width - M.width(text))
end

-- A text as pieces between which a line may end: words of Latin letters, single Chinese
-- characters. `gap`: a blank stood before it.
local function pieces_of(text)
  local pieces, last, gap = {}, nil, false
  for char in text:gmatch(ONE) do
    local is_wide = columns(char) == 2 or CLOSING[char] or OPENING[char]
    if char == " " then
      gap = true
    else
      local joins = last and not gap and (CLOSING[char] or OPENING[last.tail]
        or not (is_wide or last.is_wide))
      if joins then
        last.text, last.tail, last.is_wide = last.text .. char, char, is_wide
      else
        last = { text = char, tail = char, is_wide = is_wide, gap = gap }
        pieces[#pieces + 1] = last
      end
      gap = false
    end
  end
  return pieces
end

--- Break a text into lines.
-- @tparam string text without line ends
-- @tparam number width columns of a line; a longer word has a line of its own
-- @treturn table list of lines
function M.wrap(text, width)
  local lines, line, used = {}, "", 0
  for _, piece in ipairs(pieces_of(text)) do
    local wide = M.width(piece.text)
    local gap = piece.gap and line ~= "" and 1 or 0
    if line ~= "" and used + gap + wide > width then
      lines[#lines + 1], line, used, gap = line, "", 0, 0
    end
    line, used = line .. (gap == 1 and " " or "") .. piece.text, used + gap + wide
  end
  lines[#lines + 1] = line
  return lines
end

return M
