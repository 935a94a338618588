-- mailer:check(): each step, and each way to fail at it.
local doctor = require("spec.support.doctor")
local qqmail = require("qqmail")
local send = require("spec.support.send")

local check, failed, steps = doctor.check, doctor.failed, doctor.steps

describe("the doctor", function()
  after_each(send.stop)

  describe("where all is well", function()
    local ORDER = {
      implicit = "settings code from dns connect tls greeting ehlo auth",
      starttls = "settings code from dns connect greeting tls ehlo auth",
      plain = "settings code from dns connect greeting tls! ehlo auth",
    }

    for mode, order in pairs(ORDER) do
      it("goes through the steps in the order of " .. mode, function()
        local server = send.qq_server({ mode = mode })
        local report = check(send.qq_mailer(server))
        assert.equal(order, steps(report))
        assert.is_true(report.ok)
        assert.is_nil(report.error)
        assert.same({}, report.not_reached)
        assert.equal(1, server:auth_attempts())
        assert.same({}, server:messages())
        assert.same({}, server:defects())
      end)
    end

    it("tells what it saw", function()
      local report = check(send.qq_mailer(send.qq_server({ mode = "starttls" })))
      local text = tostring(report)
      doctor.has(text, "TLSv1.3", "certificate verified", "localhost", "CN=qqmail test authority",
        "2049-12-31", "XMail Esmtp", "SIZE 70 MB", "PIPELINING", "logged in by PLAIN",
        "All is well")
      local tls = report:step("tls").details
      assert.is_true(tls.verified)
      assert.is_true(tls.days_left > 365)
      assert.equal("CN=localhost", tls.subject)
      assert.equal("PLAIN", report:step("auth").details.mechanism)
      assert.equal(73400320, report:step("ehlo").details.size)
      assert.same({ "127.0.0.1" }, report:step("dns").details.addresses)
      assert.is_true(report:step("connect").details.addresses[1].ok)
    end)

    it("gives every step that took time its seconds", function()
      local report = check(send.qq_mailer(send.qq_server()))
      for _, name in ipairs({ "dns", "connect", "tls", "greeting", "ehlo", "auth" }) do
        assert.is_number(report:step(name).seconds, name)
      end
      assert.is_true(report.seconds >= report:step("tls").seconds)
    end)

    it("leaves no connection behind and lets mails go", function()
      local server = send.qq_server()
      local mailer = send.qq_mailer(server)
      check(mailer)
      assert.same({ used = 0, idle = 0 }, mailer:stats().connections)
      assert.is_true(server:wait(2, 5, "closed"))
      send.good(mailer)
    end)

    it("tells of each step as it ends", function()
      local seen = {}
      local report = check(send.qq_mailer(send.qq_server()), { on_step = function(step)
        seen[#seen + 1] = step.name
      end })
      assert.equal(#report, #seen)
    end)
  end)

  describe("settings", function()
    it("are shown with their origin", function()
      local report = check(send.qq_mailer(send.qq_server(), { hostname = "client.test" }))
      local by_key = {}
      for _, item in ipairs(report:step("settings").details.settings) do
        by_key[item.key] = item
      end
      assert.equal("option", by_key.hostname.origin)
      assert.equal("default", by_key["timeout.connect"] and by_key["pool.max"].origin)
      assert.equal("******", by_key.password.value)
      doctor.has(tostring(report), "hostname = client.test (option)", "password = ******")
    end)

    it("are warned of", function()
      local report = check(send.qq_mailer(send.qq_server(),
        { tls_options = { verify = false }, lang = "zh" }))
      assert.equal("settings! code from dns connect tls! greeting ehlo auth", steps(report))
      doctor.has(tostring(report), "中间人可以读到密码", "请留意标有 ! 的行")
    end)

    it("tell of an account that is left alone for now", function()
      local server = send.qq_server()
      local mailer = send.qq_mailer(server, { breaker = { failures = 1, pause = 60 } })
      server:stop()
      send.bad(mailer, { kind = "connect" })
      assert.equal("closed.breaker", check(mailer):step("settings").code)
    end)

    it("that keep mails here end the check without a connection", function()
      for _, io in ipairs({ "memory", { file = "/tmp" } }) do
        local mailer = assert(qqmail.new({ provider = "qq", user = send.USER,
          password = send.CODE, io = io, lang = "en" }))
        local report = check(mailer)
        assert.equal("settings code from dns-", steps(report))
        assert.is_true(report.ok)
        doctor.has(tostring(report), "there is no server to look at")
        mailer:close()
      end
    end)

    it("without a login skip what belongs to it", function()
      local server = send.server({ require_auth = false })
      local mailer = assert(qqmail.new({ host = server.host, port = server.port, tls = "none",
        retry = false, lang = "en" }))
      assert.equal("settings code- from- dns connect greeting tls- ehlo auth-",
        steps(check(mailer)))
      mailer:close()
    end)
  end)

  describe("the code", function()
    -- secret, its status, what is said in both languages
    local CASES = {
      { send.CODE, "ok", "16 letters", "16 位字母" },
      { "MyPassword1", "warning", "more than letters", "像是账号密码" },
      { "abcdefghijklmn", "warning", "a part is missing", "可能少复制" },
      { "abcd efgh ijkl mnop", "warning", "had blanks between its letters", "字母之间有空格" },
      { "abcdefghijklmnop\n", "warning", "ended with a line break", "末尾有换行" },
      { function() return "MyPassword1" end, "warning", "more than letters", "像是账号密码" },
    }

    for index, case in ipairs(CASES) do
      it("of shape " .. index .. " is judged and never shown", function()
        for position, lang in ipairs({ "en", "zh" }) do
          local server = send.qq_server({ users = {} })
          local report = check(send.qq_mailer(server, { password = case[1], lang = lang }))
          assert.equal(case[2], report:step("code").status)
          send.has(report:render_step(report:step("code"), { width = 1000 }), case[2 + position])
          local secret = type(case[1]) == "function" and case[1]() or case[1]
          send.lacks(doctor.everything(report), secret:gsub("\n", ""))
          send.stop()
        end
      end)
    end

    it("that a function does not give ends the check", function()
      local mailer = send.qq_mailer(send.qq_server(), { password = function()
        return nil
      end })
      local report = check(mailer)
      failed(report, "code", "config.secret_function")
      assert.same({ "from", "dns", "connect", "tls", "greeting", "ehlo", "auth" },
        report.not_reached)
    end)
  end)

  describe("the sender", function()
    it("that is not the login is asked about, without a mail", function()
      for _, lang in ipairs({ "en", "zh" }) do
        local server = send.qq_server()
        local report = check(send.qq_mailer(server, { from = "other@qq.com", lang = lang }))
        assert.equal("settings code from! dns connect tls greeting ehlo auth envelope*",
          steps(report))
        local step = failed(report, "envelope", "sender.not_login")
        doctor.has(step.text, "other@qq.com", send.USER, "501")
        send.has(step.hint, send.USER)
        assert.equal(0, send.count(server, "DATA"))
        assert.equal(1, server:auth_attempts())
        send.stop()
      end
    end)
  end)

  describe("the name", function()
    it("that is not found ends the check", function()
      local mailer = send.qq_mailer(send.qq_server())
      local driver = doctor.driver(mailer, { addresses = {}, open = {} })
      function driver.lookup()
        return nil, { phase = "resolve", reason = "not_found", text = "no such name", tried = {} }
      end
      local report = check(mailer)
      failed(report, "dns", "resolve.not_found")
      assert.same({ "connect", "tls", "greeting", "ehlo", "auth" }, report.not_reached)
    end)

    local FAKE = { "198.18.0.5", "198.19.255.1", "28.0.3.4", "fc00::5", "2001:2::7" }
    for _, address in ipairs(FAKE) do
      it("that leads to a proxy's " .. address .. " is told, and blamed", function()
        for lang, words in pairs({ en = "DIRECT rule", zh = "直连" }) do
          local mailer = send.qq_mailer(send.qq_server(), { lang = lang })
          doctor.driver(mailer, { addresses = { address }, open = {} })
          local report = check(mailer)
          assert.equal("check.fake_ip", report:step("dns").code)
          assert.equal("failed", report:step("connect").status)
          send.has(report:step("connect").hint, words)
          send.stop()
        end
      end)
    end

    it("with a made-up address is blamed for what fails behind it", function()
      local mailer = send.mailer(send.server({ mode = "implicit", drop_at = "connect" }),
        { lang = "en" })
      doctor.driver(mailer, { addresses = { "198.18.0.5" },
        open = { ["198.18.0.5:" .. mailer.settings.port] = mailer.settings.port } })
      local step = failed(check(mailer), "tls", "tls.closed")
      send.has(step.hint, "DIRECT rule")
      send.has(step.text, "198.18.0.5")
    end)

    it("of a provider that leads to a private address is warned of", function()
      local mailer = send.qq_mailer(send.qq_server())
      mailer.settings.host = "smtp.qq.com"
      doctor.driver(mailer, { addresses = { "192.168.1.2" }, open = {} })
      assert.equal("check.private_address", check(mailer):step("dns").code)
    end)
  end)

  describe("the connection", function()
    local function lost(open, more, reasons)
      local mailer = send.qq_mailer(send.qq_server(), more)
      mailer.settings.port = 465
      doctor.driver(mailer, { addresses = { "203.0.113.1" }, open = open or {},
        reasons = reasons })
      return check(mailer)
    end

    it("that no port gives points to a firewall", function()
      for lang, words in pairs({ en = "465, 587 and 25", zh = "465、587、25" }) do
        local report = lost({}, { lang = lang })
        send.has(failed(report, "connect", "connect.timeout").hint, words)
        assert.equal(2, #report:step("connect").details.ports)
        send.stop()
      end
    end)

    it("that is silent at one port alone is no firewall's on all of them", function()
      local report = lost({}, nil, { ["203.0.113.1:587"] = "refused" })
      send.lacks(failed(report, "connect", "connect.timeout").hint, "all silent")
    end)

    it("to a private network that is silent is not blamed on the way out", function()
      local mailer = send.qq_mailer(send.qq_server())
      doctor.driver(mailer, { addresses = { "10.0.0.7" }, open = {} })
      send.lacks(failed(check(mailer), "connect", "connect.timeout").hint, "all silent")
      mailer.settings.host = "smtp.qq.com"
      send.has(failed(check(mailer), "connect", "connect.timeout").hint, "/etc/hosts")
    end)

    it("from an address that this machine does not have points to source_ip", function()
      for _, ip in ipairs({ "192.0.2.77", "::1" }) do
        local report = check(send.qq_mailer(send.qq_server(), { source_ip = ip }))
        assert.is_false(report.ok)
        send.has(report[#report].hint, "source_ip is set to " .. ip)
      end
    end)

    it("to a socket has no name to look up", function()
      local mailer = assert(qqmail.new({ socket = "/nowhere/at/all", tls = "none", lang = "en" }))
      local report = check(mailer)
      failed(report, "connect", "connect.no_socket")
      assert.same({ "tls", "greeting", "ehlo", "auth" }, report.not_reached)
    end)

    it("that another port gives points to that port", function()
      for lang, words in pairs({ en = "Port 587", zh = "587 端口可以连接" }) do
        local report = lost({ ["203.0.113.1:587"] = true }, { lang = lang })
        local hint = failed(report, "connect", "connect.timeout").hint
        doctor.has(hint, words, 'port = 587, tls = "starttls"')
        send.stop()
      end
    end)

    it("that is refused is really refused", function()
      local server = send.qq_server()
      local mailer = send.qq_mailer(server)
      server:stop()
      local report = check(mailer)
      failed(report, "connect", "connect.refused")
      assert.equal("refused", report:step("connect").details.addresses[1].reason)
    end)

    it("over IPv4 alone names the hole that IPv6 is", function()
      for lang, words in pairs({ en = "IPv6 leads nowhere here", zh = "本机 IPv6 不通" }) do
        local mailer = send.qq_mailer(send.qq_server(), { lang = lang })
        local port = mailer.settings.port
        doctor.driver(mailer, { addresses = { "2001:db8::1", "203.0.113.1" },
          open = { ["203.0.113.1:" .. port] = port } })
        local report = check(mailer)
        assert.is_true(report.ok, tostring(report))
        local step = report:step("connect")
        assert.equal("warning", step.status)
        assert.equal("check.ipv6_dead", step.code)
        send.has(step.notes[2].text, words)
        send.has(step.notes[2].hint, 'source_ip = "0.0.0.0"')
        send.stop()
      end
    end)

    it("works as the remedy for that says", function()
      send.good(send.qq_mailer(send.qq_server(), { source_ip = "0.0.0.0" }))
    end)

    it("to one of several addresses alone is a warning, unless no way leads there", function()
      for reason, status in pairs({ refused = "warning", unreachable = "ok" }) do
        local mailer = send.qq_mailer(send.qq_server())
        local port = mailer.settings.port
        doctor.driver(mailer, { addresses = { "2001:db8::1", "203.0.113.1" }, reason = reason,
          open = { ["203.0.113.1:" .. port] = port } })
        assert.equal(status, check(mailer):step("connect").status)
        send.stop()
      end
    end)
  end)

  describe("the envelope", function()
    it("is asked about without a mail", function()
      local server = send.qq_server()
      local report = check(send.qq_mailer(server), { to = "a@qq.com, B <b@qq.com>" })
      assert.is_true(report.ok)
      assert.equal("envelope", report[#report].name)
      doctor.has(tostring(report), "a@qq.com", "b@qq.com", "only behind the mail")
      assert.equal(2, send.count(server, "RCPT"))
      assert.equal(0, send.count(server, "DATA"))
      assert.equal(1, server:auth_attempts())
    end)

    it("with one refused recipient is a warning, with all a failure", function()
      local options = { rcpt_check = "strict", unknown_recipients = { "x@qq.com", "y@qq.com" } }
      local server = send.qq_server(options)
      local mailer = send.qq_mailer(server)
      local report = check(mailer, { to = { "a@qq.com", "x@qq.com" } })
      assert.is_true(report.ok)
      assert.equal("warning", report:step("envelope").status)
      report = check(mailer, { to = { "x@qq.com", "y@qq.com" } })
      assert.equal("recipient", report.error.kind)
      assert.equal("failed", report:step("envelope").status)
    end)

    it("whose sender needs SMTPUTF8 is asked about all the same", function()
      local server = send.server()
      local report = check(send.mailer(server, { from = "用户@例子.广告" }), { to = "a@test.local" })
      assert.is_true(report.ok, tostring(report))
      assert.equal(1, send.count(server, "RCPT"))
    end)

    it("is asked about with the delivery reports that mails ask for", function()
      local server = send.server({ dsn = true })
      local mailer = send.mailer(server, { dsn = { ret = "full", envid = "x", notify = "delay" } })
      assert.is_true(check(mailer, { to = "a@test.local" }).ok)
      send.has(send.heard(server), "MAIL FROM:<user@qq.com> RET=FULL ENVID=x\n"
        .. "RCPT TO:<a@test.local> NOTIFY=DELAY\n")
    end)

    it("fails where mails ask for delivery reports and there are none", function()
      for _, to in ipairs({ "a@test.local", false }) do
        local server = send.server()
        local step = failed(check(send.mailer(server, { dsn = { notify = "delay" } }),
          { to = to or nil }), "envelope", "message.dsn_not_offered")
        send.has(step.hint, "soft = true")
        assert.equal(0, send.count(server, "MAIL"))
        local soft = send.mailer(server, { dsn = { notify = "delay", soft = true } })
        assert.is_true(check(soft, { to = to or nil }).ok)
        send.stop()
      end
    end)

    it("without a sender is not asked about", function()
      local server = send.server({ users = { apikey = send.CODE } })
      local mailer = send.mailer(server, { user = "apikey" })
      local report = check(mailer, { to = "a@test.local" })
      assert.equal("check.no_sender", report:step("envelope").code)
      assert.equal(0, send.count(server, "MAIL"))
    end)
  end)

  describe("the mail", function()
    it("goes to the sender when the login is no address", function()
      local server = send.server({ users = { apikey = send.CODE } })
      local mailer = send.mailer(server, { user = "apikey", from = "me@test.local" })
      assert.is_true(check(mailer, { send = true }).ok)
      assert.same({ "me@test.local" }, server:messages()[1].to)
    end)

    it("that is refused behind the envelope does not deny that this was taken", function()
      local server = send.server({ replies = { dot = "554 5.7.1 no" } })
      local report = check(send.mailer(server), { send = true })
      failed(report, "mail", report.error.code)
      assert.equal("ok", report:step("envelope").status)
      assert.same({}, report.not_reached)
    end)

    it("that has no recipient, or no sender, fails", function()
      local server = send.server({ users = { apikey = send.CODE } })
      local report = check(send.mailer(server, { user = "apikey" }), { send = true })
      failed(report, "mail", report.error.code)
      assert.equal("message", report.error.kind)
    end)

    it("goes over the same connection, and its receipt is shown", function()
      local server = send.qq_server()
      local report = check(send.qq_mailer(server), { to = "a@qq.com", send = true })
      assert.is_true(report.ok)
      assert.equal("mail", report[#report].name)
      local got = server:messages()
      assert.equal(1, #got)
      assert.same({ "a@qq.com" }, got[1].to)
      send.has(tostring(report), report:step("mail").details.message_id)
      assert.equal(1, server:auth_attempts())
      assert.equal(1, send.count(server, "MAIL"))
    end)

    it("counts under the option rate", function()
      local server = send.qq_server()
      local mailer = send.qq_mailer(server, { rate = { 1, per = 3600 }, timeout = { total = 5 } })
      assert.is_true(check(mailer, { send = true }).ok)
      local report = check(mailer, { send = true })
      failed(report, "mail", report.error.code)
      assert.equal("rate", report.error.kind)
      assert.equal(1, #server:messages())
    end)

    it("goes to the account itself when nobody is named", function()
      local server = send.qq_server()
      check(send.qq_mailer(server), { send = true })
      assert.same({ send.USER }, server:messages()[1].to)
    end)

    it("that is refused is a failure of its step", function()
      local server = send.qq_server({ unknown_recipients = { "x@qq.com" } })
      local report = check(send.qq_mailer(server), { to = "x@qq.com", send = true })
      assert.equal("mail", report[#report].name)
      assert.equal("recipient", report.error.kind)
      server = send.qq_server()
      report = check(send.qq_mailer(server, { from = "other@qq.com" }), { send = true })
      failed(report, "envelope", "sender.not_login")
      assert.same({ "mail" }, report.not_reached)
      assert.equal(0, #server:messages())
    end)
  end)

  it("leaves nothing behind when on_step raises", function()
    local server = send.server()
    local mailer = send.mailer(server)
    local ok, why = pcall(mailer.check, mailer, { on_step = function(step)
      if step.name == "auth" then
        error({ "mine" })
      end
    end })
    assert.is_false(ok)
    assert.same({ "mine" }, why)
    assert.same({ used = 0, idle = 0 }, mailer:stats().connections)
    assert.is_true(server:wait(2, 5, "closed"))
  end)

  describe("asked", function()
    it("for another language answers in it", function()
      local mailer = send.qq_mailer(send.qq_server({ users = {} }), { lang = "en" })
      local report = check(mailer, { lang = "zh" })
      assert.equal("zh", report.lang)
      assert.equal("zh", report.error.lang)
      doctor.has(tostring(report), "失败于：登录", "办法：")
      assert.equal("en", mailer.settings.lang)
    end)

    it("for what there is not says so", function()
      local mailer = send.qq_mailer(send.qq_server())
      local function bad(what, field, part)
        local report, err = mailer:check(what)
        assert.is_nil(report)
        send.is_error(err, { field = field })
        send.has(err, part)
      end
      bad({ too = "a@qq.com" }, "too", 'did you mean "to"')
      bad({ send = "yes" }, "send", "boolean")
      bad({ lang = "fr" }, "lang", "zh")
      bad({ account = 2 }, "account", "1 to 1")
      bad({ to = "nobody" }, "to", "no '@'")
      for _, nobody in ipairs({ "", {}, false }) do
        bad({ to = nobody }, "to", "names no address")
      end
      assert.has_error(function()
        mailer:check("a@qq.com")
      end)
      mailer:close()
      local report, err = mailer:check()
      assert.is_nil(report)
      send.is_error(err, { code = "closed.mailer" })
    end)

    it("for another account checks that one", function()
      local first, second = send.qq_server(), send.qq_server({ users = {} })
      local spare = send.options(second, { provider = "qq" })
      spare.timeout, spare.retry, spare.lang = nil, nil, nil
      local mailer = send.qq_mailer(first, { failover = { spare } })
      assert.is_true(check(mailer).ok)
      send.has(tostring(check(mailer)), "account 1 of 2")
      failed(check(mailer, { account = 2 }), "auth", "auth.authorization_code_required")
      assert.equal(1, second:auth_attempts())
    end)
  end)

  it("shows no code that was pasted into another option", function()
    local options = require("qqmail.options")
    local run = require("qqmail.doctor").run
    local function check_text(given)
      given.io = "memory" -- no name is looked up
      local report = assert(run(given, { to = "a@qq.com" }))
      send.lacks(doctor.everything(report), send.CODE)
    end
    for _, row in ipairs(options.list) do
      local group, name = row.key:match("^([%w_]+)%.([%w_]+)$")
      local given = { provider = "qq", user = send.USER, password = "MyPassword1" }
      given[group or row.key] = group and { [name] = send.CODE } or send.CODE
      check_text(given)
    end
    for _, url in ipairs({ "smtps://%s@smtp.qq.com", "smtps://u%%40qq.com:%s@smtp.qq.com",
      "smtps://%s", "%s", "smtps://u:p@smtp.qq.com?from=%s" }) do
      check_text({ url = url:format(send.CODE) })
    end
  end)

  it("gives plain data for JSON", function()
    local report = check(send.qq_mailer(send.qq_server({ users = {} })))
    local plain = report:plain()
    assert.is_false(plain.ok)
    assert.equal("auth", plain.steps[#plain.steps].name)
    assert.equal("auth", plain.error.phase)
    assert.equal(535, plain.error.smtp.code)
    assert.equal(qqmail._VERSION, plain.version)
    send.lacks(doctor.everything(report), send.CODE)
  end)

  it("respects that control characters of a server must not reach a terminal", function()
    local server = send.server({ replies = { greeting = "220 \27[31mred\155" } })
    local text = tostring(check(send.mailer(server)))
    assert.is_nil(text:find("[\27\155]"))
  end)
end)
