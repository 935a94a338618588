-- nginx embeds LuaJIT: of the suites, the one under LuaJIT runs this.
if not jit then
  return
end

local runner = require("spec.support.ngx_runner")
local suite = require("spec.support.doctor_suite")

local CHECK = [[
  local _, job = ...
  local mailer = assert(require("qqmail").new(job.options))
  require("qqmail.logins").forget_all()
  local report, err = mailer:check(job.what)
  mailer:close()
  return { plain = report and report:plain(), text = tostring(report or err) }
]]

describe("the doctor in nginx", function()
  setup(function()
    if not runner.missing then
      -- What is looked for is logged by nginx as well.
      runner.start_with({ allow = { "connect%(%) failed %(111: ", "SSL_do_handshake%(%) failed",
        "tcp socket read timed out" } })
    end
  end)
  teardown(runner.stop)

  suite("nginx", { missing = runner.missing, run = function(options, what)
    local answer = runner.call(CHECK, { options = options, what = what })
    assert.is_table(answer.plain, answer.text)
    return answer.plain, answer.text
  end })
end)
