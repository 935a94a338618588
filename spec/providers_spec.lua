local providers = require "qqmail.providers"

local TLS_MODES = { implicit = true, starttls = true, none = true }
local POLICIES = { login = true, alias = true, verified = true, any = true }
local MECHANISMS = { PLAIN = true, LOGIN = true, XOAUTH2 = true, OAUTHBEARER = true }
local IMPLICIT_PORTS = { [465] = true, [994] = true, [2465] = true }

describe("providers", function()
  it("are 46, each whole", function()
    local seen = {}
    assert.are.equal(46, #providers.list)
    for _, preset in ipairs(providers.list) do
      local key = preset.key
      assert.is_nil(seen[key], key)
      seen[key] = true
      assert.is_truthy(preset.host or preset.host_form, key)
      assert.is_true(#preset.ports > 0, key)
      for _, port in ipairs(preset.ports) do
        assert.is_true(TLS_MODES[port[2]], key)
        assert.are.equal(IMPLICIT_PORTS[port[1]] or false, port[2] == "implicit", key)
      end
      assert.is_true(POLICIES[preset.from_policy], key)
      assert.is_true(#preset.auth > 0, key)
      for _, mechanism in ipairs(preset.auth) do
        assert.is_true(MECHANISMS[mechanism], key)
      end
      for _, text in ipairs { preset.name, preset.hint } do
        assert.is_string(text.en, key)
        assert.is_string(text.zh, key)
      end
      assert.is_table(preset.domains, key)
      assert.is_string(preset.secret, key)
      assert.is_string(preset.user, key)
      assert.are.equal(0, preset.quirks.window, key)
    end
  end)

  it("say what else there is to know in both languages", function()
    for _, preset in ipairs(providers.list) do
      if preset.notes then
        assert.is_truthy(preset.notes.en:find("^[^\128-\255]"), preset.key)
        assert.is_truthy(preset.notes.zh:find("[\128-\255]"), preset.key)
      end
      if preset.help_url then
        assert.matches("^https://[%w%.]+/[%w%._/%-]*$", preset.help_url)
      end
    end
  end)

  it("share no quirks table", function()
    assert.are_not.equal(providers.qq.quirks, providers.exmail.quirks)
    assert.are_not.equal(providers["163"].quirks, providers["126"].quirks)
  end)

  it("know QQ Mail", function()
    local qq = providers.qq
    assert.are.equal("smtp.qq.com", qq.host)
    assert.are.same({ { 465, "implicit" }, { 587, "starttls" } }, qq.ports)
    assert.are.equal(73400320, qq.size_limit)
    assert.are.same({ letters = 16 }, qq.code_shape)
    assert.are.equal("login", qq.from_policy)
    assert.are.same({
      window = 0, no_reset = true, no_noop = true, no_eightbit = true, eof_in_auth_is_auth = true,
      lazy_recipients = true,
    }, qq.quirks)
  end)

  it("are found by key", function()
    assert.are.equal("qq", providers.get("qq").key)
    assert.are.equal(providers["163"], providers.get("163"))
    assert.is_nil(providers.get("nobody"))
    assert.is_nil(providers.nobody)
    assert.are.equal(46, #providers.keys())
  end)

  it("are found by host", function()
    for host, key in pairs {
      ["smtp.qq.com"] = "qq", ["SMTP.QQ.COM."] = "qq", ["hwsmtp.exmail.qq.com"] = "exmail",
      ["smtp.zoho.eu"] = "zoho", ["email-smtp.us-east-1.amazonaws.com"] = "ses",
      ["gz-smtp.qcloudmail.com"] = "tencent-ses",
    } do
      assert.are.equal(key, providers.by_host(host).key)
    end
    for _, host in ipairs {
      "127.0.0.1", "qq.com", "smtp.qq.com.evil.example", "email-smtp.amazonaws.com",
    } do
      assert.is_nil(providers.by_host(host))
    end
  end)

  it("are found by address", function()
    for address, key in pairs {
      ["10001@qq.com"] = "qq", ["a@FoxMail.com"] = "qq", ["vip.qq.com"] = "qq",
      ["a@yahoo.com"] = "yahoo", ["a@yahoo.co.jp"] = "yahoo", ["a@hotmail.com"] = "outlook",
      ["a@firm.onmicrosoft.com"] = "office365", ["a@ya.ru"] = "yandex",
    } do
      assert.are.equal(key, providers.by_address(address).key)
    end
    for _, address in ipairs {
      "a@example.com", "a@yahoo.", "a@notyahoo.com", "a@yahoo..com2", "10001", "",
    } do
      assert.is_nil(providers.by_address(address))
    end
  end)
end)

describe("docs/providers.md", function()
  local settings = require "spec.support.settings"

  local function read(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("*a")
    file:close()
    return text
  end

  it("has for each preset an account that works as it stands there", function()
    local seen = 0
    for snippet in read("docs/providers.md"):gmatch("```sh\nexport (.-)\n```") do
      local env = {}
      for name, value in snippet:gmatch("(QQMAIL_%u+)=(%S+)") do
        env[name] = value
      end
      local key = env.QQMAIL_PROVIDER
      local known = providers.get(key)
      -- A code of 16 letters is looked at.
      if env.QQMAIL_PASSWORD and known.code_shape then
        env.QQMAIL_PASSWORD = settings.CODE
      end
      local got = settings.good({}, env)
      assert.are.equal(known, got.provider)
      assert.are.same({}, got.warnings, key)
      assert.is_truthy(got.from, key)
      seen = seen + 1
    end
    assert.are.equal(#providers.list, seen)
  end)
end)
