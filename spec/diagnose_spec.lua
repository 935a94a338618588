local diagnose = require "qqmail.diagnose"
local errors = require "qqmail.errors"

local QQ = "smtp.qq.com"

-- Every answer must make a valid error, with a hint in both languages.
local function check(row, phase)
  assert.is_true(#row.hint.en > 10)
  assert.is_true(#row.hint.zh > 10)
  assert.is_true(errors.is(errors.new {
    kind = row.kind, code = row.code, phase = phase, retry = row.retry, hint = row.hint,
    retry_after = row.retry_after, help_url = row.help_url, text = row.text or "x",
  }))
  return row
end

local function reply(phase, code, text, host, enhanced)
  return check(diagnose.reply {
    phase = phase, code = code, text = text, host = host, enhanced = enhanced,
  }, phase)
end

local LOGIN_2025 = "Login fail. Account is abnormal, service is not open, password is incorrect, "
  .. "login frequency limited, or system is busy. More information at "
  .. "https://help.mail.qq.com/detail/108/1023"

-- phase, code, text, kind, code of ours, retry, seconds
local QQ_REPLIES = {
  { "auth", 535, LOGIN_2025, "auth", "auth.authorization_code_required", "never" },
  { "auth", 535, "Login Fail. Please enter your authorization code to login. More information in "
    .. "http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=28&&no=1001256",
    "auth", "auth.authorization_code_required", "never" },
  { "auth", 535, "Error: 请使用授权码登录。详情请看: http://service.mail.qq.com/", "auth",
    "auth.authorization_code_required", "never" },
  { "auth", 535, "Authentication failed", "auth", "auth.authorization_code_required", "never" },
  { "auth", 535, "Error: authentication failed, system busy", "auth",
    "auth.client_password_required", "never" },
  { "auth", 502, "Invalid input from 1.2.3.4 to newxmesmtplogicsvrszb51-0.qq.com.", "auth",
    "auth.mechanism_refused", "never" },
  { "mail", 502, "Invalid input from 1.2.3.4 to x.", "sender", "sender.bad_syntax", "never" },
  { "rcpt", 502, "Invalid input from 1.2.3.4 to x.", "recipient", "recipient.bad_syntax", "never" },
  { "data", 502, "Invalid input from 1.2.3.4 to x.", "protocol", "protocol.command_refused",
    "never" },
  { "mail", 503, "Error: need EHLO and AUTH first !", "auth", "auth.required", "never" },
  { "mail", 501, "mail from address must be same as authorization user", "sender",
    "sender.not_login", "never" },
  { "mail", 501, "Mail from address must be same as authorization user.", "sender",
    "sender.not_login", "never" },
  { "final", 550, 'The "From" header is missing or invalid. Please follow RFC5322, RFC2047, RFC822 '
    .. "standard protocol. https://service.mail.qq.com/detail/124/995.", "content",
    "content.bad_from_header", "never" },
  { "final", 550, "The mail may contain inappropriate words or content.", "content",
    "content.refused", "never" },
  { "final", 550, "Mail content denied. http://service.mail.qq.com/", "content",
    "content.refused", "never" },
  { "final", 550, "The recipient may contain a non-existent account, please check the recipient "
    .. "address.", "recipient", "recipient.not_found", "never" },
  { "final", 550, "Too many attempts. Unable to send. Try again later", "rate",
    "rate.too_many_messages", "later", 7200 },
  { "final", 550, "Ip frequency limited [x IP: 1.2.3.4].", "rate", "rate.frequency_limited",
    "later", 3600 },
  { "rcpt", 550, "Sender frequency limited", "rate", "rate.frequency_limited", "later", 3600 },
  { "rcpt", 550, "Mailbox unavailable or access denied", "rate", "rate.recipient_flooded",
    "later", 1800 },
  { "rcpt", 550, "Mailbox not found", "recipient", "recipient.not_found", "never" },
  { "greeting", 550, "Connection denied", "reject", "reject.reputation", "never" },
}

describe("diagnose.reply", function()
  for _, row in ipairs(QQ_REPLIES) do
    it("knows QQ: " .. row[2] .. " " .. row[3]:sub(1, 50), function()
      local found = reply(row[1], row[2], row[3], QQ)
      assert.are.same({ row[4], row[5], row[6], row[7] },
        { found.kind, found.code, found.retry, found.retry_after })
    end)
  end

  it("gives the help page where there is one", function()
    assert.is_truthy(reply("auth", 535, LOGIN_2025, QQ).help_url:find("108/1023", 1, true))
  end)

  it("knows others", function()
    for _, row in ipairs {
      { "final", 554, "DT:SPM 163 smtp1", "content.refused" },
      { "final", 451, "DT:SPM 163 smtp1", "content.refused_for_now", 120 },
      { "final", 554, "5.5.0 MI:STC", "rate.daily_quota", 86400 },
      { "mail", 440, "mail from account doesn't conform with authentication", "sender.not_login" },
      { "auth", 535, "5.7.139 Authentication unsuccessful, basic authentication is disabled.",
        "auth.token_required" },
      { "auth", 535, "Error: authentication failed", "auth.authorization_code_required", nil,
        "smtp.163.com" },
      { "auth", 535, "Error: authentication failed", "auth.refused", nil, "mail.example.com" },
      { "mail", 501, "请登录 exmail.qq.com", "auth.client_password_required", nil,
        "SMTP.exmail.qq.com." },
      { "mail", 450, "SMTP account is not yet activated", "auth.account_not_active" },
      { "final", 554, "Reject by content spam", "content.refused" },
      { "final", 454, "Transient reject by behaviour spam", "content.refused_for_now", 600 },
      { "mail", 421, "[TSS04] Messages from 192.0.2.1 temporarily deferred",
        "rate.frequency_limited", 3600 },
      { "mail", 553, "[TSS09] All messages from 192.0.2.1 will be permanently deferred;",
        "reject.reputation" },
      { "final", 454, "Throttling failure: Maximum sending rate exceeded.",
        "rate.frequency_limited", 1 },
      { "final", 454, "Throttling failure: Daily message quota exceeded.", "rate.daily_quota",
        3600 },
      { "final", 554, "submission quota exceeded", "rate.daily_quota", 86400 },
      { "final", 421, "Domain x.org is not allowed to send: Free accounts are for test purposes "
        .. "only.", "sender.not_verified" },
      { "rcpt", 452, "The recipient's inbox is out of storage space.", "recipient.mailbox_full",
        3600 },
      { "mail", 452, "Disk out of storage", "reject.out_of_storage", 600 },
    } do
      local found = reply(row[1], row[2], row[3], row[6])
      assert.are.same({ row[4], row[5] }, { found.code, found.retry_after })
    end
  end)

  it("falls back on phase, class and enhanced code", function()
    for _, row in ipairs {
      { "auth", 535, "no", "auth.refused", "never" },
      { "auth", 454, "later", "auth.not_now", "later" },
      { "auth", 504, "no", "auth.mechanism_refused", "never" },
      { "mail", 530, "Must issue a STARTTLS command first", "auth.needs_tls", "never" },
      { "mail", 530, "Authentication required", "auth.required", "never" },
      { "mail", 550, "no", "sender.refused", "never" },
      { "mail", 451, "no", "reject.not_now", "later" },
      { "rcpt", 550, "no", "recipient.refused", "never" },
      { "rcpt", 450, "Greylisted", "recipient.greylisted", "later" },
      { "rcpt", 450, "no", "recipient.not_now", "later" },
      { "rcpt", 452, "too many recipients", "rate.too_many_recipients", "later" },
      { "final", 554, "no", "reject.permanent", "never" },
      { "final", 554, "looks like spam", "content.refused", "never" },
      { "final", 552, "message too large", "content.too_large", "never" },
      { "final", 451, "no", "reject.not_now", "later" },
      { "final", 421, "bye", "reject.closing", "later" },
      { "greeting", 421, "too many connections", "rate.too_many_connections", "later" },
      { "greeting", 554, "no", "reject.connection", "never" },
      { "starttls", 454, "no", "tls.not_available_now", "later" },
      { "starttls", 501, "no", "tls.starttls_refused", "never" },
      { "ehlo", 502, "no", "reject.permanent", "never" },
    } do
      local found = reply(row[1], row[2], row[3])
      assert.are.same({ row[4], row[5] }, { found.code, found.retry }, row[1] .. row[2])
    end
    assert.are.equal("recipient.not_found", reply("rcpt", 550, "x", nil, "5.1.1").code)
    assert.are.equal("recipient.mailbox_full", reply("final", 452, "x", nil, "4.2.2").code)
    assert.are.equal(60, reply("final", 421, "bye").retry_after)
  end)

  it("answers for every phase and code", function()
    for phase in pairs(errors.phases) do
      for code = 200, 599, 7 do
        assert.is_true(errors.kinds[reply(phase, code, "").kind])
      end
    end
    assert.are.equal("protocol", diagnose.reply({ phase = "ehlo" }).kind)
  end)
end)

describe("diagnose.failure of the network", function()
  local function network(failure, settings)
    local row = check(diagnose.failure(failure, settings), failure.phase)
    assert.is_nil(row.text.en:find("%%s"))
    return row
  end

  it("names what went wrong before and after connecting", function()
    for _, row in ipairs {
      { "resolve", "not_found", "resolve", "resolve.not_found", "never" },
      { "resolve", "again", "resolve", "resolve.again", "later" },
      { "resolve", "timeout", "timeout", "resolve.timeout", "later" },
      { "resolve", "unknown", "resolve", "resolve.failed", "later" },
      { "connect", "refused", "connect", "connect.refused", "later" },
      { "connect", "timeout", "timeout", "connect.timeout", "later" },
      { "connect", "unreachable", "connect", "connect.unreachable", "later" },
      { "connect", "denied", "connect", "connect.denied", "never" },
      { "connect", "not_found", "connect", "connect.no_socket", "never" },
      { "connect", "again", "connect", "connect.again", "later" },
      { "connect", "unknown", "connect", "connect.failed", "later" },
      { "greeting", "timeout", "timeout", "timeout.no_greeting", "later" },
      { "greeting", "closed", "closed", "closed.before_greeting", "later" },
      { "auth", "closed", "auth", "auth.closed_during_login", "never" },
      { "mail", "closed", "closed", "closed.by_server", "now" },
      { "mail", "timeout", "timeout", "timeout.reply", "later" },
    } do
      local found = network({ phase = row[1], reason = row[2] }, { host = "h", port = 465 })
      assert.are.same({ row[3], row[4], row[5] }, { found.kind, found.code, found.retry })
    end
  end)

  it("names the server", function()
    local settings = { host = QQ, port = 465 }
    assert.is_truthy(network({ phase = "resolve", reason = "not_found" }, settings).text.en
      :find("smtp.qq.com does", 1, true))
    assert.is_truthy(network({ phase = "connect", reason = "refused" }, settings).text.zh
      :find("smtp.qq.com:465", 1, true))
    assert.is_truthy(network({ phase = "connect", reason = "not_found" }, { socket = "/a%db" }).text
      .en:find("/a%db", 1, true))
    assert.is_table(diagnose.failure { phase = "connect", reason = "refused" })
  end)

  it("knows port 25, networks without IPv6, and proxies that invent addresses", function()
    local function connect(reason, addresses, port)
      local tried = {}
      for i, address in ipairs(addresses) do
        tried[i] = { address = address }
      end
      return network({ phase = "connect", reason = reason, tried = tried },
        { host = QQ, port = port or 465 })
    end
    assert.is_truthy(connect("timeout", { "1.2.3.4" }, 25).hint.en:find("port 25", 1, true))
    assert.is_truthy(connect("unreachable", { "240e::1" }).hint.en:find("IPv6", 1, true))
    assert.is_nil(connect("unreachable", { "240e::1", "1.2.3.4" }).hint.en:find("IPv6", 1, true))
    assert.are.equal("connect.fake_ip", connect("timeout", { "198.18.0.12" }).code)
    assert.are.equal("connect.timeout", connect("timeout", { "198.20.0.12" }).code)
  end)

  it("knows a port that waits for TLS", function()
    local failure = { phase = "greeting", reason = "timeout" }
    local function waits(port, tls)
      local hint = network(failure, { host = QQ, port = port, tls = tls }).hint.en
      return hint:find("implicit", 1, true) ~= nil
    end
    assert.is_true(waits(465, "starttls"))
    assert.is_true(waits(994, "none"))
    assert.is_false(waits(465, "implicit"))
    assert.is_false(waits(587, "starttls"))
  end)
end)

describe("diagnose.failure of a handshake", function()
  local function handshake(code, settings)
    return diagnose.failure({ phase = "tls", reason = code }, settings)
  end

  it("knows every code", function()
    for _, code in ipairs {
      "self_signed", "expired", "not_yet_valid", "host_mismatch", "no_issuer", "untrusted",
      "chain_too_long", "weak", "revoked", "not_tls", "protocol_version", "closed", "truncated",
      "alert", "failed",
    } do
      local row = check(handshake(code, { host = QQ, port = 465, tls = "implicit" }), "tls")
      assert.are.equal("tls." .. code, row.code)
      assert.are.equal("tls", row.kind)
    end
    assert.are.equal("timeout", check(handshake("timeout"), "tls").kind)
    assert.are.equal("tls.failed", handshake("something new").code)
  end)

  it("knows implicit TLS on a port that begins in clear text", function()
    local hint = handshake("not_tls", { host = QQ, port = 587, tls = "implicit" }).hint
    assert.is_truthy(hint.en:find('"starttls"', 1, true))
  end)
end)

describe("diagnose.failure", function()
  local function connect(reason, addresses, settings)
    local tried = {}
    for i, address in ipairs(addresses) do
      tried[i] = { address = address }
    end
    local found = diagnose.failure({ phase = "connect", reason = reason, tried = tried }, settings)
    return found.code, found.retry
  end

  it("does not wait for port 25, but for a server of one's own network", function()
    local settings = { host = QQ, port = 25 }
    assert.same({ "connect.port_25", "never" }, { connect("timeout", { "1.2.3.4" }, settings) })
    assert.same({ "connect.timeout", "later" }, { connect("timeout", { "10.0.0.7" }, settings) })
    assert.same({ "connect.port_25", "never" },
      { connect("timeout", { "172.15.0.1", "10.0.0.7" }, settings) })
  end)

  it("tells networks without IPv6 from those without any way", function()
    assert.equal("connect.no_ipv6", connect("unreachable", { "240e::1" }))
    assert.equal("connect.unreachable", connect("unreachable", { "240e::1", "1.2.3.4" }))
    assert.equal("connect.unreachable", connect("unreachable", {}))
  end)

  it("knows what the session may see, and says where", function()
    for fault, code in pairs {
      bad_reply = "protocol.bad_reply", unexpected = "protocol.unexpected_reply",
      reply_too_long = "protocol.reply_too_long", no_chunking = "protocol.no_chunking",
      cancelled = "cancelled", no_starttls = "tls.no_starttls", injected = "tls.injected",
      no_auth = "auth.not_offered", no_mechanism = "auth.no_mechanism",
      clear_auth = "auth.needs_tls", source = "message.source_failed", memory = "limit.memory",
      settings = "config.bad_value", too_big = "message.too_large",
      no_utf8 = "message.smtputf8_required",
    } do
      local found = check(diagnose.failure({ phase = "ehlo", reason = fault }), "ehlo")
      assert.equal(code, found.code)
      assert.is_nil(found.text.en:find("[{}]"))
    end
    local found = diagnose.failure({ phase = "rcpt", reason = "bad_reply" })
    assert.is_truthy(found.text.en:find("rcpt", 1, true))
  end)

  it("takes a name for a name, whatever is in it", function()
    local found = diagnose.failure({ phase = "connect", reason = "refused" },
      { host = "%1{phase}", port = 25 })
    assert.is_truthy(found.text.en:find("%1{phase}:25 refuses", 1, true))
  end)

  it("names the help page of the provider", function()
    local found = diagnose.failure({ phase = "auth", reason = "closed" }, { host = "SMTP.QQ.com" })
    assert.is_truthy(found.help_url:find("help.mail.qq.com", 1, true))
    assert.is_nil(diagnose.failure({ phase = "auth", reason = "closed" }, { host = "h" }).help_url)
  end)
end)

describe("diagnose", function()
  it("looks at the beginning of a long text only", function()
    local far = ("x"):rep(5000) .. " account is abnormal"
    assert.equal("auth.refused", reply("auth", 535, far, "h").code)
    assert.equal("auth.authorization_code_required", reply("auth", 535, far:sub(2000), "h").code)
  end)

  it("does not change bytes that are not ASCII", function()
    assert.equal("a授权码z\200", diagnose.lower("A授权码Z\200"))
  end)
end)
