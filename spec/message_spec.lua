local core = require "qqmail.core"
local errors = require "qqmail.errors"
local json = require "spec.support.json"
local message = require "qqmail.message"
local mail_reader = require "spec.support.mail_reader"
local shell = require "spec.support.shell"

local FROM, TO = "sender@example.com", "rcpt@example.com"

local function spec_with(more)
  local spec = { from = FROM, to = TO, subject = "s", text = "body\n" }
  for key, value in pairs(more or {}) do
    if value == "none" then
      value = nil
    end
    spec[key] = value
  end
  return spec
end

local function build(more, defaults)
  local built, err = message.new(spec_with(more), defaults)
  assert.is_nil(err)
  return built
end

-- The error of a message, checked for what every such error must tell.
local function refused(more, code, field, position)
  local built, err = message.new(spec_with(more), { lang = "en" })
  assert.is_nil(built)
  assert.is_true(errors.is(err))
  assert.equal(code, err.code)
  assert.equal(field, err.field)
  assert.equal(position, err.position)
  assert.same({ "message", "config", "no", "never" },
    { err.kind, err.phase, err.delivered, err.retry })
  return err
end

-- Encoded-words between the quotes of `name` are no standard, but what web
-- mailers of Chinese providers read; Python reads them too, and says so.
local TOLERATED = "Content-Type: InvalidHeaderDefect"

-- What Python reads in a message, or in several of them.
local function read(...)
  local texts = {}
  for index, built in ipairs({ ... }) do
    texts[index] = type(built) == "string" and built or tostring(built)
  end
  local facts = mail_reader.read(texts)
  for _, one in ipairs(facts) do
    for _, defect in ipairs(one.defects) do
      assert.equal(TOLERATED, defect)
    end
    assert.is_false(one.lines.bare)
    assert.is_false(one.lines.nul)
    assert.is_true(one.lines.complete)
    assert.is_true(one.lines.longest <= 998)
    assert.is_true(one.lines.longest_header <= 78)
  end
  return (unpack or table.unpack)(facts)
end

local function header(facts, name)
  local found
  for _, pair in ipairs(facts.headers) do
    if pair[1]:lower() == name:lower() then
      assert.is_nil(found)
      found = pair[2]
    end
  end
  return found
end

local function with_file(content, run)
  local folder, remove = shell.folder()
  local path = folder .. "/file.bin"
  shell.write(path, content)
  run(path, folder)
  remove()
end

describe("a message", function()
  it("has the fields a message must have, once", function()
    local facts = read(build())
    assert.same({ { name = "", address = FROM } }, facts.from)
    assert.same({ { name = "", address = TO } }, facts.to)
    assert.equal("s", facts.subject)
    assert.equal("1.0", header(facts, "MIME-Version"))
    assert.matches("^%a%a%a, %d%d? %a%a%a %d%d%d%d %d%d:%d%d:%d%d [+-]%d%d%d%d$",
      header(facts, "Date"))
    assert.matches("^<[a-z2-7]+@example%.com>$", header(facts, "Message-ID"))
    assert.equal("text/plain", facts.structure)
    assert.equal("7bit", facts.parts[1].encoding)
    assert.equal("utf-8", facts.parts[1].charset:lower())
  end)

  it("is answered as it is when it is built already", function()
    local built = build()
    assert.equal(built, (message.new(built)))
    assert.is_true(message.is(built))
    assert.is_false(message.is({}))
  end)

  it("needs a table", function()
    assert.has_error(function()
      message.new("text")
    end, "qqmail.message: a table is expected, not a string")
  end)

  it("takes sender, Reply-To and header fields from the mailer", function()
    local defaults = { from = { "监控", "ops@qq.com" }, reply_to = "help@qq.com",
      headers = { ["X-App"] = "one", ["X-Own"] = "default" } }
    local built = build({ from = "none", headers = { ["x-own"] = "mine" } }, defaults)
    local facts = read(built)
    assert.same({ { name = "监控", address = "ops@qq.com" } }, facts.from)
    assert.same({ { name = "", address = "help@qq.com" } }, facts.reply_to)
    assert.equal("one", header(facts, "X-App"))
    assert.equal("mine", header(facts, "X-Own"))
    assert.equal("ops@qq.com", built.envelope.from)
    assert.matches("@qq%.com>$", built.id)
  end)

  it("has a date in the local time of the moment given", function()
    local facts = read(build({ date = 1764000000.75 }))
    local date = header(facts, "Date")
    local hour, minute, sign, hours, minutes = date:match("(%d%d):(%d%d):%d%d ([+-])(%d%d)(%d%d)$")
    local offset = (tonumber(hours) * 60 + tonumber(minutes)) * (sign == "-" and -1 or 1)
    assert.equal((1764000000 / 60 + offset) % 1440, tonumber(hour) * 60 + tonumber(minute))
    refused({ date = "today" }, "message.bad_value", "date")
    refused({ date = 1e15 }, "message.bad_value", "date")
    refused({ date = 0 / 0 }, "message.bad_value", "date")
  end)

  it("has the same Message-ID for the same key, for ever", function()
    assert.equal("<5nbc2xb67wiy2pfw2v37pyxfre@example.com>", build({ id = "order-42" }).id)
    assert.equal(build({ id = 42 }).id, build({ id = "42" }).id)
    assert.not_equal(build().id, build().id)
    refused({ id = "" }, "message.bad_value", "id")
    refused({ id = {} }, "message.bad_value", "id")
  end)
end)

describe("addresses", function()
  it("come in every form", function()
    local forms = {
      "A B <a@x.org>, c@x.org",
      { "A B <a@x.org>", "c@x.org" },
      { { "A B", "a@x.org" }, "c@x.org" },
      { { name = "A B", address = "a@x.org" }, { address = "c@x.org" } },
      { "A B <a@x.org>, c@x.org" },
      { { "A B", "a@x.org" }, { "", "c@x.org" } },
    }
    local built = {}
    for index, form in ipairs(forms) do
      built[index] = build({ from = { "监控", "a@x.org" }, to = form })
      assert.same({ "a@x.org", "c@x.org" }, built[index].envelope.to)
    end
    for _, facts in ipairs({ read((unpack or table.unpack)(built)) }) do
      assert.same({ { name = "监控", address = "a@x.org" } }, facts.from)
      assert.same({ { name = "A B", address = "a@x.org" }, { name = "", address = "c@x.org" } },
        facts.to)
    end
    assert.same({ "a@x.org" }, build({ to = { "监控", "a@x.org" } }).envelope.to)
    assert.same({ "a@x.org", "b@x.org" }, build({ to = { "a@x.org", "b@x.org" } }).envelope.to)
  end)

  it("have encoded names and plain addresses", function()
    local text = tostring(build({ from = { "监控中心", FROM }, to = { { "Doe, \"J\"", TO } } }))
    assert.matches("From: =%?UTF%-8%?B%?[^?]+%?= <sender@example%.com>\r\n", text)
    assert.matches('To: "Doe, \\"J\\"" <rcpt@example%.com>\r\n', text)
  end)

  it("are each once in the envelope", function()
    local built = build({ to = "a@x.org, b@x.org", cc = "A@x.org, a@X.ORG",
      bcc = { "b@x.org", "hidden@x.org" } })
    assert.same({ from = FROM, to = { "a@x.org", "b@x.org", "A@x.org", "hidden@x.org" },
      utf8 = false }, built.envelope)
  end)

  it("in Bcc never reach the header", function()
    local built = build({ bcc = "hidden@x.org" })
    assert.same({ TO, "hidden@x.org" }, built.envelope.to)
    assert.is_nil(tostring(built):lower():find("bcc", 1, true))
    assert.is_nil(tostring(built):find("hidden", 1, true))
  end)

  it("may all be hidden", function()
    local facts = read(build({ to = "none", bcc = "hidden@x.org" }))
    assert.same({}, facts.to)
    assert.equal("undisclosed-recipients:;", header(facts, "To"))
  end)

  it("for the envelope alone can be given", function()
    local built = build({ envelope = { from = "bounce@x.org", to = { "a@x.org", "b@x.org" } } })
    assert.equal("bounce@x.org", built.envelope.from)
    assert.same({ "a@x.org", "b@x.org" }, built.envelope.to)
    assert.equal("", build({ envelope = { from = "" } }).envelope.from)
    assert.equal("s@x.org", build({ sender = "s@x.org" }).envelope.from)
    refused({ envelope = { form = "x" } }, "message.unknown_field", "envelope.form")
    refused({ envelope = "a@b.c" }, "message.bad_value", "envelope")
    refused({ envelope = { from = "a@b@c" } }, "message.bad_address", "envelope.from", 4)
  end)

  it("in UTF-8 ask for SMTPUTF8, wherever they stand", function()
    assert.is_false(build():handle():needs_utf8())
    assert.is_true(build({ to = "用户@example.com" }):handle():needs_utf8())
    assert.is_true(build({ bcc = "用户@example.com" }):handle():needs_utf8())
    assert.is_true(build({ envelope = { from = "用户@example.com" } }):handle():needs_utf8())
  end)

  it("that are wrong are refused with their place", function()
    refused({ to = "none" }, "message.no_recipients", "to")
    refused({ to = "" }, "message.no_recipients", "to")
    refused({ to = {}, cc = {}, bcc = {} }, "message.no_recipients", "to")
    refused({ from = "none" }, "message.no_sender", "from")
    refused({ to = "good@x.org, bad@@x.org" }, "message.bad_address", "to", 17)
    refused({ to = { "good@x.org", "bad@@x.org" } }, "message.bad_address", "to[2]", 5)
    refused({ cc = { { "n", "bad" } } }, "message.bad_address", "cc[1]", 4)
    refused({ from = "a@x.org, b@x.org" }, "message.bad_address", "from")
    refused({ from = { "a", "b@x.org\r\nX: y" } }, "message.control_character", "from", 8)
    refused({ from = { "a\nb", "b@x.org" } }, "message.control_character", "from.name", 2)
    refused({ to = { { "a", "a@x.org" }, { "b\127", "b@x.org" } } }, "message.control_character",
      "to[2].name", 2)
    refused({ to = 5 }, "message.bad_value", "to")
    refused({ to = { 5 } }, "message.bad_value", "to[1]")
    refused({ to = { adress = TO } }, "message.bad_value", "to")
    refused({ to = { { name = "x" } } }, "message.bad_value", "to[1].address")
  end)
end)

describe("the structure", function()
  local png = { data = "PNG", name = "a.png" }

  it("has the levels that are needed", function()
    local rows = {
      { "text/plain", {} },
      { "text/plain", { text = "none" } },
      { "text/html", { text = "none", html = "<b>" } },
      { "text/html", { text = false, html = "<b>" } },
      { "alternative(text/plain,text/html)", { html = "<b>" } },
      { "mixed(text/plain,image/png)", { attachments = { png } } },
      { "mixed(image/png)", { text = "none", attachments = { png } } },
      { "related(text/html,image/png)", { text = "none", html = "<b>", inline = { a = png } } },
      { "related(alternative(text/plain,text/html),image/png)",
        { html = "<b>", inline = { a = png } } },
      { "mixed(related(alternative(text/plain,text/html),image/png),image/png)",
        { html = "<b>", inline = { a = png }, attachments = { png } } },
      { "alternative(text/plain,text/html,text/calendar)",
        { html = "<b>", calendar = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n" } },
    }
    local built = {}
    for index, row in ipairs(rows) do
      built[index] = build(row[2])
    end
    for index, facts in ipairs({ read((unpack or table.unpack)(built)) }) do
      assert.equal(rows[index][1], facts.structure)
    end
  end)

  it("gives back every body", function()
    local facts = read(build({
      text = "你好\n", html = "<p>你好</p>",
      calendar = { data = "BEGIN:VCALENDAR\r\nMETHOD:CANCEL\r\nEND:VCALENDAR\r\n" },
      inline = { ["logo@x"] = png, [ "b" ] = { data = "second", type = "image/gif" } },
      attachments = { { data = "one\0two\r\n\n", name = "数据.bin" } },
    }))
    local plain, html, calendar, second, logo, data = (unpack or table.unpack)(facts.parts)
    assert.same({ "你好\r\n", "<p>你好</p>" }, { plain.text, html.text })
    assert.equal("CANCEL", calendar.method)
    assert.same({ "<b>", "inline", "image/gif", 6 },
      { second.cid, second.disposition, second.type, second.size })
    assert.same({ "<logo@x>", "inline", "a.png" }, { logo.cid, logo.disposition, logo.name })
    assert.same({ "attachment", "数据.bin", "数据.bin", 10, "base64" },
      { data.disposition, data.name, data.type_name, data.size, data.encoding })
  end)

  it("cannot be broken by what a text holds", function()
    local seen = tostring(build({ html = "<b>" })):match('boundary="(.-)"')
    local text = ("--%s--\n--%s\nX: y\n\n--=_x\n"):format(seen, seen)
    local facts = read(build({ text = text, html = text, attachments = { { data = text } } }))
    assert.equal("mixed(alternative(text/plain,text/html),application/octet-stream)",
      facts.structure)
    assert.equal(text:gsub("\n", "\r\n"), facts.text)
    -- Even with random bytes that come again.
    local random, fixed = core.random, ("x"):rep(16)
    core.random = function()
      return fixed
    end
    local same = tostring(build({ html = "<b>" })):match('boundary="(.-)"')
    text = "--" .. same .. "--\nstill here\n"
    local built = build({ text = text, html = text })
    core.random = random
    assert.matches(same, tostring(built), 1, true)
    assert.equal("alternative(text/plain,text/html)", read(built).structure)
    assert.equal(text:gsub("\n", "\r\n"), read(built).html)
  end)
end)

describe("a text", function()
  it("is encoded as its content needs", function()
    local rows = {
      { "plain\n", "7bit" }, { "", "7bit" }, { ("x"):rep(998) .. "\n", "7bit" },
      { ("x"):rep(999) .. "\n", "quoted-printable" },
      { "caf\195\169 and a lot of plain text beside it\n", "quoted-printable" },
      { "你好，世界。今天的天气很好。\n", "base64" },
      { "escape \27[0m in a line of text\n", "quoted-printable" },
      { "nul \0 in a line of text\n", "quoted-printable" },
      { "one\rtwo\nthree\r\nfour\n", "7bit" },
      { "trailing blanks  \nand\ttabs\t\n", "7bit" },
      { ".\n..\n.x\n", "7bit" },
    }
    local built = {}
    for index, row in ipairs(rows) do
      built[index] = build({ text = row[1] })
    end
    local facts = { read((unpack or table.unpack)(built)) }
    for index, row in ipairs(rows) do
      local expected = row[1]:gsub("\r\n", "\n"):gsub("\r", "\n"):gsub("\n", "\r\n")
      assert.equal(row[2], facts[index].parts[1].encoding)
      assert.equal(expected, facts[index].text)
      assert.is_true(facts[index].lines.ascii)
    end
  end)

  it("goes as 8bit where the server takes it", function()
    local handle = build({ text = "你好\n" }):handle()
    assert.is_true(handle:is_eightbit())
    assert(handle:rewind(true))
    local text = handle:read()
    assert.matches("Content%-Transfer%-Encoding: 8bit\r\n\r\n你好\r\n$", text)
    assert.equal(#text, handle:size(true))
    assert.is_false(build():handle():is_eightbit())
    assert.is_false(build({ text = "你好" .. ("x"):rep(999) }):handle():is_eightbit())
  end)

  it("keeps a missing last line end where that can be", function()
    local facts = { read(build({ text = "你好" }), build({ text = "a \27 b and a few words" }),
      build({ text = "a", html = "b" }), build({ text = "a" })) }
    assert.same({ "你好", "a \27 b and a few words", "a", "a\r\n" },
      { facts[1].text, facts[2].text, facts[3].text, facts[4].text })
    assert.equal("b", facts[3].html)
  end)

  it("comes from a file or a function too", function()
    with_file("你好 from a file\n", function(path)
      local pieces = { "one ", "", "two" }
      local built = build({ text = { path = path }, html = function()
        return table.remove(pieces, 1)
      end })
      local facts = read(built)
      assert.same({ "你好 from a file\r\n", "one two" }, { facts.text, facts.html })
      assert.equal(tostring(built), tostring(built))
    end)
    refused({ text = { path = "/nonexistent" } }, "message.unreadable", "text")
    refused({ html = function() return nil, "no luck" end }, "message.source_failed", "html")
    refused({ html = function() return 5 end }, "message.source_failed", "html")
    refused({ text = 5 }, "message.bad_value", "text")
    refused({ text = {} }, "message.bad_value", "text")
  end)

  it("must be UTF-8, or of the charset named", function()
    refused({ text = "ok \255" }, "message.bad_utf8", "text", 4)
    refused({ html = "ok \228\189" }, "message.bad_utf8", "html", 4)
    local gbk = { text = "\196\227\186\195\n", subject = "\196\227\186\195", charset = "GBK",
      to = { { "\196\227", TO } }, attachments = { { data = "\196", name = "\196\227.txt" } } }
    local facts = read(build(gbk))
    assert.same({ "你好\r\n", "你好", "你" }, { facts.text, facts.subject, facts.to[1].name })
    assert.same({ "你.txt", 1 }, { facts.parts[2].name, facts.parts[2].size })
    assert.is_not_nil(build({ charset = "UTF-8", text = "你好" }))
    with_file("\196\227\186\195\n", function(path)
      assert.equal("你好\r\n", read(build({ charset = "gbk", text = { path = path } })).text)
    end)
    refused({ charset = "gb18030", text = "ok\255" }, "message.bad_text", "text", 3)
    refused({ charset = "no-such" }, "message.bad_charset", "charset")
    refused({ charset = "auto" }, "message.unsupported", "charset")
    refused({ charset = 5 }, "message.bad_value", "charset")
  end)
end)

describe("the header", function()
  it("carries subjects of every kind", function()
    local subjects = { "plain", "", "磁盘告警：使用率 95%", " leading", "trailing ", "two  blanks",
      "=?UTF-8?Q?A=B?=", "emoji \240\159\152\128", ("long "):rep(60) .. "end", ("x"):rep(2000),
      ("长"):rep(300), "a\tb" }
    local built = {}
    for index, subject in ipairs(subjects) do
      built[index] = build({ subject = subject })
    end
    for index, facts in ipairs({ read((unpack or table.unpack)(built)) }) do
      assert.equal(subjects[index], facts.subject)
    end
  end)

  it("has fields of the user's own", function()
    local facts = read(
      build({ headers = { ["X-B"] = "二", ["X-A"] = 1, ["X-C"] = { "one", "two" } } }),
      build({ headers = { { "X-B", "2" }, { "X-A", "1" }, { "X-B", "3" } } }))
    local own = {}
    for _, pair in ipairs(facts.headers) do
      if pair[1]:find("^X%-") then
        own[#own + 1] = pair[1] .. "=" .. pair[2]
      end
    end
    assert.same({ "X-A=1", "X-B=二", "X-C=one", "X-C=two" }, own)
    assert.matches("X%-B: 2\r\nX%-A: 1\r\nX%-B: 3\r\n",
      tostring(build({ headers = { { "X-B", "2" }, { "X-A", "1" }, { "X-B", "3" } } })))
  end)

  it("refuses fields that are made here, telling the option", function()
    for name, option in pairs({ From = "from", to = "to", CC = "cc", bcc = "bcc",
      Subject = "subject", Date = "date", ["Message-Id"] = "id", Sender = "sender",
      ["Reply-To"] = "reply_to", ["In-Reply-To"] = "in_reply_to", References = "references",
      ["Return-Path"] = "envelope.from", ["Resent-Bcc"] = "bcc" }) do
      local err = refused({ headers = { [name] = "x" } }, "message.reserved_header",
        "headers." .. name)
      assert.matches("`" .. option .. "`", err.message, 1, true)
    end
    for _, name in ipairs({ "Content-Type", "MIME-Version", "content-transfer-encoding" }) do
      refused({ headers = { [name] = "x" } }, "message.reserved_header", "headers." .. name)
    end
    refused({ headers = { ["X-Priority"] = "1" }, priority = "high" }, "message.duplicate_header",
      "headers.X-Priority")
    refused({ headers = { { "List-Id", "<a>" }, { "list-id", "<b>" } } },
      "message.duplicate_header", "headers.list-id")
  end)

  it("refuses names and values that could begin a field", function()
    for byte = 0, 255 do
      local c = string.char(byte)
      local built = message.new(spec_with({ headers = { ["X" .. c .. "Y"] = "v" } }))
      assert.equal(byte > 32 and byte < 127 and c ~= ":", built ~= nil)
      built = message.new(spec_with({ headers = { ["X-A"] = "v" .. c .. "w" } }))
      assert.equal((byte >= 32 and byte < 127) or c == "\t", built ~= nil)
      built = message.new(spec_with({ subject = "v" .. c .. "w" }))
      assert.equal((byte >= 32 and byte < 127) or c == "\t", built ~= nil)
    end
    refused({ subject = "a\r\nBcc: x@y.z" }, "message.control_character", "subject", 2)
    refused({ headers = { ["X-A"] = "a\nb" } }, "message.control_character", "headers.X-A", 2)
    refused({ headers = { ["X-A"] = "a\255" } }, "message.bad_utf8", "headers.X-A", 2)
    refused({ headers = { ["X-A\nB"] = "a" } }, "message.bad_header", "headers")
    refused({ headers = { { "X-A", {} } } }, "message.bad_value", "headers.X-A")
    refused({ headers = { "X-A: b" } }, "message.bad_value", "headers[1]")
    refused({ headers = "X-A: b" }, "message.bad_value", "headers")
    refused({ headers = { ["X-A"] = ("a"):rep(1200) } }, "message.line_too_long", "headers.X-A")
    refused({ subject = 5 }, "message.bad_value", "subject")
    refused({ subject = "\255" }, "message.bad_utf8", "subject", 1)
  end)

  it("knows what message it answers", function()
    local facts = read(build({ in_reply_to = "a@x.org", references = { "<b@x.org>", "a@x.org" } }))
    assert.equal("<a@x.org>", header(facts, "In-Reply-To"))
    assert.equal("<b@x.org> <a@x.org>", header(facts, "References"))
    refused({ in_reply_to = "a b>c" }, "message.bad_message_id", "in_reply_to")
    refused({ in_reply_to = "<a@b>\r\nX: y" }, "message.bad_message_id", "in_reply_to")
    refused({ references = { "a@b", "a\0b" } }, "message.bad_message_id", "references[2]")
    refused({ references = "" }, "message.bad_message_id", "references")
  end)

  it("tells the priority", function()
    local facts = read(build({ priority = "high" }))
    assert.equal("1 (Highest)", header(facts, "X-Priority"))
    assert.equal("high", header(facts, "Importance"))
    refused({ priority = "urgent" }, "message.bad_value", "priority")
  end)

  it("says how to unsubscribe", function()
    local facts = read(build({ list_unsubscribe = { "https://x.org/u?a=1,2", "mailto:u@x.org" } }))
    assert.equal("<https://x.org/u?a=1,2>, <mailto:u@x.org>", header(facts, "List-Unsubscribe"))
    assert.equal("List-Unsubscribe=One-Click", header(facts, "List-Unsubscribe-Post"))
    assert.is_nil(header(read(build({ list_unsubscribe = "<mailto:u@x.org>" })),
      "List-Unsubscribe-Post"))
    refused({ list_unsubscribe = "x.org" }, "message.bad_url", "list_unsubscribe")
    refused({ list_unsubscribe = { "https://x.org/a b" } }, "message.bad_url",
      "list_unsubscribe[1]")
    refused({ list_unsubscribe = "https://x.org/>\r\nX: y" }, "message.bad_url",
      "list_unsubscribe")
  end)
end)

describe("an attachment", function()
  it("comes from a file, a string or a function", function()
    with_file("file\0content", function(path, folder)
      local pieces = { "pie", "ces" }
      shell.write(folder .. "/报告.pdf", "%PDF")
      local facts = read(build({ attach = { path, folder .. "/报告.pdf",
        { path = path, name = "other.csv" }, { data = "data", name = "C:\\dir\\d.txt" },
        { read = function() return table.remove(pieces, 1) end, name = "r.zip", size = 6 },
        { data = "no name" } } }))
      local seen = {}
      for index = 2, #facts.parts do
        local part = facts.parts[index]
        seen[#seen + 1] = ("%s %s %s"):format(part.name, part.type, part.size)
        assert.equal(part.name, part.type_name)
        assert.equal("base64", part.encoding)
      end
      assert.same({ "file.bin application/octet-stream 12", "报告.pdf application/pdf 4",
        "other.csv text/csv 12", "d.txt text/plain 4", "r.zip application/zip 6",
        tostring(json.null) .. " application/octet-stream 7" }, seen)
    end)
  end)

  it("keeps any name there can be", function()
    local names = { "a b.txt", 'q"uote.txt', "per%cent.txt", "semi;colon.txt", "star*.txt",
      "emoji \240\159\152\128.txt", ("长"):rep(60) .. ".txt", ("x"):rep(200) .. ".txt", "=?x?=.txt",
      "apos'trophe.txt", "dots...txt" }
    local list = {}
    for index, name in ipairs(names) do
      list[index] = { data = name, name = name }
    end
    local facts = read(build({ attachments = list }))
    for index, name in ipairs(names) do
      assert.equal(name, facts.parts[index + 1].name)
      assert.equal(name, facts.compat[index + 1])
    end
  end)

  it("of a name with control characters is refused", function()
    for byte = 0, 31 do
      refused({ attachments = { { data = "x", name = "a" .. string.char(byte) .. "b" } } },
        "message.control_character", "attachments[1].name", 2)
    end
    refused({ attachments = { { data = "x", name = "a\127" } } }, "message.control_character",
      "attachments[1].name", 2)
    refused({ attachments = { { data = "x", name = "a\255" } } }, "message.bad_utf8",
      "attachments[1].name", 2)
    refused({ attachments = { { data = "x", name = "dir/" } } }, "message.bad_name",
      "attachments[1].name")
    refused({ attachments = { { data = "x", name = ".." } } }, "message.bad_name",
      "attachments[1].name")
  end)

  it("that cannot be is refused before anything is sent", function()
    refused({ attachments = { "/nonexistent/file" } }, "message.unreadable", "attachments[1]")
    refused({ attachments = { "/tmp" } }, "message.unreadable", "attachments[1]")
    refused({ attachments = { { data = "x" }, { path = "/nonexistent" } } }, "message.unreadable",
      "attachments[2]")
    refused({ attach = "/nonexistent" }, "message.unreadable", "attach[1]")
    refused({ attachments = { "a\0b" } }, "message.unreadable", "attachments[1]")
    refused({ attachments = { {} } }, "message.bad_value", "attachments[1]")
    refused({ attachments = { { data = "x", path = "y" } } }, "message.bad_value",
      "attachments[1]")
    refused({ attachments = { { data = 5 } } }, "message.bad_value", "attachments[1].data")
    refused({ attachments = { { data = "x", size = 1.5 } } }, "message.bad_value",
      "attachments[1].size")
    refused({ attachments = { { data = "x", nmae = "y" } } }, "message.unknown_field",
      "attachments[1].nmae")
    refused({ attachments = { 5 } }, "message.bad_value", "attachments[1]")
    refused({ attachments = 5 }, "message.bad_value", "attachments")
    refused({ attachments = {}, attach = {} }, "message.bad_value", "attach")
    refused({ attachments = { { data = "x", type = "text" } } }, "message.bad_type",
      "attachments[1].type")
    refused({ attachments = { { data = "x", type = "message/rfc822" } } }, "message.bad_type",
      "attachments[1].type")
    refused({ attachments = { { data = "x", type = "a/b\r\nX: y" } } },
      "message.control_character", "attachments[1].type", 4)
  end)

  it("inside the HTML needs a content id", function()
    refused({ inline = { ["a b"] = { data = "x" } } }, "message.bad_cid", "inline.a b.cid", 2)
    refused({ inline = { ["a\n"] = { data = "x" } } }, "message.control_character",
      "inline.a?.cid", 2)
    refused({ inline = { { data = "x" } } }, "message.bad_cid", "inline")
    refused({ inline = { a = { data = "x" }, { data = "y", cid = "a" } } }, "message.bad_cid",
      "inline.a")
    refused({ inline = "x" }, "message.bad_value", "inline")
    refused({ inline = { a = "/nonexistent" } }, "message.unreadable", "inline.a")
  end)

  it("in a calendar has a method of letters", function()
    refused({ calendar = { data = "x", method = "A;b=c" } }, "message.bad_value",
      "calendar.method")
    refused({ calendar = 5 }, "message.bad_value", "calendar")
    refused({ calendar = { data = "x", methd = "y" } }, "message.unknown_field", "calendar.methd")
    refused({ calendar = {} }, "message.bad_value", "calendar")
  end)
end)

describe("options", function()
  it("that are unknown are refused with what was meant", function()
    local err = refused({ subjet = "x" }, "message.unknown_field", "subjet")
    assert.matches("did you mean subject?", err.message, 1, true)
    err = refused({ body = "x" }, "message.unknown_field", "body")
    assert.matches("did you mean text?", err.message, 1, true)
    refused({ [1] = "x" }, "message.unknown_field", "1")
    for _, key in ipairs({ "template", "vars", "dsn" }) do
      refused({ [key] = {} }, "message.unsupported", key)
    end
    refused({ deadline = "soon" }, "message.bad_value", "deadline")
    assert.equal(5, build({ deadline = 5 }).deadline)
  end)

  it("come with texts in both languages", function()
    local _, en = message.new(spec_with({ to = "x" }), { lang = "en" })
    local _, zh = message.new(spec_with({ to = "x" }), { lang = "zh" })
    assert.equal("qqmail: to is not a valid address: has no '@' (at byte 1)", tostring(en))
    assert.matches("^qqmail: to 不是有效的地址", tostring(zh))
  end)
end)

describe("a raw message", function()
  local RAW = "From: A <a@x.org>\nTo: b@x.org,\n c@x.org\nBcc: d@x.org,\n\te@x.org\n"
    .. "Message-ID: <1@x.org>\nX-Long: " .. ("y "):rep(60) .. "\n\nbody\n.\nend"

  local function raw(value, envelope, lang)
    return message.new({ raw = value, envelope = envelope }, { lang = lang or "en" })
  end

  it("is sent as it is but for line ends and Bcc", function()
    local built = assert(raw(RAW))
    local expected = RAW:gsub("Bcc:.-\n\t.-\n", ""):gsub("\n", "\r\n") .. "\r\n"
    assert.equal(expected, tostring(built))
    assert.equal(#expected, built:size())
    assert.equal("<1@x.org>", built.id)
    assert.same({ from = "a@x.org", to = { "b@x.org", "c@x.org", "d@x.org", "e@x.org" },
      utf8 = false }, built.envelope)
  end)

  it("may have another envelope", function()
    local built = assert(raw(RAW, { from = "s@x.org", to = "r@x.org" }))
    assert.same({ from = "s@x.org", to = { "r@x.org" }, utf8 = false }, built.envelope)
    built = assert(raw("X: y\n\nbody", { from = "s@x.org", to = "r@x.org" }))
    assert.is_nil(built.id)
    built = assert(raw("Sender: s@x.org\n" .. RAW, { to = "r@x.org" }))
    assert.equal("s@x.org", built.envelope.from)
  end)

  it("comes from a file or a function too", function()
    with_file(RAW, function(path)
      assert.equal(tostring(raw(RAW)), tostring(raw({ path = path })))
    end)
    local pieces = { RAW:sub(1, 50), RAW:sub(51) }
    assert.equal(tostring(raw(RAW)), tostring(raw(function()
      return table.remove(pieces, 1)
    end)))
  end)

  it("that cannot be sent is refused", function()
    local function raw_refused(value, code, position, envelope)
      local built, err = raw(value, envelope)
      assert.is_nil(built)
      assert.same({ code, position }, { err.code, err.position })
    end
    local all = { from = "s@x.org", to = "r@x.org" }
    raw_refused("no field\nBcc: x@y.z\n\n", "message.bad_raw", 1)
    raw_refused("From: a@x.org\nTo: b@x.org\n\na\0b", "message.control_character", 29)
    raw_refused("From: a@x.org\nTo: b@x.org\n\n\n" .. ("x"):rep(999), "message.line_too_long", 29)
    raw_refused("X: " .. ("x"):rep(999), "message.line_too_long", 1, all)
    raw_refused(("X: y\n"):rep(60000), "message.too_large", nil, all)
    raw_refused("From: a@x.org\n\nbody", "message.no_recipients")
    raw_refused("To: a@x.org\n\nbody", "message.no_sender")
    raw_refused("From: a@x.org\nTo: b@@x.org\n\nbody", "message.bad_address", 3)
    raw_refused({ path = "/nonexistent" }, "message.unreadable")
    raw_refused({ path = "/tmp" }, "message.unreadable")
    raw_refused(5, "message.bad_value")
    refused({ raw = RAW, from = "none", to = "none", text = "none" }, "message.raw_conflict",
      "subject")
  end)

  it("of bytes above 127 goes through", function()
    local built = assert(raw("From: a@x.org\nTo: b@x.org\n\n\196\227\n"))
    assert.is_true(built:handle():is_eightbit())
    assert.matches("\r\n\r\n\196\227\r\n$", tostring(built))
  end)
end)

describe("reading", function()
  local function everything()
    return build({ text = ("你好 and more\n"):rep(300), html = "<p>caf\195\169</p>\n.\n",
      attachments = { { data = ("\0\1\2\3"):rep(5000), name = "x" }, "LICENSE" },
      inline = { a = { data = "png" } } })
  end

  it("gives the same bytes whatever the size of the pieces", function()
    local built = everything()
    local whole = tostring(built)
    assert.equal(#whole, built:size())
    for _, len in ipairs({ 1, 2, 3, 7, 77, 4096, 65536, 1000000 }) do
      local pieces = {}
      for piece in built:chunks(len) do
        assert.is_true(#piece <= len and #piece > 0)
        pieces[#pieces + 1] = piece
      end
      assert.is_true(table.concat(pieces) == whole)
    end
  end)

  it("can be repeated, and done twice at a time", function()
    local built = everything()
    local whole = tostring(built)
    local first, second = built:handle(), built:handle()
    assert.not_equal(first, second)
    assert(first:rewind())
    assert(second:rewind())
    local a, b = first:read(1000), second:read(1000)
    a, b = a .. first:read(1000000), b .. second:read(1000000)
    assert.is_true(a == whole and b == whole)
    assert.is_nil(first:read())
    assert(first:rewind())
    assert.is_true(first:read(1000000) == whole)
    assert.is_true(tostring(built) == whole)
    collectgarbage()
    assert(second:rewind(true))
    assert.equal(#second:read(1000000), built:size(true))
  end)

  it("notices a file that changed", function()
    with_file("content", function(path)
      local built = build({ attachments = { path } })
      shell.write(path, "other content")
      local ok, err = pcall(tostring, built)
      assert.is_false(ok)
      assert.same({ "message.source_changed", "attachments[1]" }, { err.code, err.field })
      ok, err = built:save(path .. ".eml")
      assert.is_nil(ok)
      assert.equal("message.source_changed", err.code)
      assert.is_nil(io.open(path .. ".eml"))
      local handle = built:handle()
      assert(handle:rewind())
      local bytes, name
      repeat
        bytes, name = handle:read(10)
      until not bytes
      assert.equal("source_changed", name)
    end)
  end)

  it("asks a reader function for more, once", function()
    local calls = 0
    local built = build({ text = "none", attachments = { { read = function(len)
      assert.equal(65536, len)
      calls = calls + 1
      return calls <= 3 and ("piece %d "):format(calls) or nil
    end } } })
    assert.is_nil(built:size())
    local handle = built:handle()
    assert.equal(handle, built:handle())
    assert(handle:rewind())
    local text = ""
    while true do
      local bytes, name = handle:read(40)
      if name == "again" then
        assert(built:refill())
      elseif not bytes then
        break
      end
      text = text .. (bytes or "")
    end
    assert.equal(4, calls)
    assert.equal(24, read(text).parts[1].size)
    local ok, err = pcall(tostring, built)
    assert.is_false(ok)
    assert.equal("message.not_repeatable", err.code)
  end)

  it("fails where a reader fails", function()
    local function failing(read_piece, size)
      local built = build({ attachments = { { read = read_piece, size = size } } })
      local ok, err = pcall(tostring, built)
      assert.is_false(ok)
      assert.equal("attachments[1]", err.field)
      return err.code
    end
    assert.equal("message.source_failed", failing(function() return nil, "gone" end))
    assert.equal("message.source_failed", failing(function() return true end))
    assert.equal("message.source_failed", failing(function() return "" end))
    assert.equal("message.source_changed", failing(function() return nil end, 5))
    assert.equal("message.source_changed", failing(function() return "123456" end, 5))
  end)

  it("saves the whole message or nothing", function()
    local built = everything()
    with_file("old", function(path, folder)
      assert.is_true(built:save(path))
      local file = assert(io.open(path, "rb"))
      assert.is_true(file:read("*a") == tostring(built))
      file:close()
      local ok, err = built:save(folder .. "/no/such/folder")
      assert.is_nil(ok)
      assert.equal("message.not_saved", err.code)
      assert.equal("file.bin\n", (shell.run("ls " .. folder)))
    end)
  end)

  it("of a closed handle raises", function()
    local handle = build():handle()
    handle:close()
    handle:close()
    assert.has_error(function()
      handle:read()
    end)
  end)
end)

describe("core.message", function()
  local function field_error(spec)
    spec.boundary = ("b"):rep(26)
    local handle, name, _, field, position = core.message(spec)
    assert.is_nil(handle)
    return name, field, position
  end

  it("answers name, place and position", function()
    assert.same({ "control_character", "headers[2]", 2 }, { field_error({
      headers = { { name = "A", text = "b" }, { name = "B", text = "c\n" } } }) })
    assert.same({ "syntax", "headers[1][2].address", 3 }, { field_error({
      headers = { { name = "To",
        addresses = { { address = "a@b.c" }, { address = "a@@" } } } } }) })
    assert.same({ "bad_utf8", "html", 2 }, { field_error({ html = { data = "x\255" } }) })
    assert.same({ "system", "attachments[2]", 1 }, { field_error({
      attachments = { { source = { data = "" } }, { source = { path = "/none" } } } }) })
    assert.same({ "non_ascii", "headers[1]", 1 }, { field_error({
      headers = { { name = "A", raw = "你" } } }) })
    assert.same({ "misuse", "headers[1]", 1 }, { field_error({ headers = { { name = "A" } } }) })
  end)

  it("raises for wrong types", function()
    for _, spec in ipairs({ { headers = 5 }, { headers = { 5 } }, { text = 5 },
      { attachments = { {} } }, { attachments = { { source = { read = 5 } } } },
      { headers = { { name = 5, text = "x" } } }, { boundary = 5 } }) do
      assert.has_error(function()
        core.message(spec)
      end)
    end
  end)

  it("keeps alive what it points at", function()
    local function make()
      return assert(core.message({ boundary = ("b"):rep(26),
        text = { data = ("x"):rep(100) .. "\n" },
        attachments = { { name = "n" .. tostring({}), source = { data = ("y"):rep(1000) } } } }))
    end
    local handle = make()
    local copy = assert(handle:copy())
    collectgarbage()
    collectgarbage()
    assert(handle:rewind())
    local whole = handle:read(10000)
    handle:close()
    handle = nil -- luacheck: ignore
    collectgarbage()
    assert(copy:rewind())
    assert.equal(whole, copy:read(10000))
  end)

  it("hashes text the same way in every version", function()
    assert.equal("5nbc2xb67wiy2pfw2v37pyxfre", core.hash("order-42"))
    assert.equal("uoax6bf2ewuom3pwoikmovicsm", core.hash(""))
  end)
end)
