-- DKIM signatures, judged by mailauth: a second opinion beside dkimpy.

local judges = require("spec.support.judges")
local samples = require("spec.support.dkim_samples")

local function verdicts_of(messages, records)
  local list = {}
  for index, message in ipairs(messages) do
    list[index] = { message = message, keys = records or samples.records }
  end
  return judges.mailauth(list)
end

-- One mail, signed.
local function signed(dkim, message)
  local mailer = samples.mailer(dkim)
  assert(mailer:send(message or samples.message("alternative")))
  return mailer.outbox[1].data
end

describe("mailauth", function()
  if not judges.is_here() then
    pending("the parsers of spec/judges are not installed: make judges")
    return
  end

  it("accepts every structure signed in every way", function()
    local list, messages = samples.signed(), {}
    for index, sample in ipairs(list) do
      messages[index] = sample.bytes
    end
    for index, signatures in ipairs(verdicts_of(messages)) do
      local sample = list[index]
      assert.equal(sample.signatures, #signatures, sample.name)
      for _, signature in ipairs(signatures) do
        assert.equal("pass", signature.result, sample.name .. ": " .. tostring(signature.comment))
        assert.equal("football.example.com", signature.domain, sample.name)
      end
    end
  end)

  for _, algorithm in ipairs({ "rsa", "ed25519" }) do
    it("refuses what was changed on the way, with " .. algorithm, function()
      local bytes = signed(samples[algorithm]())
      local changes = {
        -- mailauth's word for a body hash that does not fit
        { "plain  text", "plain  test", "neutral" },
        { "multipart/alternative", "multipart/mixed" },
        { "\r\nSubject: ", "\r\nSubject: Re: " },
        { "\r\nTo:", "\r\nFrom: eve@example.com\r\nTo:" },
        { "\r\nTo:", "\r\nCc: eve@example.com\r\nTo:" },
        { "(\r\n b=....)(.)", function(front, c)
          return front .. (c == "A" and "B" or "A")
        end },
      }
      local messages = { bytes }
      for index, change in ipairs(changes) do
        local changed, count = bytes:gsub(change[1], change[2], 1)
        assert.equal(1, count, change[1])
        messages[index + 1] = changed
      end
      local verdicts = verdicts_of(messages)
      assert.equal("pass", verdicts[1][1].result, verdicts[1][1].comment)
      assert.equal(algorithm .. "-sha256", verdicts[1][1].algorithm)
      for index = 2, #messages do
        local change = changes[index - 1]
        assert.equal(change[3] or "fail", verdicts[index][1].result, change[1])
      end
    end)
  end

  it("refuses another key, and none", function()
    local bytes = signed(samples.rsa({ key = samples.keys.brisbane }))
    assert.equal("fail", verdicts_of({ bytes })[1][1].result)
    assert.equal("neutral", verdicts_of({ signed(samples.rsa()) }, {})[1][1].result)
  end)
end)
