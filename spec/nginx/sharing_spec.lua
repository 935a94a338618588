-- One mailer of a worker, used by many requests and light threads at once. nginx
-- embeds LuaJIT: of the suites, the one under LuaJIT runs this.
if not rawget(_G, "jit") then
  return
end

local certs = require("spec.support.certs")
local echo = require("spec.support.echo")
local nginx = require("spec.support.nginx")
local notifier = require("spec.support.notifier")
local send = require("spec.support.send")
local shell = require("spec.support.shell")

-- Each mail has a name of its own; `tell` answers what came back wrong.
local SHARED = [[
  local echo = require("spec.support.echo")
  local M = { wrong = {}, handed = {}, sent = {} }

  function M.note(name, receipt, err)
    M.wrong[#M.wrong + 1] = echo.mismatch(name, receipt, err)
  end

  function M.on_sent(receipt)
    M.sent[receipt.message_id] = receipt
  end

  function M.send(name)
    M.note(name, mailer:send(echo.message(name)))
  end

  function M.threads(name, count)
    local threads = {}
    for i = 1, count do
      threads[i] = ngx.thread.spawn(M.send, name .. "-" .. i)
    end
    for i = 1, count do
      assert(ngx.thread.wait(threads[i]))
    end
  end

  function M.all(name, count)
    local list, left = {}, count
    for i = 1, count do
      list[i] = echo.message(name .. "-" .. i)
    end
    local summary = assert(mailer:send_all(list, { on_result = function(receipt, err, _, index)
      left = left - 1
      M.note(name .. "-" .. index, receipt, err)
    end }))
    if summary.sent ~= count or left ~= 0 then
      M.wrong[#M.wrong + 1] = ("%s: %d sent of %d"):format(name, summary.sent, count)
    end
  end

  function M.notify(name)
    local id, err = mailer:notify(echo.message(name))
    if id then
      M.handed[id] = name
    else
      M.note(name, nil, err)
    end
  end

  function M.tell()
    for id, name in pairs(M.handed) do
      M.note(name, M.sent[id], "no receipt")
    end
    return table.concat(M.wrong, "\n")
  end

  return M
]]

local LOCATIONS = [[
  lua_check_client_abort on;
  location = /ping { content_by_lua_block { ngx.print("pong") } }
  location = /send { content_by_lua_block { shared.send(ngx.var.arg_n); ngx.print("ok") } }
  location = /threads { content_by_lua_block { shared.threads(ngx.var.arg_n, 5); ngx.print("ok") } }
  location = /all { content_by_lua_block {
    shared.all(ngx.var.arg_n, tonumber(ngx.var.arg_count)); ngx.print("ok")
  } }
  location = /notify { return 200 ok; log_by_lua_block { shared.notify(ngx.var.arg_n) } }
  location = /flush { content_by_lua_block { assert(mailer:flush(20)); ngx.print(shared.tell()) } }
  location = /opened { content_by_lua_block { ngx.print(mailer:stats().opened) } }
]]

local FAR = 60 -- seconds; no test waits that long
-- For what happens at once when all is well; mailers have thirty seconds.
local SOON = 8

describe("one mailer of a worker", function()
  if nginx.missing() then
    pending(nginx.missing())
    return
  end

  local folder, remove

  before_each(function()
    folder, remove = shell.folder()
  end)

  after_each(function()
    nginx.stop()
    send.stop()
    remove()
  end)

  local function start(server, more)
    local options = notifier.mailer_options(server, send.merge({
      outbox = { dir = folder }, retry = false,
    }, more))
    return nginx.start({
      files = { ["shared.lua"] = SHARED },
      http = ([[
        lua_ssl_trusted_certificate %s;
        init_by_lua_block {
          shared = require("shared")
          local options = %s
          options.on = { sent = shared.on_sent }
          mailer = assert(require("qqmail").new(options))
        }
      ]]):format(certs.path("ca.pem"), notifier.options_text(options)),
      server = LOCATIONS,
    })
  end

  local function expect(exchange, text, seconds, path)
    local status, body = exchange:answer(seconds)
    assert.same({ 200, text }, { status, body }, path)
  end

  -- Begins all, then waits for all.
  local function request_all(web, paths)
    local exchanges = {}
    for i, path in ipairs(paths) do
      exchanges[i] = web:begin(path)
    end
    for i, exchange in ipairs(exchanges) do
      expect(exchange, "ok", 30, paths[i])
    end
  end

  local function add(names, name, count)
    for i = 1, count do
      names[#names + 1] = name .. "-" .. i
    end
  end

  local function crowd()
    local paths, names = {}, {}
    for i = 1, 6 do
      paths[#paths + 1] = ("/send?n=s%d"):format(i)
      paths[#paths + 1] = ("/threads?n=t%d"):format(i)
      paths[#paths + 1] = ("/all?n=a%d&count=12"):format(i)
      paths[#paths + 1] = ("/notify?n=n%d"):format(i)
      names[#names + 1], names[#names + 2] = "s" .. i, "n" .. i
      add(names, "t" .. i, 5)
      add(names, "a" .. i, 12)
    end
    return paths, names
  end

  for _, mode in ipairs({ "plain", "implicit" }) do
    for _, max in ipairs({ 1, 3 }) do
      it(("serves a crowd: %s, pool.max %d"):format(mode, max), function()
        local server = echo.server({ mode = mode, delay = { dot = 0.003 } })
        local web = start(server, { pool = { max = max } })
        -- The second time with the connections of the first.
        for _ = 1, 2 do
          local paths, names = crowd()
          request_all(web, paths)
          expect(web:begin("/flush"), "", 30)
          echo.check(server, names, max)
          server:clear()
        end
        web:stop()
      end)
    end
  end

  -- --- who hangs up --------------------------------------------------------------

  -- Whatever was sent before is under way once this is answered: there is one worker.
  local function pass_by(web)
    expect(web:begin("/ping"), "pong", 5)
  end

  -- A server that leaves the one who sends first without an answer.
  local function start_stuck(more)
    local server = echo.server({ delay = { dot = FAR } })
    local web = start(server, send.merge({ pool = { max = 1 } }, more))
    local held = web:begin("/send?n=held")
    assert.is_true(nginx.wait_for(function()
      return send.heard(server):find("(message of", 1, true) ~= nil
    end))
    server:set({ delay = false })
    return server, web, held
  end

  it("gives back the place of who hung up while he sent", function()
    local server, web, held = start_stuck()
    held:close()
    assert.is_true(server:wait(1, 10, "closed"))
    request_all(web, { "/send?n=next" })
    web:stop()
  end)

  it("gives the place of who hung up to who waits for it", function()
    local _, web, held = start_stuck()
    local waits = web:begin("/send?n=waits")
    pass_by(web)
    held:close()
    expect(waits, "ok", SOON)
    expect(web:begin("/flush"), "", 30)
    web:stop()
  end)

  it("gives no place to who hung up while he waited", function()
    local server = echo.server({ delay = { dot = 0.5 } })
    local web = start(server, { pool = { max = 1 } })
    local first = web:begin("/send?n=first")
    assert.is_true(server:wait(1, 10, "connections"))
    local gone = web:begin("/send?n=gone")
    pass_by(web)
    local waits = web:begin("/send?n=waits")
    pass_by(web)
    gone:close()
    pass_by(web)
    expect(first, "ok", SOON)
    expect(waits, "ok", SOON)
    expect(web:begin("/flush"), "", 30)
    echo.check(server, { "first", "waits" }, 1)
    web:stop()
  end)

  it("ends light threads of send_all with the request that hung up", function()
    local server = echo.server({ delay = { dot = FAR } })
    local web = start(server, { pool = { max = 3 } })
    local held = web:begin("/all?n=held&count=30")
    assert.is_true(server:wait(3, 10, "connections"))
    server:set({ delay = false })
    held:close()
    assert.is_true(server:wait(3, 10, "closed"))
    request_all(web, { "/threads?n=t", "/all?n=a&count=12" })
    expect(web:begin("/flush"), "", 30)
    web:stop()
  end)

  -- --- who must not be held up ------------------------------------------------------

  it("answers others while send_all goes over several connections", function()
    local server = echo.server({ delay = { dot = 0.3 } })
    local web = start(server, { pool = { max = 3 } })
    local all = web:begin("/all?n=a&count=24")
    -- Three at a time: each has a light thread of its own.
    assert.is_true(server:wait(3, 10, "connections"))
    pass_by(web)
    assert.is_true(#server:messages() < 24)
    expect(all, "ok", 30)
    expect(web:begin("/flush"), "", 30)
    web:stop()
  end)

  for _, path in ipairs({ "/send?n=r-1", "/all?n=r&count=1" }) do
    it("answers others while a retry is waited for: " .. path, function()
      local server = echo.server({ drop_at = "mail" })
      local web = start(server, { retry = { attempts = 60, base = 0.5, jitter = 0, cap = 1,
        budget = 60 } })
      local waits = web:begin(path)
      assert.is_true(server:wait(2, 10, "closed"))
      pass_by(web)
      assert.equal(0, #server:messages())
      server:set({ drop_at = false })
      expect(waits, "ok", SOON)
      expect(web:begin("/flush"), "", 30)
      echo.check(server, { "r-1" }, 1)
      web:stop()
    end)
  end

  it("answers others while a place is waited for", function()
    local server = echo.server({ delay = { dot = 0.5 } })
    local web = start(server, { pool = { max = 1 } })
    local first = web:begin("/send?n=first")
    assert.is_true(server:wait(1, 10, "connections"))
    local waits = web:begin("/send?n=waits")
    pass_by(web)
    assert.is_true(send.count(server, "MAIL") <= 1)
    expect(first, "ok", SOON)
    expect(waits, "ok", SOON)
    echo.check(server, { "first", "waits" }, 1)
    web:stop()
  end)

  it("lets one mail in between those of a long send_all", function()
    local server = echo.server({ delay = { dot = 0.002 } })
    local web = start(server, { pool = { max = 1 } })
    local all = web:begin("/all?n=a&count=600")
    assert.is_true(server:wait(30, 10))
    expect(web:begin("/send?n=between"), "ok", 10)
    local done = #server:messages()
    assert.is_true(done < 500, done .. " of 600 came first")
    expect(all, "ok", 30)
    expect(web:begin("/flush"), "", 30)
    web:stop()
  end)
end)
