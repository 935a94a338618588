--- The only loop: moves bytes between a session, its messages and the wire.
--
-- The session says what it wants; the pump does it, under absolute deadlines
-- that no drip of bytes can stretch: one for each reply, one for the whole.
-- Nothing here knows a driver, an error text or a retry.
-- @module qqmail.pump

local canceller = require("qqmail.canceller")
local core = require("qqmail.core")
local envelopes = require("qqmail.envelope")
local handshake = require("qqmail.handshake")
local transcript = require("qqmail.transcript")
local wire = require("qqmail.wire")

local M = {}

-- After a failed write, or a refusal with replies still due, what the server
-- has to say is worth a short wait.
local LAST_WORDS = 2
-- QUIT is a courtesy: its answer is never read, only waited for.
local QUIT_WAIT = 1
-- A server that spoke so recently has not gone away for idleness: a body may go out
-- before the envelope has its answers. Otherwise a dead connection would take the
-- whole message, and nobody could tell what became of it.
local WARM = 2

local Connection = {}
Connection.__index = Connection

-- Words of drivers and the wire, in the words of the session.
local ENDED = { timeout = "timeout", closed = "closed", reset = "reset", cancelled = "cancelled" }

local function limit_of(self, phase)
  return phase == "final" and self.timeout.final or self.timeout.reply
end

local function tick(self)
  local now = self.now()
  self.session:set_time(now - self.started)
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
  local deadline = math.min(self.deadline, self.now() + LAST_WORDS)
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

-- A long body passes through as strings that are garbage at once. The collector
-- counts them late, so that a big attachment would look like a leak: work off
-- about as much as was made.
local function pay_for_garbage(bytes)
  if #bytes >= LONG_PIECE then
    collectgarbage("step", math.ceil(#bytes / 1024))
  end
end

local function send(self, bytes, in_body)
  local deadline = math.min(self.deadline, self.now() + self.timeout.reply)
  local sent, why = self.wire:send(bytes, deadline)
  self.session:sent(sent)
  self.since = tick(self)
  if why then
    read_last_words(self, why)
  elseif in_body then
    pay_for_garbage(bytes)
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
  job.verdicts[event.index] = event
end

function HANDLERS.delivered(self, event)
  local job = self.jobs[event.id]
  event.chunked, event.pipelined = job.chunked, job.pipelined
  job.outcome, job.ended = event, self.now()
  self.has_news = true
end

HANDLERS.refused = HANDLERS.delivered
HANDLERS.checked = HANDLERS.delivered
HANDLERS.lost = HANDLERS.delivered

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

-- Takes note of one event of the session; false when there is none.
local function take_note(self)
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
  if take_note(self) then
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
    send(self, session:output(), session:body_id() ~= 0)
  elseif canceller.is_set(self.cancel) then
    end_input(self, "cancelled")
  elseif wants_recv then
    receive(self, phase_deadline(self))
  else
    return false
  end
  return true
end

local function over(self)
  return self.failure ~= nil or self.closed
end

-- Runs until `finished` says so or the session is over.
local function run(self, finished)
  while not finished() and not over(self) do
    if not step(self) then
      break
    end
  end
  -- The events of a session that just ended are still to be told.
  while over(self) and step(self) do
    self.drained = true
  end
end

-- Settings that no session can be made of, as a failure of a session.
local function bad_settings(name)
  local fault = name == "memory" and "memory" or "settings"
  return { event = { type = "failed", fault = fault, phase = "config", text = "" }, times = {},
    trace = {} }
end

local function new_connection(driver, io, session, options)
  local function now()
    return driver:now()
  end
  local is_implicit = options.session.security == "implicit"
  return setmetatable({
    driver = driver, io = io, wire = wire.new(io, now), now = now, started = options.started,
    since = now(), timeout = options.timeout, deadline = options.deadline, times = {},
    connect_by = is_implicit and options.connect_by or nil, session = session,
    progress = session:progress(), make_filter = options.make_filter,
    driver_tls = options.driver_tls, is_implicit = is_implicit, peer = io.peer, jobs = {},
    sent_count = 0, closed = false, heard = now(), watch = options.watch, shown = 0,
    login = options.login,
    -- No more of the settings: a secret is among them.
    pipelining = options.session.pipelining, chunking = options.session.chunking,
  }, Connection)
end

-- From the first byte to the end of the login.
local function log_in(self)
  local began = self.now()
  if not self.is_implicit or handshake.start(self) then
    run(self, function()
      return self.ready
    end)
    self.times.login = self.now() - began
  end
  if self.login then
    self.login:close()
    self.login = nil
  end
  return self.ready and not over(self)
end

--- Open a connection and log in.
-- @param driver an io driver
-- @tparam table options `target` (for the driver; gets `note`), `spare` (a connection of the
--   driver that nobody has used yet, in place of a new one), `session` (settings
--   of `core.session`), `login` (of `qqmail.sasl`, where there is a password; it is
--   closed when the login is over), `make_filter` (function -> TLS filter, or nil),
--   `driver_tls` (where the driver does TLS itself: what its `start_tls` takes),
--   `timeout` (`connect`, `reply`, `final`), `deadline` (absolute), `watch` (called
--   with lists of lines of the dialogue as they are said, or nil), `look` (called with
--   the connection when the login is over, well or not, or nil)
-- @treturn ?table connection
-- @treturn ?table failure: `connect`, `tls` or `event` says of which kind, with
--   `times` and `trace`
function M.open(driver, options)
  local io, failure = options.spare, nil
  local session, name = core.session(options.session)
  if not session then
    if io then
      io:close()
    end
    return nil, bad_settings(name)
  end
  options.started = driver:now()
  options.connect_by = math.min(options.deadline, options.started + options.timeout.connect)
  if io then
    transcript.note(session, 0, "connected " .. tostring(io.peer))
  else
    options.target.note = function(text)
      transcript.note(session, driver:now() - options.started, text)
    end
    io, failure = driver:connect(options.target, options.connect_by)
  end
  local connect_time = driver:now() - options.started
  if not io then
    local trace = session:trace()
    if #trace == 0 then
      trace = transcript.remark(tostring(failure.text or failure.phase))
    end
    session:close()
    return nil, { connect = failure, times = { connect = connect_time }, trace = trace }
  end
  local self = new_connection(driver, io, session, options)
  self.times.connect = connect_time
  local is_in = log_in(self)
  if options.look then
    options.look(self)
  end
  if is_in then
    return self
  end
  failure = self:why_failed()
  self:abandon()
  return nil, failure
end

--- What ended the session.
-- @treturn table `tls` (`code`, `text` and `info`, what `tls_info` gives) or `event`,
--   `detail`, `times`, `trace`
function Connection:why_failed()
  return {
    tls = self.tls_failure, event = self.failure, detail = self.detail,
    times = self.times, trace = self.session:trace(), peer = self.peer,
  }
end

-- --- messages -----------------------------------------------------------------

-- How the session will send it: what a failure says about the server depends on it.
local function plan(self, job)
  local offered = self:capabilities()
  job.pipelined = offered.PIPELINING == true and self.pipelining ~= false
  job.chunked = offered.CHUNKING == true and self.chunking ~= false and job.size ~= nil
  job.eager = self.now() - self.heard < WARM
end

-- The one before it has a next one behind its body, where the server pipelines.
local function follow(self, job)
  if self.newest and not self.newest.outcome and job.pipelined then
    self.newest.followed = true
  end
  self.newest = job
end

--- How many messages may be submitted now.
-- @treturn number
function Connection:room()
  return over(self) and 0 or self.session:room()
end

--- Follow what becomes of something the session began.
-- @tparam table job with `verdicts`; gets `id`, `began` and, in the end, `outcome` and
--   `ended`
-- @tparam number id
function Connection:adopt(job, id)
  if next(self.jobs) == nil then
    self.since = self.now()
  end
  job.id, job.began = id, self.now()
  self.jobs[id] = job
end

--- Hand a message to the session.
-- @tparam table job `message`, `handle` (its `qqmail.message`), `envelope`,
--   `size`, `eightbit`, `utf8`; gets `id`, `verdicts`, `began` and, in the end,
--   `outcome` and `ended`
-- @treturn ?boolean true
-- @treturn ?string error name
-- @treturn ?number which recipient is at fault, 0: none
function Connection:submit(job)
  plan(self, job)
  local id, name, _, index = self.session:begin({
    from = job.envelope.from, to = job.envelope.to, size = job.size,
    eightbit = job.eightbit, utf8 = job.utf8, eager = job.eager,
  })
  if not id then
    return nil, name, index
  end
  job.verdicts, job.outcome, job.is_reading = {}, nil, true
  self:adopt(job, id)
  job.message:lend(job)
  follow(self, job)
  return true
end

--- The outcome of a job was taken note of.
-- @tparam table job
function Connection:retire(job)
  if self.session:body_id() ~= job.id then
    self.jobs[job.id], job.is_reading = nil, false
  end
  self.sent_count = self.sent_count + 1
end

local function never()
  return false
end

--- Replies to commands that went out behind one that was refused are still due, and
-- so may be the news that the session is over: without them the next message would
-- get a connection that is of no use.
function Connection:settle()
  self.deadline = math.min(self.deadline, self.now() + LAST_WORDS)
  self.cancel = nil
  run(self, never)
  for _, job in pairs(self.jobs) do
    job.is_reading = false
  end
  self.jobs = {}
end

--- Go on until a job has its outcome, or nothing is left to do. What is known by then
-- of the others, and of the end of the session, is taken note of as well: a connection
-- that is over must not look like one that is merely full.
-- @tparam number deadline absolute
function Connection:advance(deadline)
  self.deadline, self.has_news = deadline, false
  run(self, function()
    return self.has_news
  end)
  repeat
    local is_more = take_note(self)
  until not is_more
end

--- Run until the job has its outcome.
-- @tparam table job may have `cancel`: what the caller stops it with
-- @tparam number deadline absolute
function Connection:finish(job, deadline)
  self.deadline, self.cancel = deadline, job.cancel
  run(self, function()
    return job.outcome ~= nil
  end)
  self:retire(job)
  self:settle()
end

--- Ask about an envelope without sending a mail; see `check` of `qqmail.envelope`.
Connection.check_envelope = envelopes.check

--- Leave it to the driver until it is needed again, where the driver wants
-- that: in nginx a socket belongs to the request that opened it.
-- @tparam number seconds how long to keep it at most
-- @treturn boolean false when it cannot be kept
function Connection:park(seconds)
  return not self.io.park or self.io:park(seconds)
end

--- Whether the process ends, so that the driver could keep nothing.
-- @treturn boolean
function Connection:is_leaving()
  return self.driver.is_leaving ~= nil and self.driver.is_leaving()
end

local function is_silent(self)
  local data, why = self.wire:recv(self.now())
  return not data and why == "timeout"
end

--- Whether another message may be sent on it, as far as can be seen without
-- asking the server: nothing came, nothing ended. Takes it back from where it
-- was parked.
-- @tparam number deadline absolute
-- @treturn boolean
-- @treturn ?table a connection of the driver that took the place of the dead
--   one, not used by anybody yet: see `spare` of `open`
function Connection:resume(deadline)
  if over(self) then
    return false
  elseif not self.io.park then
    return is_silent(self)
  end
  return self.io:resume(deadline)
end

--- What the server offers. It does not change once the login is over.
function Connection:capabilities()
  if not self.offered then
    self.offered = self.session:capabilities()
  end
  return self.offered
end

--- What the TLS handshake agreed on and which certificates the server showed.
-- @treturn ?table see `tls_info` of `qqmail.wire`; nil without TLS and where the driver
--   does it
function Connection:tls_info()
  if self.driver_tls then
    return nil
  end
  return self.wire:tls_info()
end

--- The last lines of the dialogue.
function Connection:trace()
  return self.session:trace()
end

--- The session is over or unusable.
function Connection:is_over()
  return over(self)
end

--- Close without a word.
function Connection:abandon()
  self.closed = true
  self.wire:close()
  self.session:close()
end

--- Say QUIT and close. Nothing that happens here changes any result.
function Connection:quit()
  if not over(self) then
    self.deadline = self.now() + QUIT_WAIT
    self.session:quit()
    run(self, never)
    self.wire:recv(self.deadline)
  end
  self.wire:close(self.now() + QUIT_WAIT)
  self.session:close()
  self.closed = true
end

return M
