-- S/MIME on its way: whatever carries the message, what arrives verifies and decrypts.
local judge = require "spec.support.dkim_judge"
local mail_reader = require "spec.support.mail_reader"
local postfix = require "spec.support.postfix"
local qqmail = require "qqmail"
local samples = require "spec.support.dkim_samples"
local send = require "spec.support.send"
local shell = require "spec.support.shell"
local smime = require "spec.support.smime"

setup(smime.start)
teardown(smime.stop)

local TEXT = "你好，世界。\nFrom here on\n.\n..\nblanks   \n-- \n李\n"

local function mail(more)
  return send.message(send.merge({ from = "sender@example.com", to = "rcpt@example.com",
    text = TEXT, html = "<p>你好</p>\n",
    attachments = { { data = ("\0\r\n.\255"):rep(2000), name = "季度报告.pdf" } } }, more))
end

local function signed(more)
  return mail(send.merge({ smime = { sign = smime.signer("me") } }, more))
end

local function sealed(more)
  return mail(send.merge({ smime = { sign = smime.signer("me-ec"),
    encrypt = smime.readers("li", "wang") } }, more))
end

local function check(entity)
  local facts = mail_reader.read({ entity })[1]
  assert.equal("mixed(alternative(text/plain,text/html),application/pdf)", facts.structure)
  assert.equal((TEXT:gsub("\n", "\r\n")), facts.text)
  assert.equal("季度报告.pdf", facts.parts[3].name)
  assert.equal(10000, facts.parts[3].size)
end

local function check_signed(data)
  local entity, why = smime.verify(data)
  assert.is_string(entity, why)
  check(entity)
end

local function check_sealed(data)
  for _, name in ipairs({ "li", "wang" }) do
    local inner, why = smime.decrypt(data, name)
    assert.is_string(inner, why)
    check_signed(inner)
  end
end

describe("S/MIME reaches the server:", function()
  after_each(send.stop)

  it("send, with 8BITMIME and without", function()
    for _, eightbitmime in ipairs({ true, false }) do
      local server = send.server({ eightbitmime = eightbitmime })
      local mailer = send.mailer(server)
      send.good(mailer, signed())
      send.good(mailer, sealed())
      check_signed(server:messages()[1].data)
      check_sealed(server:messages()[2].data)
    end
  end)

  it("by BDAT", function()
    local server = send.server({ chunking = true })
    send.good(send.mailer(server), signed())
    check_signed(server:messages()[1].data)
  end)

  it("again, after a refusal for now", function()
    local server = send.server({ replies = { dot = { "451 4.3.0 later" } } })
    local mailer = send.mailer(server, { retry = { attempts = 2, base = 0.01, jitter = 0 } })
    local receipt = send.good(mailer, signed())
    assert.equal(2, receipt.attempts)
    local list = server:messages()
    check_signed(list[#list].data)
  end)

  it("send_all", function()
    local server = send.server()
    local summary = send.mailer(server, { pool = { max = 2 } }):send_all({
      signed({ subject = "1" }), sealed({ subject = "2" }), signed({ subject = "3" }),
      signed({ subject = "4", smime = { sign = { key = smime.path("li.key") } } }),
    })
    assert.same({ 3, 1 }, { summary.sent, summary.failed })
    local list = server:messages()
    assert.equal(3, #list)
    for _, item in ipairs(list) do
      local is_sealed = item.data:find("\nSubject: 2\r\n", 1, true)
      ;(is_sealed and check_sealed or check_signed)(item.data)
    end
  end)

  it("notify, from memory and from disk", function()
    local folder, remove = shell.folder()
    for _, outbox in ipairs({ { max = 10 }, { dir = folder, durable = true } }) do
      local server = send.server()
      local mailer = send.mailer(server, { outbox = outbox })
      assert(mailer:notify(signed()))
      assert(mailer:notify(sealed()))
      assert.same({ sent = 2, failed = 0, waiting = 0 }, mailer:flush(20))
      check_signed(server:messages()[1].data)
      check_sealed(server:messages()[2].data)
      mailer:close()
    end
    remove()
  end)

  it("the option of the mailer, unless the message says otherwise", function()
    local server = send.server()
    local option = { sign = { cert = smime.path("me.crt"), key = smime.path("locked.key"),
      passphrase = "correct-horse" } }
    local mailer = send.mailer(server, { smime = option })
    send.good(mailer, mail())
    send.good(mailer, sealed())
    send.good(mailer, mail({ smime = false }))
    send.good(mailer, { raw = "From: sender@example.com\r\nTo: a@test.local\r\n\r\nraw\r\n" })
    local list = server:messages()
    check_signed(list[1].data)
    check_sealed(list[2].data)
    for index = 3, 4 do
      send.lacks(list[index].data, "pkcs7")
    end
    local shown = tostring(qqmail.config(send.options(server, { smime = option })))
    send.has(shown, "smime")
    send.lacks(shown, "correct-horse")
  end)

  it("the option is read when the mailer is made", function()
    for field, value in pairs({ ["smime"] = {}, ["smime.sign.cert"] = { sign = "absent.pem" },
      ["smime.encrypt"] = { encrypt = smime.path("expired.crt") } }) do
      local mailer, err = qqmail.new({ host = "mx.test", user = send.USER, password = send.CODE,
        smime = value })
      assert.is_nil(mailer)
      assert.equal(field, err.field)
    end
    local mailer, err = qqmail.new({ host = "mx.test", smime = "me.pem" })
    assert.is_nil(mailer)
    send.is_error(err, { kind = "config", code = "config.invalid_value", field = "smime" })
  end)

  it("tells before notify takes it what is wrong", function()
    local server = send.server()
    local id, err = send.mailer(server):notify(signed({ smime = { sign = "absent.pem" } }))
    assert.is_nil(id)
    assert.equal("message.unreadable", err.code)
  end)

  it("another account, which sends it anew under its own name and no less secret", function()
    local first = send.server({ replies = { mail = "421 4.3.2 Going down" } })
    local second = send.server()
    local account = send.options(second)
    local mailer = send.mailer(first, { from = "sender@example.com",
      smime = { encrypt = smime.readers("li") },
      failover = { { host = account.host, port = account.port, tls = account.tls,
        user = account.user, password = account.password, from = "other@example.com",
        allow_plaintext_auth = true } } })
    send.good(mailer, { to = "rcpt@example.com", subject = "s", text = "SECRET-WORD\n" })
    local data = second:messages()[1].data
    send.has(data, "From: other@example.com")
    send.lacks(data, "SECRET")
    send.has(assert(smime.decrypt(data, "li")), "SECRET-WORD")
  end)

  it("a file", function()
    local folder, remove = shell.folder()
    local mailer = assert(qqmail.new({ host = "mx.test", user = send.USER, password = send.CODE,
      io = { file = folder } }))
    for _, case in ipairs({ { signed(), check_signed }, { sealed(), check_sealed } }) do
      local receipt = send.good(mailer, case[1])
      case[2](postfix.read(receipt.path))
    end
    mailer:close()
    remove()
  end)

  it("a warning, where somebody listens", function()
    local seen = {}
    local mailer = send.mailer(send.server(), { on = { warning = function(finding)
      seen[finding.code] = true
    end } })
    send.good(mailer, signed({ from = "other@example.com" }))
    assert.is_true(seen["lint.smime_signer"])
  end)

  it("no secret in transcript and error", function()
    local server = send.server({ replies = { dot = "554 5.7.1 no" } })
    local message = signed({ smime = { sign = { key = smime.path("locked.key"),
      passphrase = "correct-horse" } } })
    local err = send.bad(send.mailer(server), { delivered = "no" }, message)
    for _, text in ipairs({ tostring(err), require("qqmail.errors").transcript(err) }) do
      send.lacks(text, "correct-horse")
      send.lacks(text, "PRIVATE KEY")
    end
  end)
end)

describe("S/MIME under a signature of DKIM", function()
  after_each(send.stop)

  it("holds, and so does that", function()
    local server = send.server()
    local mailer = send.mailer(server, { dkim = samples.ed25519() })
    local pieces = { ("\0\r\n.\255"):rep(2000) }
    local list = { signed(), sealed(), mail({ smime = { encrypt = smime.readers("li") } }) }
    list[3].attachments = { { name = "季度报告.pdf", read = function()
      return table.remove(pieces)
    end } }
    for _, message in ipairs(list) do
      send.good(mailer, send.merge(message, { from = "joe@football.example.com" }))
    end
    local data = {}
    for index, item in ipairs(server:messages()) do
      data[index] = item.data
    end
    check_signed(data[1])
    check_sealed(data[2])
    check((smime.decrypt(data[3], "li")))
    assert.equal(3, #data)
    for _, text in ipairs(data) do
      send.has(text, "DKIM-Signature:")
    end
    if not judge.missing() then
      for _, signatures in ipairs(judge.verify(data, samples.records)) do
        assert.equal(1, #signatures)
        assert.is_true(signatures[1].passed, signatures[1].why)
      end
    end
  end)
end)

describe("S/MIME through Postfix", function()
  local missing = postfix.missing()
  if missing then
    pending("cannot run here: " .. missing)
    return
  end

  local pf, mailer

  setup(function()
    pf = postfix.start()
    mailer = assert(qqmail.new({ host = pf.host, port = pf.smtps, tls = "implicit", user = pf.user,
      password = pf.password, tls_options = { ca_file = pf.ca } }))
  end)

  teardown(function()
    mailer:close()
  end)

  local function delivered(message)
    send.good(mailer, message)
    local files = pf:wait_for(message.to, 1, 15)
    assert.is_table(files, "nothing arrived")
    return postfix.message(files[1])
  end

  it("stays verified", function()
    check_signed(delivered(signed({ to = "smime-signed@test.local" })))
  end)

  it("stays verified with a text alone", function()
    local data = delivered(send.message({ from = "sender@example.com", text = TEXT,
      to = "smime-text@test.local", smime = { sign = smime.signer("me") } }))
    assert.is_string((smime.verify(data)))
  end)

  it("can be decrypted", function()
    check_sealed(delivered(sealed({ to = "smime-sealed@test.local" })))
  end)
end)
