local core = require "qqmail.core"
local json = require "spec.support.json"
local messages = require "spec.support.messages"
local shell = require "spec.support.shell"

local TO = messages.TO
local build, refused = messages.build, messages.refused
local read, with_file = messages.read, messages.with_file

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
      { "mixed(alternative(text/plain,text/html,text/calendar),application/ics)",
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
    local plain, html, calendar, second, logo, data, ics = (unpack or table.unpack)(facts.parts)
    assert.same({ "你好\r\n", "<p>你好</p>" }, { plain.text, html.text })
    assert.equal("CANCEL", calendar.method)
    assert.same({ "application/ics", "invite.ics" }, { ics.type, ics.name })
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

  it("makes 8bit of what is around it, too", function()
    local inline = { a = { data = "x", name = "a.png" } }
    local function levels(spec, eightbit)
      local handle = build(spec):handle()
      assert(handle:rewind(eightbit))
      local text, out = handle:read(), {}
      assert.equal(#text, handle:size(eightbit))
      assert.same({}, read(text).defects)
      for subtype, fields in text:gmatch("Content%-Type: multipart/(%a+)(.-\r\n)\r\n") do
        out[#out + 1] = subtype .. " "
          .. (fields:match("\r\nContent%-Transfer%-Encoding: (%S+)\r\n$") or "-")
      end
      return out
    end
    local spec = { html = "<p>你好</p>", inline = inline, attachments = { "data:,x" } }
    assert.same({ "mixed 8bit", "related 8bit", "alternative 8bit" }, levels(spec, true))
    assert.same({ "mixed -", "related -", "alternative -" }, levels(spec, false))
    spec.html = "<p>hello</p>"
    assert.same({ "mixed -", "related -", "alternative -" }, levels(spec, true))
    -- Attached messages cannot be encoded, and stand in the outermost level.
    spec.attachments = { { message = { raw = "A: b\n\n\255\n" } } }
    for _, eightbit in ipairs({ true, false }) do
      assert.same({ "mixed 8bit", "related -", "alternative -" }, levels(spec, eightbit))
    end
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
    refused({ html = function() error("no luck") end }, "message.source_failed", "html")
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
    refused({ charset = 5 }, "message.bad_value", "charset")
  end)

  it("may leave the charset to be found out, text by text", function()
    local built = build({ charset = "auto", from = "ops@example.com",
      subject = "\196\227\186\195\163\172\202\192\189\231", -- GBK
      text = "\177b\184\185\169\206\177K\189X\191\249\187~\n", -- Big5
      html = "<p>你好，world</p>", to = { { "\205\245\208\161\195\247", TO } },
      attachments = { { data = "\196", name = "report.txt" },
        { data = "x", name = "\177\168\177\237.txt" } } })
    local facts = read(built)
    assert.same({ "你好，世界", "帳號或密碼錯誤\r\n", "<p>你好，world</p>", "王小明" },
      { facts.subject, facts.text, facts.html, facts.to[1].name })
    assert.equal("报表.txt", facts.parts[4].name)
    assert.same({ subject = "gb18030", text = "big5", html = "utf-8", ["to[1][1]"] = "gb18030",
      ["attachments[2].name"] = "gb18030" }, built.guessed)
    assert.is_nil(build({ text = "你好" }).guessed)
  end)

  it("knows the Big5 of Hong Kong where there is enough of it", function()
    local built = build({ charset = "auto",
      text = "\167A\166n\161A\167\218\146]\157\239\173q\179\230\164w\184g\177H\165X" })
    assert.equal("你好，我哋嘅訂單已經寄出", read(built).text)
    assert.same({ text = "big5-hkscs" }, built.guessed)
  end)

  it("does not take words with accents for Chinese", function()
    local rows = { ["Stra\223e"] = 5, ["na\239ve"] = 3, ["\196rger"] = 1, ["s\252d"] = 2,
      ["it\146s"] = 3 }
    for subject, position in pairs(rows) do
      refused({ charset = "auto", subject = subject }, "message.bad_text", "subject", position)
    end
  end)

  it("is also the name of a file, which no half of a character cuts", function()
    with_file("x", function(_, folder)
      local path = folder .. "/\179\\\165\\.txt"
      shell.write(path, "x")
      local parsed = read(build({ charset = "big5", attachments = { path } }))
      assert.equal("許功.txt", parsed.parts[2].name)
      assert.equal("b.txt", read(build({ attachments = {
        { data = "x", name = "a\\b.txt" } } })).parts[2].name)
    end)
  end)

  it("leaves names alone that are no text of the message", function()
    local function wide(text)
      return (text:gsub(".", "%0\0"))
    end
    local function names(fields)
      local found = {}
      for _, part in ipairs(read(build(fields)).parts) do
        found[#found + 1] = part.name ~= json.null and part.name or nil
      end
      return found
    end
    with_file("x", function(_, folder)
      shell.write(folder .. "/你好.txt", "x")
      shell.write(folder .. "/a.txt", "x")
      local event = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:REQUEST\r\n"
        .. "BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T000000Z\r\n"
        .. "END:VEVENT\r\nEND:VCALENDAR\r\n"
      assert.same({ "你好.txt" },
        names({ charset = "gbk", text = "x", attachments = { folder .. "/你好.txt" } }))
      assert.same({ "a.txt", "attachment.png", "b.txt", "invite.ics" },
        names({ charset = "utf-16le", from = wide(TO), to = wide(TO), text = wide("x"),
          subject = wide("x"), calendar = event,
          attachments = { folder .. "/a.txt", "data:image/png;base64,AAAA",
            { data = "x", name = wide("b.txt") } } }))
    end)
  end)

  it("says where a text is in no charset that could be meant", function()
    refused({ charset = "auto", text = "ok\255\255" }, "message.bad_text", "text", 3)
    refused({ charset = "auto", subject = "caf\233 au lait" }, "message.bad_text", "subject", 4)
    refused({ charset = "auto", text = "你好\255" }, "message.bad_text", "text", 7)
    -- private use in GB18030, nothing in Big5
    refused({ charset = "auto", text = "a\254\161" }, "message.bad_text", "text", 2)
    -- 你好啊 and a character of the user's own: as Big5 all of it would be others
    refused({ charset = "auto", text = "\196\227\186\195\176\161\248\161" },
      "message.bad_text", "text", 1)
    with_file("\196\227\186\195\255\n", function(path)
      refused({ charset = "auto", html = { path = path } }, "message.bad_text", "html", 5)
    end)
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
        seen[#seen + 1] = ("%s %s %s"):format(tostring(part.name), part.type, part.size)
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
end)
