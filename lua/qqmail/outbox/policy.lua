--- What becomes of a mail in the outbox after a failed try: pure, no clock.
--
-- A mail in the outbox was accepted, so that it is given up only when another try
-- cannot help. What went wrong before the server heard of the mail (network,
-- greeting, login) holds up all mails; what it said about a recipient or the
-- content belongs to that mail alone, whatever it said. Where the server may have
-- taken the mail, it is sent again with the same Message-ID, a few times: twice is
-- better than never for a notification, and receivers can tell.
-- @module qqmail.outbox.policy

local M = {}

--- Seconds to the second try of the account; doubles with each further one.
M.base = 1

--- Longest pause of the account after failures that pass by themselves.
M.cap = 60

--- Pause after failures that somebody has to mend: login, settings, certificates.
M.mend = 900

--- Pause for one mail that the server put off (greylisting); doubles for one that
-- fails again and again, up to an hour.
M.deferred = 60
M.deferred_cap = 3600

--- How often a mail is sent of which nobody knows whether it was taken.
M.unknown_max = 5

-- Here the server says something about a mail; before it, about us.
local MAIL_PHASES = { mail = true, rcpt = true, data = true, body = true, final = true }

-- Faults of the mail, when they come in one of these phases.
local OF_THE_MAIL = { message = true, sender = true, recipient = true, content = true,
  reject = true }

local function backoff(failures)
  return math.min(M.cap, M.base * 2 ^ math.min(failures, 16))
end

local function put_off(tries)
  return math.min(M.deferred_cap, M.deferred * 2 ^ math.min(tries, 16))
end

-- The server took all of it, or not. Both wait: what broke the connection may be
-- the mail or the server.
local function unknown(entry, failures)
  if entry.unknown >= M.unknown_max then
    return { drop = true }
  end
  return { mail = put_off(entry.unknown - 1), account = backoff(failures) }
end

-- A refusal of a recipient may speak of relaying, logins or rates; an outsider
-- whose address is refused so must not hold up the others.
local function of_recipient(err, entry)
  if err.retry ~= "never" then
    return { mail = math.max(err.retry_after or 0, put_off(entry.tries - 1)) }
  elseif OF_THE_MAIL[err.kind] then
    return { drop = true }
  end
  return { mail = M.mend }
end

local function of_account(err, entry, failures)
  if err.of_mail then
    -- Of the accounts only one that cannot be used has what this mail needs: others go on.
    return { mail = math.max(err.retry == "never" and M.mend or err.retry_after or 0,
      put_off(entry.tries - 1)) }
  elseif err.retry == "never" then
    return { account = M.mend }
  end
  return {
    account = err.retry_after or backoff(failures),
    -- One on which the server breaks each time lets others go first.
    mail = MAIL_PHASES[err.phase] and entry.tries > 1 and put_off(entry.tries - 2) or nil,
  }
end

--- Decide.
-- @tparam table err of the try; `of_mail`: see `qqmail.dispatch`
-- @tparam table entry `tries` so far, this one included; `unknown`: how many of
--   them left the delivery unknown
-- @tparam number failures how many tries in a row have failed before, for whatever
--   mail
-- @treturn table `drop`: give the mail up; `mail`, `account`: seconds for which
--   this mail, or all of them, wait
function M.decide(err, entry, failures)
  if err.delivered == "unknown" then
    return unknown(entry, failures)
  elseif err.phase == "rcpt" then
    return of_recipient(err, entry)
  end
  local speaks_of_mail = err.kind == "message" or MAIL_PHASES[err.phase]
  if not speaks_of_mail or not OF_THE_MAIL[err.kind] then
    return of_account(err, entry, failures)
  elseif err.retry == "never" then
    return { drop = true }
  end
  return { mail = math.max(err.retry_after or 0, put_off(entry.tries - 1)) }
end

return M
