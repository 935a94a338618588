-- Text and HTML, an image inside the HTML, and an attachment whose name is not
-- ASCII. A file is read while it is sent, so its size does not matter to the
-- memory; here everything is given as strings, so that the example needs none.
local qqmail = require "qqmail"

-- A PNG of one pixel.
local PIXEL = "\137PNG\r\n\26\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\8\6\0\0\0\31\21\196\137"
  .. "\0\0\0\11IDATx\218c\248\15\4\0\9\251\3\253h\250\28\204\0\0\0\0IEND\174B`\130"

local mailer, err = qqmail.new {}
if not mailer then
  io.stderr:write(tostring(err), "\n")
  os.exit(1)
end

local receipt
receipt, err = mailer:send {
  to = os.getenv("EXAMPLE_TO"),
  subject = "十一月报表",
  text = "报表见附件。\n",
  html = '<p>报表见附件。<img src="cid:logo" alt=""></p>',
  inline = { logo = { data = PIXEL, name = "logo.png", type = "image/png" } },
  attachments = {
    { data = "月份,收入\n十一月,1024\n", name = "报表.csv", type = "text/csv; charset=utf-8" },
    -- or a file: "reports/november.pdf", { path = "a.pdf", name = "报表.pdf" }
  },
}
mailer:close()

if not receipt then
  io.stderr:write(tostring(err), "\n")
  os.exit(1)
end
print("sent " .. receipt.message_id)
