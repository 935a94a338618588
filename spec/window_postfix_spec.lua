-- Many messages under way on one connection to a real Postfix, some of which it
-- refuses: nobody gets what was meant for another, from whom it did not come.
local postfix = require("spec.support.postfix")
local qqmail = require("qqmail")

local missing = postfix.missing()

local COUNT = 120

-- Boxes that no other spec uses.
local FIRST_BOX = 200

local KINDS = { "good", "some unknown", "all unknown", "refused sender", "refused at the end",
  "good", "all unknown" }

local function kind_of(i)
  return KINDS[(i - 1) % #KINDS + 1]
end

local function box_of(i)
  return ("in%d@box.test"):format(FIRST_BOX + i)
end

local SENDERS = {
  ["refused sender"] = "s550@test.local", ["refused at the end"] = "e554@test.local",
}

-- Who is to get a message, and whether he is known to Postfix.
local function message_of(i)
  local kind = kind_of(i)
  local to = { box_of(i) }
  if kind == "some unknown" then
    to = { ("nobody%d@box.test"):format(i), box_of(i), ("none%d@box.test"):format(i) }
  elseif kind == "all unknown" then
    to = { ("nobody%d@box.test"):format(i), ("none%d@box.test"):format(i) }
  end
  return { from = SENDERS[kind] or ("sender%d@qq.com"):format(i), to = to, subject = "no " .. i,
    text = ("mail %d\n"):format(i):rep(30 * (i % 4)) }
end

local function is_sent(i)
  local kind = kind_of(i)
  return kind == "good" or kind == "some unknown"
end

local function addresses(rows)
  local out = {}
  for index, row in ipairs(rows) do
    assert.equal(550, row.code)
    out[index] = row.address
  end
  return out
end

-- Kind, phase and code of the errors.
local ERRORS = {
  ["all unknown"] = { "recipient", "rcpt", 550 },
  ["refused sender"] = { "sender", "mail", 550 },
  ["refused at the end"] = { nil, "final", 554 },
}

local function check_error(i, err)
  local expected = ERRORS[kind_of(i)]
  assert.equal(expected[1] or err.kind, err.kind, tostring(err))
  assert.equal(expected[2], err.phase, tostring(err))
  assert.equal("no", err.delivered)
  if kind_of(i) == "all unknown" then
    assert.same(message_of(i).to, addresses(err.recipients))
  else
    assert.equal(expected[3], err.smtp.code)
  end
end

local function check_result(i, receipt, err)
  if not is_sent(i) then
    assert.is_nil(receipt, kind_of(i))
    check_error(i, err)
    return
  end
  assert.is_nil(err, tostring(err))
  local to = message_of(i).to
  assert.same({ box_of(i) }, receipt.accepted)
  assert.same(#to == 3 and { to[1], to[3] } or {}, addresses(receipt.rejected))
end

describe("a window of mails to Postfix", function()
  if missing then
    pending("cannot run here: " .. missing)
    return
  end

  local pf, mailer

  setup(function()
    pf = postfix.start()
  end)

  local function files_of(i)
    return pf:maildir((box_of(i):gsub("@.*", "")))
  end

  after_each(function()
    if mailer then
      mailer:close()
      mailer = nil
    end
    for i = 1, COUNT do
      for _, path in ipairs(files_of(i)) do
        os.remove(path)
      end
    end
  end)

  local function send(options)
    local settings = {
      host = pf.host, port = pf.smtps, tls = "implicit", user = pf.user, password = pf.password,
      tls_options = { ca_file = pf.ca }, pool = { max = 1 }, lang = "en",
    }
    for key, value in pairs(options) do
      settings[key] = value
    end
    mailer = assert(qqmail.new(settings))
    local list, results = {}, {}
    for i = 1, COUNT do
      list[i] = message_of(i)
    end
    local summary = assert(mailer:send_all(list, { progress = false,
      on_result = function(receipt, err, _, index)
        results[index] = { receipt = receipt, err = err }
      end }))
    return summary, results
  end

  -- The one mail in the box of each whose mail was sent; nothing anywhere else.
  local function check_boxes()
    assert.is_true(pf:drained(30))
    for i = 1, COUNT do
      local files = files_of(i)
      assert.equal(is_sent(i) and 1 or 0, #files, "mails in the box of " .. i)
      if files[1] then
        local text = postfix.read(files[1])
        assert.equal(("sender%d@qq.com"):format(i), text:match("^Return%-Path: <([^>]*)>\n"))
        assert.equal(box_of(i), text:match("\nDelivered%-To: ([^\n]*)"))
        assert.equal("no " .. i, text:match("\nSubject: ([^\n]*)"))
        assert.equal(("mail %d\n"):format(i):rep(30 * (i % 4)), (text:match("\n\n(.*)$")))
      end
    end
  end

  local CASES = {
    { "CHUNKING, window 8", { window = 8 } },
    -- Postfix keeps the transaction of what it refuses at the end: the envelope that
    -- is there already would be added to it.
    { "DATA, window 8", { window = 8, chunking = false }, 2 },
    { "CHUNKING, window 1", { window = 1 } },
    { "CHUNKING, window 0", { window = 0 } },
    { "DATA, window 0", { window = 0, chunking = false } },
    { "one command at a time", { window = 0, pipelining = false } },
  }
  for _, case in ipairs(CASES) do
    it("keeps each to himself where others are refused: " .. case[1], function()
      local summary, results = send(case[2])
      local sent = 0
      for i = 1, COUNT do
        sent = sent + (is_sent(i) and 1 or 0)
        assert.is_table(results[i], "no result for " .. i)
        check_result(i, results[i].receipt, results[i].err)
      end
      assert.same({ COUNT, sent, COUNT - sent, 0 },
        { summary.total, summary.sent, summary.failed, summary.unknown })
      -- No other refusal costs a connection.
      assert.equal(case[3] or 1, mailer:stats().opened)
      check_boxes()
    end)
  end
end)
