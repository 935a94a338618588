-- The option `dkim`: what it takes, what it refuses, and that a key is never seen.
local errors = require("qqmail.errors")
local json = require("spec.support.json")
local judge = require("spec.support.dkim_judge")
local outputs = require("spec.support.outputs")
local qqmail = require("qqmail")
local samples = require("spec.support.dkim_samples")
local send = require("spec.support.send")
local settings_of = require("spec.support.settings")
local shell = require("spec.support.shell")

local CORPUS = "../shared/corpora/injection/cases.jsonl"

local function options(dkim, more)
  return send.merge({ host = "127.0.0.1", tls = "none", io = "memory", lang = "en",
    from = "joe@football.example.com", dkim = dkim }, more)
end

local function good(dkim, more)
  local mailer, err = qqmail.new(options(dkim, more))
  assert.is_table(mailer, tostring(err))
  return mailer
end

local function refused(dkim, field, code, text)
  local mailer, err = qqmail.new(options(dkim))
  assert.is_nil(mailer)
  assert.is_true(errors.is(err))
  assert.equal(field, err.field, tostring(err))
  assert.equal(code or "config.invalid_value", err.code, tostring(err))
  assert.equal("config", err.kind)
  if text then
    send.has(err.message, text)
  end
  return err
end

local function signed_by(mailer)
  assert(mailer:send({ to = "a@test.local", text = "x\n" }))
  return mailer.outbox[#mailer.outbox].data
end

-- Tags of the field, unfolded.
local function tags_of(data)
  local field = data:match("^DKIM%-Signature:(.-)\r\n[^ \t]"):gsub("%s", "")
  local out = {}
  for name, value in field:gmatch("(%a+)=([^;]*)") do
    assert.is_nil(out[name], name)
    out[name] = value
  end
  return out
end

local function write(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

local function openssl(command)
  local text, status = shell.run("openssl " .. command .. " 2>/dev/null")
  assert.equal(0, status)
  return text
end

describe("the option dkim", function()
  it("makes a field with what was asked for", function()
    local tags = tags_of(signed_by(good(samples.rsa({ selector = "a.b",
      identity = "joe=x@football.example.com", canonicalization = "relaxed/simple",
      expires = 60 }))))
    assert.same({ "1", "rsa-sha256", "relaxed/simple", "football.example.com", "a.b",
      "joe=3Dx@football.example.com" }, { tags.v, tags.a, tags.c, tags.d, tags.s, tags.i })
    assert.equal(60, tonumber(tags.x) - tonumber(tags.t))
    assert.is_true(math.abs(tonumber(tags.t) - os.time()) < 100)
  end)

  it("has relaxed/relaxed, oversigning and no more as its default", function()
    local tags = tags_of(signed_by(good(samples.ed25519())))
    assert.same({ "ed25519-sha256", "relaxed/relaxed" }, { tags.a, tags.c })
    assert.is_nil(tags.i or tags.x or tags.l or tags.q)
    assert.equal("From:From:Reply-To:To:To:Cc:Subject:Date:Date:Message-ID:Message-ID:"
      .. "MIME-Version:MIME-Version:Content-Type:Content-Type:"
      .. "Content-Transfer-Encoding:Content-Transfer-Encoding", tags.h)
  end)

  it("names no field that is not there without oversigning", function()
    local mailer = good(samples.ed25519({ oversign = false, headers = { "X-No" } }))
    assert.equal("From:To:Date:Message-ID:MIME-Version:Content-Type:Content-Transfer-Encoding",
      tags_of(signed_by(mailer)).h)
  end)

  it("signs further fields, each once in the list", function()
    local names = { "X-A", "x-a", "X-No", "List-Post", "subject" }
    local mailer = good(samples.ed25519({ headers = names }),
      { headers = { { "X-A", "1" }, { "X-A", "2" } } })
    local tags = tags_of(signed_by(mailer))
    send.has(":" .. tags.h .. ":", ":X-A:X-A:X-A:X-No:List-Post:")
    assert.is_nil(tags.h:find("subject", 1, true))
  end)

  it("keeps its lines short", function()
    local mailer = good({ samples.rsa({ identity = "somebody@sub.football.example.com", expires = 9,
      headers = { "X-" .. ("long"):rep(15) } }), samples.ed25519() })
    local head = signed_by(mailer):match("^(.-)\r\nFrom:")
    assert.equal(2, select(2, head:gsub("DKIM%-Signature:", "")))
    for line in (head .. "\r\n"):gmatch("(.-)\r\n") do
      assert.is_true(#line <= 78, line)
      assert.is_truthy(line:find("%S"), line)
    end
  end)

  it("never signs what changes on the way", function()
    for _, name in ipairs({ "Received", "return-path", "DKIM-Signature", "Bcc", "Resent-Bcc",
      "ARC-Seal", "Authentication-Results", "X-Qqmail-Outbox-To" }) do
      refused(samples.rsa({ headers = { "Subject", name } }), "dkim.headers", nil, name)
    end
    local many = {}
    for i = 1, 101 do
      many[i] = "X-" .. i
    end
    refused(samples.rsa({ headers = many }), "dkim.headers", nil, "100")
    local mailer = good(samples.rsa())
    assert(mailer:send({ raw = "Return-Path: <x@y.z>\r\nReceived: by a; x\r\n"
      .. "DKIM-Signature: v=1; a=rsa-sha256; d=old.example; s=x; h=from; bh=; b=\r\n"
      .. "From: joe@football.example.com\r\nTo: a@test.local\r\nBcc: b@test.local\r\n\r\nx\r\n" }))
    local names = (":" .. tags_of(mailer.outbox[1].data).h .. ":"):lower()
    for _, name in ipairs({ "return-path", "received", "dkim-signature", "bcc" }) do
      assert.is_nil(names:find(":" .. name .. ":", 1, true), name)
    end
    send.lacks(mailer.outbox[1].data, "Bcc:")
  end)

  it("is off as false", function()
    send.lacks(signed_by(good(false)), "DKIM")
    assert.is_nil(assert(qqmail.config(options(false))).dkim)
  end)

  it("writes a domain of another script as DNS has it", function()
    local tags = tags_of(signed_by(good(samples.rsa({ domain = "邮件.例子.测试.",
      identity = "@子.邮件.例子.测试" }))))
    assert.equal("xn--5nq051n.xn--fsqu00a.xn--0zwm56d", tags.d)
    assert.equal("@xn--i8s.xn--5nq051n.xn--fsqu00a.xn--0zwm56d", tags.i)
    tags = tags_of(signed_by(good(samples.rsa({ domain = "Football.Example.COM" }))))
    assert.equal("football.example.com", tags.d)
  end)

  it("is one for all accounts", function()
    local mailer, err = qqmail.new(options(samples.rsa(), { failover = { { host = "127.0.0.1",
      tls = "none", dkim = samples.rsa() } } }))
    assert.is_nil(mailer)
    assert.same({ "config.contradiction", "failover[1].dkim" }, { err.code, err.field })
  end)

  it("warns of a domain that is not that of from", function()
    local function warnings(from, dkim)
      local codes = {}
      for _, warning in ipairs(assert(qqmail.config(options(dkim, { from = from }))).warnings) do
        codes[#codes + 1] = warning.code
      end
      return codes
    end
    assert.same({ "config.dkim_alignment" }, warnings("a@qq.com", samples.rsa()))
    assert.same({ "config.dkim_alignment" },
      warnings({ "N", "a@notfootball.example.com" }, samples.rsa()))
    assert.same({}, warnings("A <a@example.com>", samples.rsa()))
    assert.same({}, warnings("a@x.football.example.com", samples.rsa()))
    assert.same({}, warnings("a@test.example",
      { samples.rsa(), samples.ed25519({ domain = "test.example" }) }))
  end)
end)

describe("the option dkim refuses", function()
  it("what is no table, or no list of tables", function()
    for _, value in ipairs({ true, "example.com", 1, { "x" }, { samples.rsa(), "x" } }) do
      refused(value, "dkim")
    end
    local many = {}
    for i = 1, 9 do
      many[i] = samples.rsa({ selector = "s" .. i })
    end
    refused(many, "dkim")
  end)

  it("what is missing", function()
    refused({}, "dkim.domain")
    refused({ domain = "a.example" }, "dkim.selector")
    refused({ domain = "a.example", selector = "x" }, "dkim.key")
    refused({ samples.rsa(), { domain = "a.example" } }, "dkim[2].selector")
    refused(samples.rsa({ key_file = "x" }), "dkim.key_file", "config.contradiction")
  end)

  it("names that are none of its fields, and says which was meant", function()
    refused(samples.rsa({ privateKey = "x" }), "dkim.privateKey", "config.unknown_option", '"key"')
    refused(samples.rsa({ selektor = "x" }), "dkim.selektor", "config.unknown_option", '"selector"')
    refused({ samples.rsa(), samples.rsa({ d = "x" }) }, "dkim[2].d", "config.unknown_option",
      '"domain"')
  end)

  it("two keys under one selector", function()
    refused({ samples.rsa(), samples.ed25519({ selector = "TEST" }) }, "dkim[2].selector")
  end)

  it("values that are none", function()
    local bad = {
      domain = { "", "localhost", "a b.example", "a..example", "-a.example", "a-.example",
        "*.example", ("a"):rep(64) .. ".example", ("a."):rep(130) .. "example", 1,
        "example.com/x", "a@b.example", "[127.0.0.1]", "\255.example" },
      selector = { "", ".", "a..b", "a b", "-a", "a-", "a=b", "选", ("a."):rep(110) .. "b", 1,
        true },
      canonicalization = { "", "relaxed", "Relaxed/Relaxed", "simple/simple/simple", "nofws", 1 },
      algorithm = { "", "rsa", "rsa-sha1", "ed25519", 1 },
      headers = { "From", { "" }, { "a b" }, { "a:b" }, { "a;b" }, { 1 }, { x = "From" },
        { "主题" } },
      oversign = { "yes", 1 },
      identity = { "", "joe", "@", "joe@", "@example.com", "joe@notfootball.example.com",
        "joe@evil.example@football.example.com",
        "a b@football.example.com", "\255@football.example.com", 1 },
      expires = { 0, -1, 0.5, "60", 1 / 0, 1e15, 0 / 0, true },
      key_file = { "", 1, "a\nb" },
      passphrase = { "", 1 },
      key = { "", 1, {} },
    }
    for name, values in pairs(bad) do
      for _, value in ipairs(values) do
        local given = samples.rsa({ [name] = value })
        given.key = name ~= "key_file" and given.key or nil
        refused(given, "dkim." .. name)
      end
    end
  end)

  -- Whatever comes in must not get out as a tag or a line of its own.
  it("what would add a tag or a field, in each of its texts", function()
    local starts = { domain = "football.example.com", selector = "test",
      identity = "joe@football.example.com", canonicalization = "simple/simple",
      algorithm = "rsa-sha256", key_file = "/nonexistent" }
    local values = { "; d=evil.example", "\r\nX-Injected: y", "\nX-Injected: y", "\rX", "\0",
      " ", "\t", "\r\n s=evil", ":", "\127", "\226\128\168" }
    for _, row in ipairs(json.read_lines(CORPUS)) do
      if row.field == "dkim_selector" then
        refused(samples.rsa({ selector = row.value }), "dkim.selector")
      end
    end
    for name, start in pairs(starts) do
      for _, value in ipairs(values) do
        local given = samples.rsa({ [name] = start .. value })
        given.key = name ~= "key_file" and given.key or nil
        local mailer, err = qqmail.new(options(given))
        assert.is_nil(mailer, ("%s %q"):format(name, value))
        assert.equal("dkim." .. name, err.field)
        assert.is_nil(tostring(err):find("[%c]"))
      end
    end
    for _, value in ipairs(values) do
      refused(samples.rsa({ headers = { "X-A" .. value } }), "dkim.headers")
    end
    -- Before the @ anything visible is allowed, and written so that it is no tag.
    local identity = "a;d=evil=x@football.example.com"
    local tags = tags_of(signed_by(good(samples.rsa({ identity = identity }))))
    assert.equal("a=3Bd=3Devil=3Dx@football.example.com", tags.i)
    assert.equal("football.example.com", tags.d)
  end)
end)

describe("a key for dkim", function()
  it("comes from a file, a text or a function that is asked once", function()
    local path, asked = write(samples.keys.rsa), 0
    finally(function() os.remove(path) end)
    local mailer = good({ samples.rsa({ key = function()
      asked = asked + 1
      return samples.keys.rsa
    end }), { domain = "football.example.com", selector = "file", key_file = path } })
    assert.equal(0, asked)
    os.remove(path) -- it was read
    local data
    for _ = 1, 3 do
      data = signed_by(mailer)
    end
    assert.equal(1, asked)
    if not judge.missing() then
      assert.is_true(judge.verify({ data }, samples.records)[1][1].passed)
    end
  end)

  it("may be encrypted", function()
    local path = write("")
    finally(function() os.remove(path) end)
    openssl("genpkey -algorithm ed25519 -aes-256-cbc -pass pass:'open sesame' -out " .. path)
    local key = { domain = "football.example.com", selector = "x", key_file = path }
    refused(key, "dkim.key_file", "config.dkim_key", "passphrase")
    send.lacks(refused(send.merge({ passphrase = "close sesame" }, key), "dkim.key_file",
      "config.dkim_key", "passphrase"), "sesame")
    signed_by(good(send.merge({ passphrase = "open sesame" }, key)))
    signed_by(good(send.merge({ passphrase = function() return "open sesame" end }, key)))
  end)

  it("may be asked for by two mails at once, by functions that wait", function()
    local path = write("")
    finally(function() os.remove(path) end)
    openssl("genpkey -algorithm ed25519 -aes-256-cbc -pass pass:'open sesame' -out " .. path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("*a")
    file:close()
    local mailer = good({ domain = "football.example.com", selector = "x",
      key = function()
        coroutine.yield()
        return text
      end, passphrase = "open sesame" })
    local read_key, got = mailer.settings.dkim[1].read_key, {}
    local mails = {}
    for i = 1, 2 do
      mails[i] = coroutine.create(function()
        got[i] = assert(read_key())
      end)
      assert(coroutine.resume(mails[i]))
    end
    for i = 1, 2 do
      assert(coroutine.resume(mails[i]))
    end
    assert.is_truthy(got[1])
    assert.equal(got[1], got[2])
    signed_by(mailer)
  end)

  it("must be one that receivers take", function()
    local path = write("")
    finally(function() os.remove(path) end)
    local function try(command, text)
      openssl(command .. " -out " .. path)
      refused({ domain = "a.example", selector = "x", key_file = path }, "dkim.key_file",
        "config.dkim_key", text)
    end
    try("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:768", "1024")
    try("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256", "Ed25519")
    refused(samples.rsa({ key = "no key" }), "dkim.key", "config.dkim_key", "PEM")
    refused(samples.rsa({ key = "/etc/dkim.pem" }), "dkim.key", "config.dkim_key", "key_file")
    refused(samples.rsa({ key = "keys/dkim.pem" }), "dkim.key", "config.dkim_key", "key_file")
    for _, lost in ipairs({ "", " " }) do
      refused(samples.rsa({ key = samples.keys.rsa:gsub("\n", lost) }), "dkim.key",
        "config.dkim_key", "PEM")
    end
    refused(samples.rsa({ algorithm = "ed25519-sha256" }), "dkim.key", "config.dkim_key",
      "rsa-sha256")
    refused({ domain = "a.example", selector = "x", key_file = "/nonexistent/key" },
      "dkim.key_file", "config.dkim_key")
    signed_by(good(samples.rsa({ algorithm = "rsa-sha256" })))
  end)

  it("is made and published as docs/dkim.md says", function()
    local folder, remove = shell.folder()
    finally(remove)
    local file = assert(io.open("docs/dkim.md", "rb"))
    local page, outputs_of = file:read("*a"), {}
    file:close()
    for block in page:gmatch("```sh\n(.-)```") do
      for line in block:gmatch("[^\n]+") do
        local text, status = shell.run(("cd %s && { %s; } 2>/dev/null"):format(folder, line))
        assert.equal(0, status, line)
        outputs_of[#outputs_of + 1] = text:find("^[%w+/]+=*$") and text or nil
      end
    end
    assert.equal(2, #outputs_of)
    local records = {
      ["s2026._domainkey.example.com"] = "v=DKIM1; k=rsa; p=" .. outputs_of[1],
      ["e2026._domainkey.example.com"] = "v=DKIM1; k=ed25519; p=" .. outputs_of[2],
    }
    local literal = page:match("local dkim = (%b{})"):gsub("/etc/mail", folder)
    local dkim = assert((loadstring or load)("return " .. literal))()
    local data = signed_by(good(dkim, { from = "news@example.com" }))
    if not judge.missing() then
      local verdicts = judge.verify({ data }, records)[1]
      assert.same({ 2, true, true }, { #verdicts, verdicts[1].passed, verdicts[2].passed })
    end
  end)

  it("that a function does not give is an error of the send, not of the start", function()
    local function failing(read, code, text)
      local mailer = good(samples.rsa({ key = read }))
      local err = send.bad(mailer, { code = code, field = "dkim.key", delivered = "no" },
        { to = "a@test.local", text = "x" })
      send.has(err.message, text)
      send.lacks(err, "vault-secret")
      return mailer
    end
    failing(function() return nil, "locked" end, "config.secret_function", "no text")
    failing(function() error("vault-secret") end, "config.secret_function", "raised")
    failing(function() return "vault-secret" end, "config.dkim_key", "PEM")
    -- It is asked again: a vault may be open by then.
    local calls = 0
    local mailer = failing(function()
      calls = calls + 1
      return calls > 1 and samples.keys.rsa or nil
    end, "config.secret_function", "no text")
    signed_by(mailer)
  end)

  it("is not told where it was given as the name of its file", function()
    -- The system calls it too long before it looks for it, unless there is a slash early on.
    local key = samples.keys.rsa:gsub("[\n/]", "")
    local err = refused({ domain = "a.example", selector = "x", key_file = key }, "dkim.key_file",
      "config.dkim_key", "too long")
    send.lacks(settings_of.everything(err), key:sub(40, 80))
  end)

  it("is in nothing that can be seen", function()
    local server = send.server()
    local opts, notes = outputs.listen(send.options(server, { from = "joe@football.example.com",
      dkim = samples.rsa({ passphrase = "open sesame" }) }))
    local mailer = assert(qqmail.new(opts))
    send.good(mailer)
    local secret_lines = {}
    for line in samples.keys.rsa:gmatch("[^\n]+") do
      secret_lines[#secret_lines + 1] = not line:find("-----", 1, true) and line or nil
    end
    assert.is_true(#secret_lines > 10)
    local seen = { settings_of.everything(mailer.settings), tostring(mailer),
      settings_of.everything(notes), tostring(qqmail.config(opts)),
      settings_of.everything(qqmail.config(opts)) }
    for _, text in ipairs(seen) do
      for _, line in ipairs(secret_lines) do
        send.lacks(text, line)
      end
      send.lacks(text, "open sesame")
    end
    send.has(tostring(qqmail.config(opts)), "test._domainkey.football.example.com rsa-sha256")
    send.has(tostring(qqmail.config(opts)), "key=******")
    mailer:close()
    send.stop()
  end)
end)
