local blocking = require("qqmail.io.blocking")
local diagnose = require("qqmail.diagnose")
local fd = require("qqmail.io.fd")
local net = require("qqmail.net")

local FAR = 60 -- seconds; no test waits that long

-- A driver whose wait function counts, and runs `step` first: the other end of the line.
local function counting(step)
  local calls = { n = 0, modes = {} }
  local function wait(descriptor, mode, seconds)
    calls.n = calls.n + 1
    calls.modes[calls.n] = mode
    if step then
      step(descriptor, mode, seconds)
    end
    return net.wait(descriptor, mode, seconds)
  end
  local function sleep(seconds)
    calls.slept = (calls.slept or 0) + seconds
  end
  return fd.new({ wait = wait, sleep = sleep, name = "counting" }), calls
end

-- A driver that lives in a time of its own: waiting is never of use and passes the time.
local function in_false_time(overrides)
  local clock = { now = 1000, waits = {}, sleeps = 0 }
  local fake = setmetatable({
    now = function()
      return clock.now
    end,
  }, { __index = net })
  for name, value in pairs(overrides or {}) do
    fake[name] = value
  end
  local driver = fd.new({
    net = fake,
    wait = function(_, _, seconds)
      clock.waits[#clock.waits + 1] = seconds
      clock.now = clock.now + seconds
      return nil, "timeout"
    end,
    sleep = function(seconds)
      clock.sleeps = clock.sleeps + 1
      clock.now = clock.now + seconds
    end,
  })
  return driver, clock
end

local function fake_resolver(list, name, text)
  return {
    fd = function()
      return 0
    end,
    result = function()
      return list, name, text
    end,
    close = function(self)
      self.closed = true
    end,
  }
end

local function resolving_to(...)
  local resolver = fake_resolver(...)
  return function()
    return resolver
  end, resolver
end

-- A stream for which nothing ever happens.
local function silent_stream()
  return {
    connected = function()
      return nil, "again", "more input or more room is needed"
    end,
    fd = function()
      return 0
    end,
    close = function(self)
      self.closed = true
    end,
  }
end

local function unused_port()
  local listener = assert(net.listen("127.0.0.1", 0))
  local port = listener:port()
  listener:close()
  return port
end

local function open_pair(driver)
  local listener = assert(net.listen("127.0.0.1", 0))
  local target = { host = "127.0.0.1", port = listener:port() }
  local conn = assert(driver:connect(target, driver:now() + FAR))
  assert(net.wait(listener:fd(), "r", FAR))
  local server = assert(listener:accept())
  listener:close()
  return conn, server
end

-- Fills the queue of a listener; returns the streams that hold the places.
local function fill_queue(listener)
  local streams = {}
  repeat
    local stream = assert(net.connect({ address = "127.0.0.1", port = listener:port() }))
    streams[#streams + 1] = stream
    local ready = net.wait(stream:fd(), "w", 0.05)
  until not ready
  return streams
end

local function close_all(list)
  for _, object in ipairs(list) do
    object:close()
  end
end

describe("qqmail.io.fd", function()
  it("needs both functions of the loop", function()
    assert.has_error(function()
      fd.new({ wait = print })
    end)
    assert.has_error(function()
      fd.new({ sleep = print })
    end)
  end)

  it("has a name and a clock and hands sleep to the loop", function()
    local driver, calls = counting()
    assert.are.equal("counting", driver.name)
    local before = net.now()
    assert.is_true(driver:now() >= before)
    driver:sleep(5)
    assert.are.equal(5, calls.slept)
  end)

  describe("connect", function()
    it("reaches a host and names the peer", function()
      local driver = counting()
      local conn, server = open_pair(driver)
      assert.is_truthy(conn.peer:find("^127%.0%.0%.1:%d+$"))
      conn:close()
      conn:close()
      assert.are.equal("closed", (select(2, conn:send("x"))))
      assert.are.equal("closed", (select(2, conn:recv(1))))
      server:close()
    end)

    it("reaches a unix socket", function()
      local path = os.tmpname()
      os.remove(path)
      local listener = assert(net.listen("unix:" .. path))
      local conn = assert(blocking:connect({ socket = path }, net.now() + FAR))
      assert.are.equal("unix:" .. path, conn.peer)
      close_all({ conn, listener })
      os.remove(path)
      local none, failure = blocking:connect({ socket = path }, net.now() + FAR)
      assert.is_nil(none)
      assert.are.equal("not_found", failure.reason)
      assert.are.equal("ENOENT", failure.errno)
      assert.are.equal("connect to unix:" .. path .. ": no such file", failure.text)
    end)

    it("tries every address", function()
      local listener = assert(net.listen("127.0.0.1", 0)) -- localhost is ::1 first
      local target = { host = "localhost", port = listener:port() }
      local conn = assert(blocking:connect(target, net.now() + FAR))
      assert.are.equal("127.0.0.1:" .. listener:port(), conn.peer)
      close_all({ conn, listener })
    end)

    it("tells who refused", function()
      local port = unused_port()
      local conn, failure = blocking:connect({ host = "127.0.0.1", port = port }, net.now() + FAR)
      assert.is_nil(conn)
      local text = ("connect to 127.0.0.1:%d: connection refused"):format(port)
      assert.are.same({
        phase = "connect",
        reason = "refused",
        errno = "ECONNREFUSED",
        text = text,
        tried = {
          {
            address = "127.0.0.1",
            reason = "refused",
            errno = "ECONNREFUSED",
            text = "connection refused",
          },
        },
      }, failure)
    end)

    it("tells of all addresses when none answered", function()
      local target = { host = "localhost", port = unused_port() }
      local conn, failure = blocking:connect(target, net.now() + FAR)
      assert.is_nil(conn)
      assert.are.equal(2, #failure.tried)
      assert.are.equal("::1", failure.tried[1].address)
      assert.are.equal("127.0.0.1", failure.tried[2].address)
      assert.are.equal("refused", failure.reason)
      assert.is_truthy(failure.text:find("^connect to localhost:%d+ %(.-%): connection refused"))
      assert.is_truthy(failure.text:find("(2 addresses tried)", 1, true))
    end)

    it("lets the address that says most speak for all", function()
      local answers = {
        ["2001:db8::1"] = { "ENETUNREACH", "network is unreachable" },
        ["192.0.2.1"] = { "ECONNREFUSED", "connection refused" },
        ["192.0.2.2"] = { "EACCES", "permission denied" },
      }
      local driver = in_false_time({
        resolve = resolving_to({
          { address = "2001:db8::1", port = 25 },
          { address = "192.0.2.1", port = 25 },
          { address = "192.0.2.2", port = 25 },
        }),
        connect = function(address)
          return nil, answers[address.address][1], answers[address.address][2]
        end,
      })
      local _, failure = driver:connect({ host = "mx.test", port = 25 }, driver:now() + 10)
      assert.are.equal("refused", failure.reason)
      assert.are.equal(
        "connect to mx.test:25 (192.0.2.1): connection refused (3 addresses tried)", failure.text)
      local reasons = {}
      for i, attempt in ipairs(failure.tried) do
        reasons[i] = attempt.reason
      end
      assert.are.same({ "unreachable", "refused", "denied" }, reasons)
    end)

    it("calls a connection that is reset at once closed", function()
      local driver = in_false_time({
        resolve = resolving_to({
          { address = "192.0.2.1", port = 25 }, { address = "192.0.2.2", port = 25 },
        }),
        connect = function(address)
          if address.address == "192.0.2.1" then
            return nil, "timeout", "connection timed out"
          end
          return nil, "ECONNRESET", "connection reset by peer"
        end,
      })
      local _, failure = driver:connect({ host = "mx.test", port = 25 }, driver:now() + 10)
      assert.are.same({ "closed", "ECONNRESET" }, { failure.reason, failure.errno })
      local found = diagnose.failure(failure, { host = "mx.test", port = 25 })
      assert.are.equal("closed.before_greeting", found.code)
    end)

    it("writes IPv6 hosts in brackets", function()
      local _, failure = blocking:connect({ host = "::1", port = unused_port() }, net.now() + FAR)
      assert.is_truthy(failure.text:find("^connect to %[::1%]:%d+: "))
    end)

    it("uses addresses of the source's family only", function()
      local asked
      local driver = in_false_time({
        resolve = function(_, _, family)
          asked = family
          return nil, "limit", "too many look-ups are under way"
        end,
      })
      for source_ip, family in pairs({ ["127.0.0.9"] = "inet", ["::1"] = "inet6" }) do
        local target = { host = "mx.test", port = 25, source_ip = source_ip }
        local _, failure = driver:connect(target, driver:now() + 1)
        assert.are.equal(family, asked)
        assert.are.equal("resolve", failure.phase)
        assert.are.equal("again", failure.reason)
      end
      local listener = assert(net.listen("127.0.0.1", 0))
      local target = { host = "localhost", port = listener:port(), source_ip = "127.0.0.9" }
      local conn = assert(blocking:connect(target, net.now() + FAR))
      assert(net.wait(listener:fd(), "r", FAR))
      local server = assert(listener:accept())
      assert.is_truthy(server:peer():find("^127%.0%.0%.9:"))
      close_all({ conn, server, listener })
    end)

    it("gives up at the deadline when nobody answers", function()
      local listener = assert(net.listen("127.0.0.1", 0, 0))
      local streams = fill_queue(listener)
      local target = { host = "127.0.0.1", port = listener:port() }
      local conn, failure = blocking:connect(target, net.now() + 0.02)
      assert.is_nil(conn)
      assert.are.equal("connect", failure.phase)
      assert.are.equal("timeout", failure.reason)
      assert.is_nil(failure.errno)
      assert.is_truthy(failure.text:find("no answer in time", 1, true))
      close_all(streams)
      listener:close()
    end)

    it("shares the time among the addresses", function()
      local streams = {}
      local driver, clock = in_false_time({
        resolve = resolving_to({
          { address = "192.0.2.1", port = 25 },
          { address = "192.0.2.2", port = 25 },
          { address = "192.0.2.3", port = 25 },
        }),
        connect = function()
          streams[#streams + 1] = silent_stream()
          return streams[#streams]
        end,
      })
      local _, failure = driver:connect({ host = "mx.test", port = 25 }, driver:now() + 8)
      assert.are.same({ 4, 2, 2 }, clock.waits)
      assert.are.equal(3, #failure.tried)
      assert.are.equal("timeout", failure.reason)
      for _, stream in ipairs(streams) do
        assert.is_true(stream.closed)
      end
    end)

    it("waits for a place in the queue of a unix socket", function()
      local driver, clock = in_false_time({
        connect = function()
          return nil, "EAGAIN", "resource temporarily unavailable"
        end,
      })
      local _, failure = driver:connect({ socket = "/run/full" }, driver:now() + 1)
      assert.are.equal("timeout", failure.reason)
      assert.is_true(clock.sleeps >= 2)
    end)

    it("does not wait past the deadline for a name", function()
      local resolve, resolver = resolving_to(nil, "again", "more input or more room is needed")
      local driver, clock = in_false_time({ resolve = resolve })
      local _, failure = driver:connect({ host = "slow.test", port = 25 }, driver:now() + 3)
      assert.are.same({ 3 }, clock.waits)
      assert.is_true(resolver.closed)
      assert.are.same({
        phase = "resolve",
        reason = "timeout",
        text = "resolve slow.test: no answer in time",
        tried = {},
      }, failure)
    end)

    it("tells what the resolver said", function()
      local expected = {
        ["resolve.noname"] = "not_found",
        ["resolve.again"] = "again",
        ["resolve.fail"] = "unknown",
      }
      for name, reason in pairs(expected) do
        local driver = in_false_time({ resolve = resolving_to(nil, name, "no such host name") })
        local _, failure = driver:connect({ host = "mx.test", port = 25 }, driver:now() + 3)
        assert.are.equal("resolve", failure.phase)
        assert.are.equal(reason, failure.reason)
        assert.are.equal("EAI_" .. name:sub(9):upper(), failure.errno)
        assert.are.equal("resolve mx.test: no such host name", failure.text)
      end
      local _, failure = blocking:connect({ host = "", port = 25 }, net.now() + FAR)
      assert.are.equal("resolve : the host name is empty", failure.text)
    end)

    it("passes on why the loop could not wait", function()
      local driver = fd.new({
        sleep = function() end,
        wait = function()
          return nil, "no loop is running"
        end,
        net = setmetatable({ connect = silent_stream }, { __index = net }),
      })
      local _, failure = driver:connect({ host = "127.0.0.1", port = 25 }, net.now() + FAR)
      assert.are.equal("unknown", failure.reason)
      assert.are.equal("connect to 127.0.0.1:25: no loop is running", failure.text)
    end)
  end)

  describe("send", function()
    it("does not wait when there is room", function()
      local driver, calls = counting()
      local conn, server = open_pair(driver)
      local before = calls.n
      assert.are.equal(5, conn:send("hello"))
      assert.are.equal(0, conn:send(""))
      assert.are.equal(before, calls.n)
      close_all({ conn, server })
    end)

    it("sends all of it while the peer reads slowly", function()
      local server
      local parts, waits = {}, 0
      local driver = fd.new({
        sleep = function() end,
        wait = function(descriptor, mode, seconds)
          if not server then
            return net.wait(descriptor, mode, seconds)
          end
          assert.are.equal("w", mode)
          waits = waits + 1
          parts[#parts + 1] = server:read(16384)
          return true
        end,
      })
      local conn
      conn, server = open_pair(driver)
      local body = ("0123456789abcdef"):rep(1024 * 1024)
      conn:settimeout(FAR)
      assert.are.equal(#body, conn:send(body))
      assert.is_true(waits > 1)
      conn:close()
      while true do
        local bytes, name = server:read(16384)
        if name == "closed" then
          break
        end
        parts[#parts + 1] = bytes
      end
      assert.is_true(table.concat(parts) == body)
      server:close()
    end)

    it("stops at its deadline and tells how much went out", function()
      local conn, server = open_pair(blocking)
      conn:settimeout(0.01)
      local body = ("x"):rep(32 * 1024 * 1024)
      local sent, why, count = conn:send(body)
      assert.is_nil(sent)
      assert.are.equal("timeout", why)
      assert.is_true(count > 0 and count < #body)
      conn:settimeout(0)
      sent, why = conn:send(body)
      assert.is_nil(sent)
      assert.are.equal("timeout", why)
      close_all({ conn, server })
    end)

    it("has one deadline for all its waits", function()
      local driver, clock = in_false_time()
      local stream = {
        write = function()
          clock.now = clock.now + 3 -- a peer that takes one byte now and then
          if clock.blocked then
            clock.blocked = nil
            return 1
          end
          clock.blocked = true
          return nil, "again", "more input or more room is needed"
        end,
        peer = function()
          return "drip"
        end,
        fd = function()
          return 0
        end,
      }
      stream.connected = function()
        return true
      end
      driver.net.connect = function()
        return stream
      end
      driver.wait = function(_, _, seconds)
        clock.waits[#clock.waits + 1] = seconds
        return true
      end
      local conn = assert(driver:connect({ host = "127.0.0.1", port = 25 }, driver:now() + 1))
      conn:settimeout(10)
      assert.are.same({ nil, "timeout", 2 }, { conn:send("hello") })
      assert.are.same({ 7, 1 }, clock.waits)
    end)

    it("tells when the peer is gone", function()
      local conn, server = open_pair(blocking)
      server:reset()
      local sent, why, count
      repeat
        sent, why, count = conn:send("x")
      until not sent
      assert.are.equal("closed", why)
      assert.are.equal(0, count)
      conn:close()
    end)
  end)

  describe("recv", function()
    it("returns what is there without waiting", function()
      local driver, calls = counting()
      local conn, server = open_pair(driver)
      server:write("hello")
      assert(net.wait(conn.stream:fd(), "r", FAR))
      local before = calls.n
      assert.are.equal("he", conn:recv(2))
      assert.are.equal("llo", conn:recv(100))
      assert.are.equal(before, calls.n)
      close_all({ conn, server })
    end)

    it("waits for the first byte", function()
      local server
      local driver, calls = counting(function()
        if server then
          server:write("x")
        end
      end)
      local conn
      conn, server = open_pair(driver)
      local before = calls.n
      assert.are.equal("x", conn:recv(100))
      assert.are.equal(before + 1, calls.n)
      assert.are.equal("r", calls.modes[calls.n])
      close_all({ conn, server })
    end)

    it("bears a loop that wakes it for nothing", function()
      local rounds, server = 0, nil
      local driver = fd.new({
        sleep = function() end,
        wait = function()
          rounds = rounds + 1
          if server and rounds > 5 then
            server:write("x")
          end
          return true
        end,
      })
      local conn
      conn, server = open_pair(driver)
      rounds = 0
      assert.are.equal("x", conn:recv(1))
      assert.is_true(rounds > 5)
      close_all({ conn, server })
    end)

    it("stops at its deadline and goes on later", function()
      local conn, server = open_pair(blocking)
      conn:settimeout(0.005)
      assert.are.same({ nil, "timeout" }, { conn:recv(1) })
      conn:settimeout(0)
      assert.are.same({ nil, "timeout" }, { conn:recv(1) })
      server:write("x")
      conn:settimeout(FAR)
      assert.are.equal("x", conn:recv(1))
      close_all({ conn, server })
    end)

    it("tells an end from a broken connection", function()
      local conn, server = open_pair(blocking)
      server:close()
      assert.are.same({ nil, "closed" }, { conn:recv(1) })
      conn:close()
      conn, server = open_pair(blocking)
      server:reset()
      assert.are.same({ nil, "closed", "reset" }, { conn:recv(1) })
      conn:close()
      conn, server = open_pair(blocking)
      conn:reset()
      assert(net.wait(server:fd(), "r", FAR))
      assert.are.equal("reset", select(3, server:read(1)))
      server:close()
    end)
  end)
end)

describe("qqmail.io.blocking", function()
  it("is a driver", function()
    assert.are.equal("blocking", blocking.name)
    local before = blocking:now()
    blocking:sleep(0.001)
    assert.is_true(blocking:now() >= before + 0.001)
  end)
end)
