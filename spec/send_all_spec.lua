-- What `mailer:send_all` takes and answers.
local batch = require("spec.support.send_all")
local fake_time = require("spec.support.fake_time")
local qqmail = require("qqmail")
local send = require("spec.support.send")

local function subject(index)
  return "m" .. index
end

-- Calls body(window, chunking) for ways to send several over one connection.
local function each_way(text, body)
  for _, window in ipairs({ 0, 1, 3 }) do
    for _, chunking in ipairs({ false, true }) do
      it(("%s, window %d, %s"):format(text, window, chunking and "BDAT" or "DATA"), function()
        body(window, chunking)
      end)
    end
  end
end

describe("mailer:send_all", function()
  after_each(send.stop)

  each_way("sends a list, each once and in order over one connection", function(window, chunking)
    local server = send.server({ chunking = chunking })
    local mailer = send.mailer(server, { window = window })
    local list = batch.messages(12)
    local results, summary = batch.all(mailer, list)
    for index = 1, 12 do
      local receipt = results[index].receipt
      assert.same({ "a@test.local" }, receipt.accepted)
      assert.equal(index > 1, receipt.reused)
      assert.equal(1, receipt.attempts)
    end
    for index, message in ipairs(server:messages()) do
      send.has(message.data, "Subject: " .. subject(index) .. "\r\n")
      send.has(message.data, results[index].receipt.message_id)
      assert.equal(chunking, message.chunked)
    end
    batch.arrived_once(server, 12)
    assert.equal(0, summary.rejected)
    assert.same({}, summary.errors)
    assert.is_false(summary.stopped)
    assert.is_true(summary.seconds > 0)
    assert.equal(1, #server:connections())
    assert.same({}, server:defects())
  end)

  it("uses a connection that was kept, and counts that", function()
    local server = send.server()
    local mailer = send.mailer(server)
    batch.all(mailer, batch.messages(3))
    batch.all(mailer, batch.messages(3))
    assert.equal(1, #server:connections())
    assert.same({ 1, 1 }, { mailer:stats().opened, mailer:stats().reused })
  end)

  it("sends what stands behind a hole in the list", function()
    local server = send.server()
    local results, summary = batch.run(send.mailer(server), { send.message(), nil, send.message() })
    assert.same({ 3, 2, 1 }, { summary.total, summary.sent, summary.failed })
    send.is_error(results[2].err, { code = "message.bad_type" })
    assert.equal(2, #server:messages())
  end)

  it("refuses what cannot be meant, before anything is sent", function()
    local server = send.server()
    local mailer = send.mailer(server)
    local one = send.message({ from = send.USER })
    local built = assert(qqmail.message(one))
    for part, arguments in pairs({
      ["not one message"] = { one }, ["write { message }"] = { built },
      ["not a string"] = { "x" }, ["options must be a table"] = { { one }, "x" },
      ["on_result must be a function"] = { { one }, { on_result = 1 } },
      ["on_progress must be a function"] = { { one }, { on_progress = false } },
      ["progress must be true or false"] = { { one }, { progress = "x" } },
      ["cancel must be"] = { { one }, { cancel = {} } },
    }) do
      local ok, why = pcall(mailer.send_all, mailer, arguments[1], arguments[2])
      assert.is_false(ok)
      send.has(why, part)
    end
    local summary, err = mailer:send_all({ one }, { on_resutl = print })
    assert.is_nil(summary)
    send.is_error(err, { code = "config.unknown_option", field = "on_resutl" })
    send.has(err.message, '"on_result"')
    assert.equal(0, #server:connections())
  end)

  each_way("stops for no bad message", function(window, chunking)
    local server = send.server({ chunking = chunking, size_limit = 20000, replies = {
      rcpt = { ["refused@test.local"] = "550 5.1.1 No such user" } } })
    local mailer = send.mailer(server, { window = window })
    local bad = {
      [2] = "a string", [4] = 7, [5] = false,
      [7] = send.message({ to = "not an address" }),
      [9] = send.message({ to = "refused@test.local" }),
      [11] = send.message({ text = ("x"):rep(60) .. ("\n" .. ("x"):rep(60)):rep(1000) }),
      [13] = send.message({ attachments = { { name = "a.bin", read = function()
        error("the disk is gone")
      end } } }),
      [15] = send.message({ attachments = { { path = "/nowhere/to/be/found" } } }),
    }
    local list = batch.messages(17, function(message, index)
      if bad[index] ~= nil then
        return bad[index]
      end
      return message
    end)
    local results, summary = batch.run(mailer, list)
    assert.equal(17, summary.total)
    local codes = {}
    for index = 1, 17 do
      if bad[index] == nil then
        assert.is_table(results[index].receipt, tostring(results[index].err))
      else
        codes[index] = send.is_error(results[index].err, { delivered = "no" }).kind
      end
    end
    assert.same({ [2] = "message", [4] = "message", [5] = "message", [7] = "message",
      [9] = "recipient", [11] = "message", [13] = "message", [15] = "message" }, codes)
    assert.equal(8, summary.failed)
    assert.equal(9, summary.sent)
    for place, index in ipairs({ 2, 4, 5, 7, 9, 11, 13, 15 }) do
      assert.is_true(summary.errors[place].index <= 15)
      assert.is_truthy(bad[summary.errors[place].index] ~= nil, index)
    end
    for name, count in pairs(batch.arrived(server)) do
      assert.equal(1, count, name)
    end
    assert.equal(9, #server:messages())
  end)

  each_way("ends only the message whose attachment fails while it goes out",
    function(window, chunking)
      local server = send.server({ chunking = chunking })
      local mailer = send.mailer(server, { window = window })
      local function failing()
        local pieces = 0
        return function()
          pieces = pieces + 1
          if pieces > 40 then
            return nil, "the disk is gone"
          end
          return ("x"):rep(8000)
        end
      end
      local list = batch.messages(10, function(message, index)
        if index % 4 == 0 then
          message.attachments = { { name = "a.bin", read = failing() } }
        end
        return message
      end)
      local results, summary = batch.run(mailer, list)
      for index = 1, 10 do
        if index % 4 == 0 then
          send.is_error(results[index].err, { kind = "message", delivered = "no" })
          assert.equal(1, results[index].err.attempts)
        else
          assert.is_table(results[index].receipt, tostring(results[index].err))
          assert.equal(1, results[index].receipt.attempts)
        end
      end
      assert.equal(8, summary.sent)
      assert.equal(8, #server:messages())
    end)

  it("takes iterators, built messages and generators", function()
    local server = send.server()
    local mailer = send.mailer(server)
    local list = batch.messages(6)
    list[3] = assert(qqmail.message(send.message({ subject = "m3", from = send.USER })))
    local results = { count = 0 }
    local summary = mailer:send_all(coroutine.wrap(function()
      for index = 1, 6 do
        coroutine.yield(list[index])
      end
    end), { on_result = function(receipt, err, message, index)
      assert(receipt and not err and message == list[index])
      results.count = results.count + 1
    end })
    assert.equal(6, summary.sent)
    assert.equal(6, results.count)
    assert.equal(0, mailer:stats().hook_errors)
    batch.arrived_once(server, 6)
    assert.equal(6, mailer:send_all(batch.iterator(list)).sent)
  end)

  it("takes an empty list and an iterator with nothing in it, and opens nothing", function()
    local server = send.server()
    local mailer = send.mailer(server)
    assert.equal(0, mailer:send_all({}).total)
    assert.equal(0, mailer:send_all(function() end).total)
    assert.same({}, server:connections())
  end)

  it("finishes what is under way when an iterator raises, and raises then", function()
    local server = send.server()
    local mailer = send.mailer(server, { window = 3 })
    local why, told, shown = { "a table" }, {}, nil
    local list = batch.messages(5)
    local pull = batch.iterator(list)
    local ok, raised = pcall(mailer.send_all, mailer, function()
      local message = pull()
      return message or error(why)
    end, {
      on_result = function(receipt, _, _, index)
        told[index] = receipt ~= nil
      end,
      on_progress = function(state)
        shown = state
      end,
    })
    assert.is_false(ok)
    assert.equal(why, raised)
    assert.same({ true, true, true, true, true }, told)
    assert.is_true(shown.is_last)
    batch.arrived_once(server, 5)
    send.good(mailer)
  end)

  it("raises for what is no list and no callback, and only for that", function()
    local mailer = send.mailer(send.server())
    assert.has_error(function() mailer:send_all("text") end)
    assert.has_error(function() mailer:send_all() end)
    assert.has_error(function() mailer:send_all({}, { on_result = 1 }) end)
    assert.has_error(function() mailer:send_all({}, { on_progress = {} }) end)
    mailer:close()
    local summary, err = mailer:send_all({ send.message() })
    assert.is_nil(summary)
    send.is_error(err, { code = "closed.mailer" })
  end)

  it("counts callbacks that raise, and goes on", function()
    local server = send.server()
    local mailer = send.mailer(server, { on = { sent = function() error("hook") end } })
    local summary = mailer:send_all(batch.messages(4), {
      on_result = function() error("result") end,
      on_progress = function(state)
        assert.is_true(state.is_last, "only the last one raises")
        error("progress")
      end,
    })
    assert.equal(4, summary.sent)
    batch.arrived_once(server, 4)
    assert.is_true(mailer:stats().hook_errors >= 4 + 4 + 1)
  end)

  it("shows how far it is, not too often, and in the end", function()
    local server = send.server({ delay = { dot = 0.01 } })
    local mailer = send.mailer(server)
    local states = {}
    local list = batch.messages(40)
    list[7] = "no message"
    local _, summary = batch.run(mailer, list, { on_progress = function(state)
      states[#states + 1] = state
    end })
    assert.equal(39, summary.sent)
    local last = states[#states]
    assert.is_true(last.is_last)
    assert.same({ 40, 40, 39, 1, 0, 0 },
      { last.done, last.total, last.sent, last.failed, last.unknown, last.waiting })
    assert.is_true(last.per_second > 0)
    for index = 1, #states - 1 do
      assert.is_false(states[index].is_last)
      assert.is_true(states[index].done <= states[index + 1].done)
      local distance = states[index + 1].seconds - states[index].seconds
      assert.is_true(distance >= 0.099 or states[index + 1].is_last)
    end
    assert.is_true(#states >= 2)
  end)

  it("keeps a summary of some errors, and counts all", function()
    local mailer = send.mailer(send.server())
    local summary = mailer:send_all(batch.messages(130, function()
      return "no message"
    end))
    assert.same({ 130, 130, 0, 100 },
      { summary.total, summary.failed, summary.sent, #summary.errors })
    assert.equal(100, summary.errors[100].index)
  end)

  it("counts recipients that were refused of mails that were sent", function()
    local server = send.server({ replies = { rcpt = { ["b@test.local"] = "550 5.1.1 No" } } })
    local mailer = send.mailer(server)
    local results, summary = batch.all(mailer, batch.messages(3, function(message)
      message.to = { "a@test.local", "b@test.local" }
      return message
    end))
    assert.equal(3, summary.rejected)
    assert.equal("b@test.local", results[2].receipt.rejected[1].address)
  end)

  it("lets a callback send, and send many", function()
    local server = batch.crowded_server()
    local mailer = send.mailer(server, { window = 3 })
    local inner
    batch.all(mailer, batch.messages(3), { on_progress = function(state)
      if not inner and not state.is_last then
        inner = "begun"
        assert(mailer:send(send.message({ subject = "m4" })))
        inner = mailer:send_all({ send.message({ subject = "m5" }) })
      end
    end })
    assert.equal(1, inner.sent)
    assert.equal(0, mailer:stats().hook_errors)
    batch.arrived_once(server, 5)
    assert.equal(0, mailer:stats().connections.used)
  end)

  it("opens no more connections than pool.max, and uses them", function()
    local server = batch.crowded_server({}, { delay = { dot = 0.02 } })
    local mailer = send.mailer(server, { pool = { max = 3 } })
    batch.all(mailer, batch.messages(30))
    assert.equal(3, batch.most(server))
    assert.equal(3, #server:connections())
    batch.arrived_once(server, 30)
    assert.same({ used = 0, idle = 3 }, mailer:stats().connections)
    batch.all(mailer, batch.messages(30))
    assert.equal(3, #server:connections())
  end)

  it("opens one connection only for a few messages", function()
    local server = batch.crowded_server()
    local mailer = send.mailer(server, { pool = { max = 3 } })
    batch.all(mailer, batch.messages(4))
    assert.equal(1, #server:connections())
  end)

  for _, window in ipairs({ 0, 1, 3 }) do
    it("sends no more than pool.messages over one connection, window " .. window, function()
      local server = batch.crowded_server()
      local mailer = send.mailer(server, { window = window, pool = { messages = 4 } })
      batch.all(mailer, batch.messages(10))
      batch.arrived_once(server, 10)
      local each = {}
      for _, message in ipairs(server:messages()) do
        each[message.connection] = (each[message.connection] or 0) + 1
      end
      assert.same({ 4, 4, 2 }, each)
      assert.equal(1, batch.most(server))
    end)
  end

  it("hears nothing but commands QQ can stand", function()
    local server = send.qq_server()
    local mailer = send.qq_mailer(server)
    assert.equal(0, mailer.settings.window)
    batch.all(mailer, batch.messages(6))
    batch.arrived_once(server, 6)
    assert.equal(1, server:auth_attempts())
    assert.equal(0, send.count(server, "RSET"))
    assert.equal(0, send.count(server, "NOOP"))
    assert.same({}, server:defects())
    for _, line in ipairs(server:connections()[1].lines) do
      send.lacks(line.line, "Invalid input")
    end
  end)

  it("goes on with QQ over a new connection behind one refused message", function()
    local server = send.qq_server({ content_words = { "forbidden" } })
    local mailer = send.qq_mailer(server)
    local results, summary = batch.run(mailer, batch.messages(5, function(message, index)
      message.text = index == 3 and "forbidden" or "fine"
      return message
    end))
    assert.equal(4, summary.sent)
    send.is_error(results[3].err, { delivered = "no", kind = "content" })
    assert.equal(4, #server:messages())
    assert.equal(0, send.count(server, "RSET"))
  end)

  it("stops taking new ones when the caller says so", function()
    local server = send.server()
    local mailer = send.mailer(server, { window = 3 })
    local stop, taken = qqmail.canceller(), 0
    local results, summary = batch.run(mailer, function()
      taken = taken + 1
      if taken == 5 then
        stop:cancel()
      end
      return send.message({ subject = subject(taken) })
    end, { cancel = stop })
    assert.is_true(summary.stopped)
    assert.equal(5, results.count)
    assert.equal(taken, summary.sent + summary.failed)
    for index = 1, 4 do
      assert.is_table(results[index].receipt, tostring(results[index].err))
    end
    assert.equal(summary.sent, #server:messages())
  end)

  it("does not wait for another try once the caller has stopped", function()
    local server = send.server({ replies = { rcpt = { ["a@test.local"] = "451 4.3.0 Later" } } })
    local mailer = send.mailer(server, { timeout = { total = 300 },
      retry = { attempts = 3, base = 50, cap = 50, jitter = 0 } })
    local waits = 0
    mailer.settings.on = { retry = function() waits = waits + 1 end }
    local results, summary = batch.run(mailer, batch.messages(3), { cancel = function()
      return waits >= 3
    end })
    assert.equal(3, waits)
    assert.is_true(summary.stopped)
    assert.is_true(summary.seconds < 10)
    for index = 1, 3 do
      send.is_error(results[index].err, { delivered = "no", kind = "recipient" })
      assert.equal(1, results[index].err.attempts)
    end
    assert.equal(3, send.count(server, "MAIL"))
  end)

  it("does not send the one that waits for its turn when the caller stops", function()
    local server = send.server()
    local mailer, driver = fake_time.mailer(server, { rate = { 1, per = 100 } })
    local stop = qqmail.canceller()
    driver.on_sleep = function()
      stop.cancelled = #driver.waits == 5
    end
    local results, summary = batch.run(mailer, batch.messages(4), { cancel = stop })
    assert.equal(5, #driver.waits)
    assert.equal(1, summary.sent)
    assert.equal(2, results.count)
    send.is_error(results[2].err, { kind = "cancelled", delivered = "no" })
    assert.equal(1, #server:messages())
  end)

  it("does not begin a message whose own token is set", function()
    local server = send.server()
    local stop = qqmail.canceller()
    stop:cancel()
    local results, summary = batch.run(send.mailer(server, { window = 3 }),
      batch.messages(5, function(message, index)
        message.cancel = index == 2 and stop or nil
        return message
      end))
    assert.equal(4, summary.sent)
    send.is_error(results[2].err, { kind = "cancelled", delivered = "no" })
    assert.equal(4, #server:messages())
  end)

  it("does not begin a message whose deadline has passed, and hurts no other", function()
    local server = send.server({ delay = { dot = 0.1 } })
    local results, summary = batch.run(send.mailer(server, { window = 3 }),
      batch.messages(8, function(message, index)
        message.deadline = index == 8 and 0.01 or nil
        return message
      end))
    assert.equal(7, summary.sent, tostring(summary.errors[1].err))
    assert.equal(0, summary.unknown)
    send.is_error(results[8].err, { kind = "timeout", delivered = "no" })
    assert.equal(7, #server:messages())
    assert.equal(1, #server:connections())
  end)

  it("takes a message at once where nothing is sent", function()
    local mailer = assert(qqmail.new({ user = send.USER, password = send.CODE, io = "memory",
      lang = "en" }))
    local list = batch.messages(5)
    list[2], list[4] = "no message", send.message({ to = "not an address" })
    local results, summary = batch.run(mailer, list)
    assert.equal(3, summary.sent)
    assert.equal(3, #mailer.outbox)
    assert.equal("memory", results[5].receipt.host)
    local stop = qqmail.canceller()
    stop:cancel()
    assert.equal(0, mailer:send_all(batch.messages(5), { cancel = stop }).total)
  end)
end)
