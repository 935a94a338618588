-- Messages attached to messages, judged by Python's email package.

local new_message = require("qqmail.message").new
local messages = require "spec.support.messages"
local send = require "spec.support.send"

local build, read, refused = messages.build, messages.read, messages.refused
local with_file = messages.with_file

local RAW = "From 1 Mon Jan  1 00:00:00 2024\nReceived: by x\nFrom: A <a@x.org>\nTo: b@x.org\n"
  .. "Bcc: secret@x.org,\n\tmore@x.org\nbcc:third@x.org\nSubject: old\n\nline\n.\n--=_x\nend"
local PLAIN = "Received: by x\r\nFrom: A <a@x.org>\r\nTo: b@x.org\r\nSubject: old\r\n\r\n"
  .. "line\r\n.\r\n--=_x\r\nend\r\n"
local HIGH = "From: a@x.org\nTo: b@x.org\nContent-Type: text/plain; charset=gb18030\n"
  .. "Content-Transfer-Encoding: 8bit\n\n\196\227\n"

-- Between the header of the part and the boundary behind it.
local function inner_bytes(built)
  return tostring(built):match("message/rfc822;.-\r\n\r\n(.*)\r\n%-%-=_[^\r\n]+%-%-\r\n$")
end

local function with(message, more)
  local part = { message = message }
  for key, value in pairs(more or {}) do
    part[key] = value
  end
  return build({ attachments = { part } })
end

describe("an attached message", function()
  it("may be one that is built", function()
    local inner = build({ subject = "内层", text = "你好\n", html = "<p>你好</p>",
      bcc = "secret@x.org", attachments = { { data = "x", name = "数据.bin" } } })
    local outer = with(inner, { name = "原邮件.eml" })
    assert.equal(tostring(inner), inner_bytes(outer))
    local facts = read(outer)
    assert.equal("mixed(text/plain,rfc822(mixed(alternative(text/plain,text/html),"
      .. "application/octet-stream)))", facts.structure)
    local found = facts.messages[1]
    assert.same({ "message/rfc822", "原邮件.eml", "attachment", "7bit", "内层" },
      { found.type, found.name, found.disposition, found.encoding, found.subject })
    assert.is_nil(tostring(outer):find("secret", 1, true))
    assert.equal("mail.eml", read(with(inner)).messages[1].name)
  end)

  it("may be described as any other", function()
    local outer = build({ id = "outer", attachments = { { message = messages.spec_with({
      subject = "inner", id = "inner", bcc = "secret@x.org" }) } } })
    local facts = read(outer)
    assert.equal("inner", facts.messages[1].subject)
    local ids = {}
    for id in tostring(outer):gmatch("Message%-ID: (%S+)") do
      ids[#ids + 1] = id
    end
    assert.equal(2, #ids)
    assert.not_equal(ids[1], ids[2])
    assert.is_nil(tostring(outer):find("secret", 1, true))
    -- Sent again through another account it keeps its id, and the inner one has its own.
    local again = assert(require("qqmail.message").new(messages.spec_with({
      attachments = { { message = messages.spec_with() } } }), { message_id = ids[1] }))
    assert.equal(2, select(2, tostring(again):gsub("Message%-ID: ", "")))
    assert.equal(1, select(2, tostring(again):gsub(ids[1]:gsub("%p", "%%%0"), "")))
  end)

  it("may be one of others, whole but for line ends and Bcc", function()
    for _, built in ipairs({ with({ raw = RAW }), build({ attachments = { { data = RAW,
      type = "Message/RFC822", name = "old.eml" } } }) }) do
      assert.equal(PLAIN, inner_bytes(built))
      assert.equal("mixed(text/plain,rfc822(text/plain))", read(built).structure)
    end
    with_file(RAW, function(path)
      assert.equal(PLAIN, inner_bytes(with({ raw = { path = path } })))
      local built = build({ attachments = { { path = path, type = "message/rfc822" } } })
      assert.equal(PLAIN, inner_bytes(built))
      assert.equal("file.bin", read(built).messages[1].name)
    end)
    local pieces = { RAW:sub(1, 9), RAW:sub(10) }
    assert.equal(PLAIN, inner_bytes(build({ attachments = { { type = "message/rfc822",
      read = function() return table.remove(pieces, 1) end } } })))
  end)

  it("keeps its place among other attachments, and may hold more messages", function()
    local one = build({ subject = "1" })
    local two = with(one)
    local outer = build({ attachments = { { data = "a", name = "a.txt" }, { message = two },
      { data = "b", name = "b.csv" }, { message = one } } })
    assert.equal("mixed(text/plain,text/plain,rfc822(mixed(text/plain,rfc822(text/plain))),"
      .. "text/csv,rfc822(text/plain))", read(outer).structure)
    assert.equal(#tostring(outer), outer:size())
    assert.equal("mixed(text/plain,rfc822(text/plain))",
      read(build({ attachments = { message = one } })).structure)
  end)

  it("of a name .eml is a file unless its type says more", function()
    with_file(RAW, function(path)
      os.rename(path, path .. ".eml")
      local part = read(build({ attachments = { path .. ".eml" } })).parts[2]
      os.rename(path .. ".eml", path)
      assert.same({ "application/octet-stream", #RAW }, { part.type, part.size })
    end)
  end)

  it("that is attached to itself has an end", function()
    local spec = messages.spec_with({ text = "x" })
    spec.attachments = { { message = spec } }
    local _, err = new_message(spec, { lang = "en" })
    assert.equal("message.bad_value", err.code)
    assert.matches("more than 20 deep", err.message, 1, true)
    assert.is_true(#err.field < 1000)
  end)

  it("of a size nobody knows is held up to a limit", function()
    local piece, calls = ("x"):rep(4 * 1024 * 1024), 0
    local inner = messages.spec_with({ attachments = { { name = "endless", read = function()
      calls = calls + 1
      return calls <= 40 and piece or nil
    end } } })
    refused({ attachments = { { message = inner } } }, "message.too_large",
      "attachments[1].message")
    assert.is_true(calls < 20)
  end)

  it("that cannot be is refused", function()
    local function bad(part, code, field, position)
      return refused({ attachments = { part } }, code, "attachments[1]" .. field, position)
    end
    bad({ message = 5 }, "message.bad_value", ".message")
    bad({ message = {}, data = "x" }, "message.bad_value", "")
    bad({ message = { raw = "no field\n\n" } }, "message.bad_raw", ".message", 1)
    bad({ message = { raw = "A: b\n\na\0b" } }, "message.control_character", ".message", 8)
    bad({ message = { raw = "A: \255\n\nb" } }, "message.bad_utf8", ".message", 4)
    bad({ data = "A: b\n\n" .. ("x"):rep(999), type = "message/rfc822" },
      "message.line_too_long", "", 7)
    bad({ path = "/nonexistent", type = "message/rfc822" }, "message.unreadable", "")
    local err = bad({ message = messages.spec_with({ subject = "a\nb" }) },
      "message.control_character", ".message.subject")
    assert.matches("^attachments%[1%].message.subject contains a control character", err.message)
    bad({ message = messages.spec_with({ to = "none" }) }, "message.no_recipients", ".message.to")
    bad({ message = messages.spec_with({ subjet = "x" }) }, "message.unknown_field",
      ".message.subjet")
    bad({ message = build(), nmae = "x" }, "message.unknown_field", ".nmae")
    for _, media_type in ipairs({ "message/partial", "multipart/mixed", "message/rfc822; a=b" }) do
      bad({ data = "A: b\n\n", type = media_type }, "message.bad_type", ".type")
    end
    refused({ inline = { a = { data = "A: b\n\n", type = "message/rfc822" } } },
      "message.bad_type", "inline.a.type")
    for byte = 0, 31 do
      bad({ message = build(), name = "a" .. string.char(byte) }, "message.control_character",
        ".name", 2)
    end
  end)

  it("with UTF-8 in its header says so in its type", function()
    local built = with({ raw = "From: 你 <a@x.org>\n\nx\n" })
    assert.is_false(built:handle():needs_utf8())
    assert.equal("message/global", read((built:bytes():gsub("你", "ni"))).messages[1].type)
  end)
end)

describe("bytes above 127 of others", function()
  after_each(send.stop)

  local ways = {
    ["attached"] = send.message({ attachments = { { message = { raw = HIGH } } } }),
    ["sent as they are"] = { raw = HIGH, envelope = { from = send.USER, to = "b@x.org" } },
  }

  for name, message in pairs(ways) do
    it(name .. " go where the server takes them", function()
      for _, make in ipairs({ send.server, send.qq_server }) do
        local server = make({ eightbitmime = true })
        local mailer = (make == send.server and send.mailer or send.qq_mailer)(server)
        send.good(mailer, message)
        send.has(send.heard(server), "BODY=8BITMIME")
        send.has(server:messages()[1].data, "\r\n\r\n\196\227\r\n")
      end
    end)

    it(name .. " are an error where it does not", function()
      local server = send.server({ eightbitmime = false })
      send.bad(send.mailer(server), { code = "message.eightbit_required", delivered = "no",
        retry = "never", phase = "mail" }, message)
      send.good(send.mailer(server), send.message())
      assert.equal(1, #server:messages())
    end)
  end

  it("in the header of a raw message need SMTPUTF8", function()
    local message = { raw = "From: \228\189\160 <a@x.org>\nTo: b@x.org\n\nx\n",
      envelope = { from = send.USER, to = "b@x.org" } }
    local server = send.server()
    send.good(send.mailer(server), message)
    send.has(send.heard(server), "SMTPUTF8")
    server = send.server({ smtputf8 = false })
    send.bad(send.mailer(server), { code = "message.smtputf8_required", delivered = "no" }, message)
  end)
end)
