-- Sending to a real Postfix with Dovecot's SASL, read back by Python and Dovecot.
local certs = require("spec.support.certs")
local dovecot = require("spec.support.dovecot")
local mail_reader = require("spec.support.mail_reader")
local postfix = require("spec.support.postfix")
local qqmail = require("qqmail")

local missing = postfix.missing()

-- A part of the right name, by what Python says.
local function part_named(facts, name)
  for _, part in ipairs(facts.parts) do
    if part.name == name then
      return part
    end
  end
end

local function read_back(path)
  return mail_reader.read({ postfix.read(path) })[1]
end

describe("sending to Postfix", function()
  if missing then
    pending("cannot run here: " .. missing)
    return
  end

  local pf, box_number, mailer = nil, 0, nil

  -- Each case has mailboxes of its own, so that counting is certain.
  local function box()
    box_number = box_number + 1
    return ("box%d@test.local"):format(box_number)
  end

  local function open(options)
    local settings = {
      host = pf.host, port = pf.smtps, tls = "implicit", user = pf.user, password = pf.password,
      tls_options = { ca_file = pf.ca },
      timeout = { connect = 10, reply = 20, final = 20, total = 60 },
    }
    for key, value in pairs(options or {}) do
      settings[key] = value or nil -- false takes a setting away
    end
    mailer = assert(qqmail.new(settings))
    return mailer
  end

  local function arrived(address)
    local files = pf:wait_for(address, 1, 15)
    assert.is_truthy(files, "nothing arrived for " .. address)
    return files[1]
  end

  setup(function()
    pf = postfix.start()
  end)

  after_each(function()
    if mailer then
      mailer:close()
      mailer = nil
    end
  end)

  describe("over verified TLS with login", function()
    local function full_mail(to)
      return {
        to = to, subject = "【告警】磁盘使用率超过 90% 📦", text = "你好\n.点开头\n",
        html = '<p>你好</p><img src="cid:logo">',
        inline = { logo = { data = "\137PNG\r\n\26\n" .. ("\0\255"):rep(500), name = "图标.png" } },
        attachments = { { data = "%PDF-1.4\n" .. ("\r\n\0.\n"):rep(3000), name = "季度报告.pdf" } },
      }
    end

    for mode, port in pairs({ implicit = "smtps", starttls = "submission" }) do
      it("delivers everything intact: " .. mode, function()
        local to = box()
        local receipt, err = open({ tls = mode, port = pf[port] }):send(full_mail(to))
        assert.is_nil(err)
        assert.are.same({ to }, receipt.accepted)
        assert.are.same({}, receipt.rejected)
        assert.is_truthy(receipt.queue_id)
        assert.are.equal("TLSv1.3", receipt.tls.version)
        local path = arrived(to)
        local facts = read_back(path)
        assert.are.equal("【告警】磁盘使用率超过 90% 📦", facts.subject)
        assert.are.equal(15009, part_named(facts, "季度报告.pdf").size)
        for _, defect in ipairs(facts.defects) do
          -- The encoded-word in name="..." is what QQ and old Outlook read;
          -- RFC 2047 does not allow it, and Python says so.
          assert.are.equal("Content-Type: InvalidHeaderDefect", defect)
        end
        assert.is_truthy(postfix.read(path):find("Authenticated sender: user@qq.com", 1, true))
        local seen = dovecot.fetch(pf, to, "imap.bodystructure")[1]["imap.bodystructure"]
        assert.is_truthy(seen:find('"related"', 1, true) and seen:find('"mixed"', 1, true))
      end)
    end

    it("logs in by PLAIN and by LOGIN, with credentials in UTF-8", function()
      for _, mechanism in ipairs({ "PLAIN", "LOGIN" }) do
        local receipt, err = open({ auth = mechanism, user = "用户@qq.com", password = "密码密码",
          from = "user@qq.com" }):send({ to = box(), subject = "x", text = "x" })
        assert.is_nil(err)
        assert.are.equal(250, receipt.reply.code)
        mailer:close()
      end
      assert.is_truthy(pf:log():find("sasl_method=LOGIN, sasl_username=用户@qq.com", 1, true))
    end)

    it("sends many on one connection and one login", function()
      local to = box()
      open()
      for i = 1, 20 do
        local receipt = assert(mailer:send({ to = to, subject = "no " .. i, text = "x" }))
        assert.are.equal(i > 1, receipt.reused)
      end
      assert.are.equal(20, #assert(pf:wait_for(to, 20, 20)))
    end)

    it("refuses a wrong password as auth, once", function()
      local _, err = open({ password = "wrong" }):send({ to = box(), subject = "x", text = "x" })
      assert.are.equal("auth", err.kind)
      assert.are.equal("never", err.retry)
      assert.are.equal("no", err.delivered)
      assert.are.equal(535, err.smtp.code)
      assert.is_nil(tostring(err):find("wrong", 1, true))
    end)
  end)

  describe("with a certificate that is not right", function()
    local cases = {
      { "another CA", { ca_file = "rogue-ca.pem" }, {} },
      { "another name", {}, { tls_options = { server_name = "mail.example" } } },
    }
    for _, case in ipairs(cases) do
      for mode, port in pairs({ implicit = "smtps", starttls = "submission" }) do
        it("sends nothing: " .. case[1] .. ", " .. mode, function()
          box_number = box_number + 1
          local user = ("careful%d@qq.com"):format(box_number)
          local tls_options = { ca_file = pf.ca }
          for key, value in pairs(case[3].tls_options or {}) do
            tls_options[key] = value
          end
          if case[2].ca_file then
            tls_options.ca_file = certs.path(case[2].ca_file)
          end
          local _, err = open({ tls = mode, port = pf[port], tls_options = tls_options,
            user = user }):send({ to = box(), subject = "x", text = "x" })
          assert.are.equal("tls", err.kind)
          assert.are.equal("tls", err.phase)
          assert.is_nil(pf:log():find(user, 1, true))
        end)
      end
    end
  end)

  describe("recipients", function()
    it("delivers to two of three and names the third", function()
      local one, two = box(), box()
      local receipt, err = open():send({ to = { one, "r550@test.local", two }, subject = "x",
        text = "x" })
      assert.is_nil(err)
      assert.are.same({ one, two }, receipt.accepted)
      assert.are.equal(1, #receipt.rejected)
      assert.are.equal("r550@test.local", receipt.rejected[1].address)
      assert.are.equal(550, receipt.rejected[1].code)
      assert.are.equal("5.1.1", receipt.rejected[1].enhanced)
      assert.are.equal("never", receipt.rejected[1].retry)
      arrived(one)
      arrived(two)
    end)

    it("fails when all are refused, and goes on with the next message", function()
      local _, err = open():send({ to = { "r550@test.local", "r554@test.local" }, subject = "x",
        text = "x" })
      assert.are.equal("recipient", err.kind)
      assert.are.equal("rcpt", err.phase)
      assert.are.equal(2, #err.recipients)
      local receipt = assert(mailer:send({ to = box(), subject = "x", text = "x" }))
      assert.is_true(receipt.reused)
    end)

    it("takes as many as Postfix does", function()
      local to = {}
      for i = 1, 40 do
        to[i] = ("many%d@test.local"):format(i)
      end
      local receipt = assert(open():send({ to = to, subject = "x", text = "x" }))
      assert.are.equal(40, #receipt.accepted)
    end)

    it("keeps Bcc out of the message", function()
      local to, hidden = box(), box()
      assert(open():send({ to = to, bcc = hidden, subject = "x", text = "x" }))
      arrived(to)
      local text = postfix.read(arrived(hidden))
      assert.is_nil(text:lower():find("\nbcc:", 1, true))
      assert.is_nil(text:match("\n(To: [^\n]*)"):find(hidden, 1, true))
    end)
  end)

  describe("refusals", function()
    local cases = {
      { "s550@test.local", nil, "mail", "no" },
      -- Refused at DATA; by BDAT there is no reply but the last.
      { "d554@test.local", nil, "final", "no" },
      { "e554@test.local", nil, "final", "no" },
      { "e451@test.local", nil, "final", "no", "later" },
    }
    for _, case in ipairs(cases) do
      it("knows the phase: " .. case[1], function()
        local _, err = open():send({ from = case[1], to = box(), subject = "x", text = "x" })
        assert.are.equal(case[3], err.phase)
        assert.are.equal(case[4], err.delivered)
        assert.are.equal(case[5] or "never", err.retry)
        assert.is_truthy(#err.transcript > 3)
      end)
    end

    it("survives a 421 at the end of the data", function()
      local _, err = open():send({ from = "e421@test.local", to = box(), subject = "x",
        text = "x" })
      assert.are.equal(421, err.smtp.code)
      assert.are.equal("no", err.delivered)
      local receipt = assert(mailer:send({ to = box(), subject = "x", text = "x" }))
      assert.is_false(receipt.reused)
    end)

    it("refuses what is larger than SIZE before the envelope", function()
      local path = os.tmpname()
      os.execute("truncate -s 60000000 " .. path)
      local _, err = open():send({ to = box(), subject = "x", text = "x", attachments = { path } })
      os.remove(path)
      assert.are.equal("message.too_large", err.code)
      assert.are.equal("no", err.delivered)
    end)
  end)

  describe("extensions", function()
    it("uses SMTPUTF8 for addresses that need it", function()
      local receipt, err = open():send({ to = "用户@test.local", subject = "测试", text = "正文" })
      assert.is_nil(err)
      assert.are.same({ "用户@test.local" }, receipt.accepted)
      arrived("用户@test.local")
    end)

    it("works with a server that has none", function()
      local to = box()
      local receipt, err = open({ port = pf.bare, tls = "none", user = false, password = false,
        from = "user@qq.com" }):send({ to = to, subject = "测试", text = "正文" })
      assert.is_nil(err)
      assert.are.equal(250, receipt.reply.code)
      assert.are.equal("base64", read_back(arrived(to)).parts[1].encoding)
    end)

    it("works with a server that only knows HELO", function()
      local receipt, err = open({ port = pf.helo_only, tls = "none", user = false,
        password = false, from = "user@qq.com" }):send({ to = box(), subject = "x", text = "x" })
      assert.is_nil(err)
      assert.are.equal(250, receipt.reply.code)
    end)

    it("refuses a server that only has old TLS", function()
      local _, err = open({ port = pf.old_tls }):send({ to = box(), subject = "x", text = "x" })
      assert.are.equal("tls", err.kind)
    end)
  end)
end)
