--- `notify` in real nginx processes: what was taken arrives, whatever happens to
-- the worker. nginx embeds LuaJIT: run by its suite alone.
if not rawget(_G, "jit") then
  return
end

local nginx = require("spec.support.nginx")
local notifier = require("spec.support.notifier")
local send = require("spec.support.send")
local shell = require("spec.support.shell")

-- Enough to be at work when a signal comes, little enough to end soon.
local SLOW = { mode = "implicit", delay = 0.002 }

describe("notify inside nginx", function()
  local folder, remove

  before_each(function()
    folder, remove = shell.folder()
  end)

  after_each(function()
    nginx.stop()
    send.stop()
    remove()
  end)

  local function outbox(more)
    return { outbox = send.merge({ dir = folder }, more) }
  end

  local function waiting_mails()
    return shell.count_mails(folder)
  end

  local function ends_well(web)
    web:stop()
    assert.equal(0, waiting_mails())
  end

  it("delivers 1,000 mails handed over in one burst of the log phase", function()
    local server = send.server({ mode = "implicit" })
    local web = notifier.start(server, outbox(), { workers = 2 })
    notifier.hit(web, 1, 1000)
    local missing, doubles = notifier.missing(server, 1000)
    assert.same({ 0, 0 }, { missing, doubles })
    assert.is_true(#server:connections() <= 8, "connections: " .. #server:connections())
    ends_well(web)
  end)

  it("delivers all of 3,000 over three reloads", function()
    local server = send.server(SLOW)
    local web = notifier.start(server, outbox({ drain = 0.5 }), { workers = 2 })
    for round = 0, 2 do
      notifier.hit(web, round * 750 + 1, round * 750 + 750)
      web:reload()
    end
    notifier.hit(web, 2251, 3000)
    local missing, doubles = notifier.missing(server, 3000)
    assert.same({ 0, 0 }, { missing, doubles })
    ends_well(web)
  end)

  it("delivers all of 3,000 over QUIT and a new start", function()
    local server = send.server(SLOW)
    local web = notifier.start(server, outbox({ drain = 0.3 }), { workers = 2 })
    notifier.hit(web, 1, 3000)
    assert.is_true(web:quit(20))
    assert.is_true(#server:messages() < 3000)
    web:stop()
    assert.is_true(waiting_mails() > 0)
    web = notifier.start(server, outbox(), { workers = 2 })
    local missing, doubles = notifier.missing(server, 3000)
    assert.same({ 0, 0 }, { missing, doubles })
    ends_well(web)
  end)

  it("delivers all of 3,000 over TERM and a new start", function()
    local server = send.server(SLOW)
    local web = notifier.start(server, outbox(), { workers = 2 })
    notifier.hit(web, 1, 3000)
    assert.is_true(web:term())
    local before = #server:messages()
    assert.is_true(before < 3000)
    web:stop()
    web = notifier.start(server, outbox(), { workers = 2 })
    local missing, doubles = notifier.missing(server, 3000)
    assert.equal(0, missing)
    -- At most those under way: four connections in each of two workers.
    assert.is_true(doubles <= 8, "twice: " .. doubles)
    ends_well(web)
  end)

  it("delivers all of 3,000 when the server comes back", function()
    local server = send.server({ mode = "implicit" })
    local port = server.port
    local web = notifier.start(server, outbox(), { workers = 2 })
    notifier.hit(web, 1, 500)
    assert.equal(0, (notifier.missing(server, 500)))
    server:stop()
    notifier.hit(web, 501, 3000)
    local again = send.server({ mode = "implicit", port = port })
    -- Those of before were counted by the first server.
    assert.equal(0, (notifier.missing_between(again, 501, 3000)))
    ends_well(web)
  end)

  it("loses none to kill -9 when it is durable", function()
    local server = send.server(SLOW)
    local web = notifier.start(server, outbox({ durable = true }), { workers = 2,
      allow = { "exited on signal 9" } })
    notifier.hit(web, 1, 1500)
    web:kill_worker(web:workers()[1])
    notifier.hit(web, 1501, 3000)
    local missing, doubles = notifier.missing(server, 3000)
    assert.equal(0, missing)
    assert.is_true(doubles <= 4, "twice: " .. doubles)
    ends_well(web)
  end)

  it("writes what memory has no room for to disk, and sends it too", function()
    local server = send.server(SLOW)
    local web = notifier.start(server, outbox({ max = 20 }))
    notifier.hit(web, 1, 300)
    local missing, doubles = notifier.missing(server, 300)
    assert.same({ 0, 0 }, { missing, doubles })
    ends_well(web)
  end)

  it("refuses what it cannot take where there is no disk, and says so", function()
    local server = send.server({ mode = "implicit", delay = { greeting = 1 } })
    local web = notifier.start(server, { outbox = { dir = false, max = 20 } })
    notifier.hit(web, 1, 30)
    send.has(web:log(), "not taken: qqmail: the outbox is full (20 mails)")
    assert.equal(20, tonumber((select(2, web:request("/stats")):match("^%d+"))))
    local missing = notifier.missing(server, 20)
    assert.equal(0, missing)
  end)

  it("exits at once when all is sent, with connections parked", function()
    local server = send.server({ mode = "implicit" })
    local web = notifier.start(server, outbox(), { workers = 2 })
    notifier.hit(web, 1, 20)
    assert.equal(0, (notifier.missing(server, 20)))
    assert.is_true(web:quit(2))
    ends_well(web)
  end)

  it("flush waits for what was handed over", function()
    local server = send.server(SLOW)
    local web = notifier.start(server, outbox())
    notifier.hit(web, 1, 50)
    local _, body = web:request("/flush")
    assert.equal("0", body)
    assert.equal(50, #server:messages())
  end)

  it("tries again when the server was away", function()
    local server = send.server({ mode = "implicit", drop_at = "mail", drop_times = 1 })
    local web = notifier.start(server, outbox())
    notifier.hit(web, 1, 1)
    assert.equal(0, (notifier.missing(server, 1)))
    assert.is_true(#server:connections() >= 2)
  end)

  it("sends a mail of unknown fate again, under the same Message-ID", function()
    local server = send.server({ mode = "implicit", drop_at = "dot", drop_times = 1 })
    local web = notifier.start(server, outbox(), { http = ([[
      init_by_lua_block {
        require("qqmail.outbox.policy").deferred = 0.1
        mailer = require("qqmail").setup(%s)
      }
    ]]):format(notifier.options_text(notifier.mailer_options(server, outbox()))) })
    notifier.hit(web, 1, 1)
    assert.is_true(server:wait(2, 20))
    local first, second = server:messages()[1], server:messages()[2]
    assert.is_nil(first.reply)
    assert.equal(first.data, second.data)
    assert.is_truthy(first.data:find("\r\nMessage%-ID: <"))
  end)

  it("reports a mail that nobody can deliver, in error.log", function()
    local server = send.server({ mode = "implicit", replies = { rcpt = "550 5.1.1 no such user" } })
    local web = notifier.start(server, outbox())
    notifier.hit(web, 1, 1)
    web:request("/flush")
    send.has(web:log(), "no such user")
    assert.equal(1, tonumber((shell.run("find " .. folder .. " -path '*/failed/*.eml' | wc -l"))))
  end)

  it("tries a refused login once and then leaves it alone", function()
    local server = send.server({ mode = "implicit", replies = { auth = "535 5.7.8 wrong" } })
    local web = notifier.start(server, outbox())
    notifier.hit(web, 1, 5)
    assert.is_true(server:wait(1, 10, "auth_attempts"))
    nginx.wait_for(function()
      return web:log():find("waits for another try", 1, true)
    end)
    notifier.hit(web, 6, 10)
    web:quit()
    assert.equal(1, server:auth_attempts())
    web:stop()
    assert.equal(10, waiting_mails())
  end)
end)
