--- Mails that were handed over and wait to be sent: the queue behind
-- `mailer:notify`.
--
-- Bounded in mails and in bytes. What is large, what finds no room and, with
-- `durable`, everything waits on disk (`qqmail.outbox.store`). Who sends is told
-- by others: `qqmail.outbox.worker` inside nginx, `flush` elsewhere. A mail
-- leaves the outbox when it was sent, or when no further try can help
-- (`qqmail.outbox.policy`). How one ends: `qqmail.outbox.ending`.
-- @module qqmail.outbox

local ending = require("qqmail.outbox.ending")
local entries = require("qqmail.outbox.entry")
local errors = require("qqmail.errors")
local faults = require("qqmail.outbox.faults")
local policy = require("qqmail.outbox.policy")
local record = require("qqmail.record")

local M = {}

--- Larger messages go to disk where there is one.
M.large = 262144

-- How many mails are fetched from disk at a time; and after how many mails from
-- memory they have a turn, so that new ones never keep them waiting for ever.
local FETCH, TURNS = 200, 50

local Outbox = {}
Outbox.__index = Outbox

--- An outbox.
-- @tparam table options `max` (mails in memory), `bytes` (of them), `overflow`
--   ("spool", "drop_oldest" or "refuse"), `durable`, `keep` (seconds until a
--   mail is given up), `lang`
-- @tparam function open_store () -> a `qqmail.outbox.store`; nil: memory only; nil
--   and a text: there is no getting at it now
-- @tparam table agent sends what comes from disk: `send(built)` -> receipt or
--   nil, error; `tell(receipt, err)`; `warn(text)`; `alarm(text)` for what
--   somebody has to mend; both get the fields of a log record when a mail will be
--   tried again; `settings`
-- @tparam function clock seconds, monotonic
-- @treturn table outbox
function M.new(options, open_store, agent, clock)
  local self = setmetatable({
    options = options, open_store = open_store, agent = agent, clock = clock,
    queue = {}, first = 1, last = 0,      -- mails that can be sent now
    put_off = {}, next_due = math.huge,   -- mails that wait until their `due`
    flying = {},                          -- mails under way, as keys
    memory = 0, bytes = 0,                -- mails with their bytes in memory
    failures = 0, paused_until = 0, is_proven = false, turns = 0,
    counts = { accepted = 0, sent = 0, failed = 0, dropped = 0 },
  }, Outbox)
  local why
  self.store, why = open_store()
  if why then
    agent.alarm("mails can wait in memory only: " .. why)
  end
  self.disk_may_have_more = self.store ~= nil
  return self
end

-- --- the queue ----------------------------------------------------------------

local function push(self, entry)
  self.last = self.last + 1
  self.queue[self.last] = entry
end

local function pop(self)
  if self.first > self.last then
    return nil
  end
  local entry = self.queue[self.first]
  self.queue[self.first] = nil
  self.first = self.first + 1
  return entry
end

-- Memory is counted from acceptance to the end, wherever the entry is.
local function count_in(self, entry)
  self.memory = self.memory + 1
  self.bytes = self.bytes + #entry.data
end

local function count_out(self, entry)
  if entry.data then
    self.memory = self.memory - 1
    self.bytes = self.bytes - #entry.data
    entry.data = nil
  end
end

local function finish(self, entry)
  count_out(self, entry)
  if self.store then
    self.store:remove(entry)
  end
end

--- How many mails wait or are under way, as far as they are in hand.
-- @treturn number
function Outbox:waiting()
  local flying = 0
  for _ in pairs(self.flying) do
    flying = flying + 1
  end
  return self.last - self.first + 1 + #self.put_off + flying
end

--- True when nothing waits, on disk neither.
function Outbox:is_idle()
  return self:waiting() == 0 and not self.disk_may_have_more
end

--- True while nothing can be sent, whatever waits.
function Outbox:is_paused()
  return self.paused_until > self.clock()
end

-- --- handing over -------------------------------------------------------------

local function has_room(self, size)
  return self.memory < self.options.max and self.bytes + (size or 0) <= self.options.bytes
end

local function keep_in_memory(self, entry, built)
  local ok, err = entries.load_data(entry, built, self.options.bytes - self.bytes)
  if not ok then
    return nil, err == "limit" and faults.full(self) or err
  end
  count_in(self, entry)
  push(self, entry)
  return true
end

local function keep_on_disk(self, entry, built)
  local ok, why, text = self.store:put_built(entry, built)
  if not ok then
    return nil, errors.is(why) and why or faults.unwritable(self, text or why)
  end
  if self.last - self.first < self.options.max then
    push(self, entry)
  else
    self.store:forget(entry)
    self.disk_may_have_more = true
  end
  return true
end

-- The place of the mail in memory that has waited longest.
local function find_oldest(self)
  for index = self.first, self.last do
    if self.queue[index].data then
      return index
    end
  end
end

-- Makes room by giving that one up.
local function drop_oldest(self)
  local index = find_oldest(self)
  if not index then
    return false
  end
  local oldest = self.queue[index]
  self.queue[index] = self.queue[self.first]
  pop(self)
  self.counts.dropped = self.counts.dropped + 1
  local err = faults.full(self)
  err.message_id = oldest.id
  finish(self, oldest)
  oldest.agent.tell(nil, err)
  return true
end

local function make_room(self, size)
  if self.options.overflow ~= "drop_oldest" or (size or 0) > self.options.bytes then
    return false
  end
  while not has_room(self, size) do
    if not drop_oldest(self) then
      return false
    end
  end
  return true
end

-- What is promised to be on disk is not taken without one.
local function check_durable(self)
  if not self.options.durable or self.store then
    return true
  end
  local why
  self.store, why = self.open_store()
  if self.store then
    return true
  end
  return nil, faults.unwritable(self, why or "outbox.dir is not set")
end

-- A disk that cannot be written does not stop a mail there is memory for.
local function place(self, entry, built)
  local is_large = entry.size == nil or entry.size > M.large
  local err
  if self.store and (self.options.durable or is_large) then
    local ok
    ok, err = keep_on_disk(self, entry, built)
    if ok or self.options.durable or err.kind == "message" then
      return ok, err
    end
  end
  if has_room(self, entry.size) then
    return keep_in_memory(self, entry, built)
  elseif self.store and self.options.overflow == "spool" and not err then
    return keep_on_disk(self, entry, built)
  elseif make_room(self, entry.size) then
    return keep_in_memory(self, entry, built)
  end
  return nil, err or faults.full(self)
end

--- Take a message over.
-- @tparam table built
-- @tparam table agent of the mailer it came from, see `new`: the result is told
--   to that one
-- @treturn ?boolean true: from now on it is not lost
-- @treturn ?table error
function Outbox:accept(built, agent)
  local entry = entries.new(built)
  entry.agent = agent
  local ok, err = check_durable(self)
  if ok then
    ok, err = place(self, entry, built)
  end
  if ok then
    self.counts.accepted = self.counts.accepted + 1
  end
  return ok, err
end

-- --- what comes next --------------------------------------------------------------

-- A file that cannot be read now may be readable later; one that is none of our
-- mails never will.
local function fetch_one(self, path)
  local entry, why, is_strange = entries.read(path)
  if entry then
    entry.agent = self.agent
    push(self, entry)
    return
  end
  self.agent.alarm(("%s is not sent: %s"):format(path, why))
  if is_strange then
    self.store:fail({ path = path })
  else
    self.store:forget({ path = path })
  end
end

local function fetch(self)
  self.turns = self.turns + 1
  local is_due = self.first > self.last or self.turns % TURNS == 0
  if not self.disk_may_have_more or not is_due then
    return
  end
  local paths, has_more = self.store:find(FETCH)
  self.disk_may_have_more = has_more
  for _, path in ipairs(paths) do
    fetch_one(self, path)
  end
end

--- Look at the disk again: mails of processes that are gone may be there.
function Outbox:rescan()
  self.disk_may_have_more = self.store ~= nil
end

local function put_off(self, entry, seconds)
  entry.due = self.clock() + seconds
  self.next_due = math.min(self.next_due, entry.due)
  self.put_off[#self.put_off + 1] = entry
end

-- Mails put off come back when their time has come.
local function call_back(self, now)
  if now < self.next_due then
    return
  end
  local list = self.put_off
  self.put_off, self.next_due = {}, math.huge
  for _, entry in ipairs(list) do
    if entry.due <= now then
      push(self, entry)
    else
      self.next_due = math.min(self.next_due, entry.due)
      self.put_off[#self.put_off + 1] = entry
    end
  end
end

--- The next mail to send; it is under way until `send` has returned.
-- @treturn ?table entry
-- @treturn ?number when there is none: seconds until another look makes sense;
--   nil when nothing waits
function Outbox:next()
  local now = self.clock()
  if self.paused_until > now then
    return nil, self.paused_until - now
  end
  call_back(self, now)
  fetch(self)
  local entry = pop(self)
  if entry then
    self.flying[entry] = true
    return entry
  end
  return nil, self.next_due < math.huge and self.next_due - now or nil
end

--- How many could be sent side by side right now.
-- @treturn number
function Outbox:wanted()
  local now = self.clock()
  if self.paused_until > now then
    return 0
  end
  call_back(self, now)
  local waiting = self.last - self.first + 1
  if waiting <= 0 then
    return self.disk_may_have_more and 1 or 0
  end
  -- Until one has shown that the account works: a wrong password must not be
  -- tried several times at once.
  return self.is_proven and waiting or 1
end

-- --- what comes of it -------------------------------------------------------------

-- Recipients that the server put off, and only those, are tried again.
local function deferred(receipt)
  local out = {}
  for _, refusal in ipairs(receipt.rejected) do
    if refusal.retry ~= "never" then
      out[#out + 1] = refusal.address
    end
  end
  return out
end

-- By the clock on the wall: a mail may outlive the machine's uptime.
local function too_old(self, entry)
  return os.time() - entry.born >= self.options.keep
end

-- What is left to do must be on disk before it is forgotten: a crash must not
-- send to those again who have the mail.
local function narrow(self, entry, built, to)
  entry.to = to
  if entry.path then
    local ok, name, text = self.store:replace(entry, built)
    if not ok then
      entry.agent.warn(("mail %s: %s"):format(tostring(entry.id), tostring(text or name)))
    end
  end
end

-- What was to be done is done before anybody is told: a function of the user's may
-- do anything, and the mail must be somewhere while it does.
local function succeeded(self, entry, receipt, built)
  self.failures, self.is_proven = 0, true
  self.counts.sent = self.counts.sent + 1
  receipt.attempts = entry.tries
  if entry.unknown > 0 then
    for _, refusal in ipairs(receipt.rejected) do
      refusal.delivered = "unknown"
    end
  end
  local again = deferred(receipt)
  if #again > 0 and not too_old(self, entry) then
    narrow(self, entry, built, again)
    put_off(self, entry, policy.deferred)
  else
    finish(self, entry)
  end
  self.flying[entry] = nil
  entry.agent.tell(receipt)
end

-- A refusal now does not take back what may have arrived at an earlier try.
local function give_up(self, entry, err)
  self.counts.failed = self.counts.failed + 1
  err.message_id = entry.id
  if entry.unknown > 0 then
    err.delivered, err.retry = "unknown", "never"
  end
  err.kept = self.store and self.store:fail(entry) or nil
  finish(self, entry)
  self.flying[entry] = nil
  entry.agent.tell(nil, err)
end

local function wait_longer(self, entry, what)
  if what.account then
    self.failures, self.is_proven = self.failures + 1, false
    self.paused_until = self.clock() + what.account
  end
  put_off(self, entry, what.mail or 0)
  self.flying[entry] = nil
end

local function report(entry, err, what)
  local seconds = math.max(what.account or 0, what.mail or 0)
  local fields = record.of_error(err)
  fields.message_id, fields.delay = entry.id, seconds
  local tell = what.account == policy.mend and entry.agent.alarm or entry.agent.warn
  tell(("mail %s waits for another try in %.0f s: %s"):format(tostring(entry.id), seconds,
    tostring(err)), fields)
end

local function failed(self, entry, err)
  err.attempts, entry.because = entry.tries, err.code
  entry.unknown = entry.unknown + (err.delivered == "unknown" and 1 or 0)
  local what = policy.decide(err, entry, self.failures)
  if what.drop or too_old(self, entry) then
    give_up(self, entry, err)
    return
  end
  wait_longer(self, entry, what)
  report(entry, err, what)
end

-- Not a failure: with the option `rate` it was too early.
local function wait_for_turn(self, entry, seconds)
  entry.tries = entry.tries - 1
  self.paused_until = self.clock() + seconds
  put_off(self, entry, 0)
  self.flying[entry] = nil
end

-- A file that cannot be opened now (too many are open) may be next time.
local function unreadable(self, entry, err)
  if err.code == "message.unreadable" and self.store and self.store:has(entry) then
    wait_longer(self, entry, { mail = policy.deferred })
    report(entry, err, { mail = policy.deferred })
  else
    give_up(self, entry, err)
  end
end

--- A mail whose sending broke off by a fault of the program waits for another try.
-- @tparam table entry from `next`
function Outbox:put_back(entry)
  if self.flying[entry] then
    put_off(self, entry, policy.cap)
    self.flying[entry] = nil
  end
end

--- Send one mail and see what becomes of it.
-- @tparam table entry from `next`
-- @treturn boolean whether it was sent
function Outbox:send(entry)
  if entries.is_late(entry) then
    local late = faults.late(self, entry)
    late.attempts = entry.tries
    give_up(self, entry, late)
    return false
  end
  local agent = entry.agent
  local built, err = entries.message(entry, agent.settings)
  entry.tries = entry.tries + 1
  if not built then
    unreadable(self, entry, err)
    return false
  end
  entry.id = entry.id or built.id
  local receipt
  receipt, err = agent.send(built)
  if receipt then
    succeeded(self, entry, receipt, built)
  elseif err.code == "rate.own_limit" then
    wait_for_turn(self, entry, err.retry_after)
  else
    failed(self, entry, err)
  end
  return receipt ~= nil
end

-- --- the end ----------------------------------------------------------------------

--- Write all that waits in memory to disk, mails under way as well: for the end
-- of the process, when nobody can wait any more. May be called again.
-- @tparam ?function report (text) for a mail that cannot be written; a finalizer
--   must not call what a user gave
-- @treturn number how many mails could not be written
Outbox.spool = ending.spool

--- Leave all that waits to other processes, which may take it at once; what is
-- under way stays here, but on disk. Without a disk nothing happens.
Outbox.leave = ending.leave

--- End: what still waits goes to disk, or is reported as not sent.
Outbox.close = ending.close

--- Forget everything without a word: after a fork, in the process that has no
-- right to it.
Outbox.forget = ending.forget

return M
