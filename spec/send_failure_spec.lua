-- What a caller learns when sending fails, and what the server never gets.
local qqmail = require("qqmail")
local send = require("spec.support.send")
local shell = require("spec.support.shell")

local good, bad, has, message = send.good, send.bad, send.has, send.message

-- Far more than all buffers between here and the server hold.
local LONG = ("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n"):rep(400000)

local HASTY = { connect = 0.3, reply = 0.3, final = 0.3, total = 20 }

describe("a connection that is lost", function()
  after_each(send.stop)

  -- Where, and what is told of a hang-up there; `stall`: of silence there.
  local STEPS = {
    { at = "greeting", kind = "closed", code = "closed.before_greeting", retry = "later",
      stall = "timeout.no_greeting" },
    { at = "ehlo", kind = "closed", code = "closed.by_server", retry = "now" },
    { at = "auth", kind = "auth", code = "auth.closed_during_login", retry = "never" },
    { at = "mail", kind = "closed", code = "closed.by_server", retry = "now" },
    { at = "rcpt", kind = "closed", code = "closed.by_server", retry = "now" },
    { at = "data", kind = "closed", code = "closed.by_server", retry = "now" },
    { at = "dot", phase = "final", kind = "closed", code = "closed.by_server", retry = "never",
      delivered = "unknown" },
  }

  local function expected(step, how)
    local fields = { kind = step.kind, code = step.code, retry = step.retry,
      phase = step.phase or step.at, delivered = step.delivered or "no" }
    if how == "stall" then
      fields.kind, fields.code = "timeout", step.stall or "timeout.reply"
      fields.retry = step.delivered and "never" or "later"
    elseif how == "rst" and (step.at == "rcpt" or step.at == "data") then
      -- A reset throws away what the server said before.
      fields.phase = nil
    elseif how == "rst" and step.at == "greeting" then
      -- It may overtake even the news that the connection stands.
      fields.phase, fields.kind, fields.code = nil, nil, nil
    end
    return fields
  end

  for _, mode in ipairs({ "plain", "starttls", "implicit" }) do
    for _, step in ipairs(STEPS) do
      for _, how in ipairs({ "fin", "rst", "stall" }) do
        it(("is told: %s at %s, %s"):format(how, step.at, mode), function()
          local server = send.server({ mode = mode, drop_at = step.at, how = how })
          local mailer = send.mailer(server, { timeout = how == "stall" and HASTY or nil })
          local err = bad(mailer, expected(step, how))
          assert.is_string(err.hint)
          assert.equal(1, err.attempts)
          assert.is_nil(err.smtp)
          assert.is_table(err.transcript)
          if step.at ~= "dot" then
            assert.equal(0, #server:messages())
          end
          -- The next message gets a connection of its own.
          server:set({ drop_at = false })
          assert.is_false(good(mailer).reused)
        end)
      end
    end
  end

  it("is told before anything was said", function()
    local server = send.server({ drop_at = "connect" })
    bad(send.mailer(server), { kind = "closed", code = "closed.before_greeting" })
  end)

  it("is told when nobody listens", function()
    local server = send.server()
    local mailer = send.mailer(server)
    server:stop()
    local err = bad(mailer, { kind = "connect", code = "connect.refused", phase = "connect",
      delivered = "no", retry = "later" })
    has(err.message, server.host .. ":" .. server.port)
    has(err.hint, "465")
    assert.same({ "connect " .. server.host .. ":" .. server.port .. ": connection refused" },
      send.said(err.transcript, "*"))
  end)

  it("is told in the middle of a login with challenges", function()
    for _, at in ipairs({ "challenge", "auth" }) do
      local server = send.server({ drop_at = at })
      bad(send.mailer(server, { auth = "LOGIN" }), { kind = "auth", phase = "auth",
        code = "auth.closed_during_login" })
    end
  end)

  it("is no refusal in the middle of a login that has worked before", function()
    local server = send.server()
    local mailer = send.mailer(server)
    good(mailer)
    mailer:close()
    server:set({ drop_at = "auth" })
    mailer = send.mailer(server)
    local err = bad(mailer, { kind = "closed", phase = "auth", code = "closed.by_server",
      retry = "now", delivered = "no" })
    has(err.message, "hung up during the login")
    server:set({ drop_at = false })
    good(mailer)
  end)

  for _, mode in ipairs({ "plain", "implicit" }) do
    for _, how in ipairs({ "fin", "rst", "stall" }) do
      it(("in the middle of a body leaves nothing: %s, %s"):format(how, mode), function()
        local server = send.server({ mode = mode, drop_at = "body", how = how, drop_after = 100000,
          discard = true, size_limit = 0 })
        local mailer = send.mailer(server, { timeout = how == "stall" and HASTY or nil })
        bad(mailer, { kind = how == "stall" and "timeout" or "closed", phase = "body",
          delivered = "no" }, message({ text = LONG }))
        assert.equal(0, #server:messages())
      end)
    end
  end

  it("after the whole message may mean that it was delivered", function()
    local server = send.server({ mode = "implicit", drop_at = "dot" })
    local err = bad(send.mailer(server), { delivered = "unknown", retry = "never" })
    has(err.hint, "may have been delivered")
    has(tostring(err), "delivered: unknown")
    -- And here it was.
    assert.equal(1, #server:messages())
    server = send.server({ mode = "implicit", drop_at = "dot" })
    has(tostring(bad(send.mailer(server, { lang = "zh" }))), "已投递：未知")
  end)
end)

describe("a connection cut at any byte", function()
  after_each(send.stop)

  -- One send with the connection cut at a place: what the caller is told must
  -- agree with what the server has.
  local function try(server, cut)
    server:clear()
    server:set(cut)
    local mailer = send.mailer(server, { timeout = { reply = 5, final = 5 } })
    local receipt, err = mailer:send(message())
    mailer:close()
    local has_it = #server:messages() > 0
    if receipt then
      assert.is_true(has_it)
      return "yes"
    end
    send.is_error(err)
    if err.delivered == "no" then
      assert.is_false(has_it)
    end
    return err.delivered
  end

  -- "no" up to some byte, then "unknown", then "yes", and never back.
  local ORDER = { no = 1, unknown = 2, yes = 3 }

  local function sweep(key, how, step)
    local server = send.server({ how = how })
    local seen, at = {}, 1
    while not seen.yes do
      local verdict = try(server, { [key] = at })
      seen[verdict] = (seen[verdict] or 0) + 1
      if how == "fin" then
        for worse, rank in pairs(ORDER) do
          assert.is_true(not seen[worse] or rank <= ORDER[verdict], key .. " " .. at)
        end
      end
      at = at + step
      assert.is_true(at < 5000)
    end
    assert.is_true(seen.no > 0 and seen.unknown > 0)
  end

  for _, how in ipairs({ "fin", "rst" }) do
    it("of the server's, by " .. how, function()
      sweep("cut_out_after", how, 3)
    end)

    it("of the client's, by " .. how, function()
      sweep("cut_in_after", how, 7)
    end)
  end
end)

describe("many messages over connections that all break", function()
  after_each(send.stop)

  -- The news that a session is over comes behind the outcomes of its messages.
  for _, window in ipairs({ 0, 1, 5 }) do
    it("have one result each, window " .. window, function()
      local server = send.server({ drop_at = "mail" })
      local results, list = {}, {}
      for index = 1, 5 do
        results[index], list[index] = 0, message()
      end
      local summary = send.mailer(server, { window = window }):send_all(list, {
        progress = false,
        on_result = function(_, err, _, index)
          results[index] = results[index] + 1
          send.is_error(err, { kind = "closed", delivered = "no" })
        end,
      })
      assert.same({ 1, 1, 1, 1, 1 }, results)
      assert.equal(5, summary.failed)
    end)
  end
end)

describe("a slow server", function()
  after_each(send.stop)

  for _, mode in ipairs({ "plain", "implicit" }) do
    it("cannot stretch the time for a reply by dripping, " .. mode, function()
      local server = send.server({ mode = mode, drip = 0.05 })
      bad(send.mailer(server, { timeout = { reply = 0.3 } }), { kind = "timeout",
        code = "timeout.no_greeting", phase = "greeting", delivered = "no", retry = "later" })
    end)

    it("cannot stretch the time for all by answering in time, " .. mode, function()
      local server = send.server({ mode = mode, drip = 0.005 })
      bad(send.mailer(server, { timeout = { total = 0.4 } }), { kind = "timeout",
        delivered = "no", retry = "later" })
    end)
  end

  it("is waited for as long as `final` says, and then nothing is known", function()
    local server = send.server({ delay = { dot = 30 } })
    bad(send.mailer(server, { timeout = { final = 0.2 } }), { kind = "timeout", phase = "final",
      delivered = "unknown", retry = "never" })
  end)

  it("that runs into the total behind the message leaves it unknown", function()
    local server = send.server({ delay = { dot = 30 } })
    bad(send.mailer(server, { timeout = { total = 1.5 } }), { kind = "timeout", phase = "final",
      delivered = "unknown", retry = "never" })
  end)

  it("that takes its time within the limits is waited for", function()
    local server = send.server({ delay = { dot = 0.1, greeting = 0.1 }, split_writes = 1 })
    good(send.mailer(server))
  end)
end)

describe("an error", function()
  after_each(send.stop)

  -- Failures that carry no text of the server.
  local OPTIONS = {
    { server = { drop_at = "greeting" } }, { server = { drop_at = "auth" } },
    { server = { drop_at = "dot" } }, { server = { mechanisms = false } },
    { server = { drop_at = "mail", how = "stall" } }, { server = { mode = "starttls", ehlo = {} } },
    { server = { mode = "implicit", cert = "expired" } }, { message = { to = {} } },
    { server = { size_limit = 10 } }, { message = { attachments = { "/nowhere" } } },
    { server = { replies = { greeting = { raw = "hello\r\n" } } } },
  }

  local function is_chinese(text)
    return text:find("[\228-\233][\128-\191][\128-\191]") ~= nil
  end

  for i, case in ipairs(OPTIONS) do
    it("speaks the language that was asked for, case " .. i, function()
      local server = send.server(case.server)
      for lang, chinese in pairs({ en = false, zh = true }) do
        local mailer = send.mailer(server, { lang = lang, timeout = { reply = 0.2 } })
        local spec = message()
        for key, value in pairs(case.message or {}) do
          spec[key] = value
        end
        local err = bad(mailer, { lang = lang }, spec)
        assert.equal(chinese, is_chinese(err.message), err.message)
        assert.equal(chinese, is_chinese(tostring(err)))
        if err.hint then
          assert.equal(chinese, is_chinese(err.hint), err.hint)
        end
      end
    end)
  end
end)

describe("a server that breaks the rules", function()
  after_each(send.stop)

  -- What it says, and what is told of it.
  local function case(name, options, fields)
    it(name, function()
      local server = send.server(options)
      local err = bad(send.mailer(server, { timeout = { reply = 1, final = 1 } }), fields)
      assert.is_table(err.transcript)
      assert.equal(0, #server:messages())
    end)
  end

  local function reply(phase, text)
    return { replies = { [phase] = { raw = text } } }
  end

  case("is no mail server", reply("greeting", "SSH-2.0-OpenSSH_9.2\r\n"),
    { kind = "protocol", code = "protocol.bad_reply", phase = "greeting", delivered = "no" })
  case("refuses by its greeting", reply("greeting", "554 5.7.1 not you\r\n"),
    { kind = "reject", code = "reject.connection", phase = "greeting", retry = "never" })
  case("is busy", reply("greeting", "421 4.3.2 too many connections\r\n"),
    { kind = "rate", code = "rate.too_many_connections", phase = "greeting", retry = "later" })
  case("mixes codes in one reply", reply("ehlo", "250-mail.test\r\n251 SIZE\r\n"),
    { kind = "protocol", code = "protocol.bad_reply", phase = "ehlo" })
  case("talks without end", reply("ehlo", ("250-x\r\n"):rep(100000)),
    { kind = "protocol", code = "protocol.reply_too_long", phase = "ehlo" })
  case("sends a line without end", reply("ehlo", "250 " .. ("x"):rep(200000)),
    { kind = "protocol", code = "protocol.reply_too_long", phase = "ehlo" })
  case("greets twice", { after = { greeting = "220 again\r\n" } },
    { kind = "protocol", code = "protocol.unexpected_reply", delivered = "no" })
  case("answers a login with 250", reply("auth", "250 ok\r\n"),
    { kind = "protocol", code = "protocol.unexpected_reply", phase = "auth" })
  case("answers DATA with 250", reply("data", "250 ok\r\n"),
    { kind = "protocol", code = "protocol.unexpected_reply", phase = "data" })
  case("speaks behind its 354", { after = { data = "250 2.0.0 queued\r\n" } },
    { kind = "protocol", code = "protocol.unexpected_reply", phase = "body", delivered = "no" })
  case("speaks half a reply behind its 354", { after = { data = "250 2.0" } },
    { kind = "timeout", delivered = "no" })
  case("refuses behind its 354", { after = { data = "452 4.3.1 full\r\n" } },
    { kind = "reject", code = "reject.out_of_storage", phase = "body", delivered = "no" })
  case("gives half a verdict", reply("dot", "250 2.0.0 o"),
    { kind = "timeout", phase = "final", delivered = "unknown", retry = "never" })
  case("gives a verdict nobody can read", reply("dot", "queued\r\n"),
    { kind = "protocol", phase = "final", delivered = "unknown", retry = "never" })
  case("gives a verdict that is none", reply("dot", "354 go on\r\n"),
    { kind = "protocol", phase = "final", delivered = "unknown", retry = "never" })
  case("says 421 to MAIL", reply("mail", "421 4.4.2 bye\r\n"),
    { kind = "reject", code = "reject.closing", phase = "mail", retry = "later" })

  it("refuses at the end, and nothing was delivered", function()
    for text, retry in pairs({ ["451 4.3.0 try later"] = "later", ["554 5.7.1 no"] = "never",
      ["421 4.3.2 shutting down"] = "later" }) do
      local server = send.server({ replies = { dot = text } })
      local err = bad(send.mailer(server), { phase = "final", delivered = "no", retry = retry })
      assert.equal(text, ("%d %s %s"):format(err.smtp.code, err.smtp.enhanced, err.smtp.text))
      assert.equal(1, #server:rejected())
    end
  end)

  it("refuses in the middle of a body, which ends it there", function()
    for _, mode in ipairs({ "plain", "implicit" }) do
      local server = send.server({ mode = mode, discard = true, size_limit = 0,
        during_body = { after = 100000, reply = "552 5.3.4 too large for us" } })
      local err = bad(send.mailer(server), { kind = "content", code = "content.too_large",
        phase = "body", delivered = "no" }, message({ text = LONG }))
      assert.equal(552, err.smtp.code)
      assert.is_true(server:wait(1, 5, "closed"))
      assert.equal(0, #server:messages())
      assert.is_number(server:connections()[1].unfinished)
    end
  end)

  it("speaks no English", function()
    local server = send.server({ replies = { rcpt = { raw = "550 \211\195\187\167\178\187\180\230"
      .. "\212\218\r\n" } } })
    local err = bad(send.mailer(server), { kind = "recipient" })
    assert.equal("用户不存在", err.smtp.text)
  end)

  it("puts control characters into its text", function()
    local server = send.server({ replies = { mail = { raw = "550 \27[31mred\7 \194\155\r\n" } } })
    local err = bad(send.mailer(server), { phase = "mail" })
    assert.is_nil(tostring(err):find("[%c]"))
    assert.is_nil(err.smtp.text:find("[%c]"))
  end)

  it("does not know EHLO, and takes HELO where no login is needed", function()
    local server = send.server({ require_auth = false, replies = { ehlo = "502 5.5.1 what" } })
    local options = send.options(server, { from = send.USER })
    options.user, options.password = nil, nil
    local mailer = assert(qqmail.new(options))
    good(mailer)
    mailer:close()
    assert.equal(1, send.count(server, "HELO"))
    bad(send.mailer(server), { phase = "ehlo", delivered = "no" })
    assert.equal(0, server:auth_attempts())
  end)
end)

describe("a bad message", function()
  after_each(send.stop)

  -- Tries one; the server must not even be connected to.
  local function refused(spec, fields)
    local server = send.server()
    local mailer = send.mailer(server)
    local err = bad(mailer, send.merge({ kind = "message", delivered = "no", retry = "never" },
      fields), spec)
    assert.same({}, server:connections())
    return err
  end

  it("without recipients is refused at once", function()
    refused({ subject = "s", text = "t" })
    refused({ to = {}, subject = "s", text = "t" })
    refused({ to = "", subject = "s", text = "t" })
  end)

  it("with a bad address is refused, with the place of the fault", function()
    local err = refused(message({ to = "a@test.local, b@@test.local" }), { field = "to" })
    assert.equal(17, err.position)
    has(err.message, "17")
    refused(message({ cc = "a@test.local\r\nBcc: x@evil.test" }), { field = "cc" })
    refused(message({ from = "nobody" }), { field = "from" })
  end)

  it("with an attachment that cannot be read is refused", function()
    refused(message({ attachments = { "/nowhere/at/all.pdf" } }), { field = "attachments[1]" })
    refused(message({ attachments = { { data = "x", name = "x" }, "/" } }),
      { field = "attachments[2]" })
  end)

  it("with a line that is too long is refused", function()
    refused(message({ headers = { ["X-Long"] = ("x"):rep(2000) } }))
  end)

  it("with an unknown field is refused", function()
    has(refused(message({ subjekt = "s" })).message, "subject")
  end)

  it("over the server's size is refused before MAIL", function()
    local server = send.server({ size_limit = 20000 })
    local mailer = send.mailer(server)
    local err = bad(mailer, { kind = "message", code = "message.too_large", delivered = "no",
      retry = "never" }, message({ text = ("x"):rep(30000) }))
    has(err.message, "20000")
    assert.is_string(err.hint)
    assert.equal(0, send.count(server, "MAIL"))
    assert.is_true(good(mailer).reused)
  end)

  it("that needs SMTPUTF8 is refused where it is not offered", function()
    local server = send.server({ smtputf8 = false })
    local mailer = send.mailer(server)
    bad(mailer, { kind = "message", code = "message.smtputf8_required", delivered = "no" },
      message({ to = "用户@test.local" }))
    assert.equal(0, send.count(server, "MAIL"))
    assert.is_true(good(mailer).reused)
  end)
end)

describe("a source that fails while it is sent", function()
  local folder, remove

  before_each(function()
    folder, remove = shell.folder()
  end)

  after_each(function()
    send.stop()
    remove()
  end)

  -- Nothing may have been delivered, and no end mark written.
  local function assert_cut_off(server)
    assert.is_true(server:wait(1, 5, "closed"))
    assert.equal(0, #server:messages())
    assert.equal(0, #server:rejected())
    assert.is_number(server:connections()[1].unfinished)
    assert.equal(0, send.count(server, "QUIT"))
  end

  it("delivers nothing: a file that was cut after the message was built", function()
    local server = send.server({ mode = "implicit" })
    local path = folder .. "/report.pdf"
    shell.write(path, ("x"):rep(100000))
    local built = assert(qqmail.message(message({ from = send.USER, attachments = { path } })))
    shell.write(path, ("x"):rep(50000))
    bad(send.mailer(server), { kind = "message", code = "message.source_changed", phase = "body",
      field = "attachments[1]", delivered = "no", retry = "never" }, built)
    assert_cut_off(server)
  end)

  it("delivers nothing: a file that is cut while another part is on its way", function()
    local server = send.server({ mode = "implicit" })
    local path = folder .. "/report.pdf"
    shell.write(path, ("x"):rep(100000))
    local function read()
      shell.write(path, ("x"):rep(50000))
      return nil
    end
    local err = bad(send.mailer(server), { kind = "message", code = "message.source_changed",
      phase = "body", field = "attachments[2]", delivered = "no", retry = "never" },
      message({ attachments = { { read = read, name = "first" }, path } }))
    assert.is_table(err.transcript)
    assert_cut_off(server)
  end)

  it("delivers nothing: a reader that gives up", function()
    local server = send.server()
    local pieces = { "one\n", "two\n" }
    local function read()
      local piece = table.remove(pieces, 1)
      if piece then
        return piece
      end
      return nil, "the disk is on fire"
    end
    local err = bad(send.mailer(server), { kind = "message", code = "message.source_failed",
      phase = "body", delivered = "no", retry = "never" },
      message({ attachments = { { read = read, name = "log.txt" } } }))
    has(err.message, "the disk is on fire")
    assert_cut_off(server)
  end)

  it("sends what a reader gives", function()
    local server = send.server()
    local left = 200
    local function read()
      left = left - 1
      return left >= 0 and ("line %d\n"):format(left):rep(1000) or nil
    end
    good(send.mailer(server), message({ attachments = { { read = read, name = "log.txt" } } }))
    assert.is_true(server:messages()[1].size > 1000000)
  end)
end)

describe("bad settings", function()
  after_each(send.stop)

  it("are told before connecting", function()
    local server = send.server()
    local mailer, err = qqmail.new(send.options(server, { password = ("x"):rep(100000) }))
    assert.is_nil(mailer)
    assert.same({ "config", "password" }, { err.kind, err.field })
    assert.is_string(err.hint)
    err = bad(send.mailer(server, { user = ("x"):rep(100000), from = "a@test.local" }),
      { kind = "config", delivered = "no", retry = "never" })
    assert.is_string(err.hint)
    assert.same({}, server:connections())
  end)

  it("of a password function are told", function()
    local server = send.server()
    bad(send.mailer(server, { password = function() return nil end }), { kind = "config",
      code = "config.secret_function" })
    local err = bad(send.mailer(server, { password = function() error(send.CODE) end }),
      { kind = "config", code = "config.secret_function" })
    send.lacks(err, send.CODE)
    assert.same({}, server:connections())
  end)

  it("let nothing into EHLO", function()
    local file = io.open("../shared/corpora/injection/cases.jsonl")
    if not file then
      pending("no corpus")
      return
    end
    local json = require("spec.support.json")
    local seen = 0
    for line in file:lines() do
      local case = json.decode(line)
      if case.field == "helo_name" then
        seen = seen + 1
        local mailer, err = qqmail.new({ host = "mx.test", user = send.USER, password = "p",
          hostname = case.value })
        assert.is_nil(mailer)
        send.is_error(err, { kind = "config", field = "hostname" })
      end
    end
    file:close()
    assert.is_true(seen > 0)
  end)

  for _, name in ipairs({ "a b", "a\r\nRSET", "a\0b", "邮.test", ("x"):rep(300), "" }) do
    it(("let no such name into EHLO: %q"):format(name:sub(1, 20)), function()
      local mailer, err = qqmail.new({ host = "mx.test", user = send.USER, password = "p",
        hostname = name })
      assert.is_nil(mailer)
      send.is_error(err, { kind = "config", field = "hostname" })
    end)
  end
end)

describe("an envelope of the corpus", function()
  after_each(send.stop)

  it("is refused, or harmless", function()
    local file = io.open("../shared/corpora/injection/cases.jsonl")
    if not file then
      pending("no corpus")
      return
    end
    local json = require("spec.support.json")
    local server = send.server()
    local mailer = send.mailer(server)
    for line in file:lines() do
      local case = json.decode(line)
      local key = case.field:match("^envelope_(%l+)$")
      if key then
        local envelope = { from = send.USER, to = { "a@test.local" } }
        envelope[key] = key == "to" and { case.value } or case.value
        bad(mailer, { kind = "message", delivered = "no" }, message({ envelope = envelope }))
      end
    end
    file:close()
    assert.same({}, server:connections())
  end)
end)
