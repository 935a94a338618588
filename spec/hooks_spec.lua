-- What the functions of the option `on` get.
local batch = require("spec.support.send_all")
local send = require("spec.support.send")

-- All that is said in tables inside tables, as one text.
local function text_of(value, out)
  out = out or {}
  if type(value) == "table" then
    for key, item in pairs(value) do
      text_of(key, out)
      text_of(item, out)
    end
  else
    out[#out + 1] = tostring(value)
  end
  return table.concat(out, "\n")
end

local function recorder()
  local self = { reply = {}, state = {}, sent = {}, failed = {}, retry = {} }
  self.on = {}
  for name, list in pairs({ reply = self.reply, state = self.state, sent = self.sent,
    failed = self.failed, retry = self.retry }) do
    self.on[name] = function(event, ...)
      assert(select("#", ...) == 0)
      list[#list + 1] = event
    end
  end
  return self
end

local SECRETS = { send.CODE, "YWJjZGVmZ2hpamtsbW5vcA", -- alone, in Base64
  "dXNlckBxcS5jb20" } -- and the name that goes before it

local function assert_no_secret(value)
  for _, secret in ipairs(SECRETS) do
    send.lacks(text_of(value), secret)
  end
end

describe("the hooks", function()
  after_each(send.stop)

  for _, mode in ipairs({ "plain", "starttls", "implicit" }) do
    for _, mechanism in ipairs({ "PLAIN", "LOGIN" }) do
      it(("reply and state tell what the server said: %s, %s"):format(mode, mechanism), function()
        local server = send.server({ mode = mode, mechanisms = mechanism })
        local seen = recorder()
        local mailer = send.mailer(server, { on = seen.on })
        send.good(mailer)
        local codes, before = {}, 0
        for index, event in ipairs(seen.reply) do
          codes[index] = event.code
          assert.equal(server.host, event.host)
          assert.is_true(event.t >= before)
          before = event.t
          assert.equal(tostring(event.code), event.line:sub(1, 3))
          assert.equal(event.text, event.line:sub(5))
        end
        assert.equal(220, codes[1])
        assert.equal(250, codes[#codes])
        send.has(text_of(seen.reply), "235")
        send.has(text_of(seen.reply), "354")
        send.has(seen.reply[#seen.reply].text, "queued as")
        assert.equal("GREETING", seen.state[1].from)
        for index, event in ipairs(seen.state) do
          assert.equal(server.host, event.host)
          assert.are_not.equal(event.from, event.to)
          if index > 1 then
            assert.equal(seen.state[index - 1].to, event.from)
          end
        end
        assert.equal(1, #seen.sent)
        assert.same({}, seen.failed)
        assert_no_secret(seen)
      end)
    end
  end

  it("hear no secret that the server repeats", function()
    local server = send.server({ mechanisms = "LOGIN", replies = {
      auth = "535 5.7.8 Wrong password " .. send.CODE .. " YWJjZGVmZ2hpamtsbW5vcA==" } })
    local seen = recorder()
    local lines = {}
    local mailer = send.mailer(server, { on = seen.on, log = function(_, line)
      lines[#lines + 1] = line
    end })
    send.bad(mailer, { kind = "auth" })
    assert.equal(1, #seen.failed)
    send.has(text_of(seen.reply), "535")
    for _, place in ipairs({ { "reply", seen.reply }, { "state", seen.state },
      { "failed", seen.failed }, { "log", lines } }) do
      for _, secret in ipairs({ SECRETS[1], SECRETS[2] }) do
        assert.is_nil(text_of(place[2]):find(secret, 1, true), place[1] .. " tells " .. secret)
      end
    end
  end)

  it("hear each line of each connection once, also where it is used again", function()
    local server = send.server()
    local seen = recorder()
    local mailer = send.mailer(server, { on = seen.on })
    for _ = 1, 3 do
      send.good(mailer)
    end
    mailer:close()
    local said = {}
    for _, record in ipairs(server:connections()) do
      for _, line in ipairs(send.said(record.lines, "S")) do
        said[#said + 1] = line
      end
    end
    local heard = {}
    for index, event in ipairs(seen.reply) do
      heard[index] = event.line
    end
    -- The answer to QUIT is waited for, not read.
    assert.equal("221", said[#said]:sub(1, 3))
    said[#said] = nil
    assert.same(said, heard)
  end)

  it("hear of all that is sent by send_all", function()
    local server = send.server({ replies = { rcpt = { ["no@test.local"] = "550 5.1.1 No" } } })
    local seen = recorder()
    local mailer = send.mailer(server, { on = seen.on, window = 3, pool = { max = 2 } })
    batch.run(mailer, batch.messages(30, function(message, index)
      message.to = index % 10 == 0 and "no@test.local" or message.to
      return message
    end))
    assert.equal(27, #seen.sent)
    assert.equal(3, #seen.failed)
    local queued, refused = 0, 0
    for _, event in ipairs(seen.reply) do
      queued = queued + (event.text:find("queued as", 1, true) and 1 or 0)
      refused = refused + (event.code == 550 and 1 or 0)
    end
    assert.equal(27, queued)
    assert.equal(3, refused)
    assert_no_secret(seen)
  end)

  it("change nothing when they raise, and are counted", function()
    local server = send.server()
    local function raise()
      error("hook")
    end
    local mailer = send.mailer(server, { log = raise,
      on = { reply = raise, state = raise, sent = raise, failed = raise } })
    send.good(mailer)
    send.good(mailer)
    assert.is_true(mailer:stats().hook_errors > 10)
    assert.equal(1, #server:connections())
  end)

  it("are told of the account that was used", function()
    local first = send.server({ replies = { greeting = "421 4.3.2 First not now" } })
    local second = send.server({ address = "127.0.0.2" })
    local seen = recorder()
    local other = send.options(second)
    other.retry, other.timeout, other.lang = nil, nil, nil
    local mailer = send.mailer(first, { failover = { other }, on = seen.on })
    send.good(mailer)
    local hosts = {}
    for _, event in ipairs(seen.reply) do
      hosts[event.host] = (hosts[event.host] or "") .. event.line .. "\n"
    end
    send.has(hosts["127.0.0.1"], "First not now")
    send.has(hosts["127.0.0.2"], "queued as")
  end)
end)
