-- TLS by nginx itself, and when it is chosen. nginx embeds LuaJIT: of the suites,
-- the one under LuaJIT runs this.
if not jit then
  return
end

local certs = require("spec.support.certs")
local runner = require("spec.support.ngx_runner")
local send = require("spec.support.send")

local MODES = { "implicit", "starttls" }

local DIRECTIVES = ([[
  lua_ssl_trusted_certificate %s;
  lua_ssl_verify_depth 5;
  lua_ssl_protocols TLSv1.2 TLSv1.3;
]]):format(certs.path("ca.pem"))

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

-- nginx compares names only: no address ever matches a certificate.
local function options_for(server, more)
  local options = send.options(server, { host = "localhost", tls_provider = "nginx" })
  options.tls_options = nil
  return send.merge(options, more)
end

local function try(options)
  return runner.send(options, { send.message() })[1]
end

local function good(options)
  local result = try(options)
  assert.is_nil(result.err, result.err and result.err.text)
  return result.receipt
end

local function heard_nothing(server, mode)
  local heard = send.heard(server)
  assert.equal(0, server:auth_attempts())
  send.lacks(heard, "AUTH")
  if mode == "implicit" then
    -- A line end between two connections is all.
    assert.equal("", (heard:gsub("\n", "")))
  end
end

-- A handshake that goes through without waiting hides the reason from nginx's Lua
-- side: then the certificate is just not trusted. With SLOW it is rare.
local SLOW = "spec.support.slow_tls_scenario"

local function refuses(options, code)
  for _ = 1, 30 do
    local err = try(options).err
    assert.is_table(err)
    assert.equal("tls", err.kind)
    assert.equal("tls", err.phase)
    assert.equal("no", err.delivered)
    assert.equal("never", err.retry)
    if err.code == code then
      return err
    end
    assert.equal("tls.untrusted", err.code)
  end
  error("never answered " .. code)
end

describe("TLS by nginx", function()
  setup(function()
    if not missing then
      runner.start_with({ http = DIRECTIVES })
    end
  end)

  teardown(runner.stop)
  after_each(send.stop)

  for _, mode in ipairs(MODES) do
    for _, version in ipairs({ "1.2", "1.3" }) do
      it_runs(("delivers, %s, TLS %s"):format(mode, version), function()
        local server = send.server({ mode = mode, tls = { max_version = version } })
        local receipt = good(options_for(server))
        assert.equal("nginx", receipt.tls.provider)
        assert.is_true(receipt.tls.verified)
        assert.is_false(receipt.reused)
        local message = server:messages()[1]
        assert.equal("TLSv" .. version, message.tls.version)
        assert.equal(send.USER, message.auth.user)
        assert.same({}, server:defects())
      end)
    end

    it_runs("keeps its connections, " .. mode, function()
      local server = send.server({ mode = mode })
      good(options_for(server))
      local receipt = good(options_for(server))
      assert.is_true(receipt.reused)
      assert.equal("nginx", receipt.tls.provider)
      local results = runner.send(options_for(server), { send.message(), send.message() })
      assert.is_true(results[2].receipt.reused)
      assert.equal(1, #server:connections())
      assert.equal(1, server:auth_attempts())
      assert.equal(4, #server:messages())
    end)

    it_runs("carries a large message, " .. mode, function()
      local server = send.server({ mode = mode })
      local results = runner.send(options_for(server), { send.message({ fill = 40000,
        keep = true, from = send.USER }) })
      assert.is_nil(results[1].err)
      local arrived = server:messages()[1].data
      assert.is_true(arrived == results[1].bytes or arrived == results[1].bytes .. "\r\n")
    end)

    for cert, code in pairs({ rogue = "no_issuer", expired = "expired",
      notyet = "not_yet_valid", wronghost = "host_mismatch", selfsigned = "self_signed",
      -- That is how OpenSSL puts it when the chain ends at lua_ssl_verify_depth.
      longchain = "no_issuer" }) do
      it_runs(("says no secret to %s, %s"):format(cert, mode), function()
        local server = send.server({ mode = mode, cert = cert, scenario = SLOW })
        refuses(options_for(server), "tls." .. code)
        heard_nothing(server, mode)
      end)
    end

    it_runs("asks for the name that was set, " .. mode, function()
      local server = send.server({ mode = mode, scenario = SLOW })
      local named = good(options_for(server, { host = "127.0.0.1",
        tls_options = { server_name = "mx.test" } }))
      assert.equal("nginx", named.tls.provider)
      local before = server:auth_attempts()
      refuses(options_for(server, { tls_options = { server_name = "smtp.qq.com" } }),
        "tls.host_mismatch")
      assert.equal(before, server:auth_attempts())
    end)

    it_runs("verifies nothing where that was asked for, and then alone, " .. mode, function()
      local server = send.server({ mode = mode, cert = "wronghost", scenario = SLOW })
      local lax = options_for(server, { tls_options = { verify = false } })
      local receipt = good(lax)
      assert.is_false(receipt.tls.verified)
      refuses(options_for(server), "tls.host_mismatch")
      assert.equal(1, server:auth_attempts())
      assert.is_true(good(lax).reused)
    end)

    it_runs("ends with a server that ends it, " .. mode, function()
      local server = send.server({ mode = mode, drop_at = "tls" })
      local err = try(options_for(server)).err
      assert.equal("tls", err.kind)
      assert.equal("later", err.retry)
      assert.equal("no", err.delivered)
      heard_nothing(server, mode)
    end)

    it_runs("gives up where no handshake comes, " .. mode, function()
      local server = send.server({ mode = mode, drop_at = "tls", how = "stall" })
      local err = try(options_for(server, { timeout = { connect = 0.3 } })).err
      assert.equal("tls.timeout", err.code)
      assert.equal("no", err.delivered)
      heard_nothing(server, mode)
    end)
  end

  it_runs("refuses bytes behind the answer to STARTTLS", function()
    local server = send.server({ mode = "starttls",
      after = { starttls = "250-mail.test\r\n250 AUTH PLAIN\r\n" } })
    local err = try(options_for(server)).err
    assert.equal("tls.injected", err.code)
    assert.equal("no", err.delivered)
    heard_nothing(server, "starttls")
  end)

  it_runs("refuses an old server", function()
    local server = send.server({ mode = "implicit",
      tls = { min_version = "1.0", max_version = "1.1", ciphers = "ALL:@SECLEVEL=0" } })
    local err = try(options_for(server)).err
    assert.equal("tls", err.kind)
    assert.equal("no", err.delivered)
    heard_nothing(server, "implicit")
  end)

  it_runs("is told of settings that only the engine has", function()
    local server = send.server({ mode = "implicit" })
    for name, value in pairs({ ca_file = certs.path("ca.pem"), ca_path = certs.dir(),
      min_version = "1.2", cert = certs.path("client.pem") }) do
      local err = try(options_for(server, { tls_options = { [name] = value } })).err
      assert.equal("config.tls_provider", err and err.code)
      assert.equal("config", err.kind)
      send.has(err.message, "tls_options." .. name)
      send.has(err.hint, "lua_ssl_trusted_certificate")
    end
    assert.same({}, server:connections())
  end)

  -- Sockets that answer as nginx does when the handshake went through at once.
  it_runs("takes no closed connection for a verified one", function()
    local server = send.server({ mode = "implicit" })
    local result = runner.call([[
      local inside, options = ...
      local tcp = ngx.socket.tcp
      ngx.socket.tcp = function()
        local real = tcp()
        return setmetatable({
          sslhandshake = function()
            real:close()
            return true
          end,
          getreusedtimes = function() return nil, "closed" end,
        }, { __index = function(_, name)
          return function(_, ...) return real[name](real, ...) end
        end })
      end
      local mailer = assert(require("qqmail").new(options))
      local ok, result = pcall(inside.send, mailer, { to = "a@test.local", subject = "s",
        text = "t" })
      ngx.socket.tcp = tcp
      return ok and result or error(result)
    ]], options_for(server))
    assert.equal("tls.untrusted", result.err and result.err.code)
    assert.equal("never", result.err.retry)
    heard_nothing(server, "implicit")
  end)
end)

describe("the provider of TLS", function()
  after_each(function()
    runner.stop()
    send.stop()
  end)

  -- How a module that links OpenSSL may be of no use.
  local USELESS = {
    ["says so"] = [[package.loaded["qqmail.tls"] = { usable = false, why = "OpenSSL 1.1.1 here" }]],
    ["does not load"] = [[
      package.preload["qqmail.tls"] = function() error("undefined symbol: OpenSSL 1.1.1 here") end
    ]],
  }

  for how, code in pairs(USELESS) do
    it_runs("is nginx where the module " .. how, function()
      local server = send.server({ mode = "implicit" })
      runner.start_with({ http = DIRECTIVES .. ("init_by_lua_block { %s }"):format(code) })
      local options = options_for(server)
      options.tls_provider = nil
      assert.equal("nginx", good(options).tls.provider)
      assert.is_true(good(options).reused)
      options.tls_provider = "engine"
      local err = try(options).err
      assert.equal("tls", err and err.kind)
      send.has(err.message, "OpenSSL 1.1.1 here")
      assert.equal(1, #server:connections())
    end)

    it_runs("does not matter to setup where the module " .. how, function()
      local server = send.server({ mode = "implicit" })
      runner.start_with({ http = DIRECTIVES .. ([[init_by_lua_block {
        %s
        mailer = require("qqmail").setup({ host = "localhost", port = %d, tls = "implicit",
          user = %q, password = %q })
      }]]):format(code, server.port, send.USER, send.CODE) })
      local result = runner.call([[
        return (...).send(mailer, { to = "a@test.local", subject = "s", text = "t" })
      ]])
      assert.is_nil(result.err)
      assert.equal("nginx", result.receipt.tls.provider)
    end)
  end

  it_runs("is the engine where the module is of use", function()
    local server = send.server({ mode = "implicit" })
    runner.start()
    local options = send.options(server)
    assert.is_nil(good(options).tls.provider)
    assert.equal("TLSv1.3", good(options).tls.version)
  end)
end)

describe("outside nginx TLS", function()
  local loaded, preload

  before_each(function()
    loaded, preload = package.loaded["qqmail.tls"], package.preload["qqmail.tls"]
  end)

  after_each(function()
    package.loaded["qqmail.tls"], package.preload["qqmail.tls"] = loaded, preload
    send.stop()
  end)

  local function fails_saying(mailer, server, text)
    local err = send.bad(mailer, { kind = "tls", phase = "config", delivered = "no",
      retry = "never" })
    send.has(err.message, text)
    assert.same({}, server:connections())
  end

  it("tells why the module is of no use", function()
    local server = send.server({ mode = "implicit" })
    local mailer = send.mailer(server)
    package.loaded["qqmail.tls"] = { usable = false, why = "OpenSSL 1.1.1 here" }
    fails_saying(mailer, server, "OpenSSL 1.1.1 here")
  end)

  it("tells why the module does not load", function()
    local server = send.server({ mode = "implicit" })
    local mailer = send.mailer(server)
    package.loaded["qqmail.tls"] = nil
    package.preload["qqmail.tls"] = function()
      error("undefined symbol: SSL_CTX_new")
    end
    for _ = 1, 2 do
      fails_saying(mailer, server, "undefined symbol: SSL_CTX_new")
    end
  end)

  it("is not done by nginx", function()
    local server = send.server({ mode = "implicit" })
    local mailer = send.mailer(server, { tls_provider = "nginx" })
    fails_saying(mailer, server, "inside nginx only")
  end)
end)
