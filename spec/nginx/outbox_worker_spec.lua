--- The timers behind `notify`: what nginx drops, what a user's function ends, and
-- what happens while a worker goes. nginx embeds LuaJIT: run by its suite alone.
if not rawget(_G, "jit") then
  return
end

local nginx = require("spec.support.nginx")
local notifier = require("spec.support.notifier")
local send = require("spec.support.send")
local shell = require("spec.support.shell")

describe("the outbox of a worker", function()
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

  -- The words of the location /stats.
  local function counts(web)
    local _, body = web:request("/stats")
    local accepted, sent, failed, waiting = body:match("(%d+) (%d+) (%d+) (%d+)")
    return { accepted = tonumber(accepted), sent = tonumber(sent), failed = tonumber(failed),
      waiting = tonumber(waiting) }
  end

  it("makes up for timers that nginx dropped", function()
    local server = send.server({ mode = "implicit" })
    local web = notifier.start(server, outbox(), {
      http = ([[
        lua_max_running_timers 2;
        init_by_lua_block { mailer = require("qqmail").setup(%s) }
      ]]):format(notifier.options_text(notifier.mailer_options(server, outbox()))),
      server = notifier.LOCATIONS .. [[
        location /hold {
          content_by_lua_block {
            gate = false
            for _ = 1, 2 do
              ngx.timer.at(0, function() while not gate do ngx.sleep(0.01) end end)
            end
            ngx.sleep(0.05)
          }
        }
        location /free { content_by_lua_block { gate = true } }
      ]],
      allow = { "lua_max_running_timers are not enough" },
    })
    web:request("/hold")
    notifier.hit(web, 1, 5)
    assert.is_truthy(nginx.wait_for(function()
      return web:log():find("lua_max_running_timers are not enough", 1, true)
    end))
    assert.equal(0, #server:messages())
    web:request("/free")
    assert.equal(0, (notifier.missing(server, 5, 20)))
  end)

  it("goes on when a function of the user's ends the thread", function()
    local server = send.server({ mode = "implicit" })
    local text = notifier.options_text(notifier.mailer_options(server, outbox()))
    local web = notifier.start(server, nil, { http = ([[
      init_by_lua_block {
        local options = %s
        options.pool.max = 1
        options.on = { sent = function() ngx.exit(ngx.OK) end }
        mailer = require("qqmail").setup(options)
      }
    ]]):format(text) })
    notifier.hit(web, 1, 3)
    local missing, doubles = notifier.missing(server, 3, 20)
    assert.same({ 0, 0 }, { missing, doubles })
  end)

  it("leaves its mails to the new workers while a long request holds the old one", function()
    local server = send.server({ mode = "implicit", delay = 0.02 })
    local web = notifier.start(server, outbox({ drain = 0.3 }), { server = notifier.LOCATIONS .. [[
      location /long { lua_check_client_abort on; content_by_lua_block { ngx.sleep(60) } }
    ]] })
    local long = web:begin("/long")
    notifier.hit(web, 1, 100)
    web:reload()
    assert.equal(1, #web:leaving())
    local missing, doubles = notifier.missing(server, 100, 30)
    assert.equal(0, missing)
    assert.is_true(doubles <= 4)
    assert.equal(1, #web:leaving())
    long:close()
  end)

  it("leaves them at once when nothing can be sent", function()
    local server = send.server({ mode = "implicit" })
    local port = server.port
    local web = notifier.start(server, outbox({ drain = 30 }), { server = notifier.LOCATIONS .. [[
      location /long { lua_check_client_abort on; content_by_lua_block { ngx.sleep(60) } }
    ]] })
    server:stop()
    local long = web:begin("/long")
    notifier.hit(web, 1, 20)
    assert.is_truthy(nginx.wait_for(function()
      return web:log():find("waits for another try", 1, true)
    end))
    web:reload()
    assert.is_truthy(nginx.wait_for(function()
      return shell.count_mails(folder) == 20
    end))
    server = send.server({ mode = "implicit", port = port })
    assert.equal(0, (notifier.missing(server, 20, 40)))
    assert.equal(1, #web:leaving())
    long:close()
  end)

  it("logs in no more often while the worker ends", function()
    local server = send.server({ mode = "implicit", delay = { dot = 0.02 } })
    local web = notifier.start(server, outbox({ drain = 10 }))
    notifier.hit(web, 1, 100)
    assert.is_true(web:quit(20))
    assert.equal(0, (notifier.missing(server, 100)))
    assert.is_true(server:auth_attempts() <= 8, "logins: " .. server:auth_attempts())
  end)

  it("begins no mail when the time to drain is over", function()
    local server = send.server({ mode = "implicit", delay = { dot = 1.5 } })
    local web = notifier.start(server, send.merge(outbox({ drain = 0.5 }), { pool = { max = 1 } }))
    notifier.hit(web, 1, 4)
    assert.is_truthy(server:wait(1, 10, "connections"))
    assert.is_true(web:quit(10))
    assert.equal(1, #server:messages())
    assert.equal(3, shell.count_mails(folder))
  end)

  it("is forgotten when nothing is left to do", function()
    local server = send.server({ mode = "implicit" })
    local text = notifier.options_text(notifier.mailer_options(server, outbox()))
    local web = notifier.start(server, nil, {
      http = "",
      server = ([[
        location /once {
          content_by_lua_block {
            local options = %s
            local code = options.password
            options.password = function() return code end
            local mailer = require("qqmail").new(options)
            mailer:notify({ to = "a@test.local", subject = ngx.var.arg_n, text = "t" })
            mailer:close()
          }
        }
      ]]):format(text),
    })
    for n = 1, 20 do
      web:request("/once?n=" .. n)
    end
    assert.equal(0, (notifier.missing(server, 20)))
    assert.is_truthy(nginx.wait_for(function()
      return tonumber((shell.run("find " .. folder .. " -name lock | wc -l"))) == 0
    end))
  end)

  it("counts what it did", function()
    local server = send.server({ mode = "implicit" })
    local web = notifier.start(server, outbox())
    notifier.hit(web, 1, 7)
    web:request("/flush")
    assert.same({ accepted = 7, sent = 7, failed = 0, waiting = 0 }, counts(web))
  end)
end)
