-- Every structure a mail can have, read by two parsers that are not ours.

local judged_rows = require "spec.support.judged_rows"
local judges = require "spec.support.judges"
local message = require "qqmail.message"
local messages = require "spec.support.messages"

local rows = judged_rows.list

local function built(row)
  local spec = { from = judged_rows.FROM, to = judged_rows.TO, subject = judged_rows.SUBJECT }
  if row.spec.raw then
    spec = {}
  elseif row.spec.template then
    spec.subject = nil
  end
  for key, value in pairs(row.spec) do
    spec[key] = value
  end
  local mail, err = message.new(spec)
  return assert(mail, row.name .. ": " .. tostring(err))
end

-- Every part a row speaks of gets the hash of its data.
local function add_sums()
  local parts, data = {}, {}
  local function add(want)
    for _, part in ipairs(want.parts or {}) do
      parts[#parts + 1], data[#data + 1] = part, part.data
    end
  end
  for _, row in ipairs(rows) do
    add(row.want)
    for _, but in pairs(row.but) do
      add(but)
    end
  end
  for index, sum in ipairs(judges.sha256(data)) do
    parts[index].sha256 = sum
  end
end

-- Built once, read by both.
local answers

local function all_answers()
  if answers then
    return answers
  end
  add_sums()
  local texts, found = {}, { python = {}, mailparser = {} }
  for index, row in ipairs(rows) do
    row.mail = built(row)
    texts[index] = tostring(row.mail)
  end
  for name, list in pairs(found) do
    for index, answer in ipairs(judges[name](texts)) do
      list[index] = judges["words_of_" .. name](answer)
      list[index].answer = answer
    end
  end
  answers = found
  return answers
end

-- What ical.js reads in each part that is a calendar: the same, and one of them with
-- its method beside the type (RFC 6047 section 2.4).
local function same_calendars(want, list, where)
  local by_method = 0
  for _, part in ipairs(list) do
    local got = part.calendar.events[1]
    assert.equal(1, #part.calendar.events, where)
    assert.equal(want.method, part.calendar.method, where)
    for key, value in pairs(want) do
      if key ~= "method" then
        assert.same(value, got[key], where .. ", " .. key)
      end
    end
    by_method = by_method + (part.method == want.method and part.type == "text/calendar" and 1 or 0)
  end
  assert.equal(1, by_method, where)
end

local function is_calendar(part)
  return part.type == "text/calendar" or part.type == "application/ics"
end

local function split_parts(parts)
  local others, calendars = {}, {}
  for _, part in ipairs(parts) do
    table.insert(is_calendar(part) and calendars or others, part)
  end
  return others, calendars
end

local function same_parts(want, got, where)
  assert.equal(#want, #got, where)
  for index, part in ipairs(want) do
    for _, key in ipairs({ "name", "type", "cid", "disposition", "sha256" }) do
      assert.equal(part[key], got[index][key], ("%s, part %d, %s"):format(where, index, key))
    end
  end
end

local function same_fields(want, got, where)
  for name, values in pairs(want) do
    assert.same(values, got[name] or {}, where .. ", " .. name)
  end
end

local function judge(row, judge_name, got)
  local where = row.name .. ", " .. judge_name
  local want = setmetatable({}, { __index = row.want })
  for key, value in pairs(row.but[judge_name] or {}) do
    want[key] = value
  end
  local to = { { name = "", address = judged_rows.TO } }
  local from = { { name = "", address = judged_rows.FROM } }
  assert.same(want.from or from, got.from, where)
  assert.same(want.to or to, got.to, where)
  for _, key in ipairs({ "sender", "cc", "reply_to" }) do
    assert.same(want[key] or {}, got[key], where .. ", " .. key)
  end
  local subject = want.subject
  if row.spec.subject == nil and not row.spec.raw and not row.spec.template then
    subject = judged_rows.SUBJECT
  end
  assert.equal(subject, got.subject, where)
  assert.equal(want.text, got.text, where)
  assert.equal(want.html, got.html, where)
  assert.equal(row.mail.id, got.message_id, where)
  assert.equal(want.in_reply_to, got.in_reply_to, where)
  assert.same(want.references or {}, got.references, where)
  local others, calendars = split_parts(got.parts)
  same_parts(want.parts or {}, others, where)
  if want.calendar and judge_name == "mailparser" then
    same_calendars(want.calendar, calendars, where)
  else
    assert.equal(want.calendar ~= nil, #calendars > 0, where)
  end
  same_fields(want.fields or {}, got.fields, where)
end

describe("a mail", function()
  if not judges.is_here() then
    pending("the parsers of spec/judges are not installed: make judges")
    return
  end

  for index, row in ipairs(rows) do
    it("is read as it was meant: " .. row.name, function()
      local all = all_answers()
      messages.check(all.python[index].answer, row.want.columns)
      judge(row, "python", all.python[index])
      judge(row, "mailparser", all.mailparser[index])
    end)
  end
end)
