--- What no message may do to another one: cases in which that once went wrong.
local all = require("spec.support.send_all")
local net = require("qqmail.net")
local qqmail = require("qqmail")
local send = require("spec.support.send")

describe("messages that meet", function()
  after_each(send.stop)

  it("go on behind a refusal where RSET does harm", function()
    local server = send.server({ delay = { data = 0.1 },
      replies = { rcpt = { ["no@test.local"] = "550 5.1.1 no such user" } } })
    local mailer = send.mailer(server, { window = 0 })
    mailer.settings.quirks.no_reset = true
    local _, summary = all.run(mailer, all.messages(4, function(message, index)
      message.to = index == 2 and "no@test.local" or message.to
      return message
    end))
    assert.same({ 3, 1 }, { summary.sent, summary.failed })
  end)

  it("do not share the one reader of an attachment", function()
    local server, pieces = send.server(), { "text" }
    local message = assert(qqmail.message(send.message({ from = send.USER,
      attachments = { { name = "x", read = function() return table.remove(pieces) end } } })))
    local results = all.run(send.mailer(server, { window = 3 }), { message, message })
    assert.is_table(results[1].receipt)
    assert.equal("message.not_repeatable", results[2].err.code)
    assert.equal(1, #server:messages())
  end)

  it("are taken once where the first chunk gets a 500", function()
    local server = send.server({ chunking = true, delay = { dot = 0.1 },
      replies = { dot = { "500 5.5.2 line too long" } } })
    all.all(send.mailer(server, { window = 3 }), all.messages(4))
    all.arrived_once(server, 4)
  end)

  it("keep their own text when a table is used again", function()
    local server = send.server()
    local spare = send.options(server, { from = "Other <o@qq.com>" })
    spare.retry, spare.timeout, spare.lang = nil, nil, nil
    local mailer = send.mailer(send.server({ drop_at = "mail" }), { window = 3,
      failover = { spare } })
    local message, n = send.message(), 0
    mailer:send_all(function()
      n = n + 1
      message.to, message.subject = ("r%d@test.local"):format(n), "s" .. n
      return n <= 4 and message or nil
    end)
    assert.equal(4, #server:messages())
    for _, got in ipairs(server:messages()) do
      send.has(got.data, "Subject: s" .. got.to[1]:match("%d"))
    end
  end)

  it("get the place of one that ends after mailer:close", function()
    local server = send.server({ delay = { dot = 0.3 } })
    local mailer = send.mailer(server, { pool = { max = 1 }, timeout = { total = 5 } })
    send.in_loop(function(io)
      mailer.settings.io = io
      send.good(mailer)
    end, function()
      send.good(mailer)
    end, function(io)
      io.sleep(0.1)
      mailer:close()
    end)
    assert.same({ used = 0, idle = 0 }, mailer:stats().connections)
  end)

  it("wait for a turn no longer than their deadline", function()
    local mailer = send.mailer(send.server(), { rate = { 1, per = 3 } })
    send.good(mailer)
    local began = net.now()
    send.bad(mailer, { delivered = "no" }, send.message({ deadline = 0.2 }))
    assert.is_true(net.now() - began < 1)
  end)

  it("may be sent while another list is, from on_result", function()
    local server = send.server({ delay = { dot = 0.02 } })
    local mailer = send.mailer(server, { pool = { max = 2 }, timeout = { total = 5 } })
    local n, inner = 0, nil
    local outer = mailer:send_all(all.messages(16), { on_result = function()
      n = n + 1
      inner = n == 8 and mailer:send_all(all.messages(16)) or inner
    end })
    assert.same({ 16, 16 }, { outer.sent, inner.sent })
  end)
end)
