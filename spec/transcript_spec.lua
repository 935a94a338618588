-- Every error says what led to it: the lines of the dialogue, or, where there was
-- none, what was tried before. Errors that follow from an earlier one hand on its
-- lines. The same is asked of every driver by spec/support/send_suite.lua.
local qqmail = require("qqmail")
local reasons = require("qqmail.io.reasons")
local send = require("spec.support.send")

local has = send.has

local function text_of(err)
  return qqmail.errors.transcript(err)
end

-- The end of what was remarked.
local function last_remark(err)
  local remarks = send.said(err.transcript, "*")
  return remarks[#remarks]
end

describe("the transcript of an error", function()
  after_each(send.stop)

  it("has the name that was looked up and each address that was tried", function()
    local lines = {}
    local target = { host = "mx.test", port = 465, note = function(line)
      lines[#lines + 1] = line
    end }
    reasons.note_resolved(target, { { address = "203.0.113.5" }, { address = "2001:db8::5" } })
    reasons.note_tried(target, "203.0.113.5", "connection timed out")
    reasons.note_tried(target, "2001:db8::5")
    reasons.note_tried(target, "unix:/run/mx", "no such file or directory")
    reasons.note_resolved({ host = "mx.test", note = target.note }, nil, "no such host")
    reasons.note_resolved({ host = "127.0.0.1", note = target.note }, { { address = "127.0.0.1" } })
    assert.same({ "resolve mx.test: 203.0.113.5 2001:db8::5",
      "connect 203.0.113.5:465: connection timed out", "connected [2001:db8::5]:465",
      "connect unix:/run/mx: no such file or directory", "resolve mx.test: no such host" }, lines)
  end)

  it("says why a name has no address", function()
    local server = send.server()
    -- RFC 2606 section 2, and too long for the name service to be asked.
    local mailer = send.mailer(server, { host = ("a"):rep(63) .. "." .. ("b."):rep(90) .. "test" })
    local err = send.bad(mailer, { kind = "resolve", phase = "resolve" })
    has(text_of(err), "*: resolve aaa")
  end)

  it("says what became of a socket", function()
    local server = send.server()
    local mailer = send.mailer(server, { socket = "/nonexistent/mx", host = false or nil })
    mailer.settings.host = nil
    local err = send.bad(mailer, { kind = "connect" })
    assert.equal("connect unix:/nonexistent/mx: no such file", last_remark(err))
  end)

  it("tells of the handshake, good or bad", function()
    for mode, at in pairs({ implicit = 2, starttls = nil }) do
      local server = send.server({ mode = mode, replies = { rcpt = "550 5.1.1 no" } })
      local err = send.bad(send.mailer(server), { kind = "recipient" })
      local remarks = send.said(err.transcript, "*")
      assert.equal("connected " .. server.host .. ":" .. server.port, remarks[1])
      has(remarks[at], "tls handshake: TLSv1.")
      local bad = send.server({ mode = mode, cert = "expired" })
      err = send.bad(send.mailer(bad), { code = "tls.expired" })
      has(text_of(err), "*: tls handshake: certificate expired on 2020")
    end
  end)

  it("tells how the connection ended", function()
    local hasty = { timeout = { reply = 0.2, final = 0.2 } }
    for how, remark in pairs({ fin = "the server closed the connection",
      stall = "no answer in time" }) do
      for _, at in ipairs({ "greeting", "ehlo", "auth", "mail", "rcpt", "data", "dot" }) do
        local server = send.server({ drop_at = at, how = how })
        server:set({ drop_at = at, how = how })
        local receipt, err = send.mailer(server, hasty):send(send.message())
        assert.is_nil(receipt)
        has(text_of(err), "*: " .. remark)
        assert.equal("connected " .. server.host .. ":" .. server.port, err.transcript[1].line)
      end
    end
  end)

  it("is short, and ends with the end", function()
    local long = {}
    for i = 1, 100 do
      long[i] = "250-X" .. i
    end
    long[101] = "250 AUTH PLAIN\r\n"
    local server = send.server({ replies = { ehlo = { raw = table.concat(long, "\r\n") },
      mail = "550 5.7.1 no" } })
    local err = send.bad(send.mailer(server))
    assert.is_true(#err.transcript <= 48)
    has(text_of(err), "S: 550 5.7.1 no")
  end)

  it("is empty where nothing was tried", function()
    local _, err = qqmail.new({ host = "mx.test", port = "many" })
    assert.same({}, err.transcript)
    assert.equal("", text_of(err))
    local server = send.server()
    err = send.bad(send.mailer(server), { kind = "message" }, { to = "nobody" })
    assert.same({}, err.transcript)
    assert.same({}, server:connections())
  end)

  it("is that of the refusal where a login is not tried again", function()
    local server = send.server({ users = {} })
    server:set({ users = {} })
    local mailer = send.mailer(server)
    local first = send.bad(mailer, { kind = "auth" })
    local second = send.bad(mailer, { kind = "auth" })
    assert.is_true(second.not_tried)
    assert.equal(first.code, second.because)
    assert.equal(text_of(first):match("[^\n]*S: 535[^\n]*"),
      text_of(second):match("[^\n]*S: 535[^\n]*"))
    has(text_of(second), "S: 535")
  end)

  it("is that of the last failure where a breaker is open", function()
    local server = send.server()
    local mailer = send.mailer(server, { breaker = { failures = 1, pause = 60 } })
    server:stop()
    local first = send.bad(mailer, { kind = "connect" })
    local second = send.bad(mailer, { code = "closed.breaker" })
    assert.equal(first.code, second.because)
    assert.same(first.transcript, second.transcript)
  end)

  it("is that of the last try where the time is over", function()
    local server = send.server({ replies = { mail = "451 4.3.0 try later" } })
    local is_enough = false
    local mailer = send.mailer(server, { retry = { attempts = 9, base = 0, jitter = 0 },
      on = { retry = function() is_enough = true end } })
    local err = send.bad(mailer, { kind = "cancelled" }, send.message({ cancel = function()
      return is_enough
    end }))
    has(text_of(err), "S: 451 4.3.0 try later")
    assert.is_truthy(err.because)
  end)

  it("is that of the last account where all have failed", function()
    local first = send.server({ replies = { mail = "451 4.3.0 first" } })
    local second = send.server({ replies = { greeting = "421 4.3.0 second" } })
    local spare = send.options(second)
    spare.retry, spare.lang, spare.timeout = nil, nil, nil
    local err = send.bad(send.mailer(first, { failover = { spare }, breaker = false }))
    assert.is_true(#err.transcript > 0)
    has(text_of(err), err.smtp.text)
  end)
end)
