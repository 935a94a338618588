--- The library: a message with the file FILE, written to OUT.

local net = require("qqmail.net")
local qqmail = require("qqmail")
require("qqmail.message") -- loaded when first used, which bench-start measures

local began = net.now()
local message = assert(qqmail.message {
  from = "通知 <notify@bench.example>", to = "user@bench.example", subject = "磁盘告警",
  text = "磁盘空间不足，日志见附件。\n",
  attachments = { { path = os.getenv("FILE"), name = "日志.bin" } },
})
local out = assert(io.open(os.getenv("OUT"), "wb"))
out:setvbuf("no")
assert(message:write(out))
assert(out:close())
print(("seconds=%.6f"):format(net.now() - began))
