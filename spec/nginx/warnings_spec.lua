--- What `error.log` and `on.warning` tell of a message inside nginx, where a log is set
-- by itself. nginx embeds LuaJIT: run by its suite alone.
if not rawget(_G, "jit") then
  return
end

local nginx = require("spec.support.nginx")
local notifier = require("spec.support.notifier")
local send = require("spec.support.send")

local LOCATIONS = notifier.LOCATIONS .. [[
  location /send {
    content_by_lua_block {
      local receipt, err = mailer:send({ to = "a@test.local", subject = "Dear {{name}}",
        text = "t" })
      ngx.print(receipt and "sent" or tostring(err))
    }
  }
  location /bad_notify {
    return 200 "ok";
    log_by_lua_block {
      assert(mailer:notify({ to = "a@test.local", subject = "Dear {{name}}", text = "t" }))
    }
  }
]]

describe("warnings inside nginx", function()
  after_each(function()
    nginx.stop()
    send.stop()
  end)

  it("are in error.log, each kind once", function()
    local server = send.server({ mode = "implicit" })
    local web = notifier.start(server, { outbox = false }, { server = LOCATIONS, workers = 1 })
    for _, path in ipairs({ "/send", "/bad_notify", "/send", "/bad_notify" }) do
      assert.equal(200, (web:request(path)))
    end
    local _, left = web:request("/flush")
    assert.equal("0", left)
    assert.equal(4, #server:messages())
    local _, count = web:log():gsub("subject: holds {{name}}", "")
    assert.equal(1, count)
    assert.is_truthy(web:log():find("[warn]", 1, true))
    web:stop()
  end)
end)
