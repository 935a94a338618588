--- Errors about templates: they name the template, the line and the column.
-- Values of variables are never shown: they are data of a recipient.
-- @module qqmail.template.fault

local errors = require "qqmail.errors"

local M = {}

--- A name as it may be shown.
-- @param name anything
-- @treturn string
function M.shown(name)
  local text = tostring(name):gsub("[%z\1-\31\127]+", " ")
  if #text <= 80 then
    return text
  end
  local cut = 77
  while cut > 70 and text:find("^[\128-\191]", cut + 1) do
    cut = cut - 1
  end
  return text:sub(1, cut) .. "..."
end

--- Line and column of a place.
-- @tparam string text
-- @tparam number position of a byte, from 1
-- @treturn number line, from 1
-- @treturn number column in characters, from 1
function M.place(text, position)
  local line, start = 1, 1
  while true do
    local newline = text:find("\n", start, true)
    if not newline or newline >= position then
      break
    end
    line, start = line + 1, newline + 1
  end
  local before = text:sub(start, position - 1)
  local _, column = before:gsub("[^\128-\191]", "")
  return line, column + 1
end

--- Make an error.
-- @tparam ?string lang
-- @tparam string code
-- @tparam table text `{ en =, zh = }`, behind the place
-- @tparam ?table more `source` (`name`, `text`) and `position`: where; `field`, `variable`
-- @treturn table
function M.new(lang, code, text, more)
  more = more or {}
  local spec = { kind = "message", code = code, phase = "config", delivered = "no",
    retry = "never", lang = lang, field = more.field or "template", variable = more.variable }
  local en, zh = "template", "模板"
  if more.source then
    local name = M.shown(more.source.name)
    spec.template = name
    en, zh = en .. " " .. name, zh .. " " .. name
    if more.position then
      spec.line, spec.column = M.place(more.source.text, more.position)
      en = ("%s, line %d, column %d"):format(en, spec.line, spec.column)
      zh = ("%s 第 %d 行第 %d 列"):format(zh, spec.line, spec.column)
    end
  end
  spec.text = { en = en .. ": " .. text.en, zh = zh .. "：" .. text.zh }
  return errors.new(spec)
end

--- A limit that is passed.
-- @tparam ?string lang
-- @tparam string name of `qqmail.template.limits`
-- @tparam table what `{ en =, zh = }`
-- @tparam ?table more as of `new`
-- @treturn table
function M.limit(lang, name, what, more)
  local most = require("qqmail.template.limits")[name]
  return M.new(lang, "template.limit", {
    en = ("%s (limit %s: %d)"):format(what.en, name, most),
    zh = ("%s（上限 %s：%d）"):format(what.zh, name, most),
  }, more)
end

return M
