-- Replies that were seen in the wild, and what to do about each of them: see
-- replies.jsonl, whose rows hold `phase`, `code`, `enhanced`, `text`, `host` of a reply
-- and the verdict: `as`, the code; `retry`, and `after`, seconds, where they are known.
local diagnose = require "qqmail.diagnose"
local json = require "spec.support.json"

describe("the facts about replies:", function()
  local rows = json.read_lines("spec/replies.jsonl")

  for _, row in ipairs(rows) do
    it(row.name, function()
      local found = diagnose.reply(row)
      local about = ("%s %d %s: %s"):format(row.phase, row.code, row.text, found.code)
      assert.equal(row.as, found.code, about)
      assert.equal(row.retry, found.retry, about)
      if row.after or row.retry == "never" then
        assert.equal(row.after, found.retry_after, about)
      end
    end)
  end

  it("are many", function()
    assert.is_true(#rows > 100, #rows)
  end)
end)
