-- One template, many rows: subject, text and HTML come from examples/mails/welcome, are
-- compiled once, and each row is a mail of its own.
--
--   QQMAIL_USER=10001@qq.com QQMAIL_PASSWORD=... EXAMPLE_TO=you@example.com \
--     lua5.4 examples/06_template.lua
local qqmail = require "qqmail"

local ROWS = {
  { name = "小明", items = { { title = "茶 <龙井>", price = 58 }, { title = "杯子", price = 19.9 } } },
  { name = "小红", items = {} },
}

local here = arg[0]:match("^(.*)/") or "."
local mailer = assert(qqmail.new { templates = here .. "/mails" })

local number = 0
local function next_message()
  number = number + 1
  local row = ROWS[number]
  return row and { to = os.getenv("EXAMPLE_TO"), template = "welcome", vars = row }
end

local summary, err = mailer:send_all(next_message, {
  on_result = function(receipt, failure, message)
    print(message.vars.name, receipt and "sent" or tostring(failure))
  end,
})
mailer:close()

if not summary then
  io.stderr:write(tostring(err), "\n")
  os.exit(1)
end
os.exit(summary.sent == summary.total and 0 or 1)
