-- One mail a minute for each address that answers with 5xx. An outage with a
-- thousand failing requests is one mail, not a thousand.
local qqmail = require "qqmail"

local M = {}

-- Seconds in which there is no second mail for the same, and how many mails
-- there may be in them at all: when everything fails, so does every address.
local PERIOD, MOST = 60, 10

local mailer, to

function M.setup(options)
  mailer, to = qqmail.setup(), options.to
end

function M.start()
  mailer:start()
end

-- The path that was asked for, also where error_page leads to another. Clients
-- choose its bytes: what is no plain character would be refused in a subject.
local function place()
  local path = (ngx.var.request_uri or "-"):match("^[^?]*")
  return (ngx.var.host .. path):gsub("[^!-~]", "?"):sub(1, 200)
end

-- `incr` counts at once for all workers, and forgets after the period.
local function is_due(name)
  local seen = ngx.shared.alert
  return seen:incr(name, 1, 0, PERIOD) == 1 and seen:incr("mails", 1, 0, PERIOD) <= MOST
end

function M.log()
  local status = ngx.status
  if status < 500 then
    return
  end
  local name = status .. " " .. place()
  if not is_due(name) then
    return
  end
  -- Nobody can wait in this phase: the mail is handed over, and the worker sends
  -- it. What fails for now is tried again.
  local id, err = mailer:notify {
    to = to,
    subject = name,
    text = table.concat({
      "time      " .. ngx.localtime(),
      "method    " .. (ngx.var.request_method or "-"),
      "upstream  " .. (ngx.var.upstream_addr or "none"),
      "seconds   " .. ngx.var.request_time,
      "", ("No further mail for it within %d seconds."):format(PERIOD), "",
    }, "\n"),
    -- Keeps holiday notes from answering.
    headers = { ["Auto-Submitted"] = "auto-generated" },
  }
  if not id then
    ngx.log(ngx.ERR, "no alert for ", name, ": ", tostring(err))
  end
end

return M
