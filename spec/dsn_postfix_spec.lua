-- Delivery reports of a real Postfix, read by Python's email package.
local json = require("spec.support.json")
local postfix = require("spec.support.postfix")
local qqmail = require("qqmail")
local shell = require("spec.support.shell")

local missing = postfix.missing()

local BODY = "words that only the whole message holds"
local LOST = "lost@test.local"

local function read_report(path)
  local output, status = shell.run("python3 spec/support/read_report.py " .. path)
  assert.equal(0, status, output)
  local report = json.decode(output)
  assert.same({ "multipart/report", "delivery-status", {} },
    { report.type, report.report_type, report.defects })
  return report
end

describe("delivery reports from Postfix", function()
  if missing then
    pending("cannot run here: " .. missing)
    return
  end

  local pf, mailer, sender
  local number = 0

  setup(function()
    pf = postfix.start()
  end)

  before_each(function()
    number = number + 1
    sender = ("asks%d@test.local"):format(number)
    mailer = assert(qqmail.new({ host = pf.host, port = pf.smtps, tls = "implicit",
      user = pf.user, password = pf.password, tls_options = { ca_file = pf.ca }, from = sender,
      timeout = { connect = 10, reply = 20, final = 20, total = 60 }, lang = "en" }))
  end)

  after_each(function()
    mailer:close()
  end)

  local function ask(to, asked)
    local receipt, err = mailer:send({ to = to, subject = "x", text = BODY, dsn = asked })
    assert.is_table(receipt, tostring(err))
    assert.is_true(receipt.dsn)
  end

  local function reports(count)
    local files = assert(pf:wait_for(sender, count, 15), "no report came")
    local out = {}
    for index, path in ipairs(files) do
      out[index] = read_report(path)
    end
    return out
  end

  it("of success come, with our id and the original address", function()
    ask("kept@test.local", { notify = "success", ret = "headers", envid = "no 1/a+b=c",
      orcpt = { ["kept@test.local"] = "first+x@example.com" } })
    local report = reports(1)[1]
    assert.equal("no 1/a+b=c", report.of_message["Original-Envelope-Id"])
    local row = report.of_recipients[1]
    assert.equal("rfc822; kept@test.local", row["Final-Recipient"])
    assert.equal("rfc822;first+x@example.com", row["Original-Recipient"])
    assert.is_truthy(({ relayed = true, delivered = true })[row.Action])
    assert.equal("2.0.0", row.Status)
    assert.equal("text/rfc822-headers", report.parts[3])
  end)

  it("of addresses in UTF-8 come as those", function()
    ask("用户@test.local", { notify = "success", orcpt = true })
    local row = reports(1)[1].of_recipients[1]
    assert.equal("utf-8; 用户@test.local", row["Final-Recipient"])
    assert.equal("utf-8;用户@test.local", row["Original-Recipient"])
  end)

  it("of an original address in UTF-8 come without SMTPUTF8, too", function()
    ask(LOST, { notify = "failure", orcpt = { [LOST] = "用户@test.local" } })
    assert.equal("utf-8;用户@test.local", reports(1)[1].of_recipients[1]["Original-Recipient"])
  end)

  for ret, type_of in pairs({ headers = "text/rfc822-headers", full = "message/rfc822" }) do
    it("of failure hold as much as was asked for: " .. ret, function()
      ask(LOST, { notify = "failure", ret = ret })
      local report = reports(1)[1]
      assert.equal("failed", report.of_recipients[1].Action)
      assert.equal("5.1.1", report.of_recipients[1].Status)
      assert.equal(type_of, report.parts[3])
      assert.equal(ret == "full", report.returned:find(BODY, 1, true) ~= nil)
    end)
  end

  it("do not come where none are wanted", function()
    ask(LOST, { notify = "never" })
    ask(LOST, { notify = "delay" })
    -- A report is in the queue before the mail it is about has left it.
    assert.is_true(pf:drained(20))
    assert.same({}, pf:maildir(sender))
  end)

  it("come for the recipients they were asked for", function()
    ask({ LOST, "kept@test.local", "other@test.local" },
      { notify = { "never", ["kept@test.local"] = { "success" } } })
    assert.is_true(pf:drained(20))
    local list = reports(1)
    assert.equal(1, #list)
    assert.equal(1, #list[1].of_recipients)
    assert.equal("rfc822; kept@test.local", list[1].of_recipients[1]["Final-Recipient"])
  end)

  it("are asked for with each of many mails in flight", function()
    local list = {}
    for index = 1, 10 do
      list[index] = { to = "kept@test.local", subject = "x", text = BODY,
        dsn = { notify = "success", envid = "mail " .. index } }
    end
    assert.equal(10, mailer:send_all(list, { progress = false }).sent)
    local seen = {}
    for _, report in ipairs(reports(10)) do
      seen[report.of_message["Original-Envelope-Id"]] = true
    end
    for index = 1, 10 do
      assert.is_true(seen["mail " .. index])
    end
  end)

  it("are asked for by mails that waited on disk", function()
    local folder, remove = shell.folder()
    local options = { host = pf.host, port = pf.smtps, tls = "implicit", user = pf.user,
      password = pf.password, tls_options = { ca_file = pf.ca }, from = sender, lang = "en",
      outbox = { dir = folder, durable = true } }
    local waiting = assert(qqmail.new(options))
    for index = 1, 2 do
      assert(waiting:notify({ to = { "kept@test.local", "other@test.local" }, subject = "x",
        text = BODY, dsn = { envid = "waited " .. index, orcpt = true,
          notify = { "never", ["kept@test.local"] = "success" } } }))
    end
    local result, err = waiting:flush(30)
    waiting:close()
    remove()
    assert.equal(2, result and result.sent, tostring(err))
    local seen = {}
    for _, report in ipairs(reports(2)) do
      seen[report.of_message["Original-Envelope-Id"]] = report.of_recipients[1]
      assert.equal(1, #report.of_recipients)
    end
    for index = 1, 2 do
      local row = seen["waited " .. index]
      assert.equal("rfc822;kept@test.local", row["Original-Recipient"])
    end
  end)

  it("are an error with a server that has none", function()
    mailer:close()
    mailer = assert(qqmail.new({ host = pf.host, port = pf.bare, tls = "none", from = sender,
      lang = "en" }))
    local _, err = mailer:send({ to = "kept@test.local", subject = "x", text = BODY,
      dsn = { notify = "never" } })
    assert.equal("message.dsn_not_offered", err.code)
    local receipt = assert(mailer:send({ to = "kept@test.local", subject = "x", text = BODY,
      dsn = { notify = "never", soft = true } }))
    assert.is_false(receipt.dsn)
  end)
end)
