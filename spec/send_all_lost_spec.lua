-- `mailer:send_all` over connections that break, and servers that stumble.
local batch = require("spec.support.send_all")
local send = require("spec.support.send")

local function each_way(text, body)
  for _, window in ipairs({ 0, 1, 3 }) do
    for _, chunking in ipairs({ false, true }) do
      it(("%s, window %d, %s"):format(text, window, chunking and "BDAT" or "DATA"), function()
        body(window, chunking)
      end)
    end
  end
end

-- No message at the server twice; none there that was said to be lost, and none
-- missing that was said to be sent.
local function assert_honest(server, results, n)
  local arrived = batch.arrived(server)
  for index = 1, n do
    local count, result = arrived["m" .. index] or 0, results[index]
    if result.receipt then
      assert.equal(1, count, "m" .. index)
    elseif result.err.delivered == "no" then
      assert.equal(0, count, "m" .. index .. " " .. tostring(result.err))
    else
      assert.is_true(count <= 1, "m" .. index)
    end
  end
end

local function count_unknown(results, n)
  local count = 0
  for index = 1, n do
    local err = results[index].err
    count = count + ((err and err.delivered == "unknown") and 1 or 0)
  end
  return count
end

describe("mailer:send_all, when a connection breaks,", function()
  after_each(send.stop)

  for _, phase in ipairs({ "mail", "rcpt", "data", "body", "dot" }) do
    for _, how in ipairs({ "fin", "rst" }) do
      each_way(("in phase %s by %s, charges one message"):format(phase, how),
        function(window, chunking)
          if chunking and phase == "data" then
            phase = "bdat"
          end
          local server = send.server({ chunking = chunking })
          local mailer = send.mailer(server, { window = window })
          batch.all(mailer, batch.messages(3))
          local clear = batch.arrived(server)
          assert.equal(1, clear.m3)
          server:clear()
          mailer:close()
          server:set({ drop_at = phase, how = how, drop_times = 1 })
          mailer = send.mailer(server, { window = window })
          local results, summary = batch.run(mailer, batch.messages(10))
          assert_honest(server, results, 10)
          local lost = summary.failed + summary.unknown
          -- Small ones leave whole, by BDAT in one flight with their envelopes.
          assert.is_true(lost <= (chunking and window + 1 or 1), lost .. " were lost")
          for index = 1, 10 do
            local result = results[index]
            assert.equal(1, (result.receipt or result.err).attempts, index)
          end
          if phase ~= "dot" and phase ~= "body" and not chunking then
            assert.equal(0, count_unknown(results, 10))
          end
          assert.is_true(#server:connections() <= 3)
        end)

      each_way(("in phase %s by %s, sends all when it may try again"):format(phase, how),
        function(window, chunking)
          if chunking and phase == "data" then
            phase = "bdat"
          end
          local server = send.server({ chunking = chunking, drop_at = phase, how = how,
            drop_times = 2 })
          local mailer = send.mailer(server, { window = window,
            retry = { attempts = 3, base = 0, jitter = 0 } })
          local results = batch.run(mailer, batch.messages(10))
          assert_honest(server, results, 10)
          local tries = 0
          for index = 1, 10 do
            local result = results[index]
            tries = tries + (result.receipt or result.err).attempts - 1
            assert.is_true(result.receipt ~= nil or result.err.delivered == "unknown", index)
          end
          assert.is_true(tries <= 2, "charged " .. tries)
        end)
    end
  end

  each_way("and the server always hangs up on one message, loses only that one",
    function(window, chunking)
      local server = send.server({ chunking = chunking, scenario = "spec.support.picky_scenario" })
      local mailer = send.mailer(server, { window = window,
        retry = { attempts = 3, base = 0, jitter = 0 } })
      local results, summary = batch.run(mailer, batch.messages(9, function(message, index)
        message.to = index == 4 and "poison@test.local" or message.to
        return message
      end))
      assert_honest(server, results, 9)
      if chunking then
        -- What left whole in one flight with it may have been taken.
        assert.is_true(summary.unknown <= window + 1)
        assert.equal(9, summary.sent + summary.unknown)
        return
      end
      assert.equal(8, summary.sent)
      assert.equal(3, results[4].err.attempts)
      for index = 1, 9 do
        if index ~= 4 then
          assert.equal(1, results[index].receipt.attempts, index)
        end
      end
    end)

  each_way("goes on over another one behind 421 to MAIL", function(window, chunking)
    local server = send.server({ chunking = chunking, scenario = "spec.support.picky_scenario",
      most_mails = 3 })
    local mailer = send.mailer(server, { window = window })
    local results, summary = batch.run(mailer, batch.messages(10))
    assert_honest(server, results, 10)
    for index = 1, 10 do
      assert.equal(1, (results[index].receipt or results[index].err).attempts)
    end
    assert.equal(0, summary.failed)
    assert.equal(10, summary.sent + (chunking and summary.unknown or 0))
    assert.is_true(#server:connections() <= 4)
  end)

  each_way("goes on over another one behind 421 to a body", function(window, chunking)
    local server = send.server({ chunking = chunking,
      replies = { dot = { false, false, false, "421 4.3.2 Going down" } } })
    local mailer = send.mailer(server, { window = window })
    local results, summary = batch.run(mailer, batch.messages(9))
    assert.equal(8, summary.sent + (chunking and summary.unknown or 0))
    assert_honest(server, results, 9)
    send.is_error(results[4].err, { delivered = "no" })
  end)

  it("tells each message when nobody listens any more", function()
    local server = send.server()
    local mailer = send.mailer(server, { window = 3, pool = { max = 3 } })
    batch.all(mailer, batch.messages(3))
    server:stop()
    local _, summary = batch.run(mailer, batch.messages(20))
    assert.equal(20, summary.failed)
  end)
end)

describe("mailer:send_all, with a server that allows fewer connections,", function()
  after_each(send.stop)

  for _, reply in ipairs({ "421 4.7.0 Too many connections", "554 5.7.1 Too many connections",
    "452 4.3.1 Busy" }) do
    for _, most in ipairs({ 1, 2 }) do
      it(("sends all over %d: %s"):format(most, reply:sub(1, 3)), function()
        local server = batch.crowded_server({ max = most, reply = reply },
          { delay = { dot = 0.01, auth = 0.02 } })
        local mailer = send.mailer(server, { pool = { max = 4, messages = 7 } })
        local results = batch.all(mailer, batch.messages(40))
        batch.arrived_once(server, 40)
        assert.equal(most, batch.most(server))
        for index = 1, 40 do
          assert.equal(1, results[index].receipt.attempts)
        end
      end)
    end
  end

  it("tries a wrong password once", function()
    local server = send.server({ replies = { auth = "535 5.7.8 Wrong" } })
    local mailer = send.mailer(server, { pool = { max = 4 } })
    local _, summary = batch.run(mailer, batch.messages(20))
    assert.equal(20, summary.failed)
    assert.equal(1, server:auth_attempts())
    send.is_error(summary.errors[1].err, { kind = "auth" })
    send.is_error(summary.errors[20].err, { kind = "auth" })
  end)
end)

describe("a server that offers PIPELINING and stumbles", function()
  after_each(send.stop)

  -- Where the time is used up; a busy machine may use it up once more.
  local PATIENCE = { discard = 1 }
  local RETRY = { discard = { attempts = 5, base = 0, jitter = 0 } }

  for _, way in ipairs({ "discard", "mail", "data", "exim" }) do
    for _, window in ipairs({ 0, 1, 3 }) do
      for _, max in ipairs({ 1, 3 }) do
        it(("gets all one at a time in the end: %s, window %d, %d connections")
          :format(way, window, max), function()
          local server = send.server({ scenario = "spec.support.stumbling_scenario",
            stumbles = way })
          local mailer = send.mailer(server, { window = window, pool = { max = max },
            timeout = { reply = PATIENCE[way] }, retry = RETRY[way] or false })
          local results = batch.all(mailer, batch.messages(16))
          batch.arrived_once(server, 16)
          for index = 1, RETRY[way] and 0 or 16 do
            assert.equal(1, results[index].receipt.attempts)
          end
          assert.is_true(RETRY[way] ~= nil or #server:connections() <= 3 * max)
          -- What was learned is not forgotten.
          local before = #server:connections()
          for _ = 1, 3 do
            send.good(mailer)
          end
          assert.equal(before, #server:connections())
        end)
      end
    end

    it("gets a single message: " .. way, function()
      local server = send.server({ scenario = "spec.support.stumbling_scenario",
        stumbles = way })
      local mailer = send.mailer(server, { timeout = { reply = PATIENCE[way] },
        pool = { max = 2 }, retry = RETRY[way] or false })
      local receipt = send.good(mailer)
      assert.is_true(RETRY[way] ~= nil or receipt.attempts == 1)
      send.good(mailer)
      send.good(mailer)
      assert.is_true(RETRY[way] ~= nil or #server:connections() <= 3)
      assert.equal(3, #server:messages())
    end)
  end
end)

describe("a server that offers CHUNKING and stumbles", function()
  after_each(send.stop)

  local OFFER = { "PIPELINING", "CHUNKING", "SIZE 1000000", "AUTH PLAIN", "8BITMIME" }

  local WAYS = {
    ["does not know BDAT"] = { ehlo = OFFER },
    ["answers 502 to each chunk"] = { scenario = "spec.support.picky_scenario", chunking = true,
      bdat_reply = "502 5.5.1 Command not implemented" },
    ["answers 502 and hangs up"] = { scenario = "spec.support.picky_scenario", chunking = true,
      bdat_reply = "502 5.5.1 Command not implemented", bdat_how = "fin" },
  }

  for way, options in pairs(WAYS) do
    for _, window in ipairs({ 0, 1, 3 }) do
      for _, max in ipairs({ 1, 3 }) do
        it(("gets all by DATA: %s, window %d, %d connections"):format(way, window, max),
          function()
            local server = send.server(options)
            local mailer = send.mailer(server, { window = window, pool = { max = max } })
            local results = batch.all(mailer, batch.messages(16))
            batch.arrived_once(server, 16)
            for index = 1, 16 do
              assert.equal(1, results[index].receipt.attempts)
            end
            assert.is_true(#server:connections() <= 2 * max)
            local before = send.count(server, "BDAT")
            send.good(mailer)
            assert.equal(before, send.count(server, "BDAT"))
          end)
      end
    end
  end
end)
