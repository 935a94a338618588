local core = require "qqmail.core"
local json = require "spec.support.json"
local message = require "qqmail.message"
local messages = require "spec.support.messages"
local send = require "spec.support.send"

local codec = core.codec
local build, refused = messages.build, messages.refused

local NAMES = "../shared/corpora/idna/domains-small.jsonl"

describe("a domain in another script", function()
  after_each(send.stop)

  it("goes in its ASCII form, in header and envelope", function()
    local built = build({ from = "张三 <ops@例子.测试>", cc = { { "Faß", "a@Faß.de" } },
      to = { "x@Qq.例子.cn", { address = "y@bücher.com" } }, envelope = { from = "b@例子.cn" } })
    assert.same({ from = "b@xn--fsqu00a.cn", to = { "x@qq.xn--fsqu00a.cn", "y@xn--bcher-kva.com",
      "a@xn--fa-hia.de" } }, built.envelope)
    assert.is_nil(built.international)
    local facts = messages.read(built)
    assert.same({ "张三", "ops@xn--fsqu00a.xn--0zwm56d" },
      { facts.from[1].name, facts.from[1].address })
    assert.same({ "Faß", "a@xn--fa-hia.de" }, { facts.cc[1].name, facts.cc[1].address })
  end)

  it("leaves SMTPUTF8 to what stands before it", function()
    local built = build({ to = "用户@例子.cn" })
    assert.same({ to = { "用户@xn--fsqu00a.cn" }, from = messages.FROM }, built.envelope)
    assert.same({ field = "to", name = "用户@xn--fsqu00a.cn" }, built.international)
  end)

  it("is refused where it is none", function()
    for _, domain in ipairs({ "☃.com", "例子..cn", ("例"):rep(80) .. ".cn" }) do
      for field, to in pairs({ to = "a@" .. domain, ["to[1]"] = { { "A", "a@" .. domain } } }) do
        local built, err = message.new(messages.spec_with({ to = to }))
        assert.is_nil(built)
        assert.same({ "message.bad_address", field }, { err.code, err.field })
      end
    end
  end)

  it("is refused with its place, and for what is wrong with it", function()
    local function why(to, position)
      local err = refused({ to = to }, "message.bad_address", "to", position)
      return tostring(err)
    end
    assert.matches("cannot be written in ASCII", why("☃.com <ok@例子.cn>, a@☃.com", 27), 1, true)
    -- Short as it is written; in ASCII each of the labels has seven bytes.
    assert.matches("is longer than 254 bytes", why(("a"):rep(64) .. "@" .. ("ä."):rep(24)
      .. "cn, ok@x.org", 66), 1, true)
  end)

  it("says what is missing where there is no library", function()
    local convert = codec.domain_to_ascii
    codec.domain_to_ascii = function()
      return nil, "unsupported", "is not supported here"
    end
    local err = refused({ to = "a@例子.cn" }, "message.idna_missing", "to", 3)
    codec.domain_to_ascii = convert
    assert.is_truthy(tostring(err):find("libidn2-0", 1, true))
  end)

  it("is taken by servers that know ASCII alone", function()
    local server = send.server()
    send.good(send.mailer(server), send.message({ to = "a@例子.测试" }))
    assert.same({ "a@xn--fsqu00a.xn--0zwm56d" }, server:messages()[1].to)
  end)

  it("is what others make of it", function()
    local rows = json.read_lines(NAMES)
    if not rows then
      pending("the corpus is absent: " .. NAMES)
      return
    end
    for _, row in ipairs(rows) do
      if row.unicode and row.ascii then
        assert.equal(row.ascii, codec.domain_to_ascii(row.unicode), row.unicode)
      end
    end
  end)
end)
