local errors = require "qqmail.errors"

local function login_failed(over)
  local spec = {
    kind = "auth", code = "auth.authorization_code_required",
    smtp = { code = 535, text = "Login fail." },
    hint = { en = "Use the 16-letter authorization code.", zh = "请使用 16 位授权码。" }, lang = "en",
  }
  for key, value in pairs(over or {}) do
    spec[key] = value
  end
  return errors.new(spec)
end

describe("errors", function()
  after_each(function()
    errors.set_lang(nil)
  end)

  it("is one helpful line as a string", function()
    assert.are.equal(
      "qqmail: 535 Login fail. (auth, delivered: no). Use the 16-letter authorization code.",
      tostring(login_failed()))
    assert.are.equal(
      "qqmail: 535 Login fail.（auth，已投递：否）。请使用 16 位授权码。",
      tostring(login_failed { lang = "zh" }))
  end)

  it("names the phase when it is not the kind", function()
    local err = errors.new {
      kind = "timeout", code = "timeout.final", phase = "final", delivered = "unknown",
      retry = "never", text = "no verdict", lang = "en",
    }
    assert.are.equal("qqmail: no verdict (timeout in final, delivered: unknown). " .. err.hint,
      tostring(err))
  end)

  it("says nothing of delivery where nothing could be delivered", function()
    local err = errors.new {
      kind = "config", code = "config.no_host", text = "no host", lang = "en",
    }
    assert.are.equal("qqmail: no host. " .. err.hint, tostring(err))
    assert.are.equal("config", err.phase)
  end)

  it("appends the help page", function()
    local err = login_failed { help_url = "https://example.test/1" }
    assert.are.equal("https://example.test/1", tostring(err):sub(-22))
  end)

  it("concatenates with strings and numbers on both sides", function()
    local err = login_failed()
    local line = tostring(err)
    assert.are.equal("mail: " .. line, "mail: " .. err)
    assert.are.equal(line .. "!", err .. "!")
    assert.are.equal(line .. line, err .. err)
    assert.are.equal("1" .. line, 1 .. err)
  end)

  it("keeps control characters of a server out of the line", function()
    local err = login_failed { smtp = { code = 550, text = "a\r\nb\27[31m\127\194\155c" } }
    assert.is_nil(tostring(err):find("%c"))
    assert.is_nil(tostring(err):find("\194\155", 1, true))
  end)

  it("has defaults", function()
    local err = login_failed()
    assert.are.equal("no", err.delivered)
    assert.are.equal("never", err.retry)
    assert.are.equal("auth", err.phase)
    assert.are.equal("535 Login fail.", err.message)
  end)

  it("takes text as one string, as a pair, or as text_en and text_zh", function()
    local base = { kind = "config", code = "config.x" }
    for lang, want in pairs { en = "one", zh = "一" } do
      base.lang, base.text = lang, { en = "one", zh = "一" }
      assert.are.equal(want, errors.new(base).message)
      base.text, base.text_en, base.text_zh = nil, "one", "一"
      assert.are.equal(want, errors.new(base).message)
      base.text_en, base.text_zh = nil, nil
    end
    base.lang, base.text = "zh", { en = "only" }
    assert.are.equal("only", errors.new(base).message)
  end)

  it("keeps the texts out of the fields", function()
    local err = errors.new { kind = "config", code = "config.x", text_en = "a", text_zh = "b" }
    assert.is_nil(err.text_en)
    assert.is_nil(err.text)
  end)

  it("follows the chosen language", function()
    errors.set_lang("zh")
    assert.are.equal("zh", errors.lang())
    assert.are.equal("请使用 16 位授权码。", errors.resolve({ en = "x", zh = "请使用 16 位授权码。" }))
    errors.set_lang("en")
    assert.are.equal("x", errors.resolve({ en = "x", zh = "y" }))
    assert.has_error(function()
      errors.set_lang("fr")
    end)
  end)

  it("takes the language from the environment", function()
    local getenv = os.getenv
    local env = {}
    os.getenv = function(name) -- luacheck: ignore
      return env[name]
    end
    local function lang(values)
      env = values
      errors.set_lang(nil)
      return errors.lang()
    end
    local seen = {
      lang {}, lang { LANG = "zh_CN.UTF-8" }, lang { LANG = "zh_CN.UTF-8", LC_ALL = "C" },
      lang { LC_ALL = "", LC_MESSAGES = "zh_TW" }, lang { QQMAIL_LANG = "en", LANG = "zh_CN" },
      lang { QQMAIL_LANG = "zh", LC_ALL = "C" },
    }
    os.getenv = getenv -- luacheck: ignore
    assert.are.same({ "en", "zh", "en", "zh", "en", "zh" }, seen)
  end)

  it("takes what its maker does not say from the catalogue", function()
    local err = errors.new { kind = "rate", code = "rate.frequency_limited", text = "x",
      phase = "mail", lang = "zh" }
    assert.same({ "later", 3600 }, { err.retry, err.retry_after })
    assert.is_truthy(err.hint:find("[\228-\233]"))
    err = errors.new { kind = "content", code = "content.bad_from_header", text = "x" }
    assert.is_truthy(err.help_url:find("^https://"))
    assert.equal("never", err.retry)
    err = errors.new { kind = "content", code = "content.bad_from_header", text = "x",
      hint = "mine", retry = "now" }
    assert.same({ "mine", "now" }, { err.hint, err.retry })
    assert.is_nil(err.help_url)
  end)

  it("has a hint for a code of somebody else", function()
    local err = errors.new { kind = "auth", code = "auth.of_my_own", text = "x", lang = "en" }
    assert.is_true(#err.hint > 10)
    assert.equal("never", err.retry)
  end)

  it("raises for a field outside its list", function()
    for field, value in pairs {
      kind = "oops", code = "Two words", phase = "late", delivered = "yes", retry = "soon",
      retry_after = -1, attempts = "3",
    } do
      assert.has_error(function()
        login_failed { [field] = value }
      end)
    end
    assert.has_error(function()
      errors.new { kind = "config", code = "config.x" }
    end)
    assert.has_error(function()
      errors.new { kind = "timeout", code = "timeout.x", text = "needs a phase" }
    end)
  end)

  it("knows its own", function()
    assert.is_true(errors.is(login_failed()))
    assert.is_false(errors.is({ kind = "auth" }))
    assert.is_false(errors.is("text"))
    assert.is_false(errors.is(nil))
  end)
end)
