--- The queue behind `notify` and the folder it writes to, without network.
local outbox = require("qqmail.outbox")
local policy = require("qqmail.outbox.policy")
local shell = require("spec.support.shell")
local store = require("qqmail.outbox.store")
local worlds = require("spec.support.outbox_world")

local accept, built, drain = worlds.accept, worlds.built, worlds.drain
local failure, files, has_text = worlds.failure, worlds.files, worlds.has_text
local world = worlds.world

describe("the outbox on disk", function()
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

  it("remembers the deadline of a mail", function()
    local self = world({ durable = true }, disk())
    self.answer = function()
      return nil, failure("connect", "later", { phase = "connect" })
    end
    assert(accept(self, "x", { deadline = 1e-9 }))
    self.box:close()
    local later = world({ durable = true }, disk())
    drain(later)
    assert.same({ "timeout.deadline" }, later.told)
    assert.same({}, later.sent)
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
