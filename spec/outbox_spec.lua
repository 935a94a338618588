--- The queue behind `notify` in memory, without network.
local policy = require("qqmail.outbox.policy")
local qqmail = require("qqmail")
local worlds = require("spec.support.outbox_world")

local accept, drain, failure = worlds.accept, worlds.drain, worlds.failure
local has_text, world = worlds.has_text, worlds.world

describe("the outbox", function()
  it("sends what it took, in order", function()
    local self = world()
    assert(accept(self, "1"))
    assert(accept(self, "2"))
    assert.equal(2, self.box:waiting())
    assert.is_nil(drain(self))
    assert.same({ "1>a@test.local", "2>a@test.local" }, self.sent)
    assert.same({ "sent", "sent" }, self.told)
    assert.is_true(self.box:is_idle())
    assert.equal(0, self.box.bytes)
    assert.equal(0, self.box.memory)
  end)

  it("refuses what it has no room for", function()
    local self = world({ max = 2 })
    accept(self, "1")
    accept(self, "2")
    local ok, err = accept(self, "3")
    assert.is_nil(ok)
    assert.equal("outbox.full", err.code)
    assert.equal("later", err.retry)
    drain(self)
    assert.equal(2, #self.sent)
    assert.is_true(accept(self, "3"))
  end)

  it("counts bytes as well as mails", function()
    local self = world({ bytes = 5000 })
    assert(accept(self, "1", { text = ("x"):rep(3000) }))
    assert.is_nil((accept(self, "2", { text = ("x"):rep(3000) })))
    assert(accept(self, "3"))
  end)

  it("gives up the oldest where that is wanted, and says so", function()
    local self = world({ max = 2, overflow = "drop_oldest" })
    for subject = 1, 4 do
      assert(accept(self, tostring(subject)))
    end
    assert.same({ "outbox.full", "outbox.full" }, self.told)
    drain(self)
    assert.same({ "3>a@test.local", "4>a@test.local" }, self.sent)
    assert.equal(2, self.box.counts.dropped)
  end)

  it("reads an attachment from a function once, when it takes the message", function()
    local self = world()
    local pieces = { "one", "two" }
    assert(accept(self, "read", { attachments = { { name = "x", read = function()
      return table.remove(pieces, 1)
    end } } }))
    assert.same({}, pieces)
    self.answer = function()
      return nil, failure("closed", "now")
    end
    drain(self)
    self.now = 100
    self.answer = function()
      return { rejected = {} }
    end
    drain(self)
    assert.equal(2, #self.sent)
    assert.same({ "sent" }, self.told)
  end)

  describe("after a failure", function()
    local function fails_with(err, more)
      local self = world(more)
      self.answer = function()
        return nil, err
      end
      assert(accept(self, "1"))
      assert(accept(self, "2"))
      return self, drain(self)
    end

    it("of the network waits with all mails, longer each time", function()
      local self, seconds = fails_with(failure("connect", "later", { phase = "connect" }))
      assert.equal(1, seconds)
      assert.equal(1, #self.sent)
      self.now = 1
      assert.equal(2, drain(self))
      self.now = 3
      assert.equal(4, drain(self))
      self.now = 7
      self.answer = function()
        return { rejected = {} }
      end
      drain(self)
      assert.same({ "sent", "sent" }, self.told)
      assert.equal(0, self.box.failures)
      assert.equal(3, #self.warned)
    end)

    it("that the server's rule limits waits as long as that says", function()
      local _, seconds = fails_with(failure("rate", "later", { retry_after = 123 }))
      assert.equal(123, seconds)
    end)

    it("of the login waits long, with all mails", function()
      local self, seconds = fails_with(failure("auth", "never", { phase = "auth" }))
      assert.equal(policy.mend, seconds)
      assert.equal(1, #self.sent)
      assert.equal(2, self.box:waiting())
    end)

    it("of a mail itself gives that one up", function()
      local self, seconds = fails_with(failure("recipient", "never"))
      assert.is_nil(seconds)
      assert.same({ "recipient.x", "recipient.x" }, self.told)
      assert.equal(2, self.box.counts.failed)
    end)

    it("of one mail for now puts off that one alone", function()
      local self = world()
      self.answer = function(message)
        if tostring(message):find("Subject: 1", 1, true) then
          return nil, failure("recipient", "later")
        end
        return { rejected = {} }
      end
      accept(self, "1")
      accept(self, "2")
      assert.equal(policy.deferred, drain(self))
      assert.same({ "sent" }, self.told)
    end)

    it("that leaves the delivery unknown sends again, a few times", function()
      local self = fails_with(failure("closed", "never", { delivered = "unknown" }))
      assert.equal(2, self.box:waiting())
      for _ = 1, 100 do
        self.now = self.now + 1000
        drain(self)
      end
      assert.equal(2 * policy.unknown_max, #self.sent)
      assert.same({ "closed.x", "closed.x" }, self.told)
    end)

    it("does not take back by a refusal what an earlier try may have brought", function()
      local self = fails_with(failure("closed", "never", { delivered = "unknown" }))
      self.answer = function()
        return nil, failure("content", "never", { phase = "final" })
      end
      self.now = 1000
      drain(self)
      assert.same({ "content.x", "content.x" }, self.told)
      assert.same({ "unknown", "never" }, { self.err.delivered, self.err.retry })
    end)

    it("leaves a recipient unknown that is refused after such a try", function()
      local self = fails_with(failure("closed", "never", { delivered = "unknown" }))
      self.answer = function()
        return { accepted = {}, rejected = { { address = "a@test.local", retry = "never" } } }
      end
      self.now = 1000
      drain(self)
      assert.equal("unknown", self.receipt.rejected[1].delivered)
    end)

    it("is given up in the end", function()
      local self = world({ keep = 0 })
      self.answer = function()
        return nil, failure("connect", "later", { phase = "connect" })
      end
      accept(self, "1")
      drain(self)
      assert.same({ "connect.x" }, self.told)
      assert.is_true(self.box:is_idle())
    end)
  end)

  it("gives up a mail whose deadline has passed, without a try", function()
    local self = world()
    self.answer = function()
      return nil, failure("connect", "later", { phase = "connect" })
    end
    assert(accept(self, "1", { deadline = 1e-9 }))
    assert(accept(self, "2", { deadline = 3600 }))
    drain(self)
    assert.same({ "timeout.deadline" }, self.told)
    assert.same({ "2>a@test.local" }, self.sent)
    assert.equal(1, self.box:waiting())
  end)

  it("refuses what was promised to be on disk where there is none", function()
    local self = world({ durable = true })
    local ok, err = accept(self, "1")
    assert.is_nil(ok)
    assert.equal("outbox.disk", err.code)
    has_text(err, "outbox.dir is not set")
  end)

  it("waits for its turn under a rate without calling that a failure", function()
    local self = world()
    self.answer = function()
      return nil, failure("rate", "later", { code = "rate.own_limit", retry_after = 4 })
    end
    accept(self, "1")
    assert.equal(4, drain(self))
    self.now = 4
    self.answer = function()
      return { rejected = {} }
    end
    drain(self)
    assert.same({}, self.warned)
    assert.same({ "sent" }, self.told)
    assert.equal(1, self.receipt.attempts)
  end)

  it("stops reading an attachment that is too large for memory", function()
    local self = world({ bytes = 100000 })
    local asked = 0
    local ok, err = accept(self, "1", { attachments = { { name = "x", read = function()
      asked = asked + 1
      return ("x"):rep(10000)
    end } } })
    assert.is_nil(ok)
    assert.equal("outbox.full", err.code)
    assert.is_true(asked < 20)
    assert.equal(0, self.box.memory)
  end)

  it("refuses header fields that would be taken for its own", function()
    local message, err = qqmail.message({ from = "me@test.local", to = "a@test.local", text = "t",
      headers = { ["x-qqmail-OUTBOX-to"] = "evil@test.local" } })
    assert.is_nil(message)
    assert.equal("message.reserved_header", err.code)
  end)
end)
