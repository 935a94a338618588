local errors = require "qqmail.errors"
local world = require "spec.support.settings"

local CODE, good, bad, qq, warning, has =
  world.CODE, world.good, world.bad, world.qq, world.warning, world.has

describe("config account", function()
  before_each(function()
    errors.set_lang("en")
  end)
  after_each(function()
    errors.set_lang(nil)
  end)

  describe("server", function()
    it("comes from provider, host, or the address", function()
      assert.are.equal("smtp.163.com", good {
        provider = "163", user = "a@163.com", password = "x" }.host)
      assert.are.equal("163", good {
        host = "smtp.163.com", user = "a@163.com", password = "x" }.provider.key)
      assert.are.equal("smtp.mail.yahoo.com", good { user = "a@yahoo.co.jp", password = "x" }.host)
      local own = good { host = "127.0.0.1", user = "a@qq.com", password = "x" }
      assert.is_nil(own.provider)
      assert.are.equal(1, own.window)
      assert.are.equal("qq", good {
        provider = "qq", host = "127.0.0.1", user = "a@qq.com", password = CODE }.provider.key)
    end)

    it("must be known", function()
      local err = bad { user = "a@example.com", password = "x" }
      assert.are.equal("config.no_host", err.code)
      has(err, "a@example.com")
      has(bad { provider = "ses", user = "AKIA", password = "x" }, "email-smtp.<region>")
      err = bad(qq { provider = "q" })
      assert.are.equal("config.unknown_provider", err.code)
      has(err, '"qq"')
    end)

    it("is a bare name", function()
      for host, part in pairs {
        ["smtps://smtp.qq.com"] = "url", ["smtp@qq.com"] = '"@"', ["smtp.qq.com:465"] = "port",
        ["smtp.qq.com/"] = "bare", ["smtp qq.com"] = "bare", ["-x.example"] = "bare",
        ["a..b"] = "bare", ["邮件.example"] = "xn--", ["1.2.3"] = "bare", ["256.1.1.1"] = "bare",
        [("x"):rep(64) .. ".example"] = "bare",
      } do
        local err = bad(qq { host = host })
        assert.are.equal("config.bad_host", err.code, host)
        has(err, part)
      end
      for host, code in pairs {
        ["smtp。qq.com"] = "U+3002", ["smtp.qq.com\n"] = "U+000A", ["ｓmtp.qq.com"] = "full-width s",
        ["smtp\226\128\139.qq.com"] = "U+200B",
      } do
        local err = bad(qq { host = host })
        assert.are.equal("config.bad_character", err.code)
        has(err, code)
      end
    end)

    it("may end in a dot or be an address", function()
      local settings = good(qq { host = "smtp.qq.com." })
      assert.are.same({ "smtp.qq.com.", "smtp.qq.com", "qq" },
        { settings.host, settings.tls_options.server_name, settings.provider.key })
      assert.are.equal("::1", good(qq { host = "[::1]" }).host)
      assert.are.equal("mail_server", good(qq { host = "mail_server" }).host)
    end)

    it("may be a unix socket", function()
      local settings = good { socket = "/run/mta", tls = "none" }
      assert.are.same({ "/run/mta", nil }, { settings.socket, settings.host })
      assert.are.equal("config.no_server_name", bad({ socket = "/run/mta" }).code)
      good { socket = "/run/mta", tls_options = { server_name = "mta.example" } }
    end)

    it("warns when the provider does not fit", function()
      local settings = good({ provider = "qq", user = "1@qq.com", password = CODE },
        { QQMAIL_HOST = "smtp.163.com" })
      assert.is_table(warning(settings, "config.provider_host"))
      settings = good { provider = "qq", user = "a@163.com", password = CODE }
      assert.is_table(warning(settings, "config.user_provider"))
    end)
  end)

  describe("port and tls", function()
    local function pair(given)
      given.host = "h.example"
      local settings = good(given)
      return settings.port, settings.tls
    end

    it("follow from each other", function()
      assert.are.same({ 465, "implicit" }, { pair {} })
      assert.are.same({ 587, "starttls" }, { pair { port = 587 } })
      assert.are.same({ 25, "starttls" }, { pair { port = 25 } })
      assert.are.same({ 994, "implicit" }, { pair { port = 994 } })
      assert.are.same({ 2465, "implicit" }, { pair { port = 2465 } })
      assert.are.same({ 2525, "starttls" }, { pair { port = 2525 } })
      assert.are.same({ 1025, "starttls" }, { pair { port = 1025 } })
      assert.are.same({ 465, "implicit" }, { pair { tls = "implicit" } })
      assert.are.same({ 587, "starttls" }, { pair { tls = "starttls" } })
      assert.are.same({ 25, "none" }, { pair { tls = "none" } })
      assert.are.same({ 2525, "implicit" }, { pair { port = 2525, tls = "implicit" } })
    end)

    it("follow the preset", function()
      local settings = good(qq { port = 587 })
      assert.are.same({ "starttls", "preset" }, { settings.tls, settings.origin.tls })
      settings = good(qq { tls = "starttls" })
      assert.are.equal(587, settings.port)
      settings = good { provider = "netease-qiye", user = "a@b.example", password = "x" }
      assert.are.same({ 994, "implicit" }, { settings.port, settings.tls })
      settings = good { provider = "mailpit" }
      assert.are.same({ "127.0.0.1", 1025, "none" }, { settings.host, settings.port, settings.tls })
    end)

    it("must not contradict each other", function()
      for _, case in ipairs {
        { 465, "starttls" }, { 465, "none" }, { 994, "none" }, { 2465, "starttls" },
        { 587, "implicit" }, { 25, "implicit" },
      } do
        local err = bad(qq { port = case[1], tls = case[2] })
        assert.are.equal("config.port_tls", err.code)
        has(err.hint, "tls =")
        err = bad(qq { port = case[1], tls = case[2], lang = "zh" })
        has(err.hint, "请")
      end
    end)

    it("are checked", function()
      for _, port in ipairs { 0, 65536, 1.5, -1, "x", true } do
        assert.are.equal("config.invalid_value", bad(qq { port = port }).code)
      end
      assert.are.equal(587, good(qq { port = "587" }).port)
      has(bad(qq { tls = "ssl" }), '"implicit"')
      assert.are.equal("config.invalid_value", bad(qq { tls = true }).code)
    end)

    it("send no password in clear text unasked", function()
      assert.are.equal("config.plaintext_auth",
        bad({ host = "127.0.0.1", tls = "none", user = "u", password = "p" }).code)
      good { host = "127.0.0.1", tls = "none", user = "u", password = "p",
        allow_plaintext_auth = true }
      good { host = "127.0.0.1", tls = "none" }
    end)
  end)

  describe("user and password", function()
    it("are both needed", function()
      local err = bad { user = "10001@qq.com" }
      assert.are.equal("config.no_password", err.code)
      has(err.hint, "authorization code")
      assert.are.equal("config.no_user", bad({ provider = "qq", password = CODE }).code)
      assert.are.equal("config.no_user", bad({ host = "smtp.qq.com" }).code)
      assert.are.equal("config.no_user", bad({ host = "h.example", password = "x" }).code)
      good { provider = "gmail-relay" }
      assert.are.equal("apikey", good { provider = "sendgrid", password = "x" }.user)
    end)

    it("drop blanks and line ends around them, with a warning", function()
      local settings = good(qq { user = "\t10001@qq.com \r\n" })
      assert.are.equal("10001@qq.com", settings.user)
      assert.is_table(warning(settings, "config.user_blanks"))
      settings = good(qq { password = CODE .. "\n" })
      assert.are.equal(CODE, settings.secret())
      assert.is_table(warning(settings, "config.secret_newline"))
    end)

    it("close the groups of a pasted code", function()
      local settings = good(qq { password = "abcd efgh ijkl mnop" })
      assert.are.equal(CODE, settings.secret())
      assert.is_table(warning(settings, "config.secret_blanks"))
      settings = good(qq { password = "my pass word" })
      assert.are.equal("my pass word", settings.secret())
      assert.is_table(warning(settings, "config.not_a_code"))
      settings = good { host = "h.example", user = "u", password = "abcd efgh ijkl mnop" }
      assert.are.equal("abcd efgh ijkl mnop", settings.secret())
      assert.are.same({}, settings.warnings)
    end)

    it("warn when the code does not look like one", function()
      local settings = good(qq { password = "hunter2" })
      local item = warning(settings, "config.not_a_code")
      has(item.message, "16 letters")
      assert.is_nil(item.message:find("hunter2", 1, true))
    end)

    it("name characters that cannot be meant", function()
      for text, name in pairs {
        ["a\226\128\139b"] = "U+200B", ["a\239\187\191b"] = "U+FEFF", ["a\194\160b"] = "U+00A0",
        ["a\227\128\128b"] = "U+3000", ["a\239\188\160b"] = "full-width", ["a\0b"] = "U+0000",
        ["a\nb"] = "U+000A", ["a\27b"] = "U+001B",
      } do
        local err = bad(qq { password = text })
        assert.are.equal("config.bad_character", err.code)
        has(err, name)
        has(err, "byte 2")
        err = bad(qq { user = text .. "@qq.com" })
        assert.are.equal("config.bad_character", err.code)
        has(err, name)
      end
      assert.are.equal("config.bad_character", bad(qq { user = "a b@qq.com" }).code)
      good { host = "h.example", user = "用户@例子.example", password = "密码" }
    end)

    it("must not be empty or of another type", function()
      for _, value in ipairs { "", 5, true, {} } do
        assert.are.equal("config.invalid_value", bad(qq { password = value }).code)
      end
      assert.are.equal("config.empty_secret", bad(qq { password = "\n" }).code)
      assert.are.equal("config.invalid_value", bad(qq { user = "" }).code)
    end)

    it("must not be longer than a login can carry", function()
      local account = { host = "h.example", user = "a@h.example" }
      for _, key in ipairs { "password", "token" } do
        account.password, account.token = nil, nil
        account[key] = ("x"):rep(8192)
        good(account)
        account[key] = ("x"):rep(8193)
        local err = bad(account)
        assert.are.same({ "config.bad_value", key }, { err.code, err.field })
        account[key] = function() return ("x"):rep(8193) end
        local _, late = good(account).secret()
        assert.are.same({ "config.bad_value", key }, { late.code, late.field })
        assert.is_truthy(tostring(late):find("has 8193 bytes", 1, true))
      end
    end)

    it("may be a function, called at each login", function()
      local calls = 0
      local answer = CODE
      local settings = good(qq { password = function()
        calls = calls + 1
        return answer
      end })
      assert.are.equal(0, calls)
      assert.are.equal(CODE, settings.secret())
      answer = "abcd efgh ijkl mnop\n"
      assert.are.equal(CODE, settings.secret())
      assert.are.equal(2, calls)
      for _, wrong in ipairs { 5, false, {}, "", "\n", "a\0b" } do
        answer = wrong
        local secret, err = settings.secret()
        assert.is_nil(secret)
        assert.are.equal("config", err.kind)
      end
      answer = nil
      assert.are.equal("config.secret_function", select(2, settings.secret()).code)
    end)

    it("choose the mechanisms", function()
      local function auth(more)
        return good(qq(more)).auth
      end
      assert.are.same({ "LOGIN" }, auth { auth = "login" })
      assert.are.same({ "LOGIN", "PLAIN" }, auth { auth = { "LOGIN", "PLAIN", "XOAUTH2" } })
      assert.are.same({ "XOAUTH2" }, good { user = "a@qq.com", token = "t" }.auth)
      assert.are.same({ "XOAUTH2", "OAUTHBEARER" },
        good { host = "h.example", user = "u", token = "t" }.auth)
      assert.are.equal("config.contradiction", bad(qq { auth = "XOAUTH2" }).code)
      assert.are.equal("config.contradiction",
        bad({ user = "a@qq.com", token = "t", auth = "PLAIN" }).code)
      has(bad(qq { auth = "PLIAN" }), '"PLAIN"')
      assert.are.equal("config.invalid_value", bad(qq { auth = {} }).code)
    end)

    it("prefer the secret of the stronger place, then the token", function()
      local both = { user = "a@gmail.com", password = CODE, token = "t" }
      assert.is_true(good(both).secret_is_token)
      both.auth = { "PLAIN", "XOAUTH2" }
      assert.are.equal(CODE, good(both).secret())
      assert.are.equal(CODE, good(qq(), { QQMAIL_TOKEN = "t" }).secret())
    end)

    it("warn where passwords are refused", function()
      local settings = good { user = "a@outlook.com", password = "x" }
      has(warning(settings, "config.password_refused").message, "token")
    end)
  end)

  describe("from", function()
    it("is the user when that is an address", function()
      assert.are.equal("10001@qq.com", good(qq()).from)
      assert.is_nil(good { host = "h.example", user = "u", password = "p" }.from)
      assert.are.equal("config.from_required",
        bad({ provider = "qq", user = "10001", password = CODE }).code)
      assert.are.equal("10001@qq.com", good {
        provider = "qq", user = "10001", password = CODE, from = "10001@qq.com" }.from)
    end)

    it("may be written in several ways", function()
      for _, from in ipairs {
        "10001@qq.com", "监控 <10001@QQ.com>", { "监控", "10001@qq.com" },
        { name = "监控", address = "10001@qq.com" },
      } do
        local settings = good(qq { from = from })
        assert.are.equal(from, settings.from)
        assert.is_nil(warning(settings, "config.from_differs"))
      end
      for _, from in ipairs { "", 5, {}, "a@b\r\nBcc: c@d", { "a\n", "a@b" } } do
        assert.are.equal("config.invalid_value", bad(qq { from = from }).code)
      end
    end)

    it("warns when the provider will refuse it", function()
      for _, from in ipairs { "other@qq.com", "x <other@qq.com>", { "x", "other@qq.com" } } do
        assert.is_table(warning(good(qq { from = from }), "config.from_differs"))
      end
      assert.is_nil(warning(good {
        host = "h.example", user = "a@b.example", password = "p", from = "c@d.example",
      }, "config.from_differs"))
    end)
  end)
end)
