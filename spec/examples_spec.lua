-- The examples, run as a user runs them: programs of their own, the account
-- from the environment, against the scripted server in its QQ manner.
local certs = require("spec.support.certs")
local mail_reader = require("spec.support.mail_reader")
local send = require("spec.support.send")
local shell = require("spec.support.shell")

local TO = "friend@example.com"

local function environment(server, more)
  local vars = {
    QQMAIL_HOST = "localhost", QQMAIL_PORT = server.port, QQMAIL_TLS = "implicit",
    QQMAIL_USER = send.USER, QQMAIL_PASSWORD = send.CODE,
    QQMAIL_CA_FILE = certs.path("ca.pem"), QQMAIL_LANG = "en", EXAMPLE_TO = TO,
    LUA_PATH = package.path, LUA_CPATH = package.cpath,
  }
  for name, value in pairs(more or {}) do
    vars[name] = value
  end
  local words = {}
  for name, value in pairs(vars) do
    words[#words + 1] = name .. "=" .. shell.quote(tostring(value))
  end
  return table.concat(words, " ")
end

local function run(server, name, more)
  return shell.run(("env %s %s examples/%s.lua"):format(environment(server, more), shell.lua, name))
end

describe("the example", function()
  local server

  before_each(function()
    server = send.qq_server()
  end)

  after_each(send.stop)

  it("01_plain sends a mail", function()
    local output, status = run(server, "01_plain")
    assert.are.equal(0, status, output)
    local facts = mail_reader.read({ server:messages()[1].data })[1]
    assert.are.equal("磁盘告警", facts.subject)
    assert.are.equal("根分区已使用 91%。\r\n", facts.text)
  end)

  it("02_html_attachment sends text, HTML, an image and a file", function()
    local output, status = run(server, "02_html_attachment")
    assert.are.equal(0, status, output)
    local facts = mail_reader.read({ server:messages()[1].data })[1]
    assert.are.equal("mixed(related(alternative(text/plain,text/html),image/png),text/csv)",
      facts.structure)
    assert.are.equal("报表.csv", facts.parts[4].name)
    assert.are.equal("<logo>", facts.parts[3].cid)
  end)

  it("07_forward sends a mail within a mail", function()
    local output, status = run(server, "07_forward")
    assert.are.equal(0, status, output)
    local facts = mail_reader.read({ server:messages()[1].data })[1]
    assert.are.equal("mixed(text/plain,rfc822(text/plain))", facts.structure)
    assert.are.equal("原邮件.eml", facts.messages[1].name)
    assert.are.equal("How do I reset my password?", facts.messages[1].subject)
  end)

  it("03_env shows the settings, and no secret", function()
    local output, status = run(server, "03_env")
    assert.are.equal(0, status, output)
    send.has(output, "host")
    send.has(output, "QQMAIL_PORT")
    send.lacks(output, send.CODE)
  end)

  it("04_errors tells what to do", function()
    local output, status = run(server, "04_errors", { QQMAIL_PASSWORD = "wrongwrongwrongw" })
    assert.are.equal(1, status, output)
    send.has(output, "code: auth.")
    send.has(output, "decision: give up")
    send.lacks(output, "wrongwrongwrongw")
    assert.are.equal(1, server:auth_attempts())
  end)

  it("05_many sends all, whatever becomes of one of them", function()
    server:set({ replies = { dot = { false, "550 5.7.1 not this one" } } })
    local output, status = run(server, "05_many")
    assert.are.equal(1, status, output)
    send.has(output, "9 sent, 1 failed, 0 unknown")
    send.has(output, "not this one")
    assert.are.equal(9, #server:messages())
    assert.is_true(#server:connections() <= 2)
  end)

  it("06_template sends a mail for each row", function()
    local output, status = run(server, "06_template")
    assert.are.equal(0, status, output)
    assert.are.equal(2, #server:messages())
    local facts = mail_reader.read({ server:messages()[1].data })[1]
    assert.are.equal("欢迎你，小明", facts.subject)
    send.has(facts.text, "- 茶 <龙井>：58 元\r\n- 杯子：19.9 元\r\n-- \r\n此邮件由系统发出。")
    send.has(facts.html, "  <li>茶 &lt;龙井&gt;：58 元</li>\r\n")
  end)

  for _, name in ipairs({ "01_plain", "02_html_attachment", "05_many", "06_template" }) do
    it(name .. " sends mails that nothing is said against", function()
      local output, status = run(server, name, { QQMAIL_LOG = "stderr" })
      assert.are.equal(0, status, output)
      send.has(output, "sent <")
      send.lacks(output, "(lint.")
    end)
  end
end)
