-- The option `rate` over several workers. nginx embeds LuaJIT: of the suites, the
-- one under LuaJIT runs this.
if not jit then
  return
end

local nginx = require("spec.support.nginx")
local notifier = require("spec.support.notifier")
local runner = require("spec.support.ngx_runner")
local send = require("spec.support.send")
local shell = require("spec.support.shell")

local DICT = "lua_shared_dict qqmail_rate 1m;"

-- Four mails in PER seconds, so that one may go every STEP.
local COUNT, PER = 4, 0.6
local STEP = PER / COUNT

-- What each of two workers does when it starts; the subject is its pid.
local SENDS = [[
  ngx.timer.at(0, function()
    for _ = 1, 4 do
      assert(mailer:send({ to = "a@test.local", subject = tostring(ngx.worker.pid()), text = "t" }))
    end
  end)
]]
local NOTIFIES = [[
  for _ = 1, 4 do
    assert(mailer:notify({ to = "a@test.local", subject = tostring(ngx.worker.pid()), text = "t" }))
  end
]]

describe("the option rate in nginx", function()
  local folder, remove

  before_each(function()
    folder, remove = shell.folder()
  end)

  after_each(function()
    runner.stop()
    nginx.stop()
    send.stop()
    remove()
  end)

  local function it_runs(name, body)
    it(name, function()
      if runner.missing then
        pending(runner.missing)
        return
      end
      body()
    end)
  end

  local function start_two(server, http, action)
    local options = notifier.mailer_options(server, { rate = COUNT .. "/" .. PER,
      outbox = { dir = folder } })
    return nginx.start({ workers = 2, http = ([[
      %s
      init_by_lua_block { mailer = require("qqmail").setup(%s) }
      init_worker_by_lua_block { %s }
    ]]):format(http, notifier.options_text(options), action) })
  end

  -- When MAIL was heard, on one clock: all times, and those of each worker.
  local function mail_times(server)
    local began, all, by_worker = {}, {}, {}
    for _, record in ipairs(server:connections()) do
      local times = {}
      for _, line in ipairs(record.lines) do
        if line.dir == "C" and line.line:find("^MAIL") then
          times[#times + 1] = record.began + line.t
          all[#all + 1] = times[#times]
        end
      end
      began[record.id] = times
    end
    local used = {}
    for _, message in ipairs(server:messages()) do
      local id = message.connection
      used[id] = (used[id] or 0) + 1
      local worker = message.data:match("Subject: (%d+)")
      by_worker[worker] = by_worker[worker] or {}
      table.insert(by_worker[worker], began[id][used[id]])
    end
    table.sort(all)
    return all, by_worker
  end

  -- Slots are even, so that COUNT + 2 mails take at least PER; a step of it is
  -- left to those who are late.
  local function keeps_to_rate(times)
    for first = 1, #times - COUNT - 1 do
      local span = times[first + COUNT + 1] - times[first]
      assert.is_true(span >= PER - STEP, ("%d mails in %.3f s"):format(COUNT + 2, span))
    end
    local span = times[#times] - times[1]
    assert.is_true(span >= (#times - 3) * STEP, ("%d mails in %.3f s"):format(#times, span))
  end

  local function await_eight(server, web)
    -- It takes 1.2 s, twice as long for the slower of two parts.
    assert(server:wait(8, 6), "too slow: " .. web:log())
    local all, by_worker = mail_times(server)
    assert.equal(8, #all)
    local workers = 0
    for _, times in pairs(by_worker) do
      assert.equal(4, #times)
      workers = workers + 1
    end
    assert.equal(2, workers)
    return all, by_worker
  end

  for name, action in pairs({ send = SENDS, notify = NOTIFIES }) do
    it_runs("is kept by two workers together with a dictionary: " .. name, function()
      local server = send.server({ mode = "plain" })
      local web = start_two(server, DICT, action)
      keeps_to_rate((await_eight(server, web)))
    end)
  end

  it_runs("is cut into parts for workers without a dictionary", function()
    local server = send.server({ mode = "plain" })
    local web = start_two(server, "", NOTIFIES)
    local _, by_worker = await_eight(server, web)
    for _, times in pairs(by_worker) do
      -- Twice as slow: two steps of two each behind the second mail, for the first
      -- may go late in its slot; less one for those who are late.
      local span = times[4] - times[2]
      assert.is_true(span >= 3 * STEP, ("3 mails of one worker in %.3f s"):format(span))
    end
  end)

  it_runs("lets send answer when its turn is too far, in whatever mailer", function()
    local server = send.server({ mode = "plain" })
    runner.start_with({ http = DICT })
    local options = send.options(server, { rate = { 1, per = 1e8 } })
    local first = runner.send(options, { send.message() })[1]
    assert.is_nil(first.err)
    for _ = 1, 2 do
      local err = runner.send(options, { send.message() })[1].err
      assert.equal("rate.own_limit", err and err.code)
      assert.equal("later", err.retry)
      assert.equal("no", err.delivered)
      assert.is_true(err.retry_after > 15)
      send.has(err.hint, "mailer:notify")
    end
    assert.equal(1, #server:messages())
  end)

  it_runs("outlives a reload in the dictionary", function()
    local server = send.server({ mode = "plain" })
    local web = runner.start_with({ http = DICT })
    local options = send.options(server, { rate = { 1, per = 1e8 } })
    assert.is_nil(runner.send(options, { send.message() })[1].err)
    web:reload()
    assert.equal("rate.own_limit", runner.send(options, { send.message() })[1].err.code)
    assert.equal(1, #server:messages())
  end)
end)
