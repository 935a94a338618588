--- One connection to a server: opened and logged in, it sends messages one by one or
-- several at a time, until it is parked or closed.
--
-- What moves on it is moved by `qqmail.pump`.
-- @module qqmail.connection

local core = require("qqmail.core")
local envelopes = require("qqmail.envelope")
local handshake = require("qqmail.handshake")
local pump = require("qqmail.pump")
local transcript = require("qqmail.transcript")
local wire = require("qqmail.wire")

local M = {}

-- QUIT is a courtesy: its answer is never read, only waited for.
local QUIT_WAIT = 1
-- A server that spoke so recently has not gone away for idleness: a body may go out
-- before the envelope has its answers. Otherwise a dead connection would take the
-- whole message, and nobody could tell what became of it.
local WARM = 2

local Connection = {}
Connection.__index = Connection

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
    pump.run(self, function()
      return self.ready
    end)
    self.times.login = self.now() - began
  end
  if self.login then
    self.login:close()
    self.login = nil
  end
  return self.ready and not pump.is_over(self)
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
  return pump.is_over(self) and 0 or self.session:room()
end

--- Follow what becomes of something the session began.
-- @tparam table job gets `id`, `began`, `verdicts` and, in the end, `outcome`, the event
--   that settled it, with the moment `at`
-- @tparam number id
function Connection:adopt(job, id)
  local now = self.now()
  if next(self.jobs) == nil then
    self.since = now
  end
  job.id, job.began = id, now
  self.jobs[id] = job
end

--- Hand a message to the session.
-- @tparam table job `message`, `handle` (its `qqmail.message`), `from`, `to`, `size`,
--   `eightbit`, `utf8`, `require_tls`, `reports` (see `dsn.parameters`); gets `id`,
--   `began`, `verdicts` (by number of the recipient, of those that were not taken; nil:
--   there are none) and, in the end, `outcome`
-- @treturn ?boolean true
-- @treturn ?string error name
-- @treturn ?number which recipient is at fault, 0: none
function Connection:submit(job)
  plan(self, job)
  local id, name, _, index = self.session:begin(job)
  if not id then
    return nil, name, index
  end
  job.is_reading = true
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
  self.deadline = math.min(self.deadline, self.now() + pump.LAST_WORDS)
  self.cancel = nil
  pump.run(self, never)
  for _, job in pairs(self.jobs) do
    job.is_reading = false
  end
  self.jobs = {}
end

local function has_news(self)
  return self.has_news
end

--- Go on until a job has its outcome, or nothing is left to do. What is known by then
-- of the others, and of the end of the session, is taken note of as well: a connection
-- that is over must not look like one that is merely full.
-- @tparam number deadline absolute
function Connection:advance(deadline)
  self.deadline, self.has_news = deadline, false
  pump.run(self, has_news)
  repeat
    local is_more = pump.take_note(self)
  until not is_more
end

--- Run until the job has its outcome.
-- @tparam table job may have `cancel`: what the caller stops it with
-- @tparam number deadline absolute
function Connection:finish(job, deadline)
  self.deadline, self.cancel = deadline, job.cancel
  pump.run(self, function()
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
  if pump.is_over(self) then
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
  return pump.is_over(self)
end

--- Close without a word.
function Connection:abandon()
  self.closed = true
  self.wire:close()
  self.session:close()
end

--- Say QUIT and close. Nothing that happens here changes any result.
function Connection:quit()
  if not pump.is_over(self) then
    self.deadline = self.now() + QUIT_WAIT
    self.session:quit()
    pump.run(self, never)
    self.wire:recv(self.deadline)
  end
  self.wire:close(self.now() + QUIT_WAIT)
  self.session:close()
  self.closed = true
end

return M
