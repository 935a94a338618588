--- Runs Python programs: clients and parsers that nobody of this project wrote.
local M = {}

local function quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

--- Runs a program with python3 and answers what it prints. Raises with what it
-- says on standard error when it fails.
-- @tparam string program
-- @tparam[opt] string,... arguments in sys.argv
function M.run(program, ...)
  local words = { "python3", "-c", quote(program) }
  for i = 1, select("#", ...) do
    words[#words + 1] = quote((select(i, ...)))
  end
  local pipe = assert(io.popen(table.concat(words, " ") .. " 2>&1; echo \" $?\""))
  local output = pipe:read("*a")
  pipe:close()
  local text, status = output:match("^(.*) (%d+)\n$")
  if status ~= "0" then
    error("python3: " .. tostring(text), 2)
  end
  return text
end

--- Whether python3 is here.
function M.is_available()
  local pipe = assert(io.popen("command -v python3"))
  local line = pipe:read("*l")
  pipe:close()
  return line ~= nil
end

return M
