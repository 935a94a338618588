-- Who may use whose connection in a worker, and what is kept. nginx embeds
-- LuaJIT: of the suites, the one under LuaJIT runs this.
if not jit then
  return
end

local certs = require("spec.support.certs")
local raw_client = require("spec.support.raw_client")
local runner = require("spec.support.ngx_runner")
local send = require("spec.support.send")
local shell = require("spec.support.shell")

-- Two accounts at one server.
local A, B = { user = "a@qq.test", password = "secret-a" }, { user = "b@qq.test",
  password = "secret-b" }
local USERS = { [A.user] = A.password, [B.user] = B.password, [send.USER] = send.CODE }

-- As many at a time as there are jobs: each with a mailer of its own, which lives
-- as long as `keep` says.
local MIXED = [[
  local inside, job = ...
  local qqmail = require("qqmail")
  local mailers, bodies, results = {}, {}, {}
  for i, options in ipairs(job.accounts) do
    mailers[i] = assert(qqmail.new(options))
  end
  for i = 1, job.count do
    local which = (i - 1) % #mailers + 1
    bodies[i] = function()
      results[i] = inside.send(mailers[which], { to = "x@test.local", subject = "s", text = "t" })
    end
  end
  if job.parallel then
    inside.together(bodies)
  else
    for _, body in ipairs(bodies) do
      body()
    end
  end
  return results
]]

describe("connections of a worker", function()
  local missing = runner.missing

  local function it_runs(name, body)
    it(name, function()
      if missing then
        pending(missing)
        return
      end
      body()
    end)
  end

  -- One worker for all of them; each has a server of its own.
  setup(function()
    if not missing then
      runner.start_with({
        http = ("lua_ssl_trusted_certificate %s;"):format(certs.path("ca.pem")),
      })
    end
  end)

  teardown(runner.stop)
  after_each(send.stop)

  local function new_server(more)
    return send.server(send.merge({ mode = "implicit", users = USERS }, more))
  end

  -- A mailer of one request, which sends one mail.
  local function try(options)
    return runner.send(options, { send.message() })[1]
  end

  local function good(options)
    local result = try(options)
    assert.is_nil(result.err, result.err and result.err.text)
    return result.receipt
  end

  -- Each mail travelled on a connection that its own sender had logged in on.
  local function all_of_own(server)
    local owner, seen = {}, {}
    for _, message in ipairs(server:messages()) do
      assert.equal(message.from, message.auth.user)
      owner[message.connection] = owner[message.connection] or message.from
      assert.equal(owner[message.connection], message.from)
      seen[message.from] = (seen[message.from] or 0) + 1
    end
    assert.same({}, server:defects())
    return seen
  end

  local function accounts_of(server)
    return { send.options(server, A), send.options(server, B) }
  end

  it_runs("are of one user each, one mail after the other", function()
    local server = new_server()
    local results = runner.call(MIXED, { accounts = accounts_of(server), count = 10 })
    assert.same({ [A.user] = 5, [B.user] = 5 }, all_of_own(server))
    assert.equal(2, server:auth_attempts())
    assert.is_true(results[10].receipt.reused)
  end)

  it_runs("are of one user each, many mails at once", function()
    local server = new_server()
    for _ = 1, 3 do
      runner.call(MIXED, { accounts = accounts_of(server), count = 20, parallel = true })
    end
    assert.same({ [A.user] = 30, [B.user] = 30 }, all_of_own(server))
    assert.equal(#server:connections(), server:auth_attempts())
  end)

  it_runs("are of one user each, with a mailer for each request", function()
    local server = new_server()
    for _ = 1, 3 do
      good(send.options(server, A))
      good(send.options(server, B))
    end
    assert.same({ [A.user] = 3, [B.user] = 3 }, all_of_own(server))
    assert.equal(2, server:auth_attempts())
    assert.equal(2, #server:connections())
  end)

  it_runs("are of one password each", function()
    local server = new_server()
    -- Room for both: `pool.max` counts all that differ by nothing but a secret.
    local right = send.options(server, { user = A.user, password = A.password,
      pool = { max = 2 } })
    local other = send.options(server, { user = A.user, password = "guessed",
      pool = { max = 2 } })
    good(right)
    local result = try(other)
    assert.equal("auth", result.err and result.err.kind)
    assert.equal(1, #server:messages())
    assert.is_true(good(right).reused)
    server:set({ users = { [A.user] = "guessed" } })
    send.has(try(other).err.text, "not tried")
    runner.call('require("qqmail.logins").forget_all() return true')
    assert.is_false(good(other).reused)
    assert.is_true(good(other).reused)
  end)

  it_runs("are not taken by a mailer that logs in as nobody", function()
    local server = new_server({ require_auth = false })
    good(send.options(server, A))
    local anonymous = send.options(server, { from = "n@qq.test" })
    anonymous.user, anonymous.password = nil, nil
    assert.is_false(good(anonymous).reused)
    assert.is_nil(server:messages()[2].auth)
    assert.is_true(good(anonymous).reused)
    assert.equal(2, #server:connections())
  end)

  it_runs("with a password function serve its own mailer alone", function()
    local server = new_server()
    local options = send.options(server, { pool = { max = 2 } })
    options.password = nil
    local results = runner.call([[
      local inside, job = ...
      local qqmail, results = require("qqmail"), {}
      job.options.password = function() return job.password end
      local one, two = assert(qqmail.new(job.options)), assert(qqmail.new(job.options))
      for i, mailer in ipairs({ one, one, two, two, one }) do
        results[i] = inside.send(mailer, { to = "x@test.local", subject = "s", text = "t" })
      end
      return results
    ]], { options = options, password = send.CODE })
    local reused = {}
    for i, result in ipairs(results) do
      assert.is_nil(result.err, result.err and result.err.text)
      reused[i] = result.receipt.reused
    end
    assert.same({ false, true, false, true, true }, reused)
    assert.equal(2, server:auth_attempts())
  end)

  it_runs("in clear carry nothing that wants STARTTLS", function()
    local server = new_server({ mode = "starttls", clear_auth = true })
    local clear = send.options(server, { tls = "none", allow_plaintext_auth = true })
    local safe = send.options(server, { allow_plaintext_auth = true })
    good(clear)
    assert.is_false(good(safe).reused)
    assert.is_true(good(clear).reused)
    assert.is_true(good(safe).reused)
    local messages = server:messages()
    assert.is_nil(messages[1].tls)
    assert.is_table(messages[2].tls)
    assert.is_nil(messages[3].tls)
    assert.is_table(messages[4].tls)
  end)

  for _, provider in ipairs({ "engine", "nginx" }) do
    for _, mode in ipairs({ "implicit", "starttls" }) do
      it_runs(("not verified serve nobody who verifies: %s, %s"):format(provider, mode), function()
        local server = new_server({ mode = mode, cert = "rogue" })
        local function options(verify)
          local out = send.options(server, { tls_provider = provider, host = "localhost",
            tls_options = { verify = verify } })
          out.tls_options.ca_file = provider == "engine" and certs.path("ca.pem") or nil
          return out
        end
        good(options(false))
        local result = try(options(true))
        -- nginx cannot always tell why, see spec/nginx/tls_provider_spec.lua.
        assert.is_truthy(result.err and (result.err.code == "tls.no_issuer"
          or provider == "nginx" and result.err.code == "tls.untrusted"))
        assert.is_true(good(options(false)).reused)
        assert.equal(2, #server:messages())
        assert.equal(1, server:auth_attempts())
      end)
    end
  end

  -- What a connection depends on, one at a time; all else is the same.
  local OTHERS = {
    { tls_options = { ca_file = "$copy" } },
    { tls_options = { server_name = "mx.test" } },
    { tls_options = { min_version = "1.3" } },
    { tls_options = { verify = false } },
    { source_ip = "127.0.0.9" },
    { hostname = "one.test" },
    { auth = "LOGIN" },
    { pipelining = false },
    { host = "localhost" },
    { tls_provider = "nginx" },
  }

  local function name_of(difference)
    local key, value = next(difference)
    return type(value) == "table" and key .. "." .. next(value) or key
  end

  for _, difference in ipairs(OTHERS) do
    it_runs("are others with another " .. name_of(difference), function()
      local server = new_server()
      local folder, remove = shell.folder()
      shell.run(("cp %s %s/copy.pem"):format(certs.path("ca.pem"), folder))
      local function options(more)
        local out = send.options(server, { tls_options = { server_name = "localhost" } })
        if difference.tls_provider then
          -- Without what only one of them has.
          out.host, out.tls_options = "localhost", { verify = false }
        end
        return send.merge(out, more)
      end
      local mine, theirs = options(), options(difference)
      if theirs.tls_options.ca_file == "$copy" then
        theirs.tls_options.ca_file = folder .. "/copy.pem"
      end
      good(mine)
      assert.is_false(good(theirs).reused)
      assert.is_true(good(mine).reused)
      assert.is_true(good(theirs).reused)
      assert.equal(2, #server:connections())
      assert.equal(2, server:auth_attempts())
      remove()
    end)
  end

  it_runs("from a source address really come from there", function()
    local server = new_server()
    good(send.options(server, { source_ip = "127.0.0.9" }))
    good(send.options(server, { source_ip = "127.0.0.9" }))
    good(send.options(server))
    local peers = {}
    for i, record in ipairs(server:connections()) do
      peers[i] = record.peer:match("^[%d.]+")
    end
    assert.same({ "127.0.0.9", "127.0.0.1" }, peers)
  end)

  for _, mode in ipairs({ "plain", "starttls", "implicit" }) do
    it_runs("are shared by mailers of several requests, " .. mode, function()
      local server = new_server({ mode = mode })
      local reused = {}
      for i = 1, 4 do
        -- What no connection depends on may differ.
        local receipt = good(send.options(server, { from = ("f%d@qq.test"):format(i),
          timeout = { total = 20 + i }, pool = { max = i } }))
        reused[i] = receipt.reused
      end
      assert.same({ false, true, true, true }, reused)
      assert.equal(1, #server:connections())
      assert.equal(1, server:auth_attempts())
    end)
  end

  it_runs("are open up to pool.max, and kept", function()
    local server = new_server()
    local account = { send.options(server, { pool = { max = 3 } }) }
    for _ = 1, 2 do
      for _, result in ipairs(runner.call(MIXED, { accounts = account, count = 8,
        parallel = true })) do
        assert.is_nil(result.err)
      end
      assert.equal(3, #server:connections())
    end
    assert.equal(16, #server:messages())
    assert.equal(3, server:auth_attempts())
    assert.is_nil((server:wait(1, 0, "closed")))
  end)

  it_runs("end after pool.messages", function()
    local server = new_server()
    local account = { send.options(server, { pool = { messages = 3 } }) }
    runner.call(MIXED, { accounts = account, count = 7 })
    local count = {}
    for _, message in ipairs(server:messages()) do
      count[message.connection] = (count[message.connection] or 0) + 1
    end
    assert.same({ 3, 3, 1 }, count)
    assert.equal(2, send.count(server, "QUIT"))
  end)

  it_runs("end after pool.idle", function()
    local server = new_server()
    local options = send.options(server, { pool = { idle = 0.05 } })
    good(options)
    assert.is_true(server:wait(1, 10, "closed"))
    assert.is_false(good(options).reused)
    assert.equal(2, #server:connections())
  end)

  -- Ends what is parked, and has the worker see it before it is asked again.
  local function hang_up(server)
    local client = raw_client.connect(server.port)
    assert(client:reply())
    assert(client:ask("VRFY hang-up"))
    assert(client:ask("NOOP"))
    client:close()
  end

  local GOODBYES = { ["without a word"] = false, ["with 421"] = "421 4.4.2 idle for too long" }

  for how, goodbye in pairs(GOODBYES) do
    for _, mode in ipairs({ "plain", "starttls" }) do
      it_runs(("that the server ends %s are replaced unseen, %s"):format(how, mode), function()
        local server = new_server({ mode = mode, goodbye = goodbye,
          scenario = "spec.support.hanging_up_scenario" })
        local options = send.options(server)
        good(options)
        assert.is_true(good(options).reused)
        hang_up(server)
        local result = try(options)
        assert.is_nil(result.err, result.err and result.err.text)
        assert.is_false(result.receipt.reused)
        assert.is_true(good(options).reused)
        -- The first, the client above, and the one that took its place: the
        -- connection made on finding the first one dead is the one that is used.
        assert.equal(3, #server:connections())
        assert.equal(2, server:auth_attempts())
        assert.equal(4, #server:messages())
      end)
    end
  end
end)

describe("the connections of a fresh worker", function()
  local web

  local function it_runs(name, body)
    it(name, function()
      if runner.missing then
        pending(runner.missing)
        return
      end
      web = runner.start()
      body()
    end)
  end

  after_each(function()
    runner.stop()
    send.stop()
  end)

  it_runs("stay below the common limit, whatever accounts there are", function()
    local users, accounts = {}, {}
    for i = 1, 12 do
      users[("u%d@qq.test"):format(i)] = "secret"
    end
    local server = send.server({ mode = "implicit", users = users })
    for user in pairs(users) do
      accounts[#accounts + 1] = send.options(server, { user = user, password = "secret" })
    end
    assert.equal(256, runner.call([[
      local pool = require("qqmail.pool")
      local before = pool.shared_max
      pool.shared_max = 5
      return before
    ]]))
    runner.call(MIXED, { accounts = accounts, count = 12 })
    assert.is_true(server:wait(7, 10, "closed"))
    local reused = 0
    for _, result in ipairs(runner.call(MIXED, { accounts = accounts, count = 12 })) do
      assert.is_nil(result.err)
      reused = reused + (result.receipt.reused and 1 or 0)
    end
    assert.equal(5, reused)
    assert.equal(19, #server:connections())
  end)

  it_runs("do not hold up its end", function()
    local server = send.server({ mode = "implicit" })
    local options = send.options(server, { pool = { max = 4 } })
    runner.call(MIXED, { accounts = { options }, count = 4, parallel = true })
    assert.is_nil((server:wait(1, 0, "closed")))
    assert.is_true(web:quit(2))
    assert.is_true(server:wait(4, 10, "closed"))
  end)

  it_runs("carry 25 MB from a file without taking the memory for it", function()
    if os.getenv("QQMAIL_INSTRUMENTED") then
      pending("sanitizers and valgrind have memory of their own")
      return
    end
    local folder, remove = shell.folder()
    shell.run("truncate -s 25M " .. folder .. "/big.bin")
    local server = send.server({ mode = "implicit", discard = true })
    local pid = tonumber(runner.call("return ngx.worker.pid()"))
    local before = web:peak(pid)
    local results = runner.send(send.options(server), { send.message({
      attachments = { { path = folder .. "/big.bin" } } }) })
    remove()
    assert.is_nil(results[1].err, results[1].err and results[1].err.text)
    assert.is_true(server:messages()[1].size > 25 * 1024 * 1024 * 4 / 3)
    local grown = web:peak(pid) - before
    assert.is_true(grown < 16 * 1024, grown .. " KiB more")
  end)
end)
