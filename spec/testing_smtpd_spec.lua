local base64 = require("qqmail.testing.base64")
local basic = require("qqmail.testing.scenarios.basic")
local body = require("qqmail.testing.body")
local smtpd = require("qqmail.testing.smtpd")
local wire = require("qqmail.testing.wire")

-- A dialogue, greeted.
local function new_dialogue(options, shared)
  local all = { dsn = true }
  for key, value in pairs(basic.defaults) do
    all[key] = value
  end
  for key, value in pairs(options or {}) do
    all[key] = value
  end
  shared = shared or smtpd.shared()
  local dialogue = smtpd.new(all, shared, "127.0.0.1:4000", basic)
  if dialogue:connected() then
    dialogue:open()
  end
  return dialogue, shared
end

-- Everything it says, and how it closes.
local function collect(dialogue)
  local out, how = {}, nil
  local action = dialogue:next_action()
  while action do
    if action.kind == "send" then
      out[#out + 1] = action.bytes
    else
      how = action.how or action.kind
    end
    dialogue:sent(action)
    action = dialogue:next_action()
  end
  return table.concat(out), how
end

local function say(dialogue, text)
  dialogue:feed(text)
  return collect(dialogue)
end

local SESSION = "EHLO me\r\nMAIL FROM:<a@b.c> SIZE=30 BODY=8BITMIME\r\n"
  .. "RCPT TO:<d@e.f>\r\nRCPT TO:<g@h.i> NOTIFY=NEVER\r\nDATA\r\n"
  .. "Subject: x\r\n\r\n..one\r\n...\r\ntwo\r\n.\r\nQUIT\r\n"

local function run_session(feed)
  local dialogue, shared = new_dialogue()
  feed(dialogue, SESSION)
  local text, how = collect(dialogue)
  return text, how, shared
end

describe("testing.smtpd", function()
  local whole

  before_each(function()
    whole = run_session(function(dialogue, text) dialogue:feed(text) end)
  end)

  it("answers a session and keeps the message", function()
    local text, how, shared = run_session(function(d, all) d:feed(all) end)
    assert.equal("fin", how)
    assert.truthy(text:find("^220 mail%.test ESMTP ready\r\n250%-mail%.test greets me\r\n"))
    assert.truthy(text:find("354 End data with <CR><LF>.<CR><LF>\r\n250 2.0.0 Ok", 1, true))
    assert.truthy(text:find("221 2%.0%.0 Bye\r\n$"))
    local message = shared.messages[1]
    assert.equal("a@b.c", message.from)
    assert.same({ SIZE = "30", BODY = "8BITMIME" }, message.params)
    assert.same({ "d@e.f", "g@h.i" }, message.to)
    assert.equal("NEVER", message.to_params[2].NOTIFY)
    assert.equal("Subject: x\r\n\r\n.one\r\n..\r\ntwo\r\n", message.data)
    assert.equal(#message.data, message.size)
    assert.equal("me", message.helo)
    assert.is_false(message.bare_newline)
  end)

  it("does not depend on how the input is cut", function()
    local text, how, shared = run_session(function(dialogue, all)
      for i = 1, #all do
        dialogue:feed(all:sub(i, i))
      end
    end)
    assert.equal(whole, text)
    assert.equal("fin", how)
    assert.equal("Subject: x\r\n\r\n.one\r\n..\r\ntwo\r\n", shared.messages[1].data)
    for cut = 1, #SESSION - 1 do
      local cut_text, _, cut_shared = run_session(function(dialogue, all)
        dialogue:feed(all:sub(1, cut))
        dialogue:feed(all:sub(cut + 1))
      end)
      assert.equal(whole, cut_text)
      assert.equal(#shared.messages[1].data, #cut_shared.messages[1].data)
    end
  end)

  it("refuses commands out of order", function()
    local dialogue = new_dialogue({ require_auth = true })
    collect(dialogue)
    assert.equal("503 5.5.1 EHLO first\r\n", say(dialogue, "MAIL FROM:<a@b>\r\n"))
    say(dialogue, "EHLO me\r\n")
    assert.equal("530 5.7.0 Authentication required\r\n", say(dialogue, "MAIL FROM:<a@b>\r\n"))
    assert.equal("503 5.5.1 MAIL first\r\n", say(dialogue, "RCPT TO:<a@b>\r\n"))
    assert.equal("503 5.5.1 MAIL first\r\n", say(dialogue, "DATA\r\n"))
    assert.equal("502 5.5.1 Command not implemented\r\n", say(dialogue, "BDAT 3\r\n"))
    assert.equal("502 5.5.1 Command not implemented\r\n", say(dialogue, "\1\2\r\n"))
  end)

  it("authenticates with PLAIN, LOGIN and XOAUTH2", function()
    local plain = base64.encode("\0u\0p")
    for _, session in ipairs({
      { "AUTH PLAIN " .. plain .. "\r\n" },
      { "auth plain\r\n", plain .. "\r\n" },
      { "AUTH LOGIN\r\n", base64.encode("u") .. "\r\n", base64.encode("p") .. "\r\n" },
      { "AUTH LOGIN " .. base64.encode("u") .. "\r\n", base64.encode("p") .. "\r\n" },
      { "AUTH XOAUTH2 " .. base64.encode("user=u\1auth=Bearer t\1\1") .. "\r\n" },
    }) do
      local dialogue, shared = new_dialogue({ tokens = { u = "t" } })
      say(dialogue, "EHLO me\r\n")
      local last
      for _, line in ipairs(session) do
        last = say(dialogue, line)
      end
      assert.equal("235 2.7.0 Authentication successful\r\n", last)
      assert.equal("u", dialogue.auth.user)
      assert.equal(1, shared.auth_attempts)
    end
  end)

  it("refuses wrong credentials", function()
    local dialogue = new_dialogue()
    say(dialogue, "EHLO me\r\n")
    assert.truthy(say(dialogue, "AUTH PLAIN " .. base64.encode("\0u\0q") .. "\r\n"):find("^535 "))
    assert.truthy(say(dialogue, "AUTH PLAIN !!\r\n"):find("^501 "))
    assert.truthy(say(dialogue, "AUTH PLAIN eHh4\r\n"):find("^501 "))
    assert.truthy(say(dialogue, "AUTH CRAM-MD5\r\n"):find("^504 "))
    assert.equal("334 \r\n", say(dialogue, "AUTH PLAIN\r\n"))
    assert.truthy(say(dialogue, "*\r\n"):find("^501 5.7.0"))
    local refused = say(dialogue, "AUTH XOAUTH2 "
      .. base64.encode("user=u\1auth=Bearer no\1\1") .. "\r\n")
    assert.truthy(refused:find("^334 %w+=*\r\n$"))
    assert.truthy(say(dialogue, "\r\n"):find("^535 "))
    assert.is_nil(dialogue.auth)
  end)

  it("gives scripted replies in turn, by address and raw", function()
    local dialogue, shared = new_dialogue({ replies = {
      mail = { "451 later", false, "550 never" },
      rcpt = { ["bad@x"] = "550 5.1.1 unknown" },
      noop = { raw = "\0\1" },
      rset = function(_, key) return key == nil and "250 fn" end,
    } })
    say(dialogue, "EHLO me\r\n")
    assert.equal("451 later\r\n", say(dialogue, "MAIL FROM:<a@b>\r\n"))
    assert.equal("250 2.1.0 Ok\r\n", say(dialogue, "MAIL FROM:<a@b>\r\n"))
    assert.equal("550 5.1.1 unknown\r\n", say(dialogue, "RCPT TO:<bad@x>\r\n"))
    assert.equal("250 2.1.5 Ok\r\n", say(dialogue, "RCPT TO:<good@x>\r\n"))
    assert.equal("\0\1", say(dialogue, "NOOP\r\n"))
    assert.equal("250 fn\r\n", say(dialogue, "RSET\r\n"))
    assert.equal("550 never\r\n", say(dialogue, "MAIL FROM:<a@b>\r\n"))
    assert.equal("250 2.1.0 Ok\r\n", say(dialogue, "MAIL FROM:<a@b>\r\n"))
    assert.equal(3, shared.uses.mail)
  end)

  it("drops the connection in the phase asked for", function()
    local steps = { { "connect", nil }, { "greeting", nil }, { "ehlo", "EHLO me\r\n" },
      { "auth", "AUTH PLAIN AHUAcA==\r\n" }, { "mail", "MAIL FROM:<a@b>\r\n" },
      { "rcpt", "RCPT TO:<c@d>\r\n" }, { "data", "DATA\r\n" }, { "body", "x" },
      { "dot", "\r\n.\r\n" }, { "quit", "QUIT\r\n" } }
    for at, wanted in ipairs(steps) do
      local dialogue = new_dialogue({ drop_at = wanted[1], how = "rst" })
      local closed
      for i = at == 2 and 2 or 1, at do
        local text, how = collect(dialogue)
        if steps[i][2] then
          text, how = say(dialogue, steps[i][2])
        end
        closed = how
        if i < at then
          assert.is_nil(how)
        elseif i > 1 then
          assert.equal("", text)
        end
      end
      assert.equal("rst", closed, wanted[1])
    end
  end)

  it("keeps a message whose verdict never left", function()
    local dialogue, shared = new_dialogue({ drop_at = "dot", drop_times = 1 })
    dialogue:feed("EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n")
    local _, how = collect(dialogue)
    assert.equal("fin", how)
    assert.equal(1, #shared.messages)
    assert.is_nil(shared.messages[1].reply)
    local second = new_dialogue({ drop_at = "dot", drop_times = 1 }, shared)
    second:feed("EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n")
    assert.is_nil(select(2, collect(second)))
    assert.truthy(shared.messages[2].reply:find("^250 "))
  end)

  it("cuts its output and its input after so many bytes", function()
    for cut = 1, #whole do
      local dialogue = new_dialogue({ cut_out_after = cut, how = "rst" })
      dialogue:feed(SESSION)
      local text, how = collect(dialogue)
      assert.equal(whole:sub(1, cut), text)
      assert.equal("rst", how)
    end
    for cut = 1, #SESSION do
      local dialogue, shared = new_dialogue({ cut_in_after = cut })
      dialogue:feed(SESSION)
      local text, how = collect(dialogue)
      assert.equal(text, whole:sub(1, #text))
      assert.equal("fin", how)
      assert.equal(cut >= #SESSION - 6 and 1 or 0, #shared.messages)
    end
  end)

  it("cuts the first connections only, where that is asked for", function()
    local options = { cut_out_after = 10, cut_times = 2 }
    local _, shared = new_dialogue(options)
    local second = new_dialogue(options, shared)
    local third = new_dialogue(options, shared)
    second:feed(SESSION)
    third:feed(SESSION)
    assert.same({ whole:sub(1, 10), "fin" }, { collect(second) })
    assert.same({ whole, "fin" }, { collect(third) })
  end)

  it("keeps no reply that was cut within", function()
    local mail = SESSION:gsub("QUIT\r\n$", "")
    local last = #whole - #"221 2.0.0 Bye\r\n"
    for cut = last - 1, last do
      local dialogue, shared = new_dialogue({ cut_out_after = cut })
      dialogue:feed(mail)
      assert.equal(cut == last, shared.messages[1].reply ~= nil)
    end
  end)

  it("records what a correct client does not do", function()
    local function defects(options, ...)
      local dialogue = new_dialogue(options)
      collect(dialogue)
      for i = 1, select("#", ...) do
        dialogue:feed((select(i, ...)))
      end
      local out = {}
      for i, defect in ipairs(dialogue.record.defects) do
        out[i] = defect.what
      end
      return out
    end
    assert.same({ "a line that ends with a bare LF" }, defects(nil, "EHLO me\n"))
    assert.same({ "CR or NUL in a line" }, defects(nil, "EHLO a\rb\r\n"))
    assert.same({ "a group of commands without PIPELINING" },
      defects({ pipelining = false }, "EHLO me\r\n", "RSET\r\nRSET\r\n"))
    assert.same({ "a command behind one that ends a group" },
      defects(nil, "EHLO me\r\n", "NOOP\r\nRSET\r\n"))
    assert.same({ "bytes behind DATA" }, defects(nil, "EHLO me\r\n",
      "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n", "DATA\r\nearly"))
    assert.same({ "a bare CR or LF in the message" }, defects(nil, "EHLO me\r\n",
      "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", "a\nb\r\n.\r\n"))
    assert.same({ "bytes behind STARTTLS" },
      defects({ mode = "starttls" }, "EHLO me\r\n", "STARTTLS\r\nRSET\r\n"))
    assert.same({}, defects(nil, "EHLO me\r\n",
      "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", "a\r\n.\r\nMAIL FROM:<a@b>\r\n"))
  end)

  it("records bytes that come before the greeting", function()
    local dialogue = new_dialogue()
    dialogue:feed("EHLO me\r\n")
    assert.equal("bytes before the greeting", dialogue.record.defects[1].what)
  end)

  it("forgets what was said before STARTTLS", function()
    local dialogue = new_dialogue({ mode = "starttls", after = { starttls = "250 more\r\n" } })
    assert.truthy(say(dialogue, "EHLO me\r\n"):find("250-STARTTLS\r\n", 1, true))
    assert.truthy(say(dialogue, "AUTH PLAIN AHUAcA==\r\n"):find("^538 "))
    local text, how = say(dialogue, "STARTTLS\r\n")
    assert.equal("220 2.0.0 Ready to start TLS\r\n250 more\r\n", text)
    assert.equal("starttls", how)
    assert.equal("", (say(dialogue, "RSET\r\n")))
    assert.is_true(dialogue:handshaking())
    dialogue:secured({ version = "TLSv1.3" })
    assert.truthy(say(dialogue, "MAIL FROM:<a@b>\r\n"):find("^503 "))
    local list = say(dialogue, "EHLO me\r\n")
    assert.is_nil(list:find("STARTTLS", 1, true))
    assert.truthy(list:find("AUTH PLAIN LOGIN", 1, true))
    assert.truthy(say(dialogue, "STARTTLS\r\n"):find("^502 "))
  end)

  it("takes chunks", function()
    local dialogue, shared = new_dialogue({ chunking = true })
    say(dialogue, "EHLO me\r\n")
    local text = say(dialogue, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"
      .. "BDAT 4\r\n.\r\nxBDAT 0\r\nBDAT 3 LAST\r\ny\r\nRSET\r\n")
    assert.equal("250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n250 2.0.0 4 octets received\r\n"
      .. "250 2.0.0 0 octets received\r\n250 2.0.0 Ok: queued as 00000001\r\n"
      .. "250 2.0.0 Ok\r\n", text)
    assert.equal(".\r\nxy\r\n", shared.messages[1].data)
    assert.is_true(shared.messages[1].chunked)
    assert.equal("503 5.5.1 MAIL first\r\n250 2.0.0 Ok\r\n",
      say(dialogue, "BDAT 6 LAST\r\nRSET\r\nRSET\r\n"))
  end)

  it("reads a refused chunk to its end, in a group", function()
    local dialogue, shared = new_dialogue({ chunking = true,
      replies = { rcpt = { ["c@d"] = "550 5.1.1 nobody" } } })
    collect(dialogue)
    say(dialogue, "EHLO me\r\n")
    local text = say(dialogue, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 6 LAST\r\nQUIT\r\n"
      .. "MAIL FROM:<e@f>\r\nRSET\r\nMAIL FROM:<e@f>\r\nRCPT TO:<g@h>\r\nBDAT 3 LAST\r\ny\r\n")
    assert.equal("250 2.1.0 Ok\r\n550 5.1.1 nobody\r\n554 5.5.1 No valid recipients\r\n"
      .. "503 5.5.1 Nested MAIL\r\n250 2.0.0 Ok\r\n250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n"
      .. "250 2.0.0 Ok: queued as 00000001\r\n", text)
    assert.equal("e@f", shared.messages[1].from)
    assert.same({ "g@h" }, shared.messages[1].to)
    assert.same({}, dialogue.record.defects)
  end)

  it("forgets half a message by chunks at RSET", function()
    local dialogue, shared = new_dialogue({ chunking = true })
    say(dialogue, "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 3\r\nx\r\nRSET\r\n")
    say(dialogue, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 3 LAST\r\ny\r\n")
    assert.equal("y\r\n", shared.messages[1].data)
  end)

  it("can answer and hang up while a chunk comes", function()
    local options = { chunking = true, during_body = { after = 5, reply = "552 too much" } }
    local head = "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 100 LAST\r\n"
    local dialogue = new_dialogue(options)
    say(dialogue, head)
    assert.equal("", (say(dialogue, "1234")))
    assert.equal("552 too much\r\n", (say(dialogue, "5")))
    dialogue = new_dialogue({ chunking = true, drop_at = "body", drop_after = 5 })
    say(dialogue, head)
    assert.same({ "", nil }, { say(dialogue, "1234") })
    assert.same({ "", "fin" }, { say(dialogue, "5") })
    assert.equal(5, dialogue.record.unfinished or dialogue.body.size)
  end)

  it("can offer CHUNKING without knowing BDAT", function()
    local dialogue = new_dialogue({ chunking = "unknown" })
    assert.truthy(say(dialogue, "EHLO me\r\n"):find("CHUNKING", 1, true))
    assert.equal("502 5.5.1 Command not implemented\r\n250 2.0.0 Ok\r\n",
      say(dialogue, "BDAT 6 LAST\r\nRSET\r\n"))
  end)

  it("minds what stands behind a chunk, not the chunk", function()
    local dialogue = new_dialogue({ chunking = true, pipelining = false })
    collect(dialogue)
    say(dialogue, "EHLO me\r\n")
    say(dialogue, "MAIL FROM:<a@b>\r\n")
    say(dialogue, "RCPT TO:<c@d>\r\n")
    say(dialogue, "BDAT 3 LAST\r\ny\r\n")
    assert.same({}, dialogue.record.defects)
    say(dialogue, "BDAT 3 LAST\r\ny\r\nRSET\r\n")
    assert.equal("bytes behind a chunk without PIPELINING", dialogue.record.defects[1].what)
  end)

  it("answers for each recipient under LMTP", function()
    local dialogue, shared = new_dialogue({ lmtp = true,
      replies = { dot = { ["e@f"] = "450 4.2.1 busy" } } })
    say(dialogue, "LHLO me\r\n")
    local text = say(dialogue, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n")
    assert.truthy(text:find("354 ", 1, true))
    assert.equal("250 2.0.0 Ok: queued as 00000001\r\n450 4.2.1 busy\r\n",
      say(dialogue, "x\r\n.\r\n"))
    assert.equal(1, #shared.messages)
  end)

  it("can answer while the body comes", function()
    local dialogue, shared = new_dialogue({
      during_body = { after = 5, reply = "552 too much", how = "fin" } })
    say(dialogue, "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
    assert.equal("", (say(dialogue, "1234")))
    local text, how = say(dialogue, "5")
    assert.equal("552 too much\r\n", text)
    assert.equal("fin", how)
    assert.equal(0, #shared.messages)
  end)

  it("delays a phase, or all", function()
    local dialogue = new_dialogue({ delay = { ehlo = 2 } })
    assert.is_nil(dialogue:next_action().delay)
    dialogue:feed("EHLO me\r\n")
    assert.equal(2, dialogue:next_action().delay)
    assert.equal(3, new_dialogue({ delay = 3 }):next_action().delay)
  end)

  it("does not grow with a line that never ends", function()
    local dialogue = new_dialogue()
    collect(dialogue)
    local text
    for _ = 1, 40 do
      text = (text or "") .. say(dialogue, ("x"):rep(1000))
    end
    assert.truthy(text:find("^500 5%.5%.6"))
    assert.is_true(#dialogue.inbox < 20000)
  end)
end)

describe("testing.body", function()
  local function receive(text, options, size)
    local receiver = body.new(options)
    local rest
    for at = 1, #text, size do
      local piece = text:sub(at, at + size - 1)
      rest = rest and rest .. piece or receiver:feed(piece)
    end
    if rest then
      receiver:finish()
    end
    return receiver, rest
  end

  local CASES = {
    { "\r\n.\r\n", "\r\n" }, { ".\r\n", "" }, { "a\r\n.\r\n", "a\r\n" },
    { "..\r\n.\r\n", ".\r\n" }, { "...\r\n..a\r\n.\r\n", "..\r\n.a\r\n" },
    { ".a\r\n.\r\n", "a\r\n" }, { "a.\r\n.\r\n", "a.\r\n" },
    { "\r\n\r\n..\r\n\r\n.\r\n", "\r\n\r\n.\r\n\r\n" },
    { "a\n.\n\r\n.\r\n", "a\n.\n\r\n", true }, { "a\r.\r\r\n.\r\n", "a\r.\r\r\n", true },
    { "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", true }, { "\n.\r\n.\r\n", "\n.\r\n", true },
    { "\r\n.\rx\r\n.\r\n", "\r\n\rx\r\n", true },
  }

  it("finds the end, takes the dots out and sees bare line ends", function()
    for _, case in ipairs(CASES) do
      local text = case[1] .. "NEXT\r\n"
      for size = 1, #text do
        local receiver, rest = receive(text, nil, size)
        assert.equal("NEXT\r\n", rest)
        assert.equal(case[2], receiver.data)
        assert.equal(#case[2], receiver.size)
        assert.equal(case[3] or false, receiver.bare_newline)
      end
    end
  end)

  it("counts without keeping", function()
    for _, case in ipairs(CASES) do
      for size = 1, #case[1] do
        local receiver, rest = receive(case[1], { discard = true }, size)
        assert.equal("", rest)
        assert.equal(#case[2], receiver.size)
        assert.is_nil(receiver.data)
      end
    end
  end)

  it("writes to a file", function()
    local path = os.tmpname()
    local receiver = receive("a\r\n..b\r\n.\r\n", { spool = path }, 2)
    local file = assert(io.open(path, "rb"))
    assert.equal("a\r\n.b\r\n", file:read("*a"))
    file:close()
    os.remove(path)
    assert.equal(path, receiver.path)
  end)
end)

describe("testing.base64", function()
  it("agrees with RFC 4648 section 10", function()
    for plain, encoded in pairs({ [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v",
      foob = "Zm9vYg==", fooba = "Zm9vYmE=", foobar = "Zm9vYmFy" }) do
      assert.equal(encoded, base64.encode(plain))
      assert.equal(plain, base64.decode(encoded))
    end
    assert.is_nil(base64.decode("Zg="))
    assert.is_nil(base64.decode("Z g="))
    assert.is_nil(base64.decode("Zg==Zg=="))
    assert.is_nil(base64.decode("===="))
  end)
end)

describe("testing.wire", function()
  it("carries values whole", function()
    local value = { 1, "two\0\r\n", true, false, { a = { b = -3 } }, c = 1.5, [""] = "{" }
    local frame = wire.encode(value)
    local back, rest = wire.decode(frame .. "more")
    assert.same(value, back)
    assert.equal("more", rest)
    for cut = 0, #frame - 1 do
      assert.is_nil((wire.decode(frame:sub(1, cut))))
      assert.is_true(wire.missing(cut, frame:sub(1, cut)) > 0)
    end
    assert.equal(0, wire.missing(#frame, frame))
  end)

  it("refuses functions", function()
    assert.has_error(function() wire.encode({ print }) end,
      "a function cannot be handed to another process")
  end)
end)
