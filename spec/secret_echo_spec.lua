-- What a server repeats of the login in its replies is hidden before anybody sees it.
local base64 = require("qqmail.testing.base64")
local qqmail = require("qqmail")
local send = require("spec.support.send")
local settings = require("spec.support.settings")

local SECRET = "Tr0ub4dor-and-3"

local FORMS = {
  PLAIN = { SECRET, base64.encode(SECRET), base64.encode("\0" .. send.USER .. "\0" .. SECRET) },
  LOGIN = { SECRET, base64.encode(SECRET) },
  XOAUTH2 = { SECRET, base64.encode(SECRET),
    base64.encode(("user=%s\1auth=Bearer %s\1\1"):format(send.USER, SECRET)) },
}

local function assert_hidden(mechanism, thing)
  local text = settings.everything(thing)
  send.has(text, "***")
  for _, form in ipairs(FORMS[mechanism]) do
    assert.is_nil(text:find((form:gsub("=+$", "")), 1, true), text)
  end
end

local function login(server, mechanism, more)
  local options = send.merge({ auth = mechanism, password = SECRET }, more)
  if mechanism == "XOAUTH2" then
    options.password, options.token = false, SECRET
  end
  local all = send.options(server, options)
  all.password = all.password or nil
  return assert(qqmail.new(all))
end

local function server_with(options)
  return send.server(send.merge({ users = { [send.USER] = SECRET },
    tokens = { [send.USER] = SECRET } }, options))
end

describe("a secret repeated by the server", function()
  after_each(send.stop)

  for mechanism, forms in pairs(FORMS) do
    local said = "you logged in with " .. table.concat(forms, " and ")

    for stage, code in pairs({ mail = "550 5.7.1 ", rcpt = "550 5.7.1 ", data = "554 5.7.1 ",
      dot = "554 5.7.1 ", auth = "535 5.7.8 " }) do
      it(("is hidden in a refusal: %s, %s"):format(mechanism, stage), function()
        local replies = { [stage] = code .. said }
        if stage == "auth" and mechanism == "LOGIN" then
          replies = { challenge = { "334 UGFzc3dvcmQ6", code .. said } }
        end
        local mailer = login(server_with({ replies = replies }), mechanism)
        local receipt, err = mailer:send(send.message())
        assert.is_nil(receipt)
        send.has(err.smtp.text, "you logged in with ***")
        assert_hidden(mechanism, err)
        mailer:close()
      end)
    end

    it("is hidden in a receipt: " .. mechanism, function()
      local server = server_with({ replies = { dot = "250 2.0.0 " .. said,
        rcpt = { ["no@test.local"] = "550 5.1.1 " .. said } } })
      local seen = {}
      local mailer = login(server, mechanism, { on = { reply = function(event)
        seen[#seen + 1] = settings.everything(event)
      end } })
      local to = { "a@test.local", "no@test.local" }
      for _ = 1, 2 do -- the second over the connection that was kept
        local receipt = send.good(mailer, send.message({ to = to }))
        assert_hidden(mechanism, receipt)
        assert_hidden(mechanism, receipt.rejected)
      end
      assert.is_true(#seen > 0)
      assert_hidden(mechanism, table.concat(seen))
      mailer:close()
    end)

    it("is hidden in last words while the body goes out: " .. mechanism, function()
      local server = server_with({ during_body = { after = 1, reply = "421 4.7.0 " .. said,
        how = "fin" } })
      local mailer = login(server, mechanism)
      local receipt, err = mailer:send(send.message({ text = ("y\n"):rep(4e6) }))
      assert.is_nil(receipt)
      send.has(err.smtp.text, "you logged in with ***")
      assert_hidden(mechanism, err)
      mailer:close()
    end)
  end
end)
