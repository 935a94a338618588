--- Bytes between a session and a driver's connection, through TLS or not.
--
-- Knows nothing of SMTP. Counts exactly which plain bytes were handed to the
-- transport: with TLS a byte has left when the whole record it is in has left,
-- and the certainty about what was delivered rests on that.
-- @module qqmail.wire

local M = {}

local CHUNK = 16384

local Wire = {}
Wire.__index = Wire

--- Wrap a driver's connection.
-- @param io connection of a driver (`send`, `recv`, `settimeout`, `close`)
-- @tparam function now monotonic clock, seconds
-- @treturn table wire
function M.new(io, now)
  return setmetatable({ io = io, now = now, tls = nil }, Wire)
end

local function set_deadline(self, deadline)
  local left = deadline - self.now()
  self.io:settimeout(left > 0 and left or 0)
end

-- Sends what waits in a session or a filter: how many bytes of it left. Drivers of our own
-- take them from there, others get a string. One that cannot tell after a failure is taken
-- to have sent all: "maybe delivered" is the safe side.
local function io_send(self, source, deadline)
  set_deadline(self, deadline)
  local total = source:waiting()
  local sent, why, partial
  if self.io.send_waiting then
    sent, why, partial = self.io:send_waiting(source)
  else
    sent, why, partial = self.io:send(source:output())
  end
  if sent then
    return total
  end
  return partial or total, why
end

local function send_tls(self, source, deadline)
  local acked, taken, total = 0, 0, source:waiting()
  while taken < total do
    local count, code = self.tls:write(source, taken + 1)
    if not count then
      return acked, code
    end
    taken = taken + count
    local sent, why = io_send(self, self.tls, deadline)
    acked = acked + self.tls:sent(sent)
    if why then
      return acked, why
    end
  end
  return acked
end

--- Hand what waits in a session to the transport.
-- @tparam userdata source the session; the caller tells it what left
-- @tparam number deadline absolute, on the wire's clock
-- @treturn number plain bytes that left, all of them unless there is an error
-- @treturn ?string "timeout", "closed" or the driver's text
function Wire:send(source, deadline)
  if self.tls then
    return send_tls(self, source, deadline)
  end
  return io_send(self, source, deadline)
end

-- Handshake messages, alerts and answers to key updates.
local function flush_tls(self, filter, deadline)
  if filter:waiting() == 0 then
    return true
  end
  local sent, why = io_send(self, filter, deadline)
  filter:sent(sent)
  return not why, why
end

local function io_recv(self, deadline)
  set_deadline(self, deadline)
  return self.io:recv(CHUNK)
end

local function feed_tls(self, filter, deadline)
  local data, why = io_recv(self, deadline)
  if data then
    return filter:feed(data)
  end
  if why == "closed" then
    filter:eof()
    return true
  end
  return nil, why
end

local function recv_tls(self, deadline)
  local filter = self.tls
  while true do
    local plain, code, text = filter:read(CHUNK)
    if plain then
      return plain
    end
    if code == "closed" or code == "truncated" then
      return nil, "closed"
    end
    if code ~= "again" then
      return nil, "transport", text, code
    end
    flush_tls(self, filter, deadline)
    local ok, why, detail = feed_tls(self, filter, deadline)
    if not ok then
      return nil, why, detail
    end
  end
end

--- Wait for bytes.
-- @tparam number deadline absolute
-- @treturn ?string at least one byte
-- @treturn ?string "timeout", "closed", "transport" or the driver's text
-- @treturn ?string detail of a TLS failure
-- @treturn ?string its code
function Wire:recv(deadline)
  if self.tls then
    return recv_tls(self, deadline)
  end
  return io_recv(self, deadline)
end

--- Do the TLS handshake; from then on everything travels inside it.
-- @param filter a client filter of `qqmail.tls`
-- @tparam number deadline absolute
-- @treturn ?boolean true
-- @treturn ?string stable code: a code of `qqmail.tls`, "timeout", "closed"
-- @treturn ?string detail
function Wire:start_tls(filter, deadline)
  while true do
    local done, code, text = filter:handshake()
    local flushed, why = flush_tls(self, filter, deadline)
    if done then
      self.tls = filter
      return true
    end
    if code ~= "again" then
      self.info = filter:info()
      return nil, code, text
    end
    if not flushed then
      return nil, why
    end
    local ok, reason, detail = feed_tls(self, filter, deadline)
    if not ok then
      return nil, reason, detail
    end
  end
end

--- Let the driver do TLS; what travels through it is plain from here on.
-- @tparam table options for the driver: `server_name`, `verify`
-- @tparam number deadline absolute
-- @treturn ?boolean true
-- @treturn ?string stable code, as of `start_tls`
-- @treturn ?string detail
function Wire:start_driver_tls(options, deadline)
  set_deadline(self, deadline)
  local info, code, detail = self.io:start_tls(options)
  self.info = info
  return info ~= nil, code, detail
end

--- What the handshake agreed on, or what was wrong with it when it failed.
-- @treturn ?table `resumed`, `verified`, `plain_smtp`; when it went well `version` and
--   `cipher`; when the server showed a certificate `subject`, `issuer`, `not_before` and
--   `not_after` (seconds since 1970, UTC), `names` and `chain`, a list of the first four of
--   these for each certificate in the order sent, at most 10; `problem` and `problem_text`
--   when one of them cannot be trusted. Nil without TLS; only `provider` and `verified`
--   where the driver does TLS
function Wire:tls_info()
  if self.tls and not self.info then
    self.info = self.tls:info()
  end
  return self.info
end

--- What names the TLS channel, for a login that is bound to it.
-- @treturn ?string kind of binding, as registered; nil without TLS, where the driver
--   does it and where the certificate gives none
-- @treturn ?string its data
function Wire:binding()
  if self.tls then
    return self.tls:binding()
  end
end

--- Close at once. A TLS close notice is sent when `deadline` leaves time.
-- @tparam ?number deadline absolute; nil: without a notice
function Wire:close(deadline)
  if self.tls then
    if deadline then
      self.tls:shutdown()
      flush_tls(self, self.tls, deadline)
    end
    self.tls:close()
    self.tls = nil
  end
  self.io:close()
end

return M
