--- Asks a server about an envelope without sending a mail: MAIL FROM and every RCPT TO
-- are said and answered, DATA is not.
-- @module qqmail.envelope

local M = {}

-- Why the session takes no such envelope, in the words of its faults.
local FAULTS = { unsupported = "no_utf8", memory = "memory" }

-- As a session that failed would tell it, although the connection is still good.
local function unfit(connection, name, index)
  local failure = connection:why_failed()
  failure.event = failure.event or { type = "failed", fault = FAULTS[name] or "settings",
    phase = index > 0 and "rcpt" or "mail", text = "" }
  failure.index = index > 0 and index or nil
  return failure
end

local function reply_of(event)
  return { code = event.code, enhanced = event.enhanced, text = event.text }
end

local function verdicts_of(job)
  local list = {}
  for index, event in ipairs(job.verdicts) do
    list[index] = reply_of(event)
  end
  return list
end

--- Ask about an envelope.
--
-- The connection can be used on: RSET goes in front of the next MAIL, and `quit` ends
-- the open transaction as well. Where RSET does harm (`no_reset`) the connection ends
-- itself with QUIT; ask `is_over`. A server may take recipients here that it refuses once
-- it has seen the mail.
-- @tparam table connection of `qqmail.connection`, with no message under way
-- @tparam table envelope `from` (empty: the null sender), `to` (list of addresses),
--   `utf8` (an address needs SMTPUTF8), `reports` (see `dsn.parameters`, or nil)
-- @tparam number deadline absolute, on the clock of the driver
-- @treturn ?table `recipients`, for each of `to` a table of `code`, `enhanced` and `text`
--   of the reply; or, when the sender was refused, `sender`, such a table, and no
--   recipients
-- @treturn ?table failure as of `why_failed`; `index` tells which recipient could not be
--   asked about
function M.check(connection, envelope, deadline)
  local job = { verdicts = {} }
  local id, name, _, index = connection.session:begin({
    from = envelope.from, to = envelope.to, utf8 = envelope.utf8, check = true,
    reports = envelope.reports,
  })
  if not id then
    return nil, unfit(connection, name, index)
  end
  connection:adopt(job, id)
  connection:finish(job, deadline)
  local outcome = job.outcome
  if outcome.type == "lost" then
    return nil, connection:why_failed()
  end
  return { sender = outcome.type == "refused" and reply_of(outcome) or nil,
    recipients = verdicts_of(job) }
end

return M
