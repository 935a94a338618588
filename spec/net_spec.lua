local net = require("qqmail.net")

local FAR = 60 -- seconds; no test waits that long

local function open_listener(host, backlog)
  return assert(net.listen(host or "127.0.0.1", 0, backlog))
end

local function finish(stream)
  while true do
    local ok, name, text = stream:connected()
    if ok or name ~= "again" then
      return ok, name, text
    end
    assert(net.wait(stream:fd(), "w", FAR))
  end
end

local function open_pair()
  local listener = open_listener()
  local client = assert(net.connect({ address = "127.0.0.1", port = listener:port() }))
  assert(finish(client))
  assert(net.wait(listener:fd(), "r", FAR))
  local server = assert(listener:accept())
  listener:close()
  return client, server
end

local function read_some(stream, max)
  assert(net.wait(stream:fd(), "r", FAR))
  return stream:read(max or 16384)
end

local function unused_port()
  local listener = open_listener()
  local port = listener:port()
  listener:close()
  return port
end

local function await(resolver)
  while true do
    local list, name, text = resolver:result()
    if list or name ~= "again" then
      return list, name, text
    end
    assert(net.wait(resolver:fd(), "r", FAR))
  end
end

-- The status flags Linux shows for a descriptor of this process, nil elsewhere.
local function flags_of(fd)
  local file = io.open("/proc/self/fdinfo/" .. fd)
  if not file then
    return nil
  end
  local text = file:read("*a")
  file:close()
  return tonumber(text:match("flags:%s*(%d+)"), 8)
end

local function has_flag(flags, flag)
  return flags % (flag * 2) >= flag
end

local O_CLOEXEC, O_NONBLOCK = 0x80000, 0x800

describe("qqmail.net", function()
  describe("streams", function()
    it("carry bytes both ways", function()
      local client, server = open_pair()
      assert.are.equal(5, client:write("hello"))
      assert.are.equal("he", read_some(server, 2))
      assert.are.equal("llo", read_some(server))
      assert.are.equal(3, server:write("say bye", 5))
      assert.are.equal("bye", read_some(client))
      assert.are.equal(0, client:write("x", 2))
      client:close()
      server:close()
    end)

    it("answer 'again' instead of waiting", function()
      local client, server = open_pair()
      local bytes, name = server:read(10)
      assert.is_nil(bytes)
      assert.are.equal("again", name)
      client:close()
      server:close()
    end)

    it("tell an orderly end from a reset", function()
      local client, server = open_pair()
      client:shutdown()
      assert.are.same({ nil, "closed", n = 2 }, { n = 2, read_some(server) })
      server:reset()
      local bytes, name, detail = read_some(client)
      assert.is_nil(bytes)
      assert.are.equal("closed", name)
      assert.are.equal("reset", detail)
      client:close()
    end)

    it("survive writing to a peer that is gone", function()
      local client, server = open_pair()
      server:close()
      local count, name
      repeat
        count, name = client:write("x")
      until not count
      assert.are.equal("closed", name)
      assert.are.equal("closed", select(2, client:write("x")))
      client:close()
    end)

    it("take only what fits, and the rest later", function()
      local client, server = open_pair()
      local body = ("0123456789abcdef"):rep(1024 * 1024)
      local sent, name = 0, nil
      while not name do
        local count
        count, name = client:write(body, sent + 1)
        sent = sent + (count or 0)
        assert.is_true(sent < #body)
      end
      assert.are.equal("again", name)
      local parts, received = {}, 0
      while received < #body do
        local bytes = server:read(16384)
        if bytes then
          parts[#parts + 1] = bytes
          received = received + #bytes
        end
        if sent < #body then
          sent = sent + (client:write(body, sent + 1) or 0)
        end
      end
      assert.is_true(table.concat(parts) == body)
      client:close()
      server:close()
    end)

    it("close as often as one likes, and then answer 'closed'", function()
      local client, server = open_pair()
      client:close()
      client:close()
      client:reset()
      assert.is_nil(client:fd())
      assert.are.equal("closed", select(2, client:read(1)))
      assert.are.equal("closed", select(2, client:write("x")))
      assert.are.equal("closed", select(2, client:connected()))
      server:close()
    end)

    it("are close-on-exec and non-blocking, as are listeners", function()
      local listener = open_listener()
      local client = assert(net.connect({ address = "127.0.0.1", port = listener:port() }))
      assert(finish(client))
      assert(net.wait(listener:fd(), "r", FAR))
      local server = assert(listener:accept())
      for _, object in ipairs({ listener, client, server }) do
        local flags = flags_of(object:fd())
        if flags then
          assert.is_true(has_flag(flags, O_CLOEXEC))
          assert.is_true(has_flag(flags, O_NONBLOCK))
        end
        object:close()
      end
    end)

    it("name their peer", function()
      local listener = open_listener()
      local client = assert(net.connect({ address = "127.0.0.1", port = listener:port() }))
      assert.are.equal("127.0.0.1:" .. listener:port(), client:peer())
      client:close()
      listener:close()
    end)

    it("reach IPv6 where the host has it", function()
      local listener = net.listen("::1", 0)
      if not listener then
        return pending("no IPv6 here")
      end
      local client = assert(net.connect({ address = "::1", port = listener:port() }))
      assert.is_true(finish(client))
      assert.are.equal("[::1]:" .. listener:port(), client:peer())
      client:close()
      listener:close()
    end)

    it("use the source address they are given", function()
      local listener = open_listener()
      local to = { address = "127.0.0.1", port = listener:port() }
      local client = assert(net.connect(to, "127.0.0.9"))
      assert.is_true(finish(client))
      assert(net.wait(listener:fd(), "r", FAR))
      local server = assert(listener:accept())
      assert.is_truthy(server:peer():find("^127%.0%.0%.9:"))
      local failed, name, text = net.connect(to, "not an address")
      assert.is_nil(failed)
      assert.are.equal("syntax", name)
      assert.are.equal("the source address is not well formed", text)
      client:close()
      server:close()
      listener:close()
    end)

    it("report a refusal by name", function()
      local client, name, text = net.connect({ address = "127.0.0.1", port = unused_port() })
      if client then
        name, text = select(2, finish(client))
        assert.are.equal("ECONNREFUSED", (select(2, client:connected())))
        client:close()
      end
      assert.are.equal("ECONNREFUSED", name)
      assert.are.equal("connection refused", text)
    end)

    it("refuse addresses that are none", function()
      assert.are.equal("syntax", select(2, net.connect({ address = "example.com", port = 25 })))
      assert.are.equal("syntax", select(2, net.connect({ address = "127.0.0.1", port = 0 })))
      assert.are.equal("syntax", select(2, net.connect({})))
      assert.has_error(function()
        net.connect({ address = 1.5, port = 25 })
      end)
    end)
  end)

  describe("unix sockets", function()
    local path

    before_each(function()
      path = os.tmpname()
      os.remove(path)
    end)

    after_each(function()
      os.remove(path)
    end)

    it("work like the others", function()
      local listener = assert(net.listen("unix:" .. path))
      assert.are.equal(0, listener:port())
      local client = assert(net.connect({ family = "unix", path = path }))
      assert.is_true(finish(client))
      assert.are.equal("unix:" .. path, client:peer())
      local server = assert(listener:accept())
      client:write("hello")
      assert.are.equal("hello", read_some(server))
      for _, object in ipairs({ client, server, listener }) do
        object:close()
      end
    end)

    it("need a path of reasonable length, and a listener", function()
      local long = { path = ("x"):rep(200) }
      assert.are.equal("too_long", (select(2, net.connect(long))))
      assert.are.equal("empty", (select(2, net.connect({ path = "" }))))
      assert.are.equal("control_character", (select(2, net.connect({ path = "a\0b" }))))
      assert.are.equal("ENOENT", (select(2, net.connect({ path = path }))))
    end)
  end)

  describe("listeners", function()
    it("answer 'again' when nobody comes and 'closed' when closed", function()
      local listener = open_listener()
      assert.are.equal("again", select(2, listener:accept()))
      listener:close()
      listener:close()
      assert.are.equal("closed", select(2, listener:accept()))
    end)

    it("do not share a port", function()
      local listener = open_listener()
      assert.are.equal("EADDRINUSE", (select(2, net.listen("127.0.0.1", listener:port()))))
      listener:close()
    end)
  end)

  describe("time", function()
    it("does not go back", function()
      local before = net.now()
      assert.are.equal(0, net.sleep(0.001))
      assert.is_true(net.now() >= before + 0.001)
    end)

    it("ends every wait", function()
      local client, server = open_pair()
      local deadline = net.now() + 0.005
      assert.are.same({ nil, "timeout" }, { net.wait(server:fd(), "r", 0.005) })
      assert.is_true(net.now() >= deadline)
      assert.is_true(net.wait(client:fd(), "w", FAR))
      assert.are.equal("system", select(2, net.wait(65000, "r", 0)))
      assert.has_error(function()
        net.wait(client:fd(), "x", 1)
      end)
      assert.has_error(function()
        net.wait(client:fd(), "r", 0 / 0)
      end)
      client:close()
      server:close()
    end)

    it("polls many at once", function()
      local client, server = open_pair()
      local items = {
        { fd = client:fd(), read = true },
        { fd = server:fd(), read = true, write = true },
      }
      assert.are.equal(1, net.poll(items, FAR))
      assert.is_false(items[1].readable)
      assert.is_false(items[2].readable)
      assert.is_true(items[2].writable)
      server:write("x")
      assert.are.equal(2, net.poll(items, FAR))
      assert.is_true(items[1].readable)
      assert.are.equal(0, net.poll({}, 0))
      assert.has_error(function()
        net.poll({ 1 }, 0)
      end)
      client:close()
      server:close()
    end)
  end)

  describe("resolver", function()
    it("knows numeric hosts and localhost by itself", function()
      local resolver = assert(net.resolve("127.0.0.1", 25))
      assert.is_nil(resolver:fd())
      local only = { { family = "inet", address = "127.0.0.1", port = 25 } }
      assert.are.same(only, resolver:result())
      assert.are.same({
        { family = "inet6", address = "::1", port = 465 },
        { family = "inet", address = "127.0.0.1", port = 465 },
      }, assert(net.resolve("localhost", 465)):result())
      assert.are.same(only, assert(net.resolve("localhost", 25, "inet")):result())
      assert.are.equal("resolve.family", (select(2, net.resolve("::1", 25, "inet"):result())))
      resolver:close()
      resolver:close()
      assert.are.equal("closed", (select(2, resolver:result())))
    end)

    it("waits on a descriptor for the others", function()
      -- An empty label: goes through the thread, but never to a name server.
      local resolver = assert(net.resolve("no..such.host", 25))
      local flags = flags_of(resolver:fd())
      if flags then
        assert.is_true(has_flag(flags, O_CLOEXEC))
      end
      local list, name, text = await(resolver)
      assert.is_nil(list)
      assert.is_truthy(name:find("^resolve%.%l+$"))
      assert.is_string(text)
      resolver:close()
    end)

    it("refuses names that cannot be", function()
      local resolver, name, text = net.resolve("", 25)
      assert.is_nil(resolver)
      assert.are.equal("empty", name)
      assert.are.equal("the host name is empty", text)
      assert.are.equal("too_long", (select(2, net.resolve(("x"):rep(256), 25))))
      assert.has_error(function()
        net.resolve("a\0b", 25)
      end)
      assert.has_error(function()
        net.resolve("localhost", 65536)
      end)
    end)

    it("may be forgotten while it works", function()
      for i = 1, 4 do
        local resolver = assert(net.resolve(("no..such.host-%d"):format(i), 25))
        if i % 2 == 0 then
          resolver:close()
        end
      end
      collectgarbage()
      collectgarbage()
    end)

    -- The state is closed and the module unloaded while threads are at work.
    it("lets the program end at any time", function()
      local file = io.open("/proc/self/cmdline")
      if not file then
        return pending("needs /proc")
      end
      local interpreter = file:read("*a"):match("^[^%z]+")
      file:close()
      local code = ([[
        package.cpath = %q
        local net = require("qqmail.net")
        for i = 1, 4 do
          net.resolve("no..such.host-" .. i, 25)
        end
        io.write("ended")
      ]]):format(package.cpath)
      local script = os.tmpname()
      file = assert(io.open(script, "w"))
      file:write(code)
      file:close()
      local pipe = assert(io.popen(("'%s' '%s' 2>&1; echo \" $?\""):format(interpreter, script)))
      assert.are.equal("ended 0\n", pipe:read("*a"))
      pipe:close()
      os.remove(script)
    end)
  end)
end)
