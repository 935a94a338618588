--- Logins by token: what is sent of it and when, and what becomes of one that is over.
local core = require("qqmail.core")
local errors = require("qqmail.errors")
local loops = require("spec.support.loops")
local qqmail = require("qqmail")
local send = require("spec.support.send")

local codec = core.codec

local USER = send.USER

after_each(send.stop)

describe("a token", function()
  local function mailer_of(server, token, more)
    local options = send.options(server, send.merge({ token = token }, more))
    options.password = nil
    return assert(qqmail.new(options))
  end

  local EXPIRED = '{"status":"invalid_token","schemes":"bearer","scope":"mail"}'

  -- Says in a challenge what is wrong, and refuses when that is answered.
  local function refusing(mechanism, more)
    return send.server(send.merge({ mode = "implicit", mechanisms = mechanism,
      users = { [USER] = "fresh-token" }, replies = { auth = {
        "334 " .. codec.base64(EXPIRED), "535 5.7.8 refused", false } } }, more))
  end

  for mechanism, answer in pairs({ XOAUTH2 = "", OAUTHBEARER = "AQ==" }) do
    it("that is refused is explained, by " .. mechanism, function()
      local server = refusing(mechanism)
      local mailer = mailer_of(server, "stale-token")
      local _, err = mailer:send(send.message())
      mailer:close()
      send.is_error(err, { kind = "auth" })
      send.has(err, '"status":"invalid_token"')
      send.has(err.hint, "This login used a token")
      send.lacks(err, "stale-token")
      local said = send.said(server:connections()[1].lines, "C")
      local last
      for i, line in ipairs(said) do
        if line:find("^AUTH ") then
          last = said[i + 1]
        end
      end
      assert.equal(answer, last)
      assert.equal(1, server:auth_attempts()) -- a fixed one is not tried again
    end)

    it("is fetched anew once, by " .. mechanism, function()
      local server = refusing(mechanism)
      local asked = {}
      local mailer = mailer_of(server, function(...)
        local refused = ...
        asked[#asked + 1] = select("#", ...) .. tostring(refused)
        return refused and "fresh-token" or "stale-token"
      end)
      local receipt, err = mailer:send(send.message())
      mailer:close()
      assert.is_table(receipt, tostring(err))
      assert.same({ "0nil", "1true" }, asked)
      assert.equal("fresh-token", server:messages()[1].auth.password)
      assert.equal(2, server:auth_attempts())
    end)
  end

  -- RFC 4954 section 4: the command has at most 512 bytes, the answer to a challenge more.
  it("that is long goes when the server asks for it", function()
    for mechanism, frame in pairs({ XOAUTH2 = "user=%s\1auth=Bearer %s\1\1",
      OAUTHBEARER = "n,a=%s,\1host=HOST\1port=PORT\1auth=Bearer %s\1\1" }) do
      for _, length in ipairs({ 100, 1500, 8192 }) do
        local token = ("t"):rep(length)
        local server = send.server({ mode = "implicit", mechanisms = mechanism,
          users = { [USER] = token } })
        local mailer = mailer_of(server, token)
        local receipt, err = mailer:send(send.message())
        mailer:close()
        assert.is_table(receipt, tostring(err))
        local message = frame:format(USER, token):gsub("HOST", server.host)
        local first = codec.base64((message:gsub("PORT", tostring(server.port))))
        local heard = send.heard(server)
        if length == 100 then
          send.has(heard, "AUTH " .. mechanism .. " " .. first)
        else
          send.has(heard, "AUTH " .. mechanism .. "\n" .. first)
        end
      end
    end
  end)

  it("that is long is shown nowhere", function()
    local token = ("stale"):rep(300)
    local server = refusing("XOAUTH2")
    local mailer = mailer_of(server, token)
    local _, err = mailer:send(send.message())
    mailer:close()
    send.is_error(err, { kind = "auth" })
    local said = send.said(err.transcript, "C")
    assert.same({ "AUTH XOAUTH2", "******", "******" }, { said[2], said[3], said[4] })
    send.lacks(table.concat(said, "\n"), "stale")
  end)

  it("that stays the same is not tried again", function()
    local server = refusing("XOAUTH2")
    local asked = 0
    local mailer = mailer_of(server, function()
      asked = asked + 1
      return "stale-token"
    end)
    local _, err = mailer:send(send.message())
    mailer:close()
    send.is_error(err, { kind = "auth" })
    assert.equal(2, asked)
    assert.equal(1, server:auth_attempts())
  end)

  it("is fetched by the next send where none could be had at once", function()
    local server = refusing("XOAUTH2")
    local given = { false, "fresh-token" }
    local mailer = mailer_of(server, function(refused)
      if not refused then
        return "stale-token"
      end
      return table.remove(given, 1) or nil, "the issuer is down"
    end)
    send.bad(mailer, { kind = "auth", code = "auth.refused", cause = "the issuer is down" })
    local receipt, err = mailer:send(send.message())
    mailer:close()
    assert.is_table(receipt, tostring(err))
    assert.equal("fresh-token", server:messages()[1].auth.password)
    assert.equal(2, server:auth_attempts())
  end)

  -- All four had the stale one when the first was refused.
  for _, name in ipairs({ "cqueues", "luv" }) do
    it("is fetched anew once by several connections, " .. name, function()
      local loop = loops[name]
      if loop.missing then
        pending(loop.missing)
        return
      end
      local server = refusing("XOAUTH2")
      local current, fetched, results = "stale-token", 0, {}
      local mailer = mailer_of(server, function(refused)
        if refused then
          fetched = fetched + 1
          loop.driver:sleep(0.01) -- others run while it is fetched
          current = "fresh-token"
        end
        return current
      end, { io = loop.driver.name, pool = { max = 4 } })
      local bodies = {}
      for number = 1, 4 do
        bodies[number] = function()
          results[number] = mailer:send(send.message()) ~= nil
        end
      end
      loop.run((unpack or table.unpack)(bodies))
      mailer:close()
      assert.same({ true, true, true, true }, results)
      assert.equal(1, fetched)
    end)
  end

  it("is not fetched a third time", function()
    local server = send.server({ mode = "implicit", mechanisms = "XOAUTH2",
      users = { [USER] = "right" } })
    local asked = 0
    local mailer = mailer_of(server, function()
      asked = asked + 1
      return "wrong-" .. asked
    end)
    local _, err = mailer:send(send.message())
    mailer:close()
    send.is_error(err, { kind = "auth" })
    assert.equal(2, asked)
    assert.equal(2, server:auth_attempts())
  end)

  it("is not echoed, wherever the server puts it", function()
    local server = refusing("XOAUTH2", { replies = { auth = {
      "334 " .. codec.base64('{"token":"stale-token"}'), "535 5.7.8 refused" } } })
    local mailer = mailer_of(server, "stale-token")
    local _, err = mailer:send(send.message())
    mailer:close()
    send.has(err, '{"token":"***')
    send.lacks(err, "stale-token")
    assert.is_true(errors.is(err))
  end)
end)
