-- What a mailer tells of a message before it goes out: `on.warning` and `log`.
local errors = require("qqmail.errors")
local lint = require("qqmail.lint")
local loops = require("spec.support.loops")
local message = require("qqmail.message")
local net = require("qqmail.net")
local qqmail = require("qqmail")
local send = require("spec.support.send")
local shell = require("spec.support.shell")

local function recorder()
  local self = { found = {}, messages = {}, logged = {} }
  self.on = {
    warning = function(finding, built, ...)
      assert(select("#", ...) == 0)
      self.found[#self.found + 1] = finding.code
      self.messages[#self.messages + 1] = built
    end,
  }
  self.log = function(level, text)
    self.logged[#self.logged + 1] = level .. " " .. text
  end
  return self
end

local function bad(more)
  return send.message(send.merge({ subject = "Dear {{name}}" }, more))
end

local function logged_warnings(seen)
  local count = 0
  for _, line in ipairs(seen.logged) do
    count = count + (line:find("^warning ") and 1 or 0)
  end
  return count
end

-- A mailer that needs no server.
local function quiet_mailer(more)
  local options = { io = "memory", provider = "qq", user = send.USER, password = send.CODE,
    lang = "en" }
  return assert(qqmail.new(send.merge(options, more)))
end

describe("on.warning", function()
  after_each(send.stop)

  it("hears of a message of send before it goes out", function()
    local server = send.server()
    local seen = recorder()
    local hook, before = seen.on.warning, nil
    seen.on.warning = function(...)
      before = #server:messages()
      hook(...)
    end
    send.good(send.mailer(server, { on = seen.on }), bad())
    assert.same({ "lint.placeholder" }, seen.found)
    assert.is_true(message.is(seen.messages[1]))
    assert.equal(0, before)
    assert.equal(1, #server:messages())
  end)

  it("hears of each message of send_all, once", function()
    local server = send.server()
    local seen = recorder()
    local mailer = send.mailer(server, { on = seen.on, pool = { max = 2 } })
    local list = { bad(), send.message(), bad(), bad() }
    local summary = assert(mailer:send_all(list, { progress = false }))
    assert.equal(4, summary.sent)
    assert.same({ "lint.placeholder", "lint.placeholder", "lint.placeholder" }, seen.found)
  end)

  it("hears of a message of notify when it is handed over, and not again", function()
    local server = send.server()
    local seen = recorder()
    local mailer = send.mailer(server, { on = seen.on })
    assert(mailer:notify(bad()))
    assert.same({ "lint.placeholder" }, seen.found)
    assert(mailer:flush())
    assert.equal(1, #server:messages())
    assert.same({ "lint.placeholder" }, seen.found)
  end)

  it("hears nothing again when a message is tried again", function()
    local server = send.server({ replies = { mail = { "451 4.3.0 try again later" } } })
    local seen = recorder()
    local mailer = send.mailer(server, { on = seen.on, retry = { base = 0, jitter = 0 } })
    assert.equal(2, send.good(mailer, bad()).attempts)
    assert.same({ "lint.placeholder" }, seen.found)
  end)

  it("hears nothing of a good message, nor of mere advice", function()
    local seen = recorder()
    local mailer = quiet_mailer({ on = seen.on, log = seen.log })
    assert(mailer:send(send.message()))
    assert(mailer:send(send.message({ html = "<p>Hi<img src='http://example.com/a.png'>" })))
    assert.same({}, seen.found)
    assert.equal(0, logged_warnings(seen))
  end)

  it("knows the account", function()
    local seen = recorder()
    assert(quiet_mailer({ on = seen.on }):send(send.message({ from = "other@qq.com" })))
    assert.same({ "lint.from_not_login" }, seen.found)
  end)

  it("knows what the server takes from the connection before", function()
    local server = send.server({ size_limit = 3000 })
    local seen = recorder()
    local mailer = send.mailer(server, { on = seen.on })
    local large = send.message({ text = ("line\n"):rep(1000) })
    send.good(mailer)
    send.bad(mailer, { code = "message.too_large" }, large)
    assert.same({ "lint.too_large" }, seen.found)
  end)

  it("takes a long list for a mailing", function()
    local seen = recorder()
    local mailer = quiet_mailer({ on = seen.on })
    local list = {}
    for index = 1, 99 do
      list[index] = send.message()
    end
    assert(mailer:send_all(list, { progress = false }))
    assert.same({}, seen.found)
    list[100] = send.message({ list_unsubscribe = "https://example.com/u" })
    assert(mailer:send_all(list, { progress = false }))
    assert.equal(99, #seen.found)
    assert.equal("lint.bulk_unsubscribe", seen.found[1])
  end)

  it("changes nothing by raising, which is counted", function()
    local mailer = quiet_mailer({ on = { warning = function()
      error("no")
    end } })
    assert(mailer:send(bad()))
    assert.equal(1, mailer:stats().hook_errors)
    assert(mailer:send_all({ bad(), bad() }, { progress = false }))
    assert.equal(3, mailer:stats().hook_errors)
  end)

  it("may send, and is not told of that mail in turn", function()
    local found, mailer = 0, nil
    mailer = quiet_mailer({ on = { warning = function()
      found = found + 1
      assert(mailer:send(bad()))
      assert(mailer:send_all({ bad() }, { progress = false }))
    end } })
    assert(mailer:send(bad()))
    assert.equal(1, found)
    assert.equal(0, mailer:stats().hook_errors)
    assert(mailer:send(bad()))
    assert.equal(2, found)
  end)

  it("is not called for a message that is refused here", function()
    local seen = recorder()
    local mailer = quiet_mailer({ on = seen.on, log = seen.log })
    local receipt, err = mailer:send(bad({ to = "nobody" }))
    assert.is_nil(receipt)
    assert.is_true(errors.is(err))
    assert.same({}, seen.found)
  end)

  for _, name in ipairs({ "cqueues", "luv" }) do
    local loop = loops[name]
    it("is called inside " .. name, function()
      if loop.missing then
        pending(loop.missing)
        return
      end
      local server = send.server({ mode = "implicit" })
      local seen = recorder()
      loop.run(function()
        local mailer = send.mailer(server, { on = seen.on, io = name })
        send.good(mailer, bad())
        mailer:close()
      end)
      assert.same({ "lint.placeholder" }, seen.found)
    end)
  end

  it("is called where mails go into a folder", function()
    local folder, remove = shell.folder()
    local seen = recorder()
    assert(quiet_mailer({ on = seen.on, io = { file = folder } }):send(bad()))
    remove()
    assert.same({ "lint.placeholder" }, seen.found)
  end)
end)

describe("the log", function()
  local now = net.now

  after_each(function()
    net.now = now
    send.stop()
  end)

  it("gets a kind of finding once a minute", function()
    local ahead = 0
    net.now = function()
      return now() + ahead
    end
    local seen = recorder()
    local mailer = quiet_mailer({ on = seen.on, log = seen.log })
    for _ = 1, 3 do
      assert(mailer:send(bad()))
    end
    assert(mailer:send(bad({ from = "other@qq.com" })))
    assert.equal(2, logged_warnings(seen))
    assert.matches("^warning <[^>]+>: subject: holds {{name}}", seen.logged[1])
    ahead = 61
    assert(mailer:send(bad()))
    assert.equal(3, logged_warnings(seen))
    assert.equal(6, #seen.found)
  end)

  it("gets them without a hook as well", function()
    local seen = recorder()
    assert(quiet_mailer({ log = seen.log }):send(bad()))
    assert.equal(1, logged_warnings(seen))
  end)
end)

describe("without hook and log", function()
  local check = lint.check

  after_each(function()
    lint.check = check
  end)

  local function count_looks(mailer)
    local looks = 0
    lint.check = function(...)
      looks = looks + 1
      return check(...)
    end
    assert(mailer:send(bad()))
    assert(mailer:send_all({ bad() }, { progress = false }))
    assert(mailer:notify(bad()))
    return looks
  end

  it("nothing is looked at", function()
    assert.equal(0, count_looks(quiet_mailer({ log = "off" })))
    assert.equal(0, count_looks(quiet_mailer({ on = { sent = function() end } })))
    assert.equal(3, count_looks(quiet_mailer({ on = { warning = function() end } })))
  end)

  it("and with them no file is opened", function()
    local folder, remove = shell.folder()
    local path = folder .. "/text.txt"
    shell.write(path, "Hi {{name}}\n")
    local built = assert(message.new(send.message({ from = send.USER, text = { path = path },
      attachments = { { path = path, name = "a.txt" } } })))
    local seen, opened, open = recorder(), 0, io.open
    local mailer = quiet_mailer({ on = seen.on })
    rawset(io, "open", function(...)
      opened = opened + 1
      return open(...)
    end)
    local receipt, err = mailer:send(built)
    rawset(io, "open", open)
    remove()
    assert.is_table(receipt, tostring(err))
    assert.same({}, seen.found)
    assert.equal(0, opened)
  end)
end)
