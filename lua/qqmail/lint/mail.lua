--- A built message as the rules of the preflight look at it: the same for one made from
-- fields and for a raw one.
-- @module qqmail.lint.mail

local core = require "qqmail.core"
local raw = require "qqmail.message.raw"
local words = require "qqmail.lint.words"

local M = {}

local codec = core.codec

-- --- from fields ------------------------------------------------------------------

local function fields_of(parts)
  local out = {}
  for _, entry in ipairs(parts.headers) do
    local key = entry.name:lower()
    out[key] = out[key] or {}
    table.insert(out[key], entry)
  end
  return out
end

local function first(list)
  return list and list[1]
end

local function addresses_of(fields, key)
  local entry = first(fields[key])
  return entry and entry.addresses or {}
end

-- A built message holds regular files only: opening one does not wait.
local function with_file(path, look)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local answer = look(file)
  file:close()
  return answer
end

local function read_start(file)
  return file:read(words.LOOKED_AT) or ""
end

local function size_of(file)
  return file:seek("end")
end

-- Its bytes as far as they are there: a file is read only where that is allowed.
local function text_of(source, may_read)
  if not source then
    return nil
  elseif source.data then
    return source.data
  elseif source.path and may_read then
    return with_file(source.path, read_start)
  end
end

local function file_size(source, may_read)
  if source.data then
    return #source.data
  elseif source.path and may_read then
    return with_file(source.path, size_of)
  end
  return source.size
end

local function list_of(parts, may_read)
  local out = {}
  for index, part in ipairs(parts or {}) do
    out[index] = { name = part.name, type = part.type, field = part.field, cid = part.cid,
      size = file_size(part.source, may_read) }
  end
  return out
end

local function from_parts(built, may_read)
  local parts = built.parts
  local fields = fields_of(parts)
  local subject = first(fields.subject)
  return {
    fields = fields, from = addresses_of(fields, "from")[1],
    sender = addresses_of(fields, "sender")[1], to = addresses_of(fields, "to"),
    cc = addresses_of(fields, "cc"), subject = subject and subject.text,
    date = fields.date[1].raw,
    text = text_of(parts.text, may_read), html = text_of(parts.html, may_read),
    has_text = parts.text ~= nil, has_html = parts.html ~= nil,
    guessed = built.guessed or {}, smime = built.smime,
    has_derived_text = built.has_derived_text or false, has_calendar = parts.calendar ~= nil,
    attachments = list_of(parts.attachments, may_read), inline = list_of(parts.inline, may_read),
  }
end

-- --- raw --------------------------------------------------------------------------

local function parsed(fields, key)
  local out = {}
  for _, value in ipairs(fields[key] or {}) do
    for _, address in ipairs(codec.addresses(value) or {}) do
      out[#out + 1] = address
    end
  end
  return out
end

local function from_raw(built, may_read)
  local head = built.core:raw_head()
  local fields = raw.fields_of(head)
  local subject = first(fields.subject)
  return {
    is_raw = true, head = head, fields = fields, from = parsed(fields, "from")[1],
    sender = parsed(fields, "sender")[1], to = parsed(fields, "to"), cc = parsed(fields, "cc"),
    subject = subject and words.decode(subject), date = first(fields.date),
    source = text_of(built.raw, may_read), attachments = {}, inline = {},
  }
end

--- The view of a message.
-- @tparam table built
-- @tparam boolean may_read whether files may be opened
-- @treturn table `fields` (by name in lower case: a list), `from`, `sender`, `to`, `cc`
--   (addresses), `subject`, `date`, `envelope`, `size`; of fields: `text`, `html`,
--   `has_text`, `has_derived_text` (made of the HTML), `has_html`, `has_calendar`,
--   `attachments`, `inline`, `guessed` (charsets by field), `smime`; of a raw one: `is_raw`,
--   `head`, `source`
function M.view(built, may_read)
  local mail = (built.parts and from_parts or from_raw)(built, may_read)
  mail.envelope, mail.size = built.envelope, built:size()
  return mail
end

-- --- the provider -----------------------------------------------------------------

-- Whose servers behave alike.
local FAMILIES = {
  qq = "tencent", exmail = "tencent",
  ["163"] = "netease", ["126"] = "netease", yeah = "netease", ["netease-qiye"] = "netease",
  aliyun = "alibaba", ["aliyun-qiye"] = "alibaba", directmail = "alibaba",
  gmail = "google", ["gmail-relay"] = "google",
}

--- Which servers a provider's are like.
-- @tparam ?table preset
-- @treturn ?string "tencent", "netease", "alibaba" or "google"
function M.family(preset)
  return preset and FAMILIES[preset.key]
end

return M
