--- What an error of a sending carries beside its text.
local send = require("spec.support.send")

describe("the error of a sending", function()
  after_each(send.stop)

  it("has the outcome of each recipient when all were refused", function()
    local server = send.server({ replies = { rcpt = {
      ["a@test.local"] = "550 5.1.1 no such user", ["b@test.local"] = "451 4.2.1 later",
    } } })
    local err = send.bad(send.mailer(server), { kind = "recipient", phase = "rcpt",
      delivered = "no", attempts = 1 }, send.message({ to = { "a@test.local", "b@test.local" } }))
    assert.equal(2, #err.recipients)
    local first, second = err.recipients[1], err.recipients[2]
    assert.same({ "a@test.local", 550, "5.1.1", "no such user", "never" },
      { first.address, first.code, first.enhanced, first.text, first.retry })
    assert.same({ "b@test.local", 451, "4.2.1", "later", "later" },
      { second.address, second.code, second.enhanced, second.text, second.retry })
  end)

  it("has the refused recipients beside the refusal of the message", function()
    local server = send.server({ replies = { rcpt = { ["a@test.local"] = "550 5.1.1 no" },
      dot = "554 5.7.1 spam" } })
    local err = send.bad(send.mailer(server), { phase = "final", delivered = "no" },
      send.message({ to = { "a@test.local", "b@test.local" } }))
    assert.equal(1, #err.recipients)
    assert.equal("a@test.local", err.recipients[1].address)
    assert.same({ 554, "5.7.1" }, { err.smtp.code, err.smtp.enhanced })
  end)

  it("has no recipients when none was asked about", function()
    local server = send.server({ replies = { mail = "550 5.7.1 no" }, pipelining = false })
    assert.is_nil(send.bad(send.mailer(server), { kind = "sender" }).recipients)
  end)
end)
