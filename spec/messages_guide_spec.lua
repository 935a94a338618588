-- Every example of docs/messages.md is run, and its mail read by other parsers.

local certs = require "spec.support.certs"
local dkim_samples = require "spec.support.dkim_samples"
local judges = require "spec.support.judges"
local messages = require "spec.support.messages"
local send = require "spec.support.send"
local shell = require "spec.support.shell"
local smime = require "spec.support.smime"

local PAGE = "docs/messages.md"

-- The smallest picture and document there are, and what else the examples name.
local FILES = {
  ["report.pdf"] = "%PDF-1.4\n%%EOF\n",
  ["report.html"] = "<p>from a file</p>\n",
  ["logo.png"] = "\137PNG\r\n\26\n",
  ["pictures/logo.png"] = "\137PNG\r\n\26\n",
  ["dkim.pem"] = dkim_samples.keys.rsa,
  ["contract.eml"] = "From: ann@example.com\nTo: lei@example.com\nBcc: boss@example.com\n"
    .. "Subject: contract\nMessage-ID: <7@example.com>\n\nas it is\n",
  ["mails/welcome/subject.txt"] = "Welcome, {{name}}",
  ["mails/welcome/body.txt"] = "Hello {{name}}\n",
  ["mails/welcome/body.html"] = "<p>Hello {{name}}</p>\n",
}

local function first(facts, name)
  return (facts.fields[name] or {})[1]
end

local function has_parts(facts, ...)
  for index, name in ipairs({ ... }) do
    assert.equal(name, facts.parts[index].name)
  end
end

-- Beyond the structure that the page tells: what each example is there for.
local LOOKED_AT = {
  ["Plain text"] = function(facts)
    assert.same({ "磁盘告警", "根分区已使用 91%。\n" }, { facts.subject, facts.text })
    assert.same({ { name = "王小明", address = "ming@example.com" } }, facts.from)
  end,
  ["HTML"] = function(facts)
    assert.matches("all of it <https://example.com/r>", facts.text, 1, true)
    assert.matches("<h1>Report</h1>", facts.html, 1, true)
  end,
  ["HTML and a text of your own"] = function(facts)
    assert.equal("All went well.\n", facts.text)
  end,
  ["From a file or a function"] = function(facts)
    assert.same({ "one\ntwo\n", "<p>from a file</p>\n" }, { facts.text, facts.html })
  end,
  ["Other charsets"] = function(facts)
    assert.same({ "主题", "你好，世界\n" }, { facts.subject, facts.text })
  end,
  ["A template"] = function(facts)
    assert.same({ "Welcome, Ann <3", "Hello Ann <3\n", "<p>Hello Ann &lt;3</p>\n" },
      { facts.subject, facts.text, facts.html })
  end,
  ["Attachments"] = function(facts)
    has_parts(facts, "report.pdf", "报表（终稿）📊.pdf", "收入.csv")
    assert.equal(facts.parts[1].sha256, facts.parts[2].sha256)
  end,
  ["From a function, of unknown size"] = function(facts)
    local rows = {}
    for row = 1, 1000 do
      rows[row] = ("%d,%d\n"):format(row, row * row)
    end
    has_parts(facts, "export.csv")
    assert.equal(judges.sha256({ table.concat(rows) })[1], facts.parts[1].sha256)
  end,
  ["From a data: URL"] = function(facts)
    has_parts(facts, "signature.png")
    assert.equal(judges.sha256({ "\137PNG\r\n\26\n" })[1], facts.parts[1].sha256)
  end,
  ["Images inside HTML"] = function(facts)
    assert.same({ "<logo>", "logo.png" }, { facts.parts[1].cid, facts.parts[1].name })
  end,
  ["All of it"] = function(facts)
    has_parts(facts, "logo.png", "report.pdf")
  end,
  ["Images that HTML names"] = function(facts)
    has_parts(facts, "logo.png")
    assert.matches('src="cid:' .. facts.parts[1].cid:match("<(.*)>") .. '"', facts.html, 1, true)
  end,
  ["Forwarded as an attachment"] = function(facts)
    assert.equal("See below.\n", facts.text)
  end,
  ["An invitation"] = function(facts)
    local calendar = facts.parts[1].calendar
    if calendar then
      assert.same({ "REQUEST", "评审会", "mailto:ann@example.com" }, { calendar.method,
        calendar.events[1].summary, calendar.events[1].attendees[1].value })
    end
    has_parts(facts, nil, "invite.ics")
  end,
  ["An invitation withdrawn"] = function(facts)
    local calendar = facts.parts[1].calendar
    if calendar then
      assert.same({ "CANCEL", "review-7@example.com", 1 }, { calendar.method,
        calendar.events[1].uid, tonumber(calendar.events[1].sequence) })
    end
    has_parts(facts, nil, "invite.ics")
  end,
  ["An answer to an invitation"] = function(facts)
    local calendar = facts.parts[1].calendar
    if calendar then
      assert.same({ "REPLY", "ACCEPTED" },
        { calendar.method, calendar.events[1].attendees[1].partstat })
    end
  end,
  ["A complete message"] = function(facts, mail)
    assert.same({ "contract", "as it is\n", "<7@example.com>" },
      { facts.subject, facts.text, facts.message_id })
    assert.same({ "lei@example.com", "boss@example.com" }, mail.to)
    assert.is_nil(first(facts, "bcc"))
  end,
  ["Built, not sent"] = function(facts, mail, folder)
    local file = assert(io.open(folder .. "/report.eml", "rb"))
    assert.equal(file:read("*a"), mail.data)
    file:close()
    assert.equal("Report\n", facts.text)
  end,
  ["People"] = function(facts, mail)
    assert.same({ { name = "", address = "bot@example.com" } }, facts.sender)
    assert.same({ { name = "Ann", address = "ann@example.com" },
      { name = "李雷", address = "lei@example.com" } }, facts.to)
    assert.same({ { name = "", address = "a@example.com" },
      { name = "B, C", address = "b@example.com" } }, facts.cc)
    assert.same({ { name = "客服", address = "help@example.com" } }, facts.reply_to)
    assert.equal("boss@example.com", mail.to[5])
    assert.is_nil(first(facts, "bcc"))
  end,
  ["International addresses"] = function(facts, mail)
    assert.equal("用户@xn--fsqu00a.xn--0zwm56d", facts.to[1].address)
    assert.same({ "用户@xn--fsqu00a.xn--0zwm56d", "ann@xn--bcher-kva.example" }, mail.to)
    assert.is_true(mail.params.SMTPUTF8)
  end,
  ["A reply in its thread"] = function(facts)
    assert.equal("<2@example.com>", facts.in_reply_to)
    assert.same({ "<1@example.com>", "<2@example.com>" }, facts.references)
  end,
  ["Priority and fields of your own"] = function(facts)
    assert.same({ "high", "auto-generated", "web-1" },
      { first(facts, "importance"), first(facts, "auto-submitted"), first(facts, "x-host") })
  end,
  ["A mail to a list"] = function(facts)
    assert.equal("List-Unsubscribe=One-Click", first(facts, "list-unsubscribe-post"))
    assert.equal("News <news.example.com>", first(facts, "list-id"))
  end,
  ["A read receipt"] = function(facts)
    assert.equal("王小明 <ming@example.com>", first(facts, "disposition-notification-to"))
  end,
  ["DKIM"] = function(_, mail)
    local record = dkim_samples.records["test._domainkey.football.example.com"]
    local list = { { message = mail.data, keys = { ["mail._domainkey.example.com"] = record } } }
    if judges.is_here() then
      assert.equal("pass", judges.mailauth(list)[1][1].result)
    end
    assert.matches("^DKIM%-Signature: ", mail.data)
  end,
  ["S/MIME, signed"] = function(facts, mail)
    assert.equal("Signed\n", facts.text)
    has_parts(facts, "report.pdf", "smime.p7s")
    assert.is_string(smime.verify(mail.data))
  end,
  ["S/MIME, encrypted"] = function(facts, mail)
    assert.equal("Contract", facts.subject)
    assert.is_nil(facts.text)
    local signed = assert(smime.decrypt(mail.data, "li"))
    assert.matches("For Ann alone", smime.verify(signed), 1, true)
  end,
  ["Delivery reports"] = function(_, mail)
    assert.same({ "HDRS", "contract-7" }, { mail.params.RET, mail.params.ENVID })
    for _, params in ipairs(mail.to_params) do
      assert.equal("SUCCESS,FAILURE", params.NOTIFY)
    end
    assert.equal(2, #mail.to_params)
  end,
  ["Over TLS, all the way"] = function(_, mail)
    assert.is_true(mail.params.REQUIRETLS)
  end,
  ["The same mail, once"] = function(facts)
    local message = require "qqmail.message"
    assert.equal(message.new({ from = "ming@example.com", to = "x@example.com",
      id = "invoice-2026-11" }).id, facts.message_id)
  end,
  ["Another envelope"] = function(facts, mail)
    assert.same({ "bounces+ann@example.com", "ann@example.com" }, { mail.from, mail.to[1] })
    assert.equal("list@example.com", facts.to[1].address)
  end,
}

-- The sections that are examples, with the structure each tells.
local function examples_of(path)
  local out, last = {}, {}
  for line in io.lines(path) do
    local heading = line:match("^### (.*)")
    if heading then
      last = { heading = heading, blocks = 0 }
      out[#out + 1] = last
    elseif line == "```lua" then
      last.blocks = (last.blocks or 0) + 1
    end
    last.structure = last.structure or line:match("^Arrives as `([^`]+)`")
  end
  return out
end

local function run_examples(server, folder)
  for name, content in pairs(FILES) do
    shell.write(folder .. "/" .. name, content)
  end
  for name, from in pairs({ ["ming.crt"] = "me.crt", ["ming.key"] = "me.key",
    ["ann.crt"] = "li.crt" }) do
    shell.write(folder .. "/" .. name, smime.read(from))
  end
  local root = shell.run("pwd"):gsub("%s+$", "")
  local function absolute(path)
    return (path:gsub("^%./", root .. "/"):gsub(";%./", ";" .. root .. "/"))
  end
  return shell.run(("cd %s && LUA_PATH=%s LUA_CPATH=%s %s %s %s %d %s"):format(folder,
    shell.quote(absolute(package.path)), shell.quote(absolute(package.cpath)), shell.lua,
    root .. "/spec/support/guide_runner.lua", root .. "/" .. PAGE, server.port,
    certs.path("ca.pem")))
end

describe("the guide to messages", function()
  setup(smime.start)
  teardown(smime.stop)
  after_each(send.stop)

  it("has examples that send what it says", function()
    local examples = examples_of(PAGE)
    local server = send.server({ mode = "implicit", dsn = true, requiretls = true })
    local folder, remove = shell.folder()
    local output, status = run_examples(server, folder)
    assert.equal(0, status, output)
    local expected = "0 Messages\n"
    for _, example in ipairs(examples) do
      expected = expected .. ("1 %s\n"):format(example.heading):rep(example.blocks)
    end
    assert.equal(expected, output)
    local mails, texts = server:messages(), {}
    for index, mail in ipairs(mails) do
      texts[index] = mail.data
    end
    local answers = judges.python(texts)
    local others = judges.is_here() and judges.mailparser(texts) or {}
    assert.equal(#examples, #answers)
    for index, example in ipairs(examples) do
      local answer, other = answers[index], others[index]
      assert.equal(1, example.blocks, example.heading)
      assert.equal(example.structure, answer.structure, example.heading)
      messages.check(answer)
      local look = LOOKED_AT[example.heading]
      look(judges.words_of_python(answer), mails[index], folder)
      if other then
        look(judges.words_of_mailparser(other), mails[index], folder)
      end
    end
    remove()
  end)

  it("has a look at every example", function()
    local headings, looked_at = {}, {}
    for _, example in ipairs(examples_of(PAGE)) do
      headings[#headings + 1] = example.heading
    end
    for heading in pairs(LOOKED_AT) do
      looked_at[#looked_at + 1] = heading
    end
    table.sort(headings)
    table.sort(looked_at)
    assert.same(headings, looked_at)
  end)
end)
