-- mailer:check(): each step, and each way to fail at it.
local doctor = require("spec.support.doctor")
local logins = require("qqmail.logins")
local probe = require("qqmail.doctor.probe")
local qqmail = require("qqmail")
local send = require("spec.support.send")

local check, failed, steps = doctor.check, doctor.failed, doctor.steps

local WRONG = "abcdefghijklmnoq"

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
    local function lost(open, more)
      local mailer = send.qq_mailer(send.qq_server(), more)
      mailer.settings.port = 465
      doctor.driver(mailer, { addresses = { "203.0.113.1" }, open = open or {},
        reason = more and more.reason })
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

  describe("who answers", function()
    local function probed(server_options, options)
      local server = send.server(send.merge({ mode = "plain" }, server_options))
      return check(send.mailer(server, send.merge({ tls = "implicit" }, options))), server
    end

    it("in clear text at a port taken for TLS is named with the pair to set", function()
      for lang, words in pairs({ en = "begins in clear text", zh = "以明文开始" }) do
        local report, server = probed({ mode = "starttls" }, { lang = lang })
        local step = failed(report, "tls", "tls.not_tls")
        doctor.has(step.text, words, "220")
        doctor.has(step.hint, ('port = %d'):format(server.port), 'tls = "starttls"')
        assert.equal("smtp", step.details.answers.kind)
        assert.is_true(step.details.answers.starttls)
        assert.equal(0, server:auth_attempts())
        send.stop()
      end
    end)

    it("without STARTTLS is not told to use it", function()
      local step = failed(probed(), "tls", "tls.not_tls")
      assert.is_false(step.details.answers.starttls)
      send.has(step.hint, "no TLS at all")
      send.lacks(step.hint, "starttls")
    end)

    it("with TLS where clear text is expected is named with the pair to set", function()
      for lang, words in pairs({ en = "speaks TLS from the first byte", zh = "首字节起就是 TLS" }) do
        local server = send.server({ mode = "implicit" })
        local mailer = send.mailer(server, { tls = "starttls", timeout = { reply = 0.3 },
          lang = lang })
        local step = failed(check(mailer), "greeting", "timeout.no_greeting")
        send.has(step.text, words)
        doctor.has(step.hint, ('port = %d'):format(server.port), 'tls = "implicit"')
        send.stop()
      end
    end)

    local OTHERS = { http = "HTTP/1.1 400 Bad Request", imap = "* OK IMAP4rev1 ready",
      pop3 = "+OK POP3 ready", ssh = "SSH-2.0-OpenSSH_9.2" }
    for kind, banner in pairs(OTHERS) do
      it("as " .. kind .. " is named", function()
        local report = probed({ replies = { greeting = banner } }, { tls = "starttls",
          tls_options = { verify = false } })
        local step = failed(report, "greeting", "protocol.bad_reply")
        assert.equal(kind, step.details.answers.kind)
        doctor.has(step.text, banner)
        send.has(step.hint, "port = 465")
      end)
    end

    it("silently, or not at all, is told as it is", function()
      local options = { tls = "starttls", tls_options = { verify = false },
        timeout = { reply = 0.2, total = 3 } }
      local step = failed(probed({ drop_at = "greeting", how = "stall" }, options), "greeting",
        "timeout.no_greeting")
      assert.equal("silent", step.details.answers.kind)
      send.stop()
      step = failed(probed({ drop_at = "greeting" }, options), "greeting",
        "closed.before_greeting")
      assert.equal("closed", step.details.answers.kind)
    end)

    it("is asked at a port where nobody is", function()
      local server = send.server()
      local target = { host = server.host, port = server.port }
      server:stop()
      local driver = require("qqmail.io.blocking")
      assert.equal("unreachable", probe.who(driver, target,
        { address = "127.0.0.1", family = "inet" }, driver:now() + 5).kind)
    end)
  end)

  describe("TLS", function()
    local function tls(cert, more)
      local server = send.server({ mode = "implicit", cert = cert })
      return check(send.mailer(server, send.merge({ host = "localhost" }, more)))
    end

    it("with a certificate that ended names its dates and both clocks' part", function()
      for lang, words in pairs({ en = "the server's certificate has expired",
        zh = "服务器证书已过期" }) do
        local step = failed(tls("expired", { lang = lang }), "tls", "tls.expired")
        doctor.has(step.text, words, "2020-01-01", "2020-02-01", os.date("!%Y-%m-%d"))
        assert.equal("certificate", step.details.at_fault)
        send.stop()
      end
    end)

    it("with one that is not valid yet suspects this machine's clock", function()
      local step = failed(tls("notyet"), "tls", "tls.not_yet_valid")
      doctor.has(step.text, "this machine's clock is off", "2040-01-01", os.date("!%Y-%m-%d"))
      send.has(step.hint, "Set the clock")
    end)

    it("with another's certificate says whose it is", function()
      local step = failed(tls("wronghost"), "tls", "tls.host_mismatch")
      doctor.has(step.text, "other.example", "CN=qqmail test authority")
      step = failed(tls("roguechain"), "tls", "tls.untrusted")
      doctor.has(step.text, "qqmail rogue authority")
    end)

    it("that is not verified is marked", function()
      local report = tls("selfsigned", { tls_options = { verify = false } })
      assert.is_true(report.ok)
      assert.equal("check.not_verified", report:step("tls").code)
    end)

    it("without STARTTLS being offered fails there", function()
      local report = check(send.mailer(send.server({ mode = "plain" }), { tls = "starttls" }))
      assert.equal("settings code from dns connect greeting tls*", steps(report))
      assert.same({ "ehlo", "auth" }, report.not_reached)
    end)
  end)

  describe("the login", function()
    it("is tried once, and not again for a while", function()
      local server = send.qq_server({ users = { [send.USER] = send.CODE } })
      local mailer = send.qq_mailer(server, { password = WRONG })
      local report = check(mailer)
      failed(report, "auth", "auth.authorization_code_required")
      assert.equal(1, server:auth_attempts())
      local second = check(mailer)
      failed(second, "auth", "auth.authorization_code_required")
      assert.is_true(second.error.not_tried)
      assert.same({ "tls", "greeting", "ehlo" }, second.not_reached)
      send.bad(mailer, { kind = "auth" })
      assert.equal(1, server:auth_attempts())
      logins.forget_all()
      for _, text in ipairs({ doctor.everything(report), doctor.everything(second) }) do
        send.lacks(text, WRONG)
      end
    end)

    it("that is refused to a password says that it is no code", function()
      for lang, words in pairs({ en = "no authorization code", zh = "不是授权码" }) do
        local server = send.qq_server()
        local report = check(send.qq_mailer(server, { password = "MyPassword1", lang = lang }))
        local step = failed(report, "auth", "auth.authorization_code_required")
        send.has(step.text, words)
        assert.is_string(step.help_url)
        assert.equal(1, server:auth_attempts())
        send.lacks(doctor.everything(report), "MyPassword1")
        send.stop()
      end
    end)

    it("in which the server hangs up is the code's end", function()
      local server = send.qq_server({ users = {}, silent_auth_reject = true })
      local step = failed(check(send.qq_mailer(server)), "auth", "auth.closed_during_login")
      send.has(step.text, "revoked")
      assert.equal(1, server:auth_attempts())
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
  end)

  describe("the mail", function()
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
