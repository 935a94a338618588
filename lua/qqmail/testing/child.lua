--- The scripted server's own process: listens, runs the dialogues, and answers
-- the process that started it over one loopback connection. When that
-- connection ends, so does this process: nothing is left behind.
-- @module qqmail.testing.child

local connection = require("qqmail.testing.connection")
local net = require("qqmail.net")
local scenarios = require("qqmail.testing.scenarios")
local smtpd = require("qqmail.testing.smtpd")
local wire = require("qqmail.testing.wire")

local M = {}

-- Seconds the starting process may take to connect.
local PATIENCE = 20

local Child = {}
Child.__index = Child

local function random_token()
  local file = assert(io.open("/dev/urandom", "rb"))
  local bytes = file:read(16)
  file:close()
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

-- --- control connection ----------------------------------------------------

-- A buffer that puts a long frame together once it is whole.
local function new_frames()
  return { parts = {}, have = 0, head = "" }
end

local function add_bytes(frames, bytes)
  frames.parts[#frames.parts + 1] = bytes
  frames.have = frames.have + #bytes
  if #frames.head < 8 then
    frames.head = (frames.head .. bytes):sub(1, 8)
  end
end

local function next_frame(frames)
  if wire.missing(frames.have, frames.head) > 0 then
    return nil
  end
  local value, rest = wire.decode(table.concat(frames.parts))
  frames.parts, frames.have, frames.head = { rest }, #rest, rest:sub(1, 8)
  return value
end

function Child:answer(value)
  self.out[#self.out + 1] = wire.encode(value)
end

-- Writes pending answers; false when the other side is gone.
function Child:flush()
  while #self.out > 0 do
    local n, why = self.control:write(self.out[1], self.out_at)
    if not n then
      return why == "again"
    end
    self.out_at = self.out_at + n
    if self.out_at > #self.out[1] then
      table.remove(self.out, 1)
      self.out_at = 1
    end
  end
  return true
end

-- --- requests --------------------------------------------------------------

local REQUESTS = {}

local function merge(into, from)
  for key, value in pairs(from) do
    into[key] = value
  end
  return into
end

-- The options in force are a new table each time: connections that are open
-- keep the ones they began with.
function Child:use_options()
  self.scenario = scenarios.get(self.given.scenario or "basic")
  local defaults = self.scenario.defaults
  if type(defaults) == "function" then
    defaults = defaults(self.given)
  end
  self.options = merge(merge({}, defaults), self.given)
end

function Child:tls_context()
  if self.options.mode == "plain" or not self.options.cert then
    return nil
  end
  if not self.context then
    local options = self.options
    local versions = options.tls or {}
    self.context = assert(require("qqmail.tls").context({
      server = true, cert = options.cert, key = options.key,
      min_version = versions.min_version, max_version = versions.max_version,
      ciphers = versions.ciphers, verify = versions.verify, ca_file = versions.ca_file,
    }))
  end
  return self.context
end

function REQUESTS.start(self, request)
  self.given = request.options
  self:use_options()
  self:tls_context() -- a bad certificate is better told now than later
  local host = self.options.socket and "unix:" .. self.options.socket
    or self.options.address or "127.0.0.1"
  local listener, name, text = net.listen(host, self.options.port or 0)
  if not listener then
    return { error = ("cannot listen: %s"):format(text or name) }
  end
  self.listener = listener
  return { port = listener:port() }
end

-- Making one takes longer than a short session does, so other changes leave it.
local function needs_context(changed)
  return changed.cert ~= nil or changed.key ~= nil or changed.tls ~= nil
end

function REQUESTS.set(self, request)
  merge(self.given, request.options)
  if request.options.replies ~= nil then
    self.shared.uses = {}
  end
  if request.options.drop_at ~= nil then
    self.shared.drops = 0
  end
  if request.options.cut_in_after ~= nil or request.options.cut_out_after ~= nil then
    self.shared.cuts = 0
  end
  self:use_options()
  if needs_context(request.options) then
    self.context = nil
  end
  self:tls_context()
  return {}
end

function REQUESTS.get(self, request)
  return { value = self.shared[request.what] }
end

function REQUESTS.clear(self)
  local fresh = smtpd.shared(net.now)
  self.shared.messages, self.shared.rejected = fresh.messages, fresh.rejected
  self.shared.auth_attempts = 0
  return {}
end

local function count_closed(shared)
  local n = 0
  for _, record in ipairs(shared.connections) do
    n = n + (record.closed and 1 or 0)
  end
  return n
end

local COUNTERS = {
  messages = function(shared) return #shared.messages end,
  rejected = function(shared) return #shared.rejected end,
  connections = function(shared) return #shared.connections end,
  auth_attempts = function(shared) return shared.auth_attempts end,
  closed = count_closed,
}

-- Answered by check_wait when the time has come.
function REQUESTS.wait(self, request)
  self.waiting = { what = request.what, n = request.n, until_ = net.now() + request.seconds }
  return nil
end

function Child:check_wait()
  local waiting = self.waiting
  if not waiting then
    return
  end
  local n = COUNTERS[waiting.what](self.shared)
  if n >= waiting.n or net.now() >= waiting.until_ then
    self.waiting = nil
    self:answer({ reached = n >= waiting.n, count = n })
  end
end

function Child:serve(request)
  local ok, answer = pcall(REQUESTS[request.op], self, request)
  if not ok then
    -- The other side raises it: a wrong certificate path or option.
    answer = { error = tostring(answer) }
  end
  if answer then
    self:answer(answer)
  end
end

function Child:serve_all()
  local request = next_frame(self.frames)
  while request do
    self:serve(request)
    request = next_frame(self.frames)
  end
end

function Child:read_control()
  while true do
    local bytes, why = self.control:read(65536)
    if not bytes then
      return why == "again"
    end
    add_bytes(self.frames, bytes)
    self:serve_all()
  end
end

-- --- the loop --------------------------------------------------------------

function Child:accept()
  local stream, why = self.listener:accept()
  while stream do
    local dialogue = smtpd.new(self.options, self.shared, stream:peer(), self.scenario)
    self.connections[#self.connections + 1] =
      connection.new(stream, dialogue, self.options, self:tls_context(), net.now)
    stream, why = self.listener:accept()
  end
  return why
end

function Child:entries()
  local list = { { fd = self.control:fd(), read = true, write = #self.out > 0 } }
  if self.listener then
    list[2] = { fd = self.listener:fd(), read = true }
  end
  for _, item in ipairs(self.connections) do
    local read, write = item:wants_read(), item:wants_write()
    if read or write then
      list[#list + 1] = { fd = item.stream:fd(), read = read, write = write, item = item }
    end
  end
  return list
end

function Child:patience()
  local now, first = net.now(), math.huge
  if self.waiting then
    first = self.waiting.until_
  end
  for _, item in ipairs(self.connections) do
    first = math.min(first, item.wake or math.huge)
  end
  return math.max(0, math.min(60, first - now))
end

function Child:step_connections(entries)
  local readable = {}
  for _, entry in ipairs(entries) do
    if entry.item then
      readable[entry.item] = entry.readable
    end
  end
  local open = {}
  for _, item in ipairs(self.connections) do
    item:step(readable[item])
    if item.state ~= "done" then
      open[#open + 1] = item
    end
  end
  self.connections = open
end

-- One turn; false when the process shall end.
function Child:turn()
  local entries = self:entries()
  net.poll(entries, self:patience())
  if entries[1].readable and not self:read_control() then
    return false
  end
  -- First those who left, then who came after them.
  self:step_connections(entries)
  if entries[2] and not entries[2].item and entries[2].readable then
    self:accept()
  end
  self:check_wait()
  return self:flush()
end

local function accept_control(listener, deadline)
  while net.now() < deadline do
    local stream = listener:accept()
    if stream then
      return stream
    end
    net.wait(listener:fd(), "r", deadline - net.now())
  end
  return nil
end

-- Whoever started this process read the token from its output; nobody else can.
local function is_starter(self, token)
  local deadline = net.now() + PATIENCE
  while net.now() < deadline do
    local bytes, why = self.control:read(65536)
    if bytes then
      add_bytes(self.frames, bytes)
      local hello = next_frame(self.frames)
      if hello then
        return hello.token == token
      end
    elseif why ~= "again" then
      return false
    else
      net.wait(self.control:fd(), "r", deadline - net.now())
    end
  end
  return false
end

--- Runs until the starting process is gone.
function M.main()
  local listener = assert(net.listen("127.0.0.1", 0))
  local token = random_token()
  io.stdout:write(listener:port(), " ", token, "\n")
  io.stdout:flush()
  local self = setmetatable({
    control = accept_control(listener, net.now() + PATIENCE),
    shared = smtpd.shared(net.now), connections = {}, frames = new_frames(), out = {}, out_at = 1,
  }, Child)
  listener:close()
  if not self.control or not is_starter(self, token) then
    return
  end
  self:serve_all() -- what came together with the token
  repeat until not self:turn()
  if self.listener and self.options.socket then
    os.remove(self.options.socket)
  end
end

return M
