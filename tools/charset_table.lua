-- charset_table.lua [FOLDER]: how often the charset of a short Chinese text is found out.
-- Strings are those of the message catalogues of this system, and of FOLDER if given
-- (charset_strings.py). The table of the core was counted from the part "tuned": only the
-- other parts say how good it is, and fail below the floors. Run from the root, with the
-- library on package.path.
local charsets = require("qqmail.message.charset")

-- In percent, for 2, 3, 4, 6 and 10 characters. Traditional text in a mainland
-- charset is rare, and short pieces of it are anybody's guess.
local ROWS = {
  { "simplified as GB18030", "gb18030", { 99, 99.9, 100, 100, 100 } },
  { "traditional as Big5", "big5", { 97, 99, 99, 100, 100 } },
  { "traditional as GB18030", "gb18030", { 90, 90, 95, 95, 99 } },
  { "simplified as UTF-8", "utf-8", { 100, 100, 100, 100, 100 } },
  { "traditional as UTF-8", "utf-8", { 100, 100, 100, 100, 100 } },
}
local PARTS = { "tuned", "held out", "folder" }
local LENGTHS = { 2, 3, 4, 6, 10 }
local COUNT = 2000

-- The charset as a message with `charset = "auto"` has it; nil when it is refused.
local function charset_of(text)
  local convert, _, guessed = charsets.converter("en", "auto")
  return convert(text, "text") and guessed.text
end

local function key_of(part, name, length)
  return part .. "/" .. name .. "/" .. length
end

local function expected_charsets()
  local expected = {}
  for _, row in ipairs(ROWS) do
    expected[row[1]] = row[2]
  end
  return expected
end

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function measure(folder)
  local counts, expected = {}, expected_charsets()
  local command = ("python3 tools/charset_strings.py %s %d %s"):format(
    table.concat(LENGTHS, ","), COUNT, folder and quoted(folder) or "")
  local pipe = assert(io.popen(command))
  for line in pipe:lines() do
    local part, name, length, hex = line:match("^(.-)\t(.-)\t(%d+)\t(%x+)$")
    local text = hex:gsub("%x%x", function(digits)
      return string.char(tonumber(digits, 16))
    end)
    local key = key_of(part, name, length)
    local count = counts[key] or { right = 0, all = 0 }
    counts[key] = count
    count.all = count.all + 1
    if charset_of(text) == expected[name] then
      count.right = count.right + 1
    end
  end
  pipe:close()
  return counts
end

-- Whether all of a row is there and not below its floors.
local function print_row(counts, part, row)
  local cells, is_good = {}, true
  for index, length in ipairs(LENGTHS) do
    local count = counts[key_of(part, row[1], length)]
    local share = count and 100 * count.right / count.all or 0
    local is_low = part ~= "tuned" and share < row[3][index]
    cells[index] = ("%8.1f%s"):format(share, is_low and "!" or " ")
    is_good = is_good and not is_low
  end
  print((("%-26s%s"):format(row[1], table.concat(cells)):gsub("%s+$", "")))
  return is_good
end

local function main(folder)
  local counts, is_good = measure(folder), true
  if not next(counts) then
    print("no message catalogues here: install some packages with translations")
    os.exit(1)
  end
  for index = 1, folder and #PARTS or #PARTS - 1 do
    print(("%-26s%7d %8d %8d %8d %8d"):format(PARTS[index], LENGTHS[1], LENGTHS[2], LENGTHS[3],
      LENGTHS[4], LENGTHS[5]))
    for _, row in ipairs(ROWS) do
      is_good = print_row(counts, PARTS[index], row) and is_good
    end
  end
  os.exit(is_good and 0 or 1)
end

main(arg[1])
