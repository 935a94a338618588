-- Attachments that come from a function: their size may be unknown, and what they gave
-- cannot be had again.

local messages = require "spec.support.messages"
local send = require "spec.support.send"
local shell = require "spec.support.shell"

local CONTENT = ("line of a report\n"):rep(9000)

-- A reader of CONTENT in pieces of odd lengths, and a count of its calls.
local function reader()
  local at, calls = 1, 0
  return function()
    calls = calls + 1
    local piece = CONTENT:sub(at, at + 7777)
    at = at + #piece
    return piece ~= "" and piece or nil
  end, function()
    return calls
  end
end

local function message_of(read, size)
  return send.message({ attachments = { { read = read, size = size, name = "report.txt" } } })
end

local function check_mail(data)
  local part = messages.read(data).parts[2]
  assert.equal("report.txt", part.name)
  assert.equal(CONTENT, part.text)
end

describe("an attachment from a function", function()
  after_each(send.stop)

  -- BDAT says how many bytes follow, so a size that nobody knows goes by DATA.
  for name, options in pairs({
    ["a server without CHUNKING"] = { size_limit = 10000000 },
    ["a server with CHUNKING"] = { size_limit = 10000000, chunking = true },
    ["one without CHUNKING, over TLS"] = { size_limit = 10000000, mode = "implicit" },
    ["one with CHUNKING, over TLS"] = { size_limit = 10000000, chunking = true,
      mode = "implicit" },
  }) do
    local more = options.chunking and { chunking = true } or nil

    it("of unknown size goes to " .. name, function()
      local server = send.server(options)
      send.good(send.mailer(server, more), message_of((reader())))
      send.lacks(send.heard(server), "SIZE=")
      assert.equal(1, send.count(server, "DATA"))
      check_mail(server:messages()[1].data)
      assert.same({}, server:defects())
    end)

    it("of known size tells it to " .. name, function()
      local server = send.server(options)
      send.good(send.mailer(server, more), message_of((reader()), #CONTENT))
      assert.equal(options.chunking and 1 or 0, send.count(server, "BDAT"))
      local size = tonumber(send.heard(server):match("SIZE=(%d+)"))
      assert.equal(size, #server:messages()[1].data)
      check_mail(server:messages()[1].data)
    end)
  end

  it("of unknown size may turn out too large", function()
    local server = send.server({ size_limit = 20000,
      replies = { dot = "552 5.3.4 Message too big" } })
    local err = send.bad(send.mailer(server), { delivered = "no" }, message_of((reader())))
    assert.equal(552, err.smtp.code)
    send.bad(send.mailer(server), { code = "message.too_large", delivered = "no" },
      message_of((reader()), #CONTENT))
  end)

  it("goes again where nothing of it was read", function()
    local server = send.server({ replies = { mail = { "451 4.3.0 later" } } })
    local read, calls = reader()
    local mailer = send.mailer(server, { retry = { attempts = 2, base = 0.01, cap = 0.02 } })
    local receipt = send.good(mailer, message_of(read))
    assert.equal(2, receipt.attempts)
    assert.is_true(calls() > 10)
    check_mail(server:messages()[1].data)
  end)

  local RETRY = { attempts = 3, base = 0.01, cap = 0.02 }

  it("does not go again once it was read, and the error says why", function()
    local server = send.server({ replies = { dot = { "451 4.3.0 later" } } })
    local err = send.bad(send.mailer(server, { retry = RETRY }), { delivered = "no",
      retry = "later" }, message_of((reader())))
    send.has(tostring(err), "451 4.3.0 later; it is not tried again, because an attachment "
      .. "comes from a function that can be read only once")
    assert.same({ 451, 1 }, { err.smtp.code, err.attempts })
    assert.same({}, server:messages())
    local zh = send.bad(send.mailer(send.server({ replies = { dot = "451 4.3.0 later" } }),
      { retry = RETRY, lang = "zh" }), {}, message_of((reader())))
    send.has(zh.message, "不再重试")
    -- What can be read again is.
    send.good(send.mailer(send.server({ replies = { dot = { "451 4.3.0 later" } } }),
      { retry = RETRY }), send.message())
  end)

  it("does not go in part through another account", function()
    local second = send.server({ users = { ["u@other.test"] = send.CODE } })
    local spare = send.options(second, { user = "u@other.test" })
    spare.retry, spare.timeout, spare.lang = nil, nil, nil
    local function failing()
      return send.mailer(send.server({ replies = { dot = "421 4.3.2 Going down" } }),
        { retry = RETRY, failover = { spare }, breaker = false })
    end
    local spec = message_of((reader()))
    spec.from = nil
    send.has(select(2, failing():send(spec)), "read only once")
    spec.attachments[1].read = reader()
    local seen
    failing():send_all({ spec }, { on_result = function(_, err)
      seen = err
    end })
    send.has(seen, "read only once")
    assert.same({}, second:messages())
    -- Without one it does.
    send.good(failing(), send.message())
    assert.equal(1, #second:messages())
  end)

  -- These are read when the message is made, and would be empty in another one.
  local READ_AT_ONCE = {
    ["a text"] = function(read) return { text = read } end,
    ["HTML"] = function(read) return { html = read } end,
    ["a message inside"] = function(read)
      return { attachments = { { message = { from = "a@test.local", to = "b@test.local",
        text = read } } } }
    end,
  }

  for what, fields in pairs(READ_AT_ONCE) do
    it("does not go without " .. what .. " that came from one through another account", function()
      local second = send.server({ users = { ["u@other.test"] = send.CODE } })
      local spare = send.options(second, { user = "u@other.test" })
      spare.retry, spare.timeout, spare.lang = nil, nil, nil
      local mailer = send.mailer(send.server({ drop_at = "connect" }),
        { failover = { spare }, breaker = false })
      local function spec(more)
        return send.merge(send.merge(send.message(), fields((reader()))), more)
      end
      send.bad(mailer, { phase = "greeting", delivered = "no" }, spec())
      assert.equal(1, mailer:send_all({ spec() }, { progress = false }).failed)
      assert.same({}, second:messages())
      -- With a sender of its own it is the same one for both.
      send.good(mailer, spec({ from = "me@test.local" }))
      send.has(second:messages()[1].data, "line of a report")
    end)
  end

  it("is written to a file, and goes through memory", function()
    local folder, remove = shell.folder()
    local qqmail = require "qqmail"
    for _, io in ipairs({ { file = folder }, "memory" }) do
      local mailer = assert(qqmail.new({ io = io, from = "a@example.com", host = "localhost",
        tls = "none" }))
      assert(mailer:send({ to = "b@example.com", text = "x",
        attachments = { { read = (reader()), name = "report.txt" } } }))
      mailer:close()
      if io == "memory" then
        check_mail(mailer.outbox[1].data)
      end
    end
    local listing = shell.run(("cat %s/*.eml"):format(folder))
    remove()
    check_mail(listing)
  end)
end)

describe("a data: URL as path", function()
  it("is what it holds", function()
    local built = messages.build({ attachments = {
      "data:image/png;base64,iVBORw0KGgo=",
      { path = "data:text/csv;charset=utf-8,a%2Cb%0Ac", name = "表.csv" },
      { path = "DATA:,hello%20there", type = "text/x-note" },
      { path = "data:application/pdf;name=x.pdf;base64,JVBERi0", name = "y.pdf" },
      "data:application/pdf;filename=dir%2F%E8%A1%A8%201.pdf;base64,JVBERi0",
      'data:text/csv;Name="a b.csv";charset=utf-8,a',
    }, html = "<img src=cid:a>", inline = { a = "data:image/gif;base64,R0lGOD lh\n" } })
    local seen = {}
    for index, part in ipairs(messages.read(built).parts) do
      if index > 2 then
        seen[#seen + 1] = ("%s %s %d"):format(part.name, part.type, part.size)
      end
    end
    assert.same({ "attachment.gif image/gif 6", "attachment.png image/png 8", "表.csv text/csv 5",
      "attachment.txt text/x-note 11", "y.pdf application/pdf 5", "表 1.pdf application/pdf 5",
      "a b.csv text/csv 1" }, seen)
  end)

  it("that is none is refused", function()
    for _, url in ipairs({ "data:", "data:image/png;base64", "data:image/png;base64,%%%",
      "data:;base64,x", "data:" .. ("x"):rep(400) .. ",y" }) do
      messages.refused({ attachments = { url } }, "message.bad_value", "attachments[1]")
    end
    messages.refused({ attachments = { "data:x,y" } }, "message.bad_type",
      "attachments[1].type")
    messages.refused({ attachments = { "data:a/b\r\nX: y,z" } }, "message.control_character",
      "attachments[1].type", 4)
    messages.refused({ attachments = { { path = "data:,x", name = "a\nb" } } },
      "message.control_character", "attachments[1].name", 2)
    messages.refused({ attachments = { "data:a/b;name=a%0Ab,x" } }, "message.control_character",
      "attachments[1].name", 2)
  end)
end)
