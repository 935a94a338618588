-- A real Postfix that is restarted, or whose processes are killed, while thousands
-- of mails are under way; and one that refuses some of a window.
local postfix = require("spec.support.postfix")
local qqmail = require("qqmail")

local missing = postfix.missing()

-- The whole number under one Lua: what differs between them is not tested here.
local IS_FULL = _VERSION == "Lua 5.4" and not os.getenv("QQMAIL_INSTRUMENTED")
local MANY, SOME = IS_FULL and 2000 or 300, IS_FULL and 400 or 150

-- Waits as of the default policy, but for their length.
local PATIENT = { attempts = 30, base = 0.05, cap = 0.4, jitter = 0.05, budget = 50 }

local box_number = 0

local function new_box()
  box_number = box_number + 1
  return ("in%d@box.test"):format(box_number)
end

local function options_for(pf, more)
  local options = {
    host = pf.host, port = pf.smtps, tls = "implicit", user = pf.user, password = pf.password,
    tls_options = { ca_file = pf.ca }, lang = "en", retry = PATIENT,
    timeout = { connect = 10, reply = 20, final = 20, total = 60 },
  }
  for key, value in pairs(more) do
    options[key] = value
  end
  return options
end

-- The Maildir of a box with a user.
local function files_of(pf, address)
  return pf:maildir((address:gsub("@.*", "")))
end

-- What arrived in a box: for each number how many times Postfix was given it.
-- Stopped in the middle of a delivery it may deliver again what it took once: such
-- copies have the same queue id and do not count.
local function copies_in(pf, address)
  local seen, counts = {}, {}
  for _, path in ipairs(files_of(pf, address)) do
    local text = postfix.read(path)
    local number = tonumber(text:match("\nSubject: no (%d+)\n"))
    local queue_id = text:match("\n%s+by mx%.test %(Postfix%) with %S+ id (%w+)")
    assert(number and queue_id, text)
    local key = number .. " " .. queue_id
    if not seen[key] then
      seen[key] = true
      counts[number] = (counts[number] or 0) + 1
    end
  end
  return counts
end

-- Sends `n` mails to a box; `disturb` is called at each number of a list.
local function send_many(mailer, case, address, disturb)
  local at, done, results, twice = {}, 0, {}, {}
  for _, number in ipairs(case.at) do
    at[number] = true
  end
  local list = {}
  for i = 1, case.count do
    list[i] = { to = address, subject = "no " .. i, text = ("line %d\n"):format(i):rep(20) }
  end
  local summary = assert(mailer:send_all(list, { progress = false,
    on_result = function(receipt, err, message, index)
      assert(message == list[index])
      twice[index] = results[index] and true or nil
      results[index] = receipt or err
      done = done + 1
      if at[done] then
        disturb()
      end
    end }))
  assert.same({}, twice)
  return summary, results
end

describe("Postfix", function()
  if missing then
    pending("cannot run here: " .. missing)
    return
  end

  local pf, mailer, is_away, wait_up

  setup(function()
    pf = postfix.start()
  end)

  -- Postfix comes back when somebody has been turned away, not before.
  local function come_back()
    if is_away then
      is_away = false
      wait_up = pf:resume()
    end
  end

  after_each(function()
    come_back()
    if wait_up then
      wait_up()
      wait_up = nil
    end
    if mailer then
      mailer:close()
      mailer = nil
    end
  end)

  local DISTURB = {
    -- It is away until it is missed, and for as long as it takes to start.
    restarted = function()
      pf:halt()
      is_away = true
    end,
    killed = function()
      pf:slay()
    end,
  }

  -- Mails of which somebody was ever told that nobody knows.
  local function open_mailer(case)
    local doubtful = {}
    local policy = { when_unknown = case.when_unknown }
    for key, value in pairs(PATIENT) do
      policy[key] = value
    end
    mailer = assert(qqmail.new(options_for(pf, {
      pool = { max = case.max }, window = case.window, retry = policy,
      on = { retry = function(event)
        if event.err and event.err.delivered == "unknown" then
          doubtful[event.message_id] = true
        end
        come_back()
      end },
    })))
    return doubtful
  end

  -- No mail is lost, none is there twice but for those that are known to be in doubt.
  local function check_arrived(address, case, results, doubtful)
    assert.is_true(pf:drained(30), "Postfix did not deliver all")
    local copies, wrong = copies_in(pf, address), {}
    for index, result in ipairs(results) do
      local is_unknown = result.delivered == "unknown"
      local most = doubtful[result.message_id] and math.huge or 1
      local count = copies[index] or 0
      if count > most or (count == 0 and not is_unknown) then
        wrong[#wrong + 1] = ("%d: %d copies, %s"):format(index, count, tostring(result))
      end
      copies[index] = nil
    end
    assert.same({}, wrong)
    assert.same({}, copies)
    assert.equal(case.count, #results)
  end

  local function run(case)
    local address = new_box()
    local doubtful = open_mailer(case)
    local summary, results = send_many(mailer, case, address, DISTURB[case.how])
    local stats = mailer:stats()
    local unknown = 0
    for _, result in ipairs(results) do
      unknown = unknown + (result.delivered == "unknown" and 1 or 0)
    end
    assert.equal(case.count, summary.total)
    assert.equal(unknown, summary.unknown)
    assert.equal(0, summary.failed, tostring(summary.errors[1] and summary.errors[1].err))
    assert.equal(case.count, summary.sent + summary.unknown)
    if case.when_unknown == "retry" then
      assert.equal(0, summary.unknown)
    end
    -- It did happen in the middle.
    assert.is_true(stats.opened > case.max, "connections: " .. stats.opened)
    assert.is_true(case.how == "killed" or stats.retries > 0)
    check_arrived(address, case, results, doubtful)
  end

  -- The share of the list after which it happens.
  local ONCE, OFTEN = { 0.35 }, { 0.2, 0.35, 0.6, 0.8 }

  local CASES = {
    { "restarted", ONCE, MANY, 4, 8, "retry" }, { "restarted", ONCE, MANY, 1, 8, "stop" },
    { "restarted", ONCE, SOME, 1, 0, "stop" }, { "restarted", ONCE, SOME, 4, 1, "stop" },
    { "restarted", ONCE, SOME, 4, 0, "retry" }, { "restarted", ONCE, SOME, 1, 1, "retry" },
    { "killed", OFTEN, MANY, 4, 8, "retry" }, { "killed", OFTEN, SOME, 1, 8, "stop" },
    { "killed", ONCE, SOME, 1, 0, "stop" }, { "killed", ONCE, SOME, 4, 1, "stop" },
    { "killed", ONCE, SOME, 4, 0, "retry" }, { "killed", ONCE, SOME, 1, 1, "retry" },
  }

  for _, row in ipairs(CASES) do
    local case = { how = row[1], count = row[3], max = row[4], window = row[5],
      when_unknown = row[6], at = {} }
    for i, share in ipairs(row[2]) do
      case.at[i] = math.floor(case.count * share)
    end
    local name = "%s in the middle loses none of %d: pool.max %d, window %d, when_unknown %s"
    it(name:format(row[1], row[3], row[4], row[5], row[6]), function()
      run(case)
    end)
  end
end)
