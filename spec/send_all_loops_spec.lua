-- `mailer:send_all` and `mailer:send` side by side, under each way to wait.
local batch = require("spec.support.send_all")
local loops = require("spec.support.loops")
local qqmail = require("qqmail")
local send = require("spec.support.send")
local shell = require("spec.support.shell")

local unpack = unpack or table.unpack

-- Calls body(run, io) for each way to run several coroutines: `run(f, ...)` returns
-- when all have ended.
local function each_loop(text, body)
  it(text .. ", loop", function()
    body(send.in_loop, send.LOOP_IO)
  end)
  for _, name in ipairs({ "cqueues", "luv" }) do
    it(text .. ", " .. name, function()
      if loops[name].missing then
        pending(loops[name].missing)
        return
      end
      body(loops[name].run, name)
    end)
  end
end

local function numbered(from, to)
  local index = from - 1
  return function()
    index = index + 1
    return index <= to and send.message({ subject = "m" .. index }) or nil
  end
end

describe("mailer:send_all in a loop", function()
  after_each(send.stop)

  each_loop("uses several connections where the loop can", function(run, io)
    local server = batch.crowded_server({}, { delay = { dot = 0.01 } })
    local mailer = send.mailer(server, { io = io, pool = { max = 3 } })
    run(function()
      batch.all(mailer, batch.messages(24))
      mailer:close()
    end)
    batch.arrived_once(server, 24)
    -- Who only gives `wait` and `sleep` cannot start coroutines for us.
    assert.equal(type(io) == "table" and 1 or 3, batch.most(server))
    assert.same({}, server:defects())
  end)

  each_loop("shares pool.max connections with all who send", function(run, io)
    local server = batch.crowded_server({}, { delay = { dot = 0.002, auth = 0.01 } })
    local mailer = send.mailer(server, { io = io, pool = { max = 3, messages = 9 } })
    local bodies, done = {}, 0
    for index = 1, 6 do
      bodies[index] = function()
        for number = 1, 5 do
          send.good(mailer, send.message({ subject = "m" .. (index * 5 - 5 + number) }))
        end
        done = done + 1
      end
    end
    for index = 0, 1 do
      bodies[#bodies + 1] = function()
        local first = 31 + index * 60
        local summary = mailer:send_all(numbered(first, first + 59))
        assert.equal(60, summary.sent, summary.errors[1] and tostring(summary.errors[1].err))
        done = done + 1
      end
    end
    run(unpack(bodies))
    assert.equal(8, done)
    assert.equal(3, batch.most(server))
    batch.arrived_once(server, 150)
    assert.equal(0, mailer:stats().connections.used)
    run(function() mailer:close() end)
  end)

  each_loop("lets others have a connection before it is through", function(run, io)
    local server = batch.crowded_server({}, { delay = { dot = 0.002 } })
    local mailer = send.mailer(server, { io = io })
    local other_at, all_sent
    run(function()
      all_sent = mailer:send_all(numbered(1, 200)).sent
    end, function()
      send.good(mailer, send.message({ subject = "m201" }))
      other_at = #server:messages()
    end)
    assert.equal(200, all_sent)
    assert.is_true(other_at < 100, other_at)
    assert.equal(1, batch.most(server))
    batch.arrived_once(server, 201)
    run(function() mailer:close() end)
  end)

  each_loop("keeps no connection from others while it only waits", function(run, io)
    local server = batch.crowded_server({}, { replies = {
      rcpt = { ["slow@test.local"] = "454 4.7.0 Throttling failure: Maximum rate" } } })
    local mailer = send.mailer(server, { io = io, retry = { attempts = 2, base = 1, jitter = 0 } })
    local log = {}
    run(function()
      local summary = mailer:send_all({ send.message({ to = "slow@test.local" }) }, {
        on_result = function()
          log[#log + 1] = "delayed"
        end,
      })
      assert.equal(1, summary.failed)
    end, function()
      while mailer:stats().retries == 0 do
        send.good(mailer)
      end
      send.good(mailer)
      log[#log + 1] = "other"
    end)
    assert.same({ "other", "delayed" }, log)
    assert.equal(1, batch.most(server))
    run(function() mailer:close() end)
  end)

  each_loop("raises what a lane raised, when all are done", function(run, io)
    if not jit and _VERSION == "Lua 5.1" then
      pending("there nothing can wait inside pcall")
      return
    end
    local server = send.server({ delay = { dot = 0.01 } })
    local mailer = send.mailer(server, { io = io, pool = { max = 3 }, timeout = { total = 2 } })
    local looks, ok, why = 0, nil, nil
    run(function()
      ok, why = pcall(mailer.send_all, mailer, batch.messages(24), { cancel = function()
        looks = looks + 1
        return looks == 12 and error("cannot tell")
      end })
      mailer:close()
    end)
    assert.is_false(ok)
    send.has(why, "cannot tell")
  end)

  each_loop("waits for its turn no longer than for a message", function(run, io)
    local server = batch.crowded_server({}, { delay = { dot = 0.3 } })
    local mailer = send.mailer(server, { io = io, timeout = { total = 5 } })
    local results
    run(function()
      send.good(mailer)
    end, function()
      results = batch.all(mailer, batch.messages(2))
    end)
    assert.equal(1, results[1].receipt.attempts)
    assert.equal(1, batch.most(server))
    run(function() mailer:close() end)
  end)

  each_loop("takes messages from an iterator that waits", function(run, io)
    if not jit and _VERSION == "Lua 5.1" then
      pending("there nothing can wait inside pcall")
      return
    end
    local server = send.server()
    local mailer = send.mailer(server, { io = io, pool = { max = 3 } })
    local driver = type(io) == "table" and { sleep = function(_, s) io.sleep(s) end }
      or loops[io].driver
    local inside, most = 0, 0
    local pull = batch.iterator(batch.messages(20))
    run(function()
      local summary = mailer:send_all(function()
        inside = inside + 1
        most = math.max(most, inside)
        driver:sleep(0.001)
        inside = inside - 1
        return pull()
      end)
      assert.equal(20, summary.sent)
      mailer:close()
    end)
    assert.equal(1, most)
    batch.arrived_once(server, 20)
  end)

  each_loop("tries a wrong password once", function(run, io)
    local server = send.server({ replies = { auth = "535 5.7.8 Wrong" } })
    local mailer = send.mailer(server, { io = io, pool = { max = 3 } })
    run(function()
      local _, summary = batch.run(mailer, batch.messages(20))
      assert.equal(20, summary.failed)
    end)
    assert.equal(1, server:auth_attempts())
  end)
end)

describe("mailer:send_all without a loop", function()
  after_each(send.stop)

  it("uses several connections at once", function()
    local server = batch.crowded_server({}, { delay = { dot = 0.01 }, mode = "implicit" })
    local mailer = send.mailer(server, { io = "blocking", pool = { max = 4 } })
    batch.all(mailer, batch.messages(40))
    assert.equal(4, batch.most(server))
    batch.arrived_once(server, 40)
  end)

  it("writes files", function()
    local folder, remove = shell.folder()
    local mailer = assert(qqmail.new({ user = send.USER, password = send.CODE, lang = "en",
      io = { file = folder } }))
    local list = batch.messages(5)
    list[3] = "no message"
    local results, summary = batch.run(mailer, list)
    assert.equal(4, summary.sent)
    for _, index in ipairs({ 1, 2, 4, 5 }) do
      local file = assert(io.open(results[index].receipt.path, "rb"))
      send.has(file:read("*a"), "Subject: m" .. index)
      file:close()
    end
    remove()
    local results_after = batch.run(mailer, batch.messages(2))
    send.is_error(results_after[2].err, { code = "message.not_saved" })
  end)

  it("needs no more memory for many messages than for some", function()
    local server = send.server({ discard = true })
    local mailer = send.mailer(server, { window = 3 })
    local count, low, high = 0, nil, 0
    local last = 10000
    local summary = mailer:send_all(function()
      count = count + 1
      if count % 1000 == 0 then
        collectgarbage()
        collectgarbage()
        local now = collectgarbage("count")
        if count >= 2000 then
          low, high = low or now, math.max(high, now)
        end
      end
      return count <= last and send.message() or nil
    end)
    assert.equal(last, summary.sent)
    assert.is_true(high - low < 100, ("grew by %.0f KiB"):format(high - low))
  end)
end)
