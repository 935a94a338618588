local pace = require("qqmail.pace")

local DEFAULTS = { window = 3 }

local function options(self, settings)
  local o = self:options(settings or DEFAULTS)
  return { o.pipelining, o.chunking, o.window }
end

local function event(more)
  local out = { type = "lost", fault = "closed", in_flight = 3, behind = false, chunked = false,
    pipelined = true, text = "" }
  for key, value in pairs(more or {}) do
    out[key] = value
  end
  return out
end

local SILENT = { "closed", "reset", "timeout" }
local ASTRAY = { "unexpected", "bad_reply" }

describe("qqmail.pace", function()
  it("begins with all that the settings allow", function()
    assert.same({ true, true, 3 }, options(pace.new()))
    assert.same({ true, true, 0 }, options(pace.new(), { window = 0 }))
    assert.same({ false, false, 1 },
      options(pace.new(), { pipelining = false, chunking = false, window = 1 }))
    assert.same({ true, true, 1 },
      options(pace.new(), { pipelining = true, chunking = true, window = 1 }))
  end)

  it("leaves out BDAT for a server that does not know it", function()
    local self = pace.new()
    assert.is_true(self:failed(event({ fault = "no_chunking", chunked = true })))
    assert.same({ true, false, 3 }, options(self))
    -- Those of other connections fail likewise, and may be sent again as well.
    assert.is_true(self:failed(event({ fault = "no_chunking", chunked = true })))
  end)

  it("goes one step slower each time", function()
    local self = pace.new()
    assert.is_true(self:failed(event({ chunked = true, behind = true })))
    assert.same({ true, false, 3 }, options(self))
    assert.is_true(self:failed(event({ behind = true })))
    assert.same({ true, false, 0 }, options(self))
    assert.is_true(self:failed(event()))
    assert.same({ false, false, 0 }, options(self))
    assert.is_false(self:failed(event({ pipelined = false })))
  end)

  it("tells of each connection that was faster than the next one will be", function()
    local self = pace.new()
    assert.is_true(self:failed(event()))
    assert.is_true(self:failed(event()))
    assert.is_false(self:failed(event({ pipelined = false, in_flight = 1 })))
    assert.is_false(self:failed(event({ pipelined = false, fault = "reply",
      text = "synchronization error" })))
  end)

  it("sees no sign in one command without an answer", function()
    for _, fault in ipairs({ "closed", "reset", "timeout", "unexpected", "bad_reply" }) do
      local self = pace.new()
      assert.is_false(self:failed(event({ fault = fault, in_flight = 1 })))
      assert.is_false(self:failed(event({ fault = fault, in_flight = 0 })))
      assert.same({ true, true, 3 }, options(self))
    end
  end)

  it("sees no sign in what is no fault of the server", function()
    for _, fault in ipairs({ "source", "cancelled", "memory", "transport" }) do
      assert.is_false(pace.new():failed(event({ fault = fault })))
    end
  end)

  it("sees no sign in a broken connection, once such a flight was answered", function()
    for _, fault in ipairs(SILENT) do
      local self = pace.new()
      self:worked({ pipelining = true })
      assert.is_false(self:failed(event({ fault = fault })))
      assert.is_true(self:failed(event({ fault = fault, behind = true })))
    end
  end)

  it("sees a sign in replies that went astray all the same", function()
    for _, fault in ipairs(ASTRAY) do
      local self = pace.new()
      self:worked({ pipelining = true, window = true, chunking = true })
      assert.is_true(self:failed(event({ fault = fault })))
      assert.same({ false, true, 0 }, options(self))
    end
  end)

  it("keeps what worked once", function()
    local self = pace.new()
    self:worked({ pipelining = true, window = true })
    self:worked({ pipelining = true })
    assert.is_false(self:failed(event({ behind = true })))
    assert.is_false(self:failed(event()))
    assert.is_true(self:failed(event({ chunked = true })))
  end)

  it("believes a server that says it was spoken to too early", function()
    for _, text in ipairs({ "SMTP synchronization error",
      "Error: improper command PIPELINING after MAIL",
      "Improper use of SMTP command pipelining" }) do
      local self = pace.new()
      self:worked({ pipelining = true })
      assert.is_true(self:failed(event({ fault = "reply", type = "refused", text = text,
        in_flight = 0 })))
      assert.same({ false, true, 0 }, options(self))
    end
    for _, text in ipairs({ "No such user", "" }) do
      assert.is_false(pace.new():failed(event({ fault = "reply", text = text })))
    end
    local without_text = event({ fault = "reply" })
    without_text.text = nil
    assert.is_false(pace.new():failed(without_text))
    -- The words alone, without a reply, say nothing.
    assert.is_false(pace.new():failed(event({ text = "synchronization error", in_flight = 1 })))
  end)
end)
