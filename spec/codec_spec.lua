local core = require "qqmail.core"
local json = require "spec.support.json"
local python = require "spec.support.python"

local codec = core.codec
local unpack = table.unpack or unpack -- luacheck: compat

local CHINESE = "2026年度报告：图表 📊 与 éclair，第二部分"

local function hex(text)
  return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

-- Gives each input as a line of hexadecimal digits to a Python program, which
-- answers a line of words for each; the list of these lists.
local function judge(program, inputs)
  if not python.is_available() then
    pending("python3 is not here")
  end
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  for _, input in ipairs(inputs) do
    file:write(hex(input), "\n")
  end
  file:close()
  local output = python.run(program, path)
  os.remove(path)
  local answers = {}
  for line in output:gmatch("([^\n]*)\n") do
    local words = {}
    for word in line:gmatch("%S+") do
      words[#words + 1] = word
    end
    answers[#answers + 1] = words
  end
  assert.are.equal(#inputs, #answers)
  return answers
end

local function lines_of(field)
  local lines = {}
  assert.are.equal("\r\n", field:sub(-2))
  for line in field:gmatch("(.-)\r\n") do
    assert.is_nil(line:find("[\r\n]"))
    lines[#lines + 1] = line
  end
  return lines
end

describe("codec encoders", function()
  it("answer known values", function()
    assert.are.equal("", codec.base64(""))
    assert.are.equal("Zm9vYmE=", codec.base64("fooba"))
    assert.are.equal(("x"):rep(57), codec.base64_decode(codec.base64(("x"):rep(57))))
    assert.are.same(lines_of(codec.base64(("x"):rep(58), true)),
      { codec.base64(("x"):rep(57)), "eA==" })
    assert.are.equal("a=3D=C3=A9", codec.qp("a=é"))
    assert.are.equal("..\r\na\r\n.\r\n", codec.dot(".\na"))
  end)

  it("refuse what is no base64", function()
    local got, name, text = codec.base64_decode("Zm9v!")
    assert.is_nil(got)
    assert.are.equal("syntax", name)
    assert.is_string(text)
  end)

  it("do not depend on how the input is cut", function()
    local text = ("From me\n.dot é中 \r\n==\r\rtail \n"):rep(4)
    local makers = {
      base64 = function() return codec.base64_stream(true), codec.base64(text, true) end,
      qp = function() return codec.qp_stream(), codec.qp(text) end,
      dot = function() return codec.dot_stream(), codec.dot(text) end,
    }
    for name, make in pairs(makers) do
      for cut = 0, #text do
        local stream, whole = make()
        local out = stream:update(text:sub(1, cut)) .. stream:update(text:sub(cut + 1))
        assert.are.equal(whole, out .. stream:finish(), name .. " cut at " .. cut)
      end
    end
  end)
end)

describe("codec.word", function()
  it("encodes only what needs it", function()
    assert.is_false(codec.word_needed("Hello = you?"))
    assert.is_true(codec.word_needed("你好"))
    assert.is_true(codec.word_needed("a =?b?= c"))
    assert.is_true(codec.word_needed(("a"):rep(901)))
    assert.are.equal("=?UTF-8?B?5L2g5aW9?=", codec.word("你好"))
    assert.are.equal("=?UTF-8?Q?Andr=C3=A9_Maria_Doe=2C_Jr?=",
      codec.word("André Maria Doe, Jr", "phrase"))
  end)

  it("refuses control characters and broken UTF-8", function()
    assert.are.equal("control_character", select(2, codec.word("a\r\nBcc: b")))
    assert.are.equal("bad_utf8", select(2, codec.word("\228\184")))
  end)

  it("is read exactly by Python", function()
    local texts = {
      CHINESE, " 首尾空格 ", "多个   空格   " .. CHINESE, CHINESE:rep(12), ("📊"):rep(100),
      "=?UTF-8?B?eA==?=", "plain =?", ("x"):rep(2000), ("é  "):rep(60) .. "é",
    }
    local fields = {}
    for i, text in ipairs(texts) do
      fields[i] = codec.fold("Subject", codec.word(text, "text", 9))
      for _, line in ipairs(lines_of(fields[i])) do
        assert.is_true(#line <= 76, line)
      end
    end
    local answers = judge([[
import sys, email, email.policy, email.header
for line in open(sys.argv[1]):
    data = bytes.fromhex(line.strip()) + b"\r\nbody"
    new = email.message_from_bytes(data, policy=email.policy.default)["subject"]
    old = email.message_from_bytes(data)["subject"]
    old = "".join(t if isinstance(t, str) else t.decode(c or "ascii")
                  for t, c in email.header.decode_header(old))
    print(new.encode().hex(), old.encode().hex())
]], fields)
    for i, text in ipairs(texts) do
      assert.are.same({ hex(text), hex(text) }, answers[i])
    end
  end)

  -- A byte-wise narrowing of these once gave CR and LF (CVE-2025-7962).
  it("makes no line end of a character", function()
    for high = 0, 255 do
      for _, low in ipairs { 0x0A, 0x0D } do
        if high > 8 and not (high >= 0xD8 and high <= 0xDF) then
          local c = json.decode(('"\\u%02x%02x"'):format(high, low))
          for _, place in ipairs { "text", "phrase", "quoted" } do
            local out = codec.fold("Subject", codec.word(c .. "a" .. c, place, 9))
            assert.are.equal(1, #lines_of(out))
            assert.is_nil(out:sub(1, -3):find("%c"))
          end
          assert.is_nil(codec.param("name", c):sub(4):find("[\r\n]"))
          for _, got in ipairs(codec.addresses(c .. "@x.cn") or {}) do
            assert.is_nil(got.address:find("[\r\n]"))
          end
        end
      end
    end
  end)
end)

describe("codec.fold", function()
  it("breaks at white space and refuses to begin a field", function()
    assert.are.equal("Subject: a\r\n", codec.fold("Subject", "a"))
    assert.are.equal("X: " .. ("a"):rep(70) .. "\r\n " .. ("b"):rep(70) .. "\r\n",
      codec.fold("X", ("a"):rep(70) .. " " .. ("b"):rep(70)))
    assert.are.equal("control_character", select(2, codec.fold("X", "a\r\nBcc: b")))
    assert.are.equal("control_character", select(2, codec.fold("X", "a\127b")))
    assert.are.equal("syntax", select(2, codec.fold("X Y", "a")))
    assert.are.equal("too_long", select(2, codec.fold("X", ("a"):rep(996))))
  end)

  it("knows field names", function()
    assert.is_true(codec.field_name("X-Mailer"))
    for _, name in ipairs { "", "a b", "a:", "é", "a\r\n", ("a"):rep(77) } do
      assert.is_false(codec.field_name(name))
    end
  end)
end)

describe("codec.param", function()
  local NAMES = {
    "a.pdf", "a b.pdf", 'q"u\\o;te.pdf', "报告.pdf", ("报告"):rep(150) .. ".pdf",
    ("a long name with blanks "):rep(12) .. ".pdf", ("x"):rep(296) .. ".pdf",
    '📊 表格 "引号" 📊.xlsx', ("📊"):rep(300), "=?UTF-8?B?eA==?=", "50%'s*.txt",
    "a'b''c%20.txt", ('"\\'):rep(60), "é", ("销售"):rep(17) .. "售.doc",
  }

  local READER = [[
import sys, email, email.policy, email.utils
for line in open(sys.argv[1]):
    data = bytes.fromhex(line.strip()) + b"\r\nbody"
    out = []
    for policy in (email.policy.default, email.policy.compat32):
        m = email.message_from_bytes(data, policy=policy)
        name = m.get_param("name", header="content-type")
        out += [m.get_filename(), email.utils.collapse_rfc2231_value(name)]
    print(*[x.encode("utf-8", "surrogateescape").hex() for x in out])
]]

  local function heads(form_of_type, form_of_disposition)
    local list = {}
    for i, name in ipairs(NAMES) do
      local kind = codec.param("name", name, form_of_type)
      local disposition = codec.param("filename", name, form_of_disposition)
      list[i] = codec.fold("Content-Type", "application/pdf" .. kind)
        .. codec.fold("Content-Disposition", "attachment" .. disposition)
    end
    return list
  end

  it("in RFC 2231 form is read exactly by Python", function()
    for i, words in ipairs(judge(READER, heads("rfc2231", "rfc2231"))) do
      local name = hex(NAMES[i])
      assert.are.same({ name, name, name, name }, words)
    end
  end)

  it("in both forms gives old and new readers the name", function()
    for i, words in ipairs(judge(READER, heads("rfc2047", "rfc2231"))) do
      local name = hex(NAMES[i])
      assert.are.same({ name, name, name }, { words[1], words[2], words[3] })
    end
  end)

  it("refuses control characters and bad names", function()
    assert.are.equal("control_character", select(2, codec.param("name", "in\r\nvoice.pdf")))
    assert.are.equal("control_character", select(2, codec.param("name", "a\0b", "rfc2047")))
    assert.are.equal("syntax", select(2, codec.param("na me", "a")))
    assert.are.equal("bad_utf8", select(2, codec.param("name", "\255")))
  end)

  it("takes the base name of a path", function()
    assert.are.equal("a.pdf", codec.base_name("/x/../a.pdf"))
    assert.are.equal("报告.pdf", codec.base_name("C:\\文件\\报告.pdf"))
    assert.are.equal("", codec.base_name("x/.."))
  end)
end)

describe("codec.addresses", function()
  local function fault(text)
    local got, name, why, position = codec.addresses(text)
    assert.is_nil(got)
    return name, why, position
  end

  it("answers plain meanings", function()
    assert.are.same({
      { name = "张三", address = "u@qq.com", local_part = "u", domain = "qq.com", utf8 = false },
      { name = 'Doe, "J"', address = '"a b"@x', local_part = "a b", domain = "x", utf8 = false },
      { address = "用户@例子.cn", local_part = "用户", domain = "例子.cn", utf8 = true },
      { name = "=?UTF-8?B?eA==?=", address = "c@d", local_part = "c", domain = "d", utf8 = false },
    }, codec.addresses('张三 <u@qq.com>, "Doe, \\"J\\"" <"a b"@x>,, g: 用户@例子.cn;, '
      .. "=?UTF-8?B?eA==?= (x) <c@d>"))
    assert.are.same({}, codec.addresses(""))
    assert.are.same({}, codec.addresses("undisclosed-recipients:;"))
  end)

  it("says what is wrong and where", function()
    local name, why, position = fault("a@b.cn; c@d.cn")
    assert.are.equal("syntax", name)
    assert.matches("separate addresses with a comma", why)
    assert.are.equal(7, position)
    assert.matches("full%-width '@'", (select(2, fault("张三＠qq.com"))))
    assert.matches("full%-width comma", (select(2, fault("a@b.cn，c@d.cn"))))
    assert.matches("needs a comma", (select(2, fault("<aaa@bbb.com>ccc@ddd.com"))))
    assert.matches("source routes", (select(2, fault("<@a,@b:c@d>"))))
    assert.are.equal("control_character", (fault("a@b\r\nRCPT TO:<x@y>")))
    assert.are.equal("bad_utf8", (fault("\228\184 <a@b>")))
    assert.are.equal("too_long", (fault(("a"):rep(65) .. "@b")))
  end)

  it("keeps a quoted local part quoted", function()
    local text = '"foo@psres.net> ORCPT=admin@admin.com"@test.com'
    local got = codec.address(text)
    assert.are.equal(text, got.address)
    assert.are.equal("test.com", got.domain)
    assert.are.equal("foo@psres.net> ORCPT=admin@admin.com", got.local_part)
  end)

  it("takes one bare address alone", function()
    assert.are.equal("a@b", codec.address("a@b").address)
    assert.are.equal("empty", select(2, codec.address("")))
    for _, text in ipairs { "N <a@b>", "<a@b>", "a@b,c@d", " a@b", "a@b ", "a@b;" } do
      assert.is_nil(codec.address(text), text)
    end
  end)

  it("writes mailboxes Python reads alike", function()
    local long = CHINESE:rep(5)
    local boxes = {
      { "机器人", "u@qq.com" }, { "Doe, John", "a@b.cn" }, { "Bob", "a@b.cn" },
      { 'a "quoted" \\ name', "a@b.cn" }, { "  blanks  inside  ", "a@b.cn" },
      { "=?UTF-8?B?eA==?=", "a@b.cn" }, { long, "a@b.cn" },
      { "x@y.cn", "a@b.cn" }, { "Robert'); DROP <x@y>, z@w", "a@b.cn" },
      { "A (comment) B", '"foo@psres.net> ORCPT=admin@admin.com"@test.com' },
    }
    local fields = {}
    for i, box in ipairs(boxes) do
      fields[i] = codec.fold("To", assert(codec.mailbox(box[1], box[2])))
    end
    local answers = judge([[
import sys, email, email.header, email.policy, email.utils
for line in open(sys.argv[1]):
    data = bytes.fromhex(line.strip()) + b"\r\nbody"
    new = email.message_from_bytes(data, policy=email.policy.default)["to"].addresses
    old = email.utils.getaddresses([email.message_from_bytes(data)["to"].replace("\r\n", "")])
    name = "".join(t if isinstance(t, str) else t.decode(c or "ascii")
                   for t, c in email.header.decode_header(old[0][0]))
    print(len(new), new[0].display_name.encode().hex(), new[0].addr_spec.encode().hex(),
          len(old), name.encode().hex(), old[0][1].encode().hex())
]], fields)
    for i, box in ipairs(boxes) do
      local name, address = hex(box[1]), hex(box[2])
      local words = answers[i]
      if box[1] == long then
        words[2] = words[5] -- the newer reader keeps the blanks between two words
      end
      assert.are.same({ "1", name, address, "1", name, address }, words)
      local got = codec.addresses(codec.mailbox(box[1], box[2]):gsub("\r\n", "") .. "")
      assert.are.equal(box[2], got[1].address)
    end
    assert.are.equal("a@b.cn", codec.mailbox(nil, "a@b.cn"))
    assert.are.equal("a@b.cn", codec.mailbox("", "a@b.cn"))
    assert.are.equal("control_character", select(2, codec.mailbox("a\nb", "a@b.cn")))
    assert.are.equal(2, select(4, codec.mailbox("a", "a b@b.cn")))
  end)
end)

describe("injection corpus", function()
  local function rows()
    local list = json.read_lines("../shared/corpora/injection/cases.jsonl")
    if not list then
      pending("the corpus is not here")
    end
    return list or {}
  end

  it("adds no line through an address", function()
    local fields = { envelope_from = true, envelope_to = true, from = true }
    for _, row in ipairs(rows()) do
      if fields[row.field] then
        for _, got in ipairs(codec.addresses(row.value) or {}) do
          assert.is_nil(got.address:find("%c"), row.id)
          assert.are.equal(row.rule == "keep-quoted" and row.value or nil, got.address, row.id)
        end
        assert.are.equal(row.rule == "keep-quoted", codec.address(row.value) ~= nil, row.id)
      end
    end
  end)

  it("adds no line through a header or a file name", function()
    for _, row in ipairs(rows()) do
      for _, out in ipairs {
        codec.fold("X", row.value) or "X: \r\n",
        codec.fold("X", codec.word(row.value) or "") or "X: \r\n",
        codec.fold("X", "y" .. (codec.param("name", row.value) or "")) or "X: \r\n",
      } do
        for i, line in ipairs(lines_of(out)) do
          assert.is_true(i == 1 or line:find("^[ \t]+%S") ~= nil, row.id)
        end
      end
    end
  end)
end)

describe("codec odds and ends", function()
  it("write dates", function()
    assert.are.equal("Thu, 01 Jan 1970 08:00:00 +0800", codec.date(0, 480))
    assert.are.equal("syntax", select(2, codec.date(0, 5000)))
  end)

  it("tell the charsets of replies in Chinese apart", function()
    local simplified = {
      "请使用授权码登录。详情请看", "密码错误或者帐号被冻结", "登录失败，请检查用户名和密码",
      "邮件被拒绝：内容涉嫌垃圾邮件", "用户不存在", "连接过于频繁，请稍后再试", "系统繁忙",
      "对方邮箱已满", "发件人与登录帐号不一致", "禁止", "错误", "收件人被拒收", "域名解析失败",
      "授权码已失效，请重新生成", "您的帐号尚未开通SMTP服务",
    }
    local traditional = {
      "帳號或密碼錯誤，請重新登入", "登入失敗，請檢查您的帳號與密碼", "使用者不存在",
      "收件者信箱已滿", "郵件被拒絕：內容疑似垃圾郵件", "連線過於頻繁，請稍後再試", "系統忙碌中",
      "寄件人與登入帳號不符", "禁止", "錯誤", "信箱", "拒絕", "您的要求無法完成",
      "請使用「應用程式專用密碼」登入", "您的帳號尚未啟用SMTP服務",
    }
    local encode = "import sys\nfor s in sys.argv[2:]: print(s.encode(sys.argv[1]).hex())"
    for charset, list in pairs({ gb18030 = simplified, gbk = simplified, big5 = traditional }) do
      local index = 0
      for digits in python.run(encode, charset, unpack(list)):gmatch("%x+") do
        local bytes = digits:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end)
        index = index + 1
        assert.are.equal(list[index], codec.reply_text(bytes))
        assert.are.equal("535 5.7.8 " .. list[index] .. " (u@x)",
          codec.reply_text("535 5.7.8 " .. bytes .. " (u@x)"))
      end
      assert.are.equal(#list, index)
    end
  end)

  it("guess the charset of two characters", function()
    local rows = {
      { "gb18030", { "目录", "状态", "同时", "模式", "密码", "网络", "您好", "报表", "张三" } },
      { "big5", { "選項", "憑證", "視窗", "請輸", "檔案", "設定", "您好", "陳怡" } },
    }
    local encode = "import sys\nfor s in sys.argv[2:]: print(s.encode(sys.argv[1]).hex())"
    for _, row in ipairs(rows) do
      local words = 0
      for digits in python.run(encode, row[1], unpack(row[2])):gmatch("%x+") do
        words = words + 1
        local bytes = digits:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end)
        assert.are.equal(row[1] .. " " .. row[2][words],
          codec.guess_charset(bytes) .. " " .. row[2][words])
        assert.are.equal("utf-8", codec.guess_charset(row[2][words]))
      end
      assert.are.equal(#row[2], words)
    end
  end)

  it("read replies of any bytes", function()
    math.randomseed(7)
    for _ = 1, 2000 do
      local bytes = {}
      for i = 1, math.random(0, 30) do
        bytes[i] = string.char(math.random(0, 255))
      end
      local text = assert(codec.reply_text(table.concat(bytes)))
      assert.is_nil(text:find("%c"))
      assert.are.equal(text, assert(codec.convert(text, "UTF-8")))
    end
  end)

  it("read replies and charsets", function()
    assert.are.equal("授权码", codec.reply_text("\202\218\200\168\194\235"))
    assert.are.equal("授权码", codec.convert("\202\218\200\168\194\235", "GBK"))
    assert.are.equal("unsupported", select(2, codec.convert("a", "no-such-charset")))
    local got, name, _, position = codec.convert("ab\255\255", "UTF-8")
    assert.is_nil(got)
    assert.are.same({ "syntax", 3 }, { name, position })
  end)

  it("find the fault in UTF-8", function()
    assert.is_nil(codec.utf8_fault("中文"))
    assert.are.equal(4, codec.utf8_fault("中\228\184"))
    assert.are.equal(1, codec.utf8_fault("\237\160\128"))
  end)

  it("draw random bytes", function()
    assert.are.equal(32, #core.random(32))
    assert.are_not.equal(core.random(32), core.random(32))
  end)

  it("raise for wrong arguments and go on working", function()
    local calls = {
      place = function() codec.word("a", "nowhere") end,
      charset = function() codec.convert("a", "GBK\0x") end,
      nothing = function() core.random(0) end,
      fraction = function() core.random(1.5) end,
      stream = function() codec.qp_stream():update({}) end,
      other = function() codec.qp_stream().update(io.stdout, "a") end,
    }
    for name, call in pairs(codec) do
      calls[name] = not name:find("_stream$") and function() call({}) end or nil
    end
    local silent = {}
    for name, call in pairs(calls) do
      if pcall(call) or codec.base64("a") ~= "YQ==" then
        silent[#silent + 1] = name
      end
    end
    assert.are.same({}, silent)
  end)

  it("belong to the version of the library", function()
    assert.matches("^%d+%.%d+%.%d+", core._VERSION)
  end)
end)
