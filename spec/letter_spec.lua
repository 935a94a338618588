local dkim = require("qqmail.dkim")
local errors = require("qqmail.errors")
local letter = require("qqmail.letter")
local messages = require("qqmail.message")
local qqmail = require("qqmail")

local POLICY = { attempts = 4, base = 1, cap = 100, jitter = 0, budget = 1000,
  when_unknown = "stop" }
local ABC = { "a@test.local", "b@test.local", "c@test.local" }
local A, B, C = ABC[1], ABC[2], ABC[3]
local UNSIGNED = dkim.signer({})

local function policy(more)
  return setmetatable(more or {}, { __index = POLICY })
end

local function new(more, spec)
  spec = spec or { from = "me@test.local", to = ABC, subject = "s", text = "t" }
  return letter.new(assert(qqmail.message(spec)), spec, policy(more), UNSIGNED)
end

local function none()
  return 0
end

local function row(address, retry, more)
  local out = { address = address, code = retry == "never" and 550 or 451, text = "no " .. address,
    retry = retry }
  for key, value in pairs(more or {}) do
    out[key] = value
  end
  return out
end

local function receipt(accepted, rejected)
  return { accepted = accepted, rejected = rejected or {}, attempts = 1 }
end

local function failure(more)
  local spec = { kind = "reject", code = "reject.not_now", retry = "later", phase = "mail",
    delivered = "no", text = "no" }
  for key, value in pairs(more or {}) do
    spec[key] = value
  end
  return errors.new(spec)
end

-- A try of a letter and what it came to.
local function try(self, got, err)
  self.tries = self.tries + 1
  return self:settle(got, err, none)
end

local function addresses(rows)
  local out = {}
  for index, one in ipairs(rows) do
    out[index] = one.address
  end
  return out
end

describe("qqmail.letter", function()
  it("is over when all got it", function()
    local self = new()
    assert.is_nil(try(self, receipt(ABC)))
    local got, err = self:result()
    assert.is_nil(err)
    assert.same(ABC, got.accepted)
    assert.same({}, got.rejected)
    assert.equal(1, got.attempts)
  end)

  it("is over when nobody may try again", function()
    local self = new()
    assert.is_nil(try(self, nil, failure({ retry = "never" })))
    local got, err = self:result()
    assert.is_nil(got)
    assert.equal(1, err.attempts)
    assert.equal("no", err.delivered)
    assert.is_nil(err.recipients)
  end)

  it("goes on with those who were put off, and only with them", function()
    local self = new()
    assert.equal(1, try(self, receipt({ B }, { row(A, "later"), row(C, "never") })))
    assert.same({ A }, self.to)
    assert.is_nil(try(self, receipt({ A })))
    local got = self:result()
    assert.same({ A, B }, got.accepted)
    assert.same({ C }, addresses(got.rejected))
    assert.equal(2, got.attempts)
  end)

  it("waits as long as the most patient of them asks", function()
    local self = new()
    assert.equal(70, try(self, receipt({}, { row(A, "later", { retry_after = 30 }),
      row(B, "later", { retry_after = 70 }), row(C, "never", { retry_after = 500 }) })))
    assert.same({ A, B }, self.to)
  end)

  it("goes on with all but those who were refused when it was refused whole", function()
    local self = new()
    assert.equal(1, try(self, nil, failure({ recipients = { row(B, "never") } })))
    assert.same({ A, C }, self.to)
    assert.is_nil(try(self, receipt({ A, C })))
    local got = self:result()
    assert.same({ A, C }, got.accepted)
    assert.same({ B }, addresses(got.rejected))
  end)

  it("goes on with the put off ones when every recipient was refused", function()
    local self = new()
    assert.equal(1, try(self, nil, failure({ kind = "recipient", retry = "never", phase = "rcpt",
      recipients = { row(A, "never"), row(B, "later"), row(C, "never") } })))
    assert.same({ B }, self.to)
    assert.is_nil(try(self, receipt({ B })))
    local got = self:result()
    assert.same({ B }, got.accepted)
    assert.same({ A, C }, addresses(got.rejected))
    assert.equal(2, got.attempts)
  end)

  it("keeps its receipt when a later try fails", function()
    local self = new()
    try(self, receipt({ A }, { row(B, "later"), row(C, "later") }))
    try(self, nil, failure({ kind = "connect", phase = "connect", retry = "later" }))
    assert.is_nil(try(self, nil, failure({ retry = "never" })))
    local got, err = self:result()
    assert.is_nil(err)
    assert.same({ A }, got.accepted)
    assert.same({ B, C }, addresses(got.rejected))
    assert.equal("later", got.rejected[1].retry)
    assert.equal(3, got.attempts)
  end)

  it("tells the last word on a recipient", function()
    local self = new()
    try(self, receipt({ A, C }, { row(B, "later") }))
    try(self, nil, failure({ kind = "recipient", phase = "rcpt",
      recipients = { row(B, "never", { text = "gone" }) } }))
    local got = self:result()
    assert.equal("gone", got.rejected[1].text)
    assert.is_nil(got.rejected[2])
  end)

  it("waits longer each time, and counts what it waited", function()
    local self = new()
    assert.equal(1, try(self, nil, failure()))
    assert.equal(2, try(self, nil, failure()))
    assert.equal(4, try(self, nil, failure()))
    assert.equal(7, self.waited)
    assert.is_nil(try(self, nil, failure()))
    assert.equal(4, select(2, self:result()).attempts)
  end)

  it("says how long it would have had to wait", function()
    local self = new()
    local seconds = try(self, nil, failure())
    self:give_up(seconds)
    assert.equal(1, select(2, self:result()).retry_after)
    self = new()
    seconds = try(self, nil, failure({ retry_after = 30 }))
    self:give_up(seconds)
    assert.equal(30, select(2, self:result()).retry_after)
    self = new()
    seconds = try(self, receipt({ A, B }, { row(C, "later") }))
    self:give_up(seconds)
    assert.same({ A, B }, self:result().accepted)
  end)

  describe("of which nobody knows whether it arrived", function()
    local function lost(more)
      local spec = { kind = "closed", code = "closed.x", phase = "final", delivered = "unknown",
        retry = "never" }
      for key, value in pairs(more or {}) do
        spec[key] = value
      end
      return failure(spec)
    end

    it("stops", function()
      local self = new()
      assert.is_nil(try(self, nil, lost()))
      local _, err = self:result()
      assert.equal("unknown", err.delivered)
      assert.equal("never", err.retry)
    end)

    it("goes on where a second copy is wanted, and is known to have arrived then", function()
      local self = new({ when_unknown = "retry" })
      assert.equal(1, try(self, nil, lost()))
      assert.same(ABC, self.to)
      assert.is_nil(try(self, receipt(ABC)))
      local got = self:result()
      assert.same(ABC, got.accepted)
      assert.same({}, got.rejected)
    end)

    it("is never said not to have arrived later", function()
      local self = new({ when_unknown = "retry" })
      try(self, nil, lost())
      assert.is_nil(try(self, nil, failure({ retry = "never" })))
      local _, err = self:result()
      assert.equal("unknown", err.delivered)
      assert.equal("never", err.retry)
      assert.equal("reject.not_now", err.code)
    end)

    it("leaves a recipient unknown that is refused later", function()
      local self = new({ when_unknown = "retry" })
      try(self, nil, lost())
      try(self, receipt({ A, C }, { row(B, "never") }))
      local got = self:result()
      assert.same({ A, C }, got.accepted)
      assert.equal(B, got.rejected[1].address)
      assert.equal("unknown", got.rejected[1].delivered)
      assert.equal("never", got.rejected[1].retry)
    end)

    it("was not delivered to those who were refused before", function()
      local self = new()
      try(self, nil, lost({ recipients = { row(B, "never") } }))
      local _, err = self:result()
      assert.equal("unknown", err.delivered)
      local by_address = {}
      for _, one in ipairs(err.recipients) do
        by_address[one.address] = one
      end
      assert.equal("unknown", by_address[A].delivered)
      assert.is_nil(by_address[B].delivered)
      assert.equal(550, by_address[B].code)
      assert.equal("unknown", by_address[C].delivered)
    end)

    it("tells of each recipient beside a receipt", function()
      local self = new({ when_unknown = "retry" })
      try(self, receipt({ A }, { row(B, "later"), row(C, "later") }))
      try(self, nil, lost())
      try(self, nil, failure({ retry = "never" }))
      local got = self:result()
      assert.same({ A }, got.accepted)
      assert.same({ B, C }, addresses(got.rejected))
      for _, one in ipairs(got.rejected) do
        assert.equal("unknown", one.delivered)
      end
    end)
  end)

  describe("for another account", function()
    local OTHER = { from = { address = "other@test.local" }, lang = "en" }

    it("is the same when it names its sender", function()
      local self = new()
      assert.equal(self.built, self:built_for(OTHER, false))
    end)

    it("is built once, with the same Message-ID, when it names none", function()
      local spec = { to = A, subject = "s", text = "t" }
      local first = assert(qqmail.new({ host = "h.test", tls = "none", from = "first@test.local" }))
      local other = assert(qqmail.new({ host = "h.test", tls = "none", from = "other@test.local" }))
      local self = letter.new(assert(messages.new(spec, first.settings)), spec, POLICY, UNSIGNED)
      assert.equal(self.built, self:built_for(first.settings, true))
      local built = assert(self:built_for(other.settings, false))
      assert.equal(built, self:built_for(other.settings, false))
      assert.equal(self.built.id, built.id)
      assert.equal("first@test.local", self.built.envelope.from)
      assert.equal("other@test.local", built.envelope.from)
      assert.is_truthy(tostring(built):find("From: other@test.local", 1, true))
    end)
  end)
end)
