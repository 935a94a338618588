local basic = require "qqmail.testing.scenarios.basic"
local core = require "qqmail.core"
local messages = require "spec.support.messages"
local smtpd = require "qqmail.testing.smtpd"

-- A session and a server that talk in memory.
local World = {}
World.__index = World

local function new_world(options, settings)
  local all = { chunking = true }
  for key, value in pairs(basic.defaults) do
    all[key] = value
  end
  for key, value in pairs(options or {}) do
    all[key] = value
  end
  local shared = smtpd.shared()
  local self = setmetatable({ shared = shared, session = core.session(settings or { window = 3 }),
    dialogue = smtpd.new(all, shared, "127.0.0.1:4000", basic), events = {}, handles = {},
    sends = 0 }, World)
  self.dialogue:connected()
  self.dialogue:open()
  return self
end

function World:collect()
  local event = self.session:event()
  while event do
    self.events[#self.events + 1] = event
    event = self.session:event()
  end
end

function World:receive()
  local action = self.dialogue:next_action()
  while action do
    if action.kind == "send" then
      assert(self.session:feed(action.bytes))
    else
      self.session:ended("closed")
    end
    self.dialogue:sent(action)
    action = self.dialogue:next_action()
  end
end

function World:send()
  local bytes = self.session:output()
  self.session:sent(#bytes)
  self.sends = self.sends + 1
  self.dialogue:feed(bytes)
end

-- In the order of the pump, until nothing is wanted.
function World:run()
  repeat
    self:collect()
    local wants_send, wants_recv, _, wants_body = self.session:want()
    if wants_body then
      local handle = self.handles[self.session:body_id()]
      if not self.session:body(handle) then
        self.session:body_abort()
      end
    elseif wants_send then
      self:send()
    elseif wants_recv then
      self:receive()
    end
  until not (wants_send or wants_recv or wants_body)
  self:collect()
end

function World:begin(to, text, size)
  local handle = messages.build({ text = text }):handle()
  assert(handle:rewind(false))
  local id = assert(self.session:begin({ from = "a@x", to = { to }, eager = true,
    size = size or handle:size(false) }))
  self.handles[id] = handle
  return id
end

-- "delivered 1", ... without what there is for each recipient.
function World:outcomes()
  local out = {}
  for _, event in ipairs(self.events) do
    if event.type ~= "recipient" and event.type ~= "ready" then
      out[#out + 1] = event.type == "failed" and "failed " .. event.fault
        or event.type .. " " .. event.id
    end
  end
  return table.concat(out, ", ")
end

describe("session", function()
  it("sends a window of messages in one flight", function()
    local world = new_world()
    world:run()
    assert.equal(4, world.session:room())
    world.sends = 0
    for i = 1, 3 do
      world:begin(("m%d@x"):format(i), (".line %d\n"):format(i):rep(i))
    end
    assert.equal(1, world.session:room())
    world:run()
    assert.equal("delivered 1, delivered 2, delivered 3", world:outcomes())
    assert.equal(1, world.sends)
    assert.equal(4, world.session:room())
    for i, message in ipairs(world.shared.messages) do
      assert.is_true(message.chunked)
      assert.same({ ("m%d@x"):format(i) }, message.to)
      assert.truthy(message.data:find("\r\n\r\n.line " .. i, 1, true))
    end
    assert.same({}, world.dialogue.record.defects)
  end)

  it("keeps a refused message apart from the next", function()
    local world = new_world({ replies = { rcpt = { ["no@x"] = "550 5.1.1 nobody" } } })
    world:run()
    for _, to in ipairs({ "one@x", "no@x", "two@x" }) do
      world:begin(to, to)
    end
    world:run()
    assert.equal("delivered 1, refused 2, delivered 3", world:outcomes())
    assert.same({ "two@x" }, world.shared.messages[2].to)
  end)

  it("does without CHUNKING when told to", function()
    local world = new_world(nil, { chunking = false })
    world:run()
    world:begin("b@x", "text")
    world:run()
    assert.equal("delivered 1", world:outcomes())
    assert.is_false(world.shared.messages[1].chunked)
  end)

  it("ends with a server that does not know what it offers", function()
    local world = new_world({ chunking = "unknown" })
    world:run()
    world:begin("b@x", "text")
    world:begin("c@x", "text")
    world:run()
    assert.equal("lost 1, lost 2, failed no_chunking", world:outcomes())
    local lost = world.events[#world.events - 1]
    assert.is_false(lost.handed_over)
    assert.equal(502, lost.code)
    assert.is_true(lost.in_flight > 0)
    assert.is_false(lost.behind)
  end)

  it("says what was in flight when the server hung up", function()
    local world = new_world({ drop_at = "rcpt" })
    world:run()
    world:begin("b@x", "text")
    world:begin("c@x", "text")
    world:run()
    assert.equal("lost 1, lost 2, failed closed", world:outcomes())
    local failed = world.events[#world.events]
    assert.equal(6, failed.in_flight) -- RCPT BDAT, RSET MAIL RCPT BDAT
    assert.is_true(failed.behind)
    assert.is_true(world.events[#world.events - 1].handed_over)
  end)

  it("never completes a chunk whose size is wrong", function()
    for _, delta in ipairs({ -1, 1 }) do
      local world = new_world()
      world:run()
      local size = world:begin("b@x", "text", 1) and world.handles[1]:size(false)
      world = new_world()
      world:run()
      world:begin("b@x", "text", size + delta)
      world:run()
      assert.equal("lost 1, failed source", world:outcomes())
      assert.equal(0, #world.shared.messages)
    end
  end)

  it("does not begin a body with the bytes of one given up", function()
    local world = new_world({ replies = { mail = { "550 5.7.1 not you" } } })
    world:run()
    world:begin("b@x", "first")
    world:collect()
    world:send() -- the envelope alone
    world:receive()
    world:begin("c@x", "second")
    world:run()
    assert.equal("refused 1, delivered 2", world:outcomes())
    assert.equal(1, #world.shared.messages)
    assert.is_nil(world.shared.messages[1].data:find("first", 1, true))
  end)

  it("checks an envelope and leaves the message out", function()
    local replies = { rcpt = { ["no@x"] = "550 5.1.1 nobody" } }
    for _, offers in ipairs({ { "PIPELINING" }, { "CHUNKING", "PIPELINING", "SIZE 9999" }, {} }) do
      local world = new_world({ ehlo = offers, replies = replies })
      world:run()
      assert(world.session:begin({ from = "", to = { "no@x", "b@x" }, check = true }))
      world:run()
      assert.equal("checked 1", world:outcomes())
      assert.equal("5.1.1", world.events[2].enhanced)
      assert.equal(250, world.events[3].code)
      assert.equal(0, world.session:body_id())
      assert.equal("READY", world.session:state())
      world:begin("c@x", "text")
      world:run()
      assert.equal(1, #world.shared.messages)
      assert.same({ "c@x" }, world.shared.messages[1].to)
      assert.same({}, world.dialogue.record.defects)
    end
  end)

  it("gives the lines of the dialogue since a mark", function()
    local world = new_world()
    world:run()
    local lines, mark = world.session:trace_since(0)
    assert.equal(#world.session:trace(), #lines)
    assert.equal(#lines, mark)
    lines = world.session:trace_since(mark)
    assert.same({}, lines)
    world:begin("b@x", "text")
    world:run()
    local next_mark
    lines, next_mark = world.session:trace_since(mark)
    assert.truthy(lines[1].line:find("^MAIL FROM:<a@x> SIZE=%d+$"))
    assert.equal("C", lines[1].dir)
    assert.equal(#lines, next_mark - mark)
    assert.truthy(lines[3].line:find("^BDAT %d+ LAST$"))
    assert.has_error(function() world.session:trace_since(-1) end)
  end)
end)
