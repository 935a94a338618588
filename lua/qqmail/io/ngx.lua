--- Driver over the cosockets of nginx: waits without holding up the worker.
--
-- Names are looked up by the system's resolver (`qqmail.io.lookup`), so that no
-- `resolver` directive is needed, /etc/hosts counts and every address is tried:
-- a cosocket would pick one at random. A cosocket belongs to the request that
-- opened it; between messages a connection is parked in a pool of nginx that
-- has its name alone, which is how the very same one is found again.
-- @module qqmail.io.ngx

local lookup = require("qqmail.io.lookup")
local net = require("qqmail.net")
local reasons = require("qqmail.io.reasons")
local where = require("qqmail.where")

local M = {
  name = "ngx",
  -- Mailers of one worker share what is kept, see `qqmail.pool`.
  shares_connections = true,
  -- `start_tls` below, for hosts whose nginx carries another OpenSSL.
  can_tls = true,
}

-- Largest piece given to one send: the deadline is looked at between two.
local SLICE = 65536

local REASONS = {
  ["timeout"] = "timeout",
  ["connection refused"] = "refused",
  ["connection reset by peer"] = "closed",
  ["no route to host"] = "unreachable",
  ["network is unreachable"] = "unreachable",
  ["permission denied"] = "denied",
  ["no such file or directory"] = "not_found",
  -- What nginx says when worker_connections are used up.
  ["operation now in progress"] = "again",
  ["no memory"] = "again",
}

local Conn = {}
Conn.__index = Conn

-- What nginx takes, in milliseconds; it takes 0 for "the default".
local LEAST, MOST = 1, 2147483647

local function to_ms(seconds)
  return math.min(MOST, math.max(LEAST, math.ceil(seconds * 1000)))
end

local function ms_left(deadline)
  return to_ms(deadline - net.now())
end

local function set_timeouts(sock, ms)
  sock:settimeouts(ms, ms, ms)
end

-- --- connecting -------------------------------------------------------------

local next_pool = 0

-- Of this worker: nginx keeps its pools by worker.
local function new_pool_name()
  next_pool = next_pool + 1
  return ("qqmail:%d"):format(next_pool)
end

local function connect_to(place, pool_name, deadline)
  local sock = ngx.socket.tcp()
  set_timeouts(sock, ms_left(deadline))
  if place.source_ip then
    local bound, why = sock:bind(place.source_ip)
    if not bound then
      return nil, why
    end
  end
  local options = { pool = pool_name, pool_size = 1 }
  local ok, why
  if place.path then
    ok, why = sock:connect("unix:" .. place.path, options)
  else
    ok, why = sock:connect(place.host, place.port, options)
  end
  if not ok then
    return nil, why
  end
  if not place.path then
    -- What is sent in several pieces must not wait for acknowledgements.
    sock:setoption("tcp-nodelay", true)
  end
  return sock
end

local function new_conn(sock, place, pool_name)
  return setmetatable({
    sock = sock, place = place, pool_name = pool_name, timeout = 30,
    peer = place.path and "unix:" .. place.path or where.with_port(place.host, place.port),
  }, Conn)
end

local function place_of(target, address)
  if address.path then
    return { path = address.path, shown = "unix:" .. address.path }
  end
  local is_v6 = address.family == "inet6"
  return { host = is_v6 and "[" .. address.address .. "]" or address.address,
    port = target.port, source_ip = target.source_ip, shown = address.address }
end

--- Connects to one address; see `qqmail.io.fd`.
function M.dial(_, target, address, deadline)
  local place, pool_name = place_of(target, address), new_pool_name()
  local sock, why = connect_to(place, pool_name, deadline)
  reasons.note_tried(target, place.shown, not sock and tostring(why) or nil)
  if sock then
    return new_conn(sock, place, pool_name)
  end
  return nil, { address = place.shown, reason = REASONS[why] or "unknown", text = why }
end

-- At least one is tried, even when the deadline has passed: it may answer at once.
local function connect_any(target, addresses, deadline)
  local tried = {}
  for index, address in ipairs(addresses) do
    if index > 1 and net.now() >= deadline then
      break
    end
    local conn, why =
      M:dial(target, address, reasons.share(net.now(), deadline, index == #addresses))
    if conn then
      return conn
    end
    tried[index] = why
  end
  return nil, reasons.connect_failure(target, tried)
end

--- The addresses of a server; see `qqmail.io.fd`.
function M.lookup(_, target, deadline)
  if target.socket then
    return { { path = target.socket } }
  end
  local addresses, name, text = lookup.find(target.host, reasons.family_for(target.source_ip),
    deadline, ngx.sleep)
  reasons.note_resolved(target, addresses, text)
  if not addresses then
    return nil, reasons.resolve_failure(target, name, text)
  end
  return addresses
end

--- Connects to the first address that answers; see `qqmail.io.fd`.
function M.connect(_, target, deadline)
  local addresses, failure = M:lookup(target, deadline)
  if not addresses then
    return nil, failure
  end
  return connect_any(target, addresses, deadline)
end

--- Monotonic seconds, the scale of all deadlines.
function M.now()
  return net.now()
end

--- Whether this worker ends: nginx keeps no connection then.
-- @treturn boolean
function M.is_leaving()
  return ngx.worker.exiting()
end

--- Pauses this light thread.
-- @tparam number seconds
function M.sleep(_, seconds)
  ngx.sleep(seconds)
end

-- --- several light threads ----------------------------------------------------

local Gate = {}
Gate.__index = Gate

-- Seconds between two looks for what requests that were aborted have left behind.
local LOOK_EVERY = 0.5

-- `look`, when there is one, is called now and then; it may open the gate.
function Gate:wait(deadline, look)
  local left
  repeat
    left = deadline - net.now()
    if self.semaphore:wait(math.max(0, math.min(left, LOOK_EVERY))) then
      return true
    end
    if look then
      look()
    end
  until left <= LOOK_EVERY
  return false
end

function Gate:open()
  self.semaphore:post(1)
end

-- The collector takes it.
function Gate.close() end

--- Something a light thread can wait for and another can open, of whatever request.
-- @treturn ?table nil where lua-resty-core is not loaded
function M.gate()
  local loaded, semaphore = pcall(require, "ngx.semaphore")
  return loaded and setmetatable({ semaphore = semaphore.new(0) }, Gate) or nil
end

--- How many functions `all` can run at the same time.
function M.width(_, wanted)
  return wanted
end

--- Runs functions in light threads of their own until all have ended. Raises what
-- one of them raised, when the others are done.
-- @tparam table functions list
function M.all(_, functions)
  local threads, failure = {}, nil
  for index, body in ipairs(functions) do
    threads[index] = ngx.thread.spawn(body)
  end
  for _, thread in ipairs(threads) do
    local ok, why = ngx.thread.wait(thread)
    failure = failure or (not ok and why) or nil
  end
  if failure then
    error(failure, 0)
  end
end

-- --- connections ------------------------------------------------------------

-- The end of a stream in one word; the second value tells how it ended.
local ENDS = {
  ["timeout"] = { "timeout" },
  ["closed"] = { "closed" },
  ["broken pipe"] = { "closed", "EPIPE" },
  ["connection reset by peer"] = { "closed", "reset" },
}

local function end_of(why)
  local known = ENDS[why]
  if known then
    return known[1], known[2]
  end
  return tostring(why)
end

--- Limits each later `send` and `recv` as a whole.
-- @tparam number seconds 0 means: only what is possible at once
function Conn:settimeout(seconds)
  self.timeout = seconds
end

--- Sends all of it. A cosocket does not tell how much of a failed write left:
-- the piece it failed in counts as sent, which is the safe side.
-- @tparam string bytes
-- @treturn[1] number how many bytes: all
-- @treturn[2] nil
-- @treturn[2] string "timeout", "closed" or a text
-- @treturn[2] number how many bytes may have left before
function Conn:send(bytes)
  local deadline = net.now() + self.timeout
  for first = 1, #bytes, SLICE do
    local piece = #bytes <= SLICE and bytes or bytes:sub(first, first + SLICE - 1)
    set_timeouts(self.sock, ms_left(deadline))
    local ok, why = self.sock:send(piece)
    if not ok then
      return nil, end_of(why), first - 1 + #piece
    end
  end
  return #bytes
end

--- Receives what is there, waiting for the first byte. A cosocket cannot look
-- without waiting: with a timeout of 0 nothing is ever there.
-- @tparam number max most bytes to return
function Conn:recv(max)
  if self.timeout <= 0 then
    return nil, "timeout"
  end
  set_timeouts(self.sock, to_ms(self.timeout))
  local bytes, why = self.sock:receiveany(max)
  if bytes then
    return bytes
  end
  return nil, end_of(why)
end

--- Closes. May be called again.
function Conn:close()
  if self.sock then
    self.sock:close()
    self.sock = nil
  end
end

--- Leaves the connection to nginx, which watches it and closes it when the
-- server does, or when the time is over.
-- @tparam number seconds
-- @treturn boolean
function Conn:park(seconds)
  local ok = self.sock:setkeepalive(to_ms(seconds), 1)
  if ok then
    self.sock = nil
  end
  return ok ~= nil
end

--- Takes the connection back, in whatever request.
-- @tparam number deadline absolute
-- @treturn boolean true: it is the same one
-- @treturn ?table when it is gone: the new one that took its place
function Conn:resume(deadline)
  local sock = connect_to(self.place, self.pool_name, deadline)
  if not sock then
    return false
  elseif sock:getreusedtimes() > 0 then
    self.sock = sock
    return true
  end
  return false, new_conn(sock, self.place, self.pool_name)
end

-- --- TLS by nginx -----------------------------------------------------------

-- Numbers of OpenSSL's verification, as nginx puts them in front.
local VERIFY_CODES = {
  ["2"] = "no_issuer", ["9"] = "not_yet_valid", ["10"] = "expired", ["18"] = "self_signed",
  ["19"] = "self_signed", ["20"] = "no_issuer", ["21"] = "no_issuer", ["22"] = "chain_too_long",
  ["23"] = "revoked", ["62"] = "host_mismatch",
}

local TLS_ENDS = {
  ["certificate host mismatch"] = "host_mismatch", ["timeout"] = "timeout", ["closed"] = "closed",
  ["connection reset by peer"] = "closed",
}

--- Does the handshake with nginx's own OpenSSL.
-- @tparam table options `server_name`, `verify`
-- @treturn ?table what is known of it: `provider`, `verified`
-- @treturn ?string code of `qqmail.tls`
-- @treturn ?string text
function Conn:start_tls(options)
  set_timeouts(self.sock, to_ms(self.timeout))
  local ok, why = self.sock:sslhandshake(false, options.server_name, options.verify)
  if ok and not self.sock:getreusedtimes() then
    -- When all of the handshake went through at once, nginx closes a connection
    -- whose certificate it refuses, but answers true and not why.
    return nil, "untrusted", "refused by nginx"
  elseif ok then
    return { provider = "nginx", verified = options.verify }
  end
  why = tostring(why)
  return nil, TLS_ENDS[why] or VERIFY_CODES[why:match("^(%d+):")] or "failed", why
end

return M
