-- The preflight: each finding has a message that shows it, and one close to it that
-- does not.
local errors = require "qqmail.errors"
local lint_header = require "qqmail.lint.header"
local messages = require "spec.support.messages"
local message = require "qqmail.message"
local providers = require "qqmail.providers"
local texts = require "qqmail.lint.texts"

local QQ = { provider = "qq", user = "10001@qq.com" }
local FROM_QQ = { from = "10001@qq.com" }

local function many(count, domain)
  local list = {}
  for index = 1, count do
    list[index] = ("u%d@%s"):format(index, domain or "example.com")
  end
  return list
end

local function merged(base, more)
  local out = {}
  for _, table_ in ipairs({ base, more or {} }) do
    for key, value in pairs(table_) do
      out[key] = value
    end
  end
  return out
end

local DATE = "Wed, 25 Nov 2020 01:21:11 +0000"
local NOW = os.date("!%a, %d %b %Y %H:%M:%S +0000")

-- A raw message that nothing is wrong with, but for what is given.
local function raw(fields, body)
  local head = { From = "a <a@example.com>", To = "b@example.com", Subject = "Report of today",
    Date = NOW, ["Message-ID"] = "<1@example.com>", ["Content-Type"] = "text/plain" }
  local lines = {}
  for name, value in pairs(merged(head, fields)) do
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      if one then
        lines[#lines + 1] = name .. ": " .. one .. "\r\n"
      end
    end
  end
  return { raw = table.concat(lines) .. "\r\n" .. (body or "Good morning.\r\n"),
    envelope = { from = "a@example.com", to = "b@example.com" } }
end

local function build(spec)
  if not spec.raw then
    spec = messages.spec_with(merged({ subject = "Report of today", text = "Good morning.\n" },
      spec))
  end
  local built, err = message.new(spec, { lang = "en" })
  assert.is_table(built, tostring(err))
  return built
end

local function find(list, code)
  for _, finding in ipairs(list) do
    if finding.code == code then
      return finding
    end
  end
end

-- `bad` and `good`: fields of the message. `with`: what lint gets; `good_with` for
-- the good one. `field`, `severity`: of the finding.
local CASES = {
  { "lint.from_missing", bad = raw { From = { false } }, good = raw(), field = "from",
    severity = "error" },
  { "lint.from_form", bad = raw { From = "=?utf-8?q?u=40qq=2Ecom?=" },
    good = raw { From = "=?utf-8?B?5py65Zmo5Lq6?= <a@example.com>" }, field = "from",
    with = "qq", severity = "error" },
  { "lint.from_form", bad = raw { From = "a<a@example.com>" },
    good = raw { From = "a@example.com" }, field = "from", severity = "warning" },
  { "lint.from_not_ascii", bad = { from = "张三@example.com" }, good = { from = "张三 <a@b.cn>" },
    field = "from", with = "qq", severity = "error" },
  { "lint.from_name_address", bad = { from = { "boss@bank.com", "a@example.com" } },
    good = { from = { "the boss @ bank", "a@example.com" } }, field = "from",
    severity = "warning" },
  { "lint.from_name_address", bad = { from = { "a@example.com", "a@example.com" } },
    good = { from = "a@example.com" }, field = "from", severity = "advice" },
  { "lint.from_not_login", bad = { from = "10002@qq.com" }, good = { from = "10001@QQ.com" },
    with = QQ, field = "from", severity = "error" },
  { "lint.from_not_login", bad = { from = "b@sina.com" }, good = { from = "a@sina.com" },
    with = { provider = "sina", user = "a@sina.com" }, field = "from", severity = "warning" },
  { "lint.from_not_login", bad = { from = "a@xn--fsqu01a.cn" }, good = { from = "a@例子.cn" },
    with = { provider = "exmail", user = "a@例子.cn" }, field = "from", severity = "error" },
  { "lint.from_alias", bad = { from = "b@example.com" }, good = { from = "a@gmail.com" },
    with = { provider = "gmail", user = "a@gmail.com" }, field = "from", severity = "advice" },
  { "lint.from_not_of_provider", bad = { from = "a@163.com" }, good = { from = "a@foxmail.com" },
    with = "qq", field = "from", severity = "warning" },
  { "lint.from_unverifiable", bad = FROM_QQ, good = { from = "news@example.com" },
    with = "sendgrid", field = "from", severity = "warning" },
  { "lint.sender_not_login", bad = merged(FROM_QQ, { sender = "10002@qq.com" }),
    good = merged(FROM_QQ, { sender = "10001@qq.com" }), with = QQ, field = "sender",
    severity = "warning" },
  { "lint.envelope_not_login", bad = merged(FROM_QQ, { envelope = { from = "10002@qq.com" } }),
    good = FROM_QQ, with = QQ, field = "envelope.from", severity = "error" },
  { "lint.envelope_not_login", bad = merged(FROM_QQ, { envelope = { from = "" } }), good = FROM_QQ,
    with = QQ, field = "envelope.from", severity = "error" },
  { "lint.envelope_not_from", bad = { from = "a@163.com", envelope = { from = "b@163.com" } },
    good = { from = "a@163.com" }, with = "163", field = "envelope.from", severity = "error" },

  { "lint.recipient_not_ascii", bad = { to = "张三@example.com" }, good = { to = "张三 <a@b.cn>" },
    field = "to", severity = "warning" },
  { "lint.recipients_visible", bad = { to = many(21) }, good = { to = many(20) }, field = "to",
    severity = "advice" },
  { "lint.recipients_visible", bad = { to = many(51) }, good = { to = "none", bcc = many(51) },
    field = "to", severity = "warning" },
  { "lint.too_many_recipients", bad = { bcc = many(101) }, good = { bcc = many(99) }, field = "to",
    severity = "advice" },
  { "lint.too_many_recipients", bad = { bcc = many(101) }, good = { bcc = many(99) },
    with = "mailpit", field = "to", severity = "error" },
  { "lint.copies_unsupported", bad = { cc = "c@example.com" }, good = { bcc = "c@example.com" },
    with = "tencent-ses", field = "cc", severity = "warning" },
  { "lint.reply_to_unsupported", bad = { reply_to = "c@example.com" }, good = {},
    with = "tencent-ses", field = "reply_to", severity = "warning" },
  { "lint.bulk_unsubscribe", bad = { headers = { Precedence = "bulk" } }, good = {},
    field = "list_unsubscribe", severity = "warning" },
  { "lint.bulk_unsubscribe", bad = raw { ["List-Id"] = "<x.example.com>" }, good = raw(),
    field = "list_unsubscribe", severity = "warning" },
  { "lint.bulk_unsubscribe", bad = {}, good = { list_unsubscribe = "https://example.com/u" },
    with = { bulk = true }, field = "list_unsubscribe", severity = "warning" },
  { "lint.bulk_one_click",
    bad = { to = "x@gmail.com", list_unsubscribe = "mailto:u@example.com" },
    good = { to = "x@gmail.com", list_unsubscribe = "https://example.com/u" },
    with = { bulk = true }, field = "list_unsubscribe", severity = "advice" },

  { "lint.subject_missing", bad = { subject = " " }, good = {}, field = "subject",
    severity = "warning" },
  { "lint.subject_test", bad = { subject = "Test!" }, good = { subject = "Test report" },
    field = "subject", severity = "advice" },
  { "lint.subject_test", bad = { subject = "测试" }, good = { subject = "测试环境磁盘告警" },
    with = "163", field = "subject", severity = "warning" },
  { "lint.subject_test", bad = raw { Subject = "=?UTF-8?B?5rWL6K+V?=" }, good = raw(),
    with = "qq", field = "subject", severity = "warning" },
  { "lint.subject_long", bad = { subject = ("磁"):rep(40) }, good = { subject = ("磁"):rep(39) },
    field = "subject", severity = "advice" },
  { "lint.date_off", bad = { date = os.time() + 3 * 86400 }, good = { date = os.time() - 3600 },
    field = "date", severity = "warning" },
  { "lint.date_off", bad = raw { Date = DATE }, good = raw(), field = "date",
    severity = "warning" },
  { "lint.date_missing", bad = raw { Date = { false } }, good = raw(), field = "date",
    severity = "warning" },
  { "lint.date_missing", bad = raw { Date = "tomorrow" }, good = raw(), field = "date",
    severity = "warning" },
  { "lint.message_id_missing", bad = raw { ["Message-ID"] = { false } }, good = raw(),
    field = "raw", severity = "warning" },
  { "lint.duplicate_field", bad = raw { Subject = { "one", "two" } },
    good = raw { Received = { "one", "two" } }, field = "raw", severity = "error" },
  { "lint.header_not_ascii", bad = raw { Subject = "你好" }, good = raw { ["X-Note"] = "你好" },
    with = "gmail", field = "raw", severity = "error" },
  { "lint.encoded_word_long", bad = raw { Subject = "=?utf-8?b?" .. ("5rWL"):rep(20) .. "?=" },
    good = raw { Subject = "=?utf-8?b?" .. ("5rWL"):rep(12) .. "?=" }, field = "raw",
    severity = "advice" },
  { "lint.encoded_word_quoted", bad = raw { From = '"=?utf-8?b?5rWL?=" <a@example.com>' },
    good = raw { From = "=?utf-8?b?5rWL?= <a@example.com>" }, field = "raw",
    severity = "advice" },
  { "lint.bare_cr", bad = raw({}, "one\rtwo\r\n"), good = raw({}, "one\ntwo\r\n"), field = "raw",
    severity = "warning" },

  { "lint.too_large", bad = { text = ("line\n"):rep(300) }, good = {},
    with = { size = 1000 }, field = "attachments", severity = "error" },
  { "lint.too_large", bad = { attachments = { { read = function() end, size = 60000000,
    name = "a.zip" } } }, good = {}, with = "qq", field = "attachments", severity = "error" },
  { "lint.large", bad = { attachments = { { read = function() end, size = 30000000,
    name = "a.zip" } } }, good = {}, with = "qq", field = "attachments", severity = "advice" },
  { "lint.size_unknown", bad = { attachments = { { read = function() end, name = "a.zip" } } },
    good = {}, field = "attachments", severity = "advice" },
  { "lint.body_empty", bad = { text = " \n" }, good = {}, field = "text", severity = "warning" },
  { "lint.body_empty", bad = { text = "none", html = "<p><br>&nbsp;</p>" },
    good = { text = "none", html = "<p>x</p>" }, field = "text", severity = "warning" },
  { "lint.body_empty", bad = { text = "none", attachments = { { data = "x", name = "a.txt" } } },
    good = { attachments = { { data = "x", name = "a.txt" } } }, field = "text",
    severity = "advice" },
  { "lint.no_text", bad = { text = false, html = "<p>Good morning.</p>" },
    good = { html = "<p>Good morning.</p>" }, field = "text", severity = "advice" },
  { "lint.no_text", bad = raw { ["Content-Type"] = "text/html" }, good = raw(), field = "raw",
    severity = "advice" },
  { "lint.no_text",
    bad = raw({ ["Content-Type"] = "multipart/mixed; boundary=x" },
      "--x\r\nContent-Type: text/html\r\n\r\n<p>\r\n--x--\r\n"),
    good = raw({ ["Content-Type"] = "multipart/mixed; boundary=x" },
      "--x\r\nContent-Type: text/plain\r\n\r\na\r\n--x\r\nContent-Type: text/html\r\n\r\n<p>\r\n"
      .. "--x--\r\n"), field = "raw", severity = "advice" },
  { "lint.charset_guessed",
    bad = { charset = "auto", subject = "\178\226\202\212\177\168\184\230" },
    good = { charset = "auto", subject = "测试报告" }, field = "subject", severity = "advice" },
  { "lint.html_images_only", bad = { html = "<style>a{b:c}</style><img src=cid:a>" },
    good = { html = "<img src=cid:a>Hi" }, field = "html", severity = "warning" },
  { "lint.mojibake", bad = { subject = "Caf\195\131\194\169" }, good = { subject = "Café Ã" },
    field = "subject", severity = "warning" },
  { "lint.mojibake", bad = { text = "锟斤拷锟斤拷\n" }, good = { text = "锟 斤拷\n" }, field = "text",
    severity = "warning" },
  { "lint.mojibake", bad = { html = "<p>a\239\191\189" }, good = { html = "<p>a\239\191\188" },
    field = "html", severity = "warning" },
  { "lint.mojibake", bad = { text = "\195\164\194\184\194\173\n" }, good = { text = "ä ü ß\n" },
    field = "text", severity = "warning" },
  { "lint.invisible", bad = { subject = "Re\226\128\139port" },
    good = { subject = "👨\226\128\141👩" }, field = "subject", severity = "warning" },
  { "lint.invisible", bad = { from = { "\239\187\191监控", "a@example.com" } },
    good = { from = { "监控", "a@example.com" } }, field = "from", severity = "warning" },
  { "lint.placeholder", bad = { subject = "Dear ${name}" }, good = { subject = "You owe $5" },
    field = "subject", severity = "warning" },
  { "lint.placeholder", bad = { subject = "%s is down" }, good = { subject = "100%secure" },
    field = "subject", severity = "warning" },
  { "lint.placeholder", bad = { text = "Hi {{ user.name }},\n" },
    good = { text = "{{1, 2}, {3}}\n" }, field = "text", severity = "warning" },
  { "lint.placeholder", bad = { html = "<p><%= name %>" }, good = { html = "echo ${HOME} %s\n" },
    field = "html", severity = "warning" },
  { "lint.lua_value", bad = { text = "total: table: 0x55d0c0ffee00\n" },
    good = { text = "see table: 0x5\n" }, field = "text", severity = "warning" },

  { "lint.html_remote_image", bad = { html = '<p>Hi<img src="https://example.com/a.png">' },
    good = { html = '<p>Hi<!-- <img src="https://example.com/a.png"> -->' }, field = "html",
    severity = "advice" },
  { "lint.html_data_image",
    bad = { html = "<p>Hi<IMG alt='a > b' SRC = 'data:image/png;base64,AA'>" },
    good = { html = "<p>Hi<img src=a.png title='data:x'>" }, field = "html",
    severity = "warning" },
  { "lint.html_script", bad = { html = "<p>Hi<script>1 < 2</script>" },
    good = { html = "<p>Hi &lt;script&gt;" }, field = "html", severity = "warning" },
  { "lint.html_form", bad = { html = "<p>Hi<form action=x></form>" },
    good = { html = "<p>Hi<format>" }, field = "html", severity = "warning" },
  { "lint.html_stylesheet", bad = { html = "<p>Hi<link rel=stylesheet href=a.css>" },
    good = { html = "<p>Hi<style>p{color:red}</style>" }, field = "html", severity = "advice" },
  { "lint.html_stylesheet", bad = { html = "<p>Hi<style>@import 'a.css';</style>" },
    good = { html = "<p>Hi<link rel=icon href=a.png>" }, field = "html", severity = "advice" },
  { "lint.html_remote_image",
    bad = { html = '<table background="https://a.test/b.png"><tr><td>Hi</table>' },
    good = { html = '<table background="cid:b"><tr><td>Hi</table>',
      inline = { b = { data = "x", name = "b.png" } } }, field = "html", severity = "advice" },
  { "lint.html_link_host",
    bad = { html = '<a href="https://bank.example.org/x">https://<b>www.bank.com</b></a>' },
    good = { html = '<a href="https://click.bank.com/x">https://www.bank.com/</a>' },
    field = "html", severity = "warning" },
  { "lint.html_link_host", bad = { html = '<a href="http://a.com.cn">www.b.com.cn</a>' },
    good = { html = '<a href="http://m.b.com.cn">www.b.com.cn</a>' }, field = "html",
    severity = "warning" },
  { "lint.html_link_host", bad = { html = '<a href="https://example.org">www.example.com</a>' },
    good = { html = '<a href="https://example.com/">www.example.com</a>' }, field = "html",
    severity = "warning" },
  { "lint.html_link_host", bad = { html = "<a href=http://qq.com@evil.com/>http://qq.com</a>" },
    good = { html = "<a href=http://evil.com/>our site</a>" }, field = "html",
    severity = "warning" },
  { "lint.cid_missing", bad = { html = "<p>Hi<img src=cid:a>" },
    good = { html = "<p>Hi<img src=cid:a%40b>",
      inline = { ["a@b"] = { data = "x", name = "a.png" } } }, field = "html",
    severity = "warning" },
  { "lint.cid_unused", bad = { html = "<p>Hi", inline = { a = { data = "x", name = "a.png" } } },
    good = { html = "<p style='background:url(cid:a)'>Hi",
      inline = { a = { data = "x", name = "a.png" } } }, field = "inline.a",
    severity = "advice" },
  { "lint.inline_filtered",
    bad = { html = "<p>Hi<img src=cid:a>", inline = { a = { data = "x", name = "a.png" } } },
    good = { html = "<p>Hi" }, with = "126", field = "inline", severity = "advice" },
  { "lint.inline_unsupported",
    bad = { html = "<p>Hi<img src=cid:a>", inline = { a = { data = "x", name = "a.png" } } },
    good = { html = "<p>Hi" }, with = "tencent-ses", field = "inline", severity = "warning" },
}

local function attached(name, more)
  return { attachments = { merged({ data = "x", name = name }, more) } }
end

for _, row in ipairs({
  { "lint.attachment_refused", "setup.EXE", "setup.exe.txt", "", "warning" },
  { "lint.attachment_refused", "report.pdf.js", "report.json", "", "warning" },
  { "lint.attachment_no_extension", "README", "README.md", ".name", "advice" },
  { "lint.attachment_name_long", ("报"):rep(66) .. ".txt", ("报"):rep(65) .. ".txt", ".name",
    "advice" },
  { "lint.attachment_name_characters", "12:30 report.pdf", "12-30 report.pdf", ".name",
    "warning" },
  { "lint.attachment_name_end", "report.pdf ", "my report.pdf", ".name", "warning" },
  { "lint.attachment_name_direction", "invoice\226\128\174fdp.zip", "发票.zip", ".name", "warning" },
  { "lint.mojibake", "\239\191\189.pdf", "报表.pdf", ".name", "warning" },
}) do
  CASES[#CASES + 1] = { row[1], bad = attached(row[2]), good = attached(row[3]),
    field = "attachments[1]" .. row[4], severity = row[5] }
end

for _, row in ipairs({
  { "lint.attachment_refused", bad = attached("a.bat"), good = attached("a.txt"), with = "163",
    field = "attachments[1]", severity = "error" },
  { "lint.attachment_type", bad = attached("a.pdf", { type = "image/png" }),
    good = attached("a.csv", { type = "application/vnd.ms-excel" }),
    field = "attachments[1].type", severity = "warning" },
  { "lint.attachment_empty", bad = attached("a.txt", { data = "" }), good = attached("a.txt"),
    field = "attachments[1]", severity = "warning" },
  { "lint.attachment_twice",
    bad = { attachments = { { data = "x", name = "a.txt" }, { data = "y", name = "A.txt" } } },
    good = { attachments = { { data = "x", name = "a.txt" }, { data = "y", name = "b.txt" } } },
    field = "attachments[2].name", severity = "advice" },
}) do
  CASES[#CASES + 1] = row
end

describe("message:lint", function()
  for number, case in ipairs(CASES) do
    local code = case[1]
    it(("tells %s (%d) where it is so, and only there"):format(code, number), function()
      local list = assert(build(case.bad):lint(case.with))
      local finding = find(list, code)
      assert.is_table(finding, tostring(list))
      assert.equal(case.field, finding.field)
      assert.equal(case.severity, finding.severity)
      assert.is_nil(find(assert(build(case.good):lint(case.with)), code))
      for _, other in ipairs(list) do
        local said = (other.text .. other.hint):gsub("%${name}", "")
        assert.is_nil(said:find("%f[{]{%a+}%f[^}]"), said)
      end
    end)
  end

  it("has a case for every code", function()
    local missing = {}
    for code in pairs(texts) do
      -- Those of certificates are in smime_spec.lua, which has some.
      missing[code] = not code:find("^lint%.smime_") or nil
    end
    for _, case in ipairs(CASES) do
      missing[case[1]] = nil
    end
    assert.same({}, missing)
  end)

  it("looks into files", function()
    messages.with_file("Hi {{name}}\n", function(path)
      local list = assert(build({ text = { path = path } }):lint())
      assert.equal("lint.placeholder", list[1].code)
      assert.equal("text", list[1].field)
    end)
    messages.with_file("", function(path)
      local list = assert(build({ attachments = { { path = path, name = "a.txt" } } }):lint())
      assert.is_table(find(list, "lint.attachment_empty"))
    end)
    messages.with_file(raw({ Subject = "test" }, "a\rb\r\n").raw, function(path)
      local list = assert(build({ raw = { path = path } }):lint())
      assert.is_table(find(list, "lint.bare_cr"))
      assert.is_table(find(list, "lint.subject_test"))
    end)
  end)

  it("puts the worst first, and counts", function()
    local list = assert(build({ subject = "测试", from = "10002@qq.com",
      html = "<script></script>Hi<img src=http://a/b>" }):lint(QQ))
    assert.equal("lint.from_not_login", list[1].code)
    assert.same({ error = 1, warning = 2, advice = 1 }, list.counts)
    assert.equal("lint.html_remote_image", list[4].code)
    assert.equal(4, #list)
  end)

  it("takes a key, a preset or a table, and what it finds is the same", function()
    local built = build({ from = "a@163.com" })
    local one = tostring((built:lint("qq")))
    assert.equal(one, tostring((built:lint(providers.qq))))
    assert.equal(one, tostring((built:lint({ provider = "QQ" }))))
    assert.matches("no address of QQ Mail", one, 1, true)
    assert.equal("nothing to object", tostring((built:lint())))
  end)

  it("refuses a provider or an option it does not know", function()
    local list, err = build({}):lint("q")
    assert.is_nil(list)
    assert.is_true(errors.is(err))
    assert.equal("config.unknown_provider", err.code)
    assert.matches('"qq"', err.message, 1, true)
    list, err = build({}):lint({ sise = 1 })
    assert.is_nil(list)
    assert.equal("config.unknown_option", err.code)
    assert.matches('"size"', err.message, 1, true)
    for _, wrong in ipairs({ 1, true, { user = 1 }, { provider = {} } }) do
      assert.error_matches(function()
        build({}):lint(wrong)
      end, "message:lint: ")
    end
  end)

  it("speaks the language of the message", function()
    local built = assert(message.new(messages.spec_with({ subject = "测试", from = "a@163.com" }),
      { lang = "zh" }))
    local text = tostring((built:lint("qq")))
    assert.matches("警告：subject：主题只有“测试”。", text, 1, true)
    assert.matches("不是 QQ 邮箱的地址", text, 1, true)
    assert.matches("QQ 邮箱只接受以登录地址为发件人的邮件（否则返回 501）。", text, 1, true)
  end)

  it("says one line for each, whatever is in the message", function()
    local built = build({ attachments = { { data = "x", name = "a\194\133b?.pdf" },
      { data = "x", name = ("long "):rep(30) .. "?.pdf" } } })
    local list = assert(built:lint())
    local _, breaks = tostring(list):gsub("\n", "")
    assert.equal(#list - 1, breaks)
    assert.is_nil(tostring(list[1]):find("%c"))
  end)

  it("tells of the same mistake five times at most", function()
    local html = ('<a href="http://a.com">http://b.com</a>'):rep(50)
    local list = assert(build({ html = html }):lint())
    assert.equal(5, #list)
  end)

  it("has all texts in both languages", function()
    for code, row in pairs(texts) do
      for _, text in ipairs({ row.en, row.zh, row.hint.en, row.hint.zh }) do
        assert.is_true(#text > 5, code)
      end
      local slots = {}
      for name in (row.en .. row.hint.en):gmatch("{(%a+)}") do
        slots[name] = true
      end
      local slots_zh = {}
      for name in (row.zh .. row.hint.zh):gmatch("{(%a+)}") do
        slots_zh[name] = true
      end
      for name in pairs(slots_zh) do
        assert.is_true(slots[name], code .. " " .. name)
      end
    end
  end)
end)

-- --- false alarms -------------------------------------------------------------------

local ORDINARY = {
  { from = "监控 <10001@qq.com>", subject = "磁盘告警", text = "根分区已使用 91%。\n" },
  { from = "10001@qq.com", to = { "a@qq.com", "李四 <b@163.com>" }, cc = "c@example.com",
    subject = "Re: [prod] disk 91% on db-1 — fix it!", text = "df -h\n/dev/sda1 ${HOME} %s\n" },
  { from = { "张三", "10001@qq.com" }, subject = "十一月报表",
    text = "报表见附件。\n", html = '<p>报表见附件。<img src="cid:logo" alt=""></p>',
    inline = { logo = { data = "x", name = "logo.png", type = "image/png" } },
    attachments = { { data = "x", name = "报表.csv", type = "text/csv; charset=utf-8" },
      { data = "x", name = "backup-2026.tar.gz" }, { data = "x", name = "notes (1).docx" } } },
  { from = "10001@qq.com", subject = "Newsletter", text = "Read it at https://example.com\n",
    html = '<html><head><title>N</title><style>p{}</style></head><body><p>Hi <a href='
      .. '"https://example.com/a?b=1&amp;c=2">read it</a> or <a href="mailto:a@example.com">'
      .. 'a@example.com</a></p></body></html>', list_unsubscribe = "https://example.com/u",
    headers = { Precedence = "bulk" } },
  { from = "10001@qq.com", subject = "会议：下周三 14:00–15:00", text = "见附件",
    calendar = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n" },
}

describe("an ordinary mail", function()
  for number, spec in ipairs(ORDINARY) do
    it("raises nothing: " .. number, function()
      assert.equal("nothing to object", tostring((build(spec):lint(QQ))))
    end)

    it("raises nothing as a raw one: " .. number, function()
      local built = build({ raw = tostring(build(spec)) })
      assert.equal("nothing to object", tostring((built:lint(QQ))))
    end)
  end
end)

describe("the Date of a mail", function()
  it("is understood in all its forms", function()
    for text, seconds in pairs({
      ["Thu, 01 Jan 1970 00:00:00 +0000"] = 0,
      ["Thu, 1 Jan 1970 08:00:00 +0800"] = 0,
      ["1 Jan 1970 00:00 -0100"] = 3600,
      ["Thu, 29 Feb 2024 23:59:59 GMT"] = 1709251140,
      ["Wed, 25 Nov 2026 01:21:11 +0000 (UTC)"] = 1795569660,
    }) do
      -- Seconds within a minute are of no interest.
      assert.equal(seconds, lint_header.seconds(text), text)
    end
    for _, text in ipairs({ "", "today", "2026-11-25", "Wed, 25 Foo 2026 01:21:11 +0000" }) do
      assert.is_nil(lint_header.seconds(text))
    end
  end)
end)

describe("hostile HTML", function()
  local SIZE = 250000

  -- A time that grew with the square of the length would be minutes here.
  local function lint(unit)
    return assert(build({ html = "<p>" .. unit:rep(math.floor(SIZE / #unit)) }):lint())
  end

  for _, unit in ipairs({ "<", "<a", "<a '", '<a "', "<!--", "<script>", "<a href=", "<a href=' ",
    "<img src=cid:", "{{", "<a x=\"'", "</a>", "<a href=http://", "&nbsp;", "=?u?q?", " ",
    "<a href=http://a>http://b.c", "<style>", "${a", "table: 0x" }) do
    it("is looked through: " .. unit, function()
      assert.is_table(lint(unit))
    end)
  end
end)
