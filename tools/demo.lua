-- demo.lua: one mail from end to end.
--
-- Starts a private Postfix with Dovecot's SASL on loopback, logs in over
-- verified TLS, sends a mail in Chinese with text, HTML, an inline image and an
-- attachment, waits for it in the mailbox and has Python's `email` package read
-- it back. Exits 0 only when everything arrived as it was sent.
local postfix = require("spec.support.postfix")
local qqmail = require("qqmail")

local FOLDER = "build/demo"
local RECIPIENT = "ops@test.local"

local function die(text)
  io.stderr:write("demo: ", text, "\n")
  os.exit(1)
end

local function write(name, bytes)
  local path = FOLDER .. "/" .. name
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
  return path
end

-- A file that looks like a PDF and holds every byte there is.
local function make_attachment()
  local bytes = {}
  for i = 0, 255 do
    bytes[#bytes + 1] = string.char(i)
  end
  return write("季度报告.pdf", "%PDF-1.4\n" .. table.concat(bytes):rep(80) .. "\n%%EOF\n")
end

-- A red square, 8 by 8 pixels.
local function make_image()
  local hex = "89504e470d0a1a0a0000000d49484452000000080000000808020000004b6d29dc00000011"
    .. "4944415478da63f8afa08015310c2d090061594fc1fc00318a0000000049454e44ae426082"
  return write("chart.png", (hex:gsub("%x%x", function(byte)
    return string.char(tonumber(byte, 16))
  end)))
end

local function send(server, attachment, image)
  local mailer = assert(qqmail.new({
    host = server.host, port = server.smtps, tls = "implicit",
    user = server.user, password = server.password, from = { "监控", server.user },
    tls_options = { ca_file = server.ca },
  }))
  local receipt, err = mailer:send({
    to = RECIPIENT,
    subject = "【告警】磁盘使用率超过 90%：请尽快处理 📦",
    text = "你好，\n\n磁盘使用率已超过 90%，详见附件。\n.这一行以点开头\n",
    html = '<p>你好，</p><p>磁盘使用率已超过 <b>90%</b>：</p><img src="cid:chart" alt="图表">',
    inline = { chart = image },
    attachments = { attachment },
  })
  mailer:close()
  if not receipt then
    die(tostring(err))
  end
  return receipt
end

local function show_receipt(receipt, server)
  print("sent")
  print(("  login      %s, %s"):format(server.user, "AUTH inside TLS"))
  print(("  tls        %s, %s, certificate verified for %q"):format(receipt.tls.version,
    receipt.tls.cipher, server.host))
  print(("  reply      %d %s"):format(receipt.reply.code, receipt.reply.text))
  print(("  message id %s"):format(receipt.message_id))
  print(("  seconds    connect %.3f, tls %.3f, login %.3f, message %.3f"):format(
    receipt.times.connect, receipt.times.tls, receipt.times.login, receipt.times.message))
end

local function show_login(server)
  local user = server.user:gsub("%p", "%%%0")
  local line = server:log():match("[^\n]*sasl_username=" .. user .. "[^\n]*")
  if not line then
    die("Postfix logged no login")
  end
  print("Postfix logged\n  " .. line:match("client=.*"))
end

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function main()
  local why = postfix.missing()
  if why then
    die(why)
  end
  os.execute("mkdir -p " .. FOLDER)
  local server = postfix.start()
  local attachment, image = make_attachment(), make_image()
  show_receipt(send(server, attachment, image), server)
  local files = server:wait_for(RECIPIENT, 1, 20)
  if not files then
    die("the mail did not arrive; Postfix says:\n" .. server:log())
  end
  show_login(server)
  io.stdout:flush()
  local ok = os.execute(("python3 tools/show_mail.py %s %s %s"):format(quote(files[1]),
    quote(attachment), quote(image)))
  server:stop()
  os.exit((ok == true or ok == 0) and 0 or 1)
end

main()
