-- nginx embeds LuaJIT and loads its build of the library: of the suites, the
-- one under LuaJIT runs the specs of this folder.
if not jit then
  return
end

local nginx = require("spec.support.nginx")
local shell = require("spec.support.shell")

local missing = nginx.missing()

local function it_runs(name, body)
  it(name, function()
    if missing then
      pending(missing)
      return
    end
    body()
  end)
end

local function lua_location(path, code)
  return ("location %s { content_by_lua_block { %s } }\n"):format(path, code)
end

local function exists(path)
  return select(2, shell.run("test -e " .. path)) == 0
end

local PID = lua_location("/pid", "ngx.print(ngx.worker.pid())")

describe("the private nginx", function()
  after_each(nginx.stop)

  it_runs("serves the library of this checkout", function()
    local web = nginx.start({ server = lua_location("/version", [[
      local qqmail, tls = require("qqmail"), require("qqmail.tls")
      ngx.print(qqmail._NAME, " ", type(tls.context), " ", type(require("qqmail.net").now))
    ]]) })
    local status, body, head = web:request("/version")
    assert.equal(200, status, body)
    assert.equal("qqmail function function", body)
    assert.is_truthy(head:find("^HTTP/1%.1 200"))
    assert.equal(404, (web:request("/nowhere")))
  end)

  it_runs("takes requests with a body, many at a time", function()
    local web = nginx.start({ server = lua_location("/echo", [[
      ngx.req.read_body()
      ngx.sleep(0.01)
      ngx.print(ngx.req.get_method(), " ", ngx.req.get_body_data() or "in a file")
    ]]) .. "client_body_buffer_size 1m;" })
    local exchanges = {}
    for i = 1, 20 do
      exchanges[i] = web:begin("/echo", ("x"):rep(20000) .. i)
    end
    for i, exchange in ipairs(exchanges) do
      local status, body = exchange:answer()
      assert.equal(200, status)
      assert.is_true(body == "POST " .. ("x"):rep(20000) .. i)
    end
  end)

  it_runs("has files, lines in every block and an environment", function()
    local web = nginx.start({
      main = "env SEEN;", events = "multi_accept on;", workers = 2,
      http = "lua_shared_dict box 1m; init_by_lua_block { hidden = os.getenv('HIDDEN') }",
      env = { SEEN = "it's me", HIDDEN = "only for init" },
      files = { ["own.lua"] = "return { name = 'own' }" },
      server = "set $word variable;" .. lua_location("/", [[
        ngx.print(require("own").name, "|", os.getenv("SEEN"), "|", tostring(os.getenv("HIDDEN")),
          "|", hidden, "|", ngx.var.word, "|", ngx.shared.box:capacity())
      ]]),
    })
    local _, body = web:request("/")
    assert.equal("own|it's me|nil|only for init|variable|1048576", body)
    assert.is_true(nginx.wait_for(function() return #web:workers() == 2 end))
  end)

  it_runs("reloads", function()
    local web = nginx.start({ workers = 2, server = PID
      .. lua_location("/slow", "ngx.sleep(0.5) ngx.print(ngx.worker.pid())") })
    local _, before = web:request("/pid")
    local slow = web:begin("/slow")
    assert.is_true(nginx.wait_for(function() return #web:workers() == 2 end))
    local old = {}
    for _, pid in ipairs(web:workers()) do
      old[pid] = true
    end
    assert.is_true(old[tonumber(before)])
    web:reload()
    local _, after = web:request("/pid")
    assert.is_nil(old[tonumber(after)])
    assert.equal(2, #web:workers())
    -- What was under way is finished by the one who began it.
    local _, pid = slow:answer()
    assert.is_true(old[tonumber(pid)])
    assert.is_true(nginx.wait_for(function() return #web:leaving() == 0 end))
  end)

  it_runs("tells why it did not reload", function()
    local web = nginx.start({ server = PID, allow = { "unknown directive" } })
    local config = assert(io.open(web.prefix .. "/nginx.conf", "a"))
    config:write("nonsense;\n")
    config:close()
    local ok, why = pcall(web.reload, web, 0.3)
    assert.is_false(ok)
    assert.is_truthy(why:find('unknown directive "nonsense"', 1, true))
    assert.equal(200, (web:request("/pid")))
  end)

  it_runs("replaces a worker that was killed, which is noticed", function()
    local web = nginx.start({ server = PID })
    local _, before = web:request("/pid")
    assert.is_true(web:rss(tonumber(before)) > 1000)
    web:kill_worker(tonumber(before))
    assert.is_true(nginx.is_gone(tonumber(before)))
    local _, after = web:request("/pid")
    assert.are_not.equal(before, after)
    local ok, why = pcall(web.stop, web)
    assert.is_false(ok)
    assert.is_truthy(why:find("exited on signal 9", 1, true))
    assert.is_false(exists(web.prefix))
  end)

  it_runs("notices an alert, unless it was allowed", function()
    local server = lua_location("/", 'ngx.log(ngx.ALERT, "a stale error") ngx.print("ok")')
    local web = nginx.start({ server = server })
    assert.equal(200, (web:request("/")))
    local ok, why = pcall(web.stop, web)
    assert.is_false(ok)
    assert.is_truthy(why:find("a stale error", 1, true))
    web:stop()
    web = nginx.start({ server = server, allow = { "stale error" } })
    web:request("/")
    web:stop()
  end)

  it_runs("tells of an error in the configuration", function()
    local bad = { http = "nonsense;" }
    local ok, why = pcall(nginx.start, bad)
    assert.is_false(ok)
    assert.is_truthy(why:find('unknown directive "nonsense"', 1, true))
    local good, output = nginx.check(bad)
    assert.is_false(good)
    assert.is_truthy(output:find('unknown directive "nonsense"', 1, true))
    good, output = nginx.check({ server = PID })
    assert.is_true(good)
    assert.is_truthy(output:find("test is successful", 1, true))
  end)

  it_runs("tells of an error at the start", function()
    local bad = { http = "init_by_lua_block { error('not today') }" }
    local ok, why = pcall(nginx.start, bad)
    assert.is_false(ok)
    assert.is_truthy(why:find("not today", 1, true))
  end)

  it_runs("ends by QUIT when the work is done, by TERM at once", function()
    local server = PID .. lua_location("/slow", "ngx.sleep(0.2) ngx.print('done')")
    for how, answer in pairs({ quit = "done", term = false }) do
      local web = nginx.start({ server = server })
      local slow = web:begin("/slow")
      assert.equal(200, (web:request("/pid")))
      assert.is_true(web[how](web))
      local status, body = slow:answer()
      assert.equal(answer, status and body or false)
      assert.is_truthy(web:log():find("exit", 1, true))
      assert.is_true(exists(web.prefix))
      web:stop()
      assert.is_false(exists(web.prefix))
    end
  end)

  it_runs("is forced to end where it does not, which is an error", function()
    local web = nginx.start({ server = PID .. lua_location("/slow", "ngx.sleep(60)") })
    local slow = web:begin("/slow")
    assert.equal(200, (web:request("/pid")))
    assert.is_nil(web:quit(0.1))
    web.patience = 0.1
    local ok, why = pcall(web.stop, web)
    assert.is_false(ok)
    assert.is_truthy(why:find("did not end by itself", 1, true))
    assert.is_true(nginx.is_gone(web.pid))
    slow:close()
  end)

  it_runs("ends with the process that started it", function()
    local program = ([[
      package.path, package.cpath = %q, %q
      local web = require("spec.support.nginx").start({ workers = 2 })
      print(web.pid, web.prefix, table.concat(web:workers(), " "))
      io.stdout:flush()
      os.execute("kill -KILL $PPID")
    ]]):format(package.path .. ";./?.lua", package.cpath)
    local output = shell.run(shell.lua .. " -e " .. shell.quote(program))
    local pid, prefix, workers = output:match("^(%d+)\t(%S+)\t([%d ]*)")
    assert.is_string(pid, output)
    for each in (pid .. " " .. workers):gmatch("%d+") do
      assert.is_true(nginx.wait_for(function() return nginx.is_gone(tonumber(each)) end))
    end
    assert.is_true(nginx.wait_for(function() return not exists(prefix) end))
  end)
end)
