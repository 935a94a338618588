--- What sending has to do under every driver, against the scripted server. The
-- runner does the sending (see spec/support/send_runners.lua).
--
-- `runner.caps`, where drivers may differ:
--
-- * `counts_writes`: after a write that failed the driver knows how much of it
--   left. Without, a message cut off in its last piece is "unknown", not "no".
-- * `looks_ahead`: the driver sees without waiting whether something came.
--   Without, a hang-up in the middle of a body may be seen only behind it.
-- * `keeps_connections`: connections outlive the mailer that made them.
local assert = require("luassert")
local busted = require("busted")
local certs = require("spec.support.certs")
local messages = require("spec.support.messages")
local net = require("qqmail.net")
local send = require("spec.support.send")
local shell = require("spec.support.shell")

local MODES = { "plain", "starttls", "implicit" }
local TLS_MODES = { "starttls", "implicit" }
local TWO = { "a@test.local", "b@test.local" }
local HASTY = { reply = 0.3, final = 0.3 }
local REFUSAL = "550 5.1.1 no such user here"
-- QQ's wrong code is one letter off.
local WRONG = "abcdefghijklmnoq"

-- Lines of text that no buffers between here and the server hold.
local LONG = 200000

local Suite = {}
Suite.__index = Suite

-- Asking the runner -------------------------------------------------------------

local function check_fields(value, fields)
  for name, expected in pairs(fields or {}) do
    assert.equal(expected, value[name], name .. " of: " .. tostring(value.text or name))
  end
end

-- No secret in what anybody may print.
local function check_error(err)
  send.lacks(err.text, send.CODE)
  assert.is_nil(err.text:find("%c"))
  for _, name in ipairs({ "kind", "code", "phase", "delivered", "retry", "message" }) do
    assert.is_string(err[name], name)
  end
  -- Whatever was tried is told, line by line and in its order.
  assert.equal(err.phase == "config", #err.transcript == 0, err.text)
  local last = 0
  for _, line in ipairs(err.transcript) do
    assert.is_truthy(({ C = true, S = true, ["*"] = true })[line.dir])
    assert.is_true(line.t >= last)
    send.lacks(line.line, send.CODE)
    last = line.t
  end
end

--- Sends messages that are delivered; answers the receipts.
function Suite:good(options, list)
  local receipts = {}
  local results = self.runner.send(options, list or { send.message() })
  for i, result in ipairs(results) do
    assert.is_table(result.receipt, result.err and result.err.text)
    assert.is_nil(result.err)
    receipts[i] = result.receipt
  end
  assert.equal(#(list or { 1 }), #receipts)
  return receipts
end

--- Sends one message that is not; answers the error.
function Suite:bad(options, fields, message)
  local result = self.runner.send(options, { message or send.message() })[1]
  assert.is_nil(result.receipt)
  check_error(result.err)
  check_fields(result.err, fields)
  return result.err
end

-- Deliveries ----------------------------------------------------------------------

local CHINESE = {
  from = "监控 <" .. send.USER .. ">", to = TWO, subject = "磁盘告警：/dev/sda1 已用 95%",
  text = "第一行\n.以点开头\n" .. ("长"):rep(500) .. "\n",
  html = "<p>磁盘 <b>95%</b></p>\n",
  attachments = { { data = ("\0\1\2\255binary\r\n.\r\n"):rep(500), name = "报告.bin" } },
  keep = true,
}

-- Without 8BITMIME, so that the bytes are those of tostring(message).
local function delivers_exactly(self, mode)
  local server = send.server({ mode = mode, eightbitmime = false })
  local result = self.runner.send(send.options(server), { CHINESE })[1]
  assert.is_table(result.receipt, result.err and result.err.text)
  local receipt, got = result.receipt, server:messages()[1]
  assert.same(TWO, receipt.accepted)
  assert.same({}, receipt.rejected)
  assert.equal(250, receipt.reply.code)
  assert.is_false(receipt.reused)
  assert.equal(mode ~= "plain", receipt.tls ~= nil)
  assert.is_true(got.data == result.bytes)
  assert.equal(send.USER, got.from)
  assert.same(TWO, got.to)
  assert.equal(send.CODE, got.auth.password)
  assert.equal(mode ~= "plain", got.tls ~= nil)
  if not self.runner.caps.keeps_connections then
    assert.is_true(server:wait(1, 5, "closed"))
    assert.equal(1, send.count(server, "QUIT"))
  end
  assert.same({}, server:defects())
end

local function delivers_eightbit(self, mode)
  local server = send.server({ mode = mode })
  local message = send.merge({}, CHINESE)
  message.keep = nil
  self:good(send.options(server), { message })
  local facts = messages.read(server:messages()[1].data)
  assert.equal(CHINESE.subject, messages.header(facts, "Subject"))
  assert.same({}, server:defects())
end

local function delivers_two(self, mode)
  local server = send.server({ mode = mode })
  local receipts = self:good(send.options(server), { send.message(), send.message() })
  assert.is_false(receipts[1].reused)
  assert.is_true(receipts[2].reused)
  assert.equal(2, #server:messages())
  assert.equal(1, #server:connections())
  assert.equal(1, server:auth_attempts())
  assert.same({}, server:defects())
end

local function delivers_large(self, mode)
  local server = send.server({ mode = mode, size_limit = 0, discard = true })
  self:good(send.options(server), { send.message({ fill = 40000 }) })
  assert.is_true(server:messages()[1].size > 40000 * 66)
end

-- The parameters of RFC 3461 and 8689, asked for and missing.
local function asks_of_server(self, mode)
  local server = send.server({ mode = mode, dsn = true, requiretls = true })
  local is_safe = mode ~= "plain"
  local message = send.message({ to = TWO, require_tls = is_safe or nil, dsn = { ret = "headers",
    envid = "a b", notify = { "failure", [TWO[2]] = "never" }, orcpt = true } })
  local receipt = self:good(send.options(server), { message })[1]
  assert.is_true(receipt.dsn)
  assert.equal(is_safe or nil, receipt.require_tls)
  local got = server:messages()[1]
  assert.same({ "HDRS", "a+20b", is_safe or nil },
    { got.params.RET, got.params.ENVID, got.params.REQUIRETLS })
  assert.same({ NOTIFY = "FAILURE", ORCPT = "rfc822;" .. TWO[1] }, got.to_params[1])
  assert.same({ NOTIFY = "NEVER", ORCPT = "rfc822;" .. TWO[2] }, got.to_params[2])

  server = send.server({ mode = mode })
  self:bad(send.options(server), { code = "message.dsn_not_offered", phase = "mail",
    delivered = "no", retry = "never" }, send.message({ dsn = { notify = "never" } }))
  self:bad(send.options(server), { delivered = "no", retry = "never", phase = "mail",
    code = is_safe and "message.require_tls_not_offered" or "message.require_tls_unverified" },
    send.message({ require_tls = true }))
  assert.equal(0, send.count(server, "MAIL"))
end

-- Refusals --------------------------------------------------------------------------

local function refuses_login(self, mode)
  local server = send.server({ mode = mode })
  local err = self:bad(send.options(server, { password = WRONG }), { kind = "auth", phase = "auth",
    delivered = "no", retry = "never", attempts = 1 })
  assert.equal(535, err.smtp.code)
  send.lacks(err.text, WRONG)
  assert.equal(1, server:auth_attempts())
  assert.equal(0, send.count(server, "MAIL"))
end

local function refuses_one(self, mode)
  local server = send.server({ mode = mode, replies = { rcpt = { ["b@test.local"] = REFUSAL } } })
  local receipt = self:good(send.options(server), { send.message({ to = TWO }) })[1]
  assert.same({ "a@test.local" }, receipt.accepted)
  assert.same({ { address = "b@test.local", code = 550, enhanced = "5.1.1",
    text = "no such user here", retry = "never" } }, receipt.rejected)
  assert.same(receipt.accepted, server:messages()[1].to)
end

local function refuses_all(self, mode)
  local server = send.server({ mode = mode, replies = { rcpt = { REFUSAL, REFUSAL } } })
  local results = self.runner.send(send.options(server),
    { send.message({ to = TWO }), send.message() })
  local err = results[1].err
  check_error(err)
  check_fields(err, { kind = "recipient", phase = "rcpt", delivered = "no", retry = "never" })
  assert.equal(2, #err.recipients)
  assert.equal("b@test.local", err.recipients[2].address)
  -- Nothing was wrong with the connection.
  assert.is_true(results[2].receipt.reused)
  assert.equal(1, #server:messages())
  assert.same({}, server:defects())
end

-- Lost connections --------------------------------------------------------------------

-- Where, and what is told of a hang-up there.
local STEPS = {
  { at = "greeting", kind = "closed", code = "closed.before_greeting", retry = "later" },
  { at = "ehlo", kind = "closed", code = "closed.by_server", retry = "now" },
  { at = "auth", kind = "auth", code = "auth.closed_during_login", retry = "never" },
  { at = "mail", kind = "closed", code = "closed.by_server", retry = "now" },
  { at = "rcpt", kind = "closed", code = "closed.by_server", retry = "now" },
  { at = "data", kind = "closed", code = "closed.by_server", retry = "now" },
  { at = "body", kind = "closed", retry = "now", long = true },
  { at = "dot", phase = "final", kind = "closed", code = "closed.by_server", retry = "never",
    delivered = "unknown" },
}

-- A reset throws away what was said before it, and may overtake even the news
-- that the connection stands.
local function expected(step, how)
  local fields = { kind = step.kind, code = step.code, retry = step.retry,
    phase = step.phase or step.at, delivered = step.delivered or "no" }
  if how == "rst" and step.at == "greeting" then
    fields.phase, fields.kind, fields.code = nil, nil, nil
  elseif how == "rst" and (step.at == "rcpt" or step.at == "data") then
    fields.phase = nil
  end
  return fields
end

-- Cut off in the body: what a driver cannot know is on the safe side.
local function expected_in_body(step, how, caps)
  local fields = expected(step, how)
  if not caps.counts_writes or not caps.looks_ahead then
    fields.delivered, fields.retry = nil, nil
  end
  if how == "fin" and not caps.looks_ahead then
    fields.phase = nil
  end
  return fields
end

local function loses(self, mode, step, how)
  local server = send.server({ mode = mode, drop_at = step.at, how = how,
    drop_after = step.long and 100000, size_limit = step.long and 0, discard = step.long })
  local fields = step.long and expected_in_body(step, how, self.runner.caps)
    or expected(step, how)
  self:bad(send.options(server), fields, send.message({ fill = step.long and LONG }))
  assert.equal(step.at == "dot" and 1 or 0, #server:messages())
end

-- The verdict was given: what happens to QUIT changes nothing.
local function loses_quit(self, mode, how)
  local server = send.server({ mode = mode, drop_at = "quit", how = how })
  self:good(send.options(server))
  assert.equal(1, #server:messages())
end

local function stalls(self, mode, at, fields)
  local server = send.server({ mode = mode, drop_at = at, how = "stall" })
  self:bad(send.options(server, { timeout = HASTY }), fields)
end

local function drips(self, mode)
  local server = send.server({ mode = mode, drip = 0.05 })
  self:bad(send.options(server, { timeout = HASTY }), { kind = "timeout",
    code = "timeout.no_greeting", phase = "greeting", delivered = "no", retry = "later" })
  server:set({ drip = 0.01 })
  self:bad(send.options(server, { timeout = { total = 0.4 } }), { kind = "timeout",
    delivered = "no", retry = "later" })
  assert.equal(0, #server:messages())
end

-- A server that ends an idle connection: unasked, or when the next MAIL comes.
local GOODBYES = {
  ["says 421 on its own"] = { after = { dot = "421 4.4.2 idle for too long\r\n" } },
  ["says 421 to MAIL"] = { replies = { mail = { false, "421 4.4.2 idle for too long" } } },
  ["hangs up"] = { scenario = "spec.support.dying_scenario", dies = { at = "dot", how = "fin" } },
  ["breaks it"] = { scenario = "spec.support.dying_scenario", dies = { at = "mail", how = "rst" } },
}

local function reconnects(self, mode, goodbye)
  local server = send.server(send.merge({ mode = mode }, goodbye))
  local receipts = self:good(send.options(server), { send.message(), send.message() })
  assert.is_false(receipts[2].reused)
  assert.equal(2, #server:messages())
  assert.equal(2, #server:connections())
end

-- TLS ------------------------------------------------------------------------------------

-- What a server may hear in clear before TLS.
local BEFORE = { implicit = {}, starttls = { "EHLO [127.0.0.1]", "STARTTLS" } }

local CERTIFICATES = {
  { "an unknown authority", "tls.no_issuer", ca = "rogue-ca.pem" },
  { "another host's certificate", "tls.host_mismatch", cert = "wronghost" },
  { "an expired certificate", "tls.expired", cert = "expired" },
}

local function distrusts(self, mode, case)
  local server = send.server({ mode = mode, cert = case.cert })
  local options = send.options(server)
  if case.ca then
    options.tls_options.ca_file = certs.path(case.ca)
  end
  self:bad(options, { kind = "tls", code = case[2], phase = "tls", delivered = "no",
    retry = "never" })
  assert.is_true(server:wait(1, 5, "closed"))
  assert.same(BEFORE[mode], send.said(server:connections()[1].lines, "C"))
  assert.equal(0, server:auth_attempts())
end

-- QQ ---------------------------------------------------------------------------------------

local function qq_options(server, more)
  return send.options(server, send.merge({ provider = "qq" }, more))
end

local function qq_delivers(self, mode)
  local server = send.qq_server({ mode = mode })
  local receipts = self:good(qq_options(server), { send.message(), send.message({ to = TWO }) })
  assert.is_true(receipts[2].reused)
  assert.equal("OK: queued as.", receipts[2].reply.text)
  assert.equal(2, #server:messages())
  assert.equal(1, server:auth_attempts())
  assert.equal(0, send.count(server, "RSET") + send.count(server, "NOOP"))
  assert.same({}, server:defects())
end

local function qq_refuses(self, mode)
  local server = send.qq_server({ mode = mode })
  local err = self:bad(qq_options(server, { password = WRONG }), { kind = "auth",
    code = "auth.authorization_code_required", delivered = "no", retry = "never", attempts = 1 })
  assert.equal(535, err.smtp.code)
  send.has(err.hint, "authorization code")
  assert.equal(1, server:auth_attempts())
  err = self:bad(qq_options(server, { from = "other@qq.com" }), { kind = "sender",
    code = "sender.not_login", phase = "mail", delivered = "no", retry = "never" })
  assert.equal(501, err.smtp.code)
  assert.equal(0, #server:messages())
  server = send.qq_server({ mode = mode, rate = { after = 0 } })
  err = self:bad(qq_options(server), { kind = "rate", code = "rate.too_many_messages",
    phase = "final", delivered = "no", retry = "later", retry_after = 7200 })
  assert.equal(550, err.smtp.code)
  assert.equal(0, #server:messages())
end

-- Where the server is ------------------------------------------------------------------------

local function has_ipv6()
  local listener = net.listen("::1", 0)
  if listener then
    listener:close()
  end
  return listener ~= nil
end

local function reaches_ipv6(self, mode)
  if not has_ipv6() then
    busted.pending("no IPv6 here")
    return
  end
  local server = send.server({ mode = mode, address = "::1" })
  local receipt = self:good(send.options(server))[1]
  assert.equal("::1", receipt.host)
  assert.equal(1, #server:messages())
end

local function reaches_socket(self)
  local folder, remove = shell.folder()
  local server = send.server({ socket = folder .. "/smtp" })
  local options = send.options(server, { socket = folder .. "/smtp" })
  options.host, options.port = nil, nil
  local receipt = self:good(options)[1]
  assert.equal(folder .. "/smtp", receipt.host)
  assert.equal(1, #server:messages())
  server:stop()
  local err = self:bad(options, { kind = "connect", phase = "connect", delivered = "no" })
  send.has(err.message, folder .. "/smtp")
  remove()
end

local function reaches_localhost(self, mode)
  local server = send.server({ mode = mode })
  self:good(send.options(server, { host = "localhost" }))
  assert.equal(1, #server:messages())
end

local function finds_nobody(self)
  local server = send.server()
  local options = send.options(server)
  server:stop()
  local err = self:bad(options, { kind = "connect", code = "connect.refused", phase = "connect",
    delivered = "no", retry = "later" })
  send.has(err.message, "127.0.0.1:" .. options.port)
  options.host = "no-such-host.invalid"
  err = self:bad(options, { kind = "resolve", phase = "resolve", delivered = "no" })
  send.has(err.message, "no-such-host.invalid")
end

-- Many -----------------------------------------------------------------------------------------

local MANY = 12

local function delivers_many(self, mode)
  local server = send.server({ mode = mode, split_writes = 7 })
  local list = {}
  for i = 1, MANY do
    list[i] = send.message({ to = ("r%d@test.local"):format(i), fill = 100 * i })
  end
  local results = self.runner.parallel(send.options(server, { pool = { max = 3 } }), list)
  local seen = {}
  for i, result in ipairs(results) do
    assert.is_table(result.receipt, result.err and result.err.text)
    assert.same({ list[i].to }, result.receipt.accepted)
  end
  for _, got in ipairs(server:messages()) do
    assert.is_nil(seen[got.to[1]])
    seen[got.to[1]] = true
  end
  assert.equal(MANY, #server:messages())
  assert.equal(MANY, #results)
  assert.is_true(server:auth_attempts() <= MANY)
  assert.same({}, server:defects())
end

-- Some fail, and the others do not care.
local function fails_some(self, mode)
  local server = send.server({ mode = mode, replies = { rcpt = { ["bad@test.local"] = REFUSAL } } })
  local list = {}
  for i = 1, 6 do
    list[i] = send.message({ to = i % 2 == 0 and "bad@test.local" or "a@test.local" })
  end
  for i, result in ipairs(self.runner.parallel(send.options(server), list)) do
    if i % 2 == 0 then
      check_fields(result.err, { kind = "recipient", delivered = "no" })
    else
      assert.is_table(result.receipt)
    end
  end
  assert.equal(3, #server:messages())
end

-- The suite --------------------------------------------------------------------------------------

-- A case named `text`, once for each mode.
local function each_mode(self, modes, text, body, ...)
  for _, mode in ipairs(modes) do
    self:case(text .. ", " .. mode, body, mode, ...)
  end
end

function Suite:case(text, body, ...)
  local arguments = { ... }
  busted.it(text, function()
    if self.runner.missing then
      busted.pending(self.runner.missing)
      return
    end
    body(self, (unpack or table.unpack)(arguments))
  end)
end

local function deliveries(self)
  each_mode(self, MODES, "delivers byte for byte", delivers_exactly)
  each_mode(self, MODES, "delivers in 8 bits", delivers_eightbit)
  each_mode(self, MODES, "delivers two over one connection", delivers_two)
  each_mode(self, MODES, "delivers a large message", delivers_large)
  each_mode(self, MODES, "delivers many at once", delivers_many)
  each_mode(self, MODES, "tells a failure of the one that failed", fails_some)
  each_mode(self, MODES, "asks for reports and for TLS", asks_of_server)
end

local function refusals(self)
  each_mode(self, MODES, "asks once with a wrong password", refuses_login)
  each_mode(self, MODES, "delivers to the others when one is refused", refuses_one)
  each_mode(self, MODES, "tells of all recipients when all are refused", refuses_all)
  each_mode(self, MODES, "delivers through QQ", qq_delivers)
  each_mode(self, MODES, "tells why QQ refuses", qq_refuses)
end

local function losses(self)
  for _, how in ipairs({ "fin", "rst" }) do
    for _, step in ipairs(STEPS) do
      each_mode(self, MODES, ("tells of a loss at %s by %s"):format(step.at, how), loses, step, how)
    end
    each_mode(self, MODES, "does not mind a loss at quit by " .. how, loses_quit, how)
  end
  for text, goodbye in pairs(GOODBYES) do
    each_mode(self, MODES, "connects anew when the server " .. text, reconnects, goodbye)
  end
end

local function delays(self)
  each_mode(self, MODES, "gives up where no greeting comes", stalls, "greeting",
    { kind = "timeout", code = "timeout.no_greeting", phase = "greeting", delivered = "no",
      retry = "later" })
  each_mode(self, MODES, "gives up where no verdict comes", stalls, "dot",
    { kind = "timeout", code = "timeout.reply", phase = "final", delivered = "unknown",
      retry = "never" })
  each_mode(self, { "plain", "implicit" }, "is not held up by drips", drips)
end

local function places(self)
  for _, case in ipairs(CERTIFICATES) do
    each_mode(self, TLS_MODES, "says no secret to " .. case[1], distrusts, case)
  end
  each_mode(self, MODES, "reaches an IPv6 literal", reaches_ipv6)
  each_mode(self, MODES, "reaches localhost by name", reaches_localhost)
  self:case("reaches a unix socket", reaches_socket)
  self:case("tells when nobody is there", finds_nobody)
end

--- Defines the suite. To be called at the top of a spec file.
-- @tparam string name of the driver
-- @tparam table runner
return function(name, runner)
  local self = setmetatable({ runner = runner }, Suite)
  busted.describe("sending over " .. name, function()
    busted.setup(function()
      if runner.start and not runner.missing then
        runner.start()
      end
    end)
    busted.teardown(function()
      if runner.stop then
        runner.stop()
      end
    end)
    busted.after_each(send.stop)

    deliveries(self)
    refusals(self)
    losses(self)
    delays(self)
    places(self)
  end)
end
