-- What a mail needs of the server beyond plain SMTP: asked for where it is offered, and
-- found out before MAIL where it is not.
local addresses = require("qqmail.message.addresses")
local message = require("qqmail.message")
local net = require("qqmail.net")
local qqmail = require("qqmail")
local send = require("spec.support.send")
local shell = require("spec.support.shell")

local FROM = send.USER

-- Lines of MAIL and RCPT that a server heard.
local function envelope(server)
  local out = {}
  for line in send.heard(server):gmatch("[^\n]+") do
    if line:find("^MAIL") or line:find("^RCPT") then
      out[#out + 1] = line:gsub(" SIZE=%d+", ""):gsub(" BODY=8BITMIME", "")
    end
  end
  return out
end

-- The server speaks of the connection as good as ever behind an error before MAIL.
local function still_sends(mailer, server, spec)
  send.good(mailer, spec)
  assert.equal(1, #server:connections())
end

describe("delivery reports", function()
  after_each(send.stop)

  local ASKED = { notify = { "failure", "delay" }, ret = "headers", envid = "mail 7+a=b",
    orcpt = true }

  it("are asked for in the envelope", function()
    local server = send.server({ dsn = true })
    local receipt = send.good(send.mailer(server), send.message({
      to = "a+b@test.local", bcc = "c@test.local", dsn = ASKED }))
    assert.is_true(receipt.dsn)
    assert.same({ "MAIL FROM:<user@qq.com> RET=HDRS ENVID=mail+207+2Ba+3Db",
      "RCPT TO:<a+b@test.local> NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb@test.local",
      "RCPT TO:<c@test.local> NOTIFY=FAILURE,DELAY ORCPT=rfc822;c@test.local" },
      envelope(server))
    send.lacks(server:messages()[1].data, "mail 7")
  end)

  it("are told of nothing where nobody asked", function()
    local server = send.server({ dsn = true })
    local receipt = send.good(send.mailer(server))
    assert.is_nil(receipt.dsn)
    assert.same({ "MAIL FROM:<user@qq.com>", "RCPT TO:<a@test.local>" }, envelope(server))
  end)

  it("come from the mailer, unless the message has its own or wants none", function()
    local server = send.server({ dsn = true })
    local mailer = send.mailer(server, { dsn = { notify = "delay" } })
    send.good(mailer)
    send.good(mailer, send.message({ dsn = { ret = "full" } }))
    send.good(mailer, send.message({ dsn = false }))
    send.good(mailer, assert(qqmail.message(send.message({ from = FROM }))))
    local MAIL = "MAIL FROM:<user@qq.com>"
    assert.same({ MAIL, "RCPT TO:<a@test.local> NOTIFY=DELAY", MAIL .. " RET=FULL",
      "RCPT TO:<a@test.local>", MAIL, "RCPT TO:<a@test.local>", MAIL,
      "RCPT TO:<a@test.local> NOTIFY=DELAY" }, envelope(server))
  end)

  it("are asked for with each mail in flight", function()
    for _, options in ipairs({ {}, { pipelining = false }, { chunking = true } }) do
      options.dsn = true
      local server = send.server(options)
      local mailer = send.mailer(server, { window = 3 })
      local list = {}
      for number = 1, 6 do
        local to = { ("a%d@test.local"):format(number), ("b%d@test.local"):format(number) }
        list[number] = send.message({ to = to, dsn = { envid = "no" .. number,
          notify = { "never", [to[2]] = { "success" } } } })
      end
      assert.equal(6, mailer:send_all(list).sent)
      for _, got in ipairs(server:messages()) do
        assert.equal("no" .. got.to[1]:match("%d"), got.params.ENVID)
        assert.same({ "NEVER", "SUCCESS" }, { got.to_params[1].NOTIFY, got.to_params[2].NOTIFY })
      end
      assert.equal(6, #server:messages())
      send.stop()
    end
  end)

  it("of an address in UTF-8 are asked for with and without SMTPUTF8", function()
    local server = send.server({ dsn = true })
    send.good(send.mailer(server), send.message({ to = "用户@test.local", dsn = { orcpt = true } }))
    send.good(send.mailer(server), send.message({ dsn = {
      orcpt = { ["a@test.local"] = "用+户@test.local" } } }))
    local heard = envelope(server)
    assert.equal("RCPT TO:<用户@test.local> ORCPT=utf-8;用户@test.local", heard[2])
    assert.equal("RCPT TO:<a@test.local> ORCPT=utf-8;\\x{7528}\\x{2B}\\x{6237}@test.local",
      heard[4])
  end)

  it("of an original address that is too long name the recipient", function()
    local server = send.server({ dsn = true })
    local long = "用" .. ("+"):rep(60)
    local err = send.bad(send.mailer(server), { code = "message.bad_envelope", phase = "mail",
      delivered = "no" }, send.message({ dsn = {
        orcpt = { ["a@test.local"] = long .. "@" .. ("x"):rep(60) .. "."
          .. ("y"):rep(60) .. "." .. ("z"):rep(60) .. ".cn" } } }))
    send.has(err.message, "at a@test.local")
    assert.equal(0, send.count(server, "MAIL"))
  end)

  it("that the server does not know are an error before MAIL", function()
    local server = send.server()
    local mailer = send.mailer(server)
    for lang, text in pairs({ en = "does not offer delivery reports", zh = "不支持投递状态通知" }) do
      mailer.settings.lang = lang
      local err = send.bad(mailer, { kind = "message", code = "message.dsn_not_offered",
        phase = "mail", delivered = "no", retry = "never", field = "dsn", lang = lang },
        send.message({ dsn = ASKED }))
      send.has(err.message, text)
      send.has(err.hint, "soft = true")
    end
    assert.equal(0, send.count(server, "MAIL"))
    still_sends(mailer, server)
  end)

  it("may be gone without, with a word in the log", function()
    local server = send.server()
    local lines = {}
    local mailer = send.mailer(server, { dsn = { notify = "never", soft = true },
      log = function(level, text, record)
        lines[#lines + 1] = { level, text, record.code }
      end })
    assert.is_false(send.good(mailer).dsn)
    assert.is_false(send.good(mailer).dsn)
    local found = {}
    for _, line in ipairs(lines) do
      found[#found + 1] = line[3] == "message.dsn_not_offered" and line or nil
    end
    assert.equal(1, #found)
    assert.equal("warning", found[1][1])
    send.has(found[1][2], "does not offer delivery reports")
    assert.same({ "MAIL FROM:<user@qq.com>", "RCPT TO:<a@test.local>" },
      { envelope(server)[1], envelope(server)[2] })
  end)

  it("are had from another account, where the first has none", function()
    local first, second = send.server(), send.server({ dsn = true })
    local options = send.options(first, { failover = { send.options(second) } })
    options.failover[1].timeout, options.failover[1].retry = nil, nil
    local mailer = assert(qqmail.new(options))
    local receipt, err = mailer:send(send.message({ dsn = { notify = "delay" } }))
    mailer:close()
    assert.is_table(receipt, tostring(err))
    assert.equal(second.port, receipt.port)
    assert.equal(0, send.count(first, "MAIL"))
    assert.equal("DELAY", second:messages()[1].to_params[1].NOTIFY)
  end)
end)

describe("require_tls", function()
  after_each(send.stop)

  it("asks a verified server to go on as safely", function()
    for _, mode in ipairs({ "implicit", "starttls" }) do
      local server = send.server({ mode = mode, requiretls = true })
      local receipt = send.good(send.mailer(server), send.message({ require_tls = true }))
      assert.is_true(receipt.require_tls)
      assert.is_true(server:messages()[1].params.REQUIRETLS)
      send.lacks(server:messages()[1].data, "TLS-Required")
      send.stop()
    end
  end)

  it("is an error before MAIL where the server does not offer it", function()
    local server = send.server({ mode = "implicit" })
    local mailer = send.mailer(server)
    local err = send.bad(mailer, { kind = "message", code = "message.require_tls_not_offered",
      phase = "mail", delivered = "no", retry = "never", field = "require_tls" },
      send.message({ require_tls = true }))
    send.has(err.hint, "REQUIRETLS")
    assert.equal(0, send.count(server, "MAIL"))
    still_sends(mailer, server)
  end)

  it("is an error before MAIL where nobody knows who the server is", function()
    local plain = { ehlo = { "REQUIRETLS", "AUTH PLAIN" } }
    for _, case in ipairs({ { plain, {}, "not encrypted", "连接未加密" },
      { { mode = "implicit", requiretls = true }, { tls_options = { verify = false } },
        "not verified", "未经校验" } }) do
      local server = send.server(case[1])
      local mailer = send.mailer(server, case[2])
      local fields = { code = "message.require_tls_unverified", phase = "mail",
        delivered = "no", retry = "never" }
      send.has(send.bad(mailer, fields, send.message({ require_tls = true })).message, case[3])
      mailer.settings.lang = "zh"
      send.has(send.bad(mailer, fields, send.message({ require_tls = true })).message, case[4])
      assert.equal(0, send.count(server, "MAIL"))
      send.stop()
    end
  end)

  it("= false is said in the header", function()
    local server = send.server({ mode = "implicit", requiretls = true })
    local receipt = send.good(send.mailer(server), send.message({ require_tls = false }))
    assert.is_nil(receipt.require_tls)
    assert.is_nil(server:messages()[1].params.REQUIRETLS)
    send.has(server:messages()[1].data, "\r\nTLS-Required: No\r\n")
  end)

  it("stands once and is true or false", function()
    local function refused(fields)
      local _, err = message.new(send.message(send.merge({ from = FROM }, fields)))
      return err.code, err.field
    end
    assert.same({ "message.bad_value", "require_tls" }, { refused({ require_tls = "yes" }) })
    assert.same({ "message.reserved_header", "headers.TLS-Required" },
      { refused({ headers = { ["TLS-Required"] = "No" } }) })
    local _, err = message.new({ raw = "From: a@x.org\nTo: b@x.org\n\nx", require_tls = false })
    assert.same({ "message.raw_conflict", "require_tls" }, { err.code, err.field })
    assert.is_true(message.new({ raw = "From: a@x.org\nTo: b@x.org\n\nx",
      require_tls = true }).require_tls)
  end)
end)

describe("SMTPUTF8", function()
  after_each(send.stop)

  -- message, whether MAIL says it
  local NEEDS = {
    { "ASCII alone", {}, false },
    { "text and names beside addresses", { to = "张三 <a@test.local>", subject = "你好" }, false },
    { "a domain", { to = "a@例子.测试", from = "user@例子.测试" }, false },
    { "a recipient", { to = "用户@test.local" }, true },
    { "a hidden recipient", { bcc = "用户@test.local" }, true },
    { "the sender", { from = "用户@qq.com" }, true },
    { "the sender in the envelope", { envelope = { from = "用户@qq.com" } }, true },
    { "the header alone", { reply_to = "用户@qq.com" }, true },
    { "the envelope alone", { envelope = { to = "用户@test.local" } }, true },
  }
  for _, row in ipairs(NEEDS) do
    it("is said when it is needed: " .. row[1], function()
      local server = send.server()
      send.good(send.mailer(server), send.message(row[2]))
      assert.equal(row[3] or nil, server:messages()[1].params.SMTPUTF8)
      for _, address in ipairs(server:messages()[1].to) do
        assert.is_nil(address:match("@(.*)"):find("[\128-\255]"))
      end
    end)
  end

  it("is said with every mail when it is forced, but to a server without", function()
    local server = send.server()
    send.good(send.mailer(server, { smtputf8 = true }))
    assert.is_true(server:messages()[1].params.SMTPUTF8)
    server = send.server({ smtputf8 = false })
    send.good(send.mailer(server, { smtputf8 = true }))
    assert.is_nil(server:messages()[1].params.SMTPUTF8)
  end)

  it("goes with the body's own parameter, as that is needed", function()
    local server = send.server()
    send.good(send.mailer(server), send.message({ to = "用户@test.local", text = "x" }))
    send.good(send.mailer(server), send.message({ to = "用户@test.local", text = "你好" }))
    local seen = {}
    for index, got in ipairs(server:messages()) do
      seen[index] = { got.params.SMTPUTF8, got.params.BODY,
        got.data:match("\r\n\r\n(.*)"):find("[\128-\255]") ~= nil }
    end
    assert.same({ { true, nil, false }, { true, "8BITMIME", true } }, seen)
  end)

  -- without SMTPUTF8: message, what the error names, field
  local WITHOUT = {
    { { to = "用户@test.local, b@test.local" }, "用户@test.local", "to" },
    { { from = "用户@qq.com" }, "用户@qq.com", "from" },
    { { reply_to = "回@qq.com" }, "回@qq.com", "reply_to" },
    { { read_receipt = "收@qq.com" }, "收@qq.com", "read_receipt" },
    { { envelope = { from = "退@qq.com" } }, "退@qq.com", "envelope.from" },
    { { envelope = { to = "用户@test.local" } }, "用户@test.local", "envelope.to" },
  }
  for number, row in ipairs(WITHOUT) do
    it("that is not there is an error before MAIL, no. " .. number, function()
      local server = send.server({ smtputf8 = false })
      local mailer = send.mailer(server)
      local err = send.bad(mailer, { kind = "message", code = "message.smtputf8_required",
        phase = "mail", delivered = "no", retry = "never", field = row[3] }, send.message(row[1]))
      send.has(err.message, row[2] .. " needs SMTPUTF8, which the server does not offer")
      send.has(err.hint, "ASCII")
      assert.equal(0, send.count(server, "MAIL"))
      still_sends(mailer, server)
    end)
  end

  it("that is switched off is an error, too", function()
    local server = send.server()
    local mailer = send.mailer(server, { smtputf8 = false })
    local err = send.bad(mailer, { code = "message.smtputf8_required" },
      send.message({ to = "用户@test.local" }))
    send.has(err.message, "switched off (smtputf8 = false)")
    assert.equal(0, send.count(server, "MAIL"))
    send.good(mailer, send.message({ to = "a@例子.测试" }))
  end)

  it("that only a hidden recipient needs costs the others nothing", function()
    for _, mode in ipairs({ "send", "send_all" }) do
      local server = send.server({ smtputf8 = false })
      local mailer = send.mailer(server, { retry = { attempts = 3, base = 0, jitter = 0 } })
      local spec = send.message({ bcc = { "用户@test.local", "c@test.local" } })
      local receipt
      if mode == "send" then
        receipt = send.good(mailer, spec)
      else
        mailer:send_all({ spec }, { on_result = function(result)
          receipt = result
        end })
      end
      assert.same({ "a@test.local", "c@test.local" }, receipt.accepted)
      assert.equal(1, #receipt.rejected)
      local row = receipt.rejected[1]
      assert.same({ "用户@test.local", "never" }, { row.address, row.retry })
      assert.is_nil(row.code)
      send.has(row.text, "用户@test.local needs SMTPUTF8")
      assert.same({ "a@test.local", "c@test.local" }, server:messages()[1].to)
      assert.equal(1, send.count(server, "MAIL"))
      send.stop()
    end
  end)

  it("that nobody can be reached without is told for each", function()
    local server = send.server({ smtputf8 = false })
    local err = send.bad(send.mailer(server), { code = "message.smtputf8_required" },
      send.message({ envelope = { to = { "甲@test.local", "乙@test.local" } } }))
    assert.equal(2, #err.recipients)
    assert.equal("乙@test.local", err.recipients[2].address)
  end)

  describe("of a raw message", function()
    local function raw(head)
      return { raw = "From: <user@qq.com>\r\n" .. head .. "\r\nbody\r\n" }
    end

    it("is said when its header needs it", function()
      local server = send.server()
      local mailer = send.mailer(server)
      send.good(mailer, raw("To: <a@例子.测试>\r\n"))
      send.good(mailer, raw("To: <a@test.local>\r\nSubject: plain\r\n a =?utf-8?q?=C3=A9?=\r\n"))
      send.good(mailer, raw("To: <a@test.local>\r\nBcc: 丙 <c@test.local>\r\n"))
      local seen = {}
      for index, got in ipairs(server:messages()) do
        seen[index] = got.params.SMTPUTF8 or false
      end
      assert.same({ true, false, false }, seen)
      assert.same({ "a@xn--fsqu00a.xn--0zwm56d" }, server:messages()[1].to)
      send.has(server:messages()[1].data, "a@例子.测试")
    end)

    it("that is not there is an error that names the field", function()
      local server = send.server({ smtputf8 = false })
      local mailer = send.mailer(server)
      local err = send.bad(mailer, { code = "message.smtputf8_required", field = "raw" },
        raw("To: <a@test.local>\r\nX-Note: x\r\n 你好\r\n"))
      send.has(err.message, "X-Note needs SMTPUTF8")
      send.has(err.hint, "xn--")
      -- In another charset nobody could read it.
      send.bad(mailer, { code = "message.bad_utf8", field = "raw" },
        raw("To: <a@test.local>\r\nSubject: \196\227\186\195\r\n"))
    end)
  end)

  it("is not needed for an address literal", function()
    local server = send.server()
    send.good(send.mailer(server), send.message({ to = { "a@[IPv6:2001:db8::1]",
      "b@[192.0.2.1]" } }))
    assert.same({ "a@[IPv6:2001:db8::1]", "b@[192.0.2.1]" }, server:messages()[1].to)
    assert.is_nil(server:messages()[1].params.SMTPUTF8)
    assert.is_nil(addresses.one("en", "to", "a@[IPv6:2001:db8::g]"))
  end)
end)

describe("a mail in the outbox", function()
  local folder

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
  end)

  after_each(function()
    send.stop()
    os.execute("rm -rf " .. folder)
  end)

  it("keeps what it asks of the server, in memory and on disk", function()
    for _, place in ipairs({ folder, false }) do
      local server = send.server({ mode = "implicit", dsn = true, requiretls = true })
      local mailer = send.mailer(server, { outbox = { dir = place }, dsn = { ret = "full" } })
      assert(mailer:notify(send.message({ id = "1", require_tls = true, dsn = { envid = "a b",
        notify = { "delay", ["a@test.local"] = "never" }, orcpt = true } })))
      assert(mailer:notify(send.message({ id = "2", dsn = false })))
      assert(mailer:notify(send.message({ id = "3" })))
      assert.equal(3, mailer:flush(10).sent)
      local said = {}
      for _, got in ipairs(server:messages()) do
        said[#said + 1] = table.concat({ tostring(got.params.REQUIRETLS),
          tostring(got.params.ENVID), tostring(got.params.RET),
          tostring(got.to_params[1].NOTIFY), tostring(got.to_params[1].ORCPT) }, " ")
        send.lacks(got.data, "Qqmail")
      end
      table.sort(said)
      assert.same({ "nil nil FULL nil nil", "nil nil nil nil nil",
        "true a+20b nil NEVER rfc822;a@test.local" }, said)
      send.stop()
    end
  end)
end)

describe("a mail in the outbox of which some recipients are put off", function()
  after_each(send.stop)

  it("keeps what was asked for the others", function()
    local folder, remove = shell.folder()
    local server = send.server({ dsn = true,
      replies = { rcpt = { ["b@test.local"] = "451 4.3.0 Not now" } } })
    local mailer = send.mailer(server, { outbox = { dir = folder } })
    assert(mailer:notify(send.message({ to = { "a@test.local", "b@test.local" },
      dsn = { notify = { "failure", ["a@test.local"] = "never", ["b@test.local"] = "delay" } } })))
    mailer:flush(1)
    mailer:close()
    server:set({ replies = false })
    mailer = send.mailer(server, { outbox = { dir = folder } })
    mailer:flush(10)
    local seen = {}
    for index, got in ipairs(server:messages()) do
      seen[index] = { got.to, got.to_params[1].NOTIFY }
    end
    assert.same({ { { "a@test.local" }, "NEVER" }, { { "b@test.local" }, "DELAY" } }, seen)
    mailer:close()
    remove()
  end)
end)

describe("an IPv6 address", function()
  it("stands in brackets in front of a port", function()
    local listener = net.listen("::1", 0)
    if not listener then
      pending("this machine has no IPv6")
      return
    end
    local port = listener:port()
    listener:close()
    local mailer = assert(qqmail.new({ host = "::1", port = port, tls = "none", lang = "en",
      from = FROM, retry = false }))
    local _, err = mailer:send(send.message())
    send.has(err.message, ("[::1]:%d"):format(port))
    send.has(tostring(mailer), ("([::1]:%d, user none)"):format(port))
    mailer:close()
  end)
end)
