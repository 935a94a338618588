--- One mail over TLS and the end: `qqmail_mail.lua port=2525 ca=ca.pem`.

local client = require("client")

client.run(function()
  local settings = client.settings(arg)
  settings.tls = "implicit"
  local mailer = client.mailer(settings)
  assert(mailer:send(client.message(1)))
  mailer:close()
end)
