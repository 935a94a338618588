--- What an outbox has to say itself.
-- @module qqmail.outbox.faults

local errors = require("qqmail.errors")

local M = {}

local function fault(self, code, text)
  return errors.new({ kind = "limit", code = code, phase = "config", delivered = "no",
    retry = "later", lang = self.options.lang, text = text })
end

--- There is no room.
function M.full(self)
  return fault(self, "outbox.full", {
    en = ("the outbox is full (%d mails)"):format(self.memory),
    zh = ("待发队列已满（%d 封）"):format(self.memory),
  })
end

--- There is no writing to the disk.
function M.unwritable(self, text)
  return fault(self, "outbox.disk", {
    en = "the mail cannot be written to the outbox: " .. tostring(text),
    zh = "邮件无法写入待发目录：" .. tostring(text),
  })
end

--- The mailer ended before the mail was sent.
function M.unsent(self)
  return fault(self, "outbox.not_sent", {
    en = "the mailer was closed before this mail could be sent",
    zh = "mailer 在该邮件发出之前被关闭",
  })
end

--- The time that the message gave is over.
-- @tparam table entry
function M.late(self, entry)
  return errors.new({ kind = "timeout", code = "timeout.deadline", phase = "config",
    delivered = entry.unknown > 0 and "unknown" or "no", retry = "never",
    because = entry.because,
    lang = self.options.lang, text = { en = "the deadline of the message has passed",
      zh = "已超过该邮件的 deadline" } })
end

return M
