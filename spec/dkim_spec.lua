-- DKIM signatures, judged by dkimpy and by the examples of the standards.
local crypto = require("qqmail.crypto")
local json = require("spec.support.json")
local judge = require("spec.support.dkim_judge")
local samples = require("spec.support.dkim_samples")

local CORPUS = "../shared/corpora/dkim/canonicalization.jsonl"

-- A line that begins with white space goes on with the one before, if there is one.
local function fields_of(head)
  local out = {}
  for line in head:gmatch("[^\n]*\n") do
    if line:find("^[ \t]") and out[1] then
      out[#out] = out[#out] .. line
    else
      out[#out + 1] = line
    end
  end
  return out
end

local function canonical_head(head, relaxed)
  local out = {}
  for i, field in ipairs(fields_of(head)) do
    out[i] = crypto.dkim_field(field, relaxed) .. "\r\n"
  end
  return table.concat(out)
end

local CHECKS = {}

function CHECKS.message(row)
  local head, body = row.input:match("^(.-\r\n)\r\n(.*)$")
  assert.equal(row.relaxed_headers, canonical_head(head, true))
  assert.equal(row.simple_headers, canonical_head(head, false))
  assert.equal(row.relaxed_body, crypto.dkim_body(body, true))
  assert.equal(row.simple_body, crypto.dkim_body(body, false))
end

function CHECKS.simpleCanonicalizerBody(row)
  assert.equal(row.canonical, crypto.dkim_body(row.input, false))
end

function CHECKS.relaxedCanonicalizerBody(row)
  assert.equal(row.canonical, crypto.dkim_body(row.input, true))
end

function CHECKS.relaxedCanonicalizerHeader(row)
  assert.equal(row.canonical, canonical_head(row.input, true))
end

function CHECKS.bodyhash(row)
  local reading = crypto.dkim(true, true)
  assert.is_true(reading:update("A: b\r\n\r\n" .. row.input))
  assert.is_true(reading:finish())
  assert.equal(row.bh, reading:body_hash(row.id:find("relaxed") ~= nil))
end

describe("canonical forms", function()
  for _, row in ipairs(json.read_lines(CORPUS)) do
    it(row.id, function()
      CHECKS[row.kind](row)
    end)
  end
end)

-- --- the standards ---------------------------------------------------------------

local MESSAGE = table.concat({ "From: Joe SixPack <joe@football.example.com>",
  "To: Suzie Q <suzie@shopping.example.net>", "Subject: Is dinner ready?",
  "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)",
  "Message-ID: <20030712040037.46341.5F8J@football.example.com>", "", "Hi.", "",
  "We lost the game. Are you hungry yet?", "", "Joe.", "" }, "\r\n")

-- What stands before the signature, and behind it, in the example.
local function sign_as(key, names, is_relaxed, field, message)
  local reading = crypto.dkim(true, true)
  assert.is_true(reading:update(message))
  assert.is_true(reading:finish())
  return reading:sign(assert(crypto.dkim_key(key)), names, is_relaxed, field)
end

describe("an example of the standards:", function()
  local NAMES = "from : to : subject : date : message-id : from : subject : date"
  local TAGS = "DKIM-Signature: v=1; a=%s; c=relaxed/relaxed;\r\n d=football.example.com; "
    .. "i=@football.example.com;\r\n q=dns/txt; s=%s; t=1528637909; h=%s;\r\n "
    .. "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b="

  it("RFC 8463 A.3 with Ed25519", function()
    assert.equal("/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus"
      .. "Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==",
      sign_as(samples.keys.ed25519, NAMES, true, TAGS:format("ed25519-sha256", "brisbane", NAMES),
        MESSAGE))
  end)

  it("RFC 8463 A.3 with RSA", function()
    assert.equal("F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3"
      .. "DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz"
      .. "dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=",
      sign_as(samples.keys.rsa, NAMES, true, TAGS:format("rsa-sha256", "test", NAMES), MESSAGE))
  end)

  it("RFC 6376 A.2", function()
    local received = "Received: from client1.football.example.com  [192.0.2.1]\r\n"
      .. "      by submitserver.example.com with SUBMISSION;\r\n"
      .. "      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)\r\n"
    local names = "Received : From : To : Subject : Date : Message-ID"
    assert.equal("AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB"
      .. "4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut"
      .. "KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV4bmp/YzhwvcubU4=",
      sign_as(samples.keys.brisbane, names, false, "DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; "
        .. "d=example.com;\r\n      c=simple/simple; q=dns/txt; i=joe@football.example.com;\r\n"
        .. "      h=" .. names .. ";\r\n      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
        .. "      b=;", received .. MESSAGE))
  end)
end)

-- --- dkimpy -----------------------------------------------------------------------

local function check_all(list)
  local messages = {}
  for i, sample in ipairs(list) do
    messages[i] = sample.bytes
  end
  for i, signatures in ipairs(judge.verify(messages, samples.records)) do
    assert.equal(list[i].signatures, #signatures, list[i].name)
    for _, signature in ipairs(signatures) do
      assert.is_true(signature.passed, list[i].name .. ": " .. signature.why)
      assert.equal("football.example.com", signature.domain)
    end
  end
end

describe("dkimpy", function()
  if judge.missing() then
    pending("cannot be asked: " .. judge.missing())
    return
  end

  it("accepts every structure signed in every way", function()
    check_all(samples.signed())
  end)

  -- A judge that accepts everything would be none.
  local CHANGES = {
    ["a byte of the body"] = { "hungry", "hungri" },
    ["a field"] = { "dinner", "Dinner" },
    ["the sender"] = { "Joe SixPack", "Bob SixPack" },
    ["a second From"] = { "\r\nTo:", "\r\nFrom: eve@example.com\r\nTo:" },
    ["a second Subject"] = { "\r\nTo:", "\r\nSubject: other\r\nTo:" },
    ["a Cc"] = { "\r\nTo:", "\r\nCc: eve@example.com\r\nTo:" },
    ["a Reply-To"] = { "\r\nTo:", "\r\nReply-To: eve@example.com\r\nTo:" },
    ["a Content-Type"] = { "\r\nTo:", "\r\nContent-Type: text/html\r\nTo:" },
    ["text at the end"] = { "Joe%.\r\n", "Joe.\r\nmore\r\n" },
    ["the time of the signature"] = { " t=%d", " t=0" },
    ["the signature"] = { "(\r\n b=....)(.)", function(front, c)
      return front .. (c == "A" and "B" or "A")
    end },
    ["the hash"] = { "bh=2jUS", "bh=3jUS" },
  }

  for _, algorithm in ipairs({ "rsa", "ed25519" }) do
    it("refuses what was changed, with " .. algorithm, function()
      local mailer = samples.mailer(samples[algorithm]())
      assert(mailer:send({ raw = MESSAGE }))
      local bytes, names = mailer.outbox[1].data, {}
      local messages = { bytes }
      for name, change in pairs(CHANGES) do
        local changed, count = bytes:gsub(change[1], change[2], 1)
        assert.equal(1, count, name)
        names[#messages + 1], messages[#messages + 1] = name, changed
      end
      local verdicts = judge.verify(messages, samples.records)
      assert.is_true(verdicts[1][1].passed, verdicts[1][1].why)
      for i = 2, #messages do
        assert.is_false(verdicts[i][1].passed, names[i])
      end
    end)
  end

  it("refuses another key", function()
    local mailer = samples.mailer(samples.rsa({ key = samples.keys.brisbane }))
    assert(mailer:send({ raw = MESSAGE }))
    local verdicts = judge.verify({ mailer.outbox[1].data }, samples.records)
    assert.is_false(verdicts[1][1].passed)
  end)
end)
