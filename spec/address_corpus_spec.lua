--- Addresses other projects collected: every row's verdict, ours beside it.
--
-- `codec.address` reads one bare address, `codec.addresses` a header list, in
-- which names, angle brackets, comments and blanks are allowed around it.

local addresses = require "qqmail.message.addresses"
local codec = require("qqmail.core").codec
local json = require "spec.support.json"

local FOLDER = "../shared/corpora/addresses/"

-- Rows we do not follow. The reason is what a reader of this list needs.
local FULL_WIDTH = "a full-width @ is nearly always a slip of the input method: refused"
local ACCEPTED_INSTEAD = {}
local REFUSED_INSTEAD = { ["email-validator/test_email_valid_intl_local_part/14"] = FULL_WIDTH }

local function accept_instead(reason, ids)
  for number in ids:gmatch("%d+") do
    ACCEPTED_INSTEAD["email-validator/test_email_invalid_syntax/" .. number] = reason
  end
end

accept_instead("a domain without a dot is a host of one's own network: RFC 5321 2.3.5", "3 57")
accept_instead("which top-level domains exist is for DNS to say", "58")
accept_instead("only its host reads a local part (RFC 5321 2.3.11): it stays as written", "54")
accept_instead("in ASCII a label is LDH, and DNS says whether it exists: RFC 5321 4.1.2", "59 60")
accept_instead("address literals are part of RFC 5321, 4.1.3", "62 64")

-- The parser takes these; a message, which writes the domain in ASCII, does not.
local TOO_LONG_IN_ASCII = {}
for number in ("41 42 45 55 56"):gmatch("%d+") do
  local id = "email-validator/test_email_invalid_syntax/" .. number
  TOO_LONG_IN_ASCII[id], ACCEPTED_INSTEAD[id] = true, "the length counts after IDNA"
end

-- A list may hold these although a bare address may not.
local LIST_ONLY = {}
for number in ("23 69 74 75 76 77 78"):gmatch("%d+") do
  LIST_ONLY["email-validator/test_email_invalid_syntax/" .. number] = true
end

-- Their expectation is in normal form C, and we do not normalize.
local NOT_NORMALIZED = {
  ["email-validator/test_email_valid_intl_local_part/4"] = true,
  ["email-validator/test_email_valid_intl_local_part/5"] = true,
  ["email-validator/test_email_valid_intl_local_part/6"] = true,
  ["email-validator/test_email_valid_intl_local_part/13"] = true,
}

-- Needs no SMTPUTF8 once the domain went through IDNA: see what messages make of it.
local UTF8_DOMAIN = { ["email-validator/test_email_valid/4"] = true }

-- Beyond 64 bytes as written, but not in the form that goes out.
local SHORT_WHEN_WRITTEN = { ["email-validator/test_pyisemail_tests/48"] = true }

local function one_of_list(row)
  local list = codec.addresses(row.address)
  return list and #list == 1 and list[1] or nil
end

local function is_bare(row)
  return not row.address:find("<", 1, true)
end

local function check_meaning(row, got)
  local expect = row.expect
  if not expect or NOT_NORMALIZED[row.id] then
    return
  end
  assert.are.equal(expect.domain, got.domain, row.id)
  assert.are.equal(expect.normalized, got.address, row.id)
  if not UTF8_DOMAIN[row.id] then
    assert.are.equal(expect.smtputf8, got.utf8, row.id)
  end
  if expect.display_name and expect.display_name ~= json.null then
    assert.are.equal(expect.display_name, got.name, row.id)
  end
end

local function check_refused(row)
  local got, name, text, position = codec.address(row.address)
  assert.is_nil(got, row.id)
  assert.is_string(name, row.id)
  assert.is_string(text, row.id)
  assert.is_true(position >= 1 and position <= #row.address + 1, row.id)
end

local function check_accepted(row)
  local got = one_of_list(row)
  assert.is_table(got, row.id)
  if is_bare(row) then
    assert.are.same(got, codec.address(row.address), row.id)
  end
  check_meaning(row, got)
end

local function check_rejected(row)
  if ACCEPTED_INSTEAD[row.id] then
    return check_accepted(row)
  end
  check_refused(row)
  if LIST_ONLY[row.id] then
    assert.is_table(one_of_list(row), row.id)
  else
    assert.is_nil(codec.addresses(row.address), row.id)
  end
end

local check = {
  ["accept"] = function(row)
    if REFUSED_INSTEAD[row.id] then
      return check_refused(row)
    end
    check_accepted(row)
  end,
  ["reject"] = check_rejected,
  ["reject-strict"] = check_rejected,
  ["reject-unless-smtputf8"] = function(row)
    assert.is_true(codec.address(row.address).utf8, row.id)
  end,
  -- RFC 5321 has these forms: they go out as they must be written.
  ["policy-smtp"] = function(row)
    local got = codec.address(row.address)
    assert.is_table(got, row.id)
    if row.normalized_local then
      assert.are.equal(row.normalized_local .. "@" .. got.domain, got.address, row.id)
    end
  end,
  -- Reserved names are for tests and for networks of one's own.
  ["policy-reserved-domain"] = check_accepted,
  -- Only RFC 5322 has these: never an envelope address.
  ["policy-obsolete"] = check_refused,
  ["policy-header-only"] = function(row)
    if SHORT_WHEN_WRITTEN[row.id] then
      return check_accepted(row)
    end
    check_refused(row)
  end,
}

-- Whatever was accepted goes out on one line, and reads back as itself.
local function check_output(row)
  for _, got in ipairs(codec.addresses(row.address) or {}) do
    assert.is_nil(got.address:find("[%c]"), row.id)
    assert.is_true(#got.address <= 254, row.id)
    local again = codec.address(got.address)
    assert.are.equal(got.address, again.address, row.id)
    assert.are.equal(got.domain, again.domain, row.id)
    assert.are.equal(got.local_part, again.local_part, row.id)
    local mailbox = assert(codec.mailbox(got.name, got.address))
    assert.are.equal(got.address, codec.addresses(mailbox)[1].address, row.id)
  end
end

-- A message takes what the parser takes, with the domain as DNS knows it (RFC 5890).
local function check_message(row)
  local list, err = addresses.list("en", "to", row.address)
  if TOO_LONG_IN_ASCII[row.id] then
    assert.is_nil(list, row.id)
    return assert.equal("message.bad_address", err.code, row.id)
  end
  assert.equal(codec.addresses(row.address) ~= nil, list ~= nil, row.id)
  local expect = row.expect
  if not list or not expect or NOT_NORMALIZED[row.id] then
    return
  end
  assert.equal(expect.smtputf8, list[1].utf8, row.id)
  assert.equal(expect.ascii_domain, list[1].domain, row.id)
  if expect.ascii_email and expect.ascii_email ~= json.null then
    assert.equal(expect.ascii_email, list[1].address, row.id)
  end
end

describe("address corpus", function()
  for _, name in ipairs { "addrspec-email-validator", "addrspec-go" } do
    it(name, function()
      local rows = json.read_lines(FOLDER .. name .. ".jsonl")
      if not rows then
        pending("the corpus is not here")
        return
      end
      for _, row in ipairs(rows) do
        assert.is_function(check[row.verdict], row.id .. " " .. row.verdict)
        check[row.verdict](row)
        check_output(row)
        check_message(row)
      end
    end)
  end
end)
