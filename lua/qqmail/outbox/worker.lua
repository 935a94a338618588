--- Sends what is in the outboxes of an nginx worker: in timers, a few at a time.
--
-- No timer per mail: a burst would use up nginx's running timers, which then
-- drops mails without a word. A drainer sends until nothing is left and ends: one
-- that waited would hold up the worker's exit. nginx drops timers of others' doing
-- too, so that each is watched: one that does not come, or whose thread is gone,
-- is made up for.
--
-- When the worker ends, drainers go on for a moment. Then what is left goes to
-- disk, where other workers find it at once; and what nobody could write before
-- the state is taken down is written by a finalizer.
-- @module qqmail.outbox.worker

local at_exit = require("qqmail.outbox.at_exit")
local net = require("qqmail.net")

local M = {}

--- Seconds between two looks at the disk, at timers and at threads.
M.tick = 2

-- A drainer is begun anew after so many mails: memory of a timer is freed with it.
local BATCH = 200

-- Seconds after which a timer that did not come is taken for dropped.
local LATE = 1

-- Between two looks while the worker ends.
local LEAVING_PAUSE = 0.05

local Worker = {}
Worker.__index = Worker

-- Of this process: all that tick, and whether the ticker runs.
local workers, is_ticking = {}, false

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
    outbox = outbox, limit = options.drainers, drain = options.drain,
    on_idle = options.on_idle, drainers = {}, stays = false, alarm_at = nil,
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

-- --- drainers -------------------------------------------------------------------

-- Whatever a user's function does, the mail is not lost: it waits again.
local function send(self, drainer, entry)
  drainer.entry = entry
  local ok, why = xpcall(function()
    self.outbox:send(entry)
  end, debug.traceback)
  drainer.entry = nil
  if not ok then
    log_error("sending from the outbox failed: ", why)
    self.outbox:put_back(entry)
  end
end

-- Sends what there is. True when there is more to send at once; else in how many
-- seconds, when that is known.
local function run(self, drainer)
  for _ = 1, BATCH do
    if is_over(self) then
      self.outbox:leave()
      return false
    end
    local entry, seconds = self.outbox:next()
    if not entry then
      return false, seconds
    end
    send(self, drainer, entry)
    self:wake()
  end
  return true
end

local start_one, set_alarm

local function drain(_, self, drainer)
  drainer.thread = coroutine.running()
  local has_more, seconds = run(self, drainer)
  self.drainers[drainer] = nil
  if has_more then
    start_one(self)
  elseif seconds then
    set_alarm(self, seconds)
  end
end

function start_one(self)
  local drainer = { due = net.now() }
  local ok, why = ngx.timer.at(0, drain, self, drainer)
  if ok then
    self.drainers[drainer] = true
  else
    log_error("no timer for the outbox: ", why) -- the tick tries again
  end
  return ok
end

-- nginx dropped its timer.
local function is_late(drainer)
  return not drainer.thread and net.now() - drainer.due > LATE
end

local function count_drainers(self)
  local count = 0
  for drainer in pairs(self.drainers) do
    count = count + (is_late(drainer) and 0 or 1)
  end
  return count
end

-- A function of the user's ended its thread. Not every phase may ask.
local function is_dead(drainer)
  return drainer.thread ~= nil and coroutine.status(drainer.thread) == "dead"
end

-- Forgets drainers that will never come back, and takes their mails from them.
local function bury(self)
  for drainer in pairs(self.drainers) do
    if is_late(drainer) or is_dead(drainer) then
      self.drainers[drainer] = nil
      if drainer.entry then
        self.outbox:put_back(drainer.entry)
      end
    end
  end
end

-- --- looking --------------------------------------------------------------------

-- Timers of nginx come some milliseconds early: then, as when the time is far, a
-- drainer finds nothing to send and says when to look again.
local function look(self)
  self:wake()
  if next(self.drainers) == nil and self.outbox:waiting() > 0 then
    start_one(self)
  end
end

-- Called early, with `premature`, when the worker ends.
local function alarm(premature, self)
  self.alarm_at = nil
  if not premature then
    look(self)
  end
end

-- Mails that were put off for a while; what is far away is left to the tick.
function set_alarm(self, seconds)
  local now = net.now()
  local is_set = self.alarm_at and now < self.alarm_at + LATE
  if seconds < M.tick and not is_set and ngx.timer.at(seconds, alarm, self) then
    self.alarm_at = now + seconds
  end
end

local function look_at(self)
  bury(self)
  if self.stays or not self.outbox:is_idle() then
    self.outbox:rescan()
    look(self)
  elseif next(self.drainers) == nil then
    workers[self] = nil
    self.on_idle()
  end
end

-- While the worker ends: until nothing waits, or the time is over, or nobody can
-- send anyway. Others may have what is left.
local function leave(self)
  is_over(self) -- the time counts from here
  look(self)
  while self.outbox:waiting() > 0 and not self.outbox:is_paused() and not is_over(self) do
    ngx.sleep(LEAVING_PAUSE)
  end
  self.drain_until = net.now()
  self.outbox:leave()
end

-- `ngx.timer.every` goes on where a call of it was dropped; when the worker ends
-- it calls once more, early, with `premature`.
local function tick(premature)
  local list = {}
  for self in pairs(workers) do
    list[#list + 1] = self
  end
  for _, self in ipairs(list) do
    if premature then
      ngx.thread.spawn(leave, self)
    else
      look_at(self)
    end
  end
end

local function start_ticking(self)
  workers[self] = true
  if is_ticking then
    return
  end
  local ok, why = ngx.timer.every(M.tick, tick)
  is_ticking = ok and true or false
  if not ok and not ngx.worker.exiting() then
    log_error("no timer for the outbox: ", why)
  end
end

--- There may be something to send: see that somebody does.
function Worker:wake()
  start_ticking(self)
  if is_over(self) then
    self.outbox:leave()
    return
  end
  local wanted = math.min(self.limit, self.outbox:wanted())
  for _ = count_drainers(self) + 1, wanted do
    if not start_one(self) then
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
