--- The least an nginx worker can do to send this mail: a cosocket, nginx's own
-- TLS, a message made beforehand, no look at what the server offers. What it
-- takes is nginx and the sink; what others take more is theirs.
--
-- Its TLS 1.3 never resumes a session: this nginx module cannot.

local M = {}

local Client = {}
Client.__index = Client

local ENVELOPE = "MAIL FROM:<bench@example.com>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n"
local LOGIN = "AUTH PLAIN " .. ngx.encode_base64("\0bench@example.com\0bench") .. "\r\n"
local MESSAGE = "From: bench@example.com\r\nTo: user@example.com\r\n"
  .. "Subject: =?UTF-8?B?" .. ngx.encode_base64("磁盘告警 91%") .. "?=\r\n"
  .. "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <bench@example.com>\r\n"
  .. "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
  .. "Content-Transfer-Encoding: 8bit\r\n\r\n"
  .. ("The disk of the server is nearly full. 磁盘空间不足。\r\n"):rep(8) .. ".\r\n"

function M.new(query)
  return setmetatable({
    port = tonumber(query.port), is_tls = query.tls == "implicit",
    is_kept = query.connection == "kept",
  }, Client)
end

-- Raises unless the next answer begins with this code.
local function expect(socket, code)
  local line, err
  repeat
    line, err = socket:receive("*l")
    if not line then
      error("no answer: " .. err, 0)
    end
  until line:sub(4, 4) ~= "-"
  if line:sub(1, 3) ~= code then
    error("unexpected answer: " .. line, 0)
  end
end

local function say(socket, text, ...)
  assert(socket:send(text))
  for _, code in ipairs { ... } do
    expect(socket, code)
  end
end

local function log_in(self, socket)
  if self.is_tls then
    assert(socket:sslhandshake(false, "localhost", true))
  end
  expect(socket, "220")
  say(socket, "EHLO [127.0.0.1]\r\n", "250")
  say(socket, LOGIN, "235")
end

local function send(self)
  local socket = ngx.socket.tcp()
  socket:settimeouts(10000, 10000, 60000)
  local pool = { pool = "bare:" .. self.port, pool_size = 64 }
  assert(socket:connect("127.0.0.1", self.port, pool))
  if socket:getreusedtimes() == 0 then
    log_in(self, socket)
  end
  say(socket, ENVELOPE, "250", "250", "354")
  say(socket, MESSAGE, "250")
  if self.is_kept then
    return assert(socket:setkeepalive(60000, 64))
  end
  say(socket, "QUIT\r\n", "221")
  return socket:close()
end

function Client:send()
  return pcall(send, self)
end

return M
