--- What a message carries: texts, attachments, inline parts.
-- @module qqmail.message.content

local callback = require "qqmail.callback"
local core = require "qqmail.core"
local data_url = require "qqmail.message.data_url"
local disk = require "qqmail.disk"
local fault = require "qqmail.message.fault"
local media_types = require "qqmail.media_types"
local suggest = require "qqmail.suggest"

local M = {}

local codec = core.codec

-- Most bytes of a text that is held in memory because it comes from a reader or
-- has to be converted; attachments are not held.
local HELD_MAX = 64 * 1024 * 1024

-- Most bytes of HTML of which a text is made: far beyond what readers show of it.
local DERIVED_MAX = 4 * 1024 * 1024

local TEXT_FORMS = { en = "a string, { path = } or a function", zh = "字符串、{ path = } 或函数" }
local PART_FORMS = {
  en = "a path or { path = | data = | read =, name =, type =, size = }",
  zh = "路径或 { path = | data = | read =, name =, type =, size = }",
}

local UNREADABLE = {
  unsupported = { code = "message.unreadable", en = "is not a regular file", zh = "不是普通文件" },
  control_character = { code = "message.unreadable", en = "has a path that holds NUL",
    zh = "的路径含有 NUL" },
}

--- Texts of errors of the core about a source.
M.unreadable = UNREADABLE

local function too_large(lang, field)
  return fault.new(lang, "message.too_large", field, {
    en = ("is larger than %d bytes; attach it instead"):format(HELD_MAX),
    zh = ("超过 %d 字节；请改为附件"):format(HELD_MAX),
  })
end

--- How often reader functions were asked for a piece, in all: where this grows while a
-- message is made, one of its own was.
M.asked = 0

--- Call a reader function for its next piece.
-- @tparam ?string lang
-- @tparam string field
-- @tparam function read
-- @treturn ?string piece; nil at the end
-- @treturn ?table error
function M.next_piece(lang, field, read)
  M.asked = M.asked + 1
  local ran, piece, why
  local empty = 0
  repeat
    ran, piece, why = callback.call(read, 65536)
    empty = empty + 1
  until piece ~= "" or empty > 10000
  if not ran then
    piece, why = nil, piece or "its reader raised nothing"
  end
  if type(piece) == "string" and piece ~= "" then
    return piece
  elseif piece == nil and why == nil then
    return nil
  end
  local text = piece == "" and "its reader gives nothing, again and again"
    or piece == nil and tostring(why) or "its reader gave a " .. type(piece)
  return nil, fault.new(lang, "message.source_failed", field,
    { en = "cannot be read: " .. text, zh = "无法读取：" .. text })
end

local function read_function(lang, field, read)
  local pieces, total = {}, 0
  while true do
    local piece, err = M.next_piece(lang, field, read)
    if err then
      return nil, err
    elseif not piece then
      return table.concat(pieces)
    end
    total = total + #piece
    if total > HELD_MAX then
      return nil, too_large(lang, field)
    end
    pieces[#pieces + 1] = piece
  end
end

local function unreadable(lang, field, why)
  return fault.new(lang, "message.unreadable", field,
    { en = "cannot be read: " .. tostring(why), zh = "无法读取：" .. tostring(why) })
end

local function read_file(lang, field, path)
  local text, _, why = disk.read(path, HELD_MAX + 1)
  if not text then
    return nil, unreadable(lang, field, why)
  elseif #text > HELD_MAX then
    return nil, too_large(lang, field)
  end
  return text
end

--- All bytes of a file, or of what a function gives, where they have to be looked at.
-- @tparam ?string lang
-- @tparam string field
-- @tparam string|function from a path, or a reader
-- @treturn ?string
-- @treturn ?table error
function M.read_whole(lang, field, from)
  return (type(from) == "string" and read_file or read_function)(lang, field, from)
end

--- See that a table has no keys but those.
-- @tparam ?string lang
-- @tparam string field
-- @tparam table value
-- @tparam table keys list
-- @tparam ?table others by what a key may be called elsewhere: its name here
-- @treturn ?boolean true
-- @treturn ?table error
function M.check_keys(lang, field, value, keys, others)
  for key in pairs(value) do
    local known = false
    for _, name in ipairs(keys) do
      known = known or key == name
    end
    if not known then
      local meant = others and others[key] or suggest.closest(key, keys)
      return nil, fault.new(lang, "message.unknown_field", field .. "." .. tostring(key), {
        en = "is unknown" .. (meant and ("; did you mean %s?"):format(meant) or ""),
        zh = "是未知字段" .. (meant and ("，是否想写 %s？"):format(meant) or ""),
      })
    end
  end
  return true
end

--- The last part of a path, as the name of a part.
-- @tparam table ctx `lang`, `convert`
-- @tparam string field
-- @tparam string name
-- @treturn ?string
-- @treturn ?table error
function M.file_name(ctx, field, name)
  if ctx.convert then
    local err
    name, err = ctx.convert(name, field .. ".name")
    if not name then
      return nil, err
    end
  end
  local base = codec.base_name(name)
  if base == "" then
    return nil, fault.new(ctx.lang, "message.bad_name", field .. ".name",
      { en = "is not a file name", zh = "不是文件名" })
  end
  return base
end

local function converted(ctx, field, text, err)
  if text and ctx.convert then
    text, err = ctx.convert(text, field)
  end
  if not text then
    return nil, err
  end
  return { data = text }
end

--- The source of a text: a string, a file, or a function that is read at once.
-- @tparam table ctx `lang`, `convert`
-- @tparam string field
-- @param value
-- @treturn ?table source of the core
-- @treturn ?table error
function M.text_source(ctx, field, value)
  if type(value) == "table" then
    if type(value.data) == "string" and value.path == nil then
      value = value.data
    elseif type(value.path) ~= "string" or value.data ~= nil then
      return nil, fault.type(ctx.lang, field, TEXT_FORMS, value)
    elseif ctx.convert then
      return converted(ctx, field, read_file(ctx.lang, field, value.path))
    else
      return { path = value.path }
    end
  end
  if type(value) == "string" then
    return converted(ctx, field, value)
  elseif type(value) == "function" then
    return converted(ctx, field, read_function(ctx.lang, field, value))
  end
  return nil, fault.type(ctx.lang, field, TEXT_FORMS, value)
end

--- The plain text of HTML, where none was given.
-- @tparam table source of the HTML, from `text_source`
-- @treturn ?table source of the core; nil when the HTML holds no text, or more
-- than 4 MiB
function M.derived_text(source)
  -- A file that cannot be read is an error of the HTML, not of this.
  local html = source.data or disk.read(source.path, DERIVED_MAX + 1)
  if not html or #html > DERIVED_MAX then
    return nil
  end
  local text = codec.html_text(html)
  if text and text ~= "" then
    return { data = text }
  end
end

local PART_KEYS = { "path", "data", "read", "name", "type", "size" }
local ATTACHMENT_KEYS = { "path", "data", "read", "name", "type", "size", "message" }
local INLINE_KEYS = { "path", "data", "read", "name", "type", "size", "cid" }

local function check_types(lang, field, value)
  local want = { path = "string", data = "string", read = "function", name = "string",
    type = "string", size = "number", cid = "string" }
  for key, expected in pairs(want) do
    if value[key] ~= nil and type(value[key]) ~= expected then
      return nil, fault.type(lang, field .. "." .. key, { en = "a " .. expected,
        zh = " " .. expected }, value[key])
    end
  end
  local size = value.size
  if size and not (size >= 0 and size < 2 ^ 53 and size == math.floor(size)) then
    return nil, fault.new(lang, "message.bad_value", field .. ".size",
      { en = "must be a whole number of bytes", zh = "应为整数字节数" })
  end
  return true
end

local function count_sources(value)
  local count = 0
  for _, key in ipairs({ "path", "data", "read" }) do
    count = count + (value[key] ~= nil and 1 or 0)
  end
  return count
end

-- The name of what has none of its own. A path is not one of the message's texts: it is
-- converted where it is no UTF-8, and then likely in their charset.
local function name_of_file(ctx, field, name)
  if name == nil or name == "" then
    return nil
  elseif codec.guess_charset(name) == "utf-8" then
    ctx = { lang = ctx.lang }
  end
  return M.file_name(ctx, field, name)
end

local function part_name(ctx, field, value)
  if value.name then
    return M.file_name(ctx, field, value.name)
  end
  -- A backslash is half a character in some charsets: only what is converted is cut there.
  return name_of_file(ctx, field, value.own_name or (value.path and value.path:match("[^/]*$")))
end

-- What a `data:` URL as path stands for.
local function from_url(ctx, field, value)
  local url = data_url.read(value.path)
  if not url then
    return nil, fault.new(ctx.lang, "message.bad_value", field,
      { en = "is not a well-formed data: URL", zh = "不是合法的 data: URL" })
  end
  local name = url.extension ~= "" and "attachment" .. url.extension or nil
  return { data = url.data, name = value.name, own_name = url.name or name, cid = value.cid,
    type = value.type or url.type .. url.parameters }
end

local function check_part(ctx, field, value, keys)
  local ok, err = M.check_keys(ctx.lang, field, value, keys)
  if ok then
    ok, err = check_types(ctx.lang, field, value)
  end
  if ok and count_sources(value) ~= 1 then
    return nil, fault.new(ctx.lang, "message.bad_value", field,
      { en = "needs exactly one of path, data and read", zh = "需要 path、data、read 之一" })
  end
  return ok, err
end

-- A path or a table as a part of the core.
local function make_part(ctx, field, value, keys)
  if type(value) == "string" then
    value = { path = value }
  elseif type(value) ~= "table" then
    return nil, fault.type(ctx.lang, field, PART_FORMS, value)
  end
  local ok, err = check_part(ctx, field, value, keys)
  if ok and value.path and data_url.is(value.path) then
    value, err = from_url(ctx, field, value)
  end
  if err then
    return nil, err
  end
  local name
  name, err = part_name(ctx, field, value)
  if err then
    return nil, err
  end
  return {
    source = { path = value.path, data = value.data, read = value.read, size = value.size },
    name = name, type = value.type or media_types.guess(name or value.path), field = field,
  }
end

-- Another message: RFC 2046 section 5.2.1 has rules of its own for it.
local function is_message(value)
  local media_type = type(value) == "table" and value.type
  return type(value) == "table" and (value.message ~= nil
    or (type(media_type) == "string" and media_type:lower() == "message/rfc822"))
end

-- An attachment that is a message, with what `attached` makes of it.
local function make_message(ctx, field, value)
  local ok, err = M.check_keys(ctx.lang, field, value, ATTACHMENT_KEYS)
  if ok then
    ok, err = check_types(ctx.lang, field, value)
  end
  if ok and count_sources(value) + (value.message ~= nil and 1 or 0) ~= 1 then
    ok, err = nil, fault.new(ctx.lang, "message.bad_value", field,
      { en = "needs exactly one of message, path, data and read",
        zh = "需要 message、path、data、read 之一" })
  end
  local name, part
  if ok then
    name, err = part_name(ctx, field, value)
  end
  if not err then
    part, err = ctx.attach_message(ctx, field, value)
  end
  if not part then
    return nil, err
  end
  part.name, part.field, part.is_message = name or "mail.eml", field, true
  return part
end

local function is_part(value)
  return value.path ~= nil or value.data ~= nil or value.read ~= nil or value.message ~= nil
end

--- The attachments.
-- @tparam table ctx
-- @tparam string field `attachments`, or `attach`
-- @param value a list, or one of its elements
-- @treturn ?table list of parts of the core
-- @treturn ?table error
function M.attachments(ctx, field, value)
  if type(value) == "string" or (type(value) == "table" and is_part(value)) then
    value = { value }
  elseif type(value) ~= "table" or (next(value) ~= nil and value[1] == nil) then
    return nil, fault.type(ctx.lang, field, { en = "a list", zh = "列表" }, value)
  end
  local whole, gap = fault.check_list(ctx.lang, field, value)
  if not whole then
    return nil, gap
  end
  local out = {}
  for index, element in ipairs(value) do
    local make = is_message(element) and make_message or make_part
    local part, err = make(ctx, ("%s[%d]"):format(field, index), element, PART_KEYS)
    if not part then
      return nil, err
    end
    out[index] = part
  end
  return out
end

-- { cid = part } as a list in the order of the ids; a list holds `cid` inside.
local function inline_list(lang, value)
  local out = {}
  for key, element in pairs(value) do
    local cid = key
    if type(key) == "number" then
      cid = type(element) == "table" and element.cid
    end
    if type(cid) ~= "string" then
      return nil, fault.new(lang, "message.bad_cid", "inline", {
        en = "must be { [\"content id\"] = path or { ... } }",
        zh = "应为 { [\"内容 ID\"] = 路径或 { ... } }",
      })
    end
    out[#out + 1] = { cid = cid, element = element }
  end
  table.sort(out, function(a, b)
    return a.cid < b.cid
  end)
  return out
end

--- The parts that HTML refers to by content id.
-- @tparam table ctx
-- @param value `{ cid = path | { ... } }`
-- @treturn ?table list of parts of the core
-- @treturn ?table error
function M.inline(ctx, value)
  if type(value) ~= "table" then
    return nil, fault.type(ctx.lang, "inline", { en = "a table", zh = "表" }, value)
  end
  local list, err = inline_list(ctx.lang, value)
  if not list then
    return nil, err
  end
  local out = {}
  for index, item in ipairs(list) do
    local field = "inline." .. item.cid:gsub("[%c\127-\255]", "?")
    local part
    part, err = make_part(ctx, field, item.element, INLINE_KEYS)
    if not part then
      return nil, err
    elseif index > 1 and list[index - 1].cid == item.cid then
      return nil, fault.new(ctx.lang, "message.bad_cid", field,
        { en = "is there twice", zh = "重复" })
    end
    part.cid = item.cid
    out[index] = part
  end
  return out
end

return M
