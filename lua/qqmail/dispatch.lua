--- Brings one letter to its end: accounts in their order, then a wait, then again.
--
-- Another account is tried at once, for what is the account's fault and before the
-- server may have taken the mail; after all accounts the retry policy says whether
-- and when there is another round.
-- @module qqmail.dispatch

local canceller = require("qqmail.canceller")
local errors = require("qqmail.errors")
local retry = require("qqmail.retry")
local transcript = require("qqmail.transcript")

local M = {}

--- Whether no further try of a letter is to be begun, see the message field `cancel`.
-- @tparam table letter
-- @treturn boolean
function M.is_cancelled(letter)
  return canceller.is_set(letter.built.cancel)
end

--- Whether the next account may be tried after an error.
-- @tparam table err
-- @treturn boolean
function M.may_go_on(err)
  return (retry.is_of_account(err))
end

-- A spare account that does not take the sender was given a mail made for the first one,
-- which is nothing against that.
local function is_about_account(err)
  return M.may_go_on(err) or (err.kind == "sender" and err.delivered == "no")
end

--- Of the errors of two accounts the one that a further round can end: a spare account
-- with a wrong password must not make the trouble of a good one final.
-- @tparam table letter
-- @tparam ?table earlier error of the accounts before
-- @tparam table err of the last one
-- @treturn table one of them
function M.more_hopeful(letter, earlier, err)
  if earlier and is_about_account(err) and not retry.can_help(letter.policy, err)
    and retry.can_help(letter.policy, earlier) then
    return earlier
  end
  return err
end

--- What is wrong with the last account goes to the log where another error is
-- returned, or nobody would ever mend it.
-- @tparam table mailer
-- @tparam ?table best the error that is returned
-- @tparam table err of the last account
function M.tell_dropped(mailer, best, err)
  if best ~= err then
    mailer.report:note_error("failover", err)
  end
end

-- One round: each account until one of them settles it. The error tells with `of_mail`
-- that an account is there and lacks what this mail needs.
local function try_routes(mailer, letter, options)
  local receipt, err, best, of_mail
  for index, route in ipairs(mailer.routes) do
    if index > 1 then
      mailer.report:failover(err)
    end
    options.is_first = index == 1
    receipt, err = route:try(letter, options)
    if receipt then
      return receipt
    end
    best = M.more_hopeful(letter, best, err)
    of_mail = of_mail or (err.kind == "message" and M.may_go_on(err)) or nil
    if not M.may_go_on(err) or M.is_cancelled(letter) or letter:is_bound() then
      break
    end
  end
  M.tell_dropped(mailer, best, err)
  best.of_mail = of_mail
  return nil, best
end

--- What hooks and counters learn of a wait before another round.
-- @tparam table mailer
-- @tparam table letter
-- @tparam number seconds
function M.tell_retry(mailer, letter, seconds)
  mailer.report:retry({
    message_id = letter.built.id, attempt = letter.rounds + 1, delay = seconds,
    recipients = letter.to, err = letter.err,
  })
end

-- What was tried before says why there was no success until now.
local function stopped_error(mailer, letter, kind, code, text)
  local err = errors.new({ kind = kind, code = code, phase = "config", delivered = "no",
    retry = "now", lang = mailer.settings.lang, text = text })
  return transcript.hand_on(err, letter.err)
end

--- Why no try of a letter is to be begun any more.
-- @tparam table mailer
-- @tparam table letter
-- @tparam number now
-- @tparam number deadline absolute
-- @tparam ?table|function cancel of the call, beside that of the letter
-- @treturn ?table error of kind `cancelled` or `timeout`; nil: there is no reason
function M.why_stop(mailer, letter, now, deadline, cancel)
  if M.is_cancelled(letter) or canceller.is_set(cancel) then
    return stopped_error(mailer, letter, "cancelled", "cancelled",
      { en = "the caller stopped the send", zh = "发送已被调用方取消" })
  elseif now >= deadline then
    return stopped_error(mailer, letter, "timeout", "timeout.deadline",
      { en = "the deadline of the message has passed", zh = "已超过该邮件的 deadline" })
  end
end

-- One round and the wait behind it; false when it was the last.
local function go_round(mailer, letter, options)
  local driver = options.driver
  local receipt, err = try_routes(mailer, letter, options)
  local seconds = letter:settle(receipt, err, mailer.random)
  if not seconds then
    return false
  elseif driver:now() + seconds >= options.deadline then
    letter:give_up(seconds)
    return false
  end
  M.tell_retry(mailer, letter, seconds)
  options.pause(seconds)
  return true
end

--- Send a letter, with all its tries.
-- @tparam table mailer
-- @tparam table letter see `qqmail.letter`
-- @tparam table options `driver`, `deadline` (absolute), `patience` (seconds to wait
--   for a turn under `rate`)
-- @treturn ?table receipt
-- @treturn ?table error
function M.send(mailer, letter, options)
  options.pause = function(seconds)
    canceller.pause(options.driver, letter.built.cancel, seconds)
  end
  repeat
    local why = M.why_stop(mailer, letter, options.driver:now(), options.deadline)
    letter.err = why or letter.err
  until why or not go_round(mailer, letter, options)
  return letter:result()
end

return M
