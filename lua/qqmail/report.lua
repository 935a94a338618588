--- Tells a mailer's hooks and log what happens, and counts it.
-- @module qqmail.report

local record = require("qqmail.record")

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

--- Call a hook of the option `on`. The texts of what it gets are freed of secrets.
-- @tparam string name
-- @tparam table what
-- @param ... handed on as it is
function Report:call_hook(name, what, ...)
  local hooks = self.settings.on
  if hooks and hooks[name] then
    self:call(hooks[name], self.settings.cover:mend(what), ...)
  end
end

-- Lua 5.1 has no name for the main coroutine.
local MAIN = {}

--- Write to the log. What a log function sends itself is not logged: where the server
-- is down, a mail about that would be told of by a mail without end.
-- @tparam string event see `record.EVENTS`
-- @tparam string text one line, for people
-- @tparam ?table fields of the record, see `record.of_error` and its kin
-- @tparam ?string level in place of the usual one of the event
function Report:note(event, text, fields, level)
  local log, thread = self.settings.log, coroutine.running() or MAIN
  if not log or self.logging[thread] then
    return
  end
  local cover = self.settings.cover
  level, text = level or record.EVENTS[event], cover:text(text)
  self.logging[thread] = true
  self:call(log, level, text, record.new(event, level, text, cover:shown(fields)))
  self.logging[thread] = nil
end

--- Write an error to the log.
-- @tparam string event
-- @tparam table err
-- @tparam ?table more fields of the record
function Report:note_error(event, err, more)
  if self.settings.log then
    local fields = record.of_error(err)
    for name, value in pairs(more or {}) do
      fields[name] = value
    end
    self:note(event, tostring(err), fields)
  end
end

-- --- results ------------------------------------------------------------------------

local function count_result(counts, receipt, err)
  local name = receipt and "sent" or (err.delivered == "unknown" and "unknown" or "failed")
  counts[name] = counts[name] + 1
end

local function note_receipt(self, receipt)
  -- A raw message may have no Message-ID.
  local name = receipt.message_id or "a message"
  self:note("sent", ("sent %s: %s"):format(name, receipt.reply.text), record.of_receipt(receipt))
  for _, row in ipairs(receipt.rejected) do
    self:note("rejected", ("%s was not sent to %s: %s"):format(name, row.address,
      tostring(row.text)), record.of_rejected(receipt, row))
  end
end

--- Tell hooks and log of a result, and count it.
-- @tparam ?table receipt
-- @tparam ?table err
function Report:tell(receipt, err)
  count_result(self.counts, receipt, err)
  self.settings.cover:mend(receipt or err)
  self:call_hook(receipt and "sent" or "failed", receipt or err)
  if not self.settings.log then
    return
  elseif receipt then
    note_receipt(self, receipt)
  else
    self:note_error("failed", err)
  end
end

-- --- on the way ---------------------------------------------------------------------

--- A message will be tried again: hook, log and count.
-- @tparam table what `message_id`, `attempt`, `delay`, `recipients`, `err` (nil when
-- only recipients were put off)
function Report:retry(what)
  self.counts.retries = self.counts.retries + 1
  self:call_hook("retry", what)
  if not self.settings.log then
    return
  end
  local fields = what.err and record.of_error(what.err) or { message_id = what.message_id }
  fields.delay, fields.to = what.delay, #what.recipients
  fields.message_id = what.message_id
  self:note("retry", ("try %d of %s in %.1f s: %s"):format(what.attempt,
    what.message_id or "a message", what.delay,
    what.err and tostring(what.err) or "some recipients were put off"), fields)
end

--- An account cannot send, and the next one is tried: log and count. An account that
-- is left alone has been told of when it failed.
-- @tparam table err
function Report:failover(err)
  self.counts.failovers = self.counts.failovers + 1
  if err.code ~= "closed.breaker" then
    self:note_error("failover", err)
  end
end

--- A connection was opened and is logged in: log and count.
-- @tparam table settings of the account
-- @tparam table connection
function Report:connected(settings, connection)
  self.counts.opened = self.counts.opened + 1
  if not self.settings.log then
    return
  end
  local times, tls = connection.times, connection.wire:tls_info()
  local where = tostring(connection.peer or settings.host or settings.socket)
  self:note("connected", ("connected to %s as %s"):format(where, settings.user or "nobody"), {
    host = settings.host or settings.socket, port = settings.port, account = settings.user,
    peer = connection.peer, tls = tls and (tls.version or "nginx") or nil,
    seconds = (times.connect or 0) + (times.login or times.tls or 0),
  })
end

--- Log what is odd about the settings.
-- @tparam table warnings list of `{ code, key, message }`
function Report:settings_warnings(warnings)
  for _, warning in ipairs(warnings) do
    self:note("warning", warning.message, { code = warning.code, key = warning.key })
  end
end

--- Tell of something that is likely to go wrong with a message, see `qqmail.lint`.
-- @tparam table finding
-- @tparam table message built
-- @tparam boolean is_quiet whether the log has had the like a moment ago
function Report:warn(finding, message, is_quiet)
  self:call_hook("warning", finding, message)
  if not is_quiet then
    self:note("warning", ("%s: %s: %s (%s)"):format(message.id or "a message", finding.field,
      finding.text, finding.code), { message_id = message.id, code = finding.code,
      key = finding.field, hint = finding.hint })
  end
end

-- --- the dialogue -------------------------------------------------------------------

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

--- @tparam table settings of the mailer: `on`, `log`, `cover`
-- @treturn table report; `counts`: see `mailer:stats`
function M.new(settings)
  return setmetatable({ settings = settings, counts = new_counts(),
    -- Coroutines inside the log function; one that is given up there leaves by itself.
    logging = setmetatable({}, { __mode = "k" }) }, Report)
end

return M
