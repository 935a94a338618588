-- Names inside nginx, which has no `resolver` here. nginx embeds LuaJIT: of the
-- suites, the one under LuaJIT runs this.
if not jit then
  return
end

local runner = require("spec.support.ngx_runner")
local send = require("spec.support.send")

-- Sends with look-ups that answer what the spec says.
local FAKE_LOOKUP = [[
  local inside, job = ...
  local lookup = require("qqmail.io.lookup")
  local find = lookup.find
  lookup.find = function() return job.addresses end
  local mailer = assert(require("qqmail").new(job.options))
  local ok, result = pcall(inside.send, mailer, { to = "a@test.local", subject = "s", text = "t" })
  lookup.find = find
  return ok and result or error(result)
]]

describe("a name in nginx", function()
  setup(function()
    if not runner.missing then
      runner.start()
    end
  end)

  teardown(runner.stop)
  after_each(send.stop)

  local function it_runs(name, body)
    it(name, function()
      if runner.missing then
        pending(runner.missing)
        return
      end
      body()
    end)
  end

  local function addresses(...)
    local list = {}
    for i, text in ipairs({ ... }) do
      list[i] = { address = text, family = text:find(":", 1, true) and "inet6" or "inet" }
    end
    return list
  end

  it_runs("of the hosts file is found, without a resolver", function()
    local server = send.server()
    local result = runner.send(send.options(server, { host = "localhost" }),
      { send.message() })[1]
    assert.is_nil(result.err, result.err and result.err.text)
    assert.equal("127.0.0.1:" .. server.port, result.receipt.peer)
    assert.equal("localhost", result.receipt.host)
  end)

  it_runs("is tried at every address it has", function()
    local server = send.server()
    for _, list in ipairs({ addresses("127.0.0.2", "127.0.0.3", "127.0.0.1"),
      addresses("::1", "127.0.0.1"), addresses("127.0.0.1", "127.0.0.2") }) do
      local result = runner.call(FAKE_LOOKUP, { addresses = list,
        options = send.options(server, { host = "many.test", pool = { messages = 1 } }) })
      assert.is_nil(result.err, result.err and result.err.text)
      assert.equal("127.0.0.1:" .. server.port, result.receipt.peer)
    end
    assert.equal(3, #server:connections())
  end)

  it_runs("fails with what its addresses said", function()
    local server = send.server()
    local result = runner.call(FAKE_LOOKUP, { addresses = addresses("127.0.0.2", "127.0.0.3"),
      options = send.options(server, { host = "many.test" }) })
    assert.equal("connect", result.err and result.err.kind)
    assert.equal("connect", result.err.phase)
    assert.equal("no", result.err.delivered)
    send.has(result.err.message, "2 addresses tried")
    send.has(result.err.message, "many.test")
  end)

  it_runs("that nobody knows is told as such", function()
    -- RFC 6761 section 6.4; there may be no name server at all, which is told too.
    local result = runner.send({ host = "nobody.invalid", port = 2525, tls = "none",
      from = "a@test.local", timeout = { connect = 20 } }, { send.message() })[1]
    assert.equal("resolve", result.err and result.err.kind, result.err and result.err.text)
    assert.equal("resolve", result.err.phase)
    assert.equal("no", result.err.delivered)
    send.has(result.err.message, "nobody.invalid")
  end)
end)
