--- A complete message somebody else made.
-- Sent as it is but for line ends and Bcc; what is read here is its header
-- block, for the envelope.
-- @module qqmail.message.raw

local addresses = require "qqmail.message.addresses"
local content = require "qqmail.message.content"
local core = require "qqmail.core"
local fault = require "qqmail.message.fault"

local M = {}

-- What may stand beside `raw`.
local ALLOWED = { raw = true, envelope = true, deadline = true, cancel = true, dsn = true,
  require_tls = true }

local OVERRIDES = {
  syntax = { code = "message.bad_raw", where = true,
    en = "has a line in its header that is no field", zh = "的邮件头中有一行不是字段" },
  too_long = { code = "message.line_too_long", where = true,
    en = "has a line longer than 998 bytes", zh = "中有超过 998 字节的行" },
  control_character = { code = "message.control_character", where = true,
    en = "contains NUL", zh = "含有 NUL 字符" },
  bad_utf8 = { code = "message.bad_utf8", where = true,
    en = "has a header that is neither ASCII nor UTF-8", zh = "的邮件头既不是 ASCII 也不是 UTF-8" },
  limit = { code = "message.too_large", en = "has a header larger than 256 KiB",
    zh = "的邮件头超过 256 KiB" },
  unsupported = content.unreadable.unsupported,
}

-- A pattern would take a time that grows with the square of the blanks.
local function without_trailing_blanks(text)
  local last = #text
  while last > 0 and text:find("^[ \t]", last) do
    last = last - 1
  end
  return text:sub(1, last)
end

--- The fields of a header block, unfolded (RFC 5322 section 2.2.3).
-- @tparam string head
-- @treturn table lists of values, by name in lower case
function M.fields_of(head)
  local fields = {}
  for line in head:gsub("\r\n([ \t])", "%1"):gmatch("([^\r\n]+)\r\n") do
    local name, value = line:match("^([^:]-)[ \t]*:[ \t]*(.*)$")
    if name then
      local key = name:lower()
      fields[key] = fields[key] or {}
      table.insert(fields[key], without_trailing_blanks(value))
    end
  end
  return fields
end

-- What is taken out on the way (see `qm_raw.h`).
local function stays(key)
  return key ~= "bcc" and key:sub(1, 15) ~= "x-qqmail-outbox"
end

-- The first field in UTF-8 itself, which SMTPUTF8 alone can send (RFC 6532), by name.
local function first_international(head)
  for line in head:gsub("\r\n([ \t])", "%1"):gmatch("([^\r\n]*[\128-\255][^\r\n]*)\r\n") do
    local name = line:match("^([^:]-)[ \t]*:")
    if name and stays(name:lower()) then
      return { field = "raw", name = name }
    end
  end
  return { field = "raw", name = "raw" }
end

local function listed(lang, fields, key)
  local out = {}
  for _, value in ipairs(fields[key] or {}) do
    local list, err = addresses.list(lang, "raw." .. key, value)
    if not list then
      err.field = "raw"
      return nil, err
    end
    for _, address in ipairs(list) do
      out[#out + 1] = address
    end
  end
  return out
end

local function recipients(lang, fields)
  local to, err = listed(lang, fields, "to")
  local cc, bcc
  if to then
    cc, err = listed(lang, fields, "cc")
  end
  if cc then
    bcc, err = listed(lang, fields, "bcc")
  end
  if not bcc then
    return nil, err
  end
  return { to, cc, bcc }
end

local function sender(lang, fields)
  for _, key in ipairs({ "sender", "from" }) do
    local list, err = listed(lang, fields, key)
    if not list then
      return nil, err
    elseif list[1] then
      return list[1]
    end
  end
  return nil
end

--- Read a complete message.
-- @tparam ?string lang
-- @tparam string field of errors
-- @param value string, `{ path = }` or function
-- @treturn ?userdata `qqmail.message` of the core
-- @treturn ?table source; or an error
function M.open(lang, field, value)
  local source, err = content.text_source({ lang = lang }, field, value)
  if not source then
    return nil, err
  end
  local handle, name, text, _, position = core.message({ raw = source })
  if not handle then
    return nil, fault.core(lang, field, name, text, position, OVERRIDES)
  end
  return handle, source
end

--- Build a raw message.
-- @tparam ?string lang
-- @tparam table spec the user's table
-- @treturn ?table `{ handle =, source =, id =, international =, sender =, recipients =
-- { list, ... } }`; the last two are what its header says, where `spec.envelope` does not
-- @treturn ?table error
function M.build(lang, spec)
  for key in pairs(spec) do
    if not ALLOWED[key] then
      return nil, fault.new(lang, "message.raw_conflict", key, {
        en = "cannot be given together with raw", zh = "不能与 raw 同时使用",
      })
    end
  end
  local handle, source = M.open(lang, "raw", spec.raw)
  if not handle then
    return nil, source
  end
  local head = handle:raw_head()
  local fields = M.fields_of(head)
  local given = spec.envelope or {}
  local ids = fields["message-id"]
  local out, err = { handle = handle, source = source, id = ids and ids[1],
    international = handle:needs_utf8() and first_international(head) or nil }
  if given.from == nil then
    out.sender, err = sender(lang, fields)
    if err then
      return nil, err
    end
  end
  if given.to == nil then
    out.recipients, err = recipients(lang, fields)
    if err then
      return nil, err
    end
  end
  return out
end

return M
