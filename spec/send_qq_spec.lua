-- The whole library against smtp.qq.com as the scripted server plays it.
local send = require("spec.support.send")

local good, bad, has, message = send.good, send.bad, send.has, send.message

-- "Please log in with the authorization code."
local CHINESE = "请使用授权码登录"

-- Commands QQ answers with garbage once a message was taken.
local function assert_quiet(server)
  assert.equal(0, send.count(server, "RSET"))
  assert.equal(0, send.count(server, "NOOP"))
  assert.same({}, server:defects())
end

describe("sending through QQ", function()
  after_each(send.stop)

  for _, era in ipairs({ 2025, 2022, 2020 }) do
    for _, mode in ipairs({ "implicit", "starttls", "plain" }) do
      for _, split in ipairs({ 1, 65536 }) do
        it(("works: era %d, %s, %d bytes a write"):format(era, mode, split), function()
          local server = send.qq_server({ era = era, mode = mode, split_writes = split })
          local mailer = send.qq_mailer(server)
          assert.is_false(good(mailer).reused)
          local receipt = good(mailer, message({ to = { "a@test.local", "b@test.local" } }))
          assert.is_true(receipt.reused)
          assert.equal(250, receipt.reply.code)
          assert.equal("OK: queued as.", receipt.reply.text)
          assert.is_nil(receipt.queue_id)
          mailer:close()
          local list = server:messages()
          assert.equal(2, #list)
          assert.equal("PLAIN", list[1].auth.mechanism)
          assert.same({ "a@test.local", "b@test.local" }, list[2].to)
          assert.equal(1, server:auth_attempts())
          assert_quiet(server)
        end)
      end
    end
  end

  for _, mechanism in ipairs({ "PLAIN", "LOGIN" }) do
    it("logs in with " .. mechanism, function()
      local server = send.qq_server()
      good(send.qq_mailer(server, { auth = mechanism }))
      assert.equal(mechanism, server:messages()[1].auth.mechanism)
      assert.equal(1, server:auth_attempts())
    end)
  end

  it("takes a code that was pasted in groups", function()
    local server = send.qq_server()
    good(send.qq_mailer(server, { password = "abcd efgh ijkl mnop" }))
  end)

  it("names the sender in Chinese in a form QQ takes", function()
    local server = send.qq_server()
    good(send.qq_mailer(server, { from = "监控机器人 <user@qq.com>" }))
    local from = server:messages()[1].data:match("From: ([^\r\n]+)")
    has(from, "=?UTF-8?")
    has(from, " <user@qq.com>")
  end)
end)

describe("what QQ does to QUIT", function()
  after_each(send.stop)

  for _, quit in ipairs({ "frame26", "221", "close", "silent", "frame8_then_close" }) do
    for _, mode in ipairs({ "implicit", "plain" }) do
      it(("changes no result: %s, %s"):format(quit, mode), function()
        local server = send.qq_server({ quit = quit, mode = mode, close_notify = quit ~= "close" })
        local mailer = send.qq_mailer(server)
        assert.equal(250, good(mailer).reply.code)
        mailer:close()
        assert.is_true(server:wait(1, 5, "closed"))
        assert.equal(1, send.count(server, "QUIT"))
        assert.equal(1, #server:messages())
        assert_quiet(server)
      end)
    end
  end

  for _, after in ipairs({ "garbage", "silent", "close", "ok" }) do
    it("matters to no second message, RSET and NOOP answered with " .. after, function()
      local server = send.qq_server({ post_data_cmd = after })
      local mailer = send.qq_mailer(server)
      good(mailer)
      assert.is_true(good(mailer).reused)
      mailer:close()
      assert.equal(2, #server:messages())
      assert.equal(1, #server:connections())
      assert_quiet(server)
    end)
  end
end)

describe("a refused login at QQ", function()
  after_each(send.stop)

  local WRONG = "ponmlkjihgfedcba"

  local function refused(options, fields, more)
    local server = send.qq_server(options)
    local mailer = send.qq_mailer(server, send.merge({ password = WRONG }, more))
    local err = bad(mailer, send.merge({ kind = "auth", phase = "auth", delivered = "no",
      retry = "never", attempts = 1 }, fields))
    assert.equal(1, server:auth_attempts())
    assert.equal(1, #server:connections())
    assert.equal(0, send.count(server, "MAIL"))
    assert.is_true(#err.transcript > 4)
    mailer:close()
    return err
  end

  local ASKS = { code = "auth.authorization_code_required" }

  for _, after in ipairs({ "close", "close_on_next_auth", "stay" }) do
    for _, era in ipairs({ 2025, 2022 }) do
      it(("is told once: era %d, after_535 %s"):format(era, after), function()
        local err = refused({ era = era, after_535 = after }, ASKS)
        assert.equal(535, err.smtp.code)
        has(err.smtp.text, era == 2025 and "Account is abnormal" or "authorization code")
        has(err.hint, "16-letter authorization code")
        has(err.help_url, "mail.qq.com")
      end)
    end
  end

  for _, charset in ipairs({ "gbk", "utf8" }) do
    for _, split in ipairs({ 1, 65536 }) do
      it(("is read in Chinese: %s, %d bytes a write"):format(charset, split), function()
        local err = refused({ era = 2020, reply_charset = charset, split_writes = split }, ASKS,
          { lang = "zh" })
        has(err.smtp.text, CHINESE)
        has(tostring(err), CHINESE)
        has(err.hint, "授权码")
        has(table.concat(send.said(err.transcript, "S"), "\n"), CHINESE)
      end)
    end
  end

  it("is read in GBK of the present as well", function()
    has(refused({ reply_charset = "gbk" }, ASKS).smtp.text, CHINESE)
  end)

  for _, mode in ipairs({ "implicit", "starttls", "plain" }) do
    it("may be no more than a hang-up, " .. mode, function()
      local err = refused({ silent_auth_reject = true, mode = mode },
        { code = "auth.closed_during_login" })
      assert.is_nil(err.smtp)
      assert.is_string(err.hint)
    end)
  end

  it("has words of its own at Exmail", function()
    local err = refused({ exmail = true }, { code = "auth.client_password_required" },
      { provider = "exmail" })
    has(err.smtp.text, "system busy")
  end)

  it("asks no second time on the next message either", function()
    local server = send.qq_server({ after_535 = "stay" })
    local mailer = send.qq_mailer(server, { password = WRONG })
    bad(mailer, ASKS)
    bad(mailer, ASKS)
    assert.equal(1, server:auth_attempts())
    assert.equal(1, #server:connections())
  end)
end)

describe("a refused message at QQ", function()
  after_each(send.stop)

  -- Sends one message that is refused, then a good one.
  local function refused(options, fields, more, mail)
    local server = send.qq_server(options)
    local mailer = send.qq_mailer(server, more)
    local err = bad(mailer, send.merge({ delivered = "no" }, fields), mail or message())
    assert.equal(0, #server:messages())
    assert_quiet(server)
    return err, server, mailer
  end

  it("tells that From must be the login", function()
    local err, server, mailer = refused({}, { kind = "sender", code = "sender.not_login",
      phase = "mail", retry = "never" }, { from = "other@qq.com" })
    assert.equal(501, err.smtp.code)
    has(err.smtp.text, "same as authorization user")
    assert.is_string(err.hint)
    -- Nothing was wrong with the connection.
    assert.is_true(good(mailer, message({ from = send.USER })).reused)
    assert.equal(1, server:auth_attempts())
  end)

  it("tells of a bad From header", function()
    local err, _, mailer = refused({}, { kind = "content", code = "content.bad_from_header",
      phase = "final", retry = "never" }, nil, {
      raw = "From: =?utf-8?q?user=40qq=2Ecom?=\r\nTo: a@test.local\r\n\r\nhello\r\n",
      envelope = { from = send.USER, to = { "a@test.local" } },
    })
    assert.equal(550, err.smtp.code)
    has(err.help_url, "124/995")
    assert.is_true(good(mailer).reused)
  end)

  it("knows a rate limit in spite of its 550", function()
    local err, server, mailer = refused({ rate = { after = 0 } }, { kind = "rate",
      code = "rate.too_many_messages", phase = "final", retry = "later", retry_after = 7200 })
    assert.equal(550, err.smtp.code)
    bad(mailer, { kind = "rate" })
    assert.equal(1, server:auth_attempts())
  end)

  for _, era in ipairs({ 2025, 2020 }) do
    it("tells of the content filter, era " .. era, function()
      local err, _, mailer = refused({ era = era, content_words = { "casino" } },
        { kind = "content", code = "content.refused", phase = "final", retry = "never" }, nil,
        message({ text = "come to the casino" }))
      assert.equal(550, err.smtp.code)
      assert.is_true(good(mailer).reused)
    end)
  end

  it("tells of an unknown recipient only at the end, for all", function()
    local err, _, mailer = refused({}, { kind = "recipient", code = "recipient.not_found",
      phase = "final", retry = "never" }, nil,
      message({ to = { "a@test.local", "nosuch@qq.com" } }))
    assert.equal(550, err.smtp.code)
    assert.is_nil(err.recipients)
    has(err.hint, "remove the address")
    assert.is_true(good(mailer).reused)
  end)

  it("tells of it at once where the recipient is checked", function()
    local server = send.qq_server({ rcpt_check = "strict" })
    local mailer = send.qq_mailer(server)
    local receipt = good(mailer, message({ to = { "nosuch@qq.com", "a@test.local" } }))
    assert.same({ "a@test.local" }, receipt.accepted)
    assert.equal("nosuch@qq.com", receipt.rejected[1].address)
    assert.equal(550, receipt.rejected[1].code)
    local err = bad(mailer, { kind = "recipient", phase = "rcpt", delivered = "no" },
      message({ to = "nosuch@qq.com" }))
    assert.equal(1, #err.recipients)
    -- The transaction is still open there and RSET would do harm: a new login.
    assert.is_false(good(mailer).reused)
    assert_quiet(server)
  end)

  it("sends nothing that is over the size", function()
    local _, server, mailer = refused({ size_limit = 20000 }, { kind = "message",
      code = "message.too_large", retry = "never" }, nil,
      message({ text = ("x"):rep(30000) }))
    assert.equal(0, send.count(server, "MAIL"))
    assert.is_true(good(mailer).reused)
  end)
end)
