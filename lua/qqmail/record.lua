--- Log records: flat tables that say in fields what a log line says in words.
--
-- Every record has `time` (UTC, RFC 3339 with milliseconds), `level`, `event` and
-- `text`; what else there is depends on the event. Records hold no subject, no body,
-- and no secret.
-- @module qqmail.record

local net = require("qqmail.net")
local transcript = require("qqmail.transcript")

local M = {}

--- The events, with the level each usually has.
M.EVENTS = {
  sent = "info",         -- the server took a message
  failed = "error",      -- a message has its final error
  rejected = "warning",  -- a recipient was refused of a message that was sent
  retry = "warning",     -- a message will be tried again
  failover = "warning",  -- an account cannot send, the next one is tried
  connected = "debug",   -- a connection was opened and logged in
  warning = "warning",   -- anything else that somebody should look at
}

--- The order of fields in lines of JSON.
M.ORDER = { "time", "level", "event", "text", "message_id", "account", "host", "port", "peer",
  "tls", "to", "recipient", "attempts", "seconds", "delay", "queue_id", "reply", "kind", "code",
  "because", "phase", "delivered", "retry", "retry_after", "smtp_code", "smtp_enhanced", "hint",
  "help_url", "key", "transcript" }

--- A moment as RFC 3339 writes it.
-- @tparam number seconds since 1970, as of `net.time`
-- @treturn string such as "2026-01-31T08:00:00.250Z"
function M.moment(seconds)
  local whole = math.floor(seconds)
  local ms = math.floor((seconds - whole) * 1000)
  return ("%s.%03dZ"):format(os.date("!%Y-%m-%dT%H:%M:%S", whole), ms)
end

-- "250 2.0.0 Ok: queued as 4F2A"
local function reply_line(reply)
  local parts = { tostring(reply.code) }
  parts[#parts + 1] = reply.enhanced
  parts[#parts + 1] = reply.text ~= "" and reply.text or nil
  return table.concat(parts, " ")
end

local COMMON = { "message_id", "account", "host", "port", "to", "attempts", "seconds" }
local OF_ERROR = { "kind", "code", "because", "phase", "delivered", "retry", "retry_after", "hint",
  "help_url" }

local function copy_fields(names, from, out)
  for _, name in ipairs(names) do
    out[name] = from[name]
  end
end

--- The fields of a receipt.
-- @tparam table receipt
-- @treturn table `message_id`, `account`, `host`, `port`, `to` (how many recipients),
-- `attempts`, `seconds`, `queue_id`, `reply`
function M.of_receipt(receipt)
  local out = {}
  copy_fields(COMMON, receipt, out)
  out.to = #receipt.accepted + #receipt.rejected
  out.queue_id, out.reply = receipt.queue_id, reply_line(receipt.reply)
  return out
end

--- The fields of an error.
-- @tparam table err
-- @treturn table the same as far as they are known, and `kind`, `code`, `phase`,
-- `delivered`, `retry`, `retry_after`, `smtp_code`, `smtp_enhanced`, `hint`,
-- `help_url`, `because`, `transcript` (list of strings)
function M.of_error(err)
  local out = {}
  copy_fields(COMMON, err, out)
  copy_fields(OF_ERROR, err, out)
  if err.smtp then
    out.smtp_code, out.smtp_enhanced = err.smtp.code, err.smtp.enhanced
    out.reply = reply_line(err.smtp)
  end
  out.transcript = transcript.lines(err.transcript)
  return out
end

--- The fields of a recipient that was refused.
-- @tparam table receipt of the message that was sent to others
-- @tparam table row of its `rejected`
-- @treturn table
function M.of_rejected(receipt, row)
  return {
    message_id = receipt.message_id, account = receipt.account, host = receipt.host,
    port = receipt.port, recipient = row.address, smtp_code = row.code,
    smtp_enhanced = row.enhanced, retry = row.retry, retry_after = row.retry_after,
    delivered = row.delivered or "no", reply = row.code and reply_line(row) or row.text,
  }
end

--- Make a record.
-- @tparam string event see `EVENTS`
-- @tparam string level "error", "warning", "info" or "debug"
-- @tparam string text one line
-- @tparam ?table fields taken over
-- @treturn table
function M.new(event, level, text, fields)
  local out = fields or {}
  out.time, out.level, out.event, out.text = M.moment(net.time()), level, event, text
  return out
end

return M
