-- The examples for nginx, run as they are: their own nginx.conf and Lua, the
-- account from the environment, against the scripted server in its QQ manner.
if not jit then
  return
end

local certs = require("spec.support.certs")
local mail_reader = require("spec.support.mail_reader")
local nginx = require("spec.support.nginx")
local send = require("spec.support.send")
local shell = require("spec.support.shell")

local missing = nginx.missing()

-- Seconds for what happens at once when all is well.
local PATIENCE = 10

local function it_runs(name, body)
  it(name, function()
    if missing then
      pending(missing)
      return
    end
    body()
  end)
end

local server, outbox, remove_outbox

local function environment()
  return {
    QQMAIL_HOST = "localhost", QQMAIL_PORT = tostring(server.port), QQMAIL_TLS = "implicit",
    QQMAIL_USER = send.USER, QQMAIL_PASSWORD = send.CODE,
    QQMAIL_CA_FILE = certs.path("ca.pem"), QQMAIL_LANG = "en", QQMAIL_OUTBOX = outbox,
    LUA_PATH = package.path, LUA_CPATH = package.cpath,
  }
end

local function start(name, more)
  return nginx.start(send.merge({ folder = "examples/openresty/" .. name, workers = 2,
    env = environment() }, more))
end

-- What a parser reads in the mails the server took; waits for that many.
local function mails(count)
  assert.is_true(server:wait(count, PATIENCE))
  local list, data = server:messages(), {}
  for index, message in ipairs(list) do
    assert.equal(send.USER, message.from)
    data[index] = message.data
  end
  assert.equal(count, #list)
  return mail_reader.read(data), list
end

local function has_header(facts, name)
  for _, header in ipairs(facts.headers) do
    if header[1]:lower() == name then
      return true
    end
  end
  return false
end

-- Everything that was handed over before is sent when this has come back.
local function end_of(web)
  assert.is_true(web:quit())
  send.lacks(web:log(), "(lint.")
end

before_each(function()
  server = send.qq_server()
  outbox, remove_outbox = shell.folder()
end)

after_each(function()
  local ok, why = pcall(nginx.stop)
  send.stop()
  remove_outbox()
  assert(ok, why)
end)

describe("the example alert", function()
  it_runs("sends one mail for many answers of 5xx", function()
    local web = start("alert")
    local exchanges = {}
    for index = 1, 100 do
      exchanges[index] = web:begin("/broken?try=" .. index)
    end
    for _, exchange in ipairs(exchanges) do
      assert.equal(503, (exchange:answer()))
    end
    assert.equal(404, (web:request("/nowhere")))
    local facts = mails(1)[1]
    assert.equal("503 localhost/broken", facts.subject)
    send.has(facts.text, "method    GET")
    end_of(web)
    assert.equal(1, #server:messages())
  end)

  it_runs("sends one for each address, within a limit", function()
    local web = start("alert")
    for index = 1, 30 do
      assert.equal(503, (web:request("/broken/" .. index)))
    end
    end_of(web)
    local seen = {}
    for _, facts in ipairs(mails(10)) do
      assert.is_nil(seen[facts.subject])
      seen[facts.subject] = true
    end
    assert.is_true(seen["503 localhost/broken/1"])
  end)

  it_runs("tells of an address with bytes that no subject may have", function()
    local web = start("alert")
    assert.equal(503, (web:request("/broken/%0d%0aBcc:%20evil@example.net")))
    assert.equal(503, (web:request("/broken/\255\228")))
    end_of(web)
    local subjects = {}
    for index, facts in ipairs(mails(2)) do
      assert.is_false(has_header(facts, "bcc"))
      subjects[index] = facts.subject
    end
    table.sort(subjects)
    assert.same({ "503 localhost/broken/%0d%0aBcc:%20evil@example.net",
      "503 localhost/broken/??" }, subjects)
    send.lacks(web:log(), "no alert")
  end)
end)

local function encode(text)
  return (text:gsub("[^%w]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end))
end

-- The answer to a form; a field that is false is not there.
local function post(web, changes)
  local fields = send.merge({ name = "张三", address = "visitor@example.net",
    text = "你好 & <b>hi</b>\r\n.\r\nBcc: evil@example.net\r\n" }, changes)
  local parts = {}
  for name, value in pairs(fields) do
    parts[#parts + 1] = value and name .. "=" .. encode(value) or nil
  end
  return web:request("/contact", table.concat(parts, "&"))
end

describe("the example contact", function()
  it_runs("shows a form and sends what was filled in", function()
    local web = start("contact")
    local status, body, head = web:request("/contact")
    assert.equal(200, status)
    send.has(body, '<input name="address" type="email" value="">')
    send.has(head, "Content-Type: text/html; charset=utf-8")
    status, body = post(web)
    assert.equal(200, status, body)
    send.has(body, "has been sent")
    local facts, list = mails(1)
    assert.same({ "office@example.com" }, list[1].to)
    assert.equal("Contact form", facts[1].subject)
    assert.equal("你好 & <b>hi</b>\r\n.\r\nBcc: evil@example.net\r\n", facts[1].text)
    assert.same({ { name = "", address = send.USER } }, facts[1].from)
    assert.same({ { name = "张三", address = "visitor@example.net" } }, facts[1].reply_to)
  end)

  it_runs("says what is wrong, and keeps what was typed", function()
    local web = start("contact")
    for field, values in pairs({
      name = { false, "", "  ", ("x"):rep(101), "\255" },
      address = { false, "", "nobody", "a@b@c", "a b@example.net", ("x"):rep(300) },
      text = { false, "", "\r\n", ("x"):rep(20001), "\255" },
    }) do
      for _, value in ipairs(values) do
        local status, body = post(web, { [field] = value })
        assert.equal(400, status, field .. ": " .. tostring(value))
        assert.is_truthy(body:find("<p>[%a ]+: " .. field .. "</p>"), body)
        if field ~= "text" then
          send.has(body, "你好 &amp; &lt;b&gt;hi&lt;/b&gt;")
        end
      end
    end
    assert.equal(0, #server:connections())
  end)

  it_runs("does nothing for what would add a line or an address", function()
    local web = start("contact")
    local lines = "x\r\nBcc: evil@example.net"
    for _, try in ipairs({
      { "name", lines }, { "name", "x\nBcc: evil@example.net" }, { "name", "x\r.\r\nQUIT" },
      { "name", "x\0y" },
      { "address", "a@example.net\r\nBcc: evil@example.net" },
      { "address", "a@example.net, evil@example.net" },
      { "address", "a@example.net> NOTIFY=SUCCESS" }, { "address", "x <a@example.net>" },
    }) do
      local status, body = post(web, { [try[1]] = try[2] })
      assert.equal(400, status, try[2])
      send.has(body, "Please correct: " .. try[1])
    end
    assert.equal(0, #server:connections())
    -- What looks like an address in a name is a name, and the text is only text.
    assert.equal(200, (post(web, { name = "evil@example.net", text = lines })))
    local facts, list = mails(1)
    assert.same({ "office@example.com" }, list[1].to)
    assert.same({ { name = "evil@example.net", address = "visitor@example.net" } },
      facts[1].reply_to)
    assert.is_false(has_header(facts[1], "bcc"))
    assert.equal(lines, (facts[1].text:gsub("%s+$", "")))
    send.lacks(send.heard(server), "evil@example.net")
  end)

  it_runs("takes no more than a text, and not too often", function()
    local web = start("contact")
    assert.equal(413, (post(web, { text = ("x"):rep(33000) })))
    local status, _, head = web:request("/contact", "name=a&name=b&address&text=x")
    assert.equal(400, status)
    send.has(head, "text/html")
    local answers = {}
    for _ = 1, 25 do
      status = post(web, { name = "" })
      answers[status] = (answers[status] or 0) + 1
    end
    assert.is_true(answers[429] >= 4, tostring(answers[429]))
    assert.equal(200, (web:request("/contact")))
  end)

  it_runs("tells visitors nothing of the mail server, and error.log everything", function()
    server:set({ replies = { auth = "535 5.7.8 Login Fail" } })
    local web = start("contact")
    local status, body = post(web)
    assert.equal(503, status)
    send.has(body, "could not be sent")
    send.has(body, 'value="visitor@example.net"')
    for _, secret in ipairs({ "535", "Login", "localhost", send.USER, "qqmail" }) do
      send.lacks(body, secret)
    end
    send.has(web:log(), "535")
    send.lacks(web:log(), send.CODE)
  end)

  it_runs("does not ask for a second try when the mail may have gone", function()
    server:set({ drop_at = "dot" })
    local web = start("contact")
    local status, body = post(web)
    assert.equal(502, status, body)
    send.has(body, "may have been sent")
    send.lacks(body, "visitor@example.net")
  end)
end)

-- The mails of digests that have come, and what is counted in them.
local function digests()
  local data, total, text = {}, 0, ""
  for index, message in ipairs(server:messages()) do
    data[index] = message.data
  end
  for _, facts in ipairs(#data > 0 and mail_reader.read(data) or {}) do
    total = total + tonumber(facts.subject:match("^(%d+) errors$"))
    text = text .. facts.text
  end
  return total, text, #data
end

-- Counts may fall into two periods: waits until so many were told of.
local function await_total(count)
  assert.is_true(nginx.wait_for(function()
    return digests() >= count
  end))
  return digests()
end

describe("the example digest", function()
  it_runs("sends a summary of a period, and none where there was nothing", function()
    local web = start("digest", { edit = { ["every = 3600"] = "every = 2" } })
    for _ = 1, 20 do
      assert.equal(503, (web:request("/broken")))
    end
    assert.equal(503, (web:request("/broken/too\255")))
    assert.equal(404, (web:request("/nowhere")))
    local total, text, count = await_total(21)
    assert.equal(21, total)
    assert.is_truthy(text:find("^From [%d-]+ [%d:]+ to [%d:]+\r\n\r\n +%d+  503 localhost/"))
    send.has(text, "1  503 localhost/broken/too?")
    send.lacks(text, "nowhere")
    -- One more marks the end of what was counted: no mail was sent without cause.
    assert.equal(503, (web:request("/broken")))
    assert.equal(22, (await_total(22)))
    assert.equal(count + 1, #server:messages())
  end)

  it_runs("keeps its counts over a reload", function()
    local web = start("digest", { edit = { ["every = 3600"] = "every = 2" } })
    for _ = 1, 5 do
      assert.equal(503, (web:request("/broken")))
    end
    web:reload()
    for _ = 1, 5 do
      assert.equal(503, (web:request("/broken")))
    end
    assert.equal(10, (await_total(10)))
  end)
end)
