--- Sends mails of one kind over one connection, for counting instructions.
--
--     counts_client.lua port=2525 kind=notice window=1 chunking=false mails=200
--
-- `kind`: "notice", "attachment" (with the file `file`) or "picture" (Chinese,
-- HTML, and the file `file` shown in it). Prints nothing: that would be counted.

local client = require("client")

local HTML = [[
<html><body><h1>磁盘空间不足</h1>
<p>服务器 <b>web-01</b> 的磁盘空间已用 93%，请尽快处理。</p>
<p><img src="cid:chart" alt="用量"></p></body></html>
]]

local KINDS = { notice = client.message }

function KINDS.attachment(index, file)
  local message = client.message(index)
  message.attachments = { file }
  return message
end

function KINDS.picture(index, file)
  return { to = "张三 <user@discard.test>", subject = "【服务器告警】磁盘空间不足 " .. index,
    html = HTML, inline = { chart = file } }
end

local function messages(settings)
  local make, index = assert(KINDS[settings.kind]), 0
  return function()
    if index < settings.mails then
      index = index + 1
      return make(index, settings.file)
    end
  end
end

local function main()
  local settings = client.settings(arg)
  local mailer = client.mailer(settings)
  local summary = assert(mailer:send_all(messages(settings), { progress = false }))
  mailer:close()
  assert(summary.sent == settings.mails, "not all mails were sent")
end

client.run(main)
