-- Whatever byte a connection is cut at, what the caller is told is true: three messages
-- on one connection, cut at every byte that either side says, and no exception.
local send = require("spec.support.send")
local truth = require("spec.support.truth")
local wiretap = require("spec.support.wiretap")

-- The whole table takes a minute or two: two Luas cut at every byte. The others, and
-- runs under tools that make everything slow, cut at every n-th, and each begins at
-- another one in each row, so that together they see most of them. `make truth` runs
-- the whole table under any Lua, and shows it.
local SHOWN = os.getenv("QQMAIL_TRUTH")
local MINOR = tonumber(_VERSION:match("%.(%d)"))
local IS_WHOLE = rawget(_G, "jit") or MINOR == 4

local function step_of_run()
  if SHOWN then
    return 1
  elseif os.getenv("QQMAIL_INSTRUMENTED") then
    return 53
  end
  return IS_WHOLE and 1 or 7
end

local STEP = step_of_run()

local COLUMNS = "%-8s %-4s %-4s %-3s %-22s %6s %9s %6s %6s %8s %6s\n"
local rows = {}

local function note(bench, policy, counts)
  local c = bench.combination
  rows[#rows + 1] = COLUMNS:format(c.mode, c.body, c.how, c.side, policy.name, bench.length,
    counts.sessions, counts.sent, counts.no, counts.unknown, counts.twice)
end

local function show()
  if SHOWN then
    local head = COLUMNS:format("mode", "body", "how", "cut", "policy", "bytes", "sessions",
      "sent", "no", "unknown", "twice")
    io.stdout:write("\n", head, table.concat(rows))
  end
end

-- Each verdict was seen, so that none is right only because it never comes up.
local function saw_all(counts, policy, side)
  assert.is_true(counts.sent > 0 and counts.no > 0)
  if policy.final.unknown then
    assert.is_true(counts.unknown > 0)
  else
    assert.equal(0, counts.unknown)
    assert.equal(side == "out", counts.twice > 0)
  end
end

describe("what is told of three messages whose connection is cut:", function()
  setup(wiretap.start)
  teardown(function()
    wiretap.stop()
    show()
  end)

  for place, combination in ipairs(truth.COMBINATIONS) do
    local c = combination

    describe(("%s, %s, %s, at any byte %s,"):format(c.mode, c.body, c.how, c.side), function()
      local bench
      setup(function()
        bench = truth.new(c)
      end)
      teardown(send.stop)

      for index, policy in ipairs(truth.POLICIES) do
        it("is true with " .. policy.name, function()
          local first = (place * #truth.POLICIES + index + MINOR) % STEP
          local sweep = truth.sweep(bench, policy, first, STEP)
          note(bench, policy, sweep.counts)
          assert.same({}, sweep.exceptions)
          assert.equal(math.floor((bench.length - first) / STEP) + 1, sweep.counts.sessions)
          if STEP < 10 then
            saw_all(sweep.counts, policy, c.side)
          end
        end)
      end
    end)
  end
end)
