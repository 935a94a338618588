--- An outbox in a world of its own: what the server answers and what time it is
-- are given by the spec.
local assert = require("luassert")
local errors = require("qqmail.errors")
local outbox = require("qqmail.outbox")
local qqmail = require("qqmail")
local shell = require("spec.support.shell")

local M = {}

function M.failure(kind, retry, more)
  local spec = { kind = kind, code = kind .. ".x", retry = retry, text = "no", phase = "mail" }
  for key, value in pairs(more or {}) do
    spec[key] = value
  end
  return errors.new(spec)
end

-- A world whose server answers what `self.answer` says.
function M.world(options, disk)
  local self = { now = 0, told = {}, warned = {}, alarmed = {}, sent = {} }
  self.answer = function()
    return { accepted = {}, rejected = {} }
  end
  self.agent = {
    settings = {},
    send = function(built)
      self.sent[#self.sent + 1] = tostring(built):match("Subject: ([^\r\n]*)")
        .. ">" .. table.concat(built.envelope.to, ",")
      return self.answer(built)
    end,
    tell = function(receipt, err)
      self.told[#self.told + 1] = receipt and "sent" or err.code
      self.err, self.receipt = err, receipt
    end,
    warn = function(text)
      self.warned[#self.warned + 1] = text
    end,
    alarm = function(text)
      self.alarmed[#self.alarmed + 1] = text
    end,
  }
  local given = { max = 100, bytes = 1000000, overflow = "spool", durable = false, keep = 3600 }
  for key, value in pairs(options or {}) do
    given[key] = value
  end
  self.box = outbox.new(given, function()
    return disk
  end, self.agent, function()
    return self.now
  end)
  return self
end

function M.built(subject, more)
  local spec = { from = "me@test.local", to = "a@test.local", subject = subject, text = "t" }
  for key, value in pairs(more or {}) do
    spec[key] = value
  end
  return assert(qqmail.message(spec))
end

function M.accept(self, subject, more)
  return self.box:accept(M.built(subject, more), self.agent)
end

function M.has_text(err, part)
  assert.is_truthy(tostring(err):find(part, 1, true), tostring(err))
end

-- Sends what can be sent now; how long to wait for more.
function M.drain(self)
  while true do
    local entry, seconds = self.box:next()
    if not entry then
      return seconds
    end
    self.box:send(entry)
  end
end

function M.files(folder)
  local list = shell.run("cd " .. folder .. " && find . -type f ! -name lock | sort")
  local out = {}
  for name in list:gmatch("[^\n]+") do
    out[#out + 1] = name
  end
  return out
end

return M
