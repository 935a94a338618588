--- Driver over the descriptors of `qqmail.net`, for any event loop.
-- The loop gives two functions: `wait(fd, "r"|"w", seconds)` returns true when the descriptor
-- may be ready (a wake-up for nothing does no harm), `nil, "timeout"`, or `nil, text` when it
-- cannot wait; `sleep(seconds)` pauses. Nothing else blocks. A loop that remembers descriptors
-- beyond a wait gives `closing(fd)` as well, called before one is closed: the next that is
-- opened may have the same number; one that can run several coroutines of its own accord gives
-- `all(functions)`, which returns when all have ended.
-- @module qqmail.io.fd

local gate = require("qqmail.io.gate")
local qqnet = require("qqmail.net")
local reasons = require("qqmail.io.reasons")

local M = {}

--- Seconds one `send` or `recv` may take when nobody called `settimeout`.
M.default_timeout = 30

-- Between two tries to reach a unix socket whose queue is full: it has no event to wait for.
local FULL_QUEUE_PAUSE = 0.02

-- Longest single wait handed to the loop, for deadlines that are far or infinite.
local LONGEST_WAIT = 86400

local Driver = {}
Driver.__index = Driver

local Conn = {}
Conn.__index = Conn

-- Waits for the descriptor until `deadline`. True when a try is worth it.
local function wait_until(self, fd, mode, deadline)
  local left = deadline - self:now()
  if left <= 0 then
    return nil, "timeout"
  end
  return self.wait(fd, mode, math.min(left, LONGEST_WAIT))
end

-- Streams and resolvers; one that is closed has no descriptor.
local function close(driver, object, verb)
  local descriptor = driver.closing and object:fd()
  if descriptor then
    driver.closing(descriptor)
  end
  object[verb or "close"](object)
end

-- Looking up ----------------------------------------------------------------

-- The outcome of a resolver: a list, or nil, name, text.
local function await_result(self, resolver, deadline)
  while true do
    local list, name, text = resolver:result()
    if list or name ~= "again" then
      return list, name, text
    end
    local ready, why = wait_until(self, resolver:fd(), "r", deadline)
    if not ready then
      return nil, why, why == "timeout" and "no answer in time" or why
    end
  end
end

local function look_up(self, target, deadline)
  local resolver, name, text =
    self.net.resolve(target.host, target.port, reasons.family_for(target.source_ip))
  if not resolver then
    return nil, name, text
  end
  local list
  list, name, text = await_result(self, resolver, deadline)
  close(self, resolver)
  return list, name, text
end

-- Connecting ----------------------------------------------------------------

local function describe(address)
  return address.path and "unix:" .. address.path or address.address
end

-- Starts to connect; a full queue of a unix socket is waited for.
local function start(self, address, source_ip, deadline)
  while true do
    local stream, name, text = self.net.connect(address, source_ip)
    if stream or name ~= "EAGAIN" or not address.path then
      return stream, name, text
    end
    local left = deadline - self:now()
    if left <= 0 then
      return nil, "timeout", "no answer in time"
    end
    self:sleep(math.min(left, FULL_QUEUE_PAUSE))
  end
end

local function await_connected(self, stream, deadline)
  while true do
    local connected, name, text = stream:connected()
    if connected or name ~= "again" then
      return connected, name, text
    end
    local ready, why = wait_until(self, stream:fd(), "w", deadline)
    if not ready then
      return nil, why, why == "timeout" and "no answer in time" or why
    end
  end
end

local function dial(self, address, source_ip, deadline)
  local stream, name, text = start(self, address, source_ip, deadline)
  if not stream then
    return nil, name, text
  end
  local connected
  connected, name, text = await_connected(self, stream, deadline)
  if not connected then
    close(self, stream)
    return nil, name, text
  end
  return stream
end

local function new_conn(driver, stream)
  return setmetatable({
    driver = driver,
    stream = stream,
    peer = stream:peer(),
    timeout = M.default_timeout,
  }, Conn)
end

--- Connects to one address.
-- @tparam table target as of `connect`
-- @tparam table address of `lookup`
-- @tparam number deadline
-- @treturn ?table connection
-- @treturn ?table `{ address=, reason=, errno=, text= }`
function Driver:dial(target, address, deadline)
  local stream, name, text = dial(self, address, target.source_ip, deadline)
  reasons.note_tried(target, describe(address), not stream and text or nil)
  if stream then
    return new_conn(self, stream)
  end
  return nil, { address = describe(address), reason = reasons.of(name), errno = reasons.errno(name),
    text = text }
end

-- At least one address is tried, even when the deadline has passed: it may answer at once.
local function connect_any(self, target, addresses, deadline)
  local tried = {}
  for i, address in ipairs(addresses) do
    if i > 1 and self:now() >= deadline then
      break
    end
    local conn, why =
      self:dial(target, address, reasons.share(self:now(), deadline, i == #addresses))
    if conn then
      return conn
    end
    tried[i] = why
  end
  return nil, reasons.connect_failure(target, tried)
end

--- The addresses of a server, the best first.
-- @tparam table target as of `connect`
-- @tparam number deadline
-- @treturn ?table list for `dial`; each has `address` and `family`, or `path`
-- @treturn ?table the failure, as of `connect`
function Driver:lookup(target, deadline)
  if target.socket then
    return { { path = target.socket } }
  end
  local addresses, name, text = look_up(self, target, deadline)
  reasons.note_resolved(target, addresses, text)
  if not addresses then
    return nil, reasons.resolve_failure(target, name, text)
  end
  return addresses
end

--- Connects to the first address that answers.
-- @tparam table target `{ host=, port=, source_ip=? }` or `{ socket=path }`;
-- `note`, if there, is called with lines for the transcript
-- @tparam number deadline moment (see `now`) by which looking up and connecting must be done
-- @treturn[1] table connection with `send recv settimeout close reset peer`
-- @treturn[2] nil
-- @treturn[2] table `{ phase=, reason=, errno=, text=, tried={ {address=,reason=,text=} } }`
function Driver:connect(target, deadline)
  local addresses, failure = self:lookup(target, deadline)
  if not addresses then
    return nil, failure
  end
  return connect_any(self, target, addresses, deadline)
end

--- Monotonic seconds, the scale of all deadlines.
-- @treturn number
function Driver:now()
  return self.net.now()
end

--- Pauses without holding up the loop.
-- @tparam number seconds
function Driver:sleep(seconds)
  return self.pause(seconds)
end

--- Something one coroutine can wait for and another can open.
-- @treturn ?table see `qqmail.io.gate`
function Driver:gate()
  return gate.new(self.wait, self.closing)
end

--- How many functions `all` can run at the same time.
-- @tparam number wanted
-- @treturn number 1 where the loop has no way to run several
function Driver:width(wanted)
  return self.run_all and wanted or 1
end

-- In Lua 5.1 nothing can wait inside pcall.
local CAN_GUARD = rawget(_G, "jit") ~= nil or _VERSION ~= "Lua 5.1"

-- Loops wait for the end of a function, and one that raises would have none.
local function guard(functions, failures)
  local out = {}
  for index, body in ipairs(functions) do
    out[index] = CAN_GUARD and function()
      local ok, why = xpcall(body, debug.traceback)
      failures[#failures + 1] = not ok and why or nil
    end or body
  end
  return out
end

--- Runs functions, at the same time where the loop can, until all have ended. Raises
-- what one of them raised, when the others are done.
-- @tparam table functions list
function Driver:all(functions)
  if self.run_all and #functions > 1 then
    local failures = {}
    self.run_all(guard(functions, failures))
    if failures[1] then
      error(failures[1], 0)
    end
    return
  end
  for _, body in ipairs(functions) do
    body()
  end
end

-- Connections ---------------------------------------------------------------

--- Limits each later `send` and `recv` as a whole.
-- @tparam number seconds 0 means: only what is possible at once
function Conn:settimeout(seconds)
  self.timeout = seconds
end

-- `bytes` are a string, or an object of the core in which that many bytes wait.
local function send(self, bytes, total)
  local driver, stream = self.driver, self.stream
  local deadline = driver:now() + self.timeout
  local sent = 0
  while sent < total do
    local count, name, text = stream:write(bytes, sent + 1)
    if count then
      sent = sent + count
    elseif name ~= "again" then
      return nil, name == "closed" and name or text, sent
    else
      local ready, why = wait_until(driver, stream:fd(), "w", deadline)
      if not ready then
        return nil, why, sent
      end
    end
  end
  return sent
end

--- Sends all of it.
-- @tparam string bytes
-- @treturn[1] number how many bytes: all
-- @treturn[2] nil
-- @treturn[2] string "timeout", "closed" or a text
-- @treturn[2] number how many bytes the system took before
function Conn:send(bytes)
  return send(self, bytes, #bytes)
end

--- Sends all that waits in a session or a TLS filter, without a string of it. It waits
-- there until its owner is told that it was sent.
-- @tparam userdata source with a method `waiting`
-- @return as `send`
function Conn:send_waiting(source)
  return send(self, source, source:waiting())
end

--- Receives what is there, waiting for the first byte.
-- @tparam number max most bytes to return
-- @treturn[1] string 1 to `max` bytes
-- @treturn[2] nil
-- @treturn[2] string "timeout", "closed" or a text
-- @treturn[2] string "reset" when the peer broke the connection instead of ending it
function Conn:recv(max)
  local driver, stream = self.driver, self.stream
  local deadline = driver:now() + self.timeout
  while true do
    local bytes, name, text = stream:read(max)
    if bytes then
      return bytes
    end
    if name == "closed" then
      return nil, name, text
    end
    if name ~= "again" then
      return nil, text
    end
    local ready, why = wait_until(driver, stream:fd(), "r", deadline)
    if not ready then
      return nil, why
    end
  end
end

--- Closes. May be called again.
function Conn:close()
  close(self.driver, self.stream)
end

--- Closes at once, dropping what was not sent; the peer sees a broken connection.
function Conn:reset()
  close(self.driver, self.stream, "reset")
end

--- Makes a driver.
-- @tparam table options `wait`, `sleep` and maybe `closing`, `all` as above; `name` for messages
-- @treturn table driver with `connect lookup dial now sleep gate all width name`
function M.new(options)
  assert(type(options.wait) == "function", "wait must be a function")
  assert(type(options.sleep) == "function", "sleep must be a function")
  return setmetatable({
    name = options.name or "fd",
    wait = options.wait,
    pause = options.sleep,
    closing = options.closing,
    run_all = options.all,
    net = options.net or qqnet,
  }, Driver)
end

return M
