-- charset_table.lua: how often the charset of a short Chinese text is found out.
-- Strings are those of the message catalogues of this system (charset_strings.py).
-- Fails below the floors. Run from the root, with the library on package.path.
local codec = require("qqmail.core").codec

-- In percent, for 2, 3, 4, 6 and 10 characters. Traditional text in a mainland
-- charset is rare, and short pieces of it are anybody's guess.
local ROWS = {
  { "simplified as GB18030", "gb18030", { 99, 99.9, 100, 100, 100 } },
  { "traditional as Big5", "big5", { 97, 99, 99, 100, 100 } },
  { "traditional as GB18030", "gb18030", { 90, 90, 95, 95, 99 } },
  { "simplified as UTF-8", "utf-8", { 100, 100, 100, 100, 100 } },
  { "traditional as UTF-8", "utf-8", { 100, 100, 100, 100, 100 } },
}
local LENGTHS = { 2, 3, 4, 6, 10 }
local COUNT = 2000

local expected = {}
for _, row in ipairs(ROWS) do
  expected[row[1]] = row[2]
end

local function key_of(name, length)
  return name .. "/" .. length
end

local function measure()
  local counts = {}
  local command = ("python3 tools/charset_strings.py %s %d"):format(
    table.concat(LENGTHS, ","), COUNT)
  local pipe = assert(io.popen(command))
  for line in pipe:lines() do
    local name, length, hex = line:match("^(.-)\t(%d+)\t(%x+)$")
    local text = hex:gsub("%x%x", function(digits)
      return string.char(tonumber(digits, 16))
    end)
    local key = key_of(name, length)
    local count = counts[key] or { right = 0, all = 0 }
    counts[key] = count
    count.all = count.all + 1
    if codec.guess_charset(text) == expected[name] then
      count.right = count.right + 1
    end
  end
  pipe:close()
  return counts
end

local function main()
  local counts, low = measure(), false
  print(("%-26s%9d%9d%9d%9d%9d"):format("characters", LENGTHS[1], LENGTHS[2], LENGTHS[3],
    LENGTHS[4], LENGTHS[5]))
  for _, row in ipairs(ROWS) do
    local cells = {}
    for index, length in ipairs(LENGTHS) do
      local count = counts[key_of(row[1], length)]
      if not count then
        print("no message catalogues here: install some packages with translations")
        os.exit(1)
      end
      local share = 100 * count.right / count.all
      low = low or share < row[3][index]
      cells[index] = ("%8.1f%s"):format(share, share < row[3][index] and "!" or " ")
    end
    print(("%-26s%s"):format(row[1], table.concat(cells)))
  end
  os.exit(low and 1 or 0)
end

main()
