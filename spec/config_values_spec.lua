local config = require "qqmail.config"
local errors = require "qqmail.errors"
local world = require "spec.support.settings"

local good, bad, qq, warning, has, everything =
  world.good, world.bad, world.qq, world.warning, world.has, world.everything

describe("config values", function()
  before_each(function()
    errors.set_lang("en")
  end)
  after_each(function()
    errors.set_lang(nil)
  end)

  describe("other options", function()
    it("hostname is a domain or an address literal", function()
      for _, name in ipairs { "mail.example.com", "[127.0.0.1]", "[IPv6:::1]", "localhost" } do
        assert.are.equal(name, good(qq { hostname = name }).hostname)
      end
      for _, name in ipairs {
        "", "a b", "a_b", "a\r\nRCPT", "中文", "127.0.0.1", "[x]", "a.", "-a", "[::1]",
        ("a."):rep(127) .. "com",
      } do
        assert.are.equal("config.bad_hostname", bad(qq { hostname = name }).code)
      end
    end)

    it("timeout is a number or a table of seconds", function()
      assert.are.equal(60, good(qq { timeout = 60 }).timeout.total)
      local settings = good(qq { timeout = { connect = 1, final = 600 } })
      assert.are.same({ connect = 1, reply = 30, final = 600, total = 180 }, settings.timeout)
      for _, value in ipairs { 0, -1, math.huge, 0 / 0, "x", true } do
        assert.are.equal("config.invalid_value", bad(qq { timeout = { reply = value } }).code)
        assert.are.equal("config.invalid_value", bad(qq { timeout = value }).code)
      end
      assert.is_table(warning(good(qq { timeout = 30000 }), "config.long_timeout"))
    end)

    it("tls_options are checked", function()
      local settings = good(qq { tls_options = {
        ca_file = "/ca", ca_path = "/cas", server_name = "x.example", min_version = "1.3",
        cert = "/c", key = "/k",
      } })
      assert.are.same({
        ca_file = "/ca", ca_path = "/cas", server_name = "x.example", min_version = "1.3",
        cert = "/c", key = "/k", verify = true,
      }, settings.tls_options)
      assert.is_table(warning(good(qq { tls_options = { verify = false } }), "config.verify_off"))
      assert.are.equal("config.invalid_value", bad(qq { tls_options = { verify = "no" } }).code)
      assert.are.equal("config.invalid_value",
        bad(qq { tls_options = { min_version = "1.1" } }).code)
      assert.are.equal("config.contradiction", bad(qq { tls_options = { key = "/k" } }).code)
      assert.are.equal("config.invalid_value", bad(qq { tls_options = "x" }).code)
      assert.is_false(good("smtps://h.example?tls_options.verify=false").tls_options.verify)
    end)

    it("pool, pipelining and smtputf8 are checked", function()
      assert.are.same({ max = 4, idle = 5, messages = 100 },
        good(qq { pool = { max = 4, idle = 5, messages = 100 } }).pool)
      assert.are.equal("config.invalid_value", bad(qq { pool = { max = 0 } }).code)
      local settings = good(qq { pipelining = false, smtputf8 = true })
      assert.are.same({ false, true }, { settings.pipelining, settings.smtputf8 })
      assert.are.equal("config.invalid_value", bad(qq { pipelining = "yes" }).code)
      assert.is_false(good("smtps://h.example?pipelining=off").pipelining)
    end)

    it("io, on, log and headers are checked", function()
      local driver = { wait = function() end, sleep = function() end }
      assert.are.equal(driver, good(qq { io = driver }).io)
      assert.are.equal("memory", good(qq { io = "memory" }).io)
      has(bad(qq { io = "blokcing" }), '"blocking"')
      assert.are.equal("config.invalid_value", bad(qq { io = {} }).code)
      assert.are.equal(print, good(qq { on = { sent = print } }).on.sent)
      assert.are.equal("config.invalid_value", bad(qq { on = { sent = 5 } }).code)
      assert.are.equal(print, good(qq { log = print }).log)
      assert.is_false(good(qq { log = "off" }).log)
      assert.are.equal("config.invalid_value", bad(qq { log = "file" }).code)
      assert.are.equal("config.invalid_value", bad(qq { headers = "X: y" }).code)
    end)

    it("lang is the language of errors", function()
      has(bad(qq { lang = "zh", port = 0 }), "必须是")
      has(bad(qq { lang = "zh", hots = 1 }), "未知选项")
      has(bad(qq { lang = "zh", url = "x" }), "连接 URL")
      has(bad(qq { port = 0 }, { QQMAIL_LANG = "zh" }), "必须是")
      assert.are.equal("zh", good(qq { lang = "zh" }).lang)
      assert.are.equal("en", good(qq()).lang)
      assert.are.equal("config.invalid_value", bad(qq { lang = "fr" }).code)
    end)
  end)

  describe("secrets", function()
    local SECRET = "hunter2hunter2"

    it("are nowhere in settings, descriptions and warnings", function()
      for _, given in ipairs {
        qq { password = SECRET }, { user = "a@qq.com", token = SECRET },
        { url = "smtps://a%40qq.com:" .. SECRET .. "@smtp.qq.com" },
        { url = "smtps://a%40qq.com@smtp.qq.com?token=" .. SECRET },
      } do
        local settings = good(given)
        assert.are.equal(SECRET, settings.secret())
        assert.is_nil(everything(settings):find(SECRET, 1, true))
        assert.is_nil(everything(config.describe(settings)):find(SECRET, 1, true))
      end
      local settings = good({}, { QQMAIL_USER = "a@qq.com", QQMAIL_PASSWORD = SECRET })
      assert.is_nil(everything(settings):find(SECRET, 1, true))
      settings = good({}, nil, { [".env"] = "QQMAIL_USER=a@qq.com\nQQMAIL_PASSWORD=" .. SECRET })
      assert.is_nil(everything(settings):find(SECRET, 1, true))
    end)

    it("are in no error", function()
      for _, given in ipairs {
        qq { password = SECRET .. "\0" }, qq { password = { SECRET } },
        qq { password = SECRET, port = 0 }, qq { password = SECRET, hots = 1 },
        qq { url = "smtps://u:" .. SECRET .. "/x@h" }, { host = "h.example", password = SECRET },
        { url = { SECRET } }, qq { token = SECRET .. "\n\n\1" },
      } do
        assert.is_nil(everything(bad(given)):find(SECRET, 1, true))
      end
      assert.is_nil(everything(bad({}, nil, { [".env"] = "QQMAIL_PASSWORD='" .. SECRET }))
        :find(SECRET, 1, true))
    end)
  end)
end)
