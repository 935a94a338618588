--- The only loop: moves bytes between a session, its messages and the wire.
--
-- The session says what it wants; the pump does it, under absolute deadlines
-- that no drip of bytes can stretch: one for each reply, one for the whole.
-- Nothing here knows a driver, an error text or a retry. Works on the connections of
-- `qqmail.connection`.
-- @module qqmail.pump

local canceller = require("qqmail.canceller")
local handshake = require("qqmail.handshake")
local transcript = require("qqmail.transcript")

local M = {}

--- Seconds: after a failed write, or a refusal with replies still due, what the server
-- has to say is worth a short wait.
M.LAST_WORDS = 2

-- Words of drivers and the wire, in the words of the session.
local ENDED = { timeout = "timeout", closed = "closed", reset = "reset", cancelled = "cancelled" }

local function limit_of(self, phase)
  return phase == "final" and self.timeout.final or self.timeout.reply
end

local function tick(self)
  local now = self.now()
  self.session:set_time(now - self.started)
  self.ticked = now
  return now
end

-- A whole reply or a write that went through restarts the phase's clock; bytes
-- of an unfinished reply do not.
local function phase_deadline(self)
  local progress = self.session:progress()
  if progress ~= self.progress then
    self.progress = progress
    self.since = self.now()
  end
  return math.min(self.deadline, self.since + limit_of(self, self.session:phase()))
end

local function end_input(self, why, detail)
  self.detail = self.detail or detail or (not ENDED[why] and why or nil)
  transcript.note(self.session, self.now() - self.started, transcript.ending(why, detail))
  self.session:ended(ENDED[why] or "transport")
end

-- With TLS 1.3 a server refuses our certificate, or the lack of one, when the
-- handshake is over for us: it belongs to the handshake all the same.
local function is_late_refusal(self, code)
  return code == "alert" and not self.ready
end

-- Where the caller may stop the send, a wait is cut into short ones.
local function wait_for_bytes(self, deadline)
  if not self.cancel then
    return self.wire:recv(deadline)
  end
  local slice = math.min(deadline, self.now() + canceller.SLICE)
  local data, why, detail, code = self.wire:recv(slice)
  if why == "timeout" and slice < deadline then
    why = "slice"
  end
  return data, why, detail, code
end

local function receive(self, deadline)
  local data, why, detail, code = wait_for_bytes(self, deadline)
  local now = tick(self)
  if why == "slice" then
    return true
  elseif not data then
    if is_late_refusal(self, code) then
      handshake.note_failure(self, code, detail)
    end
    end_input(self, why, detail)
    return false
  end
  self.heard = now
  local ok, name = self.session:feed(data)
  if not ok then
    end_input(self, name)
  end
  return ok
end

-- The connection is broken for writing, but a refusal may be waiting to be
-- read, and it says more than the broken pipe does.
local function read_last_words(self, why)
  local deadline = math.min(self.deadline, self.now() + M.LAST_WORDS)
  while true do
    local data = self.wire:recv(deadline)
    if not data or not self.session:feed(data) then
      break
    end
  end
  tick(self)
  end_input(self, why)
end

-- While a long body goes out, look whether the server refuses it already.
local function look_for_refusal(self)
  local data, why, detail = self.wire:recv(self.now())
  if data then
    self.session:feed(data)
  elseif why ~= "timeout" then
    end_input(self, why, detail)
  end
end

-- Shorter pieces are left to the collector's own pace.
local LONG_PIECE = 16384

-- With a driver of the user's a long body passes through as strings that are garbage at
-- once. The collector counts them late, so that a big attachment would look like a leak:
-- work off about as much as was made.
local function pay_for_garbage(self, bytes)
  if bytes >= LONG_PIECE and not self.io.send_waiting then
    collectgarbage("step", math.ceil(bytes / 1024))
  end
end

local function send(self, in_body)
  local deadline = math.min(self.deadline, self.now() + self.timeout.reply)
  local sent, why = self.wire:send(self.session, deadline)
  self.session:sent(sent)
  self.since = tick(self)
  if why then
    read_last_words(self, why)
  elseif in_body then
    pay_for_garbage(self, sent)
    look_for_refusal(self)
  end
end

-- Lets the message's reader function make more data.
local function refill(job)
  local ok, err = job.message:refill(job.handle)
  if ok then
    return true
  end
  job.source_error = err
  return false
end

local function move_body(self)
  local session = self.session
  local job = self.jobs[session:body_id()]
  local result, name, text = session:body(job.handle)
  if result == "source" and not refill(job) then
    session:body_abort()
  elseif not result then
    job.source_error = job.message:failure(job.handle, name, text)
    session:body_abort()
  elseif result == "end" and job.outcome then
    -- Refused while its chunk was on the way: the server was owed the rest of it.
    self.jobs[job.id], job.is_reading = nil, false
  end
end

local HANDLERS = {}

function HANDLERS.ready(self)
  self.ready = true
end

function HANDLERS.recipient(self, event)
  local job = self.jobs[event.id]
  job.verdicts = job.verdicts or {}
  job.verdicts[event.index] = event
end

function HANDLERS.delivered(self, event)
  event.at = self.ticked
  self.jobs[event.id].outcome = event
  self.has_news = true
end

HANDLERS.checked = HANDLERS.delivered

-- What it says about the server depends on how the message went.
function HANDLERS.refused(self, event)
  local job = self.jobs[event.id]
  event.chunked, event.pipelined = job.chunked, job.pipelined
  HANDLERS.delivered(self, event)
end

HANDLERS.lost = HANDLERS.refused

function HANDLERS.failed(self, event)
  self.failure = event
end

function HANDLERS.closed(self)
  self.closed = true
end

-- What was said since the last look.
local function show_dialogue(self)
  local lines
  lines, self.shown = self.session:trace_since(self.shown)
  if #lines > 0 then
    self.watch(lines)
  end
end

--- Take note of one event of the session.
-- @tparam table self connection
-- @treturn boolean false when there is none
function M.take_note(self)
  local event = self.session:event()
  if self.watch then
    show_dialogue(self)
  end
  if event then
    HANDLERS[event.type](self, event)
  end
  return event ~= nil
end

-- One thing at a time; false when the session has nothing to do.
local function step(self)
  local session = self.session
  if M.take_note(self) then
    return true
  end
  local wants_send, wants_recv, wants_tls, wants_body, _, wants_response = session:want()
  if wants_tls then
    handshake.start(self)
  elseif wants_response then
    self.login:answer(session, self.wire)
  elseif wants_body then
    move_body(self)
  elseif wants_send then
    send(self, session:body_id() ~= 0)
  elseif canceller.is_set(self.cancel) then
    end_input(self, "cancelled")
  elseif wants_recv then
    receive(self, phase_deadline(self))
  else
    return false
  end
  return true
end

--- Whether the session is over.
-- @tparam table self connection
-- @treturn boolean
function M.is_over(self)
  return self.failure ~= nil or self.closed
end

--- Run until `finished` says so or the session is over.
-- @tparam table self connection
-- @tparam function finished finished(self)
function M.run(self, finished)
  while not finished(self) and not M.is_over(self) do
    if not step(self) then
      break
    end
  end
  -- The events of a session that just ended are still to be told.
  while M.is_over(self) and step(self) do
    self.drained = true
  end
end

return M
