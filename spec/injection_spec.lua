-- Values that try to say more than their field may: each ends in an error that
-- names the field, or in a message without the line it tried to add.

local errors = require "qqmail.errors"
local json = require "spec.support.json"
local message = require "qqmail.message"
local qqmail = require "qqmail"

local CORPUS = "../shared/corpora/injection/cases.jsonl"
local rows = json.read_lines(CORPUS)

local function base()
  return { from = "sender@example.com", to = "rcpt@example.com", subject = "s", text = "body\n" }
end

-- How a value gets into the field, and the name errors give that field.
local FIELDS = {
  from = { field = "from", put = function(spec, value)
    spec.from = value
  end },
  to = { field = "to", put = function(spec, value)
    spec.to = value
  end },
  subject = { field = "subject", put = function(spec, value)
    spec.subject = value
  end },
  header_value = { field = "headers.X-Test", put = function(spec, value)
    spec.headers = { ["X-Test"] = value }
  end },
  header_name = { field = "headers", put = function(spec, value)
    spec.headers = { [value] = "x" }
  end },
  list_post_comment = { field = "headers.List-Post", put = function(spec, value)
    spec.headers = { ["List-Post"] = "<mailto:x@example.com> (" .. value .. ")" }
  end },
  filename = { field = "attachments[1].name", put = function(spec, value)
    spec.attachments = { { data = "x", name = value } }
  end },
  content_type = { field = "attachments[1].type", put = function(spec, value)
    spec.attachments = { { data = "x", type = value } }
  end },
  content_id = { field = "inline", put = function(spec, value)
    spec.inline = { { data = "x", cid = value } }
  end },
  message_id = { field = "in_reply_to", put = function(spec, value)
    spec.in_reply_to = value
  end },
  read_receipt = { field = "read_receipt", put = function(spec, value)
    spec.read_receipt = value
  end },
  unsubscribe_url = { field = "list_unsubscribe.url", put = function(spec, value)
    spec.list_unsubscribe = { url = value }
  end },
  unsubscribe_mailto = { field = "list_unsubscribe.mailto", put = function(spec, value)
    spec.list_unsubscribe = { mailto = value }
  end },
  calendar_name = { field = "calendar.name", put = function(spec, value)
    spec.calendar = { data = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", name = value }
  end },
  calendar_method = { field = "calendar.method", put = function(spec, value)
    spec.calendar = { data = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", method = value }
  end },
  message_name = { field = "attachments[1].name", put = function(spec, value)
    spec.attachments = { { message = { raw = "A: b\n\nc\n" }, name = value } }
  end },
  message_subject = { field = "attachments[1].message.subject", put = function(spec, value)
    local inner = base()
    inner.subject = value
    spec.attachments = { { message = inner } }
  end },
  data_url_type = { field = "attachments[1].type", put = function(spec, value)
    spec.attachments = { { path = "data:x/y" .. value .. ",z" } }
  end },
  envelope_from = { field = "envelope.from", put = function(spec, value)
    spec.envelope = { from = value }
  end },
  envelope_to = { field = "envelope.to", put = function(spec, value)
    spec.envelope = { to = value }
  end },
  dsn_envid = { field = "dsn.envid", put = function(spec, value)
    spec.dsn = { envid = value }
  end },
  dsn_ret = { field = "dsn.ret", put = function(spec, value)
    spec.dsn = { ret = value }
  end },
  dsn_notify = { field = "dsn.notify", put = function(spec, value)
    spec.dsn = { notify = value }
  end },
  dsn_notify_event = { field = "dsn.notify", put = function(spec, value)
    spec.dsn = { notify = { "failure", value } }
  end },
  dsn_notify_recipient = { field = "dsn.notify", put = function(spec, value)
    spec.dsn = { notify = { [value] = "never" } }
  end },
  dsn_orcpt = { field = "dsn.orcpt", put = function(spec, value)
    spec.dsn = { orcpt = { ["rcpt@example.com"] = value } }
  end },
  dsn_orcpt_recipient = { field = "dsn.orcpt", put = function(spec, value)
    spec.dsn = { orcpt = { [value] = "rcpt@example.com" } }
  end },
  require_tls = { field = "require_tls", put = function(spec, value)
    spec.require_tls = value
  end },
  body = { field = "text", put = function(spec, value)
    spec.text = value
  end },
}

-- A line of the value that would stand in the message as a line of its own.
local function injected_lines(value)
  local out = {}
  for line in value:gsub("\r\n?", "\n"):gmatch("\n([^\n]+)") do
    out[#out + 1] = line
  end
  return out
end

local function head_of(text)
  return text:match("^(.-\r\n)\r\n")
end

local function check_message(row, built)
  local text = tostring(built)
  assert.is_nil(text:gsub("\r\n", ""):find("[%z\r\n]"), row.id)
  for _, line in ipairs(injected_lines(row.value)) do
    assert.is_nil(("\r\n" .. head_of(text)):find("\r\n" .. line, 1, true), row.id)
  end
  for _, address in ipairs(built.envelope.to) do
    assert.is_nil(address:find("[%c ]"), row.id)
  end
  assert.is_nil(built.envelope.from:find("[%c ]"), row.id)
end

local function try(row)
  local way = assert(FIELDS[row.field], row.field)
  local spec = base()
  way.put(spec, row.value)
  local built, err = message.new(spec, { lang = "en" })
  if built then
    assert.not_equal("reject", row.rule, row.id)
    check_message(row, built)
  else
    assert.is_true(errors.is(err), row.id)
    assert.equal(way.field, err.field:sub(1, #way.field), row.id)
    assert.equal("no", err.delivered, row.id)
  end
  return built
end

describe("injected values", function()
  if rows then
    for _, row in ipairs(rows) do
      if row.field == "helo_name" then
        it(row.id .. " in hostname", function()
          local mailer, err = qqmail.new({ host = "localhost", tls = "none", hostname = row.value })
          assert.is_nil(mailer)
          assert.equal("hostname", err.field)
        end)
      elseif row.field == "dkim_selector" then
        it(row.id .. " in dkim.selector", function()
          local mailer, err = qqmail.new({ host = "localhost", tls = "none", dkim = {
            domain = "example.com", selector = row.value, key = function() end } })
          assert.is_nil(mailer)
          assert.equal("dkim.selector", err.field)
        end)
      else
        it(row.id .. " in " .. row.field, function()
          local built = try(row)
          if row.rule == "keep-quoted" then
            assert.equal(row.value, built.envelope.from)
          end
        end)
      end
    end
  else
    pending("the corpus is absent: " .. CORPUS)
  end

  it("of every kind in every field", function()
    local endings = { "\r\nX-Injected: y", "\nX-Injected: y", "\rX-Injected: y",
      "\0X-Injected: y", "\r\n.\r\nMAIL FROM:<x@y.z>" }
    local starts = { "", "a@example.com", "a/b", "你好" }
    for field in pairs(FIELDS) do
      for _, start in ipairs(starts) do
        for _, ending in ipairs(endings) do
          local row = { id = ("%s %q"):format(field, start .. ending), field = field,
            value = start .. ending, rule = "any" }
          local built = try(row)
          assert.equal(field == "body", built ~= nil, row.id)
        end
      end
    end
  end)
end)
