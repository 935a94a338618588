--- Sends mails over one warm connection and says how long that took.
--
--     client.lua port=2525 tls=none how=send_all window=1 chunking=false mails=200
--
-- `how`: "send_all", or "send" one after another. The connection is made by a
-- mail of its own, before the clock starts.

local client = require("client")
local net = require("qqmail.net")

local function send_all(mailer, mails)
  local summary, err = mailer:send_all(client.messages(mails), {
    on_result = function(_, failure)
      if failure then
        io.stderr:write(tostring(failure), "\n")
      end
    end,
    progress = false,
  })
  return assert(summary, err).sent
end

local function send_each(mailer, mails)
  local sent = 0
  for message in client.messages(mails) do
    local receipt, err = mailer:send(message)
    sent = sent + (receipt and 1 or 0)
    if err then
      io.stderr:write(tostring(err), "\n")
    end
  end
  return sent
end

local HOW = { send_all = send_all, send = send_each }

local function main()
  local settings = client.settings(arg)
  local mailer = client.mailer(settings)
  assert(mailer[settings.how], "the library has no " .. settings.how)
  assert(mailer:send(client.message(0)))
  local began, sent = net.now(), 0
  if settings.mails > 0 then
    sent = HOW[settings.how](mailer, settings.mails)
  end
  print(("seconds=%.6f sent=%d"):format(net.now() - began, sent))
  mailer:close()
end

client.run(main)
