-- A password goes to the server and nowhere else: not into an error, a
-- transcript, a receipt, or anything that can be printed.
local base64 = require("qqmail.testing.base64")
local qqmail = require("qqmail")
local send = require("spec.support.send")
local settings = require("spec.support.settings")
local shell = require("spec.support.shell")

local good, message = send.good, send.message

-- Odd enough that no part of it turns up by chance, and with what URLs escape.
local PASSWORD = "Tr0ub4dor&3/?:@%=+ zz"
local TOKEN = "ya29.a0AfH6SMBxQJtTzV0k"

local function url_encode(text, keep)
  return (text:gsub("[^" .. (keep or "%w") .. "]", function(char)
    return ("%%%02X"):format(char:byte())
  end))
end

-- The forms in which a secret could get out.
local function forms_of(secret)
  return {
    secret, base64.encode(secret), base64.encode("\0" .. send.USER .. "\0" .. secret),
    base64.encode(("user=%s\1auth=Bearer %s\1\1"):format(send.USER, secret)),
    url_encode(secret), url_encode(secret):lower(), url_encode(secret, "%w%-._~"),
  }
end

local function assert_clean(text, secret, what)
  for _, form in ipairs(forms_of(secret)) do
    if text:find(form, 1, true) then
      error(("%s lets %q out: %s"):format(what, form, text), 2)
    end
  end
end

-- Everything a program could print or walk through.
local function assert_all_clean(secret, things)
  for what, thing in pairs(things) do
    assert_clean(settings.everything(thing), secret, what)
  end
end

describe("a secret", function()
  after_each(send.stop)

  -- Each way to hand one over: options for a mailer, and the secret.
  local PLACES = {
    option = function(server)
      return send.options(server, { password = PASSWORD }), PASSWORD
    end,
    ["function"] = function(server)
      return send.options(server, { password = function() return PASSWORD end }), PASSWORD
    end,
    token = function(server)
      local options = send.options(server, { token = TOKEN })
      options.password = nil
      return options, TOKEN
    end,
    ["token function"] = function(server)
      local options = send.options(server, { token = function() return TOKEN end })
      options.password = nil
      return options, TOKEN
    end,
    login = function(server)
      return send.options(server, { password = PASSWORD, auth = "LOGIN" }), PASSWORD
    end,
    url = function(server)
      local options = send.options(server)
      options.url = ("%s://%s:%s@%s:%d"):format(
        ({ none = "smtp", starttls = "smtp+starttls", implicit = "smtps" })[options.tls],
        url_encode(send.USER), url_encode(PASSWORD), options.host, options.port)
      for _, key in ipairs({ "host", "port", "user", "password" }) do
        options[key] = nil
      end
      return options, PASSWORD
    end,
  }

  -- What the server does, by name: options of the server, and whether it is good.
  local OUTCOMES = {
    success = { {}, true },
    ["a refused login"] = { { users = {}, tokens = {} } },
    ["a refusal with the challenge of a token"] = { { users = {}, tokens = {},
      replies = { auth = { "334 eyJzdGF0dXMiOiI0MDEifQ==", "535 5.7.8 no" } } } },
    ["a hang-up in the login"] = { { drop_at = "auth" } },
    ["a reset in the login"] = { { drop_at = "auth", how = "rst" } },
    ["silence in the login"] = { { drop_at = "auth", how = "stall" } },
    ["a login that never ends"] = { { replies = { auth = { raw = "334 dXNlcg==\r\n" },
      challenge = { raw = "334 dXNlcg==\r\n" } } } },
    ["garbage for a verdict"] = { { replies = { auth = { raw = "\0\1\2\3\r\n" } } } },
    ["a refused recipient"] = { { replies = { rcpt = "550 5.1.1 no" } } },
    ["a refused message"] = { { replies = { dot = "554 5.7.1 no" } } },
    ["a lost verdict"] = { { drop_at = "dot" } },
    ["no mechanism in common"] = { { mechanisms = "GSSAPI" } },
    ["no login offered"] = { { mechanisms = false } },
    ["a hang-up in the greeting"] = { { drop_at = "greeting" } },
  }

  for place, options_for in pairs(PLACES) do
    for outcome, row in pairs(OUTCOMES) do
      it(("given as %s stays in with %s"):format(place, outcome), function()
        local server = send.server(send.merge({ users = { [send.USER] = PASSWORD },
          tokens = { [send.USER] = TOKEN } }, row[1]))
        server:set(row[1])
        local options, secret = options_for(server)
        options.timeout = { connect = 5, reply = 0.2, final = 0.2, total = 5 }
        local told = {}
        options.on = { sent = function(receipt) told[1] = receipt end,
          failed = function(err) told[1] = err end }
        local mailer = assert(qqmail.new(options))
        local receipt, err = mailer:send(message())
        assert.equal(row[2] == true, receipt ~= nil, tostring(err))
        assert_all_clean(secret, {
          receipt = receipt or "", error = err or "", told = told, mailer = mailer,
          config = qqmail.config(options), dump = tostring(qqmail.config(options)),
          driver = mailer.driver or "",
        })
        mailer:close()
        assert_all_clean(secret, { mailer = mailer })
      end)
    end
  end

  for _, mode in ipairs({ "starttls", "implicit" }) do
    for _, cert in ipairs({ "good", "expired", "wronghost" }) do
      it(("stays in over TLS: %s, %s"):format(mode, cert), function()
        local server = send.server({ mode = mode, cert = cert, users = { [send.USER] = PASSWORD } })
        local mailer = send.mailer(server, { password = PASSWORD })
        local receipt, err = mailer:send(message())
        assert.equal(cert == "good", receipt ~= nil)
        assert_all_clean(PASSWORD, { receipt = receipt or "", error = err or "", mailer = mailer })
      end)
    end
  end

  it("stays in with QQ and every answer of its own", function()
    for _, options in ipairs({ { era = 2025 }, { era = 2022 }, { era = 2020 },
      { silent_auth_reject = true } }) do
      local server = send.qq_server(send.merge({ users = {} }, options))
      server:set({ users = {} })
      local mailer = send.qq_mailer(server)
      local err = send.bad(mailer, { kind = "auth" })
      assert_all_clean(send.CODE, { error = err, mailer = mailer })
    end
  end)

  it("is masked in the transcript, and only it", function()
    for mechanism, lines in pairs({ PLAIN = 1, LOGIN = 3 }) do
      local server = send.server({ users = {} })
      server:set({ users = {} })
      local err = send.bad(send.mailer(server, { auth = mechanism }), { kind = "auth" })
      local said = send.said(err.transcript, "C")
      send.has(table.concat(said, "\n"), "AUTH " .. mechanism)
      send.has(table.concat(said, "\n"), "***")
      assert.equal("EHLO [127.0.0.1]", said[1])
      assert.equal(1 + lines, #said)
    end
  end)

  it("is not in what is wrong with the settings", function()
    local wrong = {
      { host = "mx.test", user = send.USER, password = PASSWORD .. "\0" },
      { host = "mx.test", user = send.USER, password = PASSWORD .. "\nmore" },
      { host = "mx.test", user = send.USER, password = { PASSWORD } },
      { host = "mx.test", user = send.USER, pass = PASSWORD },
      { host = "mx.test", user = send.USER, password = PASSWORD, tls = "none" },
      { host = "mx.test", user = send.USER, password = PASSWORD, auth = "XOAUTH2" },
      { host = "mx.test", password = PASSWORD, port = "many" },
    }
    for _, url in ipairs({ "smtps://%s:%s@mx.test:99999", "smtps://%s:%s@mx.test:x",
      "smtps://%s:%s@", "ftp://%s:%s@mx.test", "smtps://%s:%s@mx.test?pool=1",
      "smtps://%s:%s@mx.test?unknown=1", "smtp://%s:%s@mx.test:465" }) do
      wrong[#wrong + 1] = { url = url:format(url_encode(send.USER), url_encode(PASSWORD)) }
    end
    for _, options in ipairs(wrong) do
      local mailer, err = qqmail.new(options)
      assert.is_nil(mailer)
      assert_all_clean(PASSWORD, { error = err, text = tostring(err) })
    end
  end)

  it("of a function that fails stays in", function()
    local server = send.server()
    for _, answer in ipairs({ PASSWORD .. "\0", PASSWORD .. "\r\nQUIT", "" }) do
      local err = send.bad(send.mailer(server, { password = function() return answer end }),
        { kind = "config" })
      assert_all_clean(PASSWORD, { error = err })
    end
    assert.same({}, server:connections())
  end)

  it("from the environment stays in", function()
    local server = send.server({ mode = "implicit", users = { [send.USER] = PASSWORD },
      tokens = { [send.USER] = PASSWORD } })
    local here = shell.run("pwd"):gsub("%s+$", "")
    local folder, remove = shell.folder()
    shell.write(folder .. "/program.lua", ([[
      package.path, package.cpath = %q, %q
      package.path = package.path:gsub("[^;]+", function(entry)
        return entry:sub(1, 1) == "/" and entry or %q .. "/" .. entry
      end)
      package.cpath = package.cpath:gsub("[^;]+", function(entry)
        return entry:sub(1, 1) == "/" and entry or %q .. "/" .. entry
      end)
      local qqmail = require("qqmail")
      local settings = require("spec.support.settings")
      local receipt, err = qqmail.send({ to = "a@test.local", subject = "s", text = "t" })
      print("sent", receipt ~= nil, err)
      print(settings.everything(receipt or err))
      print(qqmail.config())
      print(settings.everything(qqmail.config()))
    ]]):format(package.path, package.cpath, here, here))
    local function run(port, name, value)
      local words = { "cd " .. folder .. " && env" }
      for key, text in pairs({
        QQMAIL_HOST = server.host, QQMAIL_PORT = tostring(port), QQMAIL_TLS = "implicit",
        QQMAIL_USER = send.USER, [name] = value,
        QQMAIL_CA_FILE = send.options(server).tls_options.ca_file,
      }) do
        words[#words + 1] = key .. "=" .. shell.quote(text)
      end
      words[#words + 1] = shell.lua .. " program.lua"
      local output, status = shell.run(table.concat(words, " "))
      assert.equal(0, status, output)
      assert_clean(output, PASSWORD, "the output")
      return output
    end
    send.has(run(server.port, "QQMAIL_PASSWORD", PASSWORD), "sent\ttrue")
    shell.write(folder .. "/code", PASSWORD .. "\n")
    send.has(run(server.port, "QQMAIL_PASSWORD_FILE", folder .. "/code"), "sent\ttrue")
    send.has(run(server.port, "QQMAIL_TOKEN", PASSWORD), "sent\ttrue")
    local port = server.port
    server:stop()
    send.has(run(port, "QQMAIL_PASSWORD", PASSWORD), "sent\tfalse")
    remove()
  end)

  it("does not pass to a server that turns out to be another", function()
    -- A good certificate, but of another name: not one byte of the login.
    local server = send.server({ mode = "implicit", cert = "wronghost" })
    send.bad(send.mailer(server), { code = "tls.host_mismatch" })
    assert.equal("", send.heard(server))
  end)
end)

describe("what a login hands over", function()
  after_each(send.stop)

  it("is the password, byte for byte", function()
    for _, auth in ipairs({ "PLAIN", "LOGIN" }) do
      local server = send.server({ users = { [send.USER] = PASSWORD } })
      good(send.mailer(server, { password = PASSWORD, auth = auth }))
      assert.equal(PASSWORD, server:messages()[1].auth.password)
      -- The forms looked for above are the right ones.
      assert.has_error(function() assert_clean(send.heard(server), PASSWORD, "the wire") end)
    end
    local server = send.server({ tokens = { [send.USER] = TOKEN } })
    good(send.mailer(server, { token = TOKEN, auth = "XOAUTH2" }))
    assert.equal("XOAUTH2", server:messages()[1].auth.mechanism)
    assert.has_error(function() assert_clean(send.heard(server), TOKEN, "the wire") end)
  end)
end)
