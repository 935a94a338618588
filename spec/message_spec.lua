local message = require "qqmail.message"
local messages = require "spec.support.messages"

local FROM, TO = messages.FROM, messages.TO
local build, refused, read = messages.build, messages.refused, messages.read
local header, with_file, spec_with = messages.header, messages.with_file, messages.spec_with

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
    assert.same({ from = FROM, to = { "a@x.org", "b@x.org", "A@x.org", "hidden@x.org" } },
      built.envelope)
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
    -- The envelope's needs are not those of the header.
    assert.is_false(build({ bcc = "用户@example.com" }):handle():needs_utf8())
    assert.is_false(build({ envelope = { from = "用户@example.com" } }):handle():needs_utf8())
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

  it("keeps what stands in brackets behind a text readable for programs", function()
    local values = { "新闻 <news.example.com>", "=?x <mailto:a@x.org?subject=b>",
      ("长"):rep(60) .. "  <" .. ("n"):rep(70) .. ">", "新闻<a>", "<新闻>", "a <新 闻>", "新闻 <=?x>",
      "<a> 新闻", "新 <a> <b>", "新 >", " <a>", "  <a>", "新闻 <>" }
    local built = {}
    for index, value in ipairs(values) do
      built[index] = build({ headers = { ["List-Id"] = value } })
    end
    for index, facts in ipairs({ read((unpack or table.unpack)(built)) }) do
      assert.equal(values[index], header(facts, "List-Id"))
    end
    assert.matches("List%-Id: =%?UTF%-8%?B%?[^ ]+%?= <news.example.com>\r\n", tostring(built[1]))
    assert.matches("= <mailto:a@x.org?subject=b>\r\n", tostring(built[2]), 1, true)
    assert.matches("%?=\r\n <n+>\r\n", tostring(built[3]))
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
    local bytes = { 33, 57, 58, 59, 65, 126, 127, 128, 159, 255 }
    for byte = 0, 32 do
      bytes[#bytes + 1] = byte
    end
    for _, byte in ipairs(bytes) do
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
    for _, values in ipairs({ { value = "b" }, { "a", nil, "b" } }) do
      refused({ headers = { ["X-A"] = values } }, "message.bad_value", "headers.X-A")
    end
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
    refused({ references = { "a@b", nil, "c@d" } }, "message.bad_value", "references")
    local many = {}
    for index = 1, 500 do
      many[index] = ("<%d.%s@example.com>"):format(index, ("x"):rep(30))
    end
    assert.equal(table.concat(many, " "), header(read(build({ references = many })), "References"))
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
    assert.is_nil(header(read(build({ list_unsubscribe = "http://x.org/u" })),
      "List-Unsubscribe-Post"))
    refused({ list_unsubscribe = "x.org" }, "message.bad_url", "list_unsubscribe")
    refused({ list_unsubscribe = "https:///x" }, "message.bad_url", "list_unsubscribe")
    refused({ list_unsubscribe = { "https://x.org/a b" } }, "message.bad_url",
      "list_unsubscribe[1]")
    refused({ list_unsubscribe = "https://x.org/>\r\nX: y" }, "message.bad_url",
      "list_unsubscribe")
    -- What is said beside a list would be lost.
    for key, value in pairs({ one_click = false, mailto = "u@x.org" }) do
      refused({ list_unsubscribe = { "https://x.org/u", [key] = value } }, "message.bad_value",
        "list_unsubscribe")
    end
    refused({ list_unsubscribe = { "https://x.org/u", nil, "mailto:u@x.org" } },
      "message.bad_value", "list_unsubscribe")
  end)

  it("says how to unsubscribe with one click", function()
    local function fields_of(value)
      local facts = read(build({ list_unsubscribe = value }))
      return { header(facts, "List-Unsubscribe"), header(facts, "List-Unsubscribe-Post") }
    end
    local url, post = "https://x.org/u?id=1", "List-Unsubscribe=One-Click"
    assert.same({ "<https://x.org/u?id=1>, <mailto:u@x.org>", post },
      fields_of({ url = url, mailto = "u@x.org", one_click = true }))
    assert.same({ "<https://x.org/u?id=1>", post }, fields_of({ url = url }))
    assert.same({ "<https://x.org/u?id=1>" }, fields_of({ url = url, one_click = false }))
    assert.same({ "<mailto:u%26+1@x.org>" }, fields_of({ mailto = "u&+1@x.org" }))
    assert.same({ "<mailto:u@x.org?subject=off>" },
      fields_of({ mailto = "mailto:u@x.org?subject=off" }))
    local long = "https://x.org/" .. ("u"):rep(900)
    assert.same({ "<" .. long .. ">, <mailto:u@x.org>", post },
      { tostring(build({ list_unsubscribe = { url = long, mailto = "u@x.org" } }))
        :gsub(",\r\n ", ", ")
        :match("List%-Unsubscribe:%s+(.-)\r\nList%-Unsubscribe%-Post: (%S+)") })
  end)

  it("refuses one click that cannot be", function()
    local function bad(value, code, field, position)
      refused({ list_unsubscribe = value }, code, "list_unsubscribe" .. field, position)
    end
    bad({ one_click = true }, "message.bad_url", "")
    bad({ mailto = "u@x.org", one_click = true }, "message.bad_url", ".one_click")
    bad({ url = "http://x.org/u", one_click = true }, "message.bad_url", ".one_click")
    bad({ url = "https://x.org/u", one_click = 1 }, "message.bad_value", ".one_click")
    bad({ url = "https://x.org/u", oneclick = true }, "message.unknown_field", ".oneclick")
    bad({ url = "mailto" }, "message.bad_url", ".url")
    bad({ mailto = "x" }, "message.bad_address", ".mailto", 1)
    for _, ending in ipairs({ "\r\nX: y", "\nX: y", "\rX: y", "\0", " x", ">, <b:c" }) do
      bad({ url = "https://x.org/" .. ending }, "message.bad_url", ".url")
      bad({ mailto = "mailto:u@x.org" .. ending }, "message.bad_url", ".mailto")
    end
    bad({ mailto = "u@x.org\r\nX: y" }, "message.control_character", ".mailto", 8)
  end)

  it("asks for a receipt", function()
    local function receipt(value, more)
      local spec = { read_receipt = value }
      for key, other in pairs(more or {}) do
        spec[key] = other
      end
      return header(read(build(spec)), "Disposition-Notification-To")
    end
    assert.equal("sender@example.com", receipt(true))
    assert.equal("监控 <ops@example.com>", receipt(true, { from = { "监控", "ops@example.com" } }))
    assert.equal("a@x.org", receipt("a@x.org"))
    assert.equal("王 <a@x.org>, b@x.org", receipt({ { "王", "a@x.org" }, "b@x.org" }))
    assert.is_nil(receipt(false))
    -- Such an address is in the header for all to see, and needs SMTPUTF8.
    assert.same({ field = "read_receipt", name = "用户@x.org" },
      build({ read_receipt = "用户@x.org" }).international)
    refused({ read_receipt = "x" }, "message.bad_address", "read_receipt", 1)
    refused({ read_receipt = 5 }, "message.bad_value", "read_receipt")
    refused({ read_receipt = {} }, "message.bad_value", "read_receipt")
    refused({ read_receipt = true, headers = { ["Disposition-Notification-To"] = "a@x.org" } },
      "message.duplicate_header", "headers.Disposition-Notification-To")
  end)
end)

describe("options", function()
  it("that are unknown are refused with what was meant", function()
    local err = refused({ subjet = "x" }, "message.unknown_field", "subjet")
    assert.matches("did you mean subject?", err.message, 1, true)
    err = refused({ body = "x" }, "message.unknown_field", "body")
    assert.matches("did you mean text?", err.message, 1, true)
    refused({ [1] = "x" }, "message.unknown_field", "1")
    refused({ dsn = {} }, "message.bad_value", "dsn")
  end)

  it("about the sending are kept beside the mail", function()
    local token = { cancelled = false }
    local function stop()
      return true
    end
    local raw = { raw = "From: a@x.org\nTo: b@x.org\n\nbody", deadline = 0.5, cancel = token }
    for _, spec in ipairs({ spec_with({ deadline = 30, cancel = stop }), raw }) do
      local built = assert(message.new(spec))
      assert.equal(spec.deadline, built.deadline)
      assert.equal(spec.cancel, built.cancel)
      assert.equal(built, message.new(built))
      for _, word in ipairs({ "deadline", "cancel" }) do
        assert.is_nil(tostring(built):lower():find(word, 1, true))
      end
    end
    local built = build()
    assert.is_nil(built.deadline)
    assert.is_nil(built.cancel)
    assert.equal(stop, assert(message.new(spec_with({ charset = "gb18030", cancel = stop })))
      .cancel)
  end)

  it("about the sending are checked", function()
    for _, value in ipairs({ 0, -1, math.huge, 0 / 0, "5", true }) do
      refused({ deadline = value }, "message.bad_value", "deadline")
    end
    for _, value in ipairs({ true, "x", {}, { cancelled = 1 }, 5 }) do
      refused({ cancel = value }, "message.bad_value", "cancel")
    end
  end)

  it("come with texts in both languages", function()
    local _, en = message.new(spec_with({ to = "x" }), { lang = "en" })
    local _, zh = message.new(spec_with({ to = "x" }), { lang = "zh" })
    assert.equal("qqmail: to is not a valid address: has no '@' (at byte 1). " .. en.hint,
      tostring(en))
    assert.equal("qqmail: to 不是有效的地址：缺少 @（第 1 字节）。" .. zh.hint, tostring(zh))
  end)

  it("about addresses have a Chinese text for all that the core says", function()
    local faults = require("qqmail.message.address_faults")
    local said = { ["is not valid UTF-8"] = true, ["is empty"] = true }
    for _, unit in ipairs({ "addr", "addrspec", "lookalike" }) do
      local file = assert(io.open("csrc/codec/qm_" .. unit .. ".c"))
      for literals in file:read("*a"):gmatch("char why_[%w_]+%[%] =(.-);\n") do
        local text = {}
        for piece in literals:gmatch('"([^"]*)"') do
          text[#text + 1] = piece
        end
        said[table.concat(text)] = true
      end
      file:close()
    end
    for text in pairs(said) do
      assert.is_string(faults[text], text)
    end
    for text in pairs(faults) do
      assert.is_true(said[text], text)
    end
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
    assert.same({ from = "a@x.org", to = { "b@x.org", "c@x.org", "d@x.org", "e@x.org" } },
      built.envelope)
  end)

  it("may have another envelope", function()
    local built = assert(raw(RAW, { from = "s@x.org", to = "r@x.org" }))
    assert.same({ from = "s@x.org", to = { "r@x.org" } }, built.envelope)
    built = assert(raw("X: y\n\nbody", { from = "s@x.org", to = "r@x.org" }))
    assert.is_nil(built.id)
    built = assert(raw("Sender: s@x.org\n" .. RAW, { to = "r@x.org" }))
    assert.equal("s@x.org", built.envelope.from)
  end)

  it("may come out of a mailbox file", function()
    assert.equal(tostring(raw(RAW)),
      tostring(raw("From a@x.org Mon Jan  1 00:00:00 2024\n" .. RAW)))
  end)

  it("that is handed on keeps its Resent fields; the envelope is that of To, Cc and Bcc",
    function()
      local built = assert(raw("Resent-From: r@x.org\nResent-To: z@x.org\nResent-Bcc: y@x.org\n"
        .. RAW))
      assert.equal("a@x.org", built.envelope.from)
      assert.same({ "b@x.org", "c@x.org", "d@x.org", "e@x.org" }, built.envelope.to)
      assert.matches("Resent%-To: z@x.org", tostring(built))
      assert.is_nil(tostring(built):find("Resent-Bcc", 1, true))
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
    raw_refused("From: a@x.org\nTo: b@x.org\nX: \196\227\n\nbody", "message.bad_utf8", 32)
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
