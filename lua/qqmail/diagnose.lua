--- What a failure means, and what to do about it.
--
-- A reply is judged by its text first: some 550 are over in an hour, some 4xx
-- never. Rules are data, the first that matches wins; what no rule knows falls
-- to the general rules at the end, by phase and class of the code.
-- @module qqmail.diagnose

local failures = require "qqmail.diagnose.failures"
local replies = require "qqmail.diagnose.replies"

local M = {}

local function one_of(list, value)
  for _, item in ipairs(list) do
    if item == value then
      return true
    end
  end
  return false
end

local function has_part(list, text)
  for _, part in ipairs(list) do
    if text:find(part, 1, true) then
      return true
    end
  end
  return false
end

local function matches(rule, event)
  if rule.phase and not one_of(rule.phase, event.phase) then
    return false
  end
  if rule.code and not (one_of(rule.code, event.code) or one_of(rule.code, event.class)) then
    return false
  end
  if rule.enhanced and not one_of(rule.enhanced, event.enhanced) then
    return false
  end
  if rule.host and not one_of(rule.host, event.host) then
    return false
  end
  return not rule.text or has_part(rule.text, event.text)
end

local function kind_of(code)
  return code:match("^[a-z]+")
end

local function verdict(rule)
  return {
    kind = kind_of(rule.as), code = rule.as, retry = rule.later and "later" or "never",
    retry_after = rule.later, retry_is_guess = rule.guess, hint = rule.hint, help_url = rule.url,
  }
end

--- What a refusal of the server means.
-- @tparam table event `phase`, `code` (number), `enhanced`, `text` (UTF-8), `host`
-- @treturn table `kind`, `code`, `retry`, `retry_after`, `retry_is_guess` (true when
-- no rule of the provider asks for it), `hint` = `{ en =, zh = }`, `help_url`
function M.reply(event)
  local seen = {
    phase = event.phase, code = event.code, enhanced = event.enhanced,
    text = (event.text or ""):lower(), host = event.host and event.host:lower():gsub("%.$", ""),
    class = event.code and ("%dxx"):format(math.floor(event.code / 100)),
  }
  for _, list in ipairs { replies.special, replies.general } do
    for _, rule in ipairs(list) do
      if matches(rule, seen) then
        return verdict(rule)
      end
    end
  end
  return { kind = "protocol", code = "protocol.unexpected_reply", retry = "later", hint = {
    en = "Check host and port: what answered may be no mail server.",
    zh = "请检查主机与端口：应答的可能不是邮件服务器。",
  } }
end

local function all_tried(failure, pattern)
  local tried = failure.tried or {}
  for _, attempt in ipairs(tried) do
    if not attempt.address or not attempt.address:find(pattern) then
      return false
    end
  end
  return #tried > 0
end

local function connect_row(failure, settings)
  local found = failures.connect[failure.reason] or failures.connect_other
  if all_tried(failure, "^198%.1[89]%.") then
    return failures.fake_ip
  end
  if failure.reason == "timeout" and settings.port == 25 then
    return found, failures.port_25
  end
  if failure.reason == "unreachable" and all_tried(failure, ":") then
    return found, failures.no_ipv6
  end
  return found
end

local IMPLICIT_PORTS = { [465] = true, [994] = true, [2465] = true }

local QQ_HOSTS = { ["smtp.qq.com"] = true }

local function session_row(failure, settings)
  if failure.reason == "timeout" then
    if failure.phase ~= "greeting" then
      return failures.timeout
    end
    local waits = IMPLICIT_PORTS[settings.port] and settings.tls ~= "implicit"
    return failures.greeting_timeout, waits and failures.waits_for_tls or nil
  end
  if failure.phase == "auth" then
    return failures.closed_in_auth, QQ_HOSTS[settings.host] and replies.hints.qq_code or nil
  end
  return failure.phase == "greeting" and failures.closed_at_greeting or failures.closed
end

local function place(settings)
  if settings.socket then
    return settings.socket
  end
  local host = settings.host or "the server"
  return settings.port and host .. ":" .. settings.port or host
end

-- `name`: of the server, in place of host and port.
local function answer(found, settings, hint, name)
  local text, where = found.text, name or place(settings)
  return {
    kind = found.kind, code = found.code, retry = found.retry, hint = hint or found.hint,
    text = { en = text.en:format(where), zh = text.zh:format(where) },
  }
end

--- What a failure of the network means.
-- @tparam table failure of an io driver: `phase` ("resolve", "connect", or a phase
-- of the dialogue), `reason` ("timeout", "refused", "unreachable", "not_found",
-- "again", "denied", "closed", "unknown"), `tried`
-- @tparam ?table settings `host`, `port`, `tls`, `socket`
-- @treturn table as `reply`, and `text` = `{ en =, zh = }`
function M.network(failure, settings)
  settings = settings or {}
  if failure.phase == "resolve" then
    local found = failures.resolve[failure.reason] or failures.resolve_other
    return answer(found, settings, nil, settings.host)
  end
  if failure.phase == "connect" then
    local found, hint = connect_row(failure, settings)
    return answer(found, settings, hint)
  end
  local found, hint = session_row(failure, settings)
  return answer(found, settings, hint)
end

--- What a failed TLS handshake means.
-- @tparam string code of `qqmail.tls`
-- @tparam ?table settings `host`, `port`, `tls`
-- @treturn table as `network`
function M.tls(code, settings)
  settings = settings or {}
  local found = failures.tls[code] or failures.tls.failed
  local hint
  if code == "not_tls" and settings.tls == "implicit" and not IMPLICIT_PORTS[settings.port] then
    hint = failures.clear_start
  end
  local out = answer(found, settings, hint)
  if code == "timeout" then
    out.kind = "timeout"
  end
  return out
end

return M
