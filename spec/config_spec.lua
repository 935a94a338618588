local config = require "qqmail.config"
local errors = require "qqmail.errors"
local options = require "qqmail.options"
local world = require "spec.support.settings"

local CODE, good, bad, qq, warning, has, everything =
  world.CODE, world.good, world.bad, world.qq, world.warning, world.has, world.everything

describe("config", function()
  before_each(function()
    errors.set_lang("en")
  end)
  after_each(function()
    errors.set_lang(nil)
  end)

  describe("load", function()
    it("needs no more than address and code for QQ", function()
      local settings = good(qq())
      assert.are.equal("qq", settings.provider.key)
      assert.are.same({ "smtp.qq.com", 465, "implicit" },
        { settings.host, settings.port, settings.tls })
      assert.are.equal("10001@qq.com", settings.from)
      assert.are.same({ "PLAIN", "LOGIN" }, settings.auth)
      assert.are.equal(CODE, settings.secret())
      assert.is_false(settings.secret_is_token)
      assert.are.equal(0, settings.window)
      assert.is_true(settings.quirks.no_reset)
      assert.are.equal(73400320, settings.size_limit)
      assert.are.equal("smtp.qq.com", settings.tls_options.server_name)
      assert.are.same({}, settings.warnings)
    end)

    it("has defaults", function()
      local settings = good { host = "mail.example.com" }
      assert.are.same({ connect = 10, reply = 30, final = 120, total = 180 }, settings.timeout)
      assert.are.same({ max = 1, idle = 50 }, settings.pool)
      assert.are.same({ "[127.0.0.1]", 1, "auto", false, 465, "implicit" }, {
        settings.hostname, settings.window, settings.io, settings.allow_plaintext_auth,
        settings.port, settings.tls,
      })
      assert.is_true(settings.tls_options.verify)
      assert.are.equal("1.2", settings.tls_options.min_version)
      assert.are.same({}, settings.quirks)
      assert.are.same({}, settings.auth)
      assert.is_nil(settings.secret())
      assert.is_nil(settings.provider)
      assert.is_nil(settings.from)
    end)

    it("takes a URL in place of options", function()
      local settings = good("smtps://10001%40qq.com:" .. CODE .. "@smtp.qq.com?pool.max=2&lang=zh")
      assert.are.same({ "smtp.qq.com", 465, "implicit", "10001@qq.com", 2, "zh" }, {
        settings.host, settings.port, settings.tls, settings.user, settings.pool.max,
        settings.lang,
      })
      assert.are.equal(CODE, settings.secret())
      assert.are.equal("url", settings.origin["pool.max"])
    end)

    it("raises for a wrong type of argument only", function()
      assert.has_error(function()
        config.load(5)
      end)
      assert.are.equal("config.bad_host", bad({ host = 5 }).code)
      assert.are.equal("config.no_host", bad({}).code)
    end)

    it("leaves the caller's options alone", function()
      local given = qq { user = " 10001@qq.com\n", timeout = { reply = 5 } }
      good(given)
      assert.are.same(qq { user = " 10001@qq.com\n", timeout = { reply = 5 } }, given)
    end)

    it("shares nothing between two loadings", function()
      local first, second = good(qq()), good(qq())
      assert.are_not.equal(first.quirks, second.quirks)
      assert.are_not.equal(first.quirks, first.provider.quirks)
    end)
  end)

  describe("unknown options", function()
    it("are refused with the one that was meant", function()
      for key, meant in pairs {
        hots = "host", passwrod = "password", username = "user", pass = "password",
        ca_file = "tls_options.ca_file", ssl = "tls", timeouts = "timeout", hostnam = "hostname",
      } do
        local err = bad(qq { [key] = "x" })
        assert.are.equal("config.unknown_option", err.code)
        has(err, '"' .. key .. '"')
        has(err, '"' .. meant .. '"')
      end
    end)

    it("are refused inside tables, too", function()
      local err = bad(qq { timeout = { conect = 1 } })
      assert.are.equal("config.unknown_option", err.code)
      has(err, '"timeout.connect"')
      assert.are.equal("timeout.conect", err.field)
      has(bad(qq { pool = { size = 1 } }), '"pool.size"')
      has(bad(qq { on = { snt = print } }), '"on.sent"')
      assert.are.equal("config.unknown_option", bad(qq { "x" }).code)
      assert.are.equal("config.unknown_option", bad(qq { pool = { 5 } }).code)
      assert.are.equal("config.unknown_option", bad(qq { ["pool.max"] = 2 }).code)
    end)

    it("never show the value", function()
      assert.is_nil(everything(bad(qq { passwrod = "hunter2" })):find("hunter2", 1, true))
    end)
  end)

  describe("options of later versions", function()
    it("are refused by name rather than ignored", function()
      for _, key in ipairs { "proxy", "lmtp" } do
        local err = bad(qq { [key] = true })
        assert.are.equal("config.unsupported_option", err.code)
        has(err, key)
        good(qq { [key] = false })
      end
      assert.are.equal("config.unsupported_option", bad(qq { tls_options = { pin = "x" } }).code)
      assert.are.equal("config.unsupported_option", bad(qq { auth = "DIGEST-MD5" }).code)
    end)

  end)

  describe("order of places", function()
    local function host(given, env, files)
      local settings = good(given, env, files)
      return settings.host, settings.origin.host, settings.where.host
    end

    it("is options, url, environment, files, preset", function()
      local given = { host = "option.example", url = "smtps://a%40163.com:p@url.example" }
      local env = { QQMAIL_ENV = "test", QQMAIL_HOST = "env.example", QQMAIL_PROVIDER = "163",
        QQMAIL_USER = "a@163.com", QQMAIL_PASSWORD = "x" }
      local files = {
        [".env.test.local"] = "QQMAIL_HOST=testlocal.example\n",
        [".env.test"] = "\nQQMAIL_HOST=test.example\n",
        [".env.local"] = "QQMAIL_HOST=local.example\n",
        [".env"] = "QQMAIL_HOST=file.example\n",
      }
      assert.are.same({ "option.example", "option" }, { host(given, env, files) })
      given.host = nil
      assert.are.same({ "url.example", "url", "url" }, { host(given, env, files) })
      given = {}
      assert.are.same({ "env.example", "env", "QQMAIL_HOST" }, { host(given, env, files) })
      env.QQMAIL_HOST = ""
      assert.are.same({ "testlocal.example", "file", ".env.test.local:1 QQMAIL_HOST" },
        { host(given, env, files) })
      files[".env.test.local"] = nil
      assert.are.same({ "test.example", "file", ".env.test:2 QQMAIL_HOST" },
        { host(given, env, files) })
      files[".env.test"] = nil
      assert.are.equal("local.example", (host(given, env, files)))
      files[".env.local"] = nil
      assert.are.equal("file.example", (host(given, env, files)))
      files[".env"] = nil
      assert.are.same({ "smtp.163.com", "preset", "163" }, { host(given, env, files) })
    end)

    it("reads no file of another environment", function()
      assert.are.equal("config.no_host", bad({}, nil, { [".env.test"] = "QQMAIL_HOST=h\n" }).code)
      assert.are.equal("config.invalid_value", bad({}, { QQMAIL_ENV = "../x" }).code)
    end)

    it("puts a place's url behind its other variables", function()
      local settings = good({}, {
        QQMAIL_URL = "smtps://u:p@url.example", QQMAIL_HOST = "env.example",
      }, { [".env"] = "QQMAIL_USER=file\n" })
      assert.are.same({ "env.example", "u" }, { settings.host, settings.user })
      assert.are.equal("QQMAIL_URL", settings.where.user)
    end)
  end)

  describe("environment", function()
    it("gives every variable of the table", function()
      local settings = good({}, {
        QQMAIL_PROVIDER = "qq", QQMAIL_HOST = "h.example", QQMAIL_PORT = "2525",
        QQMAIL_TLS = "starttls", QQMAIL_USER = "10001@qq.com", QQMAIL_PASSWORD = CODE,
        QQMAIL_FROM = "监控 <10001@qq.com>", QQMAIL_REPLY_TO = "a@b.example",
        QQMAIL_TIMEOUT = "60", QQMAIL_CONNECT_TIMEOUT = "2.5", QQMAIL_POOL_MAX = "3",
        QQMAIL_CA_FILE = "/ca.pem", QQMAIL_LANG = "zh_CN.UTF-8", QQMAIL_LOG = "stderr",
      })
      assert.are.same({
        "qq", "h.example", 2525, "starttls", "10001@qq.com", "监控 <10001@qq.com>", "a@b.example",
        60, 2.5, 3, "/ca.pem", "zh", "function",
      }, {
        settings.provider.key, settings.host, settings.port, settings.tls, settings.user,
        settings.from, settings.reply_to, settings.timeout.total, settings.timeout.connect,
        settings.pool.max, settings.tls_options.ca_file, settings.lang, type(settings.log),
      })
    end)

    it("has a token, too", function()
      local settings = good({ user = "a@gmail.com" }, { QQMAIL_TOKEN = "ya29.x" })
      assert.are.same({ "XOAUTH2", "OAUTHBEARER" }, settings.auth)
      assert.is_true(settings.secret_is_token)
      assert.are.equal("ya29.x", settings.secret())
    end)

    it("says which variable is wrong", function()
      local err = bad(qq(), { QQMAIL_PORT = "smtp" })
      assert.are.equal("config.invalid_value", err.code)
      has(err, "QQMAIL_PORT")
      has(bad(qq(), nil, { [".env"] = "\nQQMAIL_TLS=ssl\n" }), ".env:2 QQMAIL_TLS")
    end)

    it("warns of a variable in a file that nobody reads", function()
      local settings = good(qq(), nil, { [".env"] = "QQMAIL_PASWORD=hunter2\nOTHER=1\n" })
      local item = warning(settings, "config.unknown_variable")
      has(item.message, "QQMAIL_PASSWORD?")
      assert.is_nil(item.message:find("hunter2", 1, true))
      assert.are.equal(1, #settings.warnings)
    end)

    it("passes on errors and warnings of files", function()
      assert.are.equal("dotenv.unterminated", bad(qq(), nil, { [".env"] = "A='\n" }).code)
      assert.is_table(warning(good(qq(), nil, { [".env"] = "nonsense\n" }), "dotenv.ignored_line"))
    end)

    it("warns of a file everybody can read; in production that is an error", function()
      local files = { [".env"] = "QQMAIL_FROM=10001@qq.com\n" }
      local open, shut = tonumber("644", 8), tonumber("600", 8)
      assert.is_table(warning(good(qq(), nil, files, open), "config.public_file"))
      assert.is_nil(warning(good(qq(), nil, files, shut), "config.public_file"))
      local production = { QQMAIL_ENV = "production" }
      assert.are.equal("config.public_file", bad(qq(), production, files, open).code)
      good(qq(), production, files, shut)
      good(qq(), production, { [".env"] = "OTHER=1\n" }, open)
    end)

    describe("QQMAIL_PASSWORD_FILE", function()
      local env = { QQMAIL_PASSWORD_FILE = "/run/secrets/code" }

      it("is read, without the line end", function()
        for _, tail in ipairs { "", "\n", "\r\n", "\n\n" } do
          local settings = good({ user = "10001@qq.com" }, env, { ["/run/secrets/code"] = CODE
            .. tail })
          assert.are.equal(CODE, settings.secret())
          assert.are.same({}, settings.warnings)
          assert.are.equal("env", settings.origin.password)
        end
      end)

      it("must be readable, not too large, and alone", function()
        assert.are.equal("config.password_file", bad({ user = "10001@qq.com" }, env).code)
        assert.are.equal("config.password_file", bad({ user = "10001@qq.com" }, env,
          { ["/run/secrets/code"] = ("x"):rep(20000) }).code)
        assert.are.equal("config.contradiction", bad({ user = "10001@qq.com" },
          { QQMAIL_PASSWORD_FILE = "/x", QQMAIL_PASSWORD = "y" }).code)
      end)

      it("is not read when an option says otherwise", function()
        assert.are.equal(CODE, good(qq(), env).secret())
      end)
    end)
  end)

  describe("describe", function()
    it("tells what is odd about the settings", function()
      local list = config.describe(good(qq { password = "short" }))
      assert.are.equal("config.not_a_code", list.warnings[1].code)
      has(tostring(list), "! " .. list.warnings[1].message)
      assert.is_nil(tostring(list):find("short", 1, true))
      assert.are.same({}, config.describe(good(qq { password = CODE })).warnings)
    end)

    it("lists values with their origins, secrets masked", function()
      local list = config.describe(good({ password = CODE }, { QQMAIL_USER = "10001@qq.com" },
        { [".env"] = "QQMAIL_POOL_MAX=2\n" }))
      assert.are.same({ key = "password", value = "******", origin = "option" }, list.password)
      assert.are.same({ key = "user", value = "10001@qq.com", origin = "env",
        where = "QQMAIL_USER" }, list.user)
      assert.are.same({ 2, "file", ".env:1 QQMAIL_POOL_MAX" },
        { list["pool.max"].value, list["pool.max"].origin, list["pool.max"].where })
      assert.are.same({ "smtp.qq.com", "preset" }, { list.host.value, list.host.origin })
      assert.are.same({ 10, "default" },
        { list["timeout.connect"].value, list["timeout.connect"].origin })
      assert.are.equal("qq", list.provider.value)
      assert.is_nil(list.token)
      assert.are.equal("provider", list[1].key)
      has(list, "******")
      has(list, "smtp.qq.com")
    end)

    it("masks every secret alike", function()
      local one = config.describe(good(qq { password = "x" })).password
      local two = config.describe(good(qq { password = function()
        return CODE
      end })).password
      assert.are.same(one, two)
    end)
  end)

  describe("option table", function()
    it("documents each row in two languages", function()
      for _, entry in ipairs(options.list) do
        assert.is_true(#entry.doc.en > 5, entry.key)
        assert.is_true(#entry.doc.zh > 5, entry.key)
        assert.is_string(entry.since, entry.key)
        assert.is_function(entry.check, entry.key)
        if entry.default ~= nil then
          assert.are.equal(entry.default, (entry.check(entry.default, entry)), entry.key)
        end
      end
    end)

    it("makes the reference", function()
      local english, chinese = config.reference("en"), config.reference("zh")
      for _, entry in ipairs(options.list) do
        has(english, "`" .. entry.key .. "`")
        has(chinese, entry.doc.zh)
      end
      has(english, "`QQMAIL_CONNECT_TIMEOUT` | `10`")
    end)

    it("reads the variables that are promised", function()
      for name in ([[URL PROVIDER HOST PORT TLS USER PASSWORD TOKEN FROM REPLY_TO TIMEOUT
        CONNECT_TIMEOUT RETRY_ATTEMPTS POOL_MAX RATE CA_FILE LANG LOG OUTBOX]]):gmatch("%S+") do
        assert.is_table(options.by_env["QQMAIL_" .. name], name)
      end
    end)
  end)
end)
