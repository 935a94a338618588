--- One connection of the scripted server: moves bytes between a stream, a TLS
-- filter and the dialogue, and does what the dialogue's actions say.
-- @module qqmail.testing.connection

local M = {}

local Connection = {}
Connection.__index = Connection

local CHUNK = 65536
-- How many reads one turn does before other connections get theirs.
local READS_A_TURN = 32
-- How long the client may take to close its side after ours, in seconds.
local LINGER = 5

--- @param stream of qqmail.net
-- @param dialogue of qqmail.testing.smtpd
-- @tparam table options of the server
-- @param context of qqmail.tls, nil without TLS
-- @tparam function clock
function M.new(stream, dialogue, options, context, clock)
  local self = setmetatable({
    stream = stream, dialogue = dialogue, options = options, context = context, clock = clock,
    state = "open", plain = "", plain_at = 1, blocked = false, wake = nil,
  }, Connection)
  if dialogue.is_cut and options.cut_wire then
    self.left_in, self.left_out = options.cut_in_after, options.cut_out_after
  end
  if self.left_in == 0 or self.left_out == 0 then
    self:cut_off()
  elseif dialogue:connected() then
    if options.mode == "implicit" then
      self:start_tls()
    else
      dialogue:open()
    end
  end
  self:advance()
  return self
end

function Connection:finish()
  self.state = "done"
  self.wake = nil
  if self.filter then
    self.filter:close()
  end
  self.stream:close()
end

-- Ends the connection wherever it is, without a word of TLS.
function Connection:cut_off()
  self.dialogue:close("fin") -- it hears and says nothing any more
  if self.options.how == "rst" then
    self.stream:reset()
    self:finish()
  else
    self.stream:shutdown()
    self.state, self.wake = "linger", self.clock() + LINGER
  end
  return false
end

-- --- output ----------------------------------------------------------------

-- The client does not take bytes: gone, or slow.
function Connection:cannot_write(why)
  if why == "again" then
    self.blocked = true
  else
    self.dialogue:ended(why)
    self:finish()
  end
  return false
end

-- Hands finished TLS records to the stream; false when some are left.
function Connection:flush_cipher()
  local cipher = self.filter and self.filter:output()
  while cipher and cipher ~= "" do
    local n, why = self.stream:write(self.left_out and cipher:sub(1, self.left_out) or cipher)
    if not n then
      return self:cannot_write(why)
    end
    self.left_out = self.left_out and self.left_out - n
    if self.left_out == 0 then
      return self:cut_off()
    end
    self.filter:sent(n)
    cipher = self.filter:output()
  end
  return true
end

function Connection:piece_end()
  local size = self.options.drip and 1 or self.options.split_writes or CHUNK
  return math.min(#self.plain, self.plain_at + size - 1)
end

-- Writes one piece; false when it has to wait.
function Connection:write_piece()
  local piece = self.plain:sub(self.plain_at, self:piece_end())
  local n, why = (self.filter or self.stream):write(piece)
  if not n then
    return self:cannot_write(why)
  end
  self.plain_at = self.plain_at + n
  if self.options.drip then
    self.wake = self.clock() + self.options.drip
  end
  return self:flush_cipher()
end

-- Sends what is due; true when nothing is left.
function Connection:drain()
  if not self:flush_cipher() then
    return false
  end
  while self.plain_at <= #self.plain do
    if self.wake and self.clock() < self.wake then
      return false
    end
    self.wake = nil
    if not self:write_piece() then
      return false
    end
  end
  self.plain, self.plain_at = "", 1
  return true
end

-- --- TLS -------------------------------------------------------------------

function Connection:start_tls()
  if not self.context then
    self.dialogue:tls_failed("no_context", "the server has no certificate")
    self:finish()
    return
  end
  self.filter = self.context:server()
  self.state = "handshake"
end

-- Plaintext that arrived; the dialogue sees it piece by piece.
function Connection:read_plain()
  while self.state == "open" do
    local bytes, why, text = self.filter:read(CHUNK)
    if bytes then
      self.dialogue:feed(bytes)
    elseif why == "again" then
      return
    else
      self.dialogue.record.close_notify = why == "closed"
      self.dialogue:ended(why == "closed" and "close_notify" or text or why)
      self:close_fin()
      return
    end
  end
end

function Connection:shake_hands()
  local done, why, text = self.filter:handshake()
  if done then
    self.state = "open"
    self:flush_cipher()
    if self.state ~= "open" then
      return
    end
    self.dialogue.filter = self.filter -- for logins that are bound to the channel
    self.dialogue:secured(self.filter:info())
    if self.options.mode == "implicit" then
      self.dialogue:open()
    end
    self:read_plain()
  elseif why ~= "again" then
    self.dialogue:tls_failed(why, text)
    self:flush_cipher() -- the alert
    self:close_fin()
  end
end

-- --- actions ---------------------------------------------------------------

-- Closes in order: FIN, then wait for the client's. Closing at once with unread
-- bytes would reset the connection and could cost the client our last reply.
function Connection:close_fin()
  if self.state == "done" or self.state == "linger" then
    return
  end
  if self.filter and self.options.close_notify ~= false then
    self.filter:shutdown()
    self:flush_cipher()
  end
  if self.state ~= "done" and self.state ~= "linger" then
    self.stream:shutdown()
    self.state = "linger"
    self.wake = self.clock() + LINGER
  end
end

local CLOSE = {
  fin = Connection.close_fin,
  rst = function(self)
    self.stream:reset()
    self:finish()
  end,
  stall = function(self)
    self.state = "stalled"
  end,
}

local DO = {
  send = function(self, action)
    self.plain, self.plain_at = action.bytes, 1
    self.wake = action.delay and self.clock() + action.delay
  end,
  starttls = function(self)
    self:start_tls()
  end,
  close = function(self, action)
    CLOSE[action.how](self)
  end,
}

-- Does all that can be done now.
function Connection:advance()
  while self.state == "open" or self.state == "handshake" do
    self.blocked = false
    if not self:drain() then
      return
    end
    if self.action then
      self.dialogue:sent(self.action)
    end
    self.action = self.dialogue:next_action()
    if not self.action then
      return
    end
    DO[self.action.kind](self, self.action)
  end
end

-- --- input -----------------------------------------------------------------

function Connection:take(bytes)
  if self.state == "linger" then
    return
  end
  if self.state == "handshake" and not self.dialogue:handshaking() then
    return
  end
  if not self.filter then
    self.dialogue:feed(bytes)
    return
  end
  self.filter:feed(bytes)
  if self.state == "handshake" then
    self:shake_hands()
  else
    self:read_plain()
  end
end

-- Answers whether the connection goes on.
function Connection:take_until_cut(bytes)
  if not self.left_in or #bytes < self.left_in or self.state == "linger" then
    self.left_in = self.left_in and self.left_in - #bytes
    self:take(bytes)
    return true
  end
  self:take(bytes:sub(1, self.left_in))
  self:advance() -- what is due for these bytes is still said
  if self.state ~= "done" and self.state ~= "linger" then
    self:cut_off()
  end
  return false
end

function Connection:receive()
  for _ = 1, READS_A_TURN do
    local bytes, why, text = self.stream:read(CHUNK)
    if not bytes then
      if why ~= "again" then
        self.dialogue:ended(text or why)
        self:finish()
      end
      return
    end
    if not self:take_until_cut(bytes) or not self:wants_read() then
      return
    end
  end
end

--- Whether bytes of the client are welcome.
function Connection:wants_read()
  return self.state == "linger" or self.state == "handshake"
    or (self.state == "open" and not self.dialogue.gated)
end

--- Whether output waits for the client to take it.
function Connection:wants_write()
  return self.blocked and self.state ~= "done"
end

--- Goes on after poll.
function Connection:step(readable)
  if readable and self:wants_read() then
    self:receive()
  end
  if self.state == "linger" and self.clock() >= self.wake then
    self:finish()
  end
  self:advance()
end

return M
