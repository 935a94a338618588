-- Running a command from a spec: output and exit status, the same way on every
-- Lua (5.1 cannot tell the status of a pipe).
local M = {}

--- The interpreter under test, for child processes.
M.lua = os.getenv("LUA") or (jit and "luajit" or "lua" .. _VERSION:match("%d%.%d"))

function M.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Both streams and the status of a shell command.
-- @tparam string command
-- @treturn string output
-- @treturn number status
function M.run(command)
  local pipe = assert(io.popen("{ " .. command .. "\n} 2>&1 </dev/null; echo \"status $?\""))
  local text = pipe:read("*a")
  pipe:close()
  local output, status = text:match("^(.*)status (%d+)\n$")
  return output, tonumber(status)
end

--- A folder of its own, and a function that removes it.
-- @treturn string path
-- @treturn function
function M.folder()
  local path = M.run("mktemp -d"):gsub("%s+$", "")
  assert(path:find("^/"), path)
  return path, function()
    M.run("rm -rf " .. M.quote(path))
  end
end

--- How many mails of the outbox are in the files below a folder, however many
-- stand in one file.
function M.count_mails(folder)
  local output = M.run(("grep -rao 'X-Qqmail-Outbox: 1' %s | wc -l"):format(M.quote(folder)))
  return tonumber(output)
end

--- Writes a file and the folders above it.
function M.write(path, text)
  M.run("mkdir -p " .. M.quote(path:match("^(.*)/")))
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

return M
