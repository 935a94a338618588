-- Sends one small mail with the settings of the environment and prints what came
-- of it: "sent" or the fields of the error, one a line.
local qqmail = require("qqmail")

local function print_error(err)
  for _, field in ipairs({ "kind", "code", "phase", "delivered", "retry", "hint", "message" }) do
    print(field .. "=" .. tostring(err[field]))
  end
  print("smtp=" .. tostring(err.smtp and err.smtp.code))
end

local mailer, err = qqmail.new()
local receipt
if mailer then
  receipt, err = mailer:send({ to = "a@test.local", subject = "磁盘告警", text = "hello\n" })
  mailer:close()
end
if receipt then
  print("sent")
else
  print_error(err)
  os.exit(1)
end
