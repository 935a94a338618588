--- How an outbox ends: methods of `qqmail.outbox`.
-- @module qqmail.outbox.ending

local faults = require("qqmail.outbox.faults")

local M = {}

local function each_waiting(self, visit)
  for index = self.first, self.last do
    visit(self.queue[index])
  end
  for _, entry in ipairs(self.put_off) do
    visit(entry)
  end
end

local function forget_waiting(self)
  self.queue, self.first, self.last = {}, 1, 0
  self.put_off, self.next_due = {}, math.huge
end

local function report_lost(list, first, report, why)
  for index = first, #list do
    report(("mail %s is lost: it could not be written: %s"):format(tostring(list[index].id), why))
  end
  return #list - first + 1
end

-- Those whose bytes are in memory alone.
local function list_waiting(self)
  local list = {}
  each_waiting(self, function(entry)
    if entry.path then
      self.store:forget(entry)
    else
      list[#list + 1] = entry
    end
  end)
  return list
end

-- The first `done` of a list are on disk: they are not in hand any more.
local function let_go(self, list, done)
  for index = 1, done do
    local entry = list[index]
    self.memory, self.bytes = self.memory - 1, self.bytes - #entry.data
    entry.data = nil
  end
  forget_waiting(self)
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

-- Writes all there is by a function of the store.
local function write_all(self, report, put)
  local list = list_waiting(self)
  local done, name, text = put(self.store, list)
  let_go(self, list, done)
  return report_lost(list, done + 1, report, tostring(text or name)) + spool_flying(self, report)
end

function M.spool(self, report)
  report = report or self.agent.alarm
  if not self.store then
    return all_lost(self, report)
  end
  self.disk_may_have_more = true
  return write_all(self, report, self.store.put_all)
end

function M.leave(self)
  if not self.store then
    return
  end
  -- First, so that the store sees which files are in use.
  spool_flying(self, self.agent.alarm)
  write_all(self, self.agent.alarm, function(store, list)
    return store:leave(list, self.flying)
  end)
  self.disk_may_have_more = false
end

function M.forget(self)
  forget_waiting(self)
  self.flying, self.memory, self.bytes, self.disk_may_have_more = {}, 0, 0, false
  self.store = nil
end

function M.close(self)
  if self.store then
    M.spool(self)
    self.store:close()
  else
    each_waiting(self, function(entry)
      entry.agent.tell(nil, faults.unsent(self))
    end)
  end
  M.forget(self)
end

return M
