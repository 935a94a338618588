-- Everything that is known to go wrong happens here to a real client: what servers
-- say, on loopback; what networks do, in worlds of their own. How, is in
-- spec/diagnosis_rows.lua.
local json = require("spec.support.json")
local python = require("spec.support.python")
local row_cases = require("spec.support.row_cases")
local row_checks = require("spec.support.row_checks")
local rows = require("spec.diagnosis_rows")
local runners = require("spec.support.send_runners")
local send = require("spec.support.send")
local world = require("spec.support.world")

local REPLIES = json.read_lines("spec/replies.jsonl")

-- Whose texts were seen as GBK on the wire.
local IN_GBK = { qq_535_gbk = true }

local function wire_bytes(row)
  return IN_GBK[row.name] and python.run(
    "import sys; sys.stdout.buffer.write(sys.argv[1].encode('gb18030'))", row.text) or nil
end

local function check_sent(results)
  for _, list in pairs(results) do
    for _, result in ipairs(list) do
      assert.is_table(result.receipt, result.err and result.err.text)
    end
  end
end

local function check(results, case)
  if case.expect == "sent" then
    check_sent(results)
  else
    row_checks.errors(results, case)
  end
end

local function check_unheard(server, case)
  for _, verb in ipairs(case.unheard or {}) do
    assert.equal(0, send.count(server, verb), verb)
  end
end

-- --- replies ---------------------------------------------------------------

local function by_name(list)
  local out = {}
  for _, row in ipairs(list) do
    out[row.name] = row
  end
  return out
end

describe("a reply is produced and understood:", function()
  teardown(row_cases.stop)

  for _, row in ipairs(REPLIES) do
    -- What a rule says of one host is produced in a world, where that is its name.
    if not row.host and not rows.impossible[row.name] then
      it(row.name, function()
        row_checks.reply(row_cases.send(row_cases.of_reply(row, wire_bytes(row))), row)
      end)
    end
  end
end)

-- What counts where our C is watched is the same below all of them.
local others = os.getenv("QQMAIL_INSTRUMENTED") and {}
  or { cqueues = runners.cqueues, luv = runners.luv, ["{ wait, sleep }"] = row_cases.waiting }

for name, runner in pairs(others) do
  describe("a reply is understood the same over " .. name .. ":", function()
    teardown(row_cases.stop)

    for _, row in ipairs(row_cases.representatives(REPLIES)) do
      it(row.name, function()
        if runner.missing then
          pending(runner.missing)
          return
        end
        row_checks.reply(row_cases.send(row_cases.of_reply(row), runner), row)
      end)
    end
  end)
end

-- --- all else --------------------------------------------------------------

local HOST_ADDRESS = "203.0.113.13"

-- The world "net" with servers that say what rules know of one host.
local function with_hosts(description)
  local out = send.merge({}, description)
  out.hosts, out.servers = send.merge({}, out.hosts), send.merge({}, out.servers)
  for _, row in ipairs(REPLIES) do
    if row.host then
      out.hosts[row.host] = HOST_ADDRESS
    end
  end
  return out
end

local function host_rows()
  local out = {}
  for _, row in ipairs(REPLIES) do
    out[#out + 1] = row.host and row or nil
  end
  return out
end

-- A server for each such row, on a port of its own; without TLS, for these names are in
-- no certificate of ours.
local function host_case(row, i, description)
  local server = row_cases.world_server(row, HOST_ADDRESS, 5870 + i)
  table.insert(description.servers, server)
  return { row = row, client = { host = row.host, port = server.port, tls = "none",
    allow_plaintext_auth = true } }
end

-- By name of the world: `{ [case] = results }`, all cases of which run at once.
local produced = {}

local function cases_of(name, description)
  local out = {}
  for _, row_name in ipairs(rows.names) do
    for _, case in ipairs(rows.made[row_name] or {}) do
      out[#out + 1] = case.world == name and case or nil
    end
  end
  for i, row in ipairs(name == "net" and host_rows() or {}) do
    out[#out + 1] = host_case(row, i, description)
  end
  return out
end

local function produce(name)
  if not produced[name] then
    local description = with_hosts(rows.worlds[name])
    local cases, plain = cases_of(name, description), {}
    for i, case in ipairs(cases) do
      plain[i] = { client = case.client, mails = case.mails }
    end
    local results = row_cases.send_in_world(description, plain)
    produced[name] = {}
    for i, case in ipairs(cases) do
      produced[name][case] = results[i]
      produced[name][case.row or case] = results[i]
    end
  end
  return produced[name]
end

local function missing(name)
  return world.missing() or (rows.worlds[name].clock and world.clock_missing() or nil)
end

local function run_case(case)
  if case.world then
    check(produce(case.world)[case], case)
  elseif case.server then
    local results, server = row_cases.send(case)
    check(results, case)
    check_unheard(server, case)
  else
    check(row_cases.refuse(case), case)
  end
end

-- Reasons why some of the cases cannot run here.
local function run_cases(cases)
  local why
  for _, case in ipairs(cases) do
    local reason = case.world and missing(case.world)
    if reason then
      why = reason
    else
      run_case(case)
    end
  end
  return why
end

describe("a fault is produced and understood:", function()
  teardown(row_cases.stop)

  for _, name in ipairs(rows.names) do
    if rows.made[name] then
      it(name, function()
        local why = run_cases(rows.made[name])
        if why then
          pending(why)
        end
      end)
    end
  end

  for _, row in ipairs(host_rows()) do
    it(row.name .. ", of " .. row.host, function()
      local why = missing("net")
      if why then
        pending(why)
        return
      end
      row_checks.reply(produce("net")[row], row)
    end)
  end
end)

describe("what is known to go wrong", function()
  it("is produced, or a reason says why it cannot be", function()
    local replies = by_name(REPLIES)
    for _, name in ipairs(rows.names) do
      local is_made = replies[name] ~= nil or rows.made[name] ~= nil
      assert.equal(rows.impossible[name] == nil, is_made, name)
    end
  end)

  it("has a case for each row, and a reason that is one", function()
    local known = {}
    for _, name in ipairs(rows.names) do
      assert.is_nil(known[name], name)
      known[name] = true
    end
    for name, cases in pairs(rows.made) do
      assert.is_true(known[name], name)
      assert.is_true(#cases > 0, name)
    end
    local replies = by_name(REPLIES)
    for name, reason in pairs(rows.impossible) do
      assert.is_truthy(known[name] or replies[name], name)
      assert.is_true(#reason > 20, name)
    end
  end)
end)
