--- Tells a mailer's hooks and log what happens, and counts it.
-- @module qqmail.report

local M = {}

local Report = {}
Report.__index = Report

--- Call a function of the user's. One that raises must not change the result; it is
-- counted instead.
-- @tparam ?function hook
function Report:call(hook, ...)
  if hook and not pcall(hook, ...) then
    self.counts.hook_errors = self.counts.hook_errors + 1
  end
end

--- Call a hook of the option `on`.
-- @tparam string name
function Report:call_hook(name, ...)
  local hooks = self.settings.on
  self:call(hooks and hooks[name], ...)
end

local function count_result(counts, receipt, err)
  local name = receipt and "sent" or (err.delivered == "unknown" and "unknown" or "failed")
  counts[name] = counts[name] + 1
end

--- Tell hooks and log of a result, and count it.
-- @tparam ?table receipt
-- @tparam ?table err
function Report:tell(receipt, err)
  count_result(self.counts, receipt, err)
  self:call_hook(receipt and "sent" or "failed", receipt or err)
  local log = self.settings.log
  if log and receipt then
    -- A raw message may have no Message-ID.
    self:call(log, "info", ("sent %s: %s"):format(receipt.message_id or "a message",
      receipt.reply.text))
  elseif log then
    self:call(log, "error", tostring(err))
  end
end

--- Tell of something that is likely to go wrong with a message, see `qqmail.lint`.
-- @tparam table finding
-- @tparam table message built
-- @tparam boolean is_quiet whether the log has had the like a moment ago
function Report:warn(finding, message, is_quiet)
  self:call_hook("warning", finding, message)
  local log = self.settings.log
  if log and not is_quiet then
    self:call(log, "warning", ("%s: %s: %s (%s)"):format(message.id or "a message", finding.field,
      finding.text, finding.code))
  end
end

local function watch_reply(self, host, line)
  local code, text = line.line:match("^(%d%d%d)[ -]?(.*)$")
  self:call_hook("reply", { host = host, t = line.t, code = tonumber(code), text = text or "",
    line = line.line })
end

local function watch_state(self, host, line)
  local from, to = line.line:match("^(%S+) %-> (%S+)$")
  if from then
    self:call_hook("state", { host = host, t = line.t, from = from, to = to })
  end
end

--- What an account's connections call with the lines of their dialogues, for
-- `on.reply` and `on.state`.
-- @tparam table settings of the account
-- @treturn ?function nil when nobody wants to know
function Report:watcher(settings)
  local hooks = self.settings.on
  if not hooks or not (hooks.reply or hooks.state) then
    return nil
  end
  local host = settings.host or settings.socket
  return function(lines)
    for _, line in ipairs(lines) do
      if line.dir == "S" then
        watch_reply(self, host, line)
      elseif line.dir == "*" then
        watch_state(self, host, line)
      end
    end
  end
end

local function new_counts()
  return { sent = 0, failed = 0, unknown = 0, retries = 0, failovers = 0, opened = 0, reused = 0,
    hook_errors = 0 }
end

--- @tparam table settings of the mailer: `on`, `log`
-- @treturn table report; `counts`: see `mailer:stats`
function M.new(settings)
  return setmetatable({ settings = settings, counts = new_counts() }, Report)
end

return M
