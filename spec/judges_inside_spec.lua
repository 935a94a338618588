-- What is made of a mail while it is built, or stands inside it, read by two parsers
-- that are not ours: pictures that HTML names, messages inside messages, receipts.

local judges = require "spec.support.judges"
local message = require "qqmail.message"
local messages = require "spec.support.messages"
local shell = require "spec.support.shell"

local PNG = "\137PNG\r\n\26\n"

-- A mail as both parsers read it, in the same words, and what Python says of it.
local function read(spec)
  local fields = { from = { "张三", "sender@example.com" }, to = "rcpt@example.com", subject = "s",
    text = "t\n" }
  for key, value in pairs(spec) do
    fields[key] = value
  end
  local text = tostring(assert(message.new(fields)))
  local answer = judges.python({ text })[1]
  messages.check(answer)
  return { judges.words_of_python(answer),
    judges.words_of_mailparser(judges.mailparser({ text })[1]) }, answer
end

describe("a mail that is judged", function()
  if not judges.is_here() then
    pending("the parsers of spec/judges are not installed: make judges")
    return
  end

  it("has the pictures that its HTML names", function()
    local folder, remove = shell.folder()
    shell.write(folder .. "/标志 1.png", PNG)
    local both = read({ embed_images = { folder = folder, data_urls = true },
      html = '<img src="%E6%A0%87%E5%BF%97%201.png"><img src="data:image/gif;base64,R0lG">\n'
        .. '<img src="https://example.com/x.png">\n' })
    remove()
    for _, facts in ipairs(both) do
      local logo, dot = facts.parts[1], facts.parts[2]
      assert.equal(2, #facts.parts)
      assert.equal(('<img src="cid:%s"><img src="cid:%s">\n<img src="https://example.com/x.png">\n')
        :format(logo.cid:match("<(.*)>"), dot.cid:match("<(.*)>")), facts.html)
      assert.same({ "标志 1.png", "image/png", "inline" }, { logo.name, logo.type, logo.disposition })
      assert.equal("image/gif", dot.type)
      assert.same(judges.sha256({ PNG, "GIF" }), { logo.sha256, dot.sha256 })
    end
  end)

  it("has whole messages inside", function()
    local raw = "From: Bob <b@example.net>\nTo: c@example.net\nSubject: raw\n\nfrom elsewhere\n"
    local both, answer = read({ attachments = {
      { name = "转发.eml", message = { from = { "李四", "l@example.com" }, to = "x@example.com",
        subject = "内层 ✓", text = "inner\n", html = "<p>里面</p>\n",
        attachments = { { data = "q\0", name = "内.bin" } } } },
      { name = "raw.eml", message = { raw = raw } },
      { data = "after", name = "after.txt" },
    } })
    local outer = both[2]
    assert.equal(3, #outer.parts)
    assert.same({ "转发.eml", "message/rfc822", "attachment" },
      { outer.parts[1].name, outer.parts[1].type, outer.parts[1].disposition })
    assert.equal(raw:gsub("\n", "\r\n"), answer.messages[2].bytes)
    assert.equal("after.txt", outer.parts[3].name)
    local inner = judges.words_of_mailparser(outer.parts[1].message)
    assert.same({ "内层 ✓", "inner\n", "<p>里面</p>\n" }, { inner.subject, inner.text, inner.html })
    assert.same({ { name = "李四", address = "l@example.com" } }, inner.from)
    assert.same({ "内.bin", judges.sha256({ "q\0" })[1] },
      { inner.parts[1].name, inner.parts[1].sha256 })
    local elsewhere = judges.words_of_mailparser(outer.parts[2].message)
    assert.same({ "raw", "from elsewhere\n" }, { elsewhere.subject, elsewhere.text })
    assert.same({ "内层 ✓", "转发.eml" }, { answer.messages[1].subject, answer.messages[1].name })
    assert.equal("mixed(text/plain,rfc822(mixed(alternative(text/plain,text/html),"
      .. "application/octet-stream)),rfc822(text/plain),text/plain)", answer.structure)
  end)

  it("asks for a receipt, and tells how to leave a list", function()
    for _, facts in ipairs(read({ read_receipt = true,
      list_unsubscribe = { url = "https://example.com/u?id=1", mailto = "u@example.com",
        one_click = true } })) do
      assert.same({ "张三 <sender@example.com>" }, facts.fields["disposition-notification-to"])
      assert.same({ "<https://example.com/u?id=1>, <mailto:u@example.com>" },
        facts.fields["list-unsubscribe"])
      assert.same({ "List-Unsubscribe=One-Click" }, facts.fields["list-unsubscribe-post"])
    end
  end)
end)
