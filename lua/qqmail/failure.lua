--- Turns what a connection saw into error values.
--
-- `qqmail.diagnose` says what each means: a refusal of the server by its text, never
-- by its first digit alone.
-- @module qqmail.failure

local errors = require("qqmail.errors")

local M = {}

-- What all failures mean is much to load, and most processes see none of them.
local function diagnose()
  return require("qqmail.diagnose")
end

-- Faults of the connection itself, as drivers call them.
local NETWORK = { closed = "closed", reset = "closed", transport = "closed", timeout = "timeout" }

local function smtp_of(event)
  if not event.code then
    return nil
  end
  return { code = event.code, enhanced = event.enhanced, text = event.text, raw = event.text }
end

local function reply_text(event)
  local parts = { tostring(event.code) }
  parts[#parts + 1] = event.enhanced
  parts[#parts + 1] = event.text ~= "" and event.text or nil
  parts[#parts + 1] = event.detail and "(" .. event.detail .. ")"
  return table.concat(parts, " ")
end

-- Details come from the system or from OpenSSL, in English; the sentence before
-- them is in the language of the user.
local function with_detail(text, detail)
  if not detail or detail == "" then
    return text
  end
  return { en = text.en .. " (" .. detail .. ")", zh = text.zh .. "（" .. detail .. "）" }
end

local function from_reply(event, context)
  local found = diagnose().reply({
    phase = event.phase, code = event.code, enhanced = event.enhanced, text = event.text,
    host = context.settings.host,
  }, context.settings.rules)
  found.text = reply_text(event)
  return found
end

local function from_failure(failure, detail, settings)
  local found = diagnose().failure({
    phase = failure.phase, reason = failure.reason, tried = failure.tried, text = detail,
  }, settings)
  found.text = with_detail(found.text, detail)
  return found
end

local function from_network(event, context)
  local reason = NETWORK[event.fault]
  if reason == "closed" and event.phase == "auth" and context.login_works then
    reason = "lost"
  end
  return from_failure({ phase = event.phase, reason = reason }, context.detail, context.settings)
end

local function from_fault(event, context)
  local found = diagnose().failure({
    phase = event.phase, reason = event.fault, text = event.text,
  }, context.settings)
  local text = found.text
  if event.text ~= "" then
    found.text = { en = text.en .. ": " .. event.text, zh = text.zh .. "：" .. event.text }
  end
  return found
end

local function describe(event, context)
  if event.fault == "reply" then
    return from_reply(event, context)
  end
  return (NETWORK[event.fault] and from_network or from_fault)(event, context)
end

local function finish(spec, event, context)
  spec.phase = event.phase
  spec.smtp = smtp_of(event)
  spec.transcript = context.trace
  spec.delivered = "no"
  spec.recipients = context.recipients
  spec.lang = context.settings.lang
  if event.handed_over then
    spec.delivered = "unknown"
    spec.retry, spec.retry_after = "never", nil
    spec.hint, spec.help_url = nil, nil
  end
  return errors.new(spec)
end

--- An event "refused", "lost" or "failed" of a session.
-- @tparam table event
-- @tparam table context `settings`, `trace`, `detail`, `recipients`
-- @treturn table error
function M.event(event, context)
  local source_error = context.source_error
  if source_error and event.fault == "source" then
    source_error.phase, source_error.transcript = event.phase, context.trace
    return source_error
  end
  return finish(describe(event, context), event, context)
end

local function before_dialogue(failure, context)
  local spec = from_failure(failure, failure.text, context.settings)
  spec.phase, spec.delivered = failure.phase, "no"
  spec.transcript, spec.lang = context.trace, context.settings.lang
  return errors.new(spec)
end

--- A driver's failure to connect.
function M.connect(failure, context)
  return before_dialogue(failure, context)
end

--- A failed handshake.
function M.tls(failure, context)
  return before_dialogue({ phase = "tls", reason = failure.code, text = failure.text }, context)
end

--- What `connection.open` or a connection's `why_failed` returned.
-- @tparam table failure
-- @tparam table settings
-- @tparam ?boolean login_works whoever hangs up during the login says nothing about it
-- @treturn table error
function M.session(failure, settings, login_works)
  local context = { settings = settings, trace = failure.trace, detail = failure.detail,
    login_works = login_works }
  if failure.connect then
    return M.connect(failure.connect, context)
  end
  if failure.tls then
    return M.tls(failure.tls, context)
  end
  return M.event(failure.event, context)
end

return M
