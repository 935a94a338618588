--- Messages: from the table a user writes to something that can be sent.
-- Everything that can be wrong with a message is found here, before anything
-- is sent. A built message is read in pieces and can be sent several times.
-- @module qqmail.message

local addresses = require "qqmail.message.addresses"
local attached = require "qqmail.message.attached"
local built = require "qqmail.message.built"
local calendar = require "qqmail.message.calendar"
local charset = require "qqmail.message.charset"
local content = require "qqmail.message.content"
local covers = require "qqmail.cover"
local core = require "qqmail.core"
local fault = require "qqmail.message.fault"
local from_template = require "qqmail.message.from_template"
local headers = require "qqmail.message.headers"
local images = require "qqmail.message.images"
local raw = require "qqmail.message.raw"
local sending = require "qqmail.message.sending"
local suggest = require "qqmail.suggest"

local M = {}

local KEYS = { "from", "sender", "to", "cc", "bcc", "reply_to", "subject", "text", "html",
  "attachments", "attach", "inline", "embed_images", "calendar", "headers", "date", "id", "raw",
  "in_reply_to", "references", "priority", "list_unsubscribe", "read_receipt", "charset",
  "envelope", "deadline", "cancel", "template", "vars", "dsn", "require_tls", "smime" }

local KNOWN = {}
for _, key in ipairs(KEYS) do
  KNOWN[key] = true
end

-- What other libraries call it.
local ELSEWHERE = {
  body = "text", content = "text", message = "text", plain = "text", text_body = "text",
  html_body = "html", body_html = "html", title = "subject", replyto = "reply_to",
  attachment = "attachments", files = "attachments", file = "attachments", images = "inline",
  embedded = "inline", message_id = "id", messageid = "id", recipients = "to", mailfrom = "from",
  icalevent = "calendar", invite = "calendar", attachdataurls = "embed_images", header = "headers",
  encoding = "charset", ical = "calendar", unsubscribe = "list_unsubscribe",
  receipt = "read_receipt", mdn = "read_receipt",
}

local function check_keys(lang, spec)
  for key in pairs(spec) do
    if not KNOWN[key] then
      local name = tostring(key)
      local meant = ELSEWHERE[name:lower()] or suggest.closest(key, KEYS)
      return nil, fault.new(lang, "message.unknown_field", name, {
        en = "is not a field of a message"
          .. (meant and ("; did you mean %s?"):format(meant) or ""),
        zh = "不是邮件字段" .. (meant and ("，是否想写 %s？"):format(meant) or ""),
      })
    end
  end
  if spec.attachments ~= nil and spec.attach ~= nil then
    return nil, fault.new(lang, "message.bad_value", "attach", {
      en = "is another name for attachments: give one of them",
      zh = "与 attachments 同义，只能给出其一",
    })
  end
  return true
end

-- --- people and envelope ----------------------------------------------------

local RECIPIENT_KEYS = { "to", "cc", "bcc" }

local function read_people(self, spec, defaults)
  local people = { to = nil, cc = nil, bcc = nil, reply_to = nil, from = nil, sender = nil }
  local err
  for _, key in ipairs(RECIPIENT_KEYS) do
    people[key], err = addresses.list(self.lang, key, spec[key])
    if not people[key] then
      return nil, err
    end
  end
  local reply_to = spec.reply_to
  if reply_to == nil then
    reply_to = defaults.reply_to
  end
  people.reply_to, err = addresses.list(self.lang, "reply_to", reply_to)
  if not people.reply_to then
    return nil, err
  end
  local from = spec.from or defaults.from
  if from == nil then
    return nil, fault.new(self.lang, "message.no_sender", "from",
      { en = "is missing: a message needs a sender", zh = "缺失：邮件需要发件人" })
  end
  people.from, err = addresses.one(self.lang, "from", from)
  if people.from and spec.sender ~= nil then
    people.sender, err = addresses.one(self.lang, "sender", spec.sender)
  end
  if err then
    return nil, err
  end
  return people
end

local NOTHING = {}

local function check_envelope(lang, given)
  if given == nil then
    return NOTHING
  elseif type(given) ~= "table" then
    return nil, fault.type(lang, "envelope",
      { en = "a table { from =, to = }", zh = "表 { from =, to = }" }, given)
  end
  for key in pairs(given) do
    if key ~= "from" and key ~= "to" then
      return nil, fault.new(lang, "message.unknown_field", "envelope." .. tostring(key),
        { en = "is unknown: only from and to", zh = "未知：只有 from 和 to" })
    end
  end
  return given
end

-- `envelope.from = ""` is the null sender of notifications (RFC 5321, 4.5.5).
local function envelope_sender(lang, given, sender)
  if given.from == "" then
    return ""
  elseif given.from ~= nil then
    local one, err = addresses.one(lang, "envelope.from", given.from)
    return one and one.address, err
  elseif sender then
    return sender.address
  end
  return nil, fault.new(lang, "message.no_sender", "envelope.from",
    { en = "is missing: there is no sender", zh = "缺失：没有发件人" })
end

local function make_envelope(self, given, sender, lists)
  local from, err = envelope_sender(self.lang, given, sender)
  if not from then
    return nil, err
  end
  if given.to ~= nil then
    local list
    list, err = addresses.list(self.lang, "envelope.to", given.to)
    if not list then
      return nil, err
    end
    lists = { list }
  end
  local to = addresses.unique(lists)
  if #to == 0 then
    return nil, fault.new(self.lang, "message.no_recipients", "to",
      { en = "is empty: a message needs at least one recipient", zh = "为空：邮件至少需要一个收件人" })
  end
  return { from = from, to = to }
end

-- --- header -----------------------------------------------------------------

-- The first address that needs SMTPUTF8: what has to be said of it.
local function note_utf8(self, field, list)
  for _, address in ipairs(list) do
    if address.utf8 and not self.international then
      self.international = { field = field, name = address.address }
    end
  end
end

local function add_people(self, out, name, field, list)
  if #list > 0 then
    note_utf8(self, field, list)
    out[#out + 1] = { name = name, field = field, addresses = list }
  end
end

local function people_fields(self, people)
  local out = {}
  add_people(self, out, "From", "from", { people.from })
  if people.sender then
    add_people(self, out, "Sender", "sender", { people.sender })
  end
  add_people(self, out, "Reply-To", "reply_to", people.reply_to)
  add_people(self, out, "To", "to", people.to)
  add_people(self, out, "Cc", "cc", people.cc)
  if #people.to == 0 and #people.cc == 0 then
    -- All recipients are hidden: say so, as other mailers do.
    out[#out + 1] = { name = "To", field = "to", raw = "undisclosed-recipients:;" }
  end
  return out
end

-- An address in a Message-ID is no address: what cannot stand there is left out. The
-- sender of many mails is looked at once.
local function id_domain(address)
  local domain = address.domain
  address.id_domain = address.id_domain
    or (domain:find("^[%w%.%-]+$") and domain or "localhost.invalid")
  return address.id_domain
end

local function message_id(self, key, from, random)
  if key ~= nil then
    key = type(key) == "number" and ("%.14g"):format(key) or key
    if type(key) ~= "string" or key == "" then
      return nil, fault.type(self.lang, "id", { en = "a string with something in it",
        zh = "非空字符串" }, key)
    end
  end
  return ("<%s@%s>"):format(core.hash(key or random), id_domain(from))
end

local function append(out, list)
  for _, entry in ipairs(list) do
    out[#out + 1] = entry
  end
end

local ID_ROWS = { { "in_reply_to", "In-Reply-To" }, { "references", "References" } }

local OPTION_KEYS = { "priority", "list_unsubscribe", "read_receipt" }

-- Fields of the options that need no more than their value.
local function option_fields(self, spec, from)
  local out = {}
  for _, row in ipairs(ID_ROWS) do
    if spec[row[1]] ~= nil then
      local ids, err = headers.message_ids(self.lang, row[1], spec[row[1]])
      if not ids then
        return nil, err
      end
      out[#out + 1] = { name = row[2], raw = ids, field = row[1] }
    end
  end
  if spec.require_tls == false then
    out[#out + 1] = { name = "TLS-Required", raw = "No", field = "require_tls" }
  end
  for _, key in ipairs(OPTION_KEYS) do
    if spec[key] ~= nil then
      local list, err = headers[key](self.lang, spec[key], from)
      if not list then
        return nil, err
      end
      for _, entry in ipairs(list) do
        note_utf8(self, entry.field, entry.addresses or {})
      end
      append(out, list)
    end
  end
  return out
end

local function make_header(self, spec, defaults, people, random)
  local out = people_fields(self, people)
  local subject = spec.subject
  if type(subject) == "string" then
    out[#out + 1] = { name = "Subject", field = "subject", text = subject, words = true }
  elseif subject ~= nil then
    return nil, fault.type(self.lang, "subject", { en = "a string", zh = "字符串" }, subject)
  end
  local date, err = headers.date(self.lang, spec.date)
  if not date then
    return nil, err
  end
  self.id, err = defaults.message_id, nil
  if not self.id then
    self.id, err = message_id(self, spec.id, people.from, random)
  end
  if not self.id then
    return nil, err
  end
  out[#out + 1] = date
  out[#out + 1] = { name = "Message-ID", field = "id", raw = self.id }
  local options, custom
  options, err = option_fields(self, spec, people.from)
  if options then
    custom, err = headers.custom(self.lang, spec.headers, defaults.headers)
  end
  if not custom then
    return nil, err
  end
  if #options == 0 and #custom == 0 then
    return out
  end
  append(out, options)
  append(out, custom)
  local ok
  ok, err = headers.check_once(self.lang, out)
  return ok and out, err
end

-- --- the whole --------------------------------------------------------------

local TEXT_KEYS = { "text", "html" }

-- `text = false` asks for HTML alone.
local function add_texts(self, spec, out)
  for _, key in ipairs(TEXT_KEYS) do
    if spec[key] ~= nil and spec[key] ~= false then
      local err
      out[key], err = content.text_source(self, key, spec[key])
      if not out[key] then
        return nil, err
      end
    end
  end
  if spec.embed_images ~= nil then
    local err
    out.html, out.inline, err = images.embed(self.lang, spec.embed_images, out.html)
    if err then
      return nil, err
    end
  end
  if spec.text == nil and out.html then
    out.text = content.derived_text(out.html)
    self.has_derived_text = out.text ~= nil
  end
  return true
end

local function has_more_parts(spec)
  return spec.attachments ~= nil or spec.attach ~= nil or spec.inline ~= nil
    or spec.calendar ~= nil
end

-- A message attached to itself has no end.
local DEEPEST = 20

-- Builds an attached message: one of its own, with an id of its own. What all mails of
-- a mailer are signed or encrypted with is for the mail that goes out.
local function inner_builder(defaults)
  local depth = (defaults.attached_depth or 0) + 1
  return function(inner)
    if depth > DEEPEST then
      return nil, fault.new(defaults.lang, "message.bad_value", "attachments", {
        en = ("holds messages in messages, more than %d deep"):format(DEEPEST),
        zh = ("中的邮件层层附带邮件，超过 %d 层"):format(DEEPEST),
      })
    end
    return M.new(inner, setmetatable({ message_id = false, attached_depth = depth,
      smime = false }, { __index = defaults }))
  end
end

local function add_parts(self, spec, out, defaults)
  local ctx = { lang = self.lang, convert = self.convert, attach_message = attached.part,
    build = inner_builder(defaults) }
  local err
  local field = spec.attach ~= nil and "attach" or "attachments"
  if spec[field] ~= nil then
    out.attachments, err = content.attachments(ctx, field, spec[field])
  end
  if not err and spec.inline ~= nil then
    local embedded = out.inline or {}
    out.inline, err = content.inline(ctx, spec.inline)
    append(out.inline or {}, embedded)
  end
  if not err and spec.calendar ~= nil then
    out.attachments = out.attachments or {}
    out.calendar, out.attachments[#out.attachments + 1], err = calendar.make(ctx, spec.calendar)
  end
  if err then
    return nil, err
  end
  return true
end

-- By the last word of the place; `source` where there is none.
local OVERRIDES = {
  source = content.unreadable,
  type = {
    syntax = { code = "message.bad_type", en = "is not a media type", zh = "不是合法的媒体类型" },
    unsupported = { code = "message.bad_type",
      en = "must not be multipart/... or message/...; use application/octet-stream",
      zh = "不能是 multipart/... 或 message/...；请使用 application/octet-stream" },
  },
  cid = {
    syntax = { code = "message.bad_cid", where = true, en = "is not a content id",
      zh = "不是合法的内容 ID" },
  },
  header = {
    too_long = { code = "message.line_too_long",
      en = "has no place where a line of 998 bytes could be broken", zh = "无法折成不超过 998 字节的行" },
    limit = { code = "message.too_large", en = "makes the header too large", zh = "使邮件头过大" },
  },
}

local function core_error(self, parts, name, text, where, position)
  if not where then
    return fault.core(self.lang, nil, name, text)
  end
  local kind = where:find("^headers") and "header" or where:match("%.(%a+)$") or "source"
  return fault.core(self.lang, fault.place(where, parts), name, text, position, OVERRIDES[kind])
end

local function make_parts(self, spec, defaults, random)
  local people, err = read_people(self, spec, defaults)
  if not people then
    return nil, err
  end
  self.envelope, err = make_envelope(self, self.given_envelope, people.sender or people.from,
    { people.to, people.cc, people.bcc })
  if not self.envelope then
    return nil, err
  end
  local parts = { headers = nil, text = nil, html = nil, calendar = nil, inline = nil,
    attachments = nil, boundary = nil }
  parts.headers, err = make_header(self, spec, defaults, people, random)
  if not parts.headers then
    return nil, err
  end
  local ok
  ok, err = add_texts(self, spec, parts)
  if ok and has_more_parts(spec) then
    ok, err = add_parts(self, spec, parts, defaults)
  end
  return ok and parts, err
end

local function make_handle(self, parts)
  local handle, name, text, where, position = core.message(parts)
  if not handle then
    return nil, core_error(self, parts, name, text, where, position)
  end
  return handle
end

-- Signing is rare: its modules are loaded by the first message that asks for it.
local function make_signed(self, parts, given)
  local handle, more = require("qqmail.smime").build(self.lang, parts, given, function(layer)
    return make_handle(self, layer)
  end)
  if not handle then
    return nil, more
  end
  self.smime = more
  return handle
end

local function build(self, spec, defaults)
  local err
  self.convert, err, self.guessed = charset.converter(self.lang, spec.charset)
  if self.convert == nil then
    return nil, err
  elseif self.convert then
    spec, err = charset.convert_header(self.convert, spec)
    if not spec then
      return nil, err
    end
  end
  local random, name, text = core.random(16)
  if not random then
    return nil, fault.core(self.lang, "id", name, text)
  end
  local parts
  parts, err = make_parts(self, spec, defaults, random)
  if not parts then
    return nil, err
  end
  -- Of the same 128 bits: nobody knows them before the message is made, and no text can
  -- have been written to hold the boundary.
  parts.boundary = core.hash(random .. "boundary")
  local smime = spec.smime
  if smime == nil then
    smime = defaults.smime
  end
  if smime then
    self.core, err = make_signed(self, parts, smime)
  else
    self.core, err = make_handle(self, parts)
  end
  if not self.core then
    return nil, err
  end
  self.parts = parts
  return self
end

local function build_raw(self, spec, defaults)
  local made, err = raw.build(self.lang, spec)
  if not made then
    return nil, err
  end
  local sender = made.sender
  if not sender and self.given_envelope.from == nil and defaults.from ~= nil then
    sender, err = addresses.one(self.lang, "from", defaults.from)
    if not sender then
      return nil, err
    end
  end
  self.core, self.id, self.raw = made.handle, made.id, made.source
  self.international = made.international
  self.envelope, err = make_envelope(self, self.given_envelope, sender, made.recipients or {})
  if not self.envelope then
    return nil, err
  end
  return self
end

-- What most messages get is named, so that the table does not have to grow.
local function new(lang)
  return {
    lang = lang, id = nil, envelope = nil, given_envelope = nil, deadline = nil, cancel = nil,
    require_tls = nil, dsn = nil, international = nil, convert = nil, guessed = nil,
    parts = nil, core = nil, was_read = nil, lent = nil, reader = nil,
  }
end

local function make(spec, defaults)
  local lang, asked = defaults.lang, content.asked
  local ok, err = check_keys(lang, spec)
  if not ok then
    return nil, err
  end
  local self = new(lang)
  ok, err = sending.read(self, spec)
  if not ok then
    return nil, err
  end
  self.given_envelope, err = check_envelope(lang, spec.envelope)
  if not self.given_envelope then
    return nil, err
  end
  if spec.raw == nil then
    spec, err = from_template.apply(lang, spec, defaults.templates)
    if not spec then
      return nil, err
    end
  end
  self, err = (spec.raw ~= nil and build_raw or build)(self, spec, defaults)
  if self then
    self.was_read = content.asked ~= asked
    ok, err = sending.check_recipients(self)
  end
  return self and ok and built.wrap(self) or nil, err
end

-- A field that was given a code for an address may be quoted in what is wrong with it.
local function mended(spec, defaults, err)
  local shown = {}
  for key, value in pairs(spec) do
    -- Variables are shown nowhere, and may be many; so are the parts of a compiled template.
    local is_quoted = key ~= "vars" and not (key == "template" and type(value) == "table")
    shown[key] = is_quoted and value or nil
  end
  covers.mend(err, shown)
  return defaults.cover and defaults.cover:mend(err) or err
end

--- Build a message.
-- @tparam table spec the fields of a message, or a built message (answered as
-- it is). `deadline` (seconds from the call that sends it), `cancel`, `dsn` and
-- `require_tls` stay in fields of that name.
-- @tparam ?table defaults `from`, `reply_to`, `headers`, `lang`, `message_id`, `templates`,
-- `smime`
-- @treturn ?table see `qqmail.message.built`
-- @treturn ?table error
function M.new(spec, defaults)
  if type(spec) ~= "table" then
    error("qqmail.message: a table is expected, not a " .. type(spec), 2)
  elseif built.is(spec) then
    return spec
  end
  defaults = defaults or {}
  local self, err = make(spec, defaults)
  if not self then
    return nil, mended(spec, defaults, err)
  end
  return self
end

--- Is this a built message?
-- @param value anything
-- @treturn boolean
function M.is(value)
  return built.is(value)
end

return M
