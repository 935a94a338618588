-- An authorization code that was pasted into the wrong place, any of them, is in
-- nothing that can be seen: every option, every variable, every place of a URL, lines
-- of .env, fields of a message, with wrong settings, with names that cannot be
-- resolved, and with a server that repeats all it hears.
local base64 = require("qqmail.testing.base64")
local fd = require("qqmail.io.fd")
local net = require("qqmail.net")
local options = require("qqmail.options")
local outputs = require("spec.support.outputs")
local qqmail = require("qqmail")
local reasons = require("qqmail.io.reasons")
local send = require("spec.support.send")
local settings = require("spec.support.settings")
local shell = require("spec.support.shell")

-- No part of it turns up by chance.
local CODE = "qzwxvkrjtbynhmgp"
local GROUPED = "qzwx vkrj tbyn hmgp"
local SHOUTED = CODE:upper()
-- As an input method writes it that is set to full-width letters.
local WIDE = CODE:gsub("%a", function(letter)
  return "\239\189" .. string.char(letter:byte() + 32)
end)

local function percent(text, keep)
  return (text:gsub(keep and "[^" .. keep .. "]" or ".", function(char)
    return ("%%%02X"):format(char:byte())
  end))
end

-- Letters of it in a row are as good as all of it; in lower case, as all is compared.
local MARKS = { "qzwxvkrj", "tbynhmgp", "qzwx vkrj", "tbyn hmgp", percent(CODE):lower(),
  "qzwx%20vkrj", WIDE:sub(1, 24), base64.encode(CODE):lower(),
  base64.encode("\0" .. send.USER .. "\0" .. CODE):lower() }

local function assert_unseen(texts, what)
  for name, text in pairs(texts) do
    local lower = text:lower()
    for _, mark in ipairs(MARKS) do
      local at = lower:find(mark, 1, true)
      if at then
        local around = text:sub(math.max(1, at - 60), at + 60)
        error(("%s: %q is in %s: %s"):format(what, mark, name, around), 2)
      end
    end
  end
end

-- A driver for which no host has an address; nobody is asked.
local function no_names()
  local driver = fd.new({ wait = net.wait, sleep = net.sleep })
  function driver.lookup(_, target)
    if target.socket then
      return { { path = target.socket } }
    end
    reasons.note_resolved(target, nil, "no such host")
    return nil, reasons.resolve_failure(target, "resolve.noname", "no such host")
  end
  return driver
end

-- { key = value } with the groups in it.
local function put(into, key, value)
  local group, name = key:match("^([%w_]+)%.([%w_]+)$")
  if group then
    into[group] = type(into[group]) == "table" and into[group] or {}
    into[group][name] = value
  else
    into[key] = value
  end
  return into
end

-- What somebody may put where a code does not belong.
local PASTED = {
  CODE, GROUPED, SHOUTED, " " .. CODE .. " ", CODE .. "\n", "code:" .. CODE,
  "smtps://10001%40qq.com:" .. CODE .. "@mx.test", "10001:" .. CODE .. "@mx.test",
  '"' .. CODE .. '"', percent(CODE), WIDE, (GROUPED:gsub(" ", "\n")),
}
local PASSWORDS = { CODE, "another one" }

-- What is masked does not depend on the tool that watches the memory.
if os.getenv("QQMAIL_INSTRUMENTED") then
  PASTED, PASSWORDS = { CODE, WIDE }, { CODE }
end

describe("a code that was pasted as", function()
  after_each(send.stop)

  for _, row in ipairs(options.list) do
    it("the option " .. row.key .. " is in no output", function()
      for _, password in ipairs(PASSWORDS) do
        for _, pasted in ipairs(PASTED) do
          local given, notes = outputs.listen({ host = "mx.test", user = send.USER,
            password = password, retry = false, lang = "en" })
          -- Where a folder would be made it must be one that cannot.
          local value = row.key == "outbox.dir" and "/proc/" .. pasted or pasted
          put(given, row.key, value)
          if row.key == "socket" then
            given.host, given.tls, given.allow_plaintext_auth = nil, "none", true
          end
          assert_unseen(outputs.of(given, { driver = no_names(), notes = notes }),
            row.key .. " = " .. pasted)
        end
      end
    end)
  end

  it("a value of every other type is in no output", function()
    for _, value in ipairs({ { CODE }, { address = CODE }, { file = "/proc/" .. CODE },
      { name = CODE, address = "a@test.local" },
      { CODE, "a@test.local" }, { [CODE] = "x" }, { x = { [CODE] = CODE } } }) do
      for _, row in ipairs(options.list) do
        local given, notes = outputs.listen({ host = "mx.test", user = send.USER, password = "p",
          retry = false })
        put(given, row.key, value)
        -- What needs no server is not sent by another driver.
        local driver = row.key ~= "io" and no_names() or nil
        assert_unseen(outputs.of(given, { driver = driver, notes = notes }), row.key)
      end
    end
  end)

  it("the name of an option is in no output", function()
    for _, name in ipairs({ CODE, GROUPED, "password " .. CODE, "pasword" }) do
      for _, where in ipairs({ "", "timeout", "tls_options", "pool", "retry", "outbox", "on" }) do
        local given = { host = "mx.test", user = send.USER, password = CODE }
        if where == "" then
          given[name] = CODE
        else
          given[where] = { [name] = CODE }
        end
        local _, err = qqmail.new(given)
        assert.equal("config.unknown_option", err.code)
        assert_unseen(outputs.of(given), where .. "." .. name)
        assert_unseen(outputs.of({ host = "mx.test", failover = { given } }), "failover")
      end
    end
  end)

  it("an option of send_all is in no output", function()
    local mailer = send.mailer(send.server())
    local summary, err = mailer:send_all({}, { [CODE] = true })
    assert.is_nil(summary)
    assert_unseen(outputs.of_error(err), "send_all")
  end)

  it("an option of a check or of the preflight is in no output", function()
    local server = send.server()
    local mailer = send.mailer(server)
    for _, what in ipairs({ { [CODE] = 1 }, { [GROUPED] = 1 }, { to = CODE }, { lang = CODE },
      { to = { [CODE] = 1 } }, { send = CODE }, { account = CODE }, { on_step = CODE } }) do
      local report, err = mailer:check(what)
      assert_unseen(report and outputs.of_report(report) or outputs.of_error(err), "check")
    end
    local message = assert(qqmail.message(send.message({ from = send.USER })))
    for _, given in ipairs({ CODE, { provider = CODE }, { [CODE] = 1 }, { [GROUPED] = 1 } }) do
      local findings, err = message:lint(given)
      assert.is_nil(findings)
      assert_unseen(outputs.of_error(err), "lint")
    end
  end)

  it("a word of the command line is in no output", function()
    local folder, remove = shell.folder()
    shell.write(folder .. "/code", CODE .. "\n")
    local account = { "--host", "127.0.0.1", "--port", "1", "--user", send.USER,
      "--password-file", folder .. "/code" }
    for _, pasted in ipairs({ CODE, GROUPED, SHOUTED, "code:" .. CODE }) do
      local lines = { { pasted }, { "-" .. pasted }, { "--" .. pasted }, { "help", pasted },
        { "doctor", pasted }, { "doctor", "-" .. pasted }, { "doctor", "--" .. pasted },
        { "doctor", "--" .. pasted .. "=1" }, { "doctor", "--json=" .. pasted },
        { "doctor", "--pasword", pasted }, { "doctor", "--pasword=" .. pasted },
        { "doctor", "--password", pasted } }
      for _, option in ipairs(require("qqmail.cli.doctor").options) do
        if option.value then
          lines[#lines + 1] = { "doctor", "--" .. option.name, pasted }
          lines[#lines + 1] = { "doctor", "--" .. option.name .. "=" .. pasted, "--json" }
        end
      end
      for _, words in ipairs(lines) do
        for _, more in ipairs({ {}, account }) do
          assert_unseen({ out = outputs.of_command(words, words[1] == "doctor" and more or nil) },
            table.concat(words, " "))
        end
      end
    end
    remove()
  end)

  local VARIABLES = { "QQMAIL_PASSWORD_FILE", "QQMAIL_ENV", "QQMAIL_PASWORD", "QQMAIL_" .. CODE,
    "QQMAIL_" .. SHOUTED }
  for name in pairs(options.by_env) do
    VARIABLES[#VARIABLES + 1] = name
  end
  table.sort(VARIABLES)

  local function texts_of(loaded, err)
    if not loaded then
      return outputs.of_error(err)
    end
    local config = require("qqmail.config")
    return { shown = tostring(config.describe(loaded)),
      fields = settings.everything(config.describe(loaded)),
      warnings = settings.everything(loaded.warnings) }
  end

  for _, name in ipairs(VARIABLES) do
    it("the variable " .. name:gsub(CODE, "CODE"):gsub(SHOUTED, "CODE") .. " is in no output",
      function()
      for _, pasted in ipairs(PASTED) do
        local env = { QQMAIL_HOST = "mx.test", QQMAIL_USER = send.USER, QQMAIL_PASSWORD = CODE }
        env[name] = pasted
        assert_unseen(texts_of(settings.load({}, env)), name .. " = " .. pasted)
        local line = ("%s=%s\n"):format(name, pasted:gsub("[\r\n]", ""))
        assert_unseen(texts_of(settings.load({}, {}, { [".env"] = "QQMAIL_HOST=mx.test\n" .. line },
          420)), ".env " .. name)
      end
    end)
  end

  it("a line of .env is in no output", function()
    for _, line in ipairs({ CODE, GROUPED, "QQMAIL_PASSWORD " .. CODE, "QQMAIL_PASSWORD:" .. CODE,
      'QQMAIL_PASSWORD="' .. CODE, "QQMAIL_PASSWORD='" .. CODE .. "' " .. CODE,
      'QQMAIL_PASSWORD="a" ' .. CODE, "export " .. CODE, "=" .. CODE, CODE .. "=1",
      "QQMAIL_" .. CODE .. "='", "QQMAIL_USER=" .. CODE .. "\nQQMAIL_PORT=x",
      "QQMAIL_PASSWORD=`" .. CODE .. "\n" .. CODE, "密码=" .. CODE,
      "# " .. CODE .. "\nQQMAIL_TLS=ssl" }) do
      for _, lang in ipairs({ "en", "zh" }) do
        local loaded, err = settings.load({ lang = lang }, {}, { [".env"] = line .. "\n" }, 420)
        assert_unseen(texts_of(loaded, err), line)
      end
    end
  end)

  it("the content or the path of a password file is in no output", function()
    for _, files in ipairs({ { ["/run/code"] = CODE .. "\0" }, { ["/run/code"] = "" },
      { ["/run/code"] = CODE:rep(2000) }, {}, { ["/run/code"] = GROUPED .. "\n" } }) do
      for _, path in ipairs({ "/run/code", CODE, "/run/" .. CODE }) do
        local loaded, err = settings.load({ user = send.USER, host = "mx.test" },
          { QQMAIL_PASSWORD_FILE = path }, files)
        assert_unseen(texts_of(loaded, err), path)
      end
    end
  end)

  it("any part of a URL is in no output", function()
    local URLS = { "smtps://u:%s@mx.test", "smtps://%s@mx.test", "smtps://%s", "%s://u@mx.test",
      "smtps://u:%s@mx.test:99999", "smtps://u@mx.test:%s", "smtps://u:p@%s:465",
      "smtps://u@mx.test/%s",
      "smtps://u@mx.test?%s", "smtps://u@mx.test?%s=1", "smtps://u@mx.test?auth=%s",
      "smtps://u@mx.test?from=%s", "smtps://u@mx.test?timeout.total=%s",
      "smtps://u@mx.test?lang=%s",
      "smtps://u:p@mx.test#%s", "smtps:u:%s@mx.test", "u:%s@mx.test", "smtps://u:%s@@mx.test",
      "smtps://u:p:%s@mx.test", "smtps://u:%s/@mx.test", "smtps://u:%s?@mx.test", "%s",
      "smtps://u:%%zz%s@mx.test", "smtps://u@%s@mx.test", "https://u:%s@mx.test",
      "smtps://u:%s@mx.test?tls=none", "smtps://u:%s@mx.test?password=%s",
      "smtp://u:%s@mx.test:465" }
    for _, url in ipairs(URLS) do
      for _, pasted in ipairs({ CODE, GROUPED, SHOUTED, percent(CODE), percent(GROUPED, "%w") }) do
        local text = url:gsub("%%s", (pasted:gsub("%%", "%%%%"))):gsub("%%%%zz", "%%zz")
        local given, notes = outputs.listen({ url = text, retry = false })
        assert_unseen(outputs.of(given, { driver = no_names(), notes = notes }), text)
        assert_unseen(outputs.of({ host = "mx.test", failover = { text } }), "failover " .. text)
        assert_unseen(texts_of(settings.load({}, { QQMAIL_URL = text })), "QQMAIL_URL " .. text)
        local files = { [".env"] = "QQMAIL_URL=" .. text }
        assert_unseen(texts_of(settings.load({}, {}, files, 420)), ".env " .. text)
      end
    end
  end)

  it("a field of a message is in no error", function()
    local server = send.server({ replies = { dot = "554 5.7.1 no" } })
    for _, field in ipairs({ "from", "sender", "to", "cc", "bcc", "reply_to", "subject", "text",
      "html", "attachments", "attach", "inline", "embed_images", "calendar", "headers", "date",
      "id", "raw", "in_reply_to", "references", "priority", "list_unsubscribe", "read_receipt",
      "charset", "envelope", "deadline", "cancel", "template", "vars", "dsn", CODE, GROUPED }) do
      for _, value in ipairs({ CODE, GROUPED, { CODE }, { CODE, CODE }, { [CODE] = CODE },
        { path = CODE }, { { path = "/" .. CODE } }, { from = CODE, to = CODE }, { [CODE] = 1, 2 },
        { name = CODE, address = CODE }, CODE .. "@", { { CODE .. ":", "x" } } }) do
        local given, notes = outputs.listen(send.options(server))
        local message = send.message({ to = "a@test.local" })
        message[field] = value
        assert_unseen(outputs.of(given, { message = message, notes = notes }), field)
        local _, err = qqmail.message(message)
        assert_unseen(err and outputs.of_error(err) or {}, field)
      end
    end
  end)
end)

describe("a server that repeats the code", function()
  after_each(send.stop)

  -- What it says wherever it is asked to say it.
  local ECHO = table.concat({ CODE, GROUPED, SHOUTED, base64.encode(CODE),
    base64.encode("\0" .. send.USER .. "\0" .. CODE), percent(CODE) }, " ")
  local REFUSALS = { greeting = "554 5.7.1 ", ehlo = "550 5.7.1 ", auth = "535 5.7.8 ",
    mail = "550 5.7.1 ", rcpt = "550 5.1.1 ", data = "554 5.7.1 ", dot = "554 5.7.1 " }

  for phase, refusal in pairs(REFUSALS) do
    it("in " .. phase .. " gets it into no output", function()
      local function from_vault()
        return CODE
      end
      for _, password in ipairs({ CODE, GROUPED, from_vault }) do
        local server = send.server({ replies = { [phase] = refusal .. ECHO } })
        local given, notes = outputs.listen(send.options(server, { password = password,
          hostname = CODE }))
        local texts = outputs.of(given, { notes = notes })
        assert_unseen(texts, phase)
        -- It was said, and what is told of it is not simply nothing.
        send.has(texts["told hooks"], "******")
      end
    end)
  end

  it("in its last answer gets it into no receipt", function()
    local server = send.server({ users = { [send.USER] = CODE },
      replies = { dot = "250 2.0.0 Ok: queued as 4F2A " .. ECHO } })
    local given, notes = outputs.listen(send.options(server, { password = CODE }))
    local texts = outputs.of(given, { notes = notes })
    send.has(texts["send receipt"], "4F2A")
    assert_unseen(texts, "receipt")
  end)

  it("on several lines gets it into no output", function()
    for phase, reply in pairs({ ehlo = "250-%s\r\n250-AUTH PLAIN LOGIN %s\r\n250 %s",
      greeting = "220-%s ESMTP\r\n220 %s", mail = "550-5.7.1 %s\r\n550 5.7.1 %s" }) do
      local server = send.server({ replies = { [phase] = reply:gsub("%%s", CODE) } })
      local given, notes = outputs.listen(send.options(server, { password = CODE }))
      assert_unseen(outputs.of(given, { notes = notes }), phase)
    end
  end)

  it("gets no masks into what it says of other things", function()
    -- Sixteen letters of its own.
    local server = send.server({ users = { [send.USER] = CODE },
      replies = { dot = "554 5.7.1 responsibilities of administrations" } })
    local err = send.bad(send.mailer(server, { password = CODE }))
    send.has(err.smtp.text, "responsibilities of administrations")
    send.lacks(tostring(err), "******")
  end)
end)

describe("a function that gives the code", function()
  after_each(send.stop)

  it("shows it in no error of its own", function()
    local server = send.server()
    for _, give in ipairs({ function() error("the vault says " .. CODE) end,
      function() error({ CODE }) end, function() return { CODE } end,
      function() return nil, "not a code: " .. CODE end,
      function() return nil, { message = CODE } end }) do
      local given, notes = outputs.listen(send.options(server, { password = give }))
      assert_unseen(outputs.of(given, { notes = notes }), "password")
    end
  end)

  it("may give others as long as it likes", function()
    local cover = require("qqmail.cover").new()
    local source = {}
    for number = 1, 3 do
      cover:learn_latest(source, "token number " .. number)
    end
    assert.equal("token number 2, ******", cover:text("token number 2, token number 3"))
  end)
end)

describe("tables that lead back to themselves", function()
  local function ring()
    local out = {}
    for number = 1, 12 do
      out["X-" .. number] = out
    end
    return out
  end

  it("are looked through once", function()
    local err = select(2, qqmail.new({ host = "mx.test", user = send.USER, password = CODE,
      io = ring() }))
    assert.equal("config.invalid_value", err.code)
    assert.equal("message.unknown_field", select(2, qqmail.message(ring())).code)
  end)

  it("are shown", function()
    local description = assert(qqmail.config({ host = "mx.test", headers = ring() }))
    send.has(tostring(description), "headers")
  end)
end)

describe("what is no code", function()
  local cover = require("qqmail.cover")

  it("is shown as it is", function()
    for _, text in ipairs({ "smtp.qq.com", "abcdefghijklmnop.example.com", "mx.abcdefghijklmnop",
      "abcdefghijklmnop@qq.com", "me@abcdefghijklmnop.test", "abcdefghijklmno", "abcdefghijklmnopq",
      "abcdefghijklmn0p", "mail-abcdefghijklmnop", "Disk usage of host 12 is high now",
      "we have sent this mail", "10001@qq.com", "" }) do
      assert.same({}, cover.codes_in(text), text)
      assert.is_false(cover.is_code(text))
    end
  end)

  it("is told from one in all the ways to paste it", function()
    for _, text in ipairs({ "abcdefghijklmnop", "ABCDEFGHIJKLMNOP", " abcdefghijklmnop\n",
      "abcd efgh ijkl mnop", "abcd  efgh\tijkl mnop" }) do
      assert.is_true(cover.is_code(text), text)
    end
    for _, text in ipairs({ "code: abcdefghijklmnop", "smtps://u:abcdefghijklmnop@mx.test",
      "u%3Aabcdefghijklmnop", "smtps://u:abcd%20efgh%20ijkl%20mnop@h",
      "QQMAIL_abcdefghijklmnop" }) do
      assert.equal(1, #cover.codes_in(text), text)
      assert.is_false(cover.is_code(text))
    end
  end)

  it("is not masked in names and addresses that are used", function()
    local loaded = settings.good({ host = "abcdefghijklmnop.example.com",
      user = "abcdefghijklmnop@qq.com", password = "x" })
    local shown = tostring(require("qqmail.config").describe(loaded))
    send.has(shown, "abcdefghijklmnop.example.com")
    send.has(shown, "abcdefghijklmnop@qq.com")
    assert.is_nil(settings.warning(loaded, "config.looks_like_code"))
  end)

  it("is a password that an option is called", function()
    local loaded = settings.good({ user = "10001@qq.com", password = "password", lang = "en" })
    local warning = settings.warning(loaded, "config.not_a_code")
    assert.equal("password", warning.key)
    send.has(warning.message, "password does not look like")
  end)

  it("is a short password, which is masked in no other word", function()
    local loaded = settings.good({ host = "mail.test", user = "mail@test.local",
      password = "mail" })
    local shown = tostring(require("qqmail.config").describe(loaded))
    send.has(shown, "mail.test")
  end)

  it("is told from a code by a hint and a warning", function()
    local err = settings.bad({ provider = CODE, password = CODE, user = send.USER })
    send.has(err.message, '"******"')
    send.has(err.hint, "it belongs into password")
    local loaded = settings.good({ host = "mx.test", user = CODE, password = "x", lang = "zh" })
    send.has(settings.warning(loaded, "config.looks_like_code").message, "授权码应写在 password 里")
  end)
end)
