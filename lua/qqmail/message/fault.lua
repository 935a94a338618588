--- Errors about a message, found before anything is sent.
-- @module qqmail.message.fault

local errors = require "qqmail.errors"

local M = {}

-- What the core says, as a code and the rest of a sentence about the field.
local CORE = {
  control_character = { code = "message.control_character", where = true,
    en = "contains a control character", zh = "含有控制字符" },
  bad_utf8 = { code = "message.bad_utf8", where = true,
    en = "is not valid UTF-8", zh = "不是合法的 UTF-8" },
  non_ascii = { code = "message.non_ascii", where = true,
    en = "must be ASCII", zh = "只能使用 ASCII 字符" },
  syntax = { code = "message.bad_syntax", where = true,
    en = "is not well formed", zh = "格式不正确" },
  too_long = { code = "message.too_long", where = true, en = "is too long", zh = "过长" },
  empty = { code = "message.empty", en = "is empty", zh = "为空" },
  limit = { code = "message.too_large", en = "is too large", zh = "过大" },
  source = { code = "message.source_failed", en = "cannot be read", zh = "无法读取" },
  source_changed = { code = "message.source_changed", en = "changed while it was read",
    zh = "在读取过程中发生变化" },
  system = { code = "message.unreadable", en = "cannot be read", zh = "无法读取" },
  unsupported = { code = "message.unsupported", en = "is not supported here", zh = "此处不支持" },
}

--- Make an error about one field of a message.
-- @tparam ?string lang
-- @tparam string code
-- @tparam ?string field as in `attachments[2].name`
-- @tparam table text `{ en =, zh = }`, the rest of a sentence that begins with
-- the field
-- @tparam ?table more further fields of the error
-- @treturn table
function M.new(lang, code, field, text, more)
  local spec = { kind = "message", code = code, phase = "config", delivered = "no",
    retry = "never", lang = lang, field = field }
  for key, value in pairs(more or {}) do
    spec[key] = value
  end
  local en = (field and field .. " " or "") .. text.en
  local zh = (field and field .. " " or "") .. text.zh
  if spec.position then
    en = ("%s (at byte %d)"):format(en, spec.position)
    zh = ("%s（第 %d 字节）"):format(zh, spec.position)
  end
  spec.text = { en = en, zh = zh }
  return errors.new(spec)
end

-- The core's own text says more where it comes from the system or a parser.
local function detailed(name, row, text)
  if name == "system" and text then
    return { en = row.en .. ": " .. text, zh = row.zh .. "：" .. text }
  end
  return row
end

--- An error from what a function of the core answered.
-- @tparam ?string lang
-- @tparam ?string field
-- @tparam string name the second value the core returned
-- @tparam ?string text the third
-- @tparam ?number position the place, counted from 1
-- @tparam ?table overrides `code`, `en`, `zh`, `hint` by name of the core
-- @treturn table
function M.core(lang, field, name, text, position, overrides)
  if name == "memory" then
    return errors.new({ kind = "limit", code = "limit.memory", phase = "config", retry = "later",
      lang = lang, text = { en = "out of memory", zh = "内存不足" } })
  end
  local row = overrides and overrides[name] or CORE[name]
    or { code = "message.failed", en = text or name, zh = text or name }
  return M.new(lang, row.code, field, detailed(name, row, text),
    { position = row.where and position or nil, hint = row.hint })
end

--- The entry of a list that a place is in.
-- @tparam string where as in `headers[3][1].name`, `inline[2].type`
-- @tparam ?table parts the table that was handed to the core
-- @treturn ?table entry
-- @treturn ?string the name of the list
-- @treturn ?string the rest of the place
function M.entry(where, parts)
  local list, index, rest = where:match("^(%a+)%[(%d+)%](.*)$")
  return parts and list and parts[list][tonumber(index)] or nil, list, rest
end

--- The core's name of a place in the terms of the user's table.
-- @tparam string where as for `entry`
-- @tparam ?table parts as for `entry`; each entry knows its `field`
-- @treturn string
function M.place(where, parts)
  local entry, list, rest = M.entry(where, parts)
  if not entry then
    return where
  elseif list == "headers" and #(entry.addresses or "") == 1 then
    rest = rest:gsub("^%[1%]", "")
  end
  return entry.field .. rest
end

--- See that a table is a list without gaps. What stands behind a nil, or under
-- a name, would be left out without a word.
-- @tparam ?string lang
-- @tparam string field
-- @tparam table list
-- @treturn ?boolean true
-- @treturn ?table error
function M.check_list(lang, field, list)
  local length = 0
  for _ in ipairs(list) do
    length = length + 1
  end
  for key in pairs(list) do
    if type(key) ~= "number" or key < 1 or key > length or key % 1 ~= 0 then
      local name = (tostring(key):gsub("[%c\127-\255]", "?"):sub(1, 76))
      return nil, M.new(lang, "message.bad_value", field, {
        en = ("must be a list without gaps; %s does not follow on the others"):format(name),
        zh = ("应为没有空缺的列表；%s 与其他元素不连续"):format(name),
      })
    end
  end
  return true
end

--- A value of the wrong type.
-- @tparam ?string lang
-- @tparam string field
-- @tparam table expected `{ en =, zh = }`
-- @param value what was given
-- @treturn table
function M.type(lang, field, expected, value)
  return M.new(lang, "message.bad_value", field, {
    en = "must be " .. expected.en .. ", not a " .. type(value),
    zh = "应为" .. expected.zh .. "，而不是 " .. type(value),
  })
end

return M
