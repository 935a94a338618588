--- Asks dkimpy, which nobody of this project wrote, about signatures. Keys come from
-- records the caller gives; nothing is looked up.
local shell = require("spec.support.shell")

local M = {}

local PROGRAM = "spec/support/verify_dkim.py"

-- Packages of the system are seen by its own python3, which need not be the first.
local function find_python()
  for _, name in ipairs({ "/usr/bin/python3", "python3" }) do
    local _, status = shell.run(name .. " -c 'import dkim' 2>&1")
    if status == 0 then
      return name
    end
  end
end

local python = find_python()

--- Why dkimpy cannot be asked here; nil when it can.
function M.missing()
  return not python and "python3-dkim is not installed" or nil
end

local function write(content)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  assert(file:write(content))
  assert(file:close())
  return path
end

local function read(output, count)
  local out = {}
  for number = 1, count do
    out[number] = {}
  end
  for line in output:gmatch("[^\n]+") do
    local number, _, verdict, domain, why = line:match("^(%d+)\t(%d+)\t(%a+)\t([^\t]*)\t(.*)$")
    assert(number, line)
    table.insert(out[tonumber(number)], { passed = verdict == "pass", domain = domain, why = why })
  end
  return out
end

--- Verify. One process for all messages.
-- @tparam {string,...} messages with CRLF or LF line ends
-- @tparam table records by name in DNS
-- @treturn table for each message the list of its signatures: `passed`, `domain`, `why`
function M.verify(messages, records)
  local lines = {}
  for name, text in pairs(records) do
    lines[#lines + 1] = name .. "\t" .. text .. "\n"
  end
  local paths = { write(table.concat(lines)) }
  for _, message in ipairs(messages) do
    paths[#paths + 1] = write(message)
  end
  local output, status = shell.run(("%s %s %s"):format(python, PROGRAM, table.concat(paths, " ")))
  for _, path in ipairs(paths) do
    os.remove(path)
  end
  assert(status == 0, output)
  return read(output, #messages)
end

return M
