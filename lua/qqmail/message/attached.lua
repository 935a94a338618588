--- A message as an attachment of another one: `message/rfc822`.
--
-- It must not be in base64 (RFC 2046 section 5.2.1), so its own lines go as they are:
-- complete, with CRLF, less Bcc. One that is made here has only ASCII in them; one that
-- is not may need a server with 8BITMIME.
-- @module qqmail.message.attached

local built = require "qqmail.message.built"
local fault = require "qqmail.message.fault"
local raw = require "qqmail.message.raw"

local M = {}

-- Most bytes that are held of it.
local HELD_MAX = 64 * 1024 * 1024

local FORMS = { en = "a built message, the fields of one, or { raw = }",
  zh = "已构建的邮件、邮件字段表或 { raw = }" }

local function too_large(lang, field)
  return fault.new(lang, "message.too_large", field, {
    en = ("is larger than %d bytes; attach it as application/octet-stream"):format(HELD_MAX),
    zh = ("超过 %d 字节；请以 application/octet-stream 类型附加"):format(HELD_MAX),
  })
end

-- An error of the inner message, at its place in the outer one.
local function placed(lang, field, err)
  local inner = err.field and "." .. err.field or ""
  local text = err.message
  if err.field and text:sub(1, #err.field + 1) == err.field .. " " then
    text = text:sub(#err.field + 2)
  end
  return fault.new(lang, err.code, field .. inner, { en = text, zh = text },
    { hint = err.hint, kind = err.kind })
end

local function part_of(lang, field, message)
  if (message:size() or 0) > HELD_MAX then
    return nil, too_large(lang, field)
  end
  -- The size of what a function gives is not known before.
  local bytes, err = message:bytes(HELD_MAX)
  if not bytes then
    return nil, err and placed(lang, field, err) or too_large(lang, field)
  end
  -- RFC 6532 section 3.7
  local is_global = message.core:needs_utf8()
  return { source = { data = bytes }, type = is_global and "message/global" or "message/rfc822" }
end

local function of_raw(lang, field, value)
  local handle, source = raw.open(lang, field, value)
  if not handle then
    return nil, source
  end
  return part_of(lang, field, built.wrap({ lang = lang, core = handle }))
end

local function of_spec(ctx, field, spec)
  local message, err = ctx.build(spec)
  if not message then
    return nil, placed(ctx.lang, field, err)
  end
  return part_of(ctx.lang, field, message)
end

-- Beside `raw` the rest of a message to send, such as `envelope`, has no meaning here.
local function only_raw(spec)
  return spec.raw ~= nil and next(spec) == "raw" and next(spec, "raw") == nil
end

--- The part of a message that is attached.
-- @tparam table ctx `lang`; `build(spec)`: makes a message
-- @tparam string field
-- @tparam table value `message` (built, the fields of one, `{ raw = }`), or `path`, `data`
-- or `read` of a complete one
-- @treturn ?table part of the core
-- @treturn ?table error
function M.part(ctx, field, value)
  local message = value.message
  if message == nil then
    return of_raw(ctx.lang, field, value.data or value.read or { path = value.path })
  end
  field = field .. ".message"
  if type(message) ~= "table" then
    return nil, fault.type(ctx.lang, field, FORMS, message)
  elseif built.is(message) then
    return part_of(ctx.lang, field, message)
  elseif only_raw(message) then
    return of_raw(ctx.lang, field, message.raw)
  end
  return of_spec(ctx, field, message)
end

return M
