--- Messages of every structure, and what any reader must make of them.
--
-- A row is `{ name, spec, want }`. `want` has the words of `judges.words_of_...`;
-- `from`, `to` and `subject` are the usual ones where it does not say, texts,
-- parts and copies are none. A part is written with its `data`. `calendar` is what
-- ical.js must find, in each part that is one. Where a parser is wrong and the
-- message is right, `but = { mailparser = { why =, key = value } }` holds what it
-- says instead, and why.

local codec = require("qqmail.core").codec
local template = require "qqmail.template"

local M = {}

M.FROM, M.TO = "sender@example.com", "rcpt@example.com"
M.SUBJECT = "A subject 和主题 😀"

local rows = {}

local function row(name, spec, want, but)
  rows[#rows + 1] = { name = name, spec = spec, want = want, but = but or {} }
end

local function person(name, address)
  return { { name = name, address = address } }
end

local function file(name, type, data)
  return { name = name, type = type, data = data, disposition = "attachment" }
end

local function image(cid, name, data)
  return { name = name, type = "image/png", data = data, cid = "<" .. cid .. ">",
    disposition = "inline" }
end

local function content_of(path)
  local stream = assert(io.open(path, "rb"))
  local data = stream:read("*a")
  stream:close()
  return data
end

local PNG = "\137PNG\r\n\26\n\0\0\0\13IHDR"
local TEXT = "你好，world\n\n-- \n第二行\n"
local HTML = "<p>你好，<b>world</b> &amp; more</p>\n<p>第二行</p>\n"
local CID_HTML = '<p>你好</p><img src="cid:logo"><img src="cid:b@x">\n'

-- --- texts ------------------------------------------------------------------

row("text", { text = TEXT }, { text = TEXT })
row("no text at all", {}, {})
row("text of one line", { text = "one\n" }, { text = "one\n" })
row("html with a text made of it", { html = HTML },
  { html = HTML, text = "你好，world & more\n\n第二行\n" })
row("html alone", { text = false, html = HTML }, { html = HTML })
row("text and html", { text = TEXT, html = HTML }, { text = TEXT, html = HTML })
local LONG, LONG_HTML = ("长"):rep(5000) .. "\n", ("x y "):rep(1250) .. "\n"
row("lines of 5000 characters", { text = LONG, html = LONG_HTML },
  { text = LONG, html = LONG_HTML })
row("a text that looks like mail", {
  text = "From here\n.\n..\n.x\n--=_x\nContent-Type: text/html\n\n=20=\n \t\n",
}, { text = "From here\n.\n..\n.x\n--=_x\nContent-Type: text/html\n\n=20=\n \t\n" })
row("control characters", { text = "a\27[0mb\1\127c\tü\n" }, { text = "a\27[0mb\1\127c\tü\n" })
row("GB18030", { charset = "gb18030", subject = "\214\247\204\226", text = "\196\227\186\195\n",
  to = { { "\205\245\208\161\195\247", M.TO } },
  attachments = { { data = "x", name = "\177\168\177\237.txt" } } },
  { subject = "主题", text = "你好\n", to = person("王小明", M.TO),
    parts = { file("报表.txt", "text/plain", "x") } })
row("Big5", { charset = "big5", subject = "\177b\184\185", html = "<p>\177K\189X</p>\n",
  text = "\191\249\187~\n" }, { subject = "帳號", html = "<p>密碼</p>\n", text = "錯誤\n" })

-- --- parts ------------------------------------------------------------------

local LOGO = { data = PNG, name = "标志.png" }
local SECOND = { data = "second", name = "b.png" }
local IMAGES = { image("b@x", "b.png", "second"), image("logo", "标志.png", PNG) }
local REPORT = { data = "%PDF\0\255\r\n", name = "报表 2026.pdf" }

row("inline images", { html = CID_HTML, text = "t\n", inline = { logo = LOGO, ["b@x"] = SECOND } },
  { html = CID_HTML, text = "t\n", parts = IMAGES })
row("html alone with inline images", { html = CID_HTML, text = false,
  inline = { logo = LOGO, ["b@x"] = SECOND } }, { html = CID_HTML, parts = IMAGES })
row("text and attachment", { text = TEXT, attachments = { REPORT } },
  { text = TEXT, parts = { file("报表 2026.pdf", "application/pdf", REPORT.data) } })
row("attachment alone", { attachments = { REPORT } },
  { parts = { file("报表 2026.pdf", "application/pdf", REPORT.data) } })
row("everything at once", { text = TEXT, html = CID_HTML,
  inline = { logo = LOGO, ["b@x"] = SECOND },
  attachments = { REPORT, { data = "a,b\n", name = "c.csv" } } },
  { text = TEXT, html = CID_HTML, parts = { IMAGES[1], IMAGES[2],
    file("报表 2026.pdf", "application/pdf", REPORT.data), file("c.csv", "text/csv", "a,b\n") } })

local EVERY_BYTE = {}
for byte = 0, 255 do
  EVERY_BYTE[byte + 1] = string.char(byte)
end
EVERY_BYTE = table.concat(EVERY_BYTE)

row("empty attachments", { text = "t\n", attachments = { { data = "", name = "empty.txt" },
  { data = "", name = "empty.bin" } } }, { text = "t\n", parts = {
    file("empty.txt", "text/plain", ""), file("empty.bin", "application/octet-stream", "") } })
local MANY_BYTES = EVERY_BYTE:rep(200)

row("every byte", { text = "t\n", attachments = {
    { data = EVERY_BYTE, name = "a.bin" }, { data = MANY_BYTES, name = "b.txt" },
    { data = "\0", name = "nul" }, { data = "\r\n.\r\n\n\r", name = "ends.html" } } },
  { text = "t\n", parts = {
    file("a.bin", "application/octet-stream", EVERY_BYTE), file("b.txt", "text/plain", MANY_BYTES),
    file("nul", "application/octet-stream", "\0"),
    file("ends.html", "text/html", "\r\n.\r\n\n\r") } })
row("attachments from a function, and without a name", { text = "t\n", attachments = {
    { name = "r.zip", read = (function()
      local pieces = { "PK", "\3\4" }
      return function() return table.remove(pieces, 1) end
    end)() }, { data = "who am I" } } },
  { text = "t\n", parts = { file("r.zip", "application/zip", "PK\3\4"),
    file(nil, "application/octet-stream", "who am I") } })
row("an attachment of a type of one's own", { text = "t\n",
  attachments = { { data = "{}", name = "x.json",
    type = "application/problem+json; charset=utf-8" } } },
  { text = "t\n", parts = { file("x.json", "application/problem+json", "{}") } })

-- Names, each with what is left of it where it is a path.
local NAMES = {
  { "报告（终稿）.pdf" }, { "帳號與密碼.txt" }, { "レポート.csv" }, { "보고서.csv" }, { "😀🎉.txt" },
  { "👩‍💻 zwj.txt" },
  { 'say "hi".txt' }, { "back\\slash.txt", "slash.txt" },
  { "semi;colon.txt" },
  { "comma, and = sign.txt" }, { "per%41cent%.txt" }, { "apos'tro''phe.txt" },
  { "(brackets) [x] <y>.txt" },
  { "=?UTF-8?B?eA==?=.txt", twice = "x.txt" }, { ("x"):rep(296) .. ".txt" },
  { ("长"):rep(296) .. ".txt" },
  { ("😀"):rep(296) .. ".txt" }, { "تقرير نهائي.pdf" }, { "דוח.pdf" },
  { "right\226\128\174to left.txt" }, { "..hidden" }, { "...dots...txt" }, { ".env" },
  { "/etc/passwd", "passwd" }, { "../../up.txt", "up.txt" }, { "C:\\dir\\报告.txt", "报告.txt" },
  { "a b  c.txt" }, { "star*0*.txt" }, { "UTF-8''x.txt" }, { "ends in é" }, { "é" }, { "-" },
  { "e\204\129 not composed.txt" }, { "tilde~`^|{}.txt" }, { "a@b:c?d&e#f.txt" },
}

for _, name in ipairs(NAMES) do
  local left = name[2] or name[1]
  local shown = #left > 60 and ("%s... (%d bytes)"):format(left:sub(1, 12), #left) or left
  row("name " .. shown, { text = "t\n",
    attachments = { { data = "x", name = name[1], type = "application/x-thing" } },
    html = "<p>x</p>\n", inline = { i = { data = "y", name = name[1], type = "image/png" } } },
    { text = "t\n", html = "<p>x</p>\n",
      parts = { image("i", left, "y"), file(left, "application/x-thing", "x") } },
    name.twice and { mailparser = {
      why = "decodes the value of filename* once more: RFC 2231 section 4 has no encoded-words",
      parts = { image("i", name.twice, "y"), file(name.twice, "application/x-thing", "x") },
    } })
end

-- --- calendars --------------------------------------------------------------

local function event(method, lines)
  return table.concat({ "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example.com//Test//EN",
    "METHOD:" .. method, "BEGIN:VEVENT", "UID:meeting-1@example.com",
    "DTSTAMP:20260101T000000Z", "DTSTART:20260102T030000Z", "DTEND:20260102T040000Z",
    "ORGANIZER;CN=张三:mailto:sender@example.com", table.concat(lines, "\r\n"),
    "END:VEVENT", "END:VCALENDAR", "" }, "\r\n")
end

local ORGANIZER = { value = "mailto:sender@example.com", name = "张三" }

local function meeting(method, more)
  local facts = { method = method, uid = "meeting-1@example.com", organizer = ORGANIZER,
    start = "2026-01-02T03:00:00.000Z" }
  for key, value in pairs(more) do
    facts[key] = value
  end
  return facts
end

local function attendee(name, address, partstat)
  return { name = name, value = "mailto:" .. address, partstat = partstat }
end

row("an invitation", { text = "t\n", html = "<p>x</p>\n", calendar = event("REQUEST", {
    "SUMMARY:评审会 😀\\, 第二轮", "LOCATION:三楼", "SEQUENCE:0",
    "DESCRIPTION:" .. ("很长的说明，"):rep(4),
    " " .. ("再说一遍，"):rep(4) .. "完\\n第二行",
    "ATTENDEE;CN=王小明;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:rcpt@example.com",
    'ATTENDEE;CN="Ann; B, C";PARTSTAT=NEEDS-ACTION:mailto:ann@example.com' }) },
  { text = "t\n", html = "<p>x</p>\n", calendar = meeting("REQUEST", {
    summary = "评审会 😀, 第二轮", location = "三楼", sequence = 0,
    description = ("很长的说明，"):rep(4) .. ("再说一遍，"):rep(4) .. "完\n第二行",
    attendees = { attendee("王小明", "rcpt@example.com", "NEEDS-ACTION"),
      attendee("Ann; B, C", "ann@example.com", "NEEDS-ACTION") } }) })
row("an invitation withdrawn", { text = "t\n", calendar = { method = "CANCEL",
    data = event("CANCEL", { "SUMMARY:Review", "STATUS:CANCELLED", "SEQUENCE:1",
      "ATTENDEE:mailto:rcpt@example.com" }):gsub("\r\n", "\n") } },
  { text = "t\n", calendar = meeting("CANCEL", { summary = "Review", status = "CANCELLED",
    sequence = 1, attendees = { attendee(nil, "rcpt@example.com") } }) })
row("an invitation answered", { text = "t\n", calendar = event("REPLY", { "SUMMARY:Review",
    "SEQUENCE:0", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:rcpt@example.com" }),
    attachments = { REPORT } },
  { text = "t\n", parts = { file("报表 2026.pdf", "application/pdf", REPORT.data) },
    calendar = meeting("REPLY", { summary = "Review", sequence = 0,
      attendees = { attendee(nil, "rcpt@example.com", "ACCEPTED") } }) })

-- --- header -----------------------------------------------------------------

local QUOTED_LOCAL = '"h i"@example.com'

row("a quoted local part", { cc = QUOTED_LOCAL, text = "t\n" },
  { cc = person("", QUOTED_LOCAL), text = "t\n" }, { mailparser = {
    why = "leaves the quotes out, without which it is no address: RFC 5321 section 4.1.2",
    cc = person("", "h i@example.com"),
  } })
row("people of every kind", {
  from = { "张三, \"老板\"", "a@example.com" }, sender = "秘书 <s@example.com>",
  to = { { "O'Brien (x), \\ <y>", "b@example.com" }, "李四 😀 <c@example.com>", "d@example.com",
    { ("很长的名字 "):rep(20) .. "x", "e@example.com" } },
  cc = '"Quoted \\"x\\"" <f@example.com>, g@例子.测试',
  bcc = "hidden@example.com", reply_to = { { "回复", "r@example.com" }, "r2@example.com" },
  text = "t\n",
}, {
  text = "t\n", from = person("张三, \"老板\"", "a@example.com"),
  sender = person("秘书", "s@example.com"),
  to = { { name = "O'Brien (x), \\ <y>", address = "b@example.com" },
    { name = "李四 😀", address = "c@example.com" }, { name = "", address = "d@example.com" },
    { name = ("很长的名字 "):rep(20) .. "x", address = "e@example.com" } },
  cc = { { name = 'Quoted "x"', address = "f@example.com" },
    { name = "", address = "g@" .. codec.domain_to_ascii("例子.测试") }, },
  reply_to = { { name = "回复", address = "r@example.com" },
    { name = "", address = "r2@example.com" } },
  fields = { bcc = {} },
})
row("hidden recipients alone", { to = false, bcc = "hidden@example.com", text = "t\n" },
  { text = "t\n", to = {}, fields = { bcc = {} } })
row("addresses in UTF-8", { from = "发件人 <用户@example.com>", to = "δοκιμή@例子.测试", text = "t\n" },
  { text = "t\n", from = person("发件人", "用户@example.com"),
    to = person("", "δοκιμή@" .. codec.domain_to_ascii("例子.测试")) })
row("a hundred recipients", (function()
  local list = {}
  for index = 1, 100 do
    list[index] = { "收件人 " .. index, ("r%d@example.com"):format(index) }
  end
  return { to = list, text = "t\n" }
end)(), (function()
  local list = {}
  for index = 1, 100 do
    list[index] = { name = "收件人 " .. index, address = ("r%d@example.com"):format(index) }
  end
  return { to = list, text = "t\n" }
end)())
for name, subject in pairs({
  empty = "", long = ("很长的主题，"):rep(60) .. "完", ["of blanks"] = "a  b   c",
  ["that looks encoded"] = "=?UTF-8?Q?not?= this", mixed = "Re: [项目] 状态 (50%) — “ok”? = _",
  ["of emoji"] = ("👩‍💻"):rep(30), ["without a blank"] = ("x"):rep(500),
}) do
  row("subject " .. name, { subject = subject, text = "t\n" },
    { subject = subject ~= "" and subject or nil, text = "t\n",
      columns = not subject:find(" ") and 998 or nil }) -- nowhere to break the line
end
row("a reply in its thread", { text = "t\n", in_reply_to = "<3@example.com>",
  references = { "<1@example.com>", "2@example.com", "<3@example.com>" } },
  { text = "t\n", in_reply_to = "<3@example.com>",
    references = { "<1@example.com>", "<2@example.com>", "<3@example.com>" } })
row("a long thread", (function()
  local ids = {}
  for index = 1, 60 do
    ids[index] = ("<%s%d@example.com>"):format(("i"):rep(50), index)
  end
  return { text = "t\n", references = ids }, { text = "t\n", references = ids }
end)())
for level, value in pairs({ high = { "1 (Highest)", "high" }, low = { "5 (Lowest)", "low" } }) do
  row("priority " .. level, { text = "t\n", priority = level },
    { text = "t\n", fields = { ["x-priority"] = { value[1] }, importance = { value[2] } } })
end
row("a list mail", { text = "t\n", list_unsubscribe = { "https://example.com/u?t=1&x=%20",
  "mailto:u@example.com?subject=stop" } }, { text = "t\n", fields = {
    ["list-unsubscribe"] = {
      "<https://example.com/u?t=1&x=%20>, <mailto:u@example.com?subject=stop>" },
    ["list-unsubscribe-post"] = { "List-Unsubscribe=One-Click" } } })
row("fields of one's own", { text = "t\n", headers = { ["X-Text"] = "值 和 😀", ["X-Plain"] = "a  b;c",
  ["X-Many"] = { "one", "two" }, ["X-Long"] = ("word "):rep(200) .. "end" } },
  { text = "t\n", fields = { ["x-text"] = { "值 和 😀" }, ["x-plain"] = { "a  b;c" },
    ["x-many"] = { "one", "two" }, ["x-long"] = { ("word "):rep(200) .. "end" } } })
row("an id of its own", { text = "t\n", id = "order-1", date = 1764000000 },
  { text = "t\n", fields = { date = { codec.date(1764000000, 0) } } })

-- --- made by others ----------------------------------------------------------

row("a template", { template = template.mail({ subject = "{{name}}，你好", text = "{{name}}\n",
    html = "<p>{{name}}</p>\n" }), vars = { name = "<Ann> & 安" } },
  { subject = "<Ann> & 安，你好", text = "<Ann> & 安\n", html = "<p>&lt;Ann&gt; &amp; 安</p>\n" })
row("files of the disk", { text = { path = "LICENSE" }, attachments = { "spec/judges/package.json",
    { path = "LICENSE", name = "许可.txt" } } },
  { text = content_of("LICENSE"), parts = {
    file("package.json", "application/json", content_of("spec/judges/package.json")),
    file("许可.txt", "text/plain", content_of("LICENSE")) } })

local RAW = [[From: =?GB2312?B?1cXI/Q==?= <sender@example.com>
To: rcpt@example.com
Bcc: hidden@example.com
Subject: =?iso-8859-1?q?caf=E9?=
Message-ID: <raw@example.com>
X-Odd:
 folded   here
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=gb2312
Content-Transfer-Encoding: base64

xOO6ww==
--b
Content-Type: application/x-thing; name="a.bin"
Content-Disposition: attachment; filename="a.bin"
Content-Transfer-Encoding: base64

AAEC
--b--
]]
row("a message as somebody else made it", { raw = RAW }, {
  from = person("张三", M.FROM), subject = "café", text = "你好", message_id = "<raw@example.com>",
  parts = { file("a.bin", "application/x-thing", "\0\1\2") }, fields = { bcc = {} } })

--- All rows.
M.list = rows

return M
