local certs = require "spec.support.certs"
local tls = require "qqmail.tls"

local VERSIONS = { "1.2", "1.3" }

local function client_context(over)
  local options = { ca_file = certs.path("ca.pem") }
  for key, value in pairs(over or {}) do
    options[key] = value
  end
  return assert(tls.context(options))
end

local function server_context(name, over)
  local options = {
    server = true, cert = certs.path(name .. ".pem"), key = certs.path(name .. ".key"),
    min_version = "1.0", ciphers = "DEFAULT:@SECLEVEL=0",
  }
  for key, value in pairs(over or {}) do
    options[key] = value
  end
  return assert(tls.context(options))
end

--- Hands over what waits in `from`, at most `step` bytes; true when it moved.
local function move(from, to, step)
  local bytes = from:output(step)
  if not bytes then
    return false
  end
  assert(to:feed(bytes))
  return true, assert(from:sent(#bytes))
end

--- Shakes hands until neither side has anything to say.
-- @return what the client's handshake answered last
local function shake(client, server, step)
  local result
  repeat
    result = { client:handshake() }
    local moved = move(client, server, step)
    server:handshake()
    moved = move(server, client, step) or moved
  until not moved
  return result[1], result[2], result[3]
end

local function pair(name, over)
  over = over or {}
  local client = assert(client_context(over.client):client(over.name or "localhost", over.key))
  local server = assert(server_context(name or "good", over.server):server())
  return client, server
end

--- Reads until there is nothing more.
-- @return the text, and the answer that was no text
local function read_all(filter, max)
  local parts = {}
  while true do
    local plain, code, text = filter:read(max)
    if not plain then
      return table.concat(parts), code, text
    end
    parts[#parts + 1] = plain
  end
end

-- A certificate, whatever was thought of it.
local function is_described(info)
  local own = info.chain[1]
  for _, name in ipairs { "subject", "issuer", "not_before", "not_after" } do
    assert.are.equal(info[name], own[name])
  end
  assert.is_truthy(own.subject:find("^CN="))
  assert.is_true(own.not_before < own.not_after)
  assert.is_table(info.names)
end

local function subjects(chain)
  local list = {}
  for i, cert in ipairs(chain) do
    list[i] = cert.subject
  end
  return list
end

--- Moves `text` through the pair of filters.
local function transfer(from, to, text, step)
  local first, got = 1, {}
  repeat
    first = first + assert(from:write(text, first))
    while move(from, to, step) do
      local plain, code = read_all(to)
      assert.are.equal("again", code)
      got[#got + 1] = plain
    end
  until first > #text
  return table.concat(got)
end

describe("tls", function()
  it("says what it runs on", function()
    assert.is_true(tls.usable)
    assert.is_nil(tls.why)
    assert.is_truthy(tls.openssl:find("SSL", 1, true))
  end)

  describe("verification", function()
    local cases = {
      { "good", "localhost" }, { "good", "127.0.0.1" }, { "good", "::1" },
      { "good", "smtp.qq.test" }, { "wildcard", "mail.qq.test" },
      { "wildcard", "a.b.qq.test", "host_mismatch", "*.qq.test (not for a.b.qq.test)" },
      { "wildpart", "mail.qq.test", "host_mismatch", "m*.qq.test" },
      { "good", "127.0.0.2", "host_mismatch", "127.0.0.1, ::1 (not for 127.0.0.2)" },
      { "wronghost", "localhost", "host_mismatch", "is for other.example (not for localhost)" },
      { "nosan", "localhost", "host_mismatch", "no subject alternative name" },
      { "ipcn", "127.0.0.1", "host_mismatch", "other.example" },
      { "nulsan", "localhost", "host_mismatch", "localhost\\x00.evil.example" },
      { "expired", "localhost", "expired", "expired on 2020-02-01 00:00:00 UTC" },
      { "notyet", "localhost", "not_yet_valid", "not valid before 2040-01-01" },
      { "selfsigned", "localhost", "self_signed", "CN=localhost" },
      { "rogue", "localhost", "no_issuer", "CN=qqmail rogue authority" },
      { "roguechain", "localhost", "untrusted", "not a trusted authority" },
      { "clientonly", "localhost", "untrusted", "purpose" },
      { "notca", "localhost", "untrusted", "issuer certificate CN=localhost" },
      { "weak", "localhost", "weak", "too weak" },
      { "longchain", "localhost", "chain_too_long", "more than 10" },
    }

    for _, case in ipairs(cases) do
      local cert, name, code, says = case[1], case[2], case[3], case[4]

      it("of " .. cert .. " for " .. name .. " gives " .. (code or "a connection"), function()
        for _, version in ipairs(VERSIONS) do
          local client, server = pair(cert, { name = name, server = { max_version = version } })
          local ok, got, text = shake(client, server)
          assert.are.equal(code, got)
          assert.are.equal(not code or nil, ok)
          if code then
            assert.is_truthy(text:find(says, 1, true), text)
            assert.are.same({ nil, code, text }, { client:handshake() })
            assert.are.equal("alert", (select(2, server:handshake())))
          end
          local info = client:info()
          assert.are.equal(not code, info.verified)
          assert.are.equal(code, info.problem)
          is_described(info)
        end
      end)

      it("of " .. cert .. " for " .. name .. " can be switched off", function()
        local client, server = pair(cert, { name = name, client = { verify = false } })
        assert.is_true(shake(client, server))
        local info = client:info()
        assert.is_false(info.verified)
        assert.are.equal(code, info.problem)
        assert.are.equal("ok", transfer(server, client, "ok"))
      end)
    end

    it("needs a name that can be compared", function()
      local context = client_context()
      for name, want in pairs {
        [""] = "empty", [".qq.test"] = "syntax", ["a..b"] = "syntax", ["*.qq.test"] = "syntax",
        ["localhost\0.evil"] = "syntax", ["邮.test"] = "non_ascii", [("a"):rep(254)] = "too_long",
      } do
        local filter, code, text = context:client(name)
        assert.is_nil(filter)
        assert.are.equal(want, code)
        assert.is_string(text)
      end
      assert.are.equal("empty", select(2, context:client()))
      assert.is_truthy(client_context({ verify = false }):client())
    end)

    it("does not trust our authority unless told to", function()
      local client = assert(assert(tls.context()):client("localhost"))
      local _, code = shake(client, server_context("good"):server())
      assert.are.equal("no_issuer", code)
    end)
  end)

  it("describes the connection", function()
    local client, server = pair("good", { server = { max_version = "1.3" } })
    assert.are.same({ resumed = false, verified = false, plain_smtp = false }, client:info())
    assert.is_true(shake(client, server))
    local info = client:info()
    assert.are.equal("TLSv1.3", info.version)
    assert.is_truthy(info.cipher:find("^TLS_"))
    assert.are.same({ "localhost", "mx.test", "smtp.qq.test", "127.0.0.1", "::1" }, info.names)
    assert.are.equal("CN=localhost", info.subject)
    assert.are.equal("CN=qqmail test authority", info.issuer)
    assert.are.equal(1704067200, info.not_before) -- 2024-01-01
    assert.are.equal(2524521600, info.not_after) -- 2049-12-31
    assert.is_false(info.resumed)
    assert.is_nil(info.problem)
  end)

  it("describes the certificates in the order sent", function()
    local client, server = pair("roguechain")
    assert.is_nil(shake(client, server))
    assert.are.same({
      { subject = "CN=localhost", issuer = "CN=qqmail rogue authority",
        not_before = 1704067200, not_after = 2524521600 },
      { subject = "CN=qqmail rogue authority", issuer = "CN=qqmail rogue authority",
        not_before = 1704067200, not_after = 2524521600 },
    }, client:info().chain)
    client:close()
    assert.is_nil(client:info().chain)
  end)

  it("describes ten certificates at most", function()
    local client, server = pair("longchain", { client = { verify = false } })
    assert.is_true(shake(client, server))
    local list = subjects(client:info().chain)
    assert.are.equal(10, #list)
    assert.are.equal("CN=localhost", list[1])
    assert.are.equal("CN=intermediate 12", list[2])
    assert.are.equal("CN=intermediate 4", list[10])
  end)

  it("describes what was wrong after a refusal", function()
    local client, server = pair("expired")
    assert.is_nil(shake(client, server))
    local info = client:info()
    assert.are.equal("expired", info.problem)
    assert.is_truthy(info.problem_text:find("2020-02-01", 1, true))
    assert.are.equal(1580515200, info.not_after)
    assert.is_nil(info.version)
    assert.are.equal("localhost", info.names[1])
  end)

  it("carries bytes whatever they are cut into", function()
    local parts = {}
    for i = 1, 3000 do
      parts[i] = string.char(i * 7 % 256) .. i
    end
    local text = table.concat(parts)
    for _, version in ipairs(VERSIONS) do
      for _, step in ipairs { 1, 13, 65536 } do
        local client, server = pair("good", { server = { max_version = version } })
        assert.is_true(shake(client, server, step))
        assert.are.equal(text, transfer(client, server, text, step))
        assert.are.equal("354 go", transfer(server, client, "354 go", step))
        client:shutdown()
        while move(client, server, step) do end
        assert.are.same({ nil, "closed" }, { server:read() })
      end
    end
  end)

  it("reads no more than asked", function()
    local client, server = pair()
    shake(client, server)
    server:write("220 ready")
    move(server, client)
    assert.are.equal("220", client:read(3))
    assert.are.equal(" ready", client:read(1000000))
    assert.are.same({ nil, "again" }, { client:read(3) })
  end)

  it("counts plaintext as sent with the end of its record", function()
    local client, server = pair()
    shake(client, server)
    assert.are.equal(0, client:sent(0))
    assert.are.equal(5, client:write("hello"))
    assert.are.equal(3, client:write("XXbye", 3))
    local first = #client:output() - 3 - (#client:output() - 8) / 2
    assert.are.equal(0, client:sent(first - 1))
    assert.are.equal(5, client:sent(1))
    assert.are.equal(3, client:sent(#client:output()))
    assert.is_nil(client:output())
    assert.are.equal("misuse", select(2, client:sent(1)))
    client:shutdown()
    assert.are.equal(0, client:sent(#client:output()))
  end)

  it("bounds what waits", function()
    local client, server = pair()
    shake(client, server)
    assert.are.equal(65536, client:write(("x"):rep(200000)))
    assert.are.equal(0, client:write("x"))
    assert.are.equal("limit", select(2, server:feed(("x"):rep(65537))))
    assert.is_true(server:feed(client:output(1000)))
  end)

  it("tells truncation from the end", function()
    for _, version in ipairs(VERSIONS) do
      local client, server = pair("good", { server = { max_version = version } })
      shake(client, server)
      server:write("250 ok\r\n")
      move(server, client)
      client:eof()
      local text, code, why = read_all(client)
      assert.are.equal("250 ok\r\n", text)
      assert.are.equal("truncated", code)
      assert.is_truthy(why:find("close_notify", 1, true))
      assert.are.equal("truncated", select(2, client:write("QUIT\r\n")))
    end
  end)

  it("tells the end of the network in the handshake", function()
    local client = client_context():client("localhost")
    assert.are.same({ nil, "again" }, { client:handshake() })
    client:eof()
    assert.are.equal("closed", select(2, client:handshake()))
  end)

  it("knows a server that speaks plain SMTP", function()
    local client = client_context():client("localhost")
    client:handshake()
    client:feed("220 smtp.qq.test ESMTP\r\n")
    local ok, code, text = client:handshake()
    assert.is_nil(ok)
    assert.are.equal("not_tls", code)
    assert.is_truthy(text:find('"220 smtp.qq.test ESMTP"', 1, true), text)
    assert.is_truthy(text:find("STARTTLS", 1, true))
    assert.is_true(client:info().plain_smtp)
    assert.is_nil(client:output())
  end)

  it("refuses old versions", function()
    local client, server = pair("good", { server = { max_version = "1.1" } })
    local _, code, text = shake(client, server)
    assert.are.equal("protocol_version", code)
    assert.is_truthy(text:find("TLS 1.2", 1, true))
    client, server = pair("good", {
      client = { min_version = "1.3" }, server = { max_version = "1.2" },
    })
    _, code = shake(client, server)
    assert.are.equal("protocol_version", code)
  end)

  it("shows a client certificate", function()
    local client, server = pair("good", {
      client = { cert = certs.path("client.pem"), key = certs.path("client.key") },
      server = { verify = true, ca_file = certs.path("ca.pem") },
    })
    assert.is_true(shake(client, server))
    assert.are.equal("CN=qqmail test client", server:info().subject)
    assert.is_true(server:info().verified)
  end)

  describe("resumption", function()
    --- One connection with a reply, since TLS 1.3 sends its tickets late.
    local function connect(client_of, server_of, name, key)
      local client, server = assert(client_of:client(name, key)), server_of:server()
      assert.is_true(shake(client, server))
      assert.are.equal("220 ok", transfer(server, client, "220 ok"))
      return client, client:info().resumed
    end

    for _, version in ipairs(VERSIONS) do
      it("works in TLS " .. version, function()
        local client = client_context()
        local server = server_context("good", { max_version = version })
        -- the context is shared with other cases, so the keys are our own
        local function resumed(name, key)
          return (select(2, connect(client, server, name, key and key .. version)))
        end
        assert.is_false(resumed("localhost", "a"))
        assert.is_true(resumed("localhost", "a"))
        assert.is_true(resumed("localhost", "a"))
        assert.is_false(resumed("localhost", "b"))
        assert.is_false(resumed("mx.test", "a"))
        assert.is_false(resumed("localhost"))
        assert.is_false(resumed("localhost"))
      end)
    end

    it("keeps the verdict and the certificate", function()
      local client, server = client_context(), server_context("good")
      connect(client, server, "localhost", "verdict")
      local again, other = client:client("localhost", "verdict"), server:server()
      shake(again, other)
      local info = again:info()
      assert.is_true(info.resumed)
      assert.is_true(info.verified)
      assert.are.equal("CN=localhost", info.subject)
      assert.are.same({ "CN=localhost" }, subjects(info.chain))
    end)
  end)

  describe("context", function()
    it("is made once for the same options", function()
      local one = client_context()
      assert.are.equal(tostring(one), tostring(client_context()))
      assert.are.equal(tostring(one), tostring(client_context { verify = true }))
      assert.are_not.equal(tostring(one), tostring(client_context { verify = false }))
      assert.are_not.equal(tostring(one), tostring(client_context { min_version = "1.3" }))
      assert.are_not.equal(tostring(one), tostring(tls.context()))
    end)

    it("may be closed without harm to the others", function()
      local one, two = client_context(), client_context()
      one:close()
      one:close()
      assert.are.equal("misuse", select(2, one:client("localhost")))
      assert.is_truthy(tostring(one):find("closed", 1, true))
      assert.is_truthy(two:client("localhost"))
    end)

    it("is made anew when a file changed", function()
      local path = os.tmpname()
      local function put(name)
        local from, to = assert(io.open(certs.path(name), "rb")), assert(io.open(path, "wb"))
        to:write(from:read("*a"))
        to:close()
        from:close()
      end
      put("rogue-ca.pem")
      local before = assert(tls.context { ca_file = path })
      put("ca.pem")
      local after = assert(tls.context { ca_file = path })
      os.remove(path)
      assert.are_not.equal(tostring(before), tostring(after))
      local server = server_context("good")
      assert.is_true(shake(after:client("localhost"), server:server()))
      assert.is_nil((shake(before:client("localhost"), server:server())))
    end)

    it("names the option that is wrong", function()
      local good, key = certs.path("good.pem"), certs.path("good.key")
      local cases = {
        { { ca_file = "/absent.pem" }, "system", 'ca_file "/absent.pem": ' },
        { { ca_path = "/absent" }, "system", 'ca_path "/absent": ' },
        { { ca_file = certs.path("garbage.pem") }, "syntax", "garbage.pem" },
        { { cert = good, key = certs.path("weak.key") }, "syntax", "weak.key" },
        { { cert = certs.path("weak.pem") }, "syntax", "weak.pem" },
        { { cert = good, key = certs.path("encrypted.key") }, "unsupported", "encrypted" },
        { { key = key }, "empty", "cert is missing" },
        { { server = true }, "empty", "cert is missing" },
        { { min_version = "1.1" }, "unsupported", "1.2" },
        { { min_version = "TLSv1.2" }, "unsupported", "1.3" },
        { { ciphers = "NONSENSE" }, "unsupported", "ciphers" },
      }
      for _, case in ipairs(cases) do
        local context, code, text = tls.context(case[1])
        assert.is_nil(context)
        assert.are.equal(case[2], code)
        assert.is_truthy(text:find(case[3], 1, true), text)
      end
    end)

    it("raises for wrong types and unknown options", function()
      assert.has_error(function() tls.context { verfy = false } end, "unknown option 'verfy'")
      assert.has_error(function() tls.context { "verify" } end)
      assert.has_error(function() tls.context { verify = "no" } end)
      assert.has_error(function() tls.context { ca_file = "a\0b" } end)
      assert.has_error(function() tls.context("ca.pem") end)
      assert.has_error(function() client_context():client({}) end)
    end)

    it("has one side only", function()
      assert.are.equal("misuse", select(2, client_context():server()))
      assert.are.equal("misuse", select(2, server_context("good"):client("localhost")))
    end)
  end)

  describe("filter", function()
    it("wants the handshake first", function()
      local client = client_context():client("localhost")
      assert.are.equal("misuse", select(2, client:read()))
      assert.are.equal("misuse", select(2, client:write("x")))
      client:shutdown()
      assert.is_nil(client:output())
    end)

    it("may be closed at any time and twice", function()
      local client = client_context():client("localhost")
      client:handshake()
      client:close()
      client:close()
      assert.are.equal("misuse", select(2, client:handshake()))
      assert.are.equal("misuse", select(2, client:feed("x")))
      assert.are.equal("misuse", select(2, client:read()))
      assert.are.equal("misuse", select(2, client:write("x")))
      assert.is_nil(client:output())
      assert.are.equal(0, client:sent(0))
      client:eof()
      client:shutdown()
      assert.is_false(client:info().verified)
    end)

    it("raises for wrong arguments", function()
      local client = client_context():client("localhost")
      assert.has_error(function() client:read(0) end)
      assert.has_error(function() client:read(1.5) end)
      assert.has_error(function() client:write() end)
      assert.has_error(function() client:write("abc", 5) end)
      assert.has_error(function() client:feed({}) end)
      assert.has_error(function() client:sent(-1) end)
      assert.has_error(function() client.read(io.stdout) end)
    end)

    it("keeps its context alive", function()
      local client, server = pair()
      collectgarbage()
      collectgarbage()
      assert.is_true(shake(client, server))
    end)
  end)
end)
