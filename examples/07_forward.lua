-- Forwards a mail as an attachment: whole, with its own header, as `message/rfc822`.
-- What is in hand may be a file (`{ raw = { path = "mail.eml" } }`), a string as here,
-- or a message that was built; its Bcc does not go with it.
local qqmail = require "qqmail"

local ORIGINAL = table.concat({
  "From: Customer <customer@example.com>",
  "To: support@example.com",
  "Date: Mon, 24 Nov 2025 09:00:00 +0800",
  "Message-ID: <question-1@example.com>",
  "Subject: How do I reset my password?",
  "",
  "The page says that my code has expired.",
  "",
}, "\r\n")

local mailer, err = qqmail.new {}
if not mailer then
  io.stderr:write(tostring(err), "\n")
  os.exit(1)
end

local receipt
receipt, err = mailer:send {
  to = os.getenv("EXAMPLE_TO"),
  subject = "转发：How do I reset my password?",
  text = "原邮件见附件。\n",
  references = "<question-1@example.com>",
  attachments = { { message = { raw = ORIGINAL }, name = "原邮件.eml" } },
}
mailer:close()

if not receipt then
  io.stderr:write(tostring(err), "\n")
  os.exit(1)
end
print("sent " .. receipt.message_id)
