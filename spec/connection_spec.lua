-- What a connection of the pump tells beside sending messages.
local certs = require("spec.support.certs")
local connection = require("spec.support.connection")
local postfix = require("spec.support.postfix")
local send = require("spec.support.send")

describe("a connection", function()
  after_each(connection.stop)

  for _, mode in ipairs({ "implicit", "starttls" }) do
    it("tells what TLS agreed on, " .. mode, function()
      local conn = connection.open(send.server({ mode = mode }))
      local info = conn:tls_info()
      assert.equal("TLSv1.3", info.version)
      assert.is_true(info.verified)
      assert.equal("CN=qqmail test authority", info.chain[1].issuer)
      assert.equal(info, conn:tls_info())
    end)

    it("tells of the certificates that were refused, " .. mode, function()
      local server = send.server({ mode = mode, cert = "roguechain" })
      local conn, failure = connection.try(server)
      assert.is_nil(conn)
      assert.equal("untrusted", failure.tls.code)
      assert.is_false(failure.tls.info.verified)
      assert.equal("untrusted", failure.tls.info.problem)
      assert.equal("CN=localhost", failure.tls.info.chain[1].subject)
      assert.equal("CN=qqmail rogue authority", failure.tls.info.chain[2].subject)
    end)

    it("tells of ours when the server refused it, " .. mode, function()
      local server = send.server({ mode = mode,
        tls = { verify = true, ca_file = certs.path("ca.pem") } })
      local _, failure = connection.try(server)
      assert.equal("alert", failure.tls.code)
      assert.equal("CN=localhost", failure.tls.info.subject)
    end)
  end

  it("has nothing to tell of TLS without it", function()
    assert.is_nil(connection.open(send.server()):tls_info())
  end)

  it("knows an answer in clear where TLS was expected", function()
    local _, failure = connection.try(send.server(), { security = "implicit" })
    assert.equal("not_tls", failure.tls.code)
    assert.is_true(failure.tls.info.plain_smtp)
    assert.is_nil(failure.tls.info.chain)
  end)
end)

-- What an envelope came to, as "250 550 5.1.1 ..."; a refused sender comes first.
local function told(result)
  local out = result.sender and { "sender", result.sender.code } or {}
  for _, verdict in ipairs(result.recipients) do
    out[#out + 1] = verdict.code
    out[#out + 1] = verdict.enhanced
  end
  return table.concat(out, " ")
end

local function check(conn, envelope)
  envelope.from = envelope.from or "user@qq.com"
  return conn:check_envelope(envelope, connection.deadline())
end

local function commands(server)
  local verbs = {}
  for _, line in ipairs(send.said(server:connections()[1].lines, "C")) do
    verbs[#verbs + 1] = line:match("^%a+")
  end
  return table.concat(verbs, " ")
end

describe("a connection asks about an envelope", function()
  after_each(connection.stop)

  local REPLIES = { mail = { ["no@qq.com"] = "501 5.1.7 not you" },
    rcpt = { ["gone@test.local"] = "550 5.1.1 nobody", ["full@test.local"] = "452 4.2.2 full" } }

  for _, pipelining in ipairs({ true, false }) do
    it("pipelined: " .. tostring(pipelining), function()
      local server = send.server({ replies = REPLIES })
      local conn = connection.open(server, { pipelining = pipelining })
      local result = assert(check(conn,
        { to = { "a@test.local", "gone@test.local", "full@test.local" } }))
      assert.is_nil(result.sender)
      assert.equal("nobody", result.recipients[2].text)
      assert.equal("250 2.1.5 550 5.1.1 452 4.2.2", told(result))
      assert.equal("250 2.1.5", told(check(conn, { to = { "b@test.local" } })))
      conn:quit()
      assert.is_true(server:wait(1, 5, "closed"))
      assert.equal("EHLO AUTH MAIL RCPT RCPT RCPT RSET MAIL RCPT QUIT", commands(server))
      assert.same({}, server:messages())
    end)

    it("and is told that the sender is refused, pipelined: " .. tostring(pipelining), function()
      local server = send.server({ replies = { mail = "501 5.1.7 not you" } })
      local conn = connection.open(server, { pipelining = pipelining })
      local result = assert(check(conn, { to = { "a@test.local", "b@test.local" } }))
      assert.equal("sender 501", told(result))
      assert.equal("5.1.7", result.sender.enhanced)
      assert.is_false(conn:is_over())
    end)
  end

  it("and says QUIT where RSET does harm", function()
    local server = send.server()
    local conn = connection.open(server, { no_reset = true })
    assert.equal("250 2.1.5", told(check(conn, { to = { "a@test.local" } })))
    assert.is_true(conn:is_over())
    conn:quit()
    assert.is_true(server:wait(1, 5, "closed"))
    assert.equal("EHLO AUTH MAIL RCPT QUIT", commands(server))
  end)

  it("and learns why there is no answer", function()
    local conn = connection.open(send.server({ drop_at = "rcpt" }))
    local result, failure = check(conn, { to = { "a@test.local" } })
    assert.is_nil(result)
    assert.equal("closed", failure.event.fault)
    assert.equal("rcpt", failure.event.phase)
    assert.is_true(#failure.trace > 0)
    result, failure = check(conn, { to = { "a@test.local" } })
    assert.is_nil(result)
    assert.equal("closed", failure.event.fault)
  end)

  it("and not about one that cannot be said", function()
    local conn = connection.open(send.server({ ehlo = { "AUTH PLAIN" } }))
    local _, failure = check(conn, { to = { "a@test.local", "a@test.local>\r\nDATA" } })
    assert.equal("settings", failure.event.fault)
    assert.equal(2, failure.index)
    _, failure = check(conn, { to = { "邮@test.local" }, utf8 = true })
    assert.equal("no_utf8", failure.event.fault)
    assert.is_nil(failure.index)
    assert.equal("250 2.1.5", told(check(conn, { from = "", to = { "a@test.local" } })))
  end)
end)

describe("an envelope at Postfix", function()
  local missing = postfix.missing()
  if missing then
    pending("cannot run here: " .. missing)
    return
  end
  after_each(connection.stop)

  it("names the recipient it does not know, and delivers nothing", function()
    local pf = postfix.start()
    local server = { host = "127.0.0.1", port = pf.mx, mode = "plain" }
    local conn = connection.open(server, { user = "", password = "" })
    local result = assert(check(conn, { to = { "nobody@box.test", "ok@test.local" } }))
    assert.is_nil(result.sender)
    assert.equal(550, result.recipients[1].code)
    assert.equal("5.1.1", result.recipients[1].enhanced)
    assert.equal(250, result.recipients[2].code)
    assert.same({}, pf:maildir("ok@test.local"))
    assert.equal(550, check(conn, { to = { "nobody@box.test" } }).recipients[1].code)
    assert.is_false(conn:is_over())
  end)
end)
