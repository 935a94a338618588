-- Requests somebody else collected, and what any reader must make of them.

local json = require "spec.support.json"
local message = require "qqmail.message"
local mail_reader = require "spec.support.mail_reader"

local CORPUS = "../shared/corpora/requests/samples.jsonl"
local rows = json.read_lines(CORPUS)

-- JSON's null is an absent field, and text a request has not is not made of its
-- HTML; everything else is written as users write it.
local function spec_of(request)
  local spec = {}
  for key, value in pairs(request) do
    if value ~= json.null then
      spec[key] = value
    end
  end
  if spec.text == nil then
    spec.text = false
  end
  return spec
end

local function value_of(field)
  return field ~= json.null and field or nil
end

-- Mail knows one kind of line end, and a message cannot end without one: sent
-- alone and unencoded, a text gets one.
local function same_text(expected, part, got)
  if expected == nil then
    return got == nil
  end
  expected = expected:gsub("\r\n", "\n"):gsub("\r", "\n"):gsub("\n", "\r\n")
  return got == expected or (part.encoding == "7bit" and got == expected .. "\r\n")
end

local function check(row, facts)
  local expected = row.facts
  assert.same({ expected.from }, facts.from, row.id)
  assert.same(expected.to, facts.to, row.id)
  assert.same(expected.cc, facts.cc, row.id)
  assert.equal(expected.subject, facts.subject, row.id)
  for _, key in ipairs({ "text", "html" }) do
    local got = value_of(facts[key])
    assert.is_true(same_text(value_of(expected[key]), facts.parts[1], got), row.id)
  end
  for _, pair in ipairs(facts.headers) do
    for _, absent in ipairs(expected.absent) do
      assert.not_equal(absent:lower(), pair[1]:lower(), row.id)
    end
  end
  assert.same({}, facts.defects, row.id)
  assert.is_false(facts.lines.bare, row.id)
  assert.is_true(facts.lines.ascii, row.id)
  assert.is_true(facts.lines.longest_header <= 78, row.id)
  assert.same(#expected.attachments + #expected.inline,
    #facts.parts - (value_of(expected.text) and 1 or 0) - (value_of(expected.html) and 1 or 0),
    row.id)
end

describe("collected requests", function()
  if not rows then
    pending("the corpus is absent: " .. CORPUS)
    return
  end

  it("are read back right by another parser", function()
    local texts = {}
    for index, row in ipairs(rows) do
      local built, err = message.new(spec_of(row.request))
      assert.is_nil(err)
      texts[index] = tostring(built)
      assert.equal(#texts[index], built:size())
    end
    for index, facts in ipairs(mail_reader.read(texts)) do
      check(rows[index], facts)
    end
  end)
end)
