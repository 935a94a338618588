-- mailer:check() from the first byte of the server to the end of the login: who answers,
-- what TLS fails of, and what a refused login means.
local doctor = require("spec.support.doctor")
local logins = require("qqmail.logins")
local probe = require("qqmail.doctor.probe")
local qqmail = require("qqmail")
local send = require("spec.support.send")

local check, failed, steps = doctor.check, doctor.failed, doctor.steps

local WRONG = "abcdefghijklmnoq"

describe("the doctor", function()
  after_each(send.stop)

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

    it("at a port that everybody knows is not told to set what is set", function()
      local function hint_of(mode, port, tls)
        local mailer = send.mailer(send.server({ mode = mode }), { tls = tls,
          timeout = { reply = 0.3 }, tls_options = { verify = false } })
        local real = mailer.settings.port
        mailer.settings.port = port
        doctor.driver(mailer, { addresses = { "203.0.113.1" },
          open = { ["203.0.113.1:" .. port] = real } })
        local report = check(mailer)
        assert.is_table(report[#report].details.answers, tostring(report))
        return report[#report].hint
      end
      for _, mode in ipairs({ "plain", "starttls" }) do
        local hint = hint_of(mode, 465, "implicit")
        doctor.has(hint, "no proxy or gateway", 'port = 587, tls = "starttls"')
        send.lacks(hint, "465")
      end
      for _, port in ipairs({ 587, 25 }) do
        local hint = hint_of("implicit", port, "starttls")
        doctor.has(hint, "no proxy or gateway", 'port = 465, tls = "implicit"')
        send.lacks(hint, ("%d"):format(port))
      end
    end)

    it("with a greeting of several lines is asked for STARTTLS behind the last", function()
      local step = failed(probed({ mode = "starttls", greeting_multiline = true,
        drip = 0.005 }), "tls", "tls.not_tls")
      assert.is_true(step.details.answers.starttls)
      send.lacks(step.hint, "no TLS at all")
    end)

    it("byte by byte is not taken for something else", function()
      local step = failed(probed({ drip = 0.3 }, { tls = "starttls",
        tls_options = { verify = false }, timeout = { reply = 1, total = 3 } }), "greeting",
        "timeout.no_greeting")
      assert.is_nil(step.text:find("no mail server", 1, true), step.text)
      send.lacks(step.hint, "names the server for sending")
    end)

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

    it("to Gmail is told in the words of Gmail", function()
      for _, password in ipairs({ send.CODE, "MyPassword1" }) do
        local mailer = send.mailer(send.server({ mode = "implicit",
          replies = { auth = "535 5.7.8 no" } }), { provider = "gmail", user = "user@gmail.com",
          password = password, lang = "zh" })
        local report = check(mailer)
        failed(report, "auth", report.error.code)
        doctor.has(report:step("code").text, "应用专用密码")
        doctor.has(report:step("auth").text, "应用专用密码")
        for _, name in ipairs({ "code", "auth" }) do
          send.lacks(report:step(name).text, "授权码")
          send.lacks(report:step(name).text, "QQ")
        end
      end
    end)

    it("that is not tried again is told of in the language asked for", function()
      local mailer = send.mailer(send.server({ users = {} }))
      check(mailer)
      local report = check(mailer, { lang = "zh" })
      assert.is_true(report.error.not_tried)
      send.has(report.error.hint, "请")
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

    it("that nobody judged is not blamed on the code", function()
      for reply, code in pairs({ ["504 5.5.4 mechanism unknown"] = "auth.mechanism_refused",
        ["535 5.7.139 SmtpClientAuthentication is disabled for the Tenant"]
          = "auth.service_disabled" }) do
        for _, password in ipairs({ send.CODE, "MyPassword1" }) do
          local server = send.qq_server({ replies = { auth = reply } })
          local step = failed(check(send.qq_mailer(server, { password = password })), "auth", code)
          send.lacks(step.text, "the code looks right")
          send.lacks(step.text, "no authorization code")
          send.stop()
        end
      end
      local server = send.server({ mode = "implicit", ehlo = { "SIZE 1" } })
      local step = failed(check(send.qq_mailer(server)), "auth", "auth.not_offered")
      send.lacks(step.text, "the code looks right")
    end)

    it("that is refused to a token is about the token", function()
      for lang, words in pairs({ en = "access token was refused", zh = "访问令牌被拒绝" }) do
        local server = send.qq_server({ users = {} })
        local options = send.options(server, { provider = "qq", lang = lang, token = send.CODE })
        options.password = nil
        local mailer = assert(qqmail.new(options))
        local step = failed(check(mailer), "auth", "auth.authorization_code_required")
        send.has(step.text, words)
        send.lacks(step.hint, "16")
        assert.equal(1, server:auth_attempts())
        mailer:close()
        send.stop()
      end
    end)

    it("with a token is tried once, although a mail would ask for a fresh one", function()
      local server = send.qq_server({ users = {} })
      local options = send.options(server, { provider = "qq" })
      local calls = 0
      options.password, options.token = nil, function()
        calls = calls + 1
        return ("token%d"):format(calls)
      end
      local mailer = assert(qqmail.new(options))
      local step = failed(check(mailer), "auth", "auth.authorization_code_required")
      assert.equal(1, server:auth_attempts())
      send.has(step.hint, "a mail would")
      mailer:close()
    end)

    it("in which the server hangs up is the code's end", function()
      local server = send.qq_server({ users = {}, silent_auth_reject = true })
      local step = failed(check(send.qq_mailer(server)), "auth", "auth.closed_during_login")
      send.has(step.text, "revoked")
      assert.equal(1, server:auth_attempts())
    end)
  end)
end)
