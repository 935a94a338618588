-- nginx embeds LuaJIT: of the suites, the one under LuaJIT runs this.
if not jit then
  return
end

local judge = require("spec.support.dkim_judge")
local runner = require("spec.support.ngx_runner")
local samples = require("spec.support.dkim_samples")
local send = require("spec.support.send")

-- Another light thread counts its turns while a large message is signed.
local WATCHED = [[
  local _, job = ...
  local qqmail = require("qqmail")
  local mailer = assert(qqmail.new(job.options))
  local turns, is_done = 0, false
  local thread = ngx.thread.spawn(function()
    while not is_done do
      turns = turns + 1
      ngx.sleep(0)
    end
  end)
  local sign = require("qqmail.dkim").signer(mailer.settings, require("qqmail.io.ngx"))
  local built = assert(qqmail.message({ from = "joe@football.example.com", to = "a@test.local",
    text = "x", attachments = { { data = ("x"):rep(job.size), name = "a" } } }))
  assert(sign(built))
  is_done = true
  ngx.thread.wait(thread)
  return { turns = turns }
]]

describe("signing in nginx", function()
  local function it_runs(name, body)
    it(name, function()
      if runner.missing then
        pending(runner.missing)
        return
      end
      body()
    end)
  end

  setup(function()
    if not runner.missing then
      runner.start()
    end
  end)
  teardown(runner.stop)
  after_each(send.stop)

  it_runs("makes signatures that hold", function()
    local server = send.server()
    local options = send.options(server, { from = "joe@football.example.com",
      dkim = { samples.rsa(), samples.ed25519() } })
    for _, way in ipairs({ "send", "parallel" }) do
      local results = runner[way](options, { send.message(), send.message({ fill = 20000 }) })
      for i = 1, 2 do
        assert.is_nil(results[i].err)
      end
    end
    local messages = {}
    for i, message in ipairs(server:messages()) do
      messages[i] = message.data
    end
    assert.equal(4, #messages)
    if judge.missing() then
      return
    end
    for _, signatures in ipairs(judge.verify(messages, samples.records)) do
      assert.equal(2, #signatures)
      for _, signature in ipairs(signatures) do
        assert.is_true(signature.passed, signature.why)
      end
    end
  end)

  it_runs("does not hold up the worker over a large message", function()
    local options = { host = "127.0.0.1", tls = "none", from = "joe@football.example.com",
      dkim = samples.rsa() }
    local large = runner.call(WATCHED, { options = options, size = 6000000 })
    local small = runner.call(WATCHED, { options = options, size = 1000 })
    assert.is_true(small.turns <= 2, tostring(small.turns))
    assert.is_true(large.turns >= 20, tostring(large.turns))
  end)
end)
