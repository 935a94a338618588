local core = require "qqmail.core"
local messages = require "spec.support.messages"
local python = require "spec.support.python"
local shell = require "spec.support.shell"

local build, read, with_file = messages.build, messages.read, messages.with_file

-- A receipt as shops send it: a layout of tables, a hidden preview, a button
-- with a twin for Outlook, a table of data.
local MAIL = [[
<!DOCTYPE html><html><head><meta charset="utf-8"><title>订单</title>
<style>p { margin: 0 } td > a { color: red }</style></head><body>
<div style="display:none;font-size:1px;max-height:0">预览文字&zwnj;&nbsp;&zwnj;</div>
<table width="600"><tr><td style="font-size:0px;padding:10px 25px">
<div style="font-family:Arial;font-size:13px"><h1>您好，王先生</h1>
<p>您的订单&nbsp;<b>#1024</b>
已经发货，
预计明天送达。</p></div></td></tr>
<tr><td><table><thead><tr><th>品名</th><th>价格</th></tr></thead>
<tr><td><p>茶 &amp; 咖啡</p></td><td><p>&yen;3.50</p></td></tr>
<tr><td>运费</td><td>包邮</td></tr></table></td></tr>
<tr><td><!--[if mso]><v:roundrect><w:anchorlock/>查看</v:roundrect><![endif]-->
<a href="https://example.com/o?id=1024&amp;s=1" style="mso-hide:all">查看订单</a></td></tr>
<tr><td><ul><li>退货<ol><li>7 天内</li><li>包装完好</li></ol></li><li>发票</li></ul>
<a href="mailto:help@example.com">help@example.com</a> <img src="cid:x" alt="谢谢">
</td></tr></table><script>track("<p>no</p>")</script></body></html>
]]

local TEXT = [[
您好，王先生

您的订单 #1024 已经发货，预计明天送达。

品名 | 价格
茶 & 咖啡 | ¥3.50
运费 | 包邮

查看订单 <https://example.com/o?id=1024&s=1>

- 退货
  1. 7 天内
  2. 包装完好
- 发票

help@example.com 谢谢
]]

-- The words of a page as Python's own parser gives them.
local WORDS = [[
import sys, html.parser
class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.skipped, self.texts = 0, []
    def handle_starttag(self, tag, attrs):
        self.skipped += tag in ("head", "script", "style")
    def handle_endtag(self, tag):
        self.skipped -= tag in ("head", "script", "style")
    def handle_data(self, data):
        if not self.skipped:
            self.texts.append(data)
reader = Reader()
reader.feed(open(sys.argv[1], "rb").read().decode())
reader.close()
print(" ".join("".join(reader.texts).split()))
]]

local function words_of(html)
  local words
  with_file(html, function(path)
    words = python.run(WORDS, path):gsub("%s+$", "")
  end)
  return words
end

describe("the text of HTML", function()
  it("reads like the mail", function()
    assert.equal(TEXT, core.codec.html_text(MAIL))
  end)

  it("is there when none is given", function()
    local facts = read(build({ text = "none", html = MAIL }))
    assert.equal("alternative(text/plain,text/html)", facts.structure)
    assert.equal(TEXT:gsub("\n", "\r\n"), facts.text)
  end)

  it("never takes the place of one that is given", function()
    assert.equal("own", read(build({ text = "own", html = MAIL })).text)
    assert.equal("", read(build({ text = "", html = MAIL })).text)
    assert.equal("text/html", read(build({ text = false, html = MAIL })).structure)
  end)

  it("comes from files and functions", function()
    with_file("<p>from a file", function(path)
      assert.equal("from a file\r\n", read(build({ text = "none", html = { path = path } })).text)
    end)
    local pieces = { "<p>in ", "pieces" }
    local built = build({ text = "none", html = function()
      return table.remove(pieces, 1)
    end })
    assert.equal("in pieces\r\n", read(built).text)
  end)

  it("comes from the charset of the message", function()
    local built = build({ text = "none", charset = "gbk", subject = "none",
      html = "<p>\196\227<b>\186\195" })
    assert.equal("你好\r\n", read(built).text)
  end)

  it("is not made where there is nothing to read, or far too much", function()
    local pictures = build({ text = "none", html = "<img src=cid:a>" })
    assert.equal("text/html", read(pictures).structure)
    local huge = build({ text = "none", html = ("<p>x</p>\n"):rep(500000) })
    assert.is_nil(tostring(huge):find("multipart/alternative", 1, true))
    local large = build({ text = "none", html = ("<p>x</p>\n"):rep(400000) })
    assert.is_truthy(tostring(large):find("multipart/alternative", 1, true))
  end)

  it("leaves errors to the HTML", function()
    messages.refused({ text = "none", html = "<p>ok \228\189" }, "message.bad_utf8", "html", 7)
    messages.refused({ text = "none", html = { path = "/nonexistent/x" } },
      "message.unreadable", "html")
  end)

  it("does not wait for a file that is none", function()
    local root, remove = shell.folder()
    shell.run("mkfifo " .. shell.quote(root .. "/fifo"))
    for _, charset in ipairs({ "utf-8", "gbk" }) do
      messages.refused({ text = "none", charset = charset, html = { path = root .. "/fifo" } },
        "message.unreadable", "html")
    end
    remove()
  end)

  it("satisfies lint, which does not look at it twice", function()
    local report = build({ text = "none", subject = "A subject",
      html = "<p>Dear {{name}}, good morning." }):lint()
    local found = {}
    for _, finding in ipairs(report) do
      found[#found + 1] = finding.code .. " " .. finding.field
    end
    assert.same({ "lint.placeholder html" }, found)
  end)

  it("has the words that another parser finds", function()
    local pages = {
      "<head><style>x</style></head><p>a &amp; b<br>c&nbsp;d &hellip; &#8364;</p><i>e</i>f",
      "<div><span>你好</span>，<b>world</b></div>\n<p>x &lt; y &unknown; &copy;</p>",
      "<h1>T</h1><script>if (a < b) { '<p>' }</script><p title='>'>q<!-- no --> r</p>",
    }
    for _, page in ipairs(pages) do
      local text = core.codec.html_text(page):gsub("%s+", " "):gsub(" $", "")
      local expected = words_of(page:gsub("<br>", "%0 "):gsub("</h1>", "%0 ")
        :gsub("</?p>", "%0 "):gsub("</div>", "%0 "))
      assert.equal((expected:gsub("\194\160", " ")), text)
    end
  end)
end)
