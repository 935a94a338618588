-- Signatures on every way a mail can take.
local dkim = require("qqmail.dkim")
local fake_time = require("spec.support.fake_time")
local judge = require("spec.support.dkim_judge")
local net = require("qqmail.net")
local postfix = require("spec.support.postfix")
local qqmail = require("qqmail")
local samples = require("spec.support.dkim_samples")
local send = require("spec.support.send")
local shell = require("spec.support.shell")

local FROM = "joe@football.example.com"

local function options_for(server, more)
  return send.options(server, send.merge({ from = FROM, dkim = samples.ed25519() }, more))
end

local function mailer_for(server, more)
  return send.mailer(server, { from = FROM, dkim = (more or {}).dkim or samples.ed25519() })
end

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function count_signatures(data)
  local head = "\n" .. data:gsub("\r\n", "\n"):match("^(.-\n)\n")
  return select(2, head:gsub("\nDKIM%-Signature:", ""))
end

-- Each has so many signatures, and all of them hold.
local function check(list, count)
  for _, data in ipairs(list) do
    assert.equal(count or 1, count_signatures(data))
  end
  if judge.missing() then
    return
  end
  for _, signatures in ipairs(judge.verify(list, samples.records)) do
    for _, signature in ipairs(signatures) do
      assert.is_true(signature.passed, signature.why)
    end
  end
end

local function data_of(server)
  local out = {}
  for i, message in ipairs(server:messages()) do
    out[i] = message.data
  end
  return out
end

local function reader(pieces, piece)
  local left = pieces
  return function()
    left = left - 1
    return left >= 0 and piece or nil
  end
end

describe("a signed mail", function()
  after_each(send.stop)

  it("is announced with the size it has, and in seven bits", function()
    local server = send.server()
    send.good(mailer_for(server), send.message({ text = ("你好。\n"):rep(30) }))
    local message = server:messages()[1]
    assert.equal(#message.data, message.size)
    send.has(send.heard(server), "SIZE=" .. message.size)
    send.lacks(send.heard(server), "8BITMIME")
    assert.is_nil(message.data:find("[\128-\255]"))
    check(data_of(server))
  end)

  it("keeps the bytes of a raw one", function()
    local server = send.server()
    send.good(mailer_for(server), samples.message("raw of eight bits"))
    send.has(send.heard(server), "BODY=8BITMIME")
    send.has(server:messages()[1].data, "正文  \r\n.\r\n")
    check(data_of(server))
  end)

  it("is signed once for all its tries", function()
    local not_now = "451 4.3.0 Not now"
    local server = send.server({ replies = { mail = { not_now, not_now } } })
    local clock, signed = dkim.clock, 0
    finally(function() dkim.clock = clock end)
    dkim.clock = function()
      signed = signed + 1
      return clock()
    end
    local mailer = fake_time.mailer(server, options_for(server, { retry = { attempts = 4 } }))
    assert.equal(3, send.good(mailer).attempts)
    assert.equal(1, signed)
    check(data_of(server))
  end)

  it("is signed in the time that the mail has", function()
    local server = send.server()
    local function slow_mailer()
      local mailer, driver
      mailer, driver = fake_time.mailer(server, options_for(server, {
        dkim = samples.ed25519({ key = function()
          driver.ahead = driver.ahead + 20
          return samples.keys.ed25519
        end }) }))
      return mailer
    end
    send.bad(slow_mailer(), { code = "timeout.deadline" }, send.message({ deadline = 15 }))
    assert.equal(0, #server:connections())
    local mailer = slow_mailer()
    assert.is_true(send.good(mailer).seconds >= 20)
    assert.is_true(send.good(mailer).seconds < 20) -- there is a key now
  end)

  it("says when it was signed, and until when that holds", function()
    local clock = dkim.clock
    finally(function() dkim.clock = clock end)
    dkim.clock = function() return 1528637909 end
    local mailer = samples.mailer(samples.rsa({ expires = 86400.7 }))
    assert(mailer:send({ to = "a@test.local", text = "x" }))
    send.has(mailer.outbox[1].data, "t=1528637909; x=1528724309;")
  end)

  it("is one of many", function()
    local server = send.server()
    local list = {}
    for i = 1, 12 do
      list[i] = send.message({ subject = "mail " .. i })
    end
    local mailer = mailer_for(server, { dkim = { samples.ed25519(), samples.rsa() } })
    local summary = mailer:send_all(list, { progress = false })
    assert.equal(12, summary.sent)
    check(data_of(server), 2)
  end)

  it("that cannot be signed does not stop the others", function()
    local server = send.server()
    local list = { send.message(), { raw = "To: a@test.local\r\n\r\nx\r\n",
      envelope = { from = FROM, to = "a@test.local" } }, send.message() }
    local summary = mailer_for(server):send_all(list, { progress = false })
    assert.same({ 2, 1 }, { summary.sent, summary.failed })
    assert.equal("message.dkim_no_from", summary.errors[1].err.code)
    check(data_of(server))
  end)

  it("was handed over before", function()
    local server = send.server()
    local mailer = mailer_for(server)
    assert(mailer:notify(send.message()))
    assert(mailer:notify(send.message({
      attachments = { { read = reader(3, "abc"), name = "x" } } })))
    assert.equal(2, assert(mailer:flush(10)).sent)
    check(data_of(server))
  end)

  it("was handed over and waited on disk", function()
    local server = send.server()
    local folder, remove = shell.folder()
    finally(remove)
    local mailer = send.mailer(server, { from = FROM, dkim = samples.rsa(),
      outbox = { dir = folder, durable = true } })
    assert(mailer:notify(send.message({ text = "正文\n" })))
    assert.equal(1, assert(mailer:flush(10)).sent)
    check(data_of(server))
  end)

  it("is written to a file", function()
    local folder, remove = shell.folder()
    finally(remove)
    local mailer = samples.mailer(samples.rsa(), { io = { file = folder } })
    local receipt = assert(mailer:send({ to = "a@test.local", text = "x\n" }))
    check({ read_file(receipt.path) })
  end)

  it("of another account is signed anew, with its From", function()
    local first = send.server({ drop_at = "connect" })
    local second = send.server({ users = { ["u@football.example.com"] = send.CODE } })
    local other = send.options(second, { user = "u@football.example.com" })
    other.retry, other.timeout, other.lang = nil, nil, nil
    local mailer = send.mailer(first, { from = FROM, dkim = samples.ed25519(),
      failover = { other } })
    send.good(mailer)
    send.has(second:messages()[1].data, "From: u@football.example.com")
    check(data_of(second))
  end)

  it("of another account never lacks what a function gave to the first signature", function()
    local first = send.server({ drop_at = "connect" })
    local second = send.server({ users = { ["u@football.example.com"] = send.CODE } })
    local other = send.options(second, { user = "u@football.example.com" })
    other.retry, other.timeout, other.lang = nil, nil, nil
    local mailer = send.mailer(first, { from = FROM, dkim = samples.ed25519(),
      failover = { other } })
    send.bad(mailer, { phase = "greeting", delivered = "no" }, send.message({
      attachments = { { read = reader(3, "abc"), name = "x" } } }))
    local list = {}
    for i = 1, 6 do
      list[i] = send.message({ attachments = { { read = reader(3, "abc"), name = "x" } } })
    end
    assert.equal(6, mailer:send_all(list, { progress = false }).failed)
    assert.equal(0, #second:messages())
    -- With a From of its own it is one mail for both accounts.
    send.good(mailer, send.message({ from = FROM,
      attachments = { { read = reader(3, "abc"), name = "x" } } }))
    send.has(second:messages()[1].data, "YWJjYWJjYWJj")
    check(data_of(second))
  end)

  it("leaves the built message as it was", function()
    local server = send.server()
    local built = assert(qqmail.message({ from = FROM, to = "a@test.local", text = "x" }))
    local before = tostring(built)
    local mailer = mailer_for(server)
    send.good(mailer, built)
    send.good(mailer, built)
    assert.equal(before, tostring(built))
    assert.equal(#before, built:size())
    check(data_of(server))
    local plain = send.server()
    send.good(send.mailer(plain, { from = FROM }), built)
    assert.equal(0, count_signatures(plain:messages()[1].data))
  end)

  it("holds what comes from a function, and can then be tried again", function()
    local server = send.server({ replies = { dot = { "451 4.3.0 Not now" } } })
    local mailer = fake_time.mailer(server, options_for(server, { retry = { attempts = 3 } }))
    local receipt = send.good(mailer, send.message({
      attachments = { { read = reader(40, ("0123456789"):rep(1000)), name = "x.bin" } } }))
    assert.equal(2, receipt.attempts)
    check(data_of(server))
  end)

  it("that came from a function is not built anew for another account", function()
    local first = send.server({ replies = { dot = { "421 4.3.2 Going down" } } })
    local second = send.server({ users = { ["u@other.test"] = send.CODE } })
    local spare = send.options(second, { user = "u@other.test", from = "u@other.test" })
    spare.retry, spare.timeout, spare.lang = nil, nil, nil
    local mailer = fake_time.mailer(first, options_for(first, { retry = { attempts = 3 },
      failover = { spare }, breaker = false }))
    local spec = send.message({
      attachments = { { read = reader(40, ("0123456789"):rep(1000)), name = "x.bin" } } })
    spec.from = nil
    send.good(mailer, spec)
    assert.same({}, second:messages())
    assert.is_true(#first:messages()[1].data > 400000)
    check(data_of(first))
  end)

  it("does not hold more from a function than it may", function()
    local held = dkim.held
    finally(function() dkim.held = held end)
    dkim.held = 100000
    local server = send.server()
    local mailer = mailer_for(server)
    local err = send.bad(mailer, { code = "message.dkim_too_large", field = "attachments[2]",
      retry = "never" }, send.message({
      attachments = { { data = "x", name = "a" },
        { read = reader(40, ("x"):rep(5000)), name = "x" } } }))
    send.has(err.hint, "path")
    -- From a file there is no such limit.
    send.good(mailer, send.message({ attachments = { { data = ("x"):rep(200000), name = "a" } } }))
    check(data_of(server))
  end)

  it("does not hold a larger header than it may", function()
    local to = {}
    for i = 1, 6000 do
      to[i] = ("Somebody With A Long Name %d <r%d@test.local>"):format(i, i)
    end
    local server = send.server()
    local mailer = mailer_for(server)
    send.bad(mailer, { code = "message.dkim_too_large", field = "attachments[1]" }, send.message({
      to = to, envelope = { to = "a@test.local" },
      attachments = { { read = reader(1, "x"), name = "x" } } }))
    send.good(mailer, send.message({ to = to, envelope = { to = "a@test.local" },
      attachments = { { data = "x", name = "x" } } }))
    check(data_of(server))
  end)

  it("can be two at once, with a large one among them", function()
    local server = send.server()
    local function sender(message)
      return function(loop)
        local mailer = assert(qqmail.new(options_for(server, { io = loop })))
        send.good(mailer, message)
        mailer:close()
      end
    end
    send.in_loop(sender(send.message({
      attachments = { { data = ("x"):rep(2000000), name = "a" } } })), sender(send.message()))
    -- The small one does not wait for the other to be read.
    assert.is_true(#server:messages()[1].data < 10000)
    check(data_of(server))
  end)

  it("gives others their turn, the more often the larger it is", function()
    local function turns(size)
      local count = 0
      local driver = { sleep = function(_, seconds)
        assert.equal(0, seconds)
        count = count + 1
      end }
      local sign = dkim.signer(samples.mailer(samples.rsa()).settings, driver)
      assert(sign(assert(qqmail.message({ from = FROM, to = "a@test.local", text = "x",
        attachments = { { data = ("x"):rep(size), name = "a" } } }))))
      return count
    end
    assert.equal(0, turns(10000))
    -- Some 1.37 times as much in base64, of which a turn takes 256 KiB.
    assert.equal(5, turns(1000000))
    assert.equal(21, turns(4000000))
  end)

  it("is not sent with other bytes than were signed, whatever the file says of itself", function()
    local path, clock = os.tmpname(), dkim.clock
    finally(function()
      os.remove(path)
      dkim.clock = clock
    end)
    local function write(text)
      shell.write(path, text)
      assert.equal(0, select(2, shell.run("touch -d @1000 " .. path)))
    end
    write(("a"):rep(100000))
    local server = send.server()
    local mailer = mailer_for(server)
    local message = send.message({ attachments = { path } })
    send.good(mailer, message)
    dkim.clock = function()
      write(("b"):rep(100000))
      return clock()
    end
    send.bad(mailer, { code = "message.source_changed", field = "attachments[1]",
      phase = "body", delivered = "no" }, message)
    local raw = { raw = { path = path }, envelope = { from = FROM, to = "a@test.local" } }
    write("From: joe@football.example.com\n\na\n")
    dkim.clock = function()
      write("From: joe@football.example.com\n\nb\n")
      return clock()
    end
    send.bad(mailer, { code = "message.source_changed", phase = "body" }, raw)
    assert.equal(1, #server:messages())
    check(data_of(server))
  end)

  it("says what cannot be read", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local file = assert(io.open(path, "wb"))
    file:write("one")
    file:close()
    local built = assert(qqmail.message({ from = FROM, to = "a@test.local", text = "x",
      attachments = { path } }))
    os.remove(path)
    local server = send.server()
    send.bad(mailer_for(server), { code = "message.source_changed", field = "attachments[1]" },
      built)
    assert.equal(0, #server:connections())
  end)
end)

describe("a signed mail behind Postfix", function()
  local missing = postfix.missing() or judge.missing()
  if missing then
    pending("cannot run here: " .. missing)
    return
  end

  it("still has its signatures, whatever its structure", function()
    local pf = postfix.start()
    local mailer = assert(qqmail.new({ host = pf.host, port = pf.smtps, tls = "implicit",
      user = pf.user, password = pf.password, tls_options = { ca_file = pf.ca }, lang = "en",
      timeout = { connect = 10, reply = 20, final = 20, total = 60 }, from = FROM,
      dkim = { samples.ed25519(), samples.rsa({ canonicalization = "simple/simple" }) } }))
    finally(function() mailer:close() end)
    local box = ("dkim%.0f@test.local"):format(net.now() * 1000 % 1000000)
    for _, row in ipairs(samples.messages) do
      local message = samples.message(row[1])
      message.envelope = { from = FROM, to = box }
      local receipt, err = mailer:send(message)
      assert.is_table(receipt, row[1] .. ": " .. tostring(err))
    end
    local files = pf:wait_for(box, #samples.messages, 30)
    assert.is_table(files)
    local messages = {}
    for i, path in ipairs(files) do
      messages[i] = postfix.read(path)
    end
    for i, signatures in ipairs(judge.verify(messages, samples.records)) do
      assert.equal(2, #signatures)
      for _, signature in ipairs(signatures) do
        assert.is_true(signature.passed, signature.why .. "\n" .. messages[i]:sub(1, 1500))
      end
    end
  end)
end)
