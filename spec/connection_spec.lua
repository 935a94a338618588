-- What a connection of the pump tells beside sending messages.
local certs = require("spec.support.certs")
local connection = require("spec.support.connection")
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
