-- The shortest way: one mail, the account from the environment.
--
--   QQMAIL_USER=10001@qq.com QQMAIL_PASSWORD=... EXAMPLE_TO=you@example.com \
--     lua5.4 examples/01_plain.lua
--
-- The server is found from the address of the user; QQMAIL_HOST, QQMAIL_PORT,
-- QQMAIL_TLS and the others name another one. A .env file does as well.
local qqmail = require "qqmail"

local receipt, err = qqmail.send {
  to = os.getenv("EXAMPLE_TO"),
  subject = "磁盘告警",
  text = "根分区已使用 91%。\n",
}

if not receipt then
  io.stderr:write(tostring(err), "\n")
  os.exit(1)
end
print("sent " .. receipt.message_id .. " through " .. receipt.host)
