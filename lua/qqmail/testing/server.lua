--- A scripted SMTP server in a process of its own.
-- @module qqmail.testing.server

local net = require("qqmail.net")
local wire = require("qqmail.testing.wire")

local M = {}

local Server = {}
Server.__index = Server

-- Seconds the process may take to answer.
local PATIENCE = 30

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- The program that runs us: what the command line began with.
local function find_interpreter()
  local words = rawget(_G, "arg")
  local first
  local at = -1
  while words and words[at] do
    first = words[at]
    at = at - 1
  end
  if first then
    return first
  end
  local pipe = assert(io.popen("readlink /proc/$PPID/exe"))
  first = pipe:read("*l")
  pipe:close()
  return first or "lua"
end

-- The shell ends at once and leaves the server in the background, so that
-- closing the pipe never waits; the server ends with its control connection.
local function launch(interpreter)
  local code = ("package.path = %q package.cpath = %q require('qqmail.testing.child').main()")
    :format(package.path, package.cpath)
  local command = ("%s -e %s </dev/null &"):format(quote(interpreter), quote(code))
  local pipe = assert(io.popen(command))
  local port, token = (pipe:read("*l") or ""):match("^(%d+) (%x+)$")
  if not port then
    pipe:close()
    error("the scripted server did not start (interpreter: " .. interpreter .. ")", 0)
  end
  return pipe, tonumber(port), token
end

local function wait_ready(stream, direction, deadline)
  if not net.wait(stream:fd(), direction, deadline - net.now()) then
    error("the scripted server does not answer", 0)
  end
end

local function connect(port)
  local deadline = net.now() + PATIENCE
  local stream = assert(net.connect({ address = "127.0.0.1", port = port }))
  while true do
    local done, why, text = stream:connected()
    if done then
      return stream
    elseif why ~= "again" then
      error("the scripted server cannot be reached: " .. tostring(text or why), 0)
    end
    wait_ready(stream, "w", deadline)
  end
end

local function send_all(stream, bytes, deadline)
  local at = 1
  while at <= #bytes do
    local n, why = stream:write(bytes, at)
    if n then
      at = at + n
    elseif why == "again" then
      wait_ready(stream, "w", deadline)
    else
      error("the scripted server is gone", 0)
    end
  end
end

local function receive_frame(stream, deadline)
  local parts, have, head = {}, 0, ""
  while wire.missing(have, head) > 0 do
    local bytes, why = stream:read(65536)
    if bytes then
      parts[#parts + 1] = bytes
      have = have + #bytes
      head = #head < 8 and (head .. bytes):sub(1, 8) or head
    elseif why == "again" then
      wait_ready(stream, "r", deadline)
    else
      error("the scripted server is gone", 0)
    end
  end
  return (wire.decode(table.concat(parts)))
end

function Server:request(request, seconds)
  if not self.control then
    error("the scripted server is stopped", 3)
  end
  local deadline = net.now() + PATIENCE + (seconds or 0)
  send_all(self.control, wire.encode(request), deadline)
  local answer = receive_frame(self.control, deadline)
  if answer.error then
    error(answer.error, 3)
  end
  return answer
end

--- Starts a server on a loopback port of its own.
--
-- Options: `scenario` ("basic", "qq", "netease" or the name of a module),
-- `address` (a numeric loopback address, default 127.0.0.1),
-- `mode` ("plain", "starttls", "implicit"), `cert` and `key` (files, needed for
-- TLS), `tls` = `{ min_version=, max_version=, ciphers=, verify=, ca_file= }` (with
-- `verify` the client must show a certificate), `users` = `{ [user]=password }`,
-- `ehlo` and `ehlo_tls` (lists of capabilities), `require_auth`, `size_limit`,
-- `pipelining`, `chunking` ("unknown": offered, but BDAT is not known), `eightbitmime`,
-- `smtputf8`, `dsn`, `requiretls` (whether they are offered; the latter within TLS), `lmtp`,
-- `close_notify`, `greeting_multiline`;
--
-- `replies` = `{ [phase]= reply | { reply, ... } | { [address]= reply } }`: what
-- is said instead, once for each item of a list (`false`: as usual);
-- `after` = `{ [phase]= bytes }` sent with the reply of that phase;
-- `delay` = seconds or `{ [phase]= seconds }`; `drip` = seconds a byte;
-- `split_writes` = bytes a write; `drop_at` = phase, `how` = "fin", "rst" or
-- "stall", `drop_times`, `drop_after` (bytes, for phase "body");
-- `cut_out_after`, `cut_in_after` = bytes until the connection ends (`how`), `cut_times`
-- = only for so many connections, `cut_wire` = with implicit TLS the bytes of its
-- records are counted, not those in them;
-- `during_body` = `{ after= bytes, reply=, how= }`; `discard` = keep no data;
-- `spool` = directory for the data of messages.
--
-- Phases: connect tls greeting ehlo helo starttls challenge auth mail rcpt data
-- body bdat dot rset noop quit unknown.
-- @tparam[opt] table options
-- @return server with `host` and `port`
function M.start(options)
  options = options or {}
  local pipe, port, token = launch(options.interpreter or find_interpreter())
  local self = setmetatable({ pipe = pipe, host = "127.0.0.1" }, Server)
  self.control = connect(port)
  send_all(self.control, wire.encode({ token = token }), net.now() + PATIENCE)
  local ok, answer = pcall(self.request, self, { op = "start", options = options })
  if not ok then
    self:stop()
    error(answer, 2)
  end
  self.host, self.port = options.address or self.host, answer.port
  return self
end

--- The messages the server took, in order: `{ from=, params=, to={...}, data=,
-- size=, auth=, tls=, helo=, bare_newline=, reply= }`. `data` is without dot
-- stuffing; `reply` is nil when the connection was dropped instead, or cut within it.
function Server:messages()
  return self:request({ op = "get", what = "messages" }).value
end

--- The messages that were received whole and refused.
function Server:rejected()
  return self:request({ op = "get", what = "rejected" }).value
end

--- A record of each connection: `{ peer=, lines={ { dir="C"|"S", line=, t= } },
-- defects={ { what=, line= } }, closed="client"|"server"|nil, tls=, helo= }`.
function Server:connections()
  return self:request({ op = "get", what = "connections" }).value
end

--- What clients did that a correct one does not, of all connections.
function Server:defects()
  local list = {}
  for _, record in ipairs(self:connections()) do
    for _, defect in ipairs(record.defects) do
      list[#list + 1] = defect
    end
  end
  return list
end

--- How many AUTH commands came.
function Server:auth_attempts()
  return self:request({ op = "get", what = "auth_attempts" }).value
end

--- Changes options for connections to come; `false` takes one away.
function Server:set(options)
  self:request({ op = "set", options = options })
end

--- Forgets messages and counts.
function Server:clear()
  self:request({ op = "clear" })
end

--- Waits until the server has `n` of something.
-- @tparam number n
-- @tparam number seconds at most
-- @tparam[opt="messages"] string what "messages", "rejected", "connections",
-- "closed" (connections) or "auth_attempts"
-- @treturn ?boolean true, or nil, "timeout" and how many there are
function Server:wait(n, seconds, what)
  local answer = self:request(
    { op = "wait", n = n, seconds = seconds, what = what or "messages" }, seconds)
  if answer.reached then
    return true
  end
  return nil, "timeout", answer.count
end

--- Ends the process and waits for its end. Idempotent.
function Server:stop()
  if self.control then
    self.control:close()
    self.control = nil
  end
  if self.pipe then
    self.pipe:read("*a")
    self.pipe:close()
    self.pipe = nil
  end
end

return M
