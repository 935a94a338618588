--- Turns what the pump saw into error values.
--
-- A refusal of the server is classified by its text (`qqmail.diagnose`), never
-- by its first digit alone; everything else by the table of faults below.
-- @module qqmail.failure

local diagnose = require("qqmail.diagnose")
local errors = require("qqmail.errors")

local M = {}

-- Faults of the session that carry no refusal of the server.
-- kind, code, retry, text; `%s` is the phase.
local FAULTS = {
  bad_reply = { kind = "protocol", code = "protocol.bad_reply", retry = "later", text = {
    en = "the server's answer is not SMTP (in %s)", zh = "服务器的回复不是 SMTP（阶段：%s）" },
    hint = { en = "Check host and port: another service or a proxy may answer there.",
      zh = "请检查主机与端口：可能是别的服务或代理在应答。" } },
  unexpected = { kind = "protocol", code = "protocol.unexpected_reply", retry = "later", text = {
    en = "the server said something that answers no command (in %s)",
    zh = "服务器发来了与命令不对应的回复（阶段：%s）" } },
  no_chunking = { kind = "protocol", code = "protocol.no_chunking", retry = "now", text = {
    en = "the server offers CHUNKING and does not know BDAT (in %s)",
    zh = "服务器声明支持 CHUNKING，却不认识 BDAT 命令（阶段：%s）" },
    hint = { en = "Set chunking = false.", zh = "请设置 chunking = false。" } },
  reply_too_long = { kind = "protocol", code = "protocol.reply_too_long", retry = "later", text = {
    en = "the server's reply is too long (in %s)", zh = "服务器的回复过长（阶段：%s）" } },
  cancelled = { kind = "cancelled", code = "cancelled", retry = "now", text = {
    en = "the session was ended (in %s)", zh = "会话已结束（阶段：%s）" } },
  no_starttls = { kind = "tls", code = "tls.no_starttls", retry = "never", text = {
    en = "the server does not offer STARTTLS", zh = "服务器未提供 STARTTLS" },
    hint = { en = "Use tls = \"implicit\" with port 465. On 587 somebody in between may have "
      .. "removed the offer; nothing was sent in clear.",
      zh = "465 端口请用 tls = \"implicit\"；若是 587 端口，可能有中间设备去掉了该扩展。未发送任何明文。" } },
  injected = { kind = "tls", code = "tls.injected", retry = "never", text = {
    en = "bytes arrived in clear behind the answer to STARTTLS",
    zh = "STARTTLS 应答之后夹带了明文数据" },
    hint = { en = "Somebody in between tries to speak for the server.",
      zh = "可能有中间人在冒充服务器。" } },
  no_auth = { kind = "auth", code = "auth.not_offered", retry = "never", text = {
    en = "the server offers no login, but a user is set", zh = "已设置账号，但服务器未提供登录（AUTH）" },
    hint = { en = "Check host, port and TLS mode: this may be a server for incoming mail.",
      zh = "请检查主机、端口与 TLS 模式：这可能是收信服务器。" } },
  no_mechanism = { kind = "auth", code = "auth.no_mechanism", retry = "never", text = {
    en = "the server offers no login mechanism that can be used here",
    zh = "服务器提供的登录机制均不可用" },
    hint = { en = "PLAIN and LOGIN need `password`, XOAUTH2 needs `token`; see `auth`.",
      zh = "PLAIN、LOGIN 需要 password，XOAUTH2 需要 token；请检查 auth 选项。" } },
  clear_auth = { kind = "auth", code = "auth.needs_tls", retry = "never", text = {
    en = "refused to send the password without TLS", zh = "未加密的连接上拒绝发送密码" },
    hint = { en = "Set tls = \"implicit\" (465) or \"starttls\" (587); allow_plaintext_auth = true "
      .. "only on a network you trust wholly.",
      zh = "请设置 tls = \"implicit\"（465）或 \"starttls\"（587）；"
        .. "仅在完全可信的网络才用 allow_plaintext_auth = true。" } },
  source = { kind = "message", code = "message.source_failed", retry = "never", text = {
    en = "a body part could not be read to its end; nothing was delivered",
    zh = "正文或附件读取中断；邮件未投递" } },
  memory = { kind = "limit", code = "limit.memory", retry = "later", text = {
    en = "out of memory (in %s)", zh = "内存不足（阶段：%s）" } },
  settings = { kind = "config", code = "config.bad_value", retry = "never", text = {
    en = "a setting cannot be sent to the server (in %s)", zh = "有设置项无法发送给服务器（阶段：%s）" },
    hint = { en = "Check `hostname`, `user` and `password` for length and control characters.",
      zh = "请检查 hostname、user、password 的长度与控制字符。" } },
}

-- Faults of the connection itself: `qqmail.diagnose` knows them by phase.
local NETWORK = { closed = "closed", reset = "closed", transport = "closed", timeout = "timeout" }

local UNKNOWN_HINT = {
  en = "The whole message had been handed over, so it may have been delivered. Look before you "
    .. "send it again, and then use the same `id`.",
  zh = "邮件内容已全部发出，可能已经投递。请先核实；如需重发，请使用相同的 id。",
}

local function fill(text, phase)
  return { en = text.en:format(phase), zh = text.zh:format(phase) }
end

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
  return table.concat(parts, " ")
end

local function from_reply(event, context)
  local row = diagnose.reply({
    phase = event.phase, code = event.code, enhanced = event.enhanced, text = event.text,
    host = context.settings.host,
  })
  return {
    kind = row.kind, code = row.code, retry = row.retry, retry_after = row.retry_after,
    retry_is_guess = row.retry_is_guess, hint = row.hint, help_url = row.help_url,
    text = reply_text(event),
  }
end

-- Details come from the system or from OpenSSL, in English; the sentence before
-- them is in the language of the user.
local function with_detail(text, detail)
  if not detail or detail == "" then
    return text
  end
  return { en = text.en .. " (" .. detail .. ")", zh = text.zh .. "（" .. detail .. "）" }
end

local function from_network(event, context)
  local row = diagnose.network({ phase = event.phase, reason = NETWORK[event.fault] },
    context.settings)
  return { kind = row.kind, code = row.code, retry = row.retry, hint = row.hint,
    text = with_detail(row.text, context.detail) }
end

local function from_fault(event)
  local row = FAULTS[event.fault]
  local text = fill(row.text, event.phase)
  if event.text ~= "" then
    text = { en = text.en .. ": " .. event.text, zh = text.zh .. "：" .. event.text }
  end
  return { kind = row.kind, code = row.code, retry = row.retry, hint = row.hint, text = text }
end

local function describe(event, context)
  if event.fault == "reply" then
    return from_reply(event, context)
  end
  return NETWORK[event.fault] and from_network(event, context) or from_fault(event)
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
    spec.retry = "never"
    spec.hint = UNKNOWN_HINT
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

--- A driver's failure to connect.
function M.connect(failure, context)
  local row = diagnose.network(failure, context.settings)
  return errors.new({
    kind = row.kind, code = row.code, phase = failure.phase, delivered = "no",
    retry = row.retry, retry_after = row.retry_after, hint = row.hint, help_url = row.help_url,
    text = with_detail(row.text, failure.text), transcript = context.trace,
    lang = context.settings.lang,
  })
end

--- A failed handshake.
function M.tls(failure, context)
  local row = diagnose.tls(failure.code, context.settings)
  return errors.new({
    kind = row.kind, code = row.code, phase = "tls", delivered = "no",
    retry = row.retry, hint = row.hint, help_url = row.help_url,
    text = with_detail(row.text, failure.text), transcript = context.trace,
    lang = context.settings.lang,
  })
end

--- What `pump.open` or a connection's `why_failed` returned.
function M.session(failure, settings)
  local context = { settings = settings, trace = failure.trace, detail = failure.detail }
  if failure.connect then
    return M.connect(failure.connect, context)
  end
  if failure.tls then
    return M.tls(failure.tls, context)
  end
  return M.event(failure.event, context)
end

return M
