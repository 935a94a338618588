-- Whatever byte a connection is cut at, what the caller is told is true: three messages
-- on one connection, cut at every byte that either side says, and no exception.
local send = require("spec.support.send")
local truth = require("spec.support.truth")
local wiretap = require("spec.support.wiretap")

-- One Lua cuts the dialogue at every byte, which takes about a minute. The others, runs
-- under tools that make everything slow, and the bytes of TLS records (many, and much
-- alike) are cut at every n-th; each row begins at another one, and so does each Lua.
-- `make truth` cuts at every byte of all under any Lua, and shows the table.
local SHOWN = os.getenv("QQMAIL_TRUTH")
local MINOR = tonumber(_VERSION:match("%.(%d)"))
local IS_WHOLE = MINOR == 4

local function steps_of_run()
  if SHOWN then
    return { smtp = 1, wire = 1 }
  elseif os.getenv("QQMAIL_INSTRUMENTED") then
    return { smtp = 53, wire = 211 }
  end
  return IS_WHOLE and { smtp = 1, wire = 23 } or { smtp = 7, wire = 47 }
end

local STEPS = steps_of_run()

local COLUMNS =
  "%-8s %-4s %-4s %-4s %-3s %-22s %6s %9s %6s %6s %8s %6s\n"
local rows = {}

local function note(bench, policy, counts)
  local c = bench.combination
  rows[#rows + 1] = COLUMNS:format(c.mode, c.layer, c.body, c.how, c.side, policy.name,
    bench.length, counts.sessions, counts.sent, counts.no, counts.unknown, counts.twice)
end

local function show()
  if SHOWN then
    local head = COLUMNS:format("mode", "of", "body", "how", "cut", "policy", "bytes",
      "sessions", "sent", "no", "unknown", "twice")
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

    local where = ("%s, %s, %s, at any byte of %s %s,"):format(c.mode, c.body, c.how, c.layer,
      c.side)
    describe(where, function()
      local bench
      setup(function()
        bench = truth.new(c)
      end)
      teardown(send.stop)

      for index, policy in ipairs(truth.POLICIES) do
        it("is true with " .. policy.name, function()
          local step = STEPS[c.layer]
          local first = (place * #truth.POLICIES + index + MINOR) % step
          local sweep = truth.sweep(bench, policy, first, step)
          note(bench, policy, sweep.counts)
          assert.same({}, sweep.exceptions)
          assert.equal(math.floor((bench.length - first) / step) + 1, sweep.counts.sessions)
          if step < 10 then
            saw_all(sweep.counts, policy, c.side)
          end
        end)
      end
    end)
  end
end)
