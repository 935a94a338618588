--- Options that are taken must change what is sent: each is seen at the server.
local certs = require("spec.support.certs")
local send = require("spec.support.send")
local shell = require("spec.support.shell")

local function first_said(server, pattern)
  return send.heard(server):match(pattern)
end

describe("an option reaches the server:", function()
  after_each(send.stop)

  it("hostname", function()
    local server = send.server()
    send.good(send.mailer(server, { hostname = "me.test" }))
    assert.equal("me.test", first_said(server, "EHLO (%S+)"))
  end)

  it("hostname, which tells nothing by default", function()
    local server = send.server()
    send.good(send.mailer(server))
    assert.equal("[127.0.0.1]", first_said(server, "EHLO (%S+)"))
  end)

  it("source_ip", function()
    local server = send.server()
    send.good(send.mailer(server, { source_ip = "127.0.0.2" }))
    assert.equal("127.0.0.2", server:connections()[1].peer:match("^[%d.]+"))
  end)

  it("smtputf8 = false", function()
    local server = send.server()
    local message = send.message({ to = "用户@test.local" })
    send.bad(send.mailer(server, { smtputf8 = false }), { code = "message.smtputf8_required" },
      message)
    assert.equal(0, send.count(server, "MAIL"))
    send.good(send.mailer(server), message)
    assert.is_truthy(first_said(server, "MAIL [^\n]* SMTPUTF8"))
  end)

  it("pipelining = false", function()
    local refusal = { replies = { mail = "550 5.7.1 no" } }
    local server = send.server(refusal)
    send.bad(send.mailer(server, { pipelining = false }), { kind = "sender" })
    assert.equal(0, send.count(server, "RCPT"))
    server = send.server(refusal)
    send.bad(send.mailer(server), { kind = "sender" })
    assert.equal(1, send.count(server, "RCPT"))
  end)

  it("tls_options.ca_path", function()
    local folder, remove = shell.folder()
    shell.run(("cp %s %s/ca.pem && openssl rehash %s"):format(certs.path("ca.pem"), folder, folder))
    local server = send.server({ mode = "implicit" })
    local options = send.options(server)
    options.tls_options = { ca_path = folder }
    local mailer = assert(require("qqmail").new(options))
    local receipt, err = mailer:send(send.message())
    mailer:close()
    remove()
    assert.is_table(receipt, tostring(err))
  end)
end)

describe("8BITMIME", function()
  after_each(send.stop)

  local message = send.message({ text = ("一封测试邮件。\n"):rep(20) })

  it("is used where it is offered", function()
    local server = send.server()
    send.good(send.mailer(server), message)
    send.has(first_said(server, "MAIL [^\n]*"), "BODY=8BITMIME")
    send.has(server:messages()[1].data, "一封测试邮件")
  end)

  it("is not used where it is not", function()
    local server = send.server({ eightbitmime = false })
    send.good(send.mailer(server), message)
    send.lacks(first_said(server, "MAIL [^\n]*"), "BODY")
    assert.is_nil(server:messages()[1].data:find("[\128-\255]"))
  end)
end)
