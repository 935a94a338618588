-- nginx embeds LuaJIT: of the suites, the one under LuaJIT runs this.
if not jit then
  return
end

local runner = require("spec.support.ngx_runner")
local send = require("spec.support.send")
local shell = require("spec.support.shell")
local suite = require("spec.support.send_suite")

local function it_runs(text, body)
  it(text, function()
    if runner.missing then
      pending(runner.missing)
      return
    end
    body()
  end)
end

-- Two jobs, one after the other and side by side.
local function both_ways(options, check)
  for _, way in ipairs({ "send", "parallel" }) do
    local results = runner[way](options, { send.message(), send.message({ fill = 40000 }) })
    assert.equal(2, #results)
    check(results[1])
    check(results[2])
  end
end

describe("a job in nginx", function()
  setup(function()
    if not runner.missing then
      runner.start()
    end
  end)
  teardown(runner.stop)
  after_each(send.stop)

  it_runs("comes back with receipts", function()
    local folder, remove = shell.folder()
    both_ways({ host = "mx.test", user = send.USER, password = send.CODE, io = { file = folder } },
      function(result)
        assert.is_nil(result.err)
        assert.same({ "a@test.local" }, result.receipt.accepted)
        assert.equal(folder, result.receipt.path:match("^(.*)/"))
      end)
    remove()
  end)

  it_runs("comes back with errors", function()
    both_ways({ host = "mx.test", port = 465, tls = "starttls", user = send.USER,
      password = send.CODE }, function(result)
      assert.equal("config.port_tls", result.err.code)
      send.has(result.err.text, "465")
    end)
  end)
end)

suite("nginx", runner)
