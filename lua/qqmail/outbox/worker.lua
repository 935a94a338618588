--- Sends what is in an outbox from inside nginx: in timers, a few at a time.
--
-- No timer per mail: a burst would use up nginx's running timers, which then
-- drops mails without a word. A drainer sends until nothing is left and ends:
-- one that waited would hold up the worker's exit. While the worker ends,
-- drainers go on for a moment; then what is left goes to disk, and what nobody
-- could write before the state is taken down is written by a finalizer.
-- @module qqmail.outbox.worker

local at_exit = require("qqmail.outbox.at_exit")
local net = require("qqmail.net")

local M = {}

--- Seconds between two looks at the disk.
M.tick = 2

-- A drainer is begun anew after so many mails: memory of a timer is freed with it.
local BATCH = 200

local Worker = {}
Worker.__index = Worker

local function log_error(...)
  ngx.log(ngx.ERR, "qqmail: ", ...)
end

-- While the state is taken down there is no request any more that ngx.log could
-- ask for its connection: it would crash. Standard error is nginx's error.log.
local function to_stderr(text)
  io.stderr:write("qqmail: ", text, "\n")
end

--- The worker's side of an outbox.
-- @tparam table outbox
-- @tparam table options `drainers` (how many), `drain` (seconds while the worker
--   ends), `on_idle` (called when nothing is left to do and nobody asked to stay)
-- @treturn table
function M.new(outbox, options)
  local self = setmetatable({
    outbox = outbox, drainers = options.drainers, drain = options.drain,
    on_idle = options.on_idle, running = 0, stays = false, is_ticking = false, has_alarm = false,
  }, Worker)
  self.sentinel = at_exit(function()
    outbox:spool(to_stderr)
  end)
  return self
end

-- --- while the worker ends ----------------------------------------------------

-- True when no further mail is to be begun.
local function is_over(self)
  if not ngx.worker.exiting() then
    return false
  end
  self.drain_until = self.drain_until or net.now() + self.drain
  return net.now() >= self.drain_until
end

-- --- draining -------------------------------------------------------------------

-- Whatever a user's function does, this drainer is counted off again, and the
-- mail is not lost: it is still under way, so that `spool` writes it.
local function send(self, entry)
  local ok, why = xpcall(function()
    self.outbox:send(entry)
  end, debug.traceback)
  if not ok then
    log_error("sending from the outbox failed: ", why)
    self.outbox:put_back(entry)
  end
end

-- Sends what there is. True when there is more to send at once; else in how many
-- seconds, when that is known.
local function run(self)
  for _ = 1, BATCH do
    if is_over(self) then
      self.outbox:spool()
      return false
    end
    local entry, seconds = self.outbox:next()
    if not entry then
      return false, seconds
    end
    send(self, entry)
    self:wake()
  end
  return true
end

local start_one, set_alarm

local function drain(_, self)
  local has_more, seconds = run(self)
  self.running = self.running - 1
  if has_more then
    start_one(self)
  elseif seconds then
    set_alarm(self, seconds)
  end
end

function start_one(self)
  self.running = self.running + 1
  local ok, why = ngx.timer.at(0, drain, self)
  if not ok then
    -- The tick tries again.
    self.running = self.running - 1
    log_error("no timer for the outbox: ", why)
  end
end

-- Timers of nginx come some milliseconds early: then, as when the time is far, a
-- drainer finds nothing to send and says when to look again.
local function look(self)
  self:wake()
  if self.running == 0 and self.outbox:waiting() > 0 then
    start_one(self)
  end
end

-- Called early, with `premature`, when the worker ends.
local function alarm(premature, self)
  self.has_alarm = false
  if not premature then
    look(self)
  end
end

-- Mails that were put off for a while; what is far away is left to the tick.
function set_alarm(self, seconds)
  if seconds < M.tick and not self.has_alarm then
    self.has_alarm = ngx.timer.at(seconds, alarm, self) and true or false
  end
end

-- --- ticking --------------------------------------------------------------------

local start_ticking

-- A pending timer is called early, with `premature`, when the worker ends.
local function tick(premature, self)
  self.is_ticking = false
  if premature then
    return
  end
  self.outbox:rescan()
  look(self)
  if self.stays or not self.outbox:is_idle() then
    start_ticking(self)
  else
    self.on_idle()
  end
end

function start_ticking(self)
  if self.is_ticking then
    return
  end
  local ok, why = ngx.timer.at(M.tick, tick, self)
  self.is_ticking = ok ~= nil and ok ~= false
  if not self.is_ticking and why ~= "process exiting" then
    log_error("no timer for the outbox: ", why)
  end
end

--- There may be something to send: see that somebody does.
function Worker:wake()
  start_ticking(self)
  local wanted = math.min(self.drainers, self.outbox:wanted())
  while self.running < wanted do
    local before = self.running
    start_one(self)
    if self.running == before then
      return
    end
  end
end

--- Go on looking at the disk although nothing waits: for mails that others left.
function Worker:stay()
  self.stays = true
  self.outbox:rescan()
  self:wake()
end

return M
