--- A client that says exactly what a spec tells it to, over qqmail.net.
local net = require("qqmail.net")

local M = {}

local Client = {}
Client.__index = Client

-- Seconds any one answer may take.
local PATIENCE = 10

local function wait(stream, direction, deadline)
  assert(net.wait(stream:fd(), direction, deadline - net.now()))
end

--- Connects to 127.0.0.1.
function M.connect(port)
  local stream = assert(net.connect({ address = "127.0.0.1", port = port }))
  local deadline = net.now() + PATIENCE
  while not stream:connected() do
    wait(stream, "w", deadline)
  end
  return setmetatable({ stream = stream, inbox = "" }, Client)
end

function Client:send(bytes)
  local at, deadline = 1, net.now() + PATIENCE
  while at <= #bytes do
    local n, why = self.stream:write(bytes, at)
    if n then
      at = at + n
    else
      assert(why == "again", why)
      wait(self.stream, "w", deadline)
    end
  end
end

-- Reads more; nil and the reason at the end of the stream.
function Client:more(deadline)
  while true do
    local bytes, why, text = self.stream:read(65536)
    if bytes then
      self.inbox = self.inbox .. bytes
      return true
    elseif why ~= "again" then
      return nil, text or why
    end
    wait(self.stream, "r", deadline)
  end
end

--- One line with its line end; at the end of the stream nil, the reason and
-- what came without a line end.
function Client:line()
  local deadline = net.now() + PATIENCE
  while true do
    local stop = self.inbox:find("\n", 1, true)
    if stop then
      local line = self.inbox:sub(1, stop)
      self.inbox = self.inbox:sub(stop + 1)
      return line
    end
    local more, why = self:more(deadline)
    if not more then
      return nil, why, self.inbox
    end
  end
end

--- One reply, all its lines with their line ends.
function Client:reply()
  local out = {}
  repeat
    local line, why, rest = self:line()
    if not line then
      return nil, why, table.concat(out) .. rest
    end
    out[#out + 1] = line
  until not line:find("^%d%d%d%-")
  return table.concat(out)
end

--- Sends a command and answers its reply.
function Client:ask(command)
  self:send(command .. "\r\n")
  return self:reply()
end

--- Everything up to the end of the stream, and how it ended.
function Client:rest()
  local deadline = net.now() + PATIENCE
  while true do
    local more, why = self:more(deadline)
    if not more then
      return self.inbox, why
    end
  end
end

function Client:close()
  self.stream:close()
end

return M
