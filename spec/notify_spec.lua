--- Handing mails over outside nginx: they wait in memory or on disk and leave with
-- `flush` or `close`.
local net = require("qqmail.net")
local qqmail = require("qqmail")
local send = require("spec.support.send")
local shell = require("spec.support.shell")

local has = send.has

local function message(subject)
  return send.message({ subject = subject })
end

local function subjects(server)
  local out = {}
  for _, item in ipairs(server:messages()) do
    out[#out + 1] = item.data:match("Subject: ([^\r\n]*)")
  end
  table.sort(out)
  return out
end

describe("mailer:notify", function()
  local folder, remove

  before_each(function()
    folder, remove = shell.folder()
  end)

  after_each(function()
    send.stop()
    remove()
  end)

  it("answers the Message-ID and sends nothing yet", function()
    local server = send.server()
    local mailer = send.mailer(server)
    local id = assert(mailer:notify(message("1")))
    has(id, "@qq.com>")
    assert.same({ accepted = 1, sent = 0, failed = 0, dropped = 0, waiting = 1 },
      mailer:stats().outbox)
    assert.equal(0, #server:connections())
    assert.same({ sent = 1, failed = 0, waiting = 0 }, mailer:flush(10))
    assert.equal(id, (server:messages()[1].data:match("Message%-ID: (%S+)")))
  end)

  it("sends what waits when the mailer is closed", function()
    local server = send.server()
    local mailer = send.mailer(server)
    mailer:notify(message("1"))
    mailer:notify(message("2"))
    mailer:close()
    assert.same({ "1", "2" }, subjects(server))
    local id, err = mailer:notify(message("3"))
    assert.is_nil(id)
    assert.equal("closed.mailer", err.code)
    assert.equal("closed.mailer", select(2, mailer:flush()).code)
  end)

  it("refuses a wrong message at once", function()
    local mailer = send.mailer(send.server())
    local id, err = mailer:notify({ to = "nobody", subject = "x" })
    assert.is_nil(id)
    assert.equal("message.bad_address", err.code)
    assert.has_error(function() mailer:notify("x") end)
    assert.has_error(function() mailer:flush("x") end)
  end)

  it("tells the hooks what became of each mail", function()
    local server = send.server({
      replies = { rcpt = { ["b@test.local"] = "550 5.1.1 no such user" } },
    })
    local told = {}
    local mailer = send.mailer(server, { on = {
      sent = function(receipt) told[#told + 1] = receipt.message_id end,
      failed = function(err) told[#told + 1] = err.code end,
    } })
    local id = mailer:notify(message("1"))
    mailer:notify(send.message({ to = "b@test.local" }))
    local result = mailer:flush(10)
    assert.same({ sent = 1, failed = 1, waiting = 0 }, result)
    assert.equal(id, told[1])
    has(told[2], "recipient.")
  end)

  it("flush tries again while there is time", function()
    local server = send.server({ drop_at = "mail", drop_times = 1 })
    local mailer = send.mailer(server)
    mailer:notify(message("1"))
    assert.same({ sent = 1, failed = 0, waiting = 0 }, mailer:flush(10))
  end)

  it("flush answers an error when the time is over, and keeps the mails", function()
    local server = send.server()
    local options = send.options(server)
    server:stop()
    local mailer = send.mailer({ host = options.host, port = options.port, mode = "plain" })
    mailer:notify(message("1"))
    local result, err = mailer:flush(0.1)
    assert.is_nil(result)
    assert.equal("outbox.not_empty", err.code)
    assert.equal(1, err.waiting)
    assert.equal(1, mailer:stats().outbox.waiting)
  end)

  it("close reports what it could not send where there is no disk", function()
    local server = send.server()
    local port = server.port
    server:stop()
    local codes, lines = {}, {}
    local mailer = send.mailer({ host = "127.0.0.1", port = port, mode = "plain" }, {
      on = { failed = function(err) codes[#codes + 1] = err.code end },
      log = function(level, text) lines[#lines + 1] = level .. " " .. text end,
    })
    mailer:notify(message("1"))
    mailer:close()
    assert.same({ "outbox.not_sent" }, codes)
    has(table.concat(lines, "\n"), "error qqmail: the mailer was closed")
  end)

  it("close leaves on disk what it could not send, and a later program sends it", function()
    local server = send.server()
    local port = server.port
    server:stop()
    local mailer = send.mailer({ host = "127.0.0.1", port = port, mode = "plain" },
      { outbox = folder })
    mailer:notify(message("1"))
    mailer:close()
    assert.equal(1, shell.count_mails(folder))
    server = send.server({ port = port })
    local later = send.mailer(server, { outbox = folder })
    later:start()
    assert.same({ sent = 1, failed = 0, waiting = 0 }, later:flush(10))
    later:close()
    assert.same({ "1" }, subjects(server))
    assert.equal(0, shell.count_mails(folder))
  end)

  it("another account never sends what waits on disk", function()
    local server = send.server()
    local port = server.port
    server:stop()
    local mailer = send.mailer({ host = "127.0.0.1", port = port, mode = "plain" },
      { outbox = folder })
    mailer:notify(message("1"))
    mailer:close()
    server = send.server({ port = port, users = { other = "x" } })
    local other = send.mailer(server, { outbox = folder, user = "other", password = "x",
      from = "other@qq.com" })
    other:start()
    assert.same({ sent = 0, failed = 0, waiting = 0 }, other:flush(10))
    assert.equal(1, shell.count_mails(folder))
  end)

  it("goes straight through drivers that need no server", function()
    local mailer = assert(qqmail.new({ io = "memory", host = "mx.test", tls = "none",
      from = "a@test.local" }))
    local id = assert(mailer:notify(message("1")))
    assert.equal(id, mailer.outbox[1].id)
    assert.same({ sent = 0, failed = 0, waiting = 0 }, mailer:flush())
    mailer:close()
  end)

  it("sends from many coroutines of a loop", function()
    local server = send.server({ mode = "implicit" })
    local mailer = send.mailer(server, { io = send.LOOP_IO, pool = { max = 3 } })
    for n = 1, 12 do
      assert(mailer:notify(message(tostring(n))))
    end
    local function flush()
      assert.equal(0, mailer:flush(20).waiting)
    end
    send.in_loop(flush, flush, flush)
    send.in_loop(function() mailer:close() end)
    assert.equal(12, #server:messages())
  end)

  describe("in a program that ends without flush or close", function()
    local function run(server, more, last)
      local path = folder .. "/program.lua"
      shell.write(path, ([[
        package.path, package.cpath = %q, %q
        local qqmail = require("qqmail")
        local mailer = assert(qqmail.new({ host = "127.0.0.1", port = %d, tls = "none",
          from = "me@test.local", lang = "en", %s }))
        for n = 1, 3 do
          assert(mailer:notify({ to = "a@test.local", subject = tostring(n), text = "t" }))
        end
        %s
      ]]):format(package.path, package.cpath, server.port, more, last or ""))
      return shell.run(shell.lua .. " " .. path)
    end

    it("the mails wait on disk", function()
      local server = send.server({ require_auth = false })
      run(server, ("outbox = %q"):format(folder))
      assert.equal(3, shell.count_mails(folder))
      assert.equal(0, #server:messages())
    end)

    it("it says what was not sent where there is no disk", function()
      local server = send.server({ require_auth = false })
      local output = run(server, 'log = "stderr"')
      local _, count = output:gsub("closed before this mail could be sent", "")
      assert.equal(3, count, output)
    end)

    it("kill -9 loses none when they are durable", function()
      local server = send.server({ require_auth = false })
      run(server, ("outbox = { dir = %q, durable = true }"):format(folder),
        "os.execute('kill -9 $PPID')")
      assert.equal(3, shell.count_mails(folder))
      local later = send.mailer(server, { outbox = folder, from = "me@test.local" })
      -- The same account: no user, and so no login.
      later:close()
      local mailer = assert(qqmail.new({ host = "127.0.0.1", port = server.port, tls = "none",
        from = "me@test.local", outbox = folder }))
      mailer:start()
      local deadline = net.now() + 20
      local result = mailer:flush(deadline - net.now())
      mailer:close()
      assert.equal(3, result.sent)
      assert.same({ "1", "2", "3" }, subjects(server))
    end)
  end)

  it("takes a message built before", function()
    local server = send.server()
    local mailer = send.mailer(server)
    local built = assert(qqmail.message(send.message({ from = send.USER })))
    assert.equal(built.id, mailer:notify(built))
    mailer:flush(10)
    assert.equal(tostring(built), server:messages()[1].data)
  end)

  it("sends addresses and texts of all scripts as send does", function()
    local server = send.server()
    local mailer = send.mailer(server)
    assert(mailer:notify(send.message({ to = "用户@test.local", subject = "主题",
      attachments = { { data = "x", name = "报表.pdf" } } })))
    assert.equal(1, mailer:flush(10).sent)
    assert.same({ "用户@test.local" }, server:messages()[1].to)
    assert.is_truthy(send.heard(server):find("\nMAIL FROM:<[^\n]* SMTPUTF8"))
  end)
end)
