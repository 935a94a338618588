--- Looks through what a mailer sends, and tells `on.warning` and `log` of it.
-- Without one of them nothing is looked at.
-- @module qqmail.lint.watch

local net = require "qqmail.net"

local M = {}

-- Mails of one `send_all` that make it a mailing.
local MAILING = 100

-- Seconds for which a kind of finding is not logged again: a template with a fault
-- would fill the log with it.
local LOG_PAUSE = 60

local function is_told_of(settings)
  return (settings.on and settings.on.warning) or settings.log
end

local function was_logged(mailer, code)
  local now = net.now()
  mailer.warned = mailer.warned or {}
  local last = mailer.warned[code]
  if last and now - last < LOG_PAUSE then
    return true
  end
  mailer.warned[code] = now
  return false
end

-- By thread: whether a hook is being told of a finding. What it sends to tell somebody is
-- not looked through: a fault of the settings is in that mail as well, and so for ever.
local telling = setmetatable({}, { __mode = "k" })

local function tell(mailer, built, findings)
  local settings = mailer.settings
  for _, finding in ipairs(findings) do
    if finding.severity ~= "advice" then
      local is_quiet = not settings.log or was_logged(mailer, finding.code)
      mailer.report:warn(finding, built, is_quiet)
    end
  end
end

--- A message is about to go out.
-- @tparam table mailer
-- @tparam table built
-- @tparam ?number which of how many it is, in a call of `send_all`
function M.look(mailer, built, number)
  local settings = mailer.settings
  if not is_told_of(settings) then
    return
  end
  local thread = coroutine.running() or M
  if telling[thread] then
    return
  end
  -- What the server takes is known from the last connection.
  local findings = require("qqmail.lint").check(built, {
    provider = settings.provider, user = settings.user, size = mailer.routes[1].size_limit,
    bulk = number ~= nil and number >= MAILING,
  }, { lang = settings.lang })
  telling[thread] = true
  tell(mailer, built, findings)
  telling[thread] = nil
end

return M
