local pool = require("qqmail.pool")
local qqmail = require("qqmail")
local send = require("spec.support.send")
local shell = require("spec.support.shell")

local good, bad, has, message = send.good, send.bad, send.has, send.message

-- Each driver that moves bytes through the loop of somebody: `run(body)` calls
-- the body with a value for the option `io`.
local DRIVERS = {
  blocking = function(body)
    body("blocking")
  end,
  loop = send.in_loop,
}

-- How many sockets this process has open: the shell's parent is this process.
local function sockets()
  return tonumber((shell.run("ls -l /proc/$PPID/fd | grep -c socket:")))
end

-- A search path that holds in every directory.
local function absolute(path)
  local here = shell.run("pwd"):gsub("%s+$", "")
  return (path:gsub("[^;]+", function(entry)
    return entry:sub(1, 1) == "/" and entry or here .. "/" .. entry
  end))
end

describe("sending", function()
  after_each(send.stop)

  for _, driver in ipairs({ "blocking", "loop" }) do
    for _, mode in ipairs({ "plain", "starttls", "implicit" }) do
      it(("works with driver %s, mode %s"):format(driver, mode), function()
        local server = send.server({ mode = mode })
        DRIVERS[driver](function(io)
          local mailer = send.mailer(server, { io = io })
          local receipt = good(mailer, message({ to = { "a@test.local", "b@test.local" } }))
          assert.same({ "a@test.local", "b@test.local" }, receipt.accepted)
          assert.same({}, receipt.rejected)
          assert.equal(250, receipt.reply.code)
          assert.equal(1, receipt.attempts)
          assert.is_false(receipt.reused)
          assert.equal(server.host, receipt.host)
          assert.equal(("%s:%d"):format(server.host, server.port), receipt.peer)
          assert.is_string(receipt.queue_id)
          has(receipt.message_id, "@qq.com>")
          assert.equal(mode ~= "plain", receipt.tls ~= nil)
          for _, phase in ipairs({ "connect", "login", "message" }) do
            assert.is_number(receipt.times[phase])
          end
          mailer:close()
        end)
        local got = server:messages()[1]
        assert.equal(send.USER, got.from)
        assert.same({ "a@test.local", "b@test.local" }, got.to)
        assert.equal(send.CODE, got.auth.password)
        has(got.data, "\r\n\r\nhello\r\n.dot\r\n")
        has(got.data, "Message-ID: <")
        assert.is_false(got.bare_newline)
        assert.equal(mode ~= "plain", got.tls ~= nil)
        assert.same({}, server:defects())
      end)
    end
  end

  it("works for many coroutines at once, with one mailer and one message", function()
    local server = send.server({ mode = "implicit", split_writes = 1 })
    local mailer = send.mailer(server, { io = send.LOOP_IO, pool = { max = 2 } })
    local built = assert(qqmail.message(message({ from = send.USER,
      attachments = { { data = ("x"):rep(100000), name = "x.bin" } } })))
    local done = 0
    local function body()
      good(mailer, built)
      good(mailer)
      done = done + 1
    end
    send.in_loop(body, body, body, body, body)
    assert.equal(5, done)
    send.in_loop(function() mailer:close() end)
    local list = server:messages()
    assert.equal(10, #list)
    local big = 0
    for _, item in ipairs(list) do
      big = big + (item.data == tostring(built) and 1 or 0)
    end
    assert.equal(5, big)
    assert.is_true(server:auth_attempts() >= 1)
    assert.same({}, server:defects())
  end)

  it("takes a connection URL", function()
    local server = send.server({ mode = "implicit" })
    local url = ("smtps://user%%40qq.com:%s@%s:%d?tls_options.ca_file=%s"):format(send.CODE,
      server.host, server.port, send.options(server).tls_options.ca_file)
    local mailer = assert(qqmail.new(url))
    local receipt = good(mailer)
    assert.equal(server.host, receipt.host)
    mailer:close()
    assert.equal(1, #server:messages())
  end)

  it("reads the account from the environment for qqmail.send", function()
    local server = send.server({ mode = "implicit" })
    local folder, remove = shell.folder()
    shell.write(folder .. "/program.lua", ([[
      package.path, package.cpath = %q, %q
      local qqmail = require("qqmail")
      for _ = 1, 2 do
        local receipt, err = qqmail.send({ to = "a@test.local", subject = "s", text = "t" })
        print(receipt and receipt.reply.code or tostring(err), receipt and receipt.reused)
      end
    ]]):format(absolute(package.path), absolute(package.cpath)))
    local environment = {
      QQMAIL_HOST = server.host, QQMAIL_PORT = tostring(server.port), QQMAIL_TLS = "implicit",
      QQMAIL_USER = send.USER, QQMAIL_PASSWORD = send.CODE,
      QQMAIL_CA_FILE = send.options(server).tls_options.ca_file,
    }
    local words = { "cd " .. folder .. " && env" }
    for name, value in pairs(environment) do
      words[#words + 1] = name .. "=" .. shell.quote(value)
    end
    words[#words + 1] = shell.lua .. " program.lua"
    local output, status = shell.run(table.concat(words, " "))
    remove()
    assert.equal("250\tfalse\n250\ttrue\n", output)
    assert.equal(0, status)
    assert.equal(2, #server:messages())
    assert.equal(1, server:auth_attempts())
  end)

  it("raises for what is no message, and only for that", function()
    local mailer = send.mailer(send.server())
    assert.has_error(function() mailer:send() end)
    assert.has_error(function() mailer:send("text") end)
    assert.has_error(function() qqmail.send(1) end)
  end)

  it("sends a message that was built before, twice", function()
    local server = send.server()
    local mailer = send.mailer(server)
    local built = assert(qqmail.message(message({ from = send.USER })))
    good(mailer, built)
    good(mailer, built)
    local list = server:messages()
    assert.equal(2, #list)
    assert.equal(list[1].data, list[2].data)
    assert.equal(tostring(built), list[1].data)
  end)

  it("reports to hooks, and survives one that raises", function()
    local server = send.server({ replies = { dot = { false, "554 5.7.1 no" } } })
    local told = {}
    local mailer = send.mailer(server, { on = {
      sent = function(receipt)
        told[#told + 1] = receipt.reply.code
        error("a hook of poor quality")
      end,
      failed = function(err)
        told[#told + 1] = err.smtp.code
      end,
    } })
    good(mailer)
    bad(mailer, { phase = "final" })
    assert.same({ 250, 554 }, told)
  end)

  it("logs warnings, deliveries and failures", function()
    local server = send.server({ replies = { dot = { false, "554 5.7.1 no" } } })
    local lines = {}
    local mailer = send.mailer(server, { password = "secret\n", log = function(level, text)
      lines[#lines + 1] = level .. " " .. text
    end })
    server:set({ users = { [send.USER] = "secret" } })
    good(mailer)
    bad(mailer, { phase = "final" })
    assert.equal(4, #lines)
    has(lines[1], "warning ")
    has(lines[2], "debug connected to 127.0.0.1:")
    has(lines[3], "info sent <")
    has(lines[4], "error qqmail: 554 5.7.1 no")
    assert.is_nil(table.concat(lines):find("secret", 1, true))
  end)

  it("names host and user of a mailer", function()
    local server = send.server()
    has(tostring(send.mailer(server)), "127.0.0.1:" .. server.port .. ", user user@qq.com")
  end)

  it("uses the mechanism that is asked for", function()
    local server = send.server({ mode = "implicit", tokens = { [send.USER] = "ya29.token" } })
    for _, mechanism in ipairs({ "PLAIN", "LOGIN" }) do
      good(send.mailer(server, { auth = mechanism }))
    end
    good(send.mailer(server, { password = false, token = "ya29.token" }))
    local used = {}
    for i, item in ipairs(server:messages()) do
      used[i] = item.auth.mechanism
    end
    assert.same({ "PLAIN", "LOGIN", "XOAUTH2" }, used)
  end)

  it("asks a function for the password at each login", function()
    local server = send.server()
    local calls = 0
    local mailer = send.mailer(server, { pool = { messages = 1 }, password = function()
      calls = calls + 1
      return send.CODE
    end })
    assert.equal(0, calls)
    good(mailer)
    good(mailer)
    assert.equal(2, calls)
  end)

  it("works over a Unix socket", function()
    local folder, remove = shell.folder()
    local server = send.server({ socket = folder .. "/smtp" })
    local options = send.options(server, { socket = folder .. "/smtp" })
    options.host, options.port = nil, nil
    local mailer = assert(qqmail.new(options))
    local receipt = good(mailer)
    assert.equal(folder .. "/smtp", receipt.host)
    mailer:close()
    remove()
  end)

  it("keeps messages with the memory driver", function()
    local mailer = assert(qqmail.new({ host = "mx.test", user = send.USER, password = send.CODE,
      io = "memory" }))
    local receipt = good(mailer, message({ bcc = "hidden@test.local" }))
    assert.equal("memory", receipt.host)
    assert.same({ "a@test.local", "hidden@test.local" }, receipt.accepted)
    assert.equal(1, #mailer.outbox)
    local kept = mailer.outbox[1]
    assert.equal(receipt.message_id, kept.id)
    assert.equal(send.USER, kept.from)
    assert.same(receipt.accepted, kept.to)
    has(kept.data, "\r\n\r\nhello\r\n.dot\r\n")
    send.lacks(kept.data, "hidden@test.local")
    mailer:close()
  end)

  it("writes messages with the file driver", function()
    local folder, remove = shell.folder()
    local mailer = assert(qqmail.new({ host = "mx.test", user = send.USER, password = send.CODE,
      io = { file = folder } }))
    local receipt = good(mailer)
    local file = assert(io.open(receipt.path, "rb"))
    has(file:read("*a"), "\r\n\r\nhello\r\n.dot\r\n")
    file:close()
    local output = shell.run("ls " .. folder .. " | wc -l")
    assert.equal(1, tonumber(output))
    remove()
    bad(mailer, { phase = "config", delivered = "no" })
    mailer:close()
  end)
end)

describe("a refused recipient", function()
  after_each(send.stop)

  local THREE = { "a@test.local", "b@test.local", "c@test.local" }
  local REFUSAL = "550 5.1.1 no such user here"

  for _, pipelining in ipairs({ true, false }) do
    it("does not keep the mail from the others, pipelining " .. tostring(pipelining), function()
      local server = send.server({ pipelining = pipelining,
        replies = { rcpt = { ["b@test.local"] = REFUSAL } } })
      local mailer = send.mailer(server)
      local receipt = good(mailer, message({ to = THREE }))
      assert.same({ "a@test.local", "c@test.local" }, receipt.accepted)
      assert.same({ { address = "b@test.local", code = 550, enhanced = "5.1.1",
        text = "no such user here", retry = "never" } }, receipt.rejected)
      assert.same(receipt.accepted, server:messages()[1].to)
      assert.is_true(good(mailer).reused)
      assert.same({}, server:defects())
    end)

    it("fails the mail when it was all of them, pipelining " .. tostring(pipelining), function()
      local server = send.server({ pipelining = pipelining,
        replies = { rcpt = { REFUSAL, "450 4.2.1 try again later", REFUSAL } } })
      local mailer = send.mailer(server)
      local err = bad(mailer, { kind = "recipient", phase = "rcpt", delivered = "no",
        retry = "never" }, message({ to = THREE }))
      assert.equal(550, err.smtp.code)
      assert.equal("5.1.1", err.smtp.enhanced)
      assert.equal(3, #err.recipients)
      assert.equal("b@test.local", err.recipients[2].address)
      assert.equal(450, err.recipients[2].code)
      assert.equal("later", err.recipients[2].retry)
      assert.equal(0, #server:messages())
      -- What was pipelined behind is answered by now: the connection is good.
      assert.is_true(good(mailer).reused)
      assert.same({}, server:defects())
    end)
  end

  it("is no success where DATA is answered with 354 all the same", function()
    local server = send.server({ replies = { rcpt = { REFUSAL }, data = { "354 go" } } })
    local mailer = send.mailer(server)
    bad(mailer, { kind = "recipient", delivered = "no" })
    -- What the server got was nothing, for nobody.
    assert.equal(0, server:messages()[1].size)
    assert.same({}, server:messages()[1].to)
    assert.is_true(good(mailer).reused)
    assert.same({}, server:defects())
  end)

  it("leaves a connection that can be used again", function()
    local server = send.server({ replies = {
      rcpt = { REFUSAL }, mail = { false, "451 4.7.1 no" } } })
    local mailer = send.mailer(server)
    bad(mailer, { kind = "recipient" })
    bad(mailer, { phase = "mail", retry = "later" })
    assert.is_true(good(mailer).reused)
    assert.equal(1, server:auth_attempts())
    assert.equal(1, #server:messages())
    assert.same({}, server:defects())
  end)
end)

describe("a pooled connection", function()
  after_each(send.stop)

  it("is used again, with one login", function()
    local server = send.server({ mode = "implicit" })
    local mailer = send.mailer(server)
    assert.is_false(good(mailer).reused)
    for _ = 1, 3 do
      local receipt = good(mailer)
      assert.is_true(receipt.reused)
      assert.is_nil(receipt.times.connect)
      assert.is_number(receipt.times.message)
    end
    assert.equal(1, server:auth_attempts())
    assert.equal(1, #server:connections())
    assert.equal(4, #server:messages())
    assert.same({}, server:defects())
  end)

  it("carries no more than pool.messages", function()
    local server = send.server()
    local mailer = send.mailer(server, { pool = { messages = 2 } })
    local reused = {}
    for i = 1, 5 do
      reused[i] = good(mailer).reused
    end
    assert.same({ false, true, false, true, false }, reused)
    assert.equal(3, #server:connections())
    assert.equal(2, send.count(server, "QUIT"))
  end)

  it("is dropped when it was idle for too long", function()
    local server = send.server()
    local mailer = send.mailer(server, { pool = { idle = 50 } })
    local driver = send.clock_driver(mailer)
    good(mailer)
    driver.ahead = 49
    assert.is_true(good(mailer).reused)
    driver.ahead = 49 + 51
    assert.is_false(good(mailer).reused)
    assert.equal(2, #server:connections())
    assert.is_true(server:wait(1, 5, "closed"))
  end)

  for _, dies in ipairs({ { at = "dot", how = "fin" }, { at = "dot", how = "rst" },
    { at = "mail", how = "fin" }, { at = "mail", how = "rst" } }) do
    for _, mode in ipairs({ "plain", "implicit" }) do
      it(("is replaced unseen when it died: %s at %s, %s"):format(dies.how, dies.at, mode),
        function()
          local server = send.server({ scenario = "spec.support.dying_scenario", dies = dies,
            mode = mode })
          local mailer = send.mailer(server)
          for _ = 1, 3 do
            assert.is_false(good(mailer).reused)
          end
          assert.equal(3, #server:messages())
          assert.equal(3, #server:connections())
        end)
    end
  end

  it("is replaced unseen when it says 421 in place of an answer to MAIL", function()
    local server = send.server({ replies = { mail = { false, "421 4.4.2 idle for too long" } } })
    local mailer = send.mailer(server)
    good(mailer)
    local receipt = good(mailer)
    assert.is_false(receipt.reused)
    assert.equal(2, #server:messages())
    assert.equal(2, #server:connections())
  end)

  it("is replaced unseen when it says something on its own", function()
    local server = send.server({ after = { dot = "421 4.4.2 bye\r\n" } })
    local mailer = send.mailer(server)
    local first = mailer:send(message())
    assert.is_table(first)
    assert.is_false(good(mailer).reused)
    assert.equal(2, #server:messages())
  end)

  it("is closed with QUIT, once, by mailer:close", function()
    local server = send.server({ mode = "implicit" })
    local mailer = send.mailer(server)
    good(mailer)
    mailer:close()
    mailer:close()
    assert.is_true(server:wait(1, 5, "closed"))
    assert.equal(1, send.count(server, "QUIT"))
    assert.equal(1, #server:connections())
    bad(mailer, { kind = "closed", code = "closed.mailer", delivered = "no", retry = "never" })
  end)

  it("is closed with a mailer that is only forgotten", function()
    local server = send.server({ mode = "implicit" })
    do
      local mailer = assert(qqmail.new(send.options(server)))
      good(mailer)
    end
    collectgarbage()
    collectgarbage()
    assert.is_true(server:wait(1, 5, "closed"))
    assert.equal(0, send.count(server, "QUIT"))
  end)

  it("leaks no descriptor, whatever happens", function()
    local server = send.server({ mode = "implicit" })
    local wrong = send.server({ mode = "implicit", cert = "expired" })
    local function round()
      local mailer = send.mailer(server)
      good(mailer)
      mailer:close()
      bad(send.mailer(wrong), { kind = "tls" })
      bad(send.mailer(server, { password = "wrong" }), { kind = "auth" })
      server:set({ drop_at = "data" })
      bad(send.mailer(server), { delivered = "no" })
      server:set({ drop_at = false })
      collectgarbage()
      collectgarbage()
    end
    round()
    local before = sockets()
    round()
    round()
    assert.equal(before, sockets())
  end)
end)

describe("qqmail.pool", function()
  -- A connection that notes what is done to it.
  local function fake(more)
    local it = { sent_count = 1, log = {}, alive = true, over = false }
    for key, value in pairs(more or {}) do
      it[key] = value
    end
    it.resume = function() return it.alive end
    it.park = function() return true end
    it.is_over = function() return it.over end
    it.abandon = function() it.log[#it.log + 1] = "abandon" end
    it.quit = function() it.log[#it.log + 1] = "quit" end
    return it
  end

  it("hands out the youngest one that is good", function()
    local kept = pool.new({ max = 2, idle = 10 })
    local old, young = fake(), fake()
    kept:give(old, 0)
    kept:give(young, 5)
    assert.equal(young, kept:take(6))
    assert.equal(old, kept:take(6))
    assert.is_nil(kept:take(6))
  end)

  it("drops those that are too old or dead", function()
    local kept = pool.new({ max = 2, idle = 10 })
    local old, dead = fake(), fake({ alive = false })
    kept:give(old, 0)
    kept:give(dead, 5)
    assert.is_nil(kept:take(10))
    assert.same({ "abandon" }, old.log)
    assert.same({ "abandon" }, dead.log)
  end)

  it("keeps no more than it may, and none that is over or used up", function()
    local kept = pool.new({ max = 1, idle = 10, messages = 3 })
    local first, second = fake(), fake()
    local over, used = fake({ over = true }), fake({ sent_count = 3 })
    for _, connection in ipairs({ over, used, first, second }) do
      kept:give(connection, 0)
    end
    assert.same({ "abandon" }, over.log)
    assert.same({ "quit" }, used.log)
    assert.same({ "quit" }, second.log)
    kept:close()
    kept:close()
    assert.same({ "quit" }, first.log)
  end)
end)
