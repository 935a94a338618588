--- The library, which is given a table for each mail. Settings: those of all clients
-- (README.md).

local client = require("client")
local net = require("qqmail.net")

local settings = client.environment { "PORT", "TLS", "CA", "MAILS", "MODE", "HOW", "WINDOW",
  "CHUNKING", "TEXT", "HTML", "FILE" }
local text_of, html_of = client.template(settings.text), client.template(settings.html)

local function message(number)
  return {
    from = "告警中心 <bench@example.com>", to = "user@discard.test",
    subject = "磁盘告警 " .. number,
    text = text_of(number), html = html_of(number),
    attachments = settings.file and { settings.file } or nil,
  }
end

local function note(failure)
  if failure then
    io.stderr:write(tostring(failure), "\n")
  end
end

local function send_all(mailer, mails)
  local number = 0
  local summary, err = mailer:send_all(function()
    if number < mails then
      number = number + 1
      return message(number)
    end
  end, {
    on_result = function(_, failure)
      note(failure)
    end,
    progress = false,
  })
  return assert(summary, err).sent
end

local function send_each(mailer, mails)
  local sent = 0
  for number = 1, mails do
    local receipt, err = mailer:send(message(number))
    sent = sent + (receipt and 1 or 0)
    note(err)
  end
  return sent
end

local HOW = { send_all = send_all, send = send_each }

local function send_warm()
  local mailer = client.mailer(settings)
  assert(mailer:send(message(0)))
  local began, sent = net.now(), 0
  if settings.mails > 0 then
    sent = HOW[settings.how or "send_all"](mailer, settings.mails)
  end
  local seconds = net.now() - began
  mailer:close()
  return seconds, sent
end

-- The first one leaves a TLS session behind, and is not counted.
local function send_first()
  local seconds, sent = 0, 0
  for number = 0, settings.mails do
    local began = net.now()
    local mailer = client.mailer(settings)
    local receipt, err = mailer:send(message(number))
    local taken = net.now() - began
    note(err)
    if number > 0 and receipt then
      seconds, sent = seconds + taken, sent + 1
    end
    mailer:close()
  end
  return seconds, sent
end

client.run(function()
  local seconds, sent = (settings.mode == "first" and send_first or send_warm)()
  print(("seconds=%.6f sent=%d"):format(seconds, sent))
end)
