-- nginx embeds LuaJIT: of the suites, the one under LuaJIT runs this.
if not jit then
  return
end

local json = require("spec.support.json")
local row_cases = require("spec.support.row_cases")
local row_checks = require("spec.support.row_checks")
local runner = require("spec.support.ngx_runner")

describe("a reply is understood the same in nginx:", function()
  setup(function()
    if not runner.missing then
      runner.start()
    end
  end)
  teardown(function()
    row_cases.stop()
    runner.stop()
  end)

  for _, row in ipairs(row_cases.representatives(json.read_lines("spec/replies.jsonl"))) do
    it(row.name, function()
      if runner.missing then
        pending(runner.missing)
        return
      end
      row_checks.reply(row_cases.send(row_cases.of_reply(row), runner), row)
    end)
  end
end)
