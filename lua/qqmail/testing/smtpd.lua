--- One SMTP connection seen from the server, without any input or output:
-- bytes go in with `feed`, actions come out of `next_action`. What is answered
-- comes from a scenario (see `qqmail.testing.scenarios.basic`) and can be
-- changed reply by reply with options.
--
-- An action is `{ kind="send", bytes=, delay= }`, `{ kind="starttls" }` or
-- `{ kind="close", how="fin"|"rst"|"stall" }`. After the last two the dialogue
-- is `gated`: it takes no more bytes (until `secured` after "starttls").
-- @module qqmail.testing.smtpd

local commands = require("qqmail.testing.commands")

local M = {}

local Dialogue = {}
Dialogue.__index = Dialogue

local LINE_CAP = 16384

--- What all connections of one server have in common.
-- @tparam[opt] function clock seconds
function M.shared(clock)
  return {
    clock = clock or function() return 0 end,
    messages = {},    -- those the server took
    rejected = {},    -- received whole and refused
    connections = {}, -- a record of each
    auth_attempts = 0,
    uses = {},        -- how many of a list of replies were given, by phase
    drops = 0,
    cuts = 0,
  }
end

-- Whether this connection is one that the options cut.
local function is_cut(options, shared)
  if not (options.cut_in_after or options.cut_out_after) then
    return false
  elseif options.cut_times and shared.cuts >= options.cut_times then
    return false
  end
  shared.cuts = shared.cuts + 1
  return true
end

--- @tparam table options of the server, with the defaults of the scenario in them
-- @tparam table shared see `shared`
-- @tparam[opt] string peer "address:port"
-- @tparam table scenario table of functions
function M.new(options, shared, peer, scenario)
  local self = setmetatable({
    options = options, shared = shared, scenario = scenario, peer = peer or "127.0.0.1:0",
    inbox = "", at = 1, queue = {}, first = 1, received = 0, sent_bytes = 0,
    gated = false, pipelining = false, accepted = 0, rejected = 0,
  }, Dialogue)
  self.record = { id = #shared.connections + 1, peer = self.peer, lines = {}, defects = {},
    began = shared.clock() }
  shared.connections[self.record.id] = self.record
  self.is_cut = is_cut(options, shared)
  if self.is_cut and not options.cut_wire then
    self.cut_in, self.cut_out = options.cut_in_after, options.cut_out_after
  end
  self.reader = self.read_line
  return self
end

--- The address of the client.
function Dialogue:peer_ip()
  return (self.peer:gsub(":%d*$", ""):gsub("^%[(.*)%]$", "%1"))
end

-- --- records ---------------------------------------------------------------

function Dialogue:note(dir, line)
  local lines = self.record.lines
  lines[#lines + 1] = { dir = dir, line = line, t = self.shared.clock() - self.record.began }
end

--- Records something a correct client does not do.
function Dialogue:defect(what, line)
  local defects = self.record.defects
  defects[#defects + 1] = { what = what, line = line }
end

-- --- output ----------------------------------------------------------------

function Dialogue:push(action)
  self.queue[#self.queue + 1] = action
end

--- The next thing to do, or nil.
function Dialogue:next_action()
  local action = self.queue[self.first]
  if not action then
    self.queue, self.first = {}, 1
    return nil
  end
  self.queue[self.first] = false
  self.first = self.first + 1
  return action
end

--- Ends the connection once everything before is sent.
-- @tparam string how "fin", "rst" or "stall" (say and read nothing any more)
function Dialogue:close(how)
  if not self.gated then
    self.gated = true
    self.record.closed = "server"
    self:push({ kind = "close", how = how })
  end
end

-- Sends bytes, up to the place where the options cut the connection; says whether
-- all of them go out.
function Dialogue:send(bytes, delay, phase)
  local cut = self.cut_out
  local left = cut and cut - self.sent_bytes or #bytes
  local is_whole = #bytes <= left
  bytes = bytes:sub(1, left)
  self.sent_bytes = self.sent_bytes + #bytes
  if bytes ~= "" then
    self:push({ kind = "send", bytes = bytes, delay = delay, phase = phase })
  end
  if cut and self.sent_bytes >= cut then
    self:close(self.options.how or "fin")
  end
  return is_whole
end

local function delay_of(options, phase)
  local delay = options.delay
  if type(delay) == "table" then
    delay = delay[phase]
  end
  return delay or nil
end

local function wire_form(reply)
  if type(reply) == "table" then
    return reply.raw
  end
  return reply:sub(-1) == "\n" and reply or reply .. "\r\n"
end

--- Says a reply. `reply` is a line or lines (CRLF is added at the end) or
-- `{ raw = bytes }`.
-- @treturn boolean whether all of it goes out
function Dialogue:say(phase, reply)
  local bytes = wire_form(reply)
  local extra = self.options.after and self.options.after[phase]
  for line in bytes:gmatch("[^\n]+\n?") do
    self:note("S", (line:gsub("\r?\n$", "")))
  end
  return self:send(bytes .. (extra or ""), delay_of(self.options, phase), phase)
end

-- The reply the options want here: by key (an address), else the next of a
-- list. Nil: as the scenario says.
local function scripted(self, phase, key)
  local reply = self.options.replies and self.options.replies[phase]
  if type(reply) == "table" and reply.raw == nil then
    local list = reply
    reply = key and list[key]
    if reply == nil then
      local used = (self.shared.uses[phase] or 0) + 1
      reply = list[used]
      self.shared.uses[phase] = reply ~= nil and used or used - 1
    end
  end
  if type(reply) == "function" then
    reply = reply(self, key)
  end
  return reply or nil
end

local function code_of(reply)
  return type(reply) == "string" and tonumber(reply:match("^%d%d%d")) or nil
end

local function is_positive(code)
  return code ~= nil and code >= 200 and code < 300
end

function Dialogue:drops(phase)
  local options, shared = self.options, self.shared
  if options.drop_at ~= phase or self.gated then
    return false
  end
  if options.drop_times and shared.drops >= options.drop_times then
    return false
  end
  shared.drops = shared.drops + 1
  self:close(options.how or "fin")
  return true
end

--- Answers in a phase: drops the connection there if the options say so, else
-- sends what they want or the default.
-- @tparam string phase
-- @param default reply of the scenario; nil: none
-- @tparam[opt] string how to close afterwards
-- @tparam[opt] string key address the reply is about
-- @treturn ?number the code of the reply, also when the connection was dropped
-- @return the reply, nil when it was not sent, or not to its end
function Dialogue:respond(phase, default, how, key)
  local reply = scripted(self, phase, key) or default or nil
  local code = code_of(reply)
  if self:drops(phase) then
    return code, nil
  end
  local is_whole = reply and self:say(phase, reply)
  if how then
    self:close(how)
  elseif code == 421 then
    self:close("fin")
  end
  return code, is_whole and reply or nil
end

-- --- messages --------------------------------------------------------------

local function make_message(self)
  local transaction, received = self.transaction or { to = {} }, self.body
  return {
    from = transaction.from, params = transaction.params, to = transaction.to,
    to_params = transaction.to_params, data = received.data, size = received.size,
    path = received.path, bare_newline = received.bare_newline,
    chunked = received.chunked or false, auth = self.auth, tls = self.tls, helo = self.helo,
    connection = self.record.id,
  }
end

-- One reply for each recipient (RFC 2033 section 4.2): taken by one is taken.
local function respond_to_each(self, message)
  local taken = false
  for i, address in ipairs(message.to) do
    local reply, how = self.scenario.dot(self, message, address)
    local code = self:respond("dot", reply, i == #message.to and how or nil, address)
    taken = taken or is_positive(code)
  end
  return taken
end

local function end_message(self)
  self.body:finish()
  local message = make_message(self)
  self:note("C", ("(message of %d bytes)"):format(message.size))
  if message.bare_newline then
    self:defect("a bare CR or LF in the message")
  end
  self.body, self.transaction, self.reader = nil, nil, self.read_line
  local taken, said
  if self.options.lmtp then
    taken = respond_to_each(self, message)
  else
    local reply, how = self.scenario.dot(self, message)
    local code
    code, said = self:respond("dot", reply, how, message.from)
    taken = is_positive(code)
  end
  message.reply = type(said) == "string" and said or nil
  local list = taken and self.shared.messages or self.shared.rejected
  list[#list + 1] = message
  self.accepted = self.accepted + (taken and 1 or 0)
  self.rejected = self.rejected + (taken and 0 or 1)
end

-- --- input -----------------------------------------------------------------

-- Each reader takes what it can from inbox[at..] and answers whether to go on.

local function long_line(self)
  if #self.inbox - self.at + 1 > LINE_CAP then
    self:defect("a line without end")
    self.inbox, self.at = "", 1
    self:respond("unknown", "500 5.5.6 Line too long")
  end
  return false
end

local function check_line(self, line, ended)
  if not ended then
    self:defect("a line that ends with a bare LF", line)
  elseif line:find("[\r]") or line:find("\0", 1, true) then
    self:defect("CR or NUL in a line", line)
  end
end

function Dialogue:read_line()
  local stop = self.inbox:find("\n", self.at, true)
  if not stop then
    return long_line(self)
  end
  local line = self.inbox:sub(self.at, stop - 1)
  local ended = line:sub(-1) == "\r"
  line = ended and line:sub(1, -2) or line
  self.at = stop + 1
  self:note("C", line)
  check_line(self, line, ended)
  local expected = self.expect
  self.expect = nil
  if expected then
    expected(line)
  else
    commands.run(self, line)
  end
  return true
end

local function answer_during_body(self)
  local early = self.options.during_body
  if not early or self.body.answered or self.body.taken < (early.after or 1) then
    return
  end
  self.body.answered = true
  if early.reply then
    self:say("body", early.reply)
  end
  if early.how then
    self:close(early.how)
  end
end

-- Body bytes arrive; answers what stands behind the end of the message.
local function take_body(self, bytes)
  self.body.taken = (self.body.taken or 0) + #bytes
  local rest = self.body:feed(bytes)
  answer_during_body(self)
  if not self.gated and self.body.taken >= (self.options.drop_after or 1) then
    self:drops("body")
  end
  return rest
end

function Dialogue:read_body()
  local bytes = self.inbox:sub(self.at)
  self.inbox, self.at = "", 1
  local rest = take_body(self, bytes)
  if rest and not self.gated then
    self.inbox = rest
    end_message(self)
    return true
  end
  return false
end

local function end_chunk(self)
  local chunk = self.chunk
  self.chunk, self.reader = nil, self.read_line
  if not self.pipelining and self.at <= #self.inbox then
    self:defect("bytes behind a chunk without PIPELINING", self.inbox:sub(self.at))
  end
  if chunk.refusal then
    self.body = nil
    self:respond("bdat", chunk.refusal, chunk.how)
  elseif chunk.last then
    end_message(self)
  else
    self:respond("bdat", ("250 2.0.0 %d octets received"):format(chunk.size))
  end
end

function Dialogue:read_chunk()
  local chunk = self.chunk
  local bytes = self.inbox:sub(self.at, self.at + chunk.left - 1)
  self.at = self.at + #bytes
  chunk.left = chunk.left - #bytes
  if not chunk.refusal and bytes ~= "" then
    take_body(self, bytes)
  end
  if chunk.left > 0 or self.gated then
    return false
  end
  end_chunk(self)
  return true
end

-- Input up to the place where the options cut the connection.
local function cut_input(self, bytes)
  local cut = self.cut_in
  bytes = bytes:sub(1, cut and cut - self.received or #bytes)
  self.received = self.received + #bytes
  return bytes, cut and self.received >= cut
end

--- Takes bytes of the client. Ignored while `gated`.
function Dialogue:feed(bytes)
  if self.gated then
    return
  end
  local last
  bytes, last = cut_input(self, bytes)
  if not self.greeted then
    self:defect("bytes before the greeting", bytes)
  end
  self.inbox = self.at > #self.inbox and bytes or self.inbox:sub(self.at) .. bytes
  self.at = 1
  while not self.gated and (self.at <= #self.inbox or (self.chunk and self.chunk.left == 0)) do
    if not self:reader() then
      break
    end
  end
  if last then
    self:close(self.options.how or "fin")
  end
end

-- --- life ------------------------------------------------------------------

--- A client has connected; says whether the connection goes on.
function Dialogue:connected()
  if self.cut_out == 0 or self.cut_in == 0 then
    self:close(self.options.how or "fin")
  end
  return not self:drops("connect") and not self.gated
end

--- Begins the dialogue with the greeting.
function Dialogue:open()
  self:respond("greeting", self.scenario.greeting(self))
end

--- The transport has sent an action.
function Dialogue:sent(action)
  if action.phase == "greeting" then
    self.greeted = true
  end
end

--- The first bytes of a TLS handshake have come; says whether it goes on.
function Dialogue:handshaking()
  self.gated = false
  return not self:drops("tls")
end

--- The handshake is over; everything said before is forgotten (RFC 3207 4.2).
function Dialogue:secured(info)
  self.gated = false
  self.tls, self.record.tls = info, info
  self.helo, self.esmtp, self.auth, self.transaction = nil, nil, nil, nil
  self.pipelining = false
end

--- The handshake failed.
function Dialogue:tls_failed(code, text)
  self.record.tls_error = { code = code, text = text }
end

--- The client has gone.
-- @tparam string how "closed" or the name of an error
function Dialogue:ended(how)
  if not self.record.closed then
    self.record.closed = "client"
    self.record.closed_how = how
  end
  if self.body then
    self.record.unfinished = self.body.size
    self.body:finish()
    self.body = nil
  end
  self.gated = true
end

return M
