local errors = require("qqmail.errors")
local policy = require("qqmail.outbox.policy")

local function decide(fields, entry, failures)
  local spec = { kind = "reject", code = "x.y", retry = "later", phase = "final", text = "no" }
  for key, value in pairs(fields) do
    spec[key] = value
  end
  local state = { tries = 1, unknown = 0 }
  for key, value in pairs(entry or {}) do
    state[key] = value
  end
  return policy.decide(errors.new(spec), state, failures or 0)
end

local GIVE_UP = { drop = true }

describe("the policy of the outbox", function()
  it("gives a mail up only for what the server says of that mail", function()
    for _, kind in ipairs({ "sender", "recipient", "content", "reject" }) do
      assert.same(GIVE_UP, decide({ kind = kind, retry = "never" }), kind)
    end
    assert.same(GIVE_UP, decide({ kind = "message", retry = "never", phase = "config" }))
    for _, phase in ipairs({ "connect", "tls", "greeting", "ehlo", "starttls", "auth" }) do
      assert.same({ account = policy.mend },
        decide({ kind = "reject", retry = "never", phase = phase }), phase)
    end
  end)

  it("holds up all mails longer each time while nothing can be sent", function()
    for failures, seconds in pairs({ [0] = 1, [1] = 2, [5] = 32, [6] = 60, [1000] = 60 }) do
      assert.same({ account = seconds },
        decide({ kind = "connect", phase = "connect" }, nil, failures))
      assert.same({ account = seconds },
        decide({ kind = "closed", phase = "greeting", retry = "now" }, { tries = 9 }, failures))
    end
  end)

  it("keeps to the time the provider asks for", function()
    assert.same({ account = 1800 }, decide({ kind = "rate", phase = "mail", retry_after = 1800 }))
    assert.same({ mail = 1800 }, decide({ kind = "rate", phase = "rcpt", retry_after = 1800 }))
  end)

  it("never lets one recipient hold up the others", function()
    for _, kind in ipairs({ "auth", "rate", "reject", "recipient", "protocol" }) do
      for _, retry in ipairs({ "now", "later", "never" }) do
        local what = decide({ kind = kind, phase = "rcpt", retry = retry })
        assert.is_nil(what.account)
      end
    end
    assert.same({ mail = policy.mend }, decide({ kind = "auth", phase = "rcpt", retry = "never" }))
    assert.same(GIVE_UP, decide({ kind = "recipient", phase = "rcpt", retry = "never" }))
  end)

  it("lets others go on where one mail needs an account that cannot be used", function()
    assert.same({ mail = policy.mend },
      decide({ kind = "auth", phase = "auth", retry = "never", of_mail = true }))
    for tries, seconds in pairs({ 60, 120 }) do
      assert.same({ mail = seconds }, decide({ kind = "connect", phase = "connect",
        of_mail = true }, { tries = tries }))
    end
    assert.same(GIVE_UP, decide({ kind = "message", phase = "mail", retry = "never",
      of_mail = true }))
  end)

  it("puts off a mail longer each time, up to an hour", function()
    for tries, seconds in pairs({ 60, 120, 240, [7] = 3600, [500] = 3600 }) do
      assert.same({ mail = seconds }, decide({ kind = "recipient", phase = "rcpt" },
        { tries = tries }))
    end
  end)

  it("sends a mail of unknown fate a few times, ever more seldom", function()
    local fate = { kind = "closed", delivered = "unknown", retry = "never" }
    assert.same({ mail = 60, account = 1 }, decide(fate, { unknown = 1 }))
    assert.same({ mail = 480, account = 1 }, decide(fate, { unknown = 4 }))
    assert.same(GIVE_UP, decide(fate, { unknown = 5 }))
  end)

  it("lets others go first when the server breaks on one mail again", function()
    local fault = { kind = "timeout", phase = "body" }
    assert.same({ account = 1 }, decide(fault, { tries = 1 }))
    assert.same({ account = 1, mail = 60 }, decide(fault, { tries = 2 }))
  end)
end)
