-- check_functions.lua [ROOT]: how long the C functions are.
--
-- None over 80 lines, 90 % of them at most 40, counted from the line of the
-- opening brace to that of the closing one. Relies on the format: both braces
-- of a function, and no other, stand alone in the first column.

local root = arg[1] or "."

local MAX = 80
local USUAL = 40

local lengths = {}
local offences = 0

local function list_files()
  local out = {}
  local pipe = assert(io.popen(("cd '%s' && find csrc spec/c -type f -name '*.[ch]' | sort")
    :format(root)))
  for path in pipe:lines() do
    out[#out + 1] = path
  end
  pipe:close()
  return out
end

-- The name in a head such as `static int find(struct a *b,` (first line).
local function name_of(head)
  return head:match("([%w_]+)%s*%(") or "?"
end

local function measure(path)
  local number, open, head = 0, nil, ""
  for line in io.lines(root .. "/" .. path) do
    number = number + 1
    if line == "{" then
      open = number
    elseif line == "}" and open then
      local length = number - open + 1
      lengths[#lengths + 1] = length
      if length > MAX then
        offences = offences + 1
        print(("%s:%d: %s() has %d lines, %d allowed"):format(path, open, name_of(head), length,
          MAX))
      end
      open = nil
    elseif not open and line:find("^[%a_]") then
      head = line
    end
  end
end

for _, path in ipairs(list_files()) do
  measure(path)
end
if #lengths == 0 then
  print("check_functions: no function found")
  os.exit(1)
end
table.sort(lengths)
local median = lengths[math.ceil(#lengths / 2)]
local ninety = lengths[math.ceil(#lengths * 0.9)]
if ninety > USUAL then
  offences = offences + 1
  print(("the 90th percentile is %d lines, %d allowed"):format(ninety, USUAL))
end
print(("check_functions: %d functions, median %d, 90 %% at most %d, longest %d lines"):format(
  #lengths, median, ninety, lengths[#lengths]))
os.exit(offences == 0 and 0 or 1)
