-- The option `log`: what is told of each event, in words and in fields, and where the
-- lines go.
local json = require("spec.support.json")
local net = require("qqmail.net")
local qqmail = require("qqmail")
local record = require("qqmail.record")
local send = require("spec.support.send")
local settings = require("spec.support.settings")
local shell = require("spec.support.shell")

local has = send.has

-- A function for `log` and the list it fills.
local function collector()
  local list = {}
  return function(level, text, entry)
    assert(level == entry.level and text == entry.text)
    list[#list + 1] = entry
  end, list
end

local function of_event(list, event)
  local out = {}
  for _, entry in ipairs(list) do
    if entry.event == event then
      out[#out + 1] = entry
    end
  end
  return out
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

-- The lines of a file, each as JSON reads it.
local function entries_of(path)
  local out = {}
  for line in read(path):gmatch("([^\n]*)\n") do
    out[#out + 1] = json.decode(line)
  end
  return out
end

local FLAT = { string = true, number = true, boolean = true }

-- Nothing but plain values, and one list of texts.
local function assert_flat(entry)
  for name, value in pairs(entry) do
    if name == "transcript" then
      for _, line in ipairs(value) do
        assert.is_truthy(line:find("^[%d.]+ [CS*]: "), line)
      end
    else
      assert.is_true(FLAT[type(value)], name)
    end
  end
  for _, name in ipairs({ "time", "level", "event", "text" }) do
    assert.is_string(entry[name], name)
  end
  assert.is_truthy(entry.time:find("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$"), entry.time)
  assert.is_string(record.EVENTS[entry.event], entry.event)
end

describe("a log record", function()
  after_each(send.stop)

  it("writes a moment as RFC 3339 does", function()
    assert.equal("1970-01-01T00:00:00.000Z", record.moment(0))
    assert.equal("2026-01-31T08:00:00.250Z", record.moment(1769846400.25))
    assert.is_true(math.abs(os.time() - net.time()) < 5)
  end)

  it("tells of a message that was sent", function()
    local server = send.server({ mode = "implicit",
      replies = { dot = "250 2.0.0 Ok: queued as 4F2A" } })
    local log, list = collector()
    local mailer = send.mailer(server, { log = log })
    local receipt = send.good(mailer, send.message({ to = { "a@test.local", "b@test.local" } }))
    assert.same({ "connected", "sent" }, { list[1].event, list[2].event })
    assert.equal(2, #list)
    local connected, sent = list[1], list[2]
    assert_flat(connected)
    assert_flat(sent)
    assert.equal("debug", connected.level)
    has(connected.tls, "TLSv1.")
    assert.is_number(connected.seconds)
    assert.same({ "info", receipt.message_id, send.USER, server.host, server.port, 2, 1, "4F2A",
      "250 2.0.0 Ok: queued as 4F2A" },
      { sent.level, sent.message_id, sent.account, sent.host, sent.port, sent.to, sent.attempts,
        sent.queue_id, sent.reply })
    assert.is_number(sent.seconds)
  end)

  it("tells of a recipient that was refused", function()
    local server = send.server({ replies = { rcpt = { "550 5.1.1 no such user", "250 ok" } } })
    local log, list = collector()
    send.good(send.mailer(server, { log = log }),
      send.message({ to = { "a@test.local", "b@test.local" } }))
    local rejected = of_event(list, "rejected")
    assert.equal(1, #rejected)
    assert_flat(rejected[1])
    assert.same({ "warning", "a@test.local", 550, "5.1.1", "never" }, { rejected[1].level,
      rejected[1].recipient, rejected[1].smtp_code, rejected[1].smtp_enhanced, rejected[1].retry })
    assert.equal(2, of_event(list, "sent")[1].to)
  end)

  it("tells of a failure all that the error knows, and its transcript", function()
    local server = send.server({ users = {} })
    server:set({ users = {} })
    local log, list = collector()
    local err = send.bad(send.mailer(server, { log = log }), { kind = "auth" })
    local failed = list[1]
    assert.equal(1, #list)
    assert_flat(failed)
    assert.equal("failed", failed.event)
    assert.equal("error", failed.level)
    for _, name in ipairs({ "kind", "code", "phase", "delivered", "retry", "hint" }) do
      assert.equal(err[name], failed[name], name)
    end
    assert.equal(535, failed.smtp_code)
    has(failed.reply, "535 ")
    assert.equal(server.port, failed.port)
    assert.equal(send.USER, failed.account)
    assert.equal(1, failed.attempts)
    assert.equal(1, failed.to)
    assert.is_string(failed.message_id)
    assert.equal(qqmail.errors.transcript(err), table.concat(failed.transcript, "\n"))
  end)

  it("tells of each further try", function()
    local server = send.server({ replies = { mail = { "451 4.3.0 later", "250 ok" } } })
    local log, list = collector()
    send.good(send.mailer(server, { log = log, retry = { attempts = 3, base = 0, jitter = 0 } }))
    local retry = of_event(list, "retry")
    assert.equal(1, #retry)
    assert_flat(retry[1])
    assert.same({ "warning", 451, 0 }, { retry[1].level, retry[1].smtp_code, retry[1].delay })
    assert.equal(2, of_event(list, "sent")[1].attempts)
  end)

  it("tells of an account that fails though another one sends", function()
    local first = send.server({ replies = { greeting = "421 4.3.2 not now" } })
    local second = send.server({ address = "127.0.0.2" })
    local spare = send.options(second)
    spare.retry, spare.lang, spare.timeout = nil, nil, nil
    local log, list = collector()
    send.good(send.mailer(first, { log = log, failover = { spare }, breaker = false }))
    local failover = of_event(list, "failover")
    assert.equal(1, #failover)
    assert_flat(failover[1])
    assert.same({ first.host, first.port, "warning" },
      { failover[1].host, failover[1].port, failover[1].level })
    assert.equal(second.port, of_event(list, "sent")[1].port)
  end)

  it("tells of mails that send_all and notify send", function()
    local server = send.server({ replies = { rcpt = { "550 5.1.1 no", "250 ok" } } })
    local log, list = collector()
    local mailer = send.mailer(server, { log = log })
    mailer:send_all({ send.message(), send.message() })
    mailer:notify(send.message())
    mailer:flush()
    assert.equal(1, #of_event(list, "failed"))
    assert.equal(2, #of_event(list, "sent"))
    for _, entry in ipairs(list) do
      assert_flat(entry)
    end
    assert.is_number(of_event(list, "failed")[1].seconds)
  end)

  it("tells of what is odd about the settings", function()
    local server = send.server()
    local log, list = collector()
    send.mailer(server, { log = log, timeout = { total = 4000 } })
    local warning = of_event(list, "warning")[1]
    assert_flat(warning)
    assert.same({ "config.long_timeout", "timeout.total" }, { warning.code, warning.key })
  end)

  it("holds neither subject nor body", function()
    local server = send.server({ replies = { dot = { "451 4.3.0 later", "554 5.7.1 no" } } })
    local log, list = collector()
    send.bad(send.mailer(server, { log = log, retry = { attempts = 2, base = 0, jitter = 0 } }), {},
      send.message({ subject = "SUBJECT-MARK", text = "BODY-MARK" }))
    local all = settings.everything(list)
    send.lacks(all, "SUBJECT-MARK")
    send.lacks(all, "BODY-MARK")
  end)
end)

describe("qqmail.log", function()
  local folder, remove

  before_each(function()
    folder, remove = shell.folder()
  end)

  after_each(function()
    send.stop()
    remove()
  end)

  it("writes one line of JSON for each record", function()
    local server = send.server({ replies = { dot = { "250 ok", "554 5.7.1 \228\189\160\n no" } } })
    local mailer = send.mailer(server, { log = qqmail.log.json(folder .. "/log") })
    send.good(mailer)
    send.bad(mailer)
    local list = entries_of(folder .. "/log")
    assert.equal(2, #list)
    assert.same({ "sent", "failed" }, { list[1].event, list[2].event })
    assert.is_true(#list[2].transcript > 5)
    -- Stable, and readable from the left.
    assert.is_truthy(read(folder .. "/log"):find('^{"time":"[^"]+","level":"info","event":"sent",'))
  end)

  it("takes a function, an open file and a path, and adds to what is there", function()
    local entry = record.new("warning", "warning", "a\nb", { key = "user" })
    local lines = {}
    qqmail.log.json(function(line) lines[#lines + 1] = line end)("warning", "a\nb", entry)
    assert.equal("a\nb", json.decode(lines[1]).text)
    assert.is_nil(lines[1]:find("\n", 1, true))
    shell.write(folder .. "/log", "before\n")
    local file = assert(io.open(folder .. "/log", "ab"))
    qqmail.log.text(file)("warning", "a\nb", entry)
    file:close()
    qqmail.log.text(folder .. "/log")("error", "qqmail: c", entry)
    assert.equal(("before\n%s qqmail warning: a b\n%s qqmail error: c\n")
      :format(entry.time, entry.time), read(folder .. "/log"))
  end)

  it("leaves out what is below its level", function()
    local function written(level)
      local count = 0
      local log = qqmail.log.text(function() count = count + 1 end, level)
      for _, name in ipairs({ "debug", "info", "warning", "error" }) do
        log(name, "x", record.new("warning", name, "x"))
      end
      return count
    end
    assert.same({ 3, 4, 3, 2, 1 }, { written(), written("debug"), written("info"),
      written("warning"), written("error") })
    for _, wrong in ipairs({ "warn", "all", 3 }) do
      assert.has_error(function() qqmail.log.json(print, wrong) end)
    end
    for _, wrong in ipairs({ 5, true, {}, "" }) do
      assert.has_error(function() qqmail.log.json(wrong) end)
    end
  end)

  it("goes on behind a file that was moved away", function()
    local log = qqmail.log.text(folder .. "/log")
    local entry = record.new("warning", "warning", "x")
    log("warning", "one", entry)
    assert(os.rename(folder .. "/log", folder .. "/old"))
    log("warning", "two", entry)
    has(read(folder .. "/old"), "one")
    has(read(folder .. "/log"), "two")
  end)

  it("writes whole lines where several processes share a file", function()
    local program = folder .. "/program.lua"
    shell.write(program, ([[
      package.path, package.cpath = %q, %q
      local record = require("qqmail.record")
      local log = require("qqmail.log").json(arg[1])
      local text = arg[2]:rep(20000)
      for _ = 1, 100 do
        log("info", text, record.new("sent", "info", text))
      end
    ]]):format(package.path, package.cpath))
    local words = {}
    for _, letter in ipairs({ "a", "b", "c" }) do
      words[#words + 1] = ("%s %s %s/log %s &"):format(shell.lua, program, folder, letter)
    end
    local output, status = shell.run(table.concat(words, " ") .. " wait")
    assert.equal(0, status, output)
    local list = entries_of(folder .. "/log")
    assert.equal(300, #list)
    for _, entry in ipairs(list) do
      assert.equal(entry.text:sub(1, 1):rep(20000), entry.text)
    end
  end)

  it("changes no result when a line cannot be written, and counts it", function()
    local server = send.server()
    for _, log in ipairs({ "/dev/full", "json:/dev/full" }) do
      local mailer = send.mailer(server, { log = log })
      send.good(mailer)
      assert.equal(1, mailer:stats().hook_errors)
    end
    assert.equal(2, #server:messages())
  end)

  it("does not tell a function of what the function sends", function()
    local server = send.server({ replies = { dot = "554 no" } })
    local seen, mailer, inner = {}, nil, nil
    mailer = send.mailer(server, { log = function(level, _, entry)
      seen[#seen + 1] = entry.event
      if level == "error" then
        local _, err = mailer:send(send.message({ subject = "alert" }))
        inner = err
      end
    end })
    for _ = 1, 2 do
      send.bad(mailer, { code = "reject.permanent" })
      assert.equal("reject.permanent", inner.code)
    end
    assert.same({ "connected", "failed", "failed" }, seen)
    assert.equal(4, mailer:stats().failed)
    assert.equal(0, mailer:stats().hook_errors)
  end)

  it("goes on telling a function that has raised", function()
    local calls = 0
    local mailer = send.mailer(send.server(), { log = function()
      calls = calls + 1
      error("no")
    end })
    send.good(mailer)
    send.good(mailer)
    assert.same({ 3, 3 }, { calls, mailer:stats().hook_errors })
  end)
end)

describe("the option log", function()
  local folder, remove

  before_each(function()
    folder, remove = shell.folder()
  end)

  after_each(function()
    remove()
  end)

  local ENTRY = record.new("warning", "warning", "odd", {})

  -- What the function made of a text writes of one record at each level.
  local function written(text, env)
    local loaded = env and settings.good(settings.qq(), { QQMAIL_LOG = text })
      or settings.good(settings.qq { log = text })
    for _, level in ipairs({ "debug", "info", "warning", "error" }) do
      loaded.log(level, level .. "!", ENTRY)
    end
    local path = folder .. "/log"
    local got = read(path)
    os.remove(path)
    return got
  end

  it("reads format, level and target from one text", function()
    for _, env in ipairs({ true, false }) do
      local path = folder .. "/log"
      for prefix, count in pairs({ [""] = 3, ["text:"] = 3, ["json:"] = 3, ["debug:"] = 4,
        ["error:"] = 1, ["json:warning:"] = 2, ["text:info:"] = 3 }) do
        local got = written(prefix .. path, env)
        assert.equal(count, select(2, got:gsub("\n", "")), prefix)
        assert.equal(prefix:find("json") ~= nil, got:sub(1, 1) == "{", prefix)
      end
    end
    for _, text in ipairs({ "stderr", "stdout", "json:stdout", "error:stderr" }) do
      assert.is_function(settings.good(settings.qq { log = text }).log)
    end
    assert.is_false(settings.good(settings.qq(), { QQMAIL_LOG = "off" }).log)
  end)

  it("refuses what is neither", function()
    for _, text in ipairs({ "file", "xml:stderr", "json:", "warning:json:stderr", "json:json:/x/y",
      "json:loud:stderr", "sterr", "/tmp/a\nb" }) do
      local err = settings.bad(settings.qq { log = text })
      assert.equal("log", err.field, text)
      assert.equal("config.invalid_value", err.code, text)
    end
    assert.equal("config.invalid_value", settings.bad(settings.qq { log = 5 }).code)
  end)

  it("says at once that a file cannot be written", function()
    for _, text in ipairs({ folder .. "/none/log", "json:" .. folder, "json:error:/proc/log" }) do
      local err = settings.bad(settings.qq(), { QQMAIL_LOG = text })
      assert.equal("config.log_unwritable", err.code)
      assert.equal("log", err.field)
      has(err.message, "QQMAIL_LOG")
      has(err.hint, "stderr")
    end
  end)

  it("writes to the streams of the process", function()
    local program = folder .. "/program.lua"
    shell.write(program, ([[
      package.path, package.cpath = %q, %q
      local mailer = assert(require("qqmail").new({ io = "memory", host = "mx.test",
        from = "a@test.local", log = arg[1] }))
      assert(mailer:send({ to = "b@test.local", subject = "s", text = "t" }))
    ]]):format(package.path, package.cpath))
    local function run(log, kept)
      return (shell.run(("%s %s %s %s"):format(shell.lua, program, log, kept)))
    end
    has(run("stdout", "2>/dev/null"), " qqmail info: sent <")
    has(run("json:stderr", "2>&1 >/dev/null"), '"event":"sent"')
    assert.equal("", run("error:stdout", ""))
  end)
end)
