--- Asks Python's email package what it reads in our messages.

local json = require "spec.support.json"
local shell = require "spec.support.shell"

local M = {}

local function temporary(content)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  assert(file:write(content))
  assert(file:close())
  return path
end

--- What an independent parser reads in messages. One process for all of them.
-- @tparam table messages list of strings
-- @treturn table list of the objects that read_mail.py prints
function M.read(messages)
  local paths = {}
  for index, message in ipairs(messages) do
    paths[index] = temporary(message)
  end
  local output, status = shell.run("python3 spec/support/read_mail.py " .. table.concat(paths, " "))
  for _, path in ipairs(paths) do
    os.remove(path)
  end
  assert(status == 0, output)
  return json.decode(output)
end

return M
