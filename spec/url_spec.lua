local errors = require "qqmail.errors"
local url = require "qqmail.url"

local KEYS = { "tls", "pool.max", "timeout.connect", "from", "token" }

local function parse(text)
  local out, err = url.parse(text, KEYS)
  assert.is_table(out, tostring(err))
  return out
end

local function code_of(text)
  local out, err = url.parse(text, KEYS)
  assert.is_nil(out)
  assert.is_true(errors.is(err))
  return err.code, err
end

describe("url", function()
  before_each(function()
    errors.set_lang("en")
  end)
  after_each(function()
    errors.set_lang(nil)
  end)

  it("reads every part", function()
    assert.are.same({
      tls = "implicit", port = 2465, host = "smtp.qq.com", user = "10001@qq.com", password = "abcd",
      options = { ["pool.max"] = "2", ["timeout.connect"] = "5" },
    }, parse "smtps://10001%40qq.com:abcd@smtp.qq.com:2465?pool.max=2&timeout.connect=5")
  end)

  it("knows the ports of its schemes", function()
    local out = parse "smtps://smtp.qq.com"
    assert.are.same({ "implicit", 465 }, { out.tls, out.port })
    out = parse "SMTP://smtp.qq.com/"
    assert.are.same({ "starttls", 587 }, { out.tls, out.port })
    out = parse "smtp://localhost?tls=none"
    assert.are.same({ "none" }, { out.tls, out.port })
    assert.are.same({}, out.options)
  end)

  it("leaves user and password out where the URL does", function()
    local out = parse "smtps://u@h"
    assert.are.same({ "u", nil }, { out.user, out.password })
    assert.is_nil(parse("smtps://h").user)
    assert.are.equal("", parse("smtps://u:@h").password)
  end)

  it("decodes percent escapes", function()
    assert.are.equal("p@:/?#% +", parse("smtps://u:p%40%3a%2F%3F%23%25%20+@h").password)
    assert.are.equal("监控", parse("smtps://u@h?from=%E7%9B%91%E6%8E%A7").options.from)
  end)

  it("takes addresses of both families", function()
    assert.are.equal("::1", parse("smtps://u:p@[::1]:465").host)
    assert.are.equal("127.0.0.1", parse("smtp://127.0.0.1").host)
    assert.are.equal("url.host", code_of "smtps://[::1")
    assert.are.equal("url.host", code_of "smtps://[x]")
    assert.are.equal("url.host", code_of "smtps://[::1]x")
  end)

  it("refuses bad escapes, and bytes no field may hold", function()
    for _, escape in ipairs { "%", "%4", "%zz", "%00", "%0a", "%0D" } do
      assert.are.equal("url.percent", code_of("smtps://u:p" .. escape .. "@h"))
      assert.are.equal("url.percent", code_of("smtps://u" .. escape .. "@h"))
      assert.are.equal("url.percent", code_of("smtps://h?from=" .. escape))
      assert.are.equal("url.percent", code_of("smtps://h?fr" .. escape .. "om=x"))
    end
    for _, byte in ipairs { " ", "\r", "\n", "\t", "\0", "\127", "\194\160" } do
      assert.are.equal("url.character", code_of("smtps://u:p" .. byte .. "@h"))
    end
  end)

  it("refuses schemes it does not know", function()
    assert.are.equal("url.no_scheme", code_of "smtp.qq.com:465")
    assert.are.equal("url.no_scheme", code_of "")
    assert.are.equal("url.scheme", code_of "https://smtp.qq.com")
  end)

  it("refuses bad ports", function()
    for _, port in ipairs { "0", "65536", "x", "-1", "123456", "4 65" } do
      assert.is_string(code_of("smtps://h:" .. port))
    end
    assert.are.equal(465, parse("smtps://h:").port)
  end)

  it("refuses contradictions between scheme and tls", function()
    assert.are.equal("url.tls", code_of "smtps://h?tls=none")
    assert.are.equal("url.tls", code_of "smtps://h?tls=starttls")
    assert.are.equal("url.tls", code_of "smtp://h?tls=implicit")
    assert.are.equal("url.tls", code_of "smtp://h?tls=maybe")
    assert.are.equal("starttls", parse("smtp://h?tls=starttls").tls)
  end)

  it("refuses unknown query keys and suggests", function()
    local code, err = code_of "smtps://h?pool.mx=2"
    assert.are.equal("url.unknown_option", code)
    assert.is_truthy(err.message:find('"pool.mx"', 1, true))
    assert.is_truthy(err.message:find('"pool.max"', 1, true))
    assert.are.equal("url.misplaced", code_of "smtps://h?password=x")
    assert.are.equal("url.twice", code_of "smtps://h?from=x&from=y")
    assert.are.equal("url.value", code_of "smtps://h?from")
  end)

  it("refuses a path, a fragment, and a missing host", function()
    assert.are.equal("url.path", code_of "smtps://h/x")
    assert.are.equal("url.reserved", code_of "smtps://h#x")
    assert.are.equal("url.host", code_of "smtps://")
    assert.are.equal("url.host", code_of "smtps://u:p@")
    assert.are.equal("url.user", code_of "smtps://:p@h")
  end)

  it("never quotes a password, however it was written", function()
    for _, secret in ipairs {
      "hunter2@x", "hunter2:x", "hunter2/x", "hunter2?x", "hunter2#x", "hunter2%", "hunter2 x",
      "hunter2?hunter2=1&hunter2=2", "?hunter2", "/hunter2", "?hunter2&x", "@hunter2", "#hunter2",
      "hunter2%00", "[hunter2", "hunter2\n", "hunter2?token", "hunter2/@hunter2",
    } do
      for _, form in ipairs {
        "smtps://u:%s@h", "smtps://u:%s@h:99999", "smtps://u%s@h", "u:%s@h",
      } do
        for _, lang in ipairs { "en", "zh" } do
          errors.set_lang(lang)
          local text = form:gsub("%%s", function()
            return secret
          end)
          local out, err = url.parse(text, KEYS)
          if not out then
            assert.is_nil(tostring(err):find("hunter2", 1, true), text)
            for _, value in pairs(err) do
              assert.is_nil(tostring(value):find("hunter2", 1, true), text)
            end
          end
        end
      end
    end
  end)

  it("takes one pass over hostile input", function()
    for _, piece in ipairs { "@", ":", "/", "?", "&", "=", "%", "[", "a", "a=" } do
      url.parse("smtps://" .. piece:rep(4000), KEYS)
      url.parse("smtps://h?" .. piece:rep(4000), KEYS)
    end
    assert.are.equal("url.too_long", code_of("smtps://" .. ("a"):rep(9000)))
  end)
end)
