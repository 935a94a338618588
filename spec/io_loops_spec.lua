-- The drivers of event loops, in real loops.
local fd = require("qqmail.io.fd")
local loops = require("spec.support.loops")
local net = require("qqmail.net")
local send = require("spec.support.send")
local shell = require("spec.support.shell")

local FAR = 60 -- seconds; no test waits that long

-- Calls body(loop, driver) for each loop that is here.
local function each_loop(text, body)
  for _, name in ipairs({ "cqueues", "luv" }) do
    it(text .. ", " .. name, function()
      local loop = loops[name]
      if loop.missing then
        pending(loop.missing)
        return
      end
      body(loop, loop.driver)
    end)
  end
end

local function mailer_for(server, driver, more)
  return send.mailer(server, send.merge({ io = driver.name }, more))
end

-- A coroutine that counts until it is told to stop.
local function ticker(driver)
  local self = { ticks = 0 }
  function self.body()
    while not self.stopped do
      driver:sleep(0.002)
      self.ticks = self.ticks + 1
    end
  end
  return self
end

local function listen()
  local listener = assert(net.listen("127.0.0.1", 0))
  return listener, { host = "127.0.0.1", port = listener:port() }
end

-- Both ends of a connection; the other end is not in the loop.
local function open_pair(driver, listener, target)
  local conn = assert(driver:connect(target, driver:now() + FAR))
  assert(net.wait(listener:fd(), "r", FAR))
  return conn, assert(listener:accept())
end

-- What a program prints, and its status.
local function run_program(text)
  local path = os.tmpname()
  shell.write(path, text)
  local output, status = shell.run(shell.lua .. " " .. path)
  os.remove(path)
  return output, status
end

describe("a driver in an event loop", function()
  after_each(send.stop)

  each_loop("lets others go on between the steps of a mail", function(loop, driver)
    local steps = { "greeting", "ehlo", "auth", "mail", "data", "dot" }
    for _, step in ipairs(steps) do
      local server = send.server({ delay = { [step] = 0.1 } })
      local mailer, beside = mailer_for(server, driver), ticker(driver)
      loop.run(beside.body, function()
        send.good(mailer)
        beside.stopped = true
        mailer:close()
      end)
      -- There is time for fifty.
      assert.is_true(beside.ticks >= 5, step)
    end
  end)

  each_loop("sends in parallel, through one mailer", function(loop, driver)
    local server = send.server({ mode = "implicit", delay = { dot = 0.05 }, split_writes = 5 })
    local mailer = mailer_for(server, driver, { pool = { max = 2 } })
    local now, most, bodies = 0, 0, {}
    for i = 1, 8 do
      bodies[i] = function()
        now = now + 1
        most = math.max(most, now)
        send.good(mailer, send.message({ text = ("x\n"):rep(1000 * i) }))
        now = now - 1
      end
    end
    loop.run((unpack or table.unpack)(bodies))
    assert.equal(8, most)
    loop.run(function() mailer:close() end)
    assert.equal(8, #server:messages())
    assert.same({}, server:defects())
  end)

  each_loop("keeps its deadlines while others go on", function(loop, driver)
    local server = send.server({ drop_at = "mail", how = "stall" })
    local mailer = mailer_for(server, driver, { timeout = { reply = 0.1 } })
    local beside = ticker(driver)
    loop.run(beside.body, function()
      send.bad(mailer, { kind = "timeout", phase = "mail", delivered = "no" })
      beside.stopped = true
    end)
    assert.is_true(beside.ticks >= 5)
  end)

  each_loop("waits for a name without holding up the loop", function(loop, driver)
    local listener, target = listen()
    local beside = ticker(driver)
    target.host = "localhost"
    loop.run(beside.body, function()
      local conn = assert(driver:connect(target, driver:now() + FAR))
      conn:close()
      beside.stopped = true
    end)
    listener:close()
  end)

  each_loop("is not hurt by an error in another coroutine", function(loop, driver)
    local server = send.server({ delay = { dot = 0.05 } })
    local mailer = mailer_for(server, driver)
    local ok, why = pcall(loop.run, function()
      error("not my mail")
    end, function()
      send.good(mailer)
      send.good(mailer)
      mailer:close()
    end)
    assert.is_false(ok)
    send.has(why, "not my mail")
    assert.equal(2, #server:messages())
  end)

  each_loop("sleeps and times out no earlier than asked", function(loop, driver)
    local listener, target = listen()
    loop.run(function()
      local conn, server = open_pair(driver, listener, target)
      driver:sleep(0.001)
      net.sleep(0.05) -- code that takes its time: the clock of the loop stands still
      local began = net.now()
      driver:sleep(0.03)
      assert.is_true(net.now() - began >= 0.029)
      net.sleep(0.05)
      began = net.now()
      conn:settimeout(0.03)
      assert.same({ nil, "timeout" }, { conn:recv(1) })
      assert.is_true(net.now() - began >= 0.029)
      conn:close()
      server:close()
    end)
    listener:close()
  end)

  -- Descriptors are closed and their numbers used again while the loop may still
  -- think of the old ones.
  each_loop("keeps descriptors of the same number apart", function(loop, driver)
    local listener, target = listen()
    local numbers, reused = {}, 0
    loop.run(function()
      for i = 1, 20 do
        local conn, server = open_pair(driver, listener, target)
        local number = conn.stream:fd()
        reused = reused + (numbers[number] and 1 or 0)
        numbers[number] = true
        conn:settimeout(FAR)
        -- The first wait is over at once, the second is not.
        server:write("1")
        assert(driver.wait(number, "r", FAR))
        assert.equal("1", conn:recv(1))
        conn:settimeout(0.001)
        assert.same({ nil, "timeout" }, { conn:recv(1) })
        conn[i % 2 == 0 and "close" or "reset"](conn)
        server:close()
      end
    end)
    listener:close()
    assert.is_true(reused > 0)
  end)

  each_loop("forgets a connection that failed in the middle of a wait", function(loop, driver)
    local listener, target = listen()
    loop.run(function()
      for _ = 1, 10 do
        local conn, server = open_pair(driver, listener, target)
        conn:settimeout(FAR)
        server:reset()
        assert.is_nil((conn:recv(1)))
        conn:close()
        driver:sleep(0)
      end
    end)
    listener:close()
  end)
end)

describe("qqmail.io.cqueues", function()
  after_each(send.stop)

  local function it_runs(text, body)
    it(text, function()
      if loops.cqueues.missing then
        pending(loops.cqueues.missing)
        return
      end
      body(loops.cqueues.driver)
    end)
  end

  it_runs("waits like the blocking driver where no loop runs", function(driver)
    local server = send.server()
    local mailer = mailer_for(server, driver)
    loops.cqueues.run(function() send.good(mailer) end)
    assert.is_true(send.good(mailer).reused)
    mailer:close()
    driver:sleep(0.001)
    assert.equal(2, #server:messages())
    assert.equal(1, send.count(server, "QUIT"))
  end)

  it_runs("is chosen where its loop runs, and only there", function(driver)
    local drivers, settings = require("qqmail.drivers"), { io = "auto" }
    local inside
    loops.cqueues.run(function() inside = drivers.choose(settings) end)
    assert.equal(driver, inside)
    assert.equal(require("qqmail.io.blocking"), drivers.choose(settings))
  end)

  it_runs("wakes a coroutine whose connection another one closes", function(driver)
    local listener, target = listen()
    local told
    local conn, server = open_pair(driver, listener, target)
    conn:settimeout(FAR)
    loops.cqueues.run(function()
      told = { conn:recv(1) }
    end, function()
      driver:sleep(0.01)
      conn:close()
    end)
    assert.equal("closed", told[2])
    listener:close()
    server:close()
  end)
end)

describe("qqmail.io.luv", function()
  after_each(send.stop)

  local function it_runs(text, body)
    it(text, function()
      if loops.luv.missing then
        pending(loops.luv.missing)
        return
      end
      body(loops.luv.driver)
    end)
  end

  it_runs("tells that it needs a coroutine", function(driver)
    local server = send.server()
    local mailer = mailer_for(server, driver)
    local err = send.bad(mailer, { kind = "config", code = "config.driver_unavailable",
      phase = "connect", delivered = "no", retry = "never" })
    send.has(err.message, "inside a coroutine")
    assert.same({ nil, "with luv, mail can be sent inside a coroutine only" },
      { driver.wait(0, "r", 1) })
    assert.same({}, server:connections())
    driver:sleep(0.001)
    -- Closing afterwards, in the main chunk, does no harm.
    loops.luv.run(function() send.good(mailer) end)
    mailer:close()
    assert.equal(1, #server:messages())
  end)

  it_runs("tells that a descriptor cannot be waited for", function(driver)
    if os.getenv("QQMAIL_INSTRUMENTED") then
      pending("luv leaks the poller it could not make")
      return
    end
    local results
    loops.luv.run(function()
      -- Some number that is free.
      local listener = listen()
      local number = listener:fd()
      listener:close()
      results = { driver.wait(number, "r", 1) }
    end)
    assert.is_nil(results[1])
    assert.is_string(results[2])
  end)

  it_runs("refuses to be loaded first inside a coroutine", function()
    local output = run_program([[
      coroutine.wrap(function() print(pcall(require, "qqmail.io.luv")) end)()
    ]])
    assert.equal("false\trequire luv or qqmail.io.luv in the main chunk, not inside a coroutine\n",
      output)
  end)

  it_runs("leaves errors of the code behind a wait to luv", function()
    local output, status = run_program([[
      local driver, uv = require("qqmail.io.luv"), require("luv")
      local function careless()
        error("behind the wait")
      end
      coroutine.wrap(function()
        driver:sleep(0.001)
        careless()
      end)()
      uv.run()
    ]])
    assert.are_not.equal(0, status)
    send.has(output, "behind the wait")
    send.has(output, "'careless'")
  end)
end)

describe("qqmail.io.fd with closing", function()
  it("tells of each descriptor before it is closed, once", function()
    local told = {}
    local driver = fd.new({ wait = net.wait, sleep = net.sleep, closing = function(number)
      told[#told + 1] = number
    end })
    local listener, target = listen()
    local conn, server = open_pair(driver, listener, target)
    local number = conn.stream:fd()
    conn:close()
    conn:close()
    conn:reset()
    assert.equal(number, told[#told])
    local count = #told
    server:close()
    conn, server = open_pair(driver, listener, target)
    number = conn.stream:fd()
    conn:reset()
    assert.equal(number, told[#told])
    assert.is_true(#told > count)
    server:close()
    listener:close()
    count = #told
    assert.is_nil((driver:connect(target, driver:now() + FAR)))
    assert.is_true(#told > count)
  end)
end)
