-- One mailer in two processes after fork(): each goes on as if it were alone.
local echo = require("spec.support.echo")
local net = require("qqmail.net")
local send = require("spec.support.send")

-- Debian has luaposix for all but Lua 5.4.
local has_posix, unistd = pcall(require, "posix.unistd")
local has_wait, wait = pcall(require, "posix.sys.wait")

local COUNT = 60

-- Calls body in a child process and answers a function that waits for its end and
-- raises what the child raised. The child ends at once behind it: nothing that
-- belongs to the specs may run twice.
local function in_child(body)
  local read_end, write_end = unistd.pipe()
  local pid = assert(unistd.fork())
  if pid == 0 then
    unistd.close(read_end)
    local ok, why = pcall(body)
    unistd.write(write_end, ok and "good" or "bad: " .. tostring(why))
    unistd._exit(0)
  end
  unistd.close(write_end)
  return function()
    local parts = {}
    repeat
      local part = unistd.read(read_end, 4096)
      parts[#parts + 1] = part
    until not part or part == ""
    unistd.close(read_end)
    wait.wait(pid)
    assert.equal("good", table.concat(parts))
  end
end

local function add_wrong(wrong, name, receipt, err)
  wrong[#wrong + 1] = echo.mismatch(name, receipt, err)
end

-- Half of them one by one, half of them together.
local function send_many(mailer, who)
  local wrong, list, names = {}, {}, {}
  for i = 1, COUNT do
    names[i] = who .. "-" .. i
  end
  for i = 1, COUNT / 2 do
    add_wrong(wrong, names[i], mailer:send(echo.message(names[i])))
    list[i] = echo.message(names[COUNT / 2 + i])
  end
  assert(mailer:send_all(list, { progress = false, on_result = function(receipt, err, _, index)
    add_wrong(wrong, names[COUNT / 2 + index], receipt, err)
  end }))
  if #wrong > 0 then
    error(table.concat(wrong, "\n"), 0)
  end
  return names
end

local function names_of(...)
  local names = { ... }
  for i = 1, COUNT do
    names[#names + 1] = "child-" .. i
    names[#names + 1] = "parent-" .. i
  end
  return names
end

describe("after fork()", function()
  if not (has_posix and has_wait) then
    pending("luaposix is not installed")
    return
  end

  after_each(send.stop)

  local function send_named(mailer, name)
    assert.is_nil(echo.mismatch(name, mailer:send(echo.message(name))))
  end

  for _, mode in ipairs({ "plain", "implicit", "starttls" }) do
    for _, max in ipairs({ 1, 3 }) do
      it(("two processes use one mailer at once: %s, pool.max %d"):format(mode, max), function()
        local server = echo.server({ mode = mode })
        local mailer = send.mailer(server, { pool = { max = max } })
        send_named(mailer, "first")
        local finish = in_child(function()
          send_many(mailer, "child")
          mailer:close()
        end)
        local opened = mailer:stats().opened
        send_many(mailer, "parent")
        finish()
        -- What the parent had kept still serves it, however the child ended.
        send_named(mailer, "last")
        assert.equal(opened, 1)
        local owners = {}
        for _, message in ipairs(server:messages()) do
          local who = message.data:match("Subject: (child)") or "parent"
          assert.equal(who, owners[message.connection] or who)
          owners[message.connection] = who
        end
        assert.equal("parent", owners[1])
        assert.is_nil(server:connections()[1].closed)
        echo.check(server, names_of("first", "last"), 2 * max)
      end)
    end

    it("a child that ends, or closes the mailer, says nothing on what it inherited: " .. mode,
      function()
        local server = echo.server({ mode = mode })
        local mailer = send.mailer(server)
        send_named(mailer, "first")
        in_child(function()
          mailer:close()
        end)()
        in_child(function()
          -- Thrown away by the collector.
          mailer.routes = {}
          collectgarbage()
          collectgarbage()
        end)()
        send_named(mailer, "second")
        assert.is_true(mailer:stats().reused == 1)
        assert.equal(1, #server:connections())
        assert.is_nil(server:connections()[1].closed)
        assert.equal(0, send.count(server, "QUIT"))
        mailer:close()
        assert.is_true(server:wait(1, 10, "closed"))
        assert.equal(1, send.count(server, "QUIT"))
      end)

    -- pool.max is 1: the place is the parent's, the child has all of its own.
    it("in the middle of another coroutine's send both go on: " .. mode, function()
      local server = echo.server({ mode = mode, delay = { dot = 0.2 } })
      local is_alone = false
      local io = {
        wait = function(...)
          return (is_alone and net.wait or coroutine.yield)(...)
        end,
        sleep = function(seconds)
          return is_alone and net.sleep(seconds) or coroutine.yield(-1, "r", seconds)
        end,
      }
      local mailer = send.mailer(server, { io = io, pool = { max = 1 } })
      local finish, is_done
      send.in_loop(function()
        send_named(mailer, "held")
        is_done = true
      end, function()
        while send.count(server, "MAIL") == 0 do
          io.sleep(0.005)
        end
        assert.is_nil(is_done)
        finish = in_child(function()
          is_alone = true
          send_named(mailer, "child")
          mailer:close()
        end)
      end)
      finish()
      assert.is_true(is_done)
      -- No loop runs any more.
      is_alone = true
      send_named(mailer, "parent")
      assert.equal(1, mailer:stats().opened)
      echo.check(server, { "held", "child", "parent" }, 2)
    end)
  end

  it("Message-IDs of two processes differ", function()
    local server = echo.server()
    local mailer = send.mailer(server)
    send_named(mailer, "first")
    local finish = in_child(function()
      send_many(mailer, "child")
    end)
    send_many(mailer, "parent")
    finish()
    local seen = {}
    for _, message in ipairs(server:messages()) do
      local id = message.data:match("\nMessage%-ID: (%S+)")
      assert.is_nil(seen[id], id)
      seen[id] = true
    end
    assert.equal(2 * COUNT + 1, #server:messages())
  end)

  it("what was handed over before is sent once", function()
    local server = echo.server()
    local mailer = send.mailer(server)
    for i = 1, 5 do
      assert(mailer:notify(echo.message("n" .. i)))
    end
    in_child(function()
      mailer:close()
    end)()
    assert(mailer:flush(10))
    echo.check(server, { "n1", "n2", "n3", "n4", "n5" }, 1)
  end)
end)
