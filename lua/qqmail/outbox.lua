--- Mails that were handed over and wait to be sent: the queue behind
-- `mailer:notify`.
--
-- Bounded in mails and in bytes. What is large, what finds no room and, with
-- `durable`, everything waits on disk (`qqmail.outbox.store`). Who sends is told
-- by others: `qqmail.outbox.worker` inside nginx, `flush` elsewhere. A mail
-- leaves the outbox when it was sent, or when no further try can help.
-- @module qqmail.outbox

local entries = require("qqmail.outbox.entry")
local errors = require("qqmail.errors")
local policy = require("qqmail.outbox.policy")

local M = {}

--- Larger messages go to disk where there is one.
M.large = 262144

-- How many mails are fetched from disk at a time.
local FETCH = 200

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
--   somebody has to mend; `settings`
-- @tparam function clock seconds, monotonic
-- @treturn table outbox
function M.new(options, open_store, agent, clock)
  local self = setmetatable({
    options = options, open_store = open_store, agent = agent, clock = clock, queue = {}, first = 1,
    last = 0, put_off = {}, flying = {}, memory = 0, bytes = 0, failures = 0, paused_until = 0,
    is_proven = false,
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

-- --- handing over -------------------------------------------------------------

local function fault(self, code, text, hint)
  return errors.new({ kind = "limit", code = code, phase = "config", delivered = "no",
    retry = "later", lang = self.options.lang, text = text, hint = hint })
end

local function full(self)
  return fault(self, "outbox.full", {
    en = ("the outbox is full (%d mails)"):format(self.memory),
    zh = ("待发队列已满（%d 封）"):format(self.memory),
  }, {
    en = "Raise outbox.max or outbox.bytes, or set outbox.dir so that mails can wait on disk.",
    zh = "请调大 outbox.max 或 outbox.bytes，或设置 outbox.dir 让邮件在磁盘上等待。",
  })
end

local function unwritable(self, text)
  return fault(self, "outbox.disk", {
    en = "the mail cannot be written to the outbox: " .. tostring(text),
    zh = "邮件无法写入待发目录：" .. tostring(text),
  }, {
    en = "See that outbox.dir exists, is writable for this process, and has room.",
    zh = "请确认 outbox.dir 存在、本进程可写且空间充足。",
  })
end

local function has_room(self, size)
  return self.memory < self.options.max and self.bytes + (size or 0) <= self.options.bytes
end

local function keep_in_memory(self, entry, built)
  local ok, err = entries.load_data(entry, built)
  if not ok then
    return nil, err
  end
  count_in(self, entry)
  push(self, entry)
  return true
end

local function keep_on_disk(self, entry, built)
  local ok, why, text = self.store:put_built(entry, built)
  if not ok then
    return nil, errors.is(why) and why or unwritable(self, text or why)
  end
  if self.last - self.first < self.options.max then
    push(self, entry)
  else
    self.store:forget(entry)
    self.disk_may_have_more = true
  end
  return true
end

-- Makes room by giving up the mail that has waited longest.
local function drop_oldest(self)
  local oldest = pop(self)
  if not oldest then
    return false
  end
  self.counts.dropped = self.counts.dropped + 1
  local err = full(self)
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
  return nil, unwritable(self, why or "outbox.dir is not set")
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
  return nil, err or full(self)
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

-- --- sending --------------------------------------------------------------------

local function fetch(self)
  if not self.disk_may_have_more or self.first <= self.last then
    return
  end
  local paths = self.store:find(FETCH)
  self.disk_may_have_more = #paths == FETCH
  for _, path in ipairs(paths) do
    local entry, why = entries.read(path)
    if entry then
      entry.agent = self.agent
      push(self, entry)
    else
      self.agent.warn(("%s is no mail of the outbox: %s"):format(path, why))
      self.store:fail({ path = path })
    end
  end
end

--- Look at the disk again: mails of processes that are gone may be there.
function Outbox:rescan()
  self.disk_may_have_more = self.store ~= nil
end

-- Mails put off come back when their time has come.
local function call_back(self, now)
  local still = {}
  for _, entry in ipairs(self.put_off) do
    if entry.due <= now then
      push(self, entry)
    else
      still[#still + 1] = entry
    end
  end
  self.put_off = still
end

local function first_due(self)
  local due
  for _, entry in ipairs(self.put_off) do
    due = math.min(due or entry.due, entry.due)
  end
  return due
end

--- The next mail to send; it is under way until `send` has
-- returned.
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
  local due = first_due(self)
  return nil, due and due - now
end

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

local function put_off(self, entry, seconds)
  entry.due = self.clock() + seconds
  self.put_off[#self.put_off + 1] = entry
end

local function give_up(self, entry, err)
  self.counts.failed = self.counts.failed + 1
  err.kept = self.store and self.store:fail(entry) or nil
  finish(self, entry)
  entry.agent.tell(nil, err)
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

local function succeeded(self, entry, receipt, built)
  self.failures, self.is_proven = 0, true
  self.counts.sent = self.counts.sent + 1
  receipt.attempts = entry.tries
  entry.agent.tell(receipt)
  local again = deferred(receipt)
  if #again > 0 and not too_old(self, entry) then
    narrow(self, entry, built, again)
    put_off(self, entry, policy.deferred)
  else
    finish(self, entry)
  end
end

-- Not a failure: with the option `rate` it was too early.
local function wait_for_turn(self, entry, seconds)
  entry.tries = entry.tries - 1
  self.paused_until = self.clock() + seconds
  put_off(self, entry, 0)
end

local function failed(self, entry, err)
  if err.code == "rate.own_limit" then
    wait_for_turn(self, entry, err.retry_after)
    return
  end
  err.attempts = entry.tries
  local what, seconds = policy.decide(err, self.failures)
  if what == "drop" or too_old(self, entry) then
    give_up(self, entry, err)
    return
  end
  local tell = seconds >= policy.mend and entry.agent.alarm or entry.agent.warn
  tell(("mail %s waits for another try in %.0f s: %s"):format(tostring(entry.id), seconds,
    tostring(err)))
  if what == "account" then
    self.failures, self.is_proven = self.failures + 1, false
    self.paused_until = self.clock() + seconds
    seconds = 0
  end
  put_off(self, entry, seconds)
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

--- A mail whose sending broke off by a fault of the program waits for another try.
-- @tparam table entry from `next`
function Outbox:put_back(entry)
  if self.flying[entry] then
    self.flying[entry] = nil
    put_off(self, entry, policy.cap)
  end
end

--- Send one mail and see what becomes of it.
-- @tparam table entry from `next`
-- @treturn boolean whether it was sent
function Outbox:send(entry)
  local agent = entry.agent
  local built, err = entries.message(entry, agent.settings)
  local receipt
  if built then
    receipt, err = agent.send(built)
  end
  self.flying[entry] = nil
  entry.tries = entry.tries + 1
  if receipt then
    succeeded(self, entry, receipt, built)
  else
    failed(self, entry, err)
  end
  return receipt ~= nil
end

-- --- the end --------------------------------------------------------------------

local function each_waiting(self, visit)
  for index = self.first, self.last do
    visit(self.queue[index])
  end
  for _, entry in ipairs(self.put_off) do
    visit(entry)
  end
end

local function forget_waiting(self)
  self.queue, self.first, self.last, self.put_off = {}, 1, 0, {}
end

local function report_lost(list, first, report, why)
  for index = first, #list do
    report(("mail %s is lost: it could not be written: %s"):format(tostring(list[index].id), why))
  end
  return #list - first + 1
end

-- Those that wait; they are not in hand any more when they are on disk.
local function spool_waiting(self, report)
  local list = {}
  each_waiting(self, function(entry)
    if entry.path then
      self.store:forget(entry)
    else
      list[#list + 1] = entry
    end
  end)
  local done, name, text = self.store:put_all(list)
  for index = 1, done do
    count_out(self, list[index])
  end
  forget_waiting(self)
  self.disk_may_have_more = true
  return report_lost(list, done + 1, report, tostring(text or name))
end

-- Those under way, one by one: each is removed again when it was sent after all.
local function spool_flying(self, report)
  local lost = 0
  for entry in pairs(self.flying) do
    if not entry.path then
      local ok, name, text = self.store:put(entry)
      if not ok then
        lost = lost + report_lost({ entry }, 1, report, tostring(text or name))
      end
    end
  end
  return lost
end

local function all_lost(self, report)
  local list = {}
  each_waiting(self, function(entry)
    list[#list + 1] = entry
  end)
  forget_waiting(self)
  return report_lost(list, 1, report, "there is no outbox.dir")
end

--- Write all that waits in memory to disk, mails under way as well: for the end
-- of the process, when nobody can wait any more. May be called again.
-- @tparam ?function report (text) for a mail that cannot be written; a finalizer
--   must not call what a user gave
-- @treturn number how many mails could not be written
function Outbox:spool(report)
  report = report or self.agent.alarm
  if not self.store then
    return all_lost(self, report)
  end
  return spool_waiting(self, report) + spool_flying(self, report)
end

--- The error of a mail that was not sent because its mailer ended.
-- @treturn table
function Outbox:unsent()
  return fault(self, "outbox.not_sent", {
    en = "the mailer was closed before this mail could be sent",
    zh = "mailer 在该邮件发出之前被关闭",
  }, {
    en = "Call mailer:flush() first, or set outbox.dir so that mails can wait on disk.",
    zh = "请先调用 mailer:flush()，或设置 outbox.dir 让邮件在磁盘上等待。",
  })
end

--- End: what still waits goes to disk, or is reported as not sent.
function Outbox:close()
  if self.store then
    self:spool()
    self.store:close()
  else
    each_waiting(self, function(entry)
      entry.agent.tell(nil, self:unsent())
    end)
  end
  forget_waiting(self)
  self.flying, self.memory, self.bytes, self.disk_may_have_more = {}, 0, 0, false
end

return M
