-- S/MIME as other parsers see it: the layout before anybody has a key, and what the
-- reader with a key finds inside.

local judges = require "spec.support.judges"
local message = require "qqmail.message"
local messages = require "spec.support.messages"
local smime = require "spec.support.smime"

local DATA = ("\0\r\n.\255"):rep(100)

local function mail(fields)
  return tostring(assert(message.new({ from = { "张三", "sender@example.com" },
    to = "rcpt@example.com", subject = "密件", text = "你好\n", html = "<p>你好</p>\n",
    attachments = { { data = DATA, name = "报告.pdf" } }, smime = fields })))
end

local function read(text, is_entity)
  local answer = judges.python({ text })[1]
  if not is_entity then
    messages.check(answer)
  end
  return { judges.words_of_python(answer),
    judges.words_of_mailparser(judges.mailparser({ text })[1]) }
end

-- The texts and the file, whatever else the layout brought.
local function check_inside(facts, count)
  assert.same({ "你好\n", "<p>你好</p>\n" }, { facts.text, facts.html })
  assert.equal(count, #facts.parts)
  assert.same({ "报告.pdf", judges.sha256({ DATA })[1] },
    { facts.parts[1].name, facts.parts[1].sha256 })
end

describe("S/MIME that is judged", function()
  if not judges.is_here() then
    pending("the parsers of spec/judges are not installed: make judges")
    return
  end

  setup(smime.start)
  teardown(smime.stop)

  it("shows a signed mail to readers that know nothing of it", function()
    for _, facts in ipairs(read(mail({ sign = smime.signer("me") }))) do
      assert.equal("密件", facts.subject)
      assert.same({ { name = "张三", address = "sender@example.com" } }, facts.from)
      check_inside(facts, 2)
      assert.same({ "smime.p7s", "application/pkcs7-signature" },
        { facts.parts[2].name, facts.parts[2].type })
    end
  end)

  it("shows nothing of an encrypted mail but its header", function()
    local text = mail({ encrypt = smime.readers("li") })
    for _, facts in ipairs(read(text)) do
      assert.equal("密件", facts.subject)
      assert.same({}, { facts.text, facts.html })
      assert.equal(1, #facts.parts)
      assert.same({ "smime.p7m", "application/pkcs7-mime" },
        { facts.parts[1].name, facts.parts[1].type })
    end
    for _, facts in ipairs(read((assert(smime.decrypt(text, "li"))))) do
      check_inside(facts, 1)
    end
  end)

  it("is whole behind signature and encryption", function()
    local text = mail({ sign = smime.signer("me-ec"), encrypt = smime.readers("li", "wang") })
    for _, name in ipairs({ "li", "wang" }) do
      local signed = assert(smime.decrypt(text, name))
      for _, facts in ipairs(read(assert(smime.verify(signed)), true)) do
        check_inside(facts, 1)
      end
    end
  end)
end)
