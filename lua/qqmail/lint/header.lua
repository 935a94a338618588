--- Preflight: subject, date and, of raw messages, the form of the header.
-- @module qqmail.lint.header

local mails = require "qqmail.lint.mail"
local words = require "qqmail.lint.words"

local M = {}

local SUBJECT_COLUMNS = 78

-- Days that a mail may come too late, and that clocks may differ.
local LATE, EARLY = 7, 1

local TESTS = {}
for name in ("test testing 测试 测试邮件 邮件测试 测试一下 test测试"):gmatch("%S+") do
  TESTS[name] = true
end
TESTS["test mail"], TESTS["test email"] = true, true

-- --- subject ----------------------------------------------------------------------

local function is_strict(world)
  local family = mails.family(world.preset)
  return family == "tencent" or family == "netease"
end

-- A long one is no test, and would make the patterns slow.
local function is_test(subject)
  local plain = #subject < 64 and subject:lower():gsub("^%s+", ""):gsub("[%s%.!]+$", "")
  return TESTS[plain] == true
end

local function check_subject(mail, world, add)
  local subject = mail.subject
  if not subject or not subject:find("%S") then
    add("lint.subject_missing", "subject")
    return
  end
  if is_test(subject) then
    add("lint.subject_test", "subject", { subject = subject },
      is_strict(world) and "warning" or nil)
  end
  local columns = words.columns(subject)
  if columns > SUBJECT_COLUMNS then
    add("lint.subject_long", "subject", { columns = columns })
  end
  words.check(subject, "subject", add, true)
end

-- --- date -------------------------------------------------------------------------

local MONTHS = { jan = 1, feb = 2, mar = 3, apr = 4, may = 5, jun = 6, jul = 7, aug = 8, sep = 9,
  oct = 10, nov = 11, dec = 12 }

-- Days from 1970-01-01 of a date of our calendar.
local function days_of(year, month, day)
  local shifted = month <= 2 and year - 1 or year
  local of_year = math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  local leaps = math.floor(shifted / 4) - math.floor(shifted / 100) + math.floor(shifted / 400)
  return shifted * 365 + leaps + of_year - 719468
end

--- The moment of a Date field (RFC 5322 section 3.3).
-- @tparam string text
-- @treturn ?number seconds since 1970
function M.seconds(text)
  local day, name, year, rest = text:sub(1, 128):match("(%d%d?)%s+(%a%a%a)%s+(%d%d%d%d)%s+(.*)$")
  local hour, minute = (rest or ""):match("^(%d%d):(%d%d)")
  local month = MONTHS[(name or ""):lower()]
  if not hour or not month then
    return nil
  end
  local sign, hours, minutes = rest:match("([+-])(%d%d)(%d%d)")
  local east = sign and (tonumber(hours) * 60 + tonumber(minutes)) * (sign == "-" and -1 or 1) or 0
  local days = days_of(tonumber(year), month, tonumber(day))
  return days * 86400 + tonumber(hour) * 3600 + (tonumber(minute) - east) * 60
end

local function check_date(mail, world, add)
  local seconds = mail.date and M.seconds(mail.date)
  if not seconds then
    add("lint.date_missing", "date")
    return
  end
  local days = (world.now - seconds) / 86400
  if days > LATE or days < -EARLY then
    add("lint.date_off", "date", { days = ("%.0f"):format(math.abs(days)) })
  end
end

-- --- raw --------------------------------------------------------------------------

-- Fields that stand once (RFC 5322 section 3.6).
local ONCE = { { "From", "from" }, { "To", "to" }, { "Cc", "cc" }, { "Subject", "subject" },
  { "Date", "date" }, { "Message-ID", "message-id" }, { "Sender", "sender" },
  { "Reply-To", "reply-to" } }

-- Fields that people read.
local READ = { { "From", "from" }, { "To", "to" }, { "Cc", "cc" }, { "Subject", "subject" },
  { "Reply-To", "reply-to" } }

local function check_encoding(name, value, world, add)
  if value:find("[\128-\255]") then
    local family = mails.family(world.preset)
    local is_refused = family == "tencent" or family == "google"
    add("lint.header_not_ascii", "raw", { name = name }, is_refused and "error" or nil)
  end
  for word in value:gmatch("=%?[%w%-%*_]+%?[bBqQ]%?[^%s?]*%?=") do
    if #word > 75 then
      add("lint.encoded_word_long", "raw", { name = name })
      break
    end
  end
  if value:find('"=%?[^"]*%?="') then
    add("lint.encoded_word_quoted", "raw", { name = name })
  end
end

local function check_raw(mail, world, add)
  for _, row in ipairs(ONCE) do
    local list = mail.fields[row[2]]
    if list and #list > 1 then
      add("lint.duplicate_field", "raw", { name = row[1], count = #list })
    end
  end
  for _, row in ipairs(READ) do
    for _, value in ipairs(mail.fields[row[2]] or {}) do
      check_encoding(row[1], value, world, add)
    end
  end
  if not mail.fields["message-id"] then
    add("lint.message_id_missing", "raw")
  end
  local position = mail.source and words.head(mail.source):find("\r[^\n]")
  if position then
    add("lint.bare_cr", "raw", { position = position })
  end
end

--- @tparam table mail
-- @tparam table world `preset`, `now` (seconds since 1970)
-- @tparam function add
function M.check(mail, world, add)
  check_subject(mail, world, add)
  check_date(mail, world, add)
  if mail.is_raw then
    check_raw(mail, world, add)
  end
end

return M
