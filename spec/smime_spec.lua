-- S/MIME: `openssl cms` verifies and decrypts what we make, and Python reads in it what
-- was given.
local errors = require "qqmail.errors"
local mail_reader = require "spec.support.mail_reader"
local messages = require "spec.support.messages"
local message = require "qqmail.message"
local send = require "spec.support.send"
local shell = require "spec.support.shell"
local smime = require "spec.support.smime"

local build = messages.build

setup(smime.start)
teardown(smime.stop)

-- Texts end with a line end: alone in a message they get one anyway.
local STRUCTURES = {
  ["a Chinese text"] = { text = "你好，世界。\n第二行\n" },
  ["an English text"] = { text = "Hello.\n" },
  ["text that relays like to change"] = {
    text = "From here on\n.\n..\n-- \nblanks behind   \n\ttab\t\n--=_no boundary\n"
      .. ("long "):rep(300) .. "\n",
  },
  ["no text"] = { text = "none" },
  ["text and HTML"] = { text = "你好\n", html = "<p>你好</p>\n" },
  ["an attachment"] = { attachments = { { data = ("\0\255\r\n"):rep(5000), name = "季度报告.pdf" } } },
  ["attachments alone"] = { text = "none", attachments = { { data = "a,b\n", name = "表.csv" },
    { data = "", name = "空.txt" } } },
  ["an inline image"] = { text = "none", html = '<img src="cid:logo">\n',
    inline = { logo = { data = "\137PNG\r\n\26\n", name = "图标.png" } } },
  ["a calendar"] = { text = "会议\n", calendar = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\n"
    .. "SUMMARY:周会\r\nEND:VCALENDAR\r\n" },
  ["all of them"] = { text = "你好\n", html = '<p>好</p><img src="cid:logo">\n',
    inline = { logo = { data = "GIF89a", name = "图.gif" } },
    attachments = { { data = "x", name = "😀 \"quoted\".txt" } },
    calendar = { method = "CANCEL", data = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n" } },
}

local MODES = {
  signed = { sign = "me" },
  ["signed with EC"] = { sign = "me-ec" },
  opaque = { sign = "me", opaque = true },
  encrypted = { encrypt = true },
  ["signed and encrypted"] = { sign = "me", encrypt = true },
  ["opaque and encrypted"] = { sign = "me-ec", encrypt = true, opaque = true },
}

local function field_of(mode)
  return {
    sign = mode.sign and smime.signer(mode.sign), opaque = mode.opaque,
    encrypt = mode.encrypt and smime.readers("li", "wang"),
  }
end

-- What the reader of that name gets to see.
local function opened(mail, mode, reader)
  local why
  if mode.encrypt then
    mail, why = smime.decrypt(mail, reader)
    assert.is_string(mail, why)
  end
  if mode.sign then
    mail, why = smime.verify(mail)
    assert.is_string(mail, why)
  end
  return mail
end

local function parts_of(facts)
  local out = { structure = facts.structure }
  for index, part in ipairs(facts.parts) do
    -- How it is encoded is not what is told.
    out[index] = { part.type, part.charset or "", part.name or "", part.cid or "",
      part.method or "", part.disposition or "", part.text or part.sha256 }
  end
  return out
end

local function with(structure, field)
  local spec = { smime = field }
  for key, value in pairs(structure) do
    spec[key] = value
  end
  return spec
end

describe("S/MIME", function()
  for mode_name, mode in pairs(MODES) do
    it("keeps every structure: " .. mode_name, function()
      local names, texts = {}, {}
      for name, structure in pairs(STRUCTURES) do
        local mail = tostring(build(with(structure, field_of(mode))))
        names[#names + 1] = name
        texts[#texts + 1] = tostring(build(structure))
        texts[#texts + 1] = opened(mail, mode, #names % 2 == 0 and "li" or "wang")
      end
      local read = mail_reader.read(texts)
      for index, name in ipairs(names) do
        local plain, secured = read[2 * index - 1], read[2 * index]
        assert.same(parts_of(plain), parts_of(secured), name)
        for _, header in ipairs(secured.headers) do
          assert.is_truthy(header[1]:find("^Content%-"), header[1])
        end
        assert.is_true(secured.lines.ascii)
      end
    end)
  end

  it("is multipart/signed with a detached signature", function()
    local built = build({ text = "你好\n", smime = { sign = smime.signer("me") } })
    local mail = tostring(built)
    local facts = messages.read(mail)
    assert.equal("signed(text/plain,application/pkcs7-signature)", facts.structure)
    local kind = messages.header(facts, "Content-Type")
    for _, part in ipairs({ 'protocol="application/pkcs7-signature"', "sha-256" }) do
      assert.is_truthy(kind:find(part, 1, true), kind)
    end
    local signature = facts.parts[2]
    assert.same({ "smime.p7s", "attachment", "base64" },
      { signature.name, signature.disposition, signature.encoding })
    assert.equal("你好\r\n", facts.text)
    assert.equal("s", facts.subject)
    assert.is_true(facts.lines.ascii)
    assert.is_false(built.core:is_eightbit())
    assert.equal(#mail, built:size())
    assert.equal(#mail, built:size(true))
    assert.is_nil(smime.print(mail):find("RC2", 1, true))
  end)

  it("is application/pkcs7-mime when it is encrypted", function()
    local built = build({ text = "秘密\n", smime = { encrypt = smime.readers("li", "wang") } })
    local mail = tostring(built)
    local facts = messages.read(mail)
    assert.equal("application/pkcs7-mime", facts.structure)
    local kind = messages.header(facts, "Content-Type")
    assert.is_truthy(kind:find('smime%-type="?enveloped%-data'), kind)
    assert.same({ "smime.p7m", "smime.p7m", "base64" },
      { facts.parts[1].name, facts.parts[1].type_name, facts.parts[1].encoding })
    assert.equal(#mail, built:size())
    local text = smime.print(mail)
    for _, part in ipairs({ "aes-256-cbc", "dhSinglePass-stdDH-sha256kdf-scheme",
      "rsaEncryption" }) do
      assert.is_truthy(text:find(part, 1, true), part)
    end
  end)

  it("hides the content from everybody else", function()
    local mail = tostring(build({ text = "SECRET-WORD\n",
      smime = { encrypt = smime.readers("li") } }))
    assert.is_nil(mail:find("SECRET", 1, true))
    assert.is_nil((smime.decrypt(mail, "wang")))
    assert.is_truthy(smime.decrypt(mail, "li"):find("SECRET-WORD", 1, true))
  end)

  it("fails to verify when a byte has been changed", function()
    local mail = tostring(build({ text = "Pay 100 to Li.\n", html = "<p>x</p>\n",
      smime = { sign = smime.signer("me") } }))
    assert.is_string((smime.verify(mail)))
    local forged, count = mail:gsub("Pay 100", "Pay 900")
    assert.equal(1, count)
    local ok, why = smime.verify(forged)
    assert.is_nil(ok)
    assert.is_truthy(why:find("verification failure", 1, true), why)
  end)

  it("signs once, however often the message is read", function()
    local built = build({ text = "x\n", smime = { sign = smime.signer("me-ec") } })
    local mail = tostring(built)
    assert.equal(mail, tostring(built))
    local first, second = built:handle(), built:handle()
    for _, handle in ipairs({ first, second }) do
      assert.is_true(handle:rewind(true))
      assert.equal(mail, handle:read(#mail + 1))
    end
    local pieces = {}
    for piece in built:chunks(7) do
      pieces[#pieces + 1] = piece
    end
    assert.equal(mail, table.concat(pieces))
  end)

  it("signs a file without holding it", function()
    messages.with_file(("line of a file\n"):rep(100000), function(path)
      local built = build({ attachments = { path }, smime = { sign = smime.signer("me") } })
      local entity = assert(smime.verify(tostring(built)))
      assert.is_truthy(entity:find("filename=\"file.bin\"", 1, true))
    end)
  end)
end)

describe("an attached message", function()
  local function attached(text, field)
    return messages.spec_with({ smime = field, attachments = { { type = "message/rfc822",
      name = "a.eml", data = "From: a@b.cn\r\nSubject: x\r\n\r\n" .. text .. "\r\n" } } })
  end

  it("with bytes above 127 is not signed beside the content, which a relay may encode", function()
    local built, err = message.new(attached("你好", field_of(MODES.signed)), { lang = "en" })
    assert.is_nil(built)
    assert.same({ "message.unsupported", "smime" }, { err.code, err.field })
    assert.is_truthy(tostring(err):find("smime.opaque = true", 1, true), tostring(err))
  end)

  it("with bytes above 127 is kept in all other modes", function()
    for _, name in ipairs({ "opaque", "encrypted", "signed and encrypted" }) do
      local built = assert(message.new(attached("你好", field_of(MODES[name])), { lang = "en" }))
      assert.is_false(built.core:needs_eightbit())
      assert.is_truthy(opened(tostring(built), MODES[name], "li"):find("你好", 1, true), name)
    end
  end)

  it("is signed with the mail around it, not by itself", function()
    local spec = messages.spec_with({ attachments = { { message = messages.spec_with() } } })
    local built = assert(message.new(spec, { smime = field_of(MODES.signed) }))
    assert.equal("signed(mixed(text/plain,rfc822(text/plain)),application/pkcs7-signature)",
      mail_reader.read({ tostring(built) })[1].structure)
    spec.attachments[1].message.smime = field_of(MODES.signed)
    spec.smime = false
    built = assert(message.new(spec, { smime = field_of(MODES.signed) }))
    assert.equal("mixed(text/plain,rfc822(signed(text/plain,application/pkcs7-signature)))",
      mail_reader.read({ tostring(built) })[1].structure)
  end)

  it("in seven bits can be signed", function()
    local built = assert(message.new(attached("Hello", field_of(MODES.signed)), { lang = "en" }))
    assert.is_string((smime.verify(tostring(built))))
  end)
end)

describe("certificates and keys", function()
  local function verified(field)
    local entity, why = smime.verify(tostring(build({ smime = { sign = field } })))
    assert.is_string(entity, why)
  end

  it("are paths, PEM texts or tables", function()
    verified({ cert = smime.read("me.crt"), key = smime.read("me.key") })
    verified({ cert = { path = smime.path("me.crt") }, key = { data = smime.read("me.key") } })
    verified({ cert = { data = smime.read("me.crt") }, key = { path = smime.path("me.der") } })
  end)

  it("may be in one file", function()
    verified(smime.path("me.pem"))
    verified({ cert = smime.path("me.pem") })
    verified({ cert = smime.read("me.pem") })
  end)

  it("may be in DER", function()
    local mail = tostring(build({ text = "word\n", smime = { encrypt = smime.path("li.der") } }))
    assert.is_truthy(smime.decrypt(mail, "li"):find("word", 1, true))
  end)

  it("of a reader may have those of the authority behind them", function()
    local mail = tostring(build({ text = "word\n", smime = { encrypt = { data = smime.read("li.crt")
      .. smime.read("inter.crt") .. smime.read("ca.pem") .. smime.read("li.crt") } } }))
    assert.is_truthy(smime.decrypt(mail, "li"):find("word", 1, true))
  end)

  it("may come from functions", function()
    local calls = 0
    verified({ cert = smime.path("me.crt"), key = function()
      calls = calls + 1
      return smime.path("locked.key")
    end, passphrase = function()
      return "correct-horse"
    end })
    assert.equal(1, calls)
  end)

  it("open with a passphrase", function()
    verified({ cert = smime.path("me.crt"), key = smime.path("locked.key"),
      passphrase = "correct-horse" })
  end)

  it("have a chain", function()
    local field = smime.signer("chained")
    assert.is_nil((smime.verify(tostring(build({ smime = { sign = field } })))))
    field.chain = smime.path("inter.crt")
    verified(field)
    verified({ cert = smime.path("chain.pem"), key = smime.path("chained.key") })
    -- The root and the certificate itself once more: they are taken once.
    field.chain = smime.read("chain.pem") .. smime.read("ca.pem") .. smime.read("chain.pem")
    verified(field)
  end)

  local function sign_with(name, more)
    local field = smime.signer(name)
    for key, value in pairs(more or {}) do
      field[key] = value
    end
    return { sign = field }
  end

  -- The modulus of an RSA key stands in front of its exponent.
  local function with_even_modulus(der)
    local at = assert(der:find("\2\3\1\0\1", 1, true))
    return der:sub(1, at - 2) .. string.char(der:byte(at - 1) - 1) .. der:sub(at)
  end

  local CASES = {
    { "no table", function() return "me.pem" end, "message.bad_value", "smime" },
    { "nothing to do", function() return {} end, "message.bad_value", "smime" },
    { "an unknown field", function() return { signed = true } end, "message.unknown_field",
      "smime.signed" },
    { "an unknown field of sign", function() return sign_with("me", { cert_file = "x" }) end,
      "message.unknown_field", "smime.sign.cert_file" },
    { "opaque of another type", function() return { sign = "x", opaque = 1 } end,
      "message.bad_value", "smime.opaque" },
    { "no certificate", function() return { sign = {} } end, "message.bad_value",
      "smime.sign.cert" },
    { "a missing file", function() return { sign = smime.path("absent.pem") } end,
      "message.unreadable", "smime.sign.cert" },
    { "a folder", function() return { sign = smime.path("") } end,
      "message.unreadable", "smime.sign.cert" },
    { "a path with NUL", function() return { sign = "a\0b" } end, "message.unreadable",
      "smime.sign.cert" },
    { "a missing key", function() return sign_with("me", { key = smime.path("absent") }) end,
      "message.unreadable", "smime.sign.key" },
    { "a missing chain", function() return sign_with("me", { chain = smime.path("absent") }) end,
      "message.unreadable", "smime.sign.chain" },
    { "no certificate in the file", function() return { sign = smime.path("garbage.pem") } end,
      "smime.bad_certificate", "smime.sign.cert" },
    { "a broken certificate", function()
      local pem = smime.read("me.crt"):gsub("MII", "MIJ", 1)
      return sign_with("me", { cert = pem })
    end, "smime.bad_certificate", "smime.sign.cert" },
    { "an empty certificate", function() return sign_with("me", { cert = { data = "" } }) end,
      "smime.bad_certificate", "smime.sign.cert" },
    { "a certificate too large", function()
      return sign_with("me", { cert = { data = ("x"):rep(2 ^ 20 + 1) } })
    end, "smime.bad_certificate", "smime.sign.cert" },
    { "a chain too long", function()
      return sign_with("me", { chain = smime.read("ca.pem"):rep(17) })
    end, "smime.bad_certificate", "smime.sign.chain" },
    { "no key in the file", function() return sign_with("me", { key = smime.path("me.crt") }) end,
      "smime.bad_key", "smime.sign.key" },
    { "no key at all", function() return { sign = smime.path("me.crt") } end,
      "smime.bad_key", "smime.sign.key" },
    { "a key of another kind", function() return sign_with("ed") end,
      "smime.bad_key", "smime.sign.cert" },
    { "a key too short", function() return sign_with("short") end,
      "smime.bad_key", "smime.sign.cert" },
    { "a reader with a key too short", function()
      return { encrypt = smime.readers("li", "short") }
    end, "smime.bad_key", "smime.encrypt[2]" },
    { "the key of another", function() return sign_with("me", { key = smime.path("li.key") }) end,
      "smime.key_mismatch", "smime.sign.key" },
    { "the key of another kind", function()
      return sign_with("me", { key = smime.path("me-ec.key") })
    end, "smime.key_mismatch", "smime.sign.key" },
    { "no passphrase", function() return sign_with("me", { key = smime.path("locked.key") }) end,
      "smime.passphrase", "smime.sign.key" },
    { "a wrong passphrase", function()
      return sign_with("me", { key = smime.path("locked.key"), passphrase = "battery-staple" })
    end, "smime.passphrase", "smime.sign.key" },
    { "a passphrase too long", function()
      return sign_with("me", { key = smime.path("locked.key"), passphrase = ("x"):rep(5000) })
    end, "smime.passphrase", "smime.sign.key" },
    { "a passphrase of another type", function()
      return sign_with("me", { passphrase = 12345 })
    end, "message.bad_value", "smime.sign.passphrase" },
    { "a key function that fails", function()
      return sign_with("me", { key = function() error("TOP-SECRET") end })
    end, "smime.bad_key", "smime.sign.key" },
    { "a key function that gives nothing", function()
      return sign_with("me", { key = function() end })
    end, "smime.bad_key", "smime.sign.key" },
    { "an expired certificate", function() return sign_with("expired") end,
      "smime.expired", "smime.sign.cert" },
    { "a certificate of the future", function() return sign_with("early") end,
      "smime.expired", "smime.sign.cert" },
    { "a certificate of a server", function() return sign_with("server") end,
      "smime.wrong_purpose", "smime.sign.cert" },
    { "a certificate that may not sign", function() return sign_with("sealonly") end,
      "smime.wrong_purpose", "smime.sign.cert" },
    { "nobody to read it", function() return { encrypt = {} } end,
      "smime.no_recipient", "smime.encrypt" },
    { "a list with a gap", function() return { encrypt = { [2] = "x" } } end,
      "message.bad_value", "smime.encrypt" },
    { "a reader of another type", function() return { encrypt = { 1 } } end,
      "message.bad_value", "smime.encrypt" },
    { "an expired reader", function() return { encrypt = smime.readers("li", "expired") } end,
      "smime.expired", "smime.encrypt[2]" },
    { "a reader who cannot decrypt", function() return { encrypt = smime.readers("signonly") } end,
      "smime.wrong_purpose", "smime.encrypt" },
    { "a reader whose key OpenSSL cannot use", function()
      return { encrypt = { data = with_even_modulus(smime.read("li.der")) } }
    end, "smime.failed", "smime.encrypt" },
    { "several readers in one file", function()
      return { encrypt = { smime.path("li.crt"),
        { data = smime.read("wang.crt") .. smime.read("ca.pem") .. smime.read("li.crt") } } }
    end, "message.bad_value", "smime.encrypt[2]" },
    { "too many readers", function()
      local list = {}
      for index = 1, 1001 do
        list[index] = smime.path("li.crt")
      end
      return { encrypt = list }
    end, "message.bad_value", "smime.encrypt" },
    { "both path and data", function()
      return { encrypt = { path = smime.path("li.crt"), data = "x" } }
    end, "message.bad_value", "smime.encrypt" },
  }

  for _, case in ipairs(CASES) do
    it("are refused with a name for it: " .. case[1], function()
      local built, err = message.new(messages.spec_with({ smime = case[2]() }), { lang = "en" })
      assert.is_nil(built)
      assert.is_true(errors.is(err))
      assert.equal(case[3], err.code, tostring(err))
      assert.equal(case[4], err.field)
      assert.equal("message", err.kind)
      for _, secret in ipairs({ "TOP-SECRET", "battery-staple", "12345", "PRIVATE KEY" }) do
        assert.is_nil(tostring(err):find(secret, 1, true))
      end
    end)
  end

  it("tell when they ended", function()
    local _, err = message.new(messages.spec_with({ smime = sign_with("expired") }),
      { lang = "zh" })
    assert.is_truthy(tostring(err):find("有效期至 2020-02-01", 1, true), tostring(err))
  end)

  it("leave nothing of the key in the built message", function()
    local built = build({ smime = sign_with("me", { key = smime.path("locked.key"),
      passphrase = "correct-horse" }) })
    local seen = {}
    local function look(value)
      if type(value) == "string" then
        assert.is_nil(value:find("correct-horse", 1, true))
        assert.is_nil(value:find("PRIVATE KEY", 1, true))
      elseif type(value) == "table" and not seen[value] then
        seen[value] = true
        for key, inner in pairs(value) do
          look(key)
          look(inner)
        end
      end
    end
    look(built)
  end)
end)

describe("a file that changes", function()
  it("behind the signature ends the mail, whatever the file says of itself", function()
    local path = os.tmpname()
    finally(function()
      os.remove(path)
      send.stop()
    end)
    local function write(text)
      shell.write(path, text)
      assert.equal(0, select(2, shell.run("touch -d @1000 " .. path)))
    end
    write("what was signed\n")
    local built = build({ attachments = { path }, smime = { sign = smime.signer("me") } })
    assert(smime.verify(tostring(built)))
    write("what was not...\n")
    local server = send.server()
    send.bad(send.mailer(server), { code = "message.source_changed", phase = "body",
      delivered = "no" }, built)
    assert.same({}, server:messages())
  end)
end)

describe("what can be read only once", function()
  local function once(...)
    local pieces = { ... }
    return { { name = "a.txt", read = function() return table.remove(pieces, 1) end } }
  end

  it("cannot be signed beside, and the field is named", function()
    local _, err = message.new(messages.spec_with({ attachments = once("x"),
      smime = { sign = smime.signer("me") } }), { lang = "en" })
    assert.same({ "message.not_repeatable", "attachments[1]" }, { err.code, err.field })
  end)

  it("can be encrypted, also with an opaque signature, and then be sent twice", function()
    for _, mode in ipairs({ { encrypt = true }, { encrypt = true, sign = "me", opaque = true } }) do
      local built = build({ attachments = once("one", "two"), smime = field_of(mode) })
      assert.equal(tostring(built), tostring(built))
      local facts = mail_reader.read({ opened(tostring(built), mode, "wang") })[1]
      assert.equal("a.txt", facts.parts[2].name)
      assert.equal(6, facts.parts[2].size)
    end
  end)

  it("is not sealed a second time for another account", function()
    local first = send.server({ drop_at = "connect" })
    local second = send.server({ users = { ["u@test.local"] = send.CODE } })
    finally(send.stop)
    local spare = send.options(second, { user = "u@test.local" })
    spare.retry, spare.timeout, spare.lang = nil, nil, nil
    local mailer = send.mailer(first, { failover = { spare } })
    local function spec(more)
      return send.message(send.merge({ attachments = once("one", "two"),
        smime = { encrypt = smime.readers("li") } }, more))
    end
    send.bad(mailer, { phase = "greeting", delivered = "no" }, spec())
    assert.same({}, second:messages())
    send.good(mailer, spec({ from = "me@test.local" }))
    local mail = assert(smime.decrypt(second:messages()[1].data, "li"))
    assert.equal(6, mail_reader.read({ mail })[1].parts[2].size)
  end)

  it("is an error when it fails", function()
    local function fail()
      return nil, "the disk is on fire"
    end
    local _, err = message.new(messages.spec_with({ attachments = { { name = "a", read = fail } },
      smime = { encrypt = smime.readers("li") } }), { lang = "en" })
    assert.same({ "message.source_failed", "attachments[1]" }, { err.code, err.field })
  end)

  it("is an error when it is too much to be held", function()
    local piece, count = ("x"):rep(2 ^ 20), 0
    local function endless()
      count = count + 1
      return piece
    end
    local spec = { attachments = { { name = "a", read = endless } },
      smime = { encrypt = smime.readers("li") } }
    local _, err = message.new(messages.spec_with(spec), { lang = "en" })
    assert.same({ "message.too_large", "smime" }, { err.code, err.field })
    assert.is_true(count > 40 and count < 60, count)
  end)

  it("raw messages are not signed", function()
    local _, err = message.new({ raw = "From: a@b.c\r\n\r\n", smime = { sign = "x" } },
      { lang = "en" })
    assert.same({ "message.raw_conflict", "smime" }, { err.code, err.field })
  end)
end)

describe("docs/smime.md", function()
  it("makes certificates that work", function()
    for _, page in ipairs({ "docs/smime.md", "docs/smime.zh-CN.md" }) do
      local file = assert(io.open(page, "rb"))
      local script = file:read("*a"):match("```sh\n(openssl req.-)```")
      file:close()
      local folder, remove = shell.folder()
      local output, status = shell.run("cd " .. folder .. "\n" .. script)
      assert.equal(0, status, output)
      local sign = { cert = folder .. "/ann.crt", key = folder .. "/ann.key" }
      local built = build({ from = "ann@example.com", smime = { sign = sign,
        encrypt = sign.cert } })
      built:save(folder .. "/mail.eml")
      assert.same({ "ann@example.com" }, built.smime.signer)
      local opening = "cd %s && openssl cms -decrypt -in mail.eml -recip ann.crt -inkey ann.key"
        .. " -out inner && openssl cms -verify -in inner -CAfile ca.crt"
      output, status = shell.run(opening:format(folder))
      assert.equal(0, status, output)
      remove()
    end
  end)
end)

describe("the preflight", function()
  local function codes(more)
    local out = {}
    for _, finding in ipairs(build(more):lint()) do
      if finding.code:find("^lint%.smime") then
        out[#out + 1] = finding.code .. " " .. finding.field
      end
    end
    return out
  end

  it("sees that the signer is somebody else", function()
    local sign = { sign = smime.signer("me") }
    assert.same({}, codes({ smime = sign, from = "Me <Sender@Example.com>" }))
    assert.same({ "lint.smime_signer smime.sign.cert" }, codes({ smime = sign, from = "x@y.cn" }))
    assert.same({}, codes({ smime = sign, from = "x@y.cn", sender = "sender@example.com" }))
    assert.same({}, codes({ smime = { sign = smime.signer("nameless") }, from = "x@y.cn" }))
  end)

  it("sees who cannot read it", function()
    local field = { encrypt = smime.readers("li", "wang") }
    assert.same({}, codes({ smime = field, to = { "RCPT@example.com", "wang@example.com" } }))
    assert.same({ "lint.smime_reader smime.encrypt", "lint.smime_reader smime.encrypt" },
      codes({ smime = field, to = "rcpt@example.com", cc = "a@b.cn", bcc = "c@d.cn" }))
    field = { encrypt = smime.readers("li", "nameless") }
    assert.same({}, codes({ smime = field, to = "a@b.cn" }))
  end)

  it("sees hidden recipients that the envelope tells of", function()
    assert.same({ "lint.smime_hidden smime.encrypt" }, codes({ to = "rcpt@example.com",
      bcc = "wang@example.com", smime = { encrypt = smime.readers("li", "wang") } }))
  end)
end)
