-- What must be true of TLS before a password leaves.
local certs = require("spec.support.certs")
local qqmail = require("qqmail")
local send = require("spec.support.send")

local good, bad, has = send.good, send.bad, send.has

local VERSIONS = { "1.2", "1.3" }
-- What a server needs to show a weak key or speak an old version at all.
local ANY = "DEFAULT:@SECLEVEL=0"
local MODES = { "implicit", "starttls" }

-- What a server may hear in clear before TLS, and nothing else.
local BEFORE = { implicit = {}, starttls = { "EHLO [127.0.0.1]", "STARTTLS" } }

local function assert_heard_nothing(server, mode)
  assert.is_true(server:wait(1, 5, "closed"))
  local records = server:connections()
  assert.equal(1, #records)
  assert.same(BEFORE[mode], send.said(records[1].lines, "C"))
  assert.equal(0, server:auth_attempts())
end

describe("TLS", function()
  after_each(send.stop)

  for _, mode in ipairs(MODES) do
    for _, version in ipairs(VERSIONS) do
      it(("is told in the receipt: %s, %s"):format(mode, version), function()
        local server = send.server({ mode = mode, tls = { max_version = version } })
        local info = good(send.mailer(server)).tls
        assert.equal("TLSv" .. version, info.version)
        assert.is_string(info.cipher)
        assert.is_true(info.verified)
        assert.is_false(info.resumed)
        assert.equal("CN=qqmail test authority", info.issuer)
      end)

      it(("is resumed by the next connection: %s, %s"):format(mode, version), function()
        local server = send.server({ mode = mode, tls = { max_version = version } })
        local mailer = send.mailer(server, { pool = { messages = 1 } })
        assert.is_false(good(mailer).tls.resumed)
        for _ = 1, 2 do
          local receipt = good(mailer)
          assert.is_false(receipt.reused)
          assert.is_true(receipt.tls.resumed)
          assert.is_true(receipt.tls.verified)
        end
        assert.equal(3, server:auth_attempts())
      end)
    end

    it("is not resumed under other settings, " .. mode, function()
      local server = send.server({ mode = mode })
      good(send.mailer(server))
      local named = { tls_options = { server_name = "mx.test" } }
      assert.is_false(good(send.mailer(server, named)).tls.resumed)
      local newer = { tls_options = { min_version = "1.3" } }
      assert.is_false(good(send.mailer(server, newer)).tls.resumed)
      assert.is_true(good(send.mailer(server)).tls.resumed)
    end)

    it("takes the name of the certificate from the options, " .. mode, function()
      local server = send.server({ mode = mode, cert = "wronghost" })
      good(send.mailer(server, { tls_options = { server_name = "other.example" } }))
    end)

    it("can be left unverified, which is said, " .. mode, function()
      local server = send.server({ mode = mode, cert = "selfsigned" })
      local mailer = send.mailer(server, { tls_options = { verify = false } })
      assert.equal("config.verify_off", mailer.settings.warnings[1].code)
      assert.is_false(good(mailer).tls.verified)
    end)

    it("shows a client certificate, " .. mode, function()
      local server = send.server({ mode = mode,
        tls = { verify = true, ca_file = certs.path("ca.pem") } })
      local key = { cert = certs.path("client.pem"), key = certs.path("client.key") }
      good(send.mailer(server, { tls_options = key }))
      assert.equal("CN=qqmail test client", server:messages()[1].tls.subject)
    end)

    for _, version in ipairs(VERSIONS) do
      it(("fails where a client certificate is missing: %s, %s"):format(mode, version), function()
        local server = send.server({ mode = mode,
          tls = { verify = true, ca_file = certs.path("ca.pem"), max_version = version } })
        local err = bad(send.mailer(server), { kind = "tls", delivered = "no" })
        assert.equal("tls.alert", err.code)
        assert.equal(0, server:auth_attempts())
      end)
    end
  end
end)

describe("a certificate", function()
  after_each(send.stop)

  -- certificate, code, what the text must tell
  local FAULTS = {
    { "expired", "expired", "2020-02-01" },
    { "notyet", "not_yet_valid", "2040-01-01" },
    { "wronghost", "host_mismatch", "other.example" },
    { "nosan", "host_mismatch", "no subject alternative name" },
    { "ipcn", "host_mismatch", "127.0.0.1" },
    { "selfsigned", "self_signed", "CN=localhost" },
    { "rogue", "no_issuer", "CN=qqmail rogue authority" },
    { "roguechain", "untrusted", "not a trusted authority" },
    { "clientonly", "untrusted", "purpose" },
    { "notca", "untrusted", "issuer" },
    { "weak", "weak", "too weak" },
    { "longchain", "chain_too_long", "more than 10" },
  }

  for _, case in ipairs(FAULTS) do
    local cert, code, says = case[1], case[2], case[3]
    for _, mode in ipairs(MODES) do
      it(("with a fault keeps every credential here: %s, %s"):format(cert, mode), function()
        local server = send.server({ mode = mode, cert = cert, tls = { ciphers = ANY } })
        local err = bad(send.mailer(server), { kind = "tls", code = "tls." .. code, phase = "tls",
          delivered = "no", retry = "never" })
        has(err.message, says)
        assert.is_string(err.hint)
        assert_heard_nothing(server, mode)
      end)
    end
  end

  for _, mode in ipairs(MODES) do
    it("of an authority we were not told of is refused, " .. mode, function()
      local server = send.server({ mode = mode })
      local other = { tls_options = { ca_file = certs.path("rogue-ca.pem") } }
      bad(send.mailer(server, other), { kind = "tls", code = "tls.no_issuer", phase = "tls" })
      assert_heard_nothing(server, mode)
    end)

    it("for another name than asked for is refused, " .. mode, function()
      local server = send.server({ mode = mode })
      local other = { tls_options = { server_name = "smtp.qq.com" } }
      local err = bad(send.mailer(server, other), { code = "tls.host_mismatch" })
      has(err.message, "not for smtp.qq.com")
      assert_heard_nothing(server, mode)
    end)
  end

  it("is told about in Chinese", function()
    local server = send.server({ mode = "implicit", cert = "expired" })
    local err = bad(send.mailer(server, { lang = "zh" }), { code = "tls.expired", lang = "zh" })
    has(tostring(err), "证书已过期")
    has(tostring(err), "已投递：否")
    has(err.hint, "本机时间")
  end)

  it("of our own that cannot be read is told before connecting", function()
    local server = send.server({ mode = "implicit" })
    for _, wrong in ipairs({ { ca_file = "/nowhere/ca.pem" }, { cert = "/nowhere/cert.pem" },
      { cert = certs.path("garbage.pem") } }) do
      bad(send.mailer(server, { tls_options = wrong }), { kind = "tls", code = "tls.bad_options",
        phase = "config", delivered = "no", retry = "never" })
    end
    assert.same({}, server:connections())
  end)
end)

describe("a wrong port or an old server", function()
  after_each(send.stop)

  it("answers in clear where TLS was expected", function()
    local server = send.server()
    local err = bad(send.mailer(server, { tls = "implicit" }), { kind = "tls", code = "tls.not_tls",
      phase = "tls", delivered = "no", retry = "never" })
    has(err.hint, 'tls = "starttls"')
  end)

  for _, tls in ipairs({ "starttls", "none" }) do
    it("says nothing where it waits for TLS, tls = " .. tls, function()
      local server = send.server({ mode = "implicit" })
      local err = bad(send.mailer(server, { tls = tls, allow_plaintext_auth = true,
        timeout = { reply = 0.2 } }), { kind = "timeout", code = "timeout.no_greeting",
        phase = "greeting", delivered = "no", retry = "later" })
      has(err.hint, "465")
      assert.equal("", send.heard(server))
    end)
  end

  for _, mode in ipairs(MODES) do
    it("speaks nothing newer than TLS 1.1, " .. mode, function()
      local server = send.server({ mode = mode,
        tls = { min_version = "1.0", max_version = "1.1", ciphers = ANY } })
      bad(send.mailer(server), { kind = "tls", code = "tls.protocol_version", phase = "tls",
        retry = "never" })
      assert_heard_nothing(server, mode)
    end)

    it("speaks TLS 1.2 where 1.3 is asked for, " .. mode, function()
      local server = send.server({ mode = mode, tls = { max_version = "1.2" } })
      bad(send.mailer(server, { tls_options = { min_version = "1.3" } }),
        { code = "tls.protocol_version" })
      assert_heard_nothing(server, mode)
    end)

    for how, code in pairs({ fin = "tls.closed", rst = "tls.closed", stall = "tls.timeout" }) do
      it(("ends the handshake: %s, %s"):format(how, mode), function()
        local server = send.server({ mode = mode, drop_at = "tls", how = how })
        bad(send.mailer(server, { timeout = { connect = 0.3 } }), { code = code, phase = "tls",
          kind = how == "stall" and "timeout" or "tls", delivered = "no", retry = "later" })
        assert.equal(0, server:auth_attempts())
      end)
    end
  end

  it("is refused by the settings where port and mode contradict", function()
    for port, tls in pairs({ [465] = "starttls", [587] = "implicit", [25] = "implicit" }) do
      local mailer, err = qqmail.new({ host = "mx.test", port = port, tls = tls, user = "u@mx.test",
        password = "p" })
      assert.is_nil(mailer)
      send.is_error(err, { kind = "config", code = "config.port_tls", field = "tls" })
    end
  end)
end)

describe("STARTTLS", function()
  after_each(send.stop)

  it("that somebody took out of the offers ends it", function()
    local server = send.server({ mode = "starttls", ehlo = { "PIPELINING", "AUTH PLAIN LOGIN" } })
    local mailer = send.mailer(server, { allow_plaintext_auth = true })
    local err = bad(mailer, { kind = "tls", code = "tls.no_starttls", phase = "starttls",
      delivered = "no", retry = "never" })
    has(err.hint, "nothing was sent in clear")
    assert.equal("EHLO [127.0.0.1]", send.heard(server))
  end)

  it("with bytes behind its reply ends it", function()
    local server = send.server({ mode = "starttls",
      after = { starttls = "250-mail.test\r\n250 AUTH PLAIN\r\n" } })
    local err = bad(send.mailer(server), { kind = "tls", code = "tls.injected",
      phase = "starttls", delivered = "no", retry = "never" })
    assert.is_string(err.hint)
    assert_heard_nothing(server, "starttls")
  end)

  for reply, fields in pairs({
    ["454 4.7.0 not available"] = { code = "tls.not_available_now", retry = "later" },
    ["502 5.5.1 no"] = { code = "tls.starttls_refused", retry = "never" },
    ["250 Ok"] = { code = "protocol.unexpected_reply" },
  }) do
    it("that is answered with " .. reply .. " ends it", function()
      local server = send.server({ mode = "starttls", replies = { starttls = reply } })
      bad(send.mailer(server), send.merge({ phase = "starttls", delivered = "no" }, fields))
      assert_heard_nothing(server, "starttls")
    end)
  end

  it("forgets what was offered before", function()
    -- Before TLS a larger limit and XOAUTH2 only; inside the truth.
    local server = send.server({ mode = "starttls",
      ehlo = { "SIZE 100", "STARTTLS", "AUTH XOAUTH2" } , ehlo_tls = { "SIZE 0", "AUTH PLAIN" } })
    good(send.mailer(server))
    assert.equal("PLAIN", server:messages()[1].auth.mechanism)
  end)

  it("is no way around a login that is not offered inside", function()
    local server = send.server({ mode = "starttls", ehlo = { "STARTTLS", "AUTH PLAIN" },
      ehlo_tls = { "SIZE 0" } })
    bad(send.mailer(server), { kind = "auth", code = "auth.not_offered", phase = "auth" })
    assert.equal(0, server:auth_attempts())
  end)
end)

describe("a password in clear", function()
  after_each(send.stop)

  it("is refused by the settings", function()
    local server = send.server()
    local options = send.options(server)
    options.allow_plaintext_auth = nil
    local mailer, err = qqmail.new(options)
    assert.is_nil(mailer)
    send.is_error(err, { kind = "config", code = "config.plaintext_auth", field = "tls" })
    assert.same({}, server:connections())
  end)
end)
