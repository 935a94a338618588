-- Many mails over few connections: each has a result of its own, and one that fails
-- does not stop the others.
--
--   QQMAIL_USER=10001@qq.com QQMAIL_PASSWORD=... EXAMPLE_TO=you@example.com \
--     lua5.4 examples/05_many.lua
local qqmail = require "qqmail"

local mailer = assert(qqmail.new { pool = { max = 2 } })

-- A function that gives the next message: they are never all in memory.
local number = 0
local function next_message()
  number = number + 1
  if number <= 10 then
    return {
      to = os.getenv("EXAMPLE_TO"),
      id = "report-2026-11-" .. number, -- the same mail has the same Message-ID each time
      subject = ("第 %d 号报告"):format(number),
      text = "见系统。\n",
    }
  end
end

local summary, err = mailer:send_all(next_message, {
  on_result = function(receipt, failure, message)
    if receipt then
      print("sent    " .. message.id)
    elseif failure.delivered == "unknown" then
      print("unknown " .. message.id .. ": look before sending it again")
    else
      print("failed  " .. message.id .. ": " .. tostring(failure))
    end
  end,
})
mailer:close()

if not summary then
  io.stderr:write(tostring(err), "\n")
  os.exit(1)
end
print(("%d sent, %d failed, %d unknown"):format(summary.sent, summary.failed, summary.unknown))
os.exit(summary.sent == summary.total and 0 or 1)
