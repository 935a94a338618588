--- One message over one connection, and what came of it: a receipt or an error.
--
-- `send` does it all; who keeps several messages under way on one connection uses
-- `prepare`, `submit` and `result`.
-- @module qqmail.delivery

local errors = require("qqmail.errors")
local failure = require("qqmail.failure")

local M = {}

-- Sent all the same, such bytes are cut to 7 bits by some and refused by others, in the
-- end by a server that this one hands the message on to.
local function eightbit_error(settings, connection)
  return errors.new({ kind = "message", code = "message.eightbit_required", phase = "mail",
    delivered = "no", transcript = connection:trace(), retry = "never", lang = settings.lang,
    text = { en = "a message that was made elsewhere holds bytes above 127, and the server "
        .. "does not offer 8BITMIME",
      zh = "外部生成的邮件含有大于 127 的字节，而服务器不支持 8BITMIME" } })
end

--- What a message will look like on this connection.
-- @tparam table settings
-- @tparam table built
-- @tparam table to recipients of this try
-- @tparam table connection
-- @treturn ?table job
-- @treturn ?table error
function M.prepare(settings, built, to, connection)
  local offered = connection:capabilities()
  local handle = built:handle()
  if built:is_busy(handle) then
    return nil, built:failure(handle, "unsupported")
  end
  local is_needed = handle:needs_eightbit()
  if is_needed and not offered["8BITMIME"] then
    return nil, eightbit_error(settings, connection)
  end
  local eightbit = offered["8BITMIME"] == true
    and (is_needed or not settings.quirks.no_eightbit)
  local ok, name, text = handle:rewind(eightbit)
  if not ok then
    return nil, built:failure(handle, name, text)
  end
  return {
    message = built, handle = handle, envelope = { from = built.envelope.from, to = to },
    size = handle:size(eightbit),
    eightbit = eightbit and handle:is_eightbit(),
    -- A raw message does not know the envelope it goes out with.
    utf8 = handle:needs_utf8() or built.envelope.utf8 == true, cancel = built.cancel,
  }
end

local SUBMIT_ERRORS = {
  too_long = { code = "message.too_large",
    text = { en = "the message is larger than the server takes (%s bytes)",
      zh = "邮件超过服务器允许的大小（%s 字节）" } },
  unsupported = { code = "message.smtputf8_required",
    text = { en = "an address, or the header of a raw message, needs SMTPUTF8, which the "
        .. "server does not offer",
      zh = "地址或原始邮件的邮件头含非 ASCII 字符，需要服务器支持 SMTPUTF8" } },
}

local function submit_error(settings, name, connection)
  local row, trace = SUBMIT_ERRORS[name], connection:trace()
  if not row then
    return errors.new({ kind = "message", code = "message.bad_envelope", phase = "mail",
      delivered = "no", transcript = trace, retry = "never", lang = settings.lang,
      text = { en = "the envelope was refused here: " .. name, zh = "信封不合规：" .. name } })
  end
  local limit = ("%.0f"):format(connection:capabilities().size_limit or 0)
  return errors.new({ kind = "message", code = row.code, phase = "mail", delivered = "no",
    retry = "never", transcript = trace, lang = settings.lang,
    text = { en = row.text.en:format(limit), zh = row.text.zh:format(limit) } })
end

-- Splits the verdicts into the accepted addresses and the refused ones.
local function verdicts_of(settings, job)
  local accepted, rejected = {}, {}
  for index, address in ipairs(job.envelope.to) do
    local verdict = job.verdicts[index]
    if verdict and verdict.fault == "reply" then
      local err = failure.event(verdict, { settings = settings })
      rejected[#rejected + 1] = { address = address, code = verdict.code,
        enhanced = verdict.enhanced, text = verdict.text, retry = err.retry,
        retry_after = err.retry_after, retry_is_guess = err.retry_is_guess }
    else
      accepted[#accepted + 1] = address
    end
  end
  return accepted, rejected
end

-- The times of this message: a later one on the connection neither connects nor
-- logs in.
local function take_times(job, connection)
  local times = connection.times
  connection.times = {}
  times.message = job.ended - job.began
  return times
end

-- "250 2.0.0 Ok: queued as 4F2A" and its kin; QQ says "queued as." and no more.
local function queue_id_of(text)
  local id = text:match("queued as ([%w%-%._]+)") or text:match("id=([%w%-%._]+)")
  return id and id:match("%w") and id or nil
end

local function receipt_of(settings, job, connection, reused)
  local accepted, rejected = verdicts_of(settings, job)
  local outcome = job.outcome
  local info = connection.wire:tls_info()
  return {
    message_id = job.message.id, queue_id = queue_id_of(outcome.text),
    accepted = accepted, rejected = rejected,
    reply = { code = outcome.code, enhanced = outcome.enhanced, text = outcome.text },
    attempts = 1, reused = reused, host = settings.host or settings.socket,
    port = settings.port, account = settings.user, peer = connection.peer, tls = info,
    times = take_times(job, connection),
  }
end

local function outcome_error(settings, job, connection)
  local _, rejected = verdicts_of(settings, job)
  local why = connection:why_failed()
  return failure.event(job.outcome, {
    settings = settings, trace = why.trace, detail = why.detail,
    source_error = job.source_error, recipients = #rejected > 0 and rejected or nil,
  })
end

--- Hand a job to the session.
-- @tparam table settings
-- @tparam table job
-- @tparam table connection
-- @treturn ?boolean true
-- @treturn ?table error: nothing of it was sent
function M.submit(settings, job, connection)
  local ok, name = connection:submit(job)
  if ok then
    return true
  end
  return nil, submit_error(settings, name, connection)
end

--- What came of a job that has its outcome.
-- @tparam table settings
-- @tparam table job
-- @tparam table connection
-- @tparam boolean reused whether the connection served another message before
-- @treturn ?table receipt
-- @treturn ?table error
function M.result(settings, job, connection, reused)
  if job.outcome.type == "delivered" then
    return receipt_of(settings, job, connection, reused)
  end
  return nil, outcome_error(settings, job, connection)
end

local DEAD = { closed = true, reset = true, transport = true }

--- Whether the connection was dead before the server read anything of the message:
-- then, and only then, another one may take over unseen.
-- @tparam table job with its outcome
-- @treturn boolean
function M.was_unread(job)
  local outcome = job.outcome
  if outcome.phase ~= "mail" or outcome.handed_over then
    return false
  end
  -- 421 before anything else: the server was just closing it for idleness.
  return outcome.code == 421 or (outcome.type == "lost" and DEAD[outcome.fault] == true)
end

--- Send a message and wait for the verdict.
-- @tparam table settings
-- @tparam table built
-- @tparam table to recipients
-- @tparam table connection
-- @tparam boolean reused whether it served another message before
-- @tparam number deadline absolute
-- @treturn ?table receipt
-- @treturn ?table error
-- @treturn ?table job with its outcome; nil when nothing was sent
function M.send(settings, built, to, connection, reused, deadline)
  local job, err = M.prepare(settings, built, to, connection)
  local ok
  if job then
    ok, err = M.submit(settings, job, connection)
  end
  if not ok then
    return nil, err
  end
  connection:finish(job, deadline)
  local receipt
  receipt, err = M.result(settings, job, connection, reused)
  return receipt, err, job
end

return M
