-- Replies that were seen in the wild, and what to do about each of them.
local diagnose = require "qqmail.diagnose"
local json = require "spec.support.json"

local FACTS = "../shared/facts/diagnosis.json"

-- Names of places there, where ours differ. "other" stands for any command no rule
-- knows better; a refusal while connecting is a greeting.
local PHASES = { data_end = "final", connect = "greeting", other = "data" }

-- What `retry` says there, and what must be answered; "after=n" is read below.
--   no      another try of the same gives the same: somebody has to change something
--   yes     another try may help, no time is known
--   ignore  comes behind an accepted message and changes nothing: nobody diagnoses it
--   manual  the user must decide (a lost connection, not a reply)
local WANTED = { no = "never", yes = "later" }
local NOT_DIAGNOSED = { ignore = true, manual = true }

-- The event of a row's sample, or nil where it holds no reply.
local function event_of(row)
  local phase, code, text, host = row.sample[1], row.sample[2], row.sample[3], row.sample[4]
  if type(code) ~= "string" or not code:find("^%d%d%d$") then
    return nil
  end
  local enhanced, rest = text:match("^([245]%.%d+%.%d+) +(.*)$")
  return {
    phase = PHASES[phase] or phase, code = tonumber(code), enhanced = enhanced,
    text = rest or text, host = host or (row.match.host and row.match.host[1]),
  }
end

local function wanted_of(row)
  local seconds = row.retry:match("^after=(%d+)$")
  if seconds then
    return "later", tonumber(seconds)
  end
  assert(WANTED[row.retry], "unknown: " .. row.retry)
  return WANTED[row.retry], nil
end

describe("the facts about replies:", function()
  local text = json.read_file(FACTS)
  if not text then
    pending("not on this machine: " .. FACTS)
    return
  end

  local count = 0
  for _, row in ipairs(json.decode(text)) do
    local event = event_of(row)
    if event and not NOT_DIAGNOSED[row.retry] then
      count = count + 1
      it(row.id, function()
        local found = diagnose.reply(event)
        local retry, seconds = wanted_of(row)
        local about = ("%s %d %s: %s"):format(event.phase, event.code, event.text, found.code)
        assert.are.equal(retry, found.retry, about)
        if seconds or retry == "never" then
          assert.are.equal(seconds, found.retry_after, about)
        end
      end)
    end
  end

  it("are many", function()
    assert.is_true(count > 100, tostring(count))
  end)
end)
