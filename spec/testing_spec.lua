local certs = require("spec.support.certs")
local net = require("qqmail.net")
local python = require("spec.support.python")
local raw_client = require("spec.support.raw_client")
local testing = require("qqmail.testing")

local MESSAGE = "From: <user@qq.com>\r\nTo: <a@test.local>\r\nSubject: =?UTF-8?B?5rWL6K+V?=\r\n"
  .. "\r\n.dot\r\n..two\r\n\r\nend\r\n"

-- smtplib as a foreign client. Prints OK, or the class of the exception.
local SMTPLIB = [[
import smtplib, ssl, sys
mode, port, ca, user, password = sys.argv[1:6]
context = ssl.create_default_context(cafile=ca) if ca else None
message = sys.argv[6].encode()
try:
    if mode == "implicit":
        client = smtplib.SMTP_SSL("localhost", int(port), context=context, timeout=20)
    else:
        client = smtplib.SMTP("localhost", int(port), timeout=20)
        if mode == "starttls":
            client.starttls(context=context)
    if user:
        client.login(user, password)
    client.sendmail("user@qq.com", ["a@test.local", "b@test.local"], message)
    client.quit()
    print("OK")
except Exception as error:
    print(type(error).__name__)
]]

local function send_with_python(server, mode, user, password)
  local ca = mode == "plain" and "" or certs.path("ca.pem")
  return python.run(SMTPLIB, mode, server.port, ca, user or "", password or "", MESSAGE)
end

local server

-- A server that is stopped when the spec is over.
local function start(options)
  server = testing.server(options)
  return server
end

local function greet(port)
  local client = raw_client.connect(port)
  client:reply()
  client:ask("EHLO me")
  return client
end

local function send_message(client)
  client:send("MAIL FROM:<user@qq.com>\r\nRCPT TO:<a@test.local>\r\nDATA\r\n")
  for _ = 1, 3 do
    client:reply()
  end
  client:send(MESSAGE:gsub("\r\n%.", "\r\n..") .. ".\r\n")
  return client:reply()
end

describe("testing.server", function()
  after_each(function()
    if server then
      server:stop()
      server = nil
    end
  end)

  it("takes a message from smtplib", function()
    start({ require_auth = true })
    assert.equal("OK\n", send_with_python(server, "plain", "u", "p"))
    assert.is_true(server:wait(1, 5))
    local message = server:messages()[1]
    assert.equal(MESSAGE, message.data)
    assert.equal("user@qq.com", message.from)
    assert.same({ "a@test.local", "b@test.local" }, message.to)
    assert.equal("PLAIN", message.auth.mechanism)
    assert.equal("u", message.auth.user)
    assert.is_nil(message.tls)
    assert.is_false(message.bare_newline)
    assert.equal(1, server:auth_attempts())
    assert.same({}, server:defects())
    assert.is_true(server:wait(1, 5, "closed"))
    local record = server:connections()[1]
    assert.equal("S", record.lines[1].dir)
    assert.equal("220 mail.test ESMTP ready", record.lines[1].line)
    assert.equal("server", record.closed)
  end)

  for _, mode in ipairs({ "implicit", "starttls" }) do
    it("takes a message over TLS from smtplib, mode " .. mode, function()
      start({ mode = mode, cert = certs.path("good.pem"), key = certs.path("good.key") })
      assert.equal("OK\n", send_with_python(server, mode, "u", "p"))
      assert.is_true(server:wait(1, 5))
      local message = server:messages()[1]
      assert.equal(MESSAGE, message.data)
      assert.truthy(message.tls.version:find("1%.3"))
      assert.same({}, server:defects())
    end)
  end

  -- What a TLS client reads after the commands, and how the stream ended.
  local TLS_CLIENT = [[
import socket, ssl, sys
port, ca = int(sys.argv[1]), sys.argv[2]
raw = socket.create_connection(("localhost", port), timeout=20)
context = ssl.create_default_context(cafile=ca)
try:
    client = context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False)
    data = b""
    if len(sys.argv) > 3:
        client.sendall(sys.argv[3].encode())
    while True:
        more = client.recv(65536)
        if not more:
            break
        data += more
    print(repr(data.decode()), "close_notify")
except Exception as error:
    how = type(error).__name__
    if "data" in globals():
        try:
            client.getpeername()
        except OSError:
            how = "reset"
    print(repr(data.decode()) if "data" in globals() else "handshake", how)
]]

  local function tls_client(...)
    return python.run(TLS_CLIENT, server.port, certs.path("ca.pem"), ...)
  end

  it("ends TLS connections in every way", function()
    start({ mode = "implicit", cert = certs.path("good.pem"), key = certs.path("good.key"),
      drop_at = "ehlo" })
    local greeting = "'220 mail.test ESMTP ready\\r\\n'"
    assert.equal(greeting .. " close_notify\n", tls_client("EHLO x\r\n"))
    server:set({ close_notify = false })
    assert.equal(greeting .. " SSLEOFError\n", tls_client("EHLO x\r\n"))
    server:set({ how = "rst" })
    assert.equal(greeting .. " reset\n", tls_client("EHLO x\r\n"))
    server:set({ drop_at = false, how = "fin", cut_out_after = 7 })
    assert.equal("'220 mai' SSLEOFError\n", tls_client())
    server:set({ close_notify = true, cut_out_after = false, cut_in_after = 3 })
    assert.equal(greeting .. " close_notify\n", tls_client("EHLO x\r\n"))
    server:set({ drop_at = "tls", cut_in_after = false })
    assert.truthy(tls_client():find("^handshake SSL"))
    server:set({ how = "rst" })
    assert.equal("handshake ConnectionResetError\n", tls_client())
    server:set({ drop_at = "connect", how = "fin" })
    assert.truthy(tls_client():find("^handshake "))
  end)

  it("writes one TLS record a byte", function()
    start({ mode = "implicit", cert = certs.path("good.pem"), key = certs.path("good.key"),
      split_writes = 1 })
    assert.truthy(tls_client("EHLO x\r\nQUIT\r\n"):find(
      "^'220 mail%.test ESMTP ready\\r\\n250%-mail%.test.*221 2%.0%.0 Bye\\r\\n' close_notify\n$"))
  end)

  it("limits the TLS version", function()
    start({ mode = "implicit", cert = certs.path("good.pem"), key = certs.path("good.key"),
      tls = { max_version = "1.2" } })
    assert.equal("OK\n", send_with_python(server, "implicit", "u", "p"))
    assert.truthy(server:messages()[1].tls.version:find("1%.2"))
  end)

  it("raises what is wrong with its options", function()
    local nowhere = { mode = "implicit", cert = "/nowhere", key = "/nowhere" }
    assert.has_error(function() start(nowhere) end)
    assert.has_error(function() start({ scenario = "qqmail.testing.nowhere" }) end)
    assert.has_error(function() start({ replies = { mail = print } }) end)
  end)

  it("refuses and counts", function()
    start({ replies = { dot = { "554 5.7.1 no" } } })
    local client = greet(server.port)
    assert.equal("554 5.7.1 no\r\n", send_message(client))
    assert.truthy(send_message(client):find("^250 "))
    assert.equal(1, #server:rejected())
    assert.equal(1, #server:messages())
    assert.same({ nil, "timeout", 1 }, { server:wait(2, 0) })
    server:clear()
    assert.equal(0, #server:messages())
    client:close()
    assert.is_true(server:wait(1, 5, "closed"))
    assert.equal("client", server:connections()[1].closed)
  end)

  it("changes its options for the next connection", function()
    start()
    local first = greet(server.port)
    server:set({ replies = { mail = "451 later" }, host = "other.test" })
    assert.truthy(first:ask("MAIL FROM:<a@b>"):find("^250 "))
    local second = raw_client.connect(server.port)
    assert.equal("220 other.test ESMTP ready\r\n", second:reply())
    second:ask("EHLO me")
    assert.equal("451 later\r\n", second:ask("MAIL FROM:<a@b>"))
    server:set({ replies = false })
    assert.truthy(greet(server.port):ask("MAIL FROM:<a@b>"):find("^250 "))
  end)

  it("ends connections with FIN, RST or not at all", function()
    start({ drop_at = "mail", how = "fin" })
    local client = greet(server.port)
    client:send("MAIL FROM:<a@b>\r\n")
    assert.same({ "", "closed" }, { client:rest() })
    server:set({ how = "rst" })
    client = greet(server.port)
    client:send("MAIL FROM:<a@b>\r\n")
    assert.same({ "", "reset" }, { client:rest() })
    server:set({ how = "stall" })
    client = greet(server.port)
    client:send("MAIL FROM:<a@b>\r\n")
    assert.is_true(server:wait(3, 5, "closed"))
    assert.same({ nil, "timeout" }, { net.wait(client.stream:fd(), "r", 0.05) })
    server:set({ drop_at = "connect", how = "fin" })
    assert.same({ "", "closed" }, { raw_client.connect(server.port):rest() })
  end)

  it("cuts TLS at any byte of its records", function()
    start({ mode = "implicit", cert = certs.path("good.pem"), key = certs.path("good.key"),
      cut_wire = true, cut_out_after = 0 })
    assert.truthy(tls_client():find("^handshake SSL"))
    server:set({ cut_out_after = 100 })
    assert.truthy(tls_client():find("^handshake SSL"))
    server:set({ cut_out_after = false, cut_in_after = 100, how = "rst" })
    assert.equal("handshake ConnectionResetError\n", tls_client())
    server:set({ cut_out_after = 1000000, cut_in_after = false })
    assert.truthy(tls_client("QUIT\r\n"):find("221 2.0.0 Bye", 1, true))
  end)

  it("drops only so many times", function()
    start({ drop_at = "dot", drop_times = 1 })
    assert.is_nil((send_message(greet(server.port))))
    assert.truthy(send_message(greet(server.port)):find("^250 "))
    assert.equal(2, #server:messages())
  end)

  it("splits, drips and delays what it says", function()
    start({ split_writes = 1 })
    local client = raw_client.connect(server.port)
    assert.equal("220 mail.test ESMTP ready\r\n", client:reply())
    server:set({ drip = 0.001, split_writes = false })
    client = raw_client.connect(server.port)
    assert.equal("220 mail.test ESMTP ready\r\n", client:reply())
    server:set({ delay = { ehlo = 0.05 }, drip = false })
    client = raw_client.connect(server.port)
    client:reply()
    assert.truthy(client:ask("EHLO me"):find("^250%-"))
  end)

  it("injects bytes behind a reply", function()
    start({ after = { greeting = "220 twice\r\n" } })
    local client = raw_client.connect(server.port)
    client:reply()
    assert.equal("220 twice\r\n", client:reply())
  end)

  it("counts a large body without keeping it", function()
    start({ discard = true, size_limit = false })
    local client = greet(server.port)
    client:send("MAIL FROM:<user@qq.com>\r\nRCPT TO:<a@test.local>\r\nDATA\r\n")
    for _ = 1, 3 do
      client:reply()
    end
    local block = (("x"):rep(76) .. "\r\n"):rep(1000)
    for _ = 1, 64 do
      client:send(block)
    end
    client:send(".\r\n")
    assert.truthy(client:reply():find("^250 "))
    local message = server:messages()[1]
    assert.equal(64 * #block, message.size)
    assert.is_nil(message.data)
    assert.is_false(message.bare_newline)
  end)

  it("serves several clients at once", function()
    start()
    local clients = {}
    for i = 1, 20 do
      clients[i] = greet(server.port)
    end
    for i = 20, 1, -1 do
      assert.truthy(send_message(clients[i]):find("^250 "))
    end
    assert.equal(20, #server:messages())
  end)

  it("listens on a unix socket", function()
    local path = os.tmpname()
    os.remove(path)
    start({ socket = path, lmtp = true })
    local stream = assert(net.connect({ family = "unix", path = path }))
    assert.is_true(net.wait(stream:fd(), "r", 5))
    assert.equal("220 mail.test ESMTP ready\r\n", stream:read(100))
    stream:close()
    server:stop()
    assert.is_nil(os.rename(path, path))
  end)

  -- By a socket of its own: a port is soon given to somebody else. One that is ending may
  -- still be connected to, but greets nobody.
  local function is_gone(path)
    local stream = net.connect({ family = "unix", path = path })
    if not stream then
      return true
    end
    local greeting = net.wait(stream:fd(), "r", 10) and stream:read(100)
    stream:close()
    return not greeting
  end

  it("ends when it is stopped", function()
    local path = os.tmpname()
    os.remove(path)
    start({ socket = path })
    assert.is_false(is_gone(path))
    server:stop()
    server:stop()
    assert.has_error(function() server:messages() end, "the scripted server is stopped")
    assert.is_true(is_gone(path))
  end)

  it("ends when its starter dies", function()
    local path = os.tmpname()
    os.remove(path)
    -- A process that starts one and is killed at once.
    local program = ([[
      package.path = %q package.cpath = %q
      local server = require("qqmail.testing").server({ socket = %q })
      io.write("started\n") io.flush()
      os.execute("kill -KILL $PPID")
    ]]):format(package.path, package.cpath, path)
    local file = os.tmpname()
    local handle = assert(io.open(file, "w"))
    handle:write(program)
    handle:close()
    local pipe = assert(io.popen(("exec %s %s 2>/dev/null"):format(arg[-1], file)))
    assert.equal("started", pipe:read("*l"))
    -- The server shares this pipe: it ends when the server has ended.
    pipe:read("*a")
    pipe:close()
    os.remove(file)
    assert.is_true(is_gone(path))
    os.remove(path)
  end)
end)
