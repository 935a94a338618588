--- What becomes of a mail in the outbox after a failed try: pure, time is given.
--
-- A mail in the outbox was accepted, so that it is given up only when another
-- try cannot help. A fault of the account (login, network, limits) holds up all
-- mails; one of the mail itself holds up that mail alone. Where the server may
-- have taken it, it is sent again with the same Message-ID: twice is better than
-- never for a notification, and receivers can tell.
-- @module qqmail.outbox.policy

local M = {}

--- Seconds to the second try; doubles with each further one.
M.base = 1

--- Longest pause after failures that pass by themselves.
M.cap = 60

--- Pause after failures that somebody has to mend: login, settings, certificates.
M.mend = 900

--- Pause for one mail that the server put off (greylisting).
M.deferred = 60

-- Faults that belong to the mail, whatever else is well.
local OF_THE_MAIL = { message = true, sender = true, recipient = true, content = true,
  reject = true }

local function backoff(failures)
  return math.min(M.cap, M.base * 2 ^ math.min(failures, 16))
end

--- Decide.
-- @tparam table err of the try
-- @tparam number failures how many tries in a row have failed before, for whatever mail
-- @treturn string "drop" (give up), "mail" (this one waits), "account" (all wait)
-- @treturn ?number seconds to wait
function M.decide(err, failures)
  if err.delivered == "unknown" then
    return "account", backoff(failures)
  elseif err.retry == "never" then
    if OF_THE_MAIL[err.kind] then
      return "drop"
    end
    return "account", M.mend
  elseif OF_THE_MAIL[err.kind] then
    return "mail", err.retry_after or M.deferred
  end
  return "account", err.retry_after or backoff(failures)
end

return M
