local base64 = require("qqmail.testing.base64")
local certs = require("spec.support.certs")
local python = require("spec.support.python")
local qq = require("qqmail.testing.scenarios.qq")
local raw_client = require("spec.support.raw_client")
local testing = require("qqmail.testing")

local HOST = "newxmesmtplogicsvrszb51-0.qq.com"
local FRAME = "\0\0\0\26\0\0\0\10\0\0\0\0\0\0\0\000221 Bye.\r\n"
local INVALID = "502 Invalid input from 127.0.0.1 to " .. HOST .. ".\r\n"
local GOOD = "AUTH PLAIN " .. base64.encode("\0user@qq.com\0abcdefghijklmnop")
local BAD = "AUTH PLAIN " .. base64.encode("\0user@qq.com\0wrong")
local BODY = "From: =?UTF-8?B?5py65Zmo5Lq6?= <user@qq.com>\r\nSubject: x\r\n\r\nbody\r\n"

local LOGIN_FAIL = {
  [2025] = "535 Login fail. Account is abnormal, service is not open, password is incorrect, "
    .. "login frequency limited, or system is busy. More information at "
    .. "https://help.mail.qq.com/detail/108/1023\r\n",
  [2022] = "535 Login Fail. Please enter your authorization code to login. More information in "
    .. "http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=28&&no=1001256\r\n",
  [2020] = "535 Error: "
    .. (("c7ebcab9d3c3cadac8a8c2ebb5c7c2bca1a3cfeac7e9c7ebbfb4"):gsub("%x%x",
      function(hex) return string.char(tonumber(hex, 16)) end))
    .. ": http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=28&&no=1001256\r\n",
}

local server

local function start(options)
  options = options or {}
  options.scenario = "qq"
  server = testing.server(options)
  return server
end

-- A client behind the greeting and EHLO.
local function greeted()
  local client = raw_client.connect(server.port)
  client:reply()
  client:ask("EHLO x")
  return client
end

local function logged_in()
  local client = greeted()
  assert.equal("235 Authentication successful\r\n", client:ask(GOOD))
  return client
end

-- Sends a message and answers the verdict.
local function send(client, data, to)
  client:ask("MAIL FROM:<user@qq.com>")
  assert.equal("250 OK\r\n", client:ask("RCPT TO:<" .. (to or "friend@qq.com") .. ">"))
  assert.equal("354 End data with <CR><LF>.<CR><LF>.\r\n", client:ask("DATA"))
  return client:ask((data or BODY) .. ".")
end

describe("testing scenario qq", function()
  after_each(function()
    if server then
      server:stop()
      server = nil
    end
  end)

  it("greets and lists its capabilities", function()
    start()
    local client = raw_client.connect(server.port)
    assert.equal("220 " .. HOST .. " XMail Esmtp QQ Mail Server.\r\n", client:reply())
    assert.equal("250-" .. HOST .. "\r\n250-PIPELINING\r\n250-SIZE 73400320\r\n"
      .. "250-AUTH LOGIN PLAIN XOAUTH XOAUTH2\r\n250-AUTH=LOGIN\r\n250-MAILCOMPRESS\r\n"
      .. "250-SMTPUTF8\r\n250 8BITMIME\r\n", client:ask("EHLO x"))
  end)

  it("offered less in earlier years", function()
    start({ era = 2022 })
    local client = raw_client.connect(server.port)
    client:reply()
    assert.truthy(client:ask("EHLO x"):find("\r\n250-AUTH LOGIN PLAIN XOAUTH XOAUTH2\r\n"
      .. "250-AUTH=LOGIN\r\n250-MAILCOMPRESS\r\n250 8BITMIME\r\n", 1, true))
    server:set({ era = 2020 })
    client = raw_client.connect(server.port)
    client:reply()
    local list = client:ask("EHLO x")
    assert.truthy(list:find("\r\n250-AUTH LOGIN PLAIN\r\n250-AUTH=LOGIN\r\n", 1, true))
    client:ask(GOOD)
    assert.equal("250 OK.\r\n", client:ask("MAIL FROM:<user@qq.com>"))
  end)

  it("answers HELO with several lines, and AUTH works behind it", function()
    start()
    local client = raw_client.connect(server.port)
    client:reply()
    local reply = client:ask("HELO x")
    assert.truthy(reply:find("^250%-newxmesmtplogicsvrszb51%-0%.qq%.com%-[%d.]+%-%d+\r\n"
      .. "250%-SIZE 73400320\r\n250 OK\r\n$"))
    assert.equal("334 VXNlcm5hbWU6\r\n", client:ask("AUTH LOGIN"))
    assert.equal("334 UGFzc3dvcmQ6\r\n", client:ask(base64.encode("user@qq.com")))
    assert.equal("235 Authentication successful\r\n",
      client:ask(base64.encode("abcdefghijklmnop")))
  end)

  it("starts TLS, also with the text of exmail", function()
    start({ mode = "starttls", cert = certs.path("good.pem"), key = certs.path("good.key") })
    local client = raw_client.connect(server.port)
    client:reply()
    local list = client:ask("EHLO x")
    assert.truthy(list:find("250-SIZE 73400320\r\n250-STARTTLS\r\n250-AUTH", 1, true))
    assert.equal("220 Ready to start TLS from 127.0.0.1 to " .. HOST .. ".\r\n",
      client:ask("STARTTLS"))
    server:set({ exmail = true })
    assert.equal("220 Ready to start TLS\r\n", greeted():ask("STARTTLS"))
    assert.equal("535 Error: authentication failed, system busy\r\n", greeted():ask(BAD))
  end)

  it("takes LOGIN, PLAIN and XOAUTH2, but PLAIN only with its response", function()
    start({ tokens = { ["user@qq.com"] = "t" } })
    local client = greeted()
    assert.equal(INVALID, client:ask("AUTH PLAIN"))
    assert.equal("334 UGFzc3dvcmQ6\r\n", client:ask("auth login " .. base64.encode("user@qq.com")))
    assert.equal("235 Authentication successful\r\n",
      client:ask(base64.encode("abcdefghijklmnop")))
    assert.equal("235 Authentication successful\r\n", greeted():ask(GOOD))
    assert.equal("235 2.7.0 Accepted\r\n", greeted():ask("AUTH XOAUTH2 "
      .. base64.encode("user=user@qq.com\1auth=Bearer t\1\1")))
  end)

  it("refuses a login with the text of its time", function()
    start()
    for _, era in ipairs({ 2025, 2022, 2020 }) do
      server:set({ era = era })
      assert.equal(LOGIN_FAIL[era], greeted():ask(BAD))
    end
    server:set({ era = 2025, reply_charset = "gbk" })
    assert.equal(LOGIN_FAIL[2020], greeted():ask(BAD))
    server:set({ era = 2020, reply_charset = "utf8" })
    assert.truthy(greeted():ask(BAD):find("^535 Error: 请使用授权码登录。详情请看: http"))
  end)

  it("closes after a refused login, at once, at the next one, or never", function()
    start()
    local client = greeted()
    client:ask(BAD)
    assert.same({ "", "closed" }, { client:rest() })
    server:set({ after_535 = "close_on_next_auth" })
    client = greeted()
    assert.equal(LOGIN_FAIL[2025], client:ask(BAD))
    client:send(GOOD .. "\r\n")
    assert.same({ "", "closed" }, { client:rest() })
    server:set({ after_535 = "stay" })
    client = greeted()
    assert.equal(LOGIN_FAIL[2025], client:ask(BAD))
    assert.equal("235 Authentication successful\r\n", client:ask(GOOD))
    server:set({ silent_auth_reject = true })
    client = greeted()
    client:send(BAD .. "\r\n")
    assert.same({ "", "closed" }, { client:rest() })
  end)

  it("keeps its rules for the envelope", function()
    start()
    assert.equal("503 Error: need EHLO and AUTH first !\r\n",
      greeted():ask("MAIL FROM:<user@qq.com>"))
    local client = logged_in()
    assert.equal("501 mail from address must be same as authorization user\r\n",
      client:ask("MAIL FROM:<other@qq.com>"))
    for _, path in ipairs({ "user@qq.com", "<user>", "<图书管理系统>", "Bot <user@qq.com>",
      "<Bot user@qq.com>", "<>" }) do
      assert.equal(INVALID, client:ask("MAIL FROM:" .. path))
    end
    assert.equal("250 OK\r\n", client:ask("mail from: <USER@qq.com> SIZE=100"))
    for _, path in ipairs({ "a@qq.com", "<a>", "<>", "<图@qq.com>", "A <a@qq.com>" }) do
      assert.equal(INVALID, client:ask("RCPT TO:" .. path))
    end
    assert.equal("250 OK\r\n", client:ask("RCPT TO:<nosuch@qq.com>"))
    assert.equal(INVALID, client:ask("\8\8DATA"))
    assert.equal(INVALID, client:ask("EHLO"))
    server:set({ from_must_match = false, size_limit = 1000 })
    client = logged_in()
    assert.truthy(client:ask("MAIL FROM:<other@qq.com> SIZE=1001"):find("^552 Message too large"))
    assert.equal("250 OK\r\n", client:ask("MAIL FROM:<other@qq.com> SIZE=1000"))
  end)

  it("takes a message and says nothing of a queue", function()
    start()
    assert.equal("250 OK: queued as.\r\n", send(logged_in()))
    assert.equal(BODY, server:messages()[1].data)
  end)

  it("refuses messages at the end, and the connection stays", function()
    start({ content_words = { "casino" }, rate = { after = 1 } })
    local client = logged_in()
    local bad_from = '550 The "From" header is missing or invalid. Please follow RFC5322, RFC2047, '
      .. "RFC822 standard protocol. https://service.mail.qq.com/detail/124/995.\r\n"
    assert.equal(bad_from, send(client, "Subject: x\r\n\r\nFrom: <user@qq.com>\r\n"))
    assert.equal(bad_from, send(client, "From: =?utf-8?q?user=40qq=2Ecom?=\r\n\r\n\r\n"))
    assert.equal("550 The mail may contain inappropriate words or content.\r\n",
      send(client, BODY .. "casino\r\n"))
    assert.equal("550 The recipient may contain a non-existent account, "
      .. "please check the recipient address.\r\n", send(client, BODY, "nosuch@qq.com"))
    assert.equal("250 OK: queued as.\r\n", send(client))
    assert.equal("550 Too many attempts. Unable to send. Try again later\r\n", send(client))
    assert.equal(5, #server:rejected())
  end)

  it("can refuse recipients at once", function()
    start({ rcpt_check = "strict" })
    local client = logged_in()
    client:ask("MAIL FROM:<user@qq.com>")
    assert.truthy(client:ask("RCPT TO:<nosuch@qq.com>"):find("^550 The recipient may contain"))
    assert.equal("250 OK\r\n", client:ask("RCPT TO:<friend@qq.com>"))
  end)

  it("reads From as QQ does", function()
    for _, value in ipairs({ "u@qq.com", "<u@qq.com>", "Bot <u@qq.com>",
      "=?utf-8?B?5py65Zmo5Lq6?= <u@qq.com>", '"a b" <u@qq.com>' }) do
      assert.is_true(qq.is_good_from(value), value)
    end
    for _, value in ipairs({ "=?utf-8?q?u=40qq=2Ecom?=", "机器人 <u@qq.com>", "", "Bot", "<>",
      "机器人<u@qq.com>" }) do
      assert.is_false(qq.is_good_from(value), value)
    end
    assert.is_false(qq.is_good_from(nil))
    assert.equal("A <a@b>", qq.header("To: x\r\nFROM: A\r\n <a@b>\r\n\r\nFrom: no\r\n", "from"))
    assert.is_nil(qq.header("To: x\r\n\r\nFrom: no\r\n", "from"))
  end)

  it("ends with a binary frame, or as asked", function()
    start()
    local function quit(mode)
      server:set({ quit = mode })
      local client = greeted()
      client:send("QUIT\r\n")
      return client:rest()
    end
    assert.equal(26, #FRAME)
    assert.equal(FRAME, (quit("frame26")))
    assert.equal(FRAME:sub(1, 8), (quit("frame8_then_close")))
    assert.equal("221 Bye.\r\n", (quit("221")))
    assert.equal("", (quit("close")))
    server:set({ quit = "silent" })
    local client = greeted()
    client:send("QUIT\r\n")
    assert.equal("250 OK\r\n", client:ask("NOOP"))
    server:set({ quit = false, era = 2022 })
    server:set({ quit = "221" })
    assert.equal("221 Bye.\r\n", (quit("221")))
  end)

  it("answers RSET and NOOP badly after a message", function()
    start()
    local garbage = "\0\0\0\24\0\0\0\8\0\0\0\0\0\0\0\000250 OK\r\n"
    for mode, expected in pairs({ garbage = garbage, ok = "250 OK\r\n", close = "" }) do
      for _, verb in ipairs({ "RSET", "NOOP" }) do
        server:set({ post_data_cmd = mode, quit = "close" })
        local client = logged_in()
        assert.equal("250 OK\r\n", client:ask(verb))
        assert.equal("250 OK: queued as.\r\n", send(client))
        client:send(verb .. "\r\nQUIT\r\n")
        assert.equal(expected, (client:rest()))
      end
    end
    server:set({ post_data_cmd = "silent" })
    local client = logged_in()
    send(client)
    client:send("RSET\r\n")
    assert.equal("250 OK\r\n", client:ask("MAIL FROM:<user@qq.com>"))
  end)

  it("looks to smtplib as the real one does", function()
    start({ mode = "implicit", cert = certs.path("good.pem"), key = certs.path("good.key") })
    local program = [[
import smtplib, ssl, sys
port, ca, password = sys.argv[1:4]
client = smtplib.SMTP_SSL("localhost", int(port),
                          context=ssl.create_default_context(cafile=ca), timeout=20)
try:
    client.login("user@qq.com", password)
    client.sendmail("user@qq.com", ["friend@qq.com"], b"From: <user@qq.com>\r\n\r\nx\r\n")
    print("sent", client.quit()[0])
except Exception as error:
    print(type(error).__name__, error)
]]
    local ca = certs.path("ca.pem")
    assert.equal("sent -1\n",
      python.run(program, server.port, ca, "abcdefghijklmnop"))
    -- It tries LOGIN after PLAIN and hides the first refusal.
    assert.equal("SMTPServerDisconnected Connection unexpectedly closed\n",
      python.run(program, server.port, ca, "wrong"))
    assert.equal(1, #server:messages())
  end)
end)

describe("testing scenario netease", function()
  after_each(function()
    server:stop()
    server = nil
  end)

  it("speaks as smtp.163.com", function()
    server = testing.server({ scenario = "netease", content_words = { "test" } })
    local client = raw_client.connect(server.port)
    assert.equal("220 163.com Anti-spam GT for Coremail System (163com[20141201])\r\n",
      client:reply())
    assert.equal("500 Error: bad syntax\r\n", client:ask("EHLO"))
    client:ask("HELO x")
    assert.truthy(client:ask("MAIL FROM:<user@163.com>"):find("^553 authentication is required,"))
    assert.truthy(client:ask("EHLO x"):find("^250%-mail\r\n250%-PIPELINING\r\n"
      .. "250%-AUTH LOGIN PLAIN\r\n250%-AUTH=LOGIN PLAIN\r\n250%-coremail %w+\r\n"
      .. "250 8BITMIME\r\n$"))
    assert.equal("334 dXNlcm5hbWU6\r\n", client:ask("AUTH LOGIN"))
    assert.equal("334 UGFzc3dvcmQ6\r\n", client:ask(base64.encode("user@163.com")))
    assert.equal("535 Error: authentication failed\r\n", client:ask(base64.encode("no")))
    assert.equal("235 Authentication successful\r\n",
      client:ask("AUTH PLAIN " .. base64.encode("\0user@163.com\0ABCDEFGHIJKLMNOP")))
    assert.equal("250 Mail OK\r\n", client:ask("MAIL FROM:<user@163.com>"))
    assert.equal("250 Mail OK\r\n", client:ask("RCPT TO:<a@b>"))
    assert.equal("354 End data with <CR><LF>.<CR><LF>\r\n", client:ask("DATA"))
    assert.truthy(client:ask("Subject: x\r\n\r\nx\r\n."):find("^250 Mail OK queued as smtp"))
    client:ask("MAIL FROM:<user@163.com>")
    client:ask("RCPT TO:<a@b>")
    client:ask("DATA")
    assert.truthy(client:ask("Subject: test\r\n\r\nx\r\n."):find("^554 DT:SPM 163 "))
    assert.equal("221 Bye\r\n", client:ask("QUIT"))
  end)
end)
