-- `qqmail.setup` in init_by_lua: what the master reads, and what happens to wrong
-- settings. nginx embeds LuaJIT: of the suites, the one under LuaJIT runs this.
if not jit then
  return
end

local certs = require("spec.support.certs")
local dkim_judge = require("spec.support.dkim_judge")
local dkim_samples = require("spec.support.dkim_samples")
local nginx = require("spec.support.nginx")
local send = require("spec.support.send")
local shell = require("spec.support.shell")

-- What no output may hold.
local FIRST, SECOND = "qwertyuiopasdfgh", "zxcvbnmlkjhgfdsa"

local HTTP = [[ init_by_lua_block { require("qqmail").setup() } ]]

local SERVER = [[
  location = /pid { content_by_lua_block { ngx.print(ngx.worker.pid()) } }
  location = /send {
    content_by_lua_block {
      local receipt, err = require("qqmail").send({ to = "a@test.local", subject = "s",
        text = "t" })
      ngx.print(receipt and "sent" or tostring(err))
    }
  }
  location = /seen {
    content_by_lua_block {
      local file = io.open(ngx.config.prefix() .. "/.env")
      ngx.print(tostring(os.getenv("QQMAIL_PORT")), " ", file and "reads" or "cannot read")
    }
  }
]]

-- Workers run as nobody when this is root; why they could not, or nil.
local function why_not()
  if nginx.missing() then
    return nginx.missing()
  elseif nginx.is_root() then
    local build = os.getenv("QQMAIL_BUILD") or "build/luajit"
    local script = ("test -r %s/qqmail/core.so && test -r lua/qqmail/init.lua"):format(build)
    local _, status = shell.run("su -s /bin/sh nobody -c " .. shell.quote(script))
    return status ~= 0 and "nobody cannot read this folder" or nil
  end
end

describe("setup", function()
  local missing = why_not()
  local server, web

  local function it_runs(name, body)
    it(name, function()
      if missing then
        pending(missing)
        return
      end
      body()
    end)
  end

  local function file_text(password, more)
    return ("QQMAIL_PASSWORD=%s\n%s"):format(password, more or "")
  end

  local function environment()
    return { QQMAIL_HOST = "127.0.0.1", QQMAIL_PORT = tostring(server.port),
      QQMAIL_TLS = "implicit", QQMAIL_USER = send.USER, QQMAIL_CA_FILE = certs.path("ca.pem"),
      QQMAIL_LANG = "en" }
  end

  local function options_with(text)
    local group = shell.run("id -gn nobody"):gsub("%s+$", "")
    return { http = HTTP, server = SERVER, env = environment(), secrets = { [".env"] = text },
      user = "nobody " .. group, workers = 2 }
  end

  local function start(text)
    web = nginx.start(options_with(text))
    return web
  end

  local function write_env(text)
    nginx.write_secret(web.prefix .. "/.env", text)
  end

  local function get(path)
    local status, body, head = web:request(path)
    assert.equal(200, status, body)
    for _, secret in ipairs({ FIRST, SECOND }) do
      send.lacks(head .. body, secret)
    end
    return body
  end

  local function no_secrets()
    local out = shell.run("cat " .. web.prefix .. "/out " .. web.prefix .. "/logs/*")
    assert.is_true(#out > 0)
    for _, secret in ipairs({ FIRST, SECOND }) do
      send.lacks(out, secret)
    end
  end

  before_each(function()
    server = send.server({ mode = "implicit", users = { [send.USER] = FIRST } })
  end)

  after_each(function()
    nginx.stop()
    send.stop()
  end)

  it_runs("reads the environment and .env for workers that can see neither", function()
    start(file_text(FIRST))
    local seen = get("/seen")
    send.has(seen, "nil")
    if nginx.is_root() then
      assert.equal("nil cannot read", seen)
    end
    for _ = 1, 4 do
      assert.equal("sent", get("/send"))
    end
    local message = server:messages()[1]
    assert.equal(send.USER, message.auth.user)
    assert.equal(FIRST, message.auth.password)
    no_secrets()
  end)

  it_runs("sends nothing and connects to nobody", function()
    start(file_text(FIRST))
    get("/pid")
    assert.same({}, server:connections())
  end)

  -- A line of .env, and what is said of it.
  local FAULTS = {
    { "QQMAIL_RATE=often", "rate", "QQMAIL_RATE" },
    { "QQMAIL_POOL_MAX=0", "pool.max", "QQMAIL_POOL_MAX" },
    { "QQMAIL_FROM=\"never closed", ".env:2", "quote" },
  }

  for _, fault in ipairs(FAULTS) do
    it_runs("stops the start and says why: " .. fault[1], function()
      local ok, why = pcall(start, file_text(FIRST, fault[1] .. "\n"))
      assert.is_false(ok)
      send.has(why, fault[2])
      send.has(why, fault[3])
      send.has(why, ".env:2")
      send.lacks(why, FIRST)
    end)
  end

  it_runs("stops the start where the password is missing", function()
    local ok, why = pcall(start, "")
    assert.is_false(ok)
    send.has(why, "no password for " .. send.USER)
  end)

  it_runs("stops the start where certificates cannot be read", function()
    local options = options_with(file_text(FIRST))
    options.env.QQMAIL_CA_FILE = "/nowhere/ca.pem"
    local ok, why = pcall(nginx.start, options)
    assert.is_false(ok)
    send.has(why, "/nowhere/ca.pem")
  end)

  it_runs("takes a changed .env at a reload", function()
    start(file_text(FIRST))
    assert.equal("sent", get("/send"))
    server:set({ users = { [send.USER] = SECOND } })
    write_env(file_text(SECOND, "QQMAIL_FROM=" .. send.USER .. "\n"))
    web:reload()
    assert.equal("sent", get("/send"))
    local messages = server:messages()
    assert.equal(FIRST, messages[1].auth.password)
    assert.equal(SECOND, messages[2].auth.password)
    no_secrets()
  end)

  it_runs("reads the key for DKIM, which workers need no right to", function()
    local options = options_with(file_text(FIRST, "QQMAIL_FROM=joe@football.example.com\n"))
    options.secrets["dkim.pem"] = dkim_samples.keys.rsa
    options.http = [[
      init_by_lua_block {
        require("qqmail").setup({ dkim = { domain = "football.example.com", selector = "test",
          key_file = ngx.config.prefix() .. "/dkim.pem" } })
      }
    ]]
    web = nginx.start(options)
    assert(os.remove(web.prefix .. "/dkim.pem"))
    assert.equal("sent", get("/send"))
    if not dkim_judge.missing() then
      local signatures = dkim_judge.verify({ server:messages()[1].data }, dkim_samples.records)[1]
      assert.equal(1, #signatures)
      assert.is_true(signatures[1].passed, signatures[1].why)
    end
    send.lacks(shell.run("cat " .. web.prefix .. "/out " .. web.prefix .. "/logs/*"),
      dkim_samples.keys.rsa:match("\n([^\n]+)\n"))
  end)

  it_runs("keeps the workers of before where a reload finds a wrong .env", function()
    start(file_text(FIRST))
    assert.is_true(nginx.wait_for(function() return #web:workers() == 2 end))
    local before = table.concat(web:workers(), " ")
    write_env(file_text(FIRST, "QQMAIL_RATE=often\n"))
    web:signal("HUP")
    assert.is_true(nginx.wait_for(function()
      return web:log():find("QQMAIL_RATE", 1, true) ~= nil
    end))
    assert.equal("sent", get("/send"))
    assert.equal(before, table.concat(web:workers(), " "))
    assert.same({}, web:leaving())
    -- And goes on with the next one that is right.
    write_env(file_text(FIRST))
    web:reload()
    assert.equal("sent", get("/send"))
    no_secrets()
  end)

  it_runs("tells the same outside, for a look before a reload", function()
    start(file_text(FIRST))
    local program = shell.quote([[require("qqmail").setup()]])
    local words = { "cd " .. web.prefix .. " && env" }
    for name, value in pairs(environment()) do
      words[#words + 1] = shell.quote(name .. "=" .. value)
    end
    for name, value in pairs({ LUA_PATH = package.path, LUA_CPATH = package.cpath }) do
      -- Relative folders are those of this one.
      local here = shell.run("pwd"):gsub("%s+$", "")
      words[#words + 1] = shell.quote(name .. "=" .. (";" .. value):gsub(";([^/;])", ";" .. here
        .. "/%1"):sub(2))
    end
    local command = table.concat(words, " ") .. " " .. shell.lua .. " -e " .. program
    local output, status = shell.run(command)
    assert.equal(0, status, output)
    write_env(file_text(FIRST, "QQMAIL_RATE=often\n"))
    output, status = shell.run(command)
    assert.equal(1, status)
    send.has(output, ".env:2 QQMAIL_RATE")
    send.lacks(output, FIRST)
    web:signal("HUP")
    -- The same sentence, but for the folder in front of the file's name.
    local sentence = output:match("QQMAIL_RATE%) ([^\n]*)")
    assert.is_string(sentence, output)
    assert.is_true(nginx.wait_for(function()
      return web:log():find(sentence, 1, true) ~= nil
    end))
  end)
end)
