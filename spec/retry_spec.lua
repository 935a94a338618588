local errors = require("qqmail.errors")
local retry = require("qqmail.retry")

local function err(fields)
  local spec = { kind = "reject", code = "reject.not_now", retry = "later", phase = "mail",
    text = "no" }
  for key, value in pairs(fields or {}) do
    spec[key] = value
  end
  return errors.new(spec)
end

local POLICY = { attempts = 3, base = 1, cap = 30, jitter = 0, budget = 60,
  when_unknown = "stop" }

local function policy(more)
  local out = {}
  for _, from in ipairs({ POLICY, more or {} }) do
    for key, value in pairs(from) do
      out[key] = value
    end
  end
  return out
end

local function never_asked()
  error("no wait, no chance")
end

local function half()
  return 0.5
end

-- What comes of an error after `attempt` tries and `waited` seconds of waiting.
local function decide(fields, more, attempt, waited, random)
  local state = { err = err(fields), attempt = attempt or 1, waited = waited or 0 }
  return retry.decide(policy(more), state, random or half)
end

local function stops(reason, ...)
  local wait, why = decide(...)
  assert.is_nil(wait)
  assert.equal(reason, why)
end

describe("retry.decide", function()
  it("does nothing without a policy", function()
    assert.same({ nil, "off" }, { retry.decide(false, { err = err(), attempt = 1, waited = 0 },
      never_asked) })
  end)

  it("waits twice as long each time, up to the cap", function()
    for attempt, seconds in ipairs({ 1, 2, 4, 8, 16, 30, 30 }) do
      assert.equal(seconds, decide({}, { attempts = 100, budget = 1e9 }, attempt))
    end
    assert.equal(30, decide({}, { attempts = 100, budget = 1e9 }, 99))
  end)

  it("waits at least as long as the provider wants, beyond the cap as well", function()
    assert.equal(45, decide({ retry_after = 45 }))
    assert.equal(4, decide({ retry_after = 2 }, { attempts = 9 }, 3))
  end)

  it("adds jitter to a wait", function()
    assert.equal(2, decide({}, { jitter = 2 }))
    assert.equal(46, decide({ retry_after = 45 }, { jitter = 2 }))
    assert.equal(1, decide({}, { jitter = 2 }, 1, 0, function()
      return 0
    end))
  end)

  it("tries at once what can be tried now, the first time", function()
    assert.equal(0, decide({ retry = "now" }, { jitter = 5 }, 1, 0, never_asked))
    assert.equal(2, decide({ retry = "now" }, nil, 2))
  end)

  it("never begins a wait that would pass the budget", function()
    assert.equal(2, decide({}, { budget = 5 }, 2, 3))
    stops("budget", {}, { budget = 5 }, 2, 3.5)
    stops("budget", { retry_after = 3600 })
    stops("budget", {}, { jitter = 1, budget = 1 })
    assert.equal(0, decide({ retry = "now" }, { budget = 0 }, 1, 0, never_asked))
  end)

  it("stops after the last attempt", function()
    assert.equal(2, decide({}, nil, 2))
    stops("attempts", {}, nil, 3)
    stops("attempts", {}, { attempts = 1 }, 1)
    stops("attempts", { retry_after = 3600 }, nil, 3)
  end)

  it("stops where another try cannot help", function()
    stops("never", { retry = "never" })
    stops("never", { kind = "cancelled", code = "cancelled", retry = "now" })
    stops("never", { kind = "cancelled", code = "cancelled", delivered = "unknown" },
      { when_unknown = "retry" })
  end)

  it("never tries a login again, whatever the error says", function()
    for _, answer in ipairs({ "now", "later", "never" }) do
      stops("auth", { kind = "auth", code = "auth.not_now", phase = "auth", retry = answer })
    end
    stops("auth", { kind = "auth", code = "auth.refused", phase = "auth",
      delivered = "unknown" }, { when_unknown = "retry" })
  end)

  it("tries a login that got no answer once more, and not at once", function()
    local silent = { kind = "timeout", code = "timeout.reply", phase = "auth" }
    for _, answer in ipairs({ "now", "later" }) do
      silent.retry = answer
      assert.is_true(decide(silent, { jitter = 0 }, 1) > 0)
      stops("auth", silent, nil, 2)
    end
    silent.retry = "never"
    stops("auth", silent)
  end)

  it("sends again what may have been delivered only when told to", function()
    local unknown = { kind = "closed", code = "closed.by_server", phase = "final",
      delivered = "unknown", retry = "never" }
    stops("unknown", unknown)
    assert.equal(1, decide(unknown, { when_unknown = "retry" }))
    unknown.retry = "now"
    stops("unknown", unknown)
    assert.equal(1, decide(unknown, { when_unknown = "retry" }))
  end)

  it("goes by the class of the error, not by the digit of the reply", function()
    local function smtp(code)
      return { code = code, text = "x" }
    end
    assert.equal(1, decide({ kind = "rate", code = "rate.frequency_limited", smtp = smtp(550) }))
    stops("never", { kind = "sender", code = "sender.not_login", smtp = smtp(440),
      retry = "never" })
  end)
end)

describe("retry.deferred", function()
  it("lists the recipients that may be tried again", function()
    assert.same({ "b@x.org", "d@x.org" }, retry.deferred({
      { address = "a@x.org", code = 550, text = "no", retry = "never" },
      { address = "b@x.org", code = 450, text = "grey", retry = "later" },
      { address = "c@x.org", code = 450, text = "for ever", retry = "never" },
      { address = "d@x.org", code = 550, text = "again", retry = "now" },
    }))
    assert.same({}, retry.deferred({}))
    assert.same({}, retry.deferred(nil))
  end)
end)

describe("retry.is_of_account", function()
  local function judged(kind, phase, more)
    local spec = { kind = kind, code = kind .. ".x", phase = phase }
    for key, value in pairs(more or {}) do
      spec[key] = value
    end
    return { retry.is_of_account(err(spec)) }
  end

  -- One column for each phase; "*": of the account, ".": not.
  local PHASES = { "config", "resolve", "connect", "proxy", "tls", "greeting", "ehlo", "starttls",
    "auth", "mail", "rcpt", "data", "body", "final", "quit" }
  local TABLE = {
    resolve =   ". * * * * * * * * * * * * * *",
    connect =   ". * * * * * * * * * * * * * *",
    tls =       ". * * * * * * * * * * * * * *",
    timeout =   ". * * * * * * * * * * * * * *",
    closed =    ". * * * * * * * * * * * * * *",
    auth =      ". * * * * * * * * * . * * . *",
    rate =      ". * * * * * * * * * . * * . *",
    protocol =  ". * * * * * * * * * . * * . *",
    reject =    ". * * * * * * * * . . . . . .",
    config =    ". . . . . . . . . . . . . . .",
    message =   ". . . . . . . . . . . . . . .",
    sender =    ". . . . . . . . . . . . . . .",
    recipient = ". . . . . . . . . . . . . . .",
    content =   ". . . . . . . . . . . . . . .",
    cancelled = ". . . . . . . . . . . . . . .",
    limit =     ". . . . . . . . . . . . . . .",
  }

  for kind in pairs(errors.kinds) do
    it("knows each phase of the kind " .. kind, function()
      local column = 0
      for mark in TABLE[kind]:gmatch("%S") do
        column = column + 1
        local is = mark == "*"
        assert.same({ is, is }, judged(kind, PHASES[column]), PHASES[column])
      end
      assert.equal(#PHASES, column)
    end)

    it("says no to an unknown delivery of the kind " .. kind, function()
      for _, phase in ipairs(PHASES) do
        assert.same({ false, false }, judged(kind, phase, { delivered = "unknown" }))
      end
    end)
  end

  it("knows a server that leaves, whatever it was asked", function()
    for _, phase in ipairs({ "greeting", "ehlo", "auth", "mail", "rcpt", "data", "final" }) do
      assert.same({ true, true }, judged("reject", phase, { code = "reject.closing" }))
      assert.same({ true, true }, judged("rate", phase, { code = "rate.too_many_connections" }))
    end
  end)

  it("lets another server have what this one does not offer", function()
    for _, name in ipairs({ "smtputf8_required", "eightbit_required",
      "dsn_not_offered", "require_tls_not_offered", "require_tls_unverified" }) do
      assert.same({ true, false }, judged("message", "mail", { code = "message." .. name }))
    end
  end)

  it("leaves greylisting to the recipient", function()
    assert.same({ false, false },
      judged("recipient", "rcpt", { code = "recipient.greylisted", retry_after = 300 }))
  end)

  it("passes on what its own limit holds back, and blames nobody", function()
    assert.same({ true, false }, judged("rate", "config", { code = "rate.own_limit" }))
  end)
end)
