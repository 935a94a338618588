--- The queue behind `notify`, without network: its clock and its sending are
-- given by the spec.
local errors = require("qqmail.errors")
local outbox = require("qqmail.outbox")
local policy = require("qqmail.outbox.policy")
local qqmail = require("qqmail")
local shell = require("spec.support.shell")
local store = require("qqmail.outbox.store")

local function failure(kind, retry, more)
  local spec = { kind = kind, code = kind .. ".x", retry = retry, text = "no", phase = "mail" }
  for key, value in pairs(more or {}) do
    spec[key] = value
  end
  return errors.new(spec)
end

-- A world whose server answers what `self.answer` says.
local function world(options, disk)
  local self = { now = 0, told = {}, warned = {}, alarmed = {}, sent = {} }
  self.answer = function()
    return { accepted = {}, rejected = {} }
  end
  self.agent = {
    settings = {},
    send = function(built)
      self.sent[#self.sent + 1] = tostring(built):match("Subject: ([^\r\n]*)")
        .. ">" .. table.concat(built.envelope.to, ",")
      return self.answer(built)
    end,
    tell = function(receipt, err)
      self.told[#self.told + 1] = receipt and "sent" or err.code
      self.err, self.receipt = err, receipt
    end,
    warn = function(text)
      self.warned[#self.warned + 1] = text
    end,
    alarm = function(text)
      self.alarmed[#self.alarmed + 1] = text
    end,
  }
  local given = { max = 100, bytes = 1000000, overflow = "spool", durable = false, keep = 3600 }
  for key, value in pairs(options or {}) do
    given[key] = value
  end
  self.box = outbox.new(given, function()
    return disk
  end, self.agent, function()
    return self.now
  end)
  return self
end

local function built(subject, more)
  local spec = { from = "me@test.local", to = "a@test.local", subject = subject, text = "t" }
  for key, value in pairs(more or {}) do
    spec[key] = value
  end
  return assert(qqmail.message(spec))
end

local function accept(self, subject, more)
  return self.box:accept(built(subject, more), self.agent)
end

local function has_text(err, part)
  assert.is_truthy(tostring(err):find(part, 1, true), tostring(err))
end

-- Sends what can be sent now; how long to wait for more.
local function drain(self)
  while true do
    local entry, seconds = self.box:next()
    if not entry then
      return seconds
    end
    self.box:send(entry)
  end
end

local function files(folder)
  local list = shell.run("cd " .. folder .. " && find . -type f ! -name lock | sort")
  local out = {}
  for name in list:gmatch("[^\n]+") do
    out[#out + 1] = name
  end
  return out
end

describe("the outbox", function()
  local folder, remove

  before_each(function()
    folder, remove = shell.folder()
  end)

  after_each(function()
    remove()
  end)

  local function disk()
    return store.new(folder .. "/box", 2)
  end

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

  it("puts what finds no room on disk, and fetches it again", function()
    local self = world({ max = 2 }, disk())
    for subject = 1, 7 do
      assert(accept(self, tostring(subject)))
    end
    assert.is_true(#files(folder) >= 5)
    drain(self)
    table.sort(self.sent)
    assert.same({ "1>a@test.local", "2>a@test.local", "3>a@test.local", "4>a@test.local",
      "5>a@test.local", "6>a@test.local", "7>a@test.local" }, self.sent)
    assert.same({}, files(folder))
    assert.is_true(self.box:is_idle())
  end)

  it("puts large messages on disk, not into memory", function()
    local self = world({}, disk())
    assert(accept(self, "big", {
      attachments = { { data = ("x"):rep(outbox.large), name = "x" } },
    }))
    assert.equal(0, self.box.bytes)
    assert.equal(1, #files(folder))
    drain(self)
    assert.equal(1, #self.sent)
    assert.same({}, files(folder))
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

  it("keeps the Message-ID over tries and restarts", function()
    local ids = {}
    local self = world({ durable = true }, disk())
    self.answer = function(message)
      ids[#ids + 1] = message.id
      return nil, failure("connect", "later", { phase = "connect" })
    end
    local message = built("x")
    assert(self.box:accept(message, self.agent))
    drain(self)
    self.now = 100
    drain(self)
    self.box:close()
    local later = world({}, disk())
    later.answer = function(again)
      ids[#ids + 1] = again.id
      return { rejected = {} }
    end
    drain(later)
    assert.same({ message.id, message.id, message.id }, ids)
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

  it("tries only those recipients again that were put off", function()
    local self = world({ durable = true }, disk())
    self.answer = function()
      return { rejected = { { address = "b@test.local", retry = "later" },
        { address = "c@test.local", retry = "never" } } }
    end
    assert(accept(self, "1", { to = "a@test.local, b@test.local, c@test.local" }))
    assert.equal(policy.deferred, drain(self))
    assert.equal(1, #files(folder))
    -- A crash now must not send to the others again.
    self.box.store:close()
    local later = world({}, disk())
    drain(later)
    assert.same({ "1>b@test.local" }, later.sent)
    assert.same({}, files(folder))
  end)

  it("keeps given-up mails for somebody to look at", function()
    local self = world({}, disk())
    self.answer = function()
      return nil, failure("recipient", "never")
    end
    accept(self, "1")
    drain(self)
    local list = files(folder .. "/box/failed")
    assert.equal(1, #list)
    assert.is_truthy(self.err.kept)
    local text = assert(io.open(self.err.kept, "rb")):read("*a")
    assert.is_truthy(text:find("Subject: 1", 1, true))
    assert.is_true(self.box:is_idle())
  end)

  it("writes all that waits when the process ends, mails under way as well", function()
    local self = world({}, disk())
    for subject = 1, 3 do
      accept(self, tostring(subject))
    end
    assert(self.box:next()) -- never settled
    assert.equal(0, self.box:spool())
    assert.equal(0, self.box:spool())
    -- The one under way has a file of its own, the others share one.
    assert.equal(2, #files(folder))
    self.box.store:close()
    local later = world({}, disk())
    drain(later)
    table.sort(later.sent)
    assert.same({ "1>a@test.local", "2>a@test.local", "3>a@test.local" }, later.sent)
  end)

  it("removes a mail under way again that was sent after all", function()
    local self = world({}, disk())
    accept(self, "1")
    accept(self, "2")
    local entry = self.box:next()
    self.box:spool()
    self.box:send(entry)
    self.box.store:close()
    local later = world({}, disk())
    drain(later)
    assert.same({ "1>a@test.local" }, self.sent)
    assert.same({ "2>a@test.local" }, later.sent)
    assert.same({}, files(folder))
  end)

  it("leaves thousands of mails in few files, and finds each again", function()
    local self = world({ max = 3000, bytes = 1e8 }, disk())
    local message = built("many", { text = ("x\r\n"):rep(10) })
    for _ = 1, 1300 do
      assert(self.box:accept(message, self.agent))
    end
    self.box:spool()
    assert.equal(7, #files(folder))
    self.box.store:close()
    local later, count = world({}, disk()), 0
    later.answer = function(again)
      assert.equal(tostring(message), tostring(again))
      count = count + 1
      return { rejected = {} }
    end
    while not later.box:is_idle() do
      drain(later)
    end
    assert.equal(1300, count)
  end)

  it("says which mails are lost when nothing can be written", function()
    local self = world({}, store.new("/dev/null/box", 2))
    accept(self, "1")
    local reports = {}
    assert.equal(1, self.box:spool(function(text)
      reports[#reports + 1] = text
    end))
    has_text(reports[1], "is lost")
  end)

  it("never takes over what a living process works on", function()
    local self = world({ durable = true }, disk())
    accept(self, "1")
    local other = world({}, disk())
    drain(other)
    assert.same({}, other.sent)
    drain(self)
    assert.same({ "1>a@test.local" }, self.sent)
  end)

  it("leaves files alone that are none of its mails", function()
    local self = world({ durable = true }, disk())
    accept(self, "1")
    local own = self.box.store.own.path
    self.box.store:close()
    shell.write(own .. "/0000000001-strange.eml", "Subject: no envelope\r\n\r\n")
    shell.write(own .. "/0000000002-half.eml.part", "half")
    local later = world({}, disk())
    drain(later)
    assert.same({ "1>a@test.local" }, later.sent)
    has_text(later.alarmed[1], "strange")
    -- With the next look the folder of the dead process goes, and what it left half written.
    later.box:rescan()
    drain(later)
    assert.same({ "./box/failed/0000000001-strange.eml" }, files(folder))
  end)

  it("takes a mail into memory when the disk cannot be written", function()
    local self = world({}, store.new("/dev/null/box", 2))
    assert(accept(self, "1", { attachments = { { data = ("x"):rep(outbox.large), name = "x" } } }))
    assert.equal(1, self.box.memory)
  end)

  it("refuses it where it was promised that it is on disk", function()
    local self = world({ durable = true }, store.new("/dev/null/box", 2))
    local ok, err = accept(self, "1")
    assert.is_nil(ok)
    assert.equal("outbox.disk", err.code)
    assert.is_true(self.box:is_idle() or self.box:waiting() == 0)
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

  it("never sends less safely what was handed over under TLS", function()
    local self = world({ durable = true }, disk())
    accept(self, "1")
    self.box.store:close()
    local clear = world({}, store.new(folder .. "/box", 0))
    drain(clear)
    assert.same({}, clear.sent)
    local safe = world({}, store.new(folder .. "/box", 2))
    drain(safe)
    assert.same({ "1>a@test.local" }, safe.sent)
  end)

  it("sends more safely what was handed over in clear text", function()
    local clear = world({ durable = true }, store.new(folder .. "/box", 0))
    accept(clear, "1")
    clear.box.store:close()
    local safe = world({}, disk())
    drain(safe)
    assert.same({ "1>a@test.local" }, safe.sent)
  end)

  it("leaves what waits to others at once, and keeps what is under way", function()
    local self = world({ durable = true }, disk())
    local other = world({}, disk())
    for subject = 1, 4 do
      accept(self, tostring(subject))
    end
    local entry = self.box:next()
    self.box.options.durable = false
    accept(self, "5")
    self.box:leave()
    drain(other)
    other.box:rescan()
    drain(other)
    table.sort(other.sent)
    assert.same({ "2>a@test.local", "3>a@test.local", "4>a@test.local", "5>a@test.local" },
      other.sent)
    self.box:send(entry)
    assert.same({ "1>a@test.local" }, self.sent)
    self.box:close()
    other.box:close()
    assert.same({}, files(folder))
  end)

  it("takes a bundle apart wholly or not at all", function()
    local lib = require("qqmail.disk")
    local self = world({}, disk())
    for subject = 1, 5 do
      accept(self, tostring(subject))
    end
    self.box:spool()
    self.box.store:close()
    local write, written = lib.write, 0
    finally(function() lib.write = write end)
    function lib.write(...)
      written = written + 1
      if written > 3 then
        return nil, "ENOSPC", "no space left"
      end
      return write(...)
    end
    local later = world({}, disk())
    drain(later)
    assert.same({}, later.sent)
    lib.write = write
    later.box:rescan()
    drain(later)
    assert.equal(5, #later.sent)
  end)

  it("makes its folder anew when somebody cleaned up", function()
    local self = world({ durable = true }, disk())
    accept(self, "1")
    drain(self)
    shell.run("rm -rf " .. folder .. "/box")
    assert(accept(self, "2"))
    assert.equal(1, #files(folder))
    drain(self)
    assert.same({ "sent", "sent" }, self.told)
  end)

  it("waits with a mail whose file is there and cannot be opened", function()
    local self = world({ durable = true }, disk())
    local has = self.box.store.has
    function self.box.store.has()
      return true
    end
    accept(self, "1")
    shell.run("rm " .. self.box.queue[1].path) -- so that opening it fails
    assert.equal(policy.deferred, drain(self))
    assert.same({}, self.told)
    self.box.store.has = has
    self.now = policy.deferred
    drain(self)
    assert.same({ "message.unreadable" }, self.told)
  end)

  it("does what is to be done before it tells anybody", function()
    local self = world({ durable = true }, disk())
    local seen
    self.agent.tell = function()
      seen = #files(folder)
    end
    accept(self, "1")
    drain(self)
    assert.equal(0, seen)
    self.agent.warn = function()
      seen = self.box:waiting()
    end
    self.answer = function()
      return nil, failure("recipient", "later")
    end
    accept(self, "2")
    drain(self)
    assert.equal(1, seen)
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

  it("gives up no mail on disk to make room in memory", function()
    local self = world({ max = 1, overflow = "drop_oldest" }, disk())
    accept(self, "big", { text = ("x\n"):rep(outbox.large / 2) })
    accept(self, "1")
    accept(self, "2")
    drain(self)
    table.sort(self.sent)
    assert.same({ "2>a@test.local", "big>a@test.local" }, self.sent)
  end)

  it("refuses a header it could not read again", function()
    for _, given in ipairs({ world(), world({ durable = true }, disk()) }) do
      local many = {}
      for index = 1, 12000 do
        many[index] = ("somebody%d@test.local"):format(index)
      end
      local ok, err = accept(given, "1", { bcc = many })
      assert.is_nil(ok)
      assert.equal("message.too_large", err.code)
      assert.is_true(given.box:waiting() == 0)
    end
    assert.same({}, files(folder))
  end)

  it("lets mails on disk have a turn while others keep coming", function()
    local self = world({ max = 2 }, disk())
    for subject = 1, 6 do
      accept(self, "old" .. subject)
    end
    for _ = 1, 500 do
      local entry = self.box:next()
      self.box:send(entry)
      accept(self, "new")
    end
    local old = 0
    for _, line in ipairs(self.sent) do
      old = old + (line:find("^old") and 1 or 0)
    end
    assert.equal(6, old)
  end)

  it("refuses header fields that would be taken for its own", function()
    local message, err = qqmail.message({ from = "me@test.local", to = "a@test.local", text = "t",
      headers = { ["x-qqmail-OUTBOX-to"] = "evil@test.local" } })
    assert.is_nil(message)
    assert.equal("message.reserved_header", err.code)
  end)

  it("the envelope it writes never goes out", function()
    local self = world({ durable = true }, disk())
    local bytes
    self.answer = function(message)
      bytes = tostring(message)
      return { rejected = {} }
    end
    local message = built("1", { bcc = "hidden@test.local" })
    self.box:accept(message, self.agent)
    drain(self)
    assert.equal(tostring(message), bytes)
    assert.is_nil(bytes:lower():find("outbox", 1, true))
    assert.same({ "1>a@test.local,hidden@test.local" }, self.sent)
  end)
end)
