--- Makes a list of instructions of a Mustache template, once; `qqmail.template.renderer`
-- runs it.
--
-- An instruction is a table with `kind`:
--
-- * "text": `text`; `starts_line`, `is_open`: whether it begins with a line, and goes on
--   in its last one
-- * "var": `path` (list; empty for "."), `name`, `is_raw`
-- * "#", "^": `path`, `name`, `body` (list of instructions)
-- * ">", "<": `name`, or `path` of the variable that holds it; `indent` where the tag
--   stands alone; "<" also `blocks`: instructions by name
-- * "$": `name`, `body`, `lead`: white space before the lines it holds, `is_alone`
--
-- All but texts have `from`, a place in the source.
-- @module qqmail.template.parser

local core = require "qqmail.core"
local fault = require "qqmail.template.fault"
local lexer = require "qqmail.template.lexer"
local limits = require "qqmail.template.limits"

local M = {}

local Parser = {}
Parser.__index = Parser

local OPENS = { ["#"] = true, ["^"] = true, ["<"] = true, ["$"] = true }

-- Kinds that write something where they stand.
local WRITES = { [""] = true, ["&"] = true, ["{"] = true, text = true }

local function fail(self, position, en, zh)
  return nil, fault.new(self.lang, "template.syntax", { en = en, zh = zh },
    { source = self.source, position = position })
end

-- --- texts ------------------------------------------------------------------------

-- Neighbours become one instruction: pieces are joined when something else follows.
local function flush(body)
  local pending = body.pending
  if pending then
    body.pending = nil
    body[#body + 1] = { kind = "text", text = table.concat(pending),
      starts_line = pending.starts_line, is_open = pending.is_open }
  end
end

local function add_text(self, text, starts_line, is_open)
  local body = self.top.body
  local pending = body.pending
  if not pending then
    pending = { starts_line = starts_line }
    body.pending = pending
  end
  pending[#pending + 1] = text
  pending.is_open = is_open
end

local function add(self, instruction)
  local body = self.top.body
  flush(body)
  body[#body + 1] = instruction
end

-- --- lines that stand alone ----------------------------------------------------------

local function is_blank(item)
  return item.kind == "text" and not item.text:find("[^ \t\r\n]")
end

-- The tags of a line that has nothing else and writes nothing; nil: it has.
local function tags_only(items)
  local tags = {}
  for _, item in ipairs(items) do
    if not is_blank(item) then
      if WRITES[item.kind] then
        return nil
      end
      tags[#tags + 1] = item
    end
  end
  return tags
end

-- Of several tags in a line all must be of inheritance. A block that begins and ends in
-- the line is written there, unless it is handed to a parent.
local function is_inheritance(self, tags)
  local kinds = {}
  for index, level in ipairs(self.levels) do
    kinds[index] = level.kind or ""
  end
  local bottom = #kinds
  for _, tag in ipairs(tags) do
    if tag.kind == "<" or tag.kind == "$" then
      kinds[#kinds + 1] = tag.kind
    elseif tag.kind ~= "/" then
      return false
    else
      local closed = table.remove(kinds)
      local is_here = #kinds >= bottom
      bottom = math.min(bottom, #kinds)
      if closed ~= "<" and closed ~= "$" then
        return false
      elseif closed == "$" and is_here and kinds[#kinds] ~= "<" then
        return false
      end
    end
  end
  return true
end

local function stands_alone(self, items)
  local tags = tags_only(items)
  if not tags or not tags[1] then
    return false
  end
  return #tags == 1 or is_inheritance(self, tags)
end

-- --- tags -------------------------------------------------------------------------

local function open(self, tag)
  if #self.levels > limits.nesting then
    return nil, fault.limit(self.lang, "nesting", { en = "too many sections inside each other",
      zh = "区块嵌套过深" }, { source = self.source, position = tag.from })
  end
  local level = { kind = tag.kind, name = tag.name, from = tag.from, body = {} }
  self.levels[#self.levels + 1] = level
  self.top, level.tag = level, tag
  return true
end

-- What a parent is given: its blocks. Everything else in it is a remark.
local function blocks_of(body)
  local out = {}
  for _, instruction in ipairs(body) do
    if instruction.kind == "$" then
      out[instruction.name] = instruction
    end
  end
  return out
end

local function close(self, tag)
  local level = self.top
  if level.kind == nil then
    local name = fault.shown(tag.name)
    return fail(self, tag.from, ("nothing is open that {{/%s}} could end"):format(name),
      ("没有可由 {{/%s}} 结束的区块"):format(name))
  elseif level.name ~= tag.name then
    local line = fault.place(self.source.text, level.from)
    local wanted, name = fault.shown(level.name), fault.shown(tag.name)
    return fail(self, tag.from, ("{{/%s}} is expected (opened in line %d), not {{/%s}}")
      :format(wanted, line, name),
      ("应为 {{/%s}}（于第 %d 行开始），而不是 {{/%s}}"):format(wanted, line, name))
  end
  flush(level.body)
  table.remove(self.levels)
  self.top = self.levels[#self.levels]
  local opened = level.tag
  add(self, { kind = level.kind, name = opened.name, path = opened.path, from = opened.from,
    variable = opened.variable, body = level.kind ~= "<" and level.body or nil,
    blocks = level.kind == "<" and blocks_of(level.body) or nil,
    indent = opened.indent, lead = opened.lead, is_alone = opened.is_alone })
  return true
end

local function add_tag(self, tag)
  if OPENS[tag.kind] then
    return open(self, tag)
  elseif tag.kind == "/" then
    return close(self, tag)
  elseif tag.kind == ">" then
    add(self, { kind = ">", name = tag.name, path = tag.path, variable = tag.variable,
      from = tag.from, indent = tag.indent })
  elseif tag.path then
    add(self, { kind = "var", name = tag.name, path = tag.path, from = tag.from,
      is_raw = tag.kind ~= "" })
  end
  return true
end

-- --- lines ------------------------------------------------------------------------

local function lead_of(item)
  return item.kind == "text" and item.text:match("^[ \t]*") or ""
end

-- A line whose tags are taken out together with its white space and its end.
local function add_alone(self, items, next_line)
  local indent, lead = lead_of(items[1]), nil
  for _, item in ipairs(items) do
    if item.kind == ">" or item.kind == "<" then
      item.indent = indent
    elseif item.kind == "$" then
      -- What its default content is indented by is what replaces it, too.
      lead = lead or self.source.text:match("^[ \t]*", next_line)
      item.lead, item.is_alone = lead, true
    end
    if item.kind ~= "text" then
      local ok, err = add_tag(self, item)
      if not ok then
        return nil, err
      end
    end
  end
  return true
end

local function add_line(self, items)
  local has_text = items[1].kind == "text"
  if not has_text then
    add_text(self, "", true, true)
  end
  for index, item in ipairs(items) do
    if item.kind == "text" then
      add_text(self, item.text, index == 1, not item.text:find("\n", -1, true))
    else
      if item.kind == "$" then
        local is_first = index == 1 or (index == 2 and is_blank(items[1]))
        item.lead = is_first and lead_of(items[1]) or ""
      end
      local ok, err = add_tag(self, item)
      if not ok then
        return nil, err
      end
    end
  end
  return true
end

-- --- the whole ----------------------------------------------------------------------

local function check(source, lang)
  local more = { source = source }
  if #source.text > limits.template_bytes then
    return nil, fault.limit(lang, "template_bytes", { en = "it is too large", zh = "模板过大" }, more)
  end
  more.position = core.codec.utf8_fault(source.text)
  if more.position then
    return nil, fault.new(lang, "template.bad_utf8", { en = "this is not valid UTF-8",
      zh = "此处不是合法的 UTF-8" }, more)
  end
  return true
end

--- Compile a template.
-- @tparam string text UTF-8; a byte order mark is left out
-- @tparam string name for errors
-- @tparam ?string lang
-- @treturn ?table `text`, `name`, `body` (list of instructions)
-- @treturn ?table error: `template.syntax`, `template.bad_utf8`, `template.limit`
function M.compile(text, name, lang)
  local source = { text = text:gsub("^\239\187\191", ""), name = name }
  local ok, err = check(source, lang)
  if not ok then
    return nil, err
  end
  local root = { body = {} }
  local self = setmetatable({ source = source, lang = lang, levels = { root }, top = root }, Parser)
  ok, err = lexer.read(source, lang, function(lines)
    add_text(self, lines, true, not lines:find("\n", -1, true))
  end, function(items, next_line)
    if stands_alone(self, items) then
      return add_alone(self, items, next_line)
    end
    return add_line(self, items)
  end)
  if not ok then
    return nil, err
  elseif self.top ~= root then
    local wanted = fault.shown(self.top.name)
    return fail(self, self.top.from, ('"%s" is never ended; {{/%s}} is expected')
      :format(wanted, wanted), ('"%s" 没有结束，缺少 {{/%s}}'):format(wanted, wanted))
  end
  flush(root.body)
  source.body = root.body
  return source
end

return M
