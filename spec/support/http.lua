--- HTTP/1.0 over a unix socket, one request a connection.
local net = require("qqmail.net")

local M = {}

local Exchange = {}
Exchange.__index = Exchange

-- Seconds a request may take.
local PATIENCE = 30

local function wait(self, direction)
  return net.wait(self.stream:fd(), direction, math.max(0, self.deadline - net.now()))
end

local function connect(path)
  local stream, _, text = net.connect({ path = path })
  if not stream then
    return nil, text
  end
  local connected, _, why = stream:connected()
  if not connected then
    stream:close()
    return nil, why
  end
  return stream
end

--- Whether somebody listens.
function M.is_open(path)
  local stream = connect(path)
  if stream then
    stream:close()
  end
  return stream ~= nil
end

local function send(self, bytes)
  local at = 1
  while at <= #bytes do
    local count, why, text = self.stream:write(bytes, at)
    if count then
      at = at + count
    elseif why ~= "again" then
      return nil, text or why
    elseif not wait(self, "w") then
      return nil, "timeout"
    end
  end
  return true
end

local function receive(self)
  local parts = {}
  while true do
    local bytes, why, text, how = self.stream:read(16384)
    if bytes then
      parts[#parts + 1] = bytes
    elseif why == "closed" then
      return table.concat(parts), how
    elseif why ~= "again" then
      return nil, text or why
    elseif not wait(self, "r") then
      return nil, "timeout"
    end
  end
end

local function head(path, body)
  if not body then
    return ("GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n"):format(path)
  end
  return ("POST %s HTTP/1.0\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"):format(path, #body)
end

--- Sends a request.
-- @tparam string socket path
-- @tparam string path of the resource
-- @tparam ?string body makes it a POST
-- @return an exchange
function M.begin(socket, path, body)
  local self = setmetatable({ deadline = net.now() + PATIENCE }, Exchange)
  self.stream, self.failure = connect(socket)
  if self.stream then
    local ok, why = send(self, head(path, body) .. (body or ""))
    self.failure = not ok and why or nil
  end
  return self
end

-- Whether the body is as long as its length was told to be.
local function is_whole(text, body)
  local length = tonumber(text:lower():match("\r\ncontent%-length: *(%d+)"))
  return not length or length == #body
end

local function parse(text)
  local top, body = text:match("^(HTTP/.-\r\n)\r\n(.*)$")
  local status = top and tonumber(top:match("^HTTP/%d%.%d (%d%d%d)"))
  if not status then
    return nil, "no answer"
  elseif not is_whole(top, body) then
    return nil, "half an answer"
  end
  return status, body, top
end

--- Waits for the answer.
-- @tparam ?number seconds from now on; default: what is left of 30
-- @treturn ?number status; nil when there was no whole answer
-- @treturn string body, or why there is none
-- @treturn ?string status line and header fields
function Exchange:answer(seconds)
  if not self.stream or self.failure then
    self:close()
    return nil, self.failure
  end
  self.deadline = seconds and net.now() + seconds or self.deadline
  local text, why = receive(self)
  self:close()
  if not text then
    return nil, why
  end
  return parse(text)
end

--- Hangs up.
function Exchange:close()
  if self.stream then
    self.stream:close()
    self.stream = nil
  end
end

return M
