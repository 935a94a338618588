-- What is asked of delivery reports: what users write, what is read, what is said of it.
local dsn = require("qqmail.dsn")
local errors = require("qqmail.errors")
local message = require("qqmail.message")
local qqmail = require("qqmail")

local TO = { "a@x.org", "b@X.org", "c@x.org" }

-- What a session would say to TO.
local function said(value)
  local read, why, key = dsn.read(value)
  assert(read, why and (tostring(key) .. " " .. why.en))
  return dsn.parameters(read, TO), read
end

local function of_all(fields)
  return { fields, fields, fields }
end

describe("dsn.read", function()
  it("takes one word or a list, in any order", function()
    assert.same({ each = of_all({ notify = "never" }) }, said({ notify = "never" }))
    assert.same({ each = of_all({ notify = "never" }) }, said({ notify = { "never" } }))
    assert.same({ each = of_all({ notify = "delay" }) }, said({ notify = "delay" }))
    assert.same({ each = of_all({ notify = "success,failure,delay" }) },
      said({ notify = { "delay", "success", "failure" } }))
  end)

  it("takes words for single recipients, whatever the case of their domain", function()
    local reports = said({ notify = { "failure", ["b@x.ORG"] = { "success", "delay" },
      ["c@x.org"] = { "never" } } }).each
    assert.same({ { notify = "failure" }, { notify = "success,delay" }, { notify = "never" } },
      reports)
    assert.same({ false, { notify = "never" }, false },
      said({ notify = { ["b@x.org"] = "never" } }).each)
    assert.same({ { notify = "never" }, { notify = "delay" }, { notify = "never" } },
      said({ notify = { "never", ["b@x.org"] = "delay" } }).each)
  end)

  it("knows original addresses, of all or of single ones", function()
    assert.same({ { orcpt = "a@x.org" }, { orcpt = "b@X.org" }, { orcpt = "c@x.org" } },
      said({ orcpt = true }).each)
    assert.same({ false, false, { orcpt = "first+1@y.org" } },
      said({ orcpt = { ["c@x.org"] = "first+1@y.org" } }).each)
  end)

  it("keeps what is of the whole message", function()
    local asked = said({ ret = "headers", envid = "no 1" })
    assert.same({ "headers", "no 1" }, { asked.ret, asked.envid })
    assert.same({ false, false, false }, asked.each)
    assert.is_false(dsn.read(false))
  end)

  local WRONG = {
    { true, nil }, { "never", nil }, { {}, nil }, { { soft = true }, nil },
    { { notfy = "never" }, "notfy" }, { { soft = "yes", ret = "full" }, "soft" },
    { { notify = "always" }, "notify" }, { { notify = {} }, "notify" },
    { { notify = { "never", "delay" } }, "notify" }, { { notify = { "failure", 1 } }, "notify" },
    { { notify = { "failure", [5] = "bogus" } }, "notify" },
    { { notify = { ["a@x.org"] = "never", ["a@X.org"] = "delay" } }, "notify" },
    { { orcpt = { ["a@x.org"] = "b@y.org", ["a@X.org"] = "c@y.org" } }, "orcpt" },
    { { notify = { ["no address"] = "never" } }, "notify" },
    { { notify = { ["a@x.org"] = "always" } }, "notify" }, { { notify = true }, "notify" },
    { { ret = "hdrs" }, "ret" }, { { ret = true }, "ret" },
    { { envid = "" }, "envid" }, { { envid = 1 }, "envid" }, { { envid = "编号" }, "envid" },
    { { envid = "a\r\nb" }, "envid" }, { { envid = ("x"):rep(101) }, "envid" },
    { { envid = ("+"):rep(34) }, "envid" }, { { orcpt = "a@x.org" }, "orcpt" },
    { { orcpt = {} }, "orcpt" }, { { orcpt = { "a@x.org" } }, "orcpt" },
    { { orcpt = { ["a@x.org"] = "none" } }, "orcpt" },
    { { orcpt = { ["a@x.org"] = true } }, "orcpt" },
  }

  for number, row in ipairs(WRONG) do
    it("refuses what is wrong, no. " .. number, function()
      local read, why, key = dsn.read(row[1])
      assert.is_nil(read)
      assert.equal(row[2], key)
      assert.is_true(#why.en > 10 and #why.zh > 4)
    end)
  end

  it("takes an id of as many characters as may be", function()
    assert.is_table(dsn.read({ envid = ("x"):rep(100) }))
    assert.is_table(dsn.read({ envid = ("="):rep(33) }))
  end)

  it("comes back from lines as it was", function()
    for _, value in ipairs({ { notify = { "delay", ["a@x.org"] = "never" }, soft = true },
      { ret = "full", envid = "true" }, { orcpt = true }, { envid = "> <x", notify = "never" },
      { orcpt = { ["c@x.org"] = "用户@y.org", ["a@x.org"] = '"a b"@y.org' } }, false }) do
      local read = dsn.read(value)
      local back = dsn.from_lines(dsn.to_lines(read))
      assert.same(read, back)
      assert.equal(back, (dsn.read(back)))
    end
  end)
end)

describe("the message field dsn", function()
  local function build(asked, more)
    local spec = { from = "s@x.org", to = TO, subject = "s", text = "t", dsn = asked }
    for key, value in pairs(more or {}) do
      spec[key] = value
    end
    return message.new(spec, { lang = "en" })
  end

  it("is read when the message is built", function()
    assert.equal("never", assert(build({ notify = "never" })).dsn.notify)
    assert.is_false(assert(build(false)).dsn)
    assert.is_nil(assert(build(nil)).dsn)
    assert.equal("never", assert(message.new({ raw = "From: a@x.org\nTo: b@x.org\n\nx",
      dsn = { notify = "never" } })).dsn.notify)
  end)

  it("names what is wrong with it", function()
    local _, err = build({ envid = "\n" })
    assert.is_true(errors.is(err))
    assert.same({ "message.bad_value", "dsn.envid" }, { err.code, err.field })
    _, err = build("yes")
    assert.same({ "message.bad_value", "dsn" }, { err.code, err.field })
  end)

  it("is about recipients alone", function()
    local _, err = build({ notify = { ["d@x.org"] = "never" } })
    assert.same({ "message.bad_value", "dsn" }, { err.code, err.field })
    assert.truthy(err.message:find("d@x.org", 1, true))
    assert.is_table(build({ notify = { ["d@x.org"] = "never" } },
      { envelope = { to = "d@x.org" } }))
  end)
end)

describe("the option dsn", function()
  local function new(value)
    return qqmail.new({ host = "localhost", tls = "none", lang = "en", dsn = value })
  end

  it("is read with the settings", function()
    assert.equal("failure", assert(new({ notify = { "failure" } })).settings.dsn.notify)
    assert.is_false(assert(new(false)).settings.dsn)
    assert.is_nil(assert(new(nil)).settings.dsn)
  end)

  it("names what is wrong with it", function()
    local _, err = new({ ret = "all" })
    assert.same({ "config", "dsn" }, { err.kind, err.field })
    assert.truthy(err.message:find('ret must be "full" or "headers"', 1, true))
    _, err = new({})
    assert.truthy(err.message:find("asks for nothing", 1, true))
  end)

  it("can be shown", function()
    local shown = assert(qqmail.config({ host = "localhost", tls = "none",
      dsn = { notify = { "delay", ["a@x.org"] = "never" }, ret = "full" } }))
    assert.equal("notify=delay ret=full for=a@x.org notify=never", shown.dsn.value)
    assert.truthy(tostring(shown):find("notify=delay", 1, true))
    assert.equal("off", qqmail.config({ host = "localhost", tls = "none", dsn = false }).dsn.value)
  end)
end)
