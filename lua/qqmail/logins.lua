--- Remembers how logins ended, for all mailers of the process.
--
-- Providers count failed logins and lock an account that goes on with a wrong
-- password; QQ then refuses the right one, too. So a login that was refused is not
-- tried again before its password changes or a pause is over, however many mailers
-- use it; and one that has never worked is tried by one connection at a time. A login
-- that got no answer, or a hang-up for one, may have been counted as well: the second such
-- one has to wait, too.
-- @module qqmail.logins

local core = require("qqmail.core")
local errors = require("qqmail.errors")
local places = require("qqmail.places")
local transcript = require("qqmail.transcript")

local M = {}

--- Seconds for which a refused login is not tried again.
M.pause = 900

-- Records kept; with more, the oldest goes.
local MOST = 1000

-- By key: what a later error needs, and `at`, when the login was refused.
local records, count = {}, 0

-- By key: true when a login has worked, and who tries one that has not.
local proved, proved_count, queues = {}, 0, {}

-- By key: when a login got no answer, after which there was none that did.
local unanswered, unanswered_count = {}, 0

local salt

-- Made when first needed, so that loading the module asks the system for nothing.
local function own_salt()
  salt = salt or core.random(16) or tostring(records)
  return salt
end

--- A name for a login that tells nothing about the secret and is worth nothing in
-- another process.
-- @tparam string settings_name stands for the server, such as `account.name` gives
-- @tparam ?string user
-- @tparam ?string secret password or token of this moment
-- @treturn string
function M.key(settings_name, user, secret)
  local parts = { own_salt() }
  for _, field in ipairs({ settings_name, user or "", secret or "" }) do
    -- Lengths, so that no field can pass for a part of another one.
    parts[#parts + 1] = ("%d:%s"):format(#field, field)
  end
  return core.hash(table.concat(parts))
end

-- Errors of a login in which nobody looked at the secret: an option mends them.
local NOT_JUDGED = {
  ["auth.not_offered"] = true, ["auth.no_mechanism"] = true, ["auth.needs_tls"] = true,
  ["auth.mechanism_refused"] = true, ["auth.bad_challenge"] = true,
  ["auth.server_not_proven"] = true,
}

--- Whether an error means that the login will be refused each time. A server that
-- hangs up in the middle of a login counts: QQ does so when a code was revoked. The
-- class of the reply decides, not what the error is called: servers that answer "too
-- many failed logins" count the next one, too, and a rule of the user must not have
-- an account locked. Nobody was ever refused for the mechanism with a 535 (RFC 4954).
-- @tparam table err
-- @treturn boolean
function M.is_refusal(err)
  if err.phase ~= "auth" or err.not_tried or err.kind == "config" then
    return false
  end
  local reply = err.smtp and err.smtp.code or 0
  if NOT_JUDGED[err.code] and reply ~= 535 then
    return false
  end
  return reply >= 500 or err.retry == "never"
end

--- Whether an error leaves open what the server thought of the login: it took it and then
-- said nothing for as long as was waited. A connection that breaks tells nothing of the
-- login, whatever the phase: servers restart, lines fail.
-- @tparam table err
-- @treturn boolean
function M.is_unanswered(err)
  return err.kind == "timeout" and err.phase == "auth" and not err.smtp and not err.not_tried
end

local function drop(key)
  if records[key] then
    records[key], count = nil, count - 1
  end
end

local function drop_oldest()
  local oldest
  for key, record in pairs(records) do
    if not oldest or record.at < records[oldest].at then
      oldest = key
    end
  end
  drop(oldest)
end

--- Keep a login from being tried.
-- @tparam string key of `key`
-- @tparam table err the refusal
-- @tparam number now seconds, on the clock of all later calls
function M.block(key, err, now)
  drop(key)
  if proved[key] then
    proved[key], proved_count = nil, proved_count - 1
  end
  if count >= MOST then
    drop_oldest()
  end
  records[key], count = {
    at = now, code = err.code, text = err.message, smtp = err.smtp,
    reason = err.kind == "timeout" and "timeout" or "closed",
    transcript = transcript.tail(err.transcript),
  }, count + 1
end

local function forget_unanswered(key)
  if unanswered[key] then
    unanswered[key], unanswered_count = nil, unanswered_count - 1
  end
end

--- A login got no answer: it may be tried once more, and if that gets none either not
-- before the pause is over. The server may have counted both as wrong; not those of a
-- secret that it has taken before.
-- @tparam string key of `key`
-- @tparam table err
-- @tparam number now seconds
function M.note_unanswered(key, err, now)
  if proved[key] then
    return
  end
  local before = unanswered[key]
  forget_unanswered(key)
  if before and now - before < M.pause then
    M.block(key, err, now)
    records[key].is_unanswered = true
    return
  elseif unanswered_count >= MOST then
    unanswered, unanswered_count = {}, 0
  end
  unanswered[key], unanswered_count = now, unanswered_count + 1
end

--- May this login be tried?
-- @tparam string key of `key`
-- @tparam number now seconds
-- @treturn ?table nil: yes; else for `error`: `code`, `text`, `smtp`, `transcript`,
-- `reason` of the refusal, `is_unanswered` (there was none), `ago` and `left` (seconds)
function M.check(key, now)
  local record = records[key]
  if not record then
    return nil
  end
  local ago = now - record.at
  if ago >= M.pause then
    drop(key)
    return nil
  end
  return {
    code = record.code, text = record.text, smtp = record.smtp, transcript = record.transcript,
    reason = record.reason, is_unanswered = record.is_unanswered, ago = ago,
    left = M.pause - ago,
  }
end

--- Let a login be tried again, for instance since it was accepted.
-- @tparam string key of `key`
function M.forget(key)
  drop(key)
  forget_unanswered(key)
end

--- Forget all: somebody has mended the accounts.
function M.forget_all()
  records, count, proved, proved_count, queues = {}, 0, {}, 0, {}
  unanswered, unanswered_count = {}, 0
end

-- --- one at a time --------------------------------------------------------------

local function leave(key, place)
  local queue = queues[key]
  if not place or not queue then
    return
  end
  queue:leave(place)
  if queue.count == 0 then
    queues[key] = nil
  end
end

--- Wait until this login may be tried: at once when it has worked before, else when
-- nobody else is trying it. Several connections that start together would otherwise
-- each spend a failed login on the same wrong password.
-- @tparam string key
-- @tparam table driver
-- @tparam number deadline absolute
-- @treturn ?table place, to be given to `leave`; nil when there is no need of one
function M.enter(key, driver, deadline)
  if proved[key] then
    return nil
  end
  queues[key] = queues[key] or places.new()
  local place = queues[key]:enter(1, driver, deadline)
  if place and proved[key] then
    leave(key, place)
    return nil
  end
  return place
end

--- A try is over.
-- @tparam string key
-- @tparam ?table place what `enter` gave
-- @tparam boolean worked
function M.leave(key, place, worked)
  if worked then
    -- Also what another one, under way beside it, was told.
    M.forget(key)
  end
  if worked and not proved[key] then
    if proved_count >= MOST then
      proved, proved_count = {}, 0
    end
    proved[key], proved_count = true, proved_count + 1
  end
  leave(key, place)
end

--- Whether the server has taken this login before, and not refused it since.
-- @tparam string key of `key`
-- @treturn boolean
function M.has_worked(key)
  return proved[key] == true
end

-- Judged anew for whoever asks: another mailer may speak another language, and may have
-- rules of its own.
local function judge(record, settings)
  local diagnose = require("qqmail.diagnose")
  if not record.smtp then
    return diagnose.failure({ phase = "auth", reason = record.reason }, settings)
  end
  local found = diagnose.reply({
    phase = "auth", code = record.smtp.code, enhanced = record.smtp.enhanced,
    text = record.smtp.text, host = settings.host,
  }, settings.rules)
  found.text = { en = record.text, zh = record.text }
  return found
end

local REFUSED = {
  en = "not tried: %s refused this login %d s ago (%s); it is tried again once the password or "
    .. "code is another one, or in %d s",
  zh = "未尝试登录：%s 在 %d 秒前拒绝了该账号（%s）；更换密码或授权码后，或 %d 秒后才会重试",
}

local UNANSWERED = {
  en = "not tried: %s left two logins without an answer, the last %d s ago (%s), and may have "
    .. "counted them as wrong; it is tried again once the password or code is another one, or "
    .. "in %d s",
  zh = "未尝试登录：%s 连续两次未对登录作出答复，最近一次在 %d 秒前（%s），可能已计为失败；更换密码或授权码后，"
    .. "或 %d 秒后才会重试",
}

--- The error of a try that is not made.
-- @tparam table record of `check`
-- @tparam table settings `host`, `port`, `socket`, `rules`, `lang`
-- @treturn table error with the code and the transcript of the refusal; `not_tried` is
-- true
function M.error(record, settings)
  local where = settings.host or settings.socket or "the server"
  local ago, left = math.floor(record.ago), math.ceil(record.left)
  local found = judge(record, settings)
  local says = record.is_unanswered and UNANSWERED or REFUSED
  return errors.new({ kind = found.kind, code = found.code, phase = "auth", delivered = "no",
    retry = "never", retry_after = record.left, not_tried = true, lang = settings.lang,
    hint = found.hint, help_url = found.help_url, transcript = record.transcript,
    because = record.code,
    text = { en = says.en:format(where, ago, found.text.en, left),
      zh = says.zh:format(where, ago, found.text.zh, left) } })
end

return M
