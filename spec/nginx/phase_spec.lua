-- What can be done in each phase of nginx. nginx embeds LuaJIT: of the suites,
-- the one under LuaJIT runs this.
if not jit then
  return
end

local certs = require("spec.support.certs")
local nginx = require("spec.support.nginx")
local notifier = require("spec.support.notifier")
local runner = require("spec.support.ngx_runner")
local send = require("spec.support.send")
local shell = require("spec.support.shell")
local wire = require("qqmail.testing.wire")

-- What is expected of `send` and `notify` in a phase.
local SENDS = { "server_rewrite", "rewrite", "access", "content", "timer", "ssl_cert" }
local HANDS_OVER = { "init_worker", "set", "header_filter", "body_filter", "log", "balancer",
  "ssl_client_hello" }

-- $folder: sockets of the other servers.
local HTTP = [[
  init_by_lua_block {
    probe = require("spec.support.phase_probe").new($options, "$folder")
    probe:try("init")
  }
  init_worker_by_lua_block {
    probe:try("init_worker")
    probe.mailer:start()
  }
  exit_worker_by_lua_block { probe:try("exit_worker") }
  upstream chosen {
    server unix:$folder/plain.sock;
    balancer_by_lua_block { probe:try("balancer") }
  }
  server {
    listen unix:$folder/plain.sock;
    return 200 "behind the balancer";
  }
  server {
    listen unix:$folder/tls.sock ssl;
    ssl_certificate $certs/good.pem;
    ssl_certificate_key $certs/good.key;
    ssl_client_hello_by_lua_block { probe:try("ssl_client_hello") }
    ssl_certificate_by_lua_block { probe:try("ssl_cert") }
    return 200 "behind TLS";
  }
]]

local SERVER = [[
  server_rewrite_by_lua_block { probe:try("server_rewrite") }
  location = /ping { return 200 "pong"; }
  location = /set { set_by_lua_block $word { probe:try("set") return "x" } return 200 $word; }
  location = /rewrite { rewrite_by_lua_block { probe:try("rewrite") } try_files /none =404; }
  location = /access { access_by_lua_block { probe:try("access") } try_files /none =404; }
  location = /content { content_by_lua_block { probe:try("content") ngx.print("x") } }
  location = /timer { content_by_lua_block { probe:try_later("timer") ngx.print("x") } }
  location = /header_filter {
    return 200 x;
    header_filter_by_lua_block { probe:try("header_filter") }
  }
  location = /body_filter {
    return 200 x;
    body_filter_by_lua_block { probe:try("body_filter") }
  }
  location = /log { return 200 x; log_by_lua_block { probe:try("log") } }
  location = /balancer { proxy_pass http://chosen; }
  location = /ssl_cert { proxy_pass https://unix:$folder/tls.sock:/; }
]]

describe("the phase", function()
  local missing = nginx.missing()
  local folder, remove, server, web

  local function fill(text, options)
    return (text:gsub("%$(%l+)", { folder = folder, certs = certs.dir(), options = options }))
  end

  local function start(more)
    web = nginx.start({
      http = fill(HTTP, notifier.options_text(notifier.mailer_options(server,
        send.merge({ outbox = { dir = folder .. "/outbox" } }, more)))),
      server = fill(SERVER),
    })
    return web
  end

  local function visit(list)
    local exchanges = {}
    for _, name in ipairs(list) do
      exchanges[#exchanges + 1] = web:begin("/" .. name)
    end
    return exchanges
  end

  -- What the probe wrote; waits for it.
  local function seen(name)
    local text = nginx.wait_for(function()
      local file = io.open(folder .. "/" .. name, "rb")
      local bytes = file and file:read("*a")
      if file then
        file:close()
      end
      return bytes
    end)
    assert.is_string(text, "nothing came of " .. name .. "\n" .. web:log())
    return (wire.decode(text))
  end

  local function subjects()
    local found = {}
    for _, message in ipairs(server:messages()) do
      local subject = message.data:match("\r\nSubject: ([^\r]*)")
      found[subject] = (found[subject] or 0) + 1
    end
    return found
  end

  local function await_mails(n)
    assert(server:wait(n, 15), "mails are missing: " .. web:log())
    return subjects()
  end

  local function is_wrong_phase(result, name)
    assert.is_nil(result.raised)
    assert.is_false(result.ok)
    assert.equal("config.wrong_phase", result.code, name)
    send.has(result.hint, "mailer:notify(message)")
    send.has(result.text, name .. "_by_lua")
  end

  local function no_blocking_driver(result, name)
    for _, which in ipairs({ "blocking", "own" }) do
      assert.is_nil(result[which].raised)
      assert.equal("config.driver_unavailable", result[which].code, which .. " in " .. name)
      send.has(result[which].hint, "Leave io out")
    end
  end

  local function it_runs(name, body)
    it(name, function()
      if missing then
        pending(missing)
        return
      end
      body()
    end)
  end

  before_each(function()
    folder, remove = shell.folder()
    shell.run("mkdir -m 700 " .. folder .. "/outbox")
  end)

  after_each(function()
    nginx.stop()
    runner.stop()
    send.stop()
    remove()
  end)

  it_runs("decides what can be done, and both ways deliver", function()
    server = send.server({ mode = "implicit" })
    start()
    for _, exchange in ipairs(visit({ "set", "rewrite", "access", "content", "timer",
      "header_filter", "body_filter", "log", "balancer", "ssl_cert" })) do
      assert.is_number((exchange:answer()))
    end
    local expected = { ["send init"] = 1 }
    for _, name in ipairs(SENDS) do
      local result = seen(name)
      assert.equal(name, result.phase)
      assert.same({ { ok = true }, { ok = true } }, { result.send, result.notify })
      no_blocking_driver(result, name)
      expected["send " .. name], expected["notify " .. name] = 1, 1
    end
    for _, name in ipairs(HANDS_OVER) do
      local result = seen(name)
      assert.equal(name, result.phase)
      is_wrong_phase(result.send, name)
      assert.same({ ok = true }, result.notify)
      no_blocking_driver(result, name)
      expected["notify " .. name] = 1
    end
    assert.same(expected, await_mails(1 + 2 * #SENDS + #HANDS_OVER))
    assert.same({}, server:defects())
  end)

  it_runs("init sends, for nobody waits yet, and hands nothing over", function()
    server = send.server({ mode = "implicit" })
    start()
    local result = seen("init")
    assert.equal("init", result.phase)
    assert.same({ ok = true }, result.send)
    assert.is_nil(result.notify.raised)
    assert.is_false(result.notify.ok)
    assert.equal("config.wrong_phase", result.notify.code)
    send.has(result.notify.text, "init_by_lua")
    send.has(result.notify.hint, "init_worker_by_lua")
  end)

  it_runs("exit_worker hands over to the next start", function()
    server = send.server({ mode = "implicit" })
    start()
    await_mails(2)
    assert.is_true(web:quit())
    local result = seen("exit_worker")
    assert.equal("exit_worker", result.phase)
    is_wrong_phase(result.send, "exit_worker")
    assert.same({ ok = true }, result.notify)
    no_blocking_driver(result, "exit_worker")
    assert.is_nil(subjects()["notify exit_worker"])
    local files = shell.run("find " .. folder .. "/outbox -type f -print0 | xargs -0 cat")
    send.has(files, "Subject: notify exit_worker")
    web:stop()
    start()
    local found = await_mails(5)
    assert.equal(1, found["notify exit_worker"])
  end)

  it_runs("that sends leaves the worker to others meanwhile", function()
    server = send.server({ mode = "implicit" })
    start({ pool = { max = 5, messages = 1 } })
    await_mails(2)
    server:clear()
    -- Nobody is greeted for long enough to ask for something else.
    server:set({ delay = { greeting = 1 } })
    local before = #server:connections()
    local exchanges = visit({ "rewrite", "access", "content", "timer", "ssl_cert" })
    assert.is_true(server:wait(before + 5, 10, "connections"))
    assert.equal("pong", (select(2, web:request("/ping"))))
    assert.same({}, server:messages())
    server:set({ delay = false })
    for _, exchange in ipairs(exchanges) do
      exchange:answer()
    end
    -- The first request was also held up in server_rewrite.
    local found = await_mails(12)
    for _, name in ipairs(SENDS) do
      assert.equal(1, found["send " .. name], name)
    end
  end)

  it_runs("does not matter to a thread of nginx, which may block", function()
    server = send.server({ mode = "implicit" })
    runner.start_with({ main = "thread_pool mail threads=2;" })
    local job = { options = send.options(server), messages = { send.message(), send.message() } }
    local answer = wire.decode(runner.call([[
      local _, job = ...
      local ok, encoded = ngx.run_worker_thread("mail", "spec.support.thread_sender", "run", job)
      return ok and encoded or error(encoded)
    ]], wire.encode(job)))
    assert.equal("outside", answer.place)
    assert.equal("blocking", answer.driver)
    assert.is_nil(answer.results[1].err)
    assert.is_nil(answer.results[2].err)
    assert.is_true(answer.results[2].receipt.reused)
    assert.equal(2, #server:messages())
  end)

  it("does not exist outside nginx, nor does its driver", function()
    server = send.server()
    local err = send.bad(send.mailer(server, { io = "ngx" }), { kind = "config",
      code = "config.driver_unavailable", delivered = "no" })
    send.has(err.message, "inside nginx only")
    assert.same({}, server:connections())
  end)
end)
