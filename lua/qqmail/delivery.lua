--- One message over one connection, and what came of it: a receipt or an error.
--
-- `send` does it all; who keeps several messages under way on one connection uses
-- `prepare`, `submit` and `result`.
-- @module qqmail.delivery

local errors = require("qqmail.errors")
local extensions = require("qqmail.extensions")
local failure = require("qqmail.failure")

local M = {}

-- One sending of a message. The fields that most jobs get are named, so that the table does
-- not have to grow: how it will be sent, its way, what came of it.
local function new_job(built, handle, to)
  local job = {
    message = built, handle = handle, from = built.envelope.from, to = to,
    size = nil, eightbit = nil, utf8 = nil, pipelined = nil, chunked = nil, eager = nil,
    id = nil, began = nil, is_reading = nil, followed = nil, item = nil,
    outcome = nil,
  }
  job.cancel = built.cancel
  return job
end

--- What a message will look like on this connection.
-- @tparam table settings
-- @tparam table built
-- @tparam table to recipients of this try
-- @tparam table connection
-- @treturn ?table job, see `submit` of `qqmail.connection`
-- @treturn ?table error
function M.prepare(settings, built, to, connection)
  local handle = built:handle()
  if built:is_busy(handle) then
    return nil, built:failure(handle, "unsupported")
  end
  local job = new_job(built, handle, to)
  local ok, err = extensions.plan(job, settings, connection)
  if not ok then
    return nil, err
  end
  local name, text
  ok, name, text = handle:rewind(job.eightbit)
  if not ok then
    return nil, built:failure(handle, name, text)
  end
  job.size = handle:size(job.eightbit)
  job.eightbit = job.eightbit and handle:is_eightbit()
  return job
end

local SUBMIT_ERRORS = {
  too_long = { code = "message.too_large",
    text = { en = "the message is larger than the server takes (%s bytes)",
      zh = "邮件超过服务器允许的大小（%s 字节）" } },
}

-- `address`: the recipient at fault, or nil.
local function submit_error(settings, name, connection, address)
  local row, trace = SUBMIT_ERRORS[name], connection:trace()
  if not row or address then
    return errors.new({ kind = "message", code = "message.bad_envelope", phase = "mail",
      delivered = "no", transcript = trace, retry = "never", lang = settings.lang,
      text = { en = ("the envelope was refused here%s: %s"):format(
          address and " at " .. address or "", name),
        zh = ("信封不合规%s：%s"):format(address and "（" .. address .. "）" or "", name) } })
  end
  local limit = ("%.0f"):format(connection:capabilities().size_limit or 0)
  return errors.new({ kind = "message", code = row.code, phase = "mail", delivered = "no",
    retry = "never", transcript = trace, lang = settings.lang,
    text = { en = row.text.en:format(limit), zh = row.text.zh:format(limit) } })
end

-- Splits the verdicts into the accepted addresses and the refused ones; some were refused
-- here, before the server heard of them.
local function verdicts_of(settings, job)
  local accepted, rejected = {}, {}
  for index, row in ipairs(job.refused or {}) do
    rejected[index] = row
  end
  local verdicts = job.verdicts
  for index, address in ipairs(job.to) do
    local verdict = verdicts and verdicts[index]
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
  times.message = job.outcome.at - job.began
  return times
end

local BEFORE_QUEUE_ID = { "queued as ", "id=" }

-- "250 2.0.0 Ok: queued as 4F2A" and its kin; QQ says "queued as." and no more.
local function queue_id_of(text)
  for _, words in ipairs(BEFORE_QUEUE_ID) do
    local _, last = text:find(words, 1, true)
    local id = last and text:match("^[%w%-%._]+", last + 1)
    if id then
      return id:find("%w") and id or nil
    end
  end
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
    dsn = job.has_reports, require_tls = job.require_tls,
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
  local ok, name, index = connection:submit(job)
  if ok then
    return true
  end
  return nil, submit_error(settings, name, connection, job.to[index])
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
