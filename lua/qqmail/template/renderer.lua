--- Runs the instructions of a template over variables.
--
-- Variables are data. Tables are read without their metatables, nothing in them is called,
-- and a function among them is an error: a template can neither run code nor cause any to
-- be run.
-- @module qqmail.template.renderer

local core = require "qqmail.core"
local fault = require "qqmail.template.fault"
local limits = require "qqmail.template.limits"

local M = {}

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;",
  ["'"] = "&#39;" }

local floor, huge = math.floor, math.huge
local utf8_fault = core.codec.utf8_fault

-- Lua 5.3 and later have integers, which may be too long for a number with a fraction.
local number_type = rawget(math, "type") or function() return "float" end

local run

local function fail(self, frame, at, code, text, more)
  more = more or {}
  more.source, more.position = frame.source, at.from
  return fault.new(self.lang, code, text, more)
end

local function exceed(self, frame, at, name, en, zh)
  return fault.limit(self.lang, name, { en = en, zh = zh },
    { source = frame.source, position = at.from })
end

-- --- values -----------------------------------------------------------------------

-- What decoders of JSON put in place of null: a pointer to nothing.
local function is_null(value)
  if type(value) ~= "userdata" or getmetatable(value) ~= nil then
    return false
  end
  local address = tostring(value):match("^userdata: (.*)$")
  return address == "NULL" or address == "(nil)" or address:find("^0x0+$") ~= nil
end

local READABLE = { string = true, number = true, boolean = true, table = true, ["nil"] = true }

local function member(value, key)
  local found = rawget(value, key)
  if found == nil or is_null(found) then
    return nil
  end
  return found
end

-- The first part is looked for in all contexts, the innermost first; the others are
-- members of what was found (Mustache: "dotted names").
local function find(self, path)
  local stack, first = self.stack, path[1]
  if first == nil then
    return stack[self.height]
  end
  local value
  self.steps = self.steps + 1
  for level = self.height, 1, -1 do
    local context = stack[level]
    if type(context) == "table" then
      value = member(context, first)
      if value ~= nil then
        break
      end
    end
    self.steps = self.steps + 1
  end
  for index = 2, #path do
    if type(value) ~= "table" then
      return nil
    end
    value = member(value, path[index])
  end
  return value
end

local function lookup(self, op, frame)
  local value = find(self, op.path)
  if READABLE[type(value)] then
    return value
  end
  local name, kind = fault.shown(op.variable or op.name), type(value)
  return nil, fail(self, frame, op, "template.bad_value", {
    en = ('"%s" is a %s; variables are data only'):format(name, kind),
    zh = ('"%s" 的类型是 %s；变量只能是数据'):format(name, kind),
  }, { field = "vars." .. name, variable = op.variable or op.name })
end

local function number_text(value)
  if number_type(value) == "integer" then
    return ("%d"):format(value)
  elseif value ~= value or value == huge or value == -huge then
    return nil
  elseif value == floor(value) and value > -9007199254740992 and value < 9007199254740992 then
    return ("%.0f"):format(value == 0 and 0 or value)
  end
  -- A program may have set a locale with a comma.
  return (("%.14g"):format(value):gsub(",", "."))
end

local function checked(self, text, op, frame)
  local at = utf8_fault(text)
  if not at then
    return text
  end
  local name = fault.shown(op.name)
  return nil, fail(self, frame, op, "template.bad_utf8", {
    en = ('"%s" is not valid UTF-8 (at byte %d)'):format(name, at),
    zh = ('"%s" 不是合法的 UTF-8（第 %d 字节）'):format(name, at),
  }, { field = "vars." .. name, variable = op.name })
end

local function text_of(self, value, op, frame)
  local kind = type(value)
  if kind == "string" then
    return checked(self, value, op, frame)
  elseif kind == "boolean" then
    return value and "true" or "false"
  end
  local text = kind == "number" and number_text(value)
  if text then
    return text
  end
  local name = fault.shown(op.name)
  return nil, fail(self, frame, op, "template.bad_value", kind == "number" and {
    en = ('"%s" is no finite number'):format(name), zh = ('"%s" 不是有限的数字'):format(name),
  } or {
    en = ('"%s" is a table; a string, number or boolean is expected'):format(name),
    zh = ('"%s" 是表；应为字符串、数字或布尔值'):format(name),
  }, { field = "vars." .. name, variable = op.name })
end

local function missing(self, op, frame)
  local name = op.variable or op.name
  return fail(self, frame, op, "template.missing_variable", {
    en = ('there is no variable "%s"'):format(fault.shown(name)),
    zh = ('没有变量 "%s"'):format(fault.shown(name)),
  }, { field = "vars." .. fault.shown(name), variable = name })
end

-- --- output -----------------------------------------------------------------------

local START = { from = 1 }

local function emit(self, text, op, frame)
  self.bytes = self.bytes + #text
  if self.bytes > limits.output_bytes then
    return exceed(self, frame, op.from and op or START, "output_bytes", "the result is too large",
      "渲染结果过大")
  end
  self.out[#self.out + 1] = text
end

local function without_lead(line, columns)
  local lead = #line:match("^[ \t]*")
  return line:sub(math.min(lead, columns) + 1)
end

-- Each line of a text moved to where the partial or block stands. Empty lines stay so.
local function indented(op, frame, at_start, is_free)
  local out, position, text = {}, 1, op.text
  repeat
    local newline = text:find("\n", position, true)
    local line = text:sub(position, newline or -1)
    if at_start then
      line = without_lead(line, frame.skip)
      if is_free and (line:find("[^ \t\r\n]") or (not newline and op.is_open)) then
        line = frame.indent .. line
      end
    end
    out[#out + 1] = line
    at_start, is_free = true, true
    position = newline and newline + 1
  until not newline
  return table.concat(out)
end

local function write_text(self, op, frame)
  local text, forced = op.text, self.line
  self.line = nil
  if frame.indent ~= "" or frame.skip > 0 then
    -- White space that is taken away is work that no output tells of.
    self.steps = self.steps + floor(#text / 16)
    text = indented(op, frame, op.starts_line or forced == "free", forced ~= "taken")
  end
  if text ~= "" then
    return emit(self, text, op, frame)
  end
end

local function write_variable(self, op, frame)
  local value, err = lookup(self, op, frame)
  if err then
    return err
  elseif value == nil then
    return self.strict and missing(self, op, frame) or nil
  end
  local text
  text, err = text_of(self, value, op, frame)
  if err then
    return err
  elseif self.line == "free" then
    err = emit(self, frame.indent, op, frame)
  end
  self.line = nil
  if self.escapes and not op.is_raw and text:find("[&<>\"']") then
    text = text:gsub("[&<>\"']", ENTITIES)
  end
  return err or emit(self, text, op, frame)
end

-- --- sections ---------------------------------------------------------------------

local function run_with(self, context, op, frame)
  self.height = self.height + 1
  self.stack[self.height] = context
  local err = run(self, op.body, frame, op)
  self.stack[self.height] = nil
  self.height = self.height - 1
  return err
end

local function is_false(value)
  return value == nil or value == false or value == "" or (type(value) == "table"
    and next(value) == nil)
end

local function write_section(self, op, frame)
  local value, err = lookup(self, op, frame)
  if err or is_false(value) then
    return err
  elseif type(value) ~= "table" or rawget(value, 1) == nil then
    return run_with(self, value, op, frame)
  end
  local index, item = 1, rawget(value, 1)
  while item ~= nil and not err do
    if not READABLE[type(item)] and not is_null(item) then
      local name = fault.shown(op.name)
      return fail(self, frame, op, "template.bad_value", {
        en = ('"%s" has a %s in it; variables are data only'):format(name, type(item)),
        zh = ('"%s" 中含有 %s；变量只能是数据'):format(name, type(item)),
      }, { field = "vars." .. name, variable = op.name })
    end
    if is_null(item) then
      item = nil
    end
    err = run_with(self, item, op, frame)
    index = index + 1
    item = rawget(value, index)
  end
  return err
end

local function write_inverted(self, op, frame)
  local value, err = lookup(self, op, frame)
  if err or not is_false(value) then
    return err
  end
  return run(self, op.body, frame, op)
end

-- --- partials and inheritance -------------------------------------------------------

local function moved(self, op, frame, lead)
  local indent = frame.indent .. lead:sub(frame.skip + 1)
  if #indent > limits.indentation then
    return nil, exceed(self, frame, op, "indentation", "it is moved too far to the right",
      "缩进过深")
  end
  return indent
end

-- The template a tag names; nil: there is none, and that is allowed.
local function named(self, op, frame)
  local name = op.name
  if op.path then
    local value, err = lookup(self, op, frame)
    if err then
      return nil, err
    elseif type(value) ~= "string" then
      return nil, self.strict and missing(self, op, frame) or nil
    end
    name = value
  end
  local source, err = self.find_partial(name, frame.source, self.lang)
  if not source and not err and self.strict then
    -- A name that came out of the data is not shown.
    local shown = fault.shown(op.name)
    err = fail(self, frame, op, "template.missing_partial", {
      en = ('there is no partial "%s"'):format(shown), zh = ('没有片段 "%s"'):format(shown),
    })
  end
  return source, err
end

local function insert(self, op, frame, blocks)
  local source, err = named(self, op, frame)
  local indent = ""
  if source and op.indent then
    indent, err = moved(self, op, frame, op.indent)
  end
  if err or not source then
    return err
  end
  return run(self, source.body, { source = source, indent = indent, skip = 0, blocks = blocks },
    op, frame)
end

local function write_partial(self, op, frame)
  return insert(self, op, frame, frame.blocks)
end

-- Blocks given from further out win. What a block holds is rendered with the blocks that
-- are known where it was written.
local function write_parent(self, op, frame)
  local blocks = {}
  for name, block in pairs(op.blocks) do
    blocks[name] = { body = block.body, skip = #block.lead, source = frame.source,
      blocks = frame.blocks }
    self.steps = self.steps + 1
  end
  for name, block in pairs(frame.blocks) do
    blocks[name] = block
    self.steps = self.steps + 1
  end
  return insert(self, op, frame, blocks)
end

local function write_block(self, op, frame)
  local block = frame.blocks[op.name]
  if not block then
    return run(self, op.body, frame, op)
  end
  local indent, err = moved(self, op, frame, op.lead)
  if err then
    return err
  end
  self.line = op.is_alone and "free" or "taken"
  err = run(self, block.body, { source = block.source, indent = indent, skip = block.skip,
    blocks = block.blocks }, op, frame)
  self.line = nil
  return err
end

-- --- the loop ---------------------------------------------------------------------

local WRITE = {
  text = write_text, var = write_variable, ["#"] = write_section, ["^"] = write_inverted,
  [">"] = write_partial, ["<"] = write_parent, ["$"] = write_block,
}

-- `at`: the instruction that has this body; `outer`: the frame it stands in, if not the
-- same. Answers an error or nil.
function run(self, body, frame, at, outer)
  if self.depth >= limits.depth then
    return exceed(self, outer or frame, at, "depth", "too many sections and partials inside "
      .. "each other; does a partial contain itself?", "区块与片段嵌套过深；是否有片段包含自身？")
  end
  self.depth = self.depth + 1
  self.steps = self.steps + #body + 1
  if self.steps > limits.steps then
    return exceed(self, outer or frame, at, "steps", "it takes too many steps", "渲染步数过多")
  end
  for index = 1, #body do
    local op = body[index]
    local err = WRITE[op.kind](self, op, frame)
    if err then
      return err
    end
  end
  self.depth = self.depth - 1
end

--- Render a compiled template.
-- @tparam table source of `qqmail.template.parser`
-- @tparam table vars
-- @tparam table options `escapes` (for HTML), `strict`, `lang`, `find_partial` (name,
-- source, lang): a function that answers a compiled template, nil, or nil and an error
-- @treturn ?string text
-- @treturn ?table error
function M.render(source, vars, options)
  local self = {
    out = {}, bytes = 0, steps = 0, depth = 0, stack = { vars }, height = 1,
    escapes = options.escapes, strict = options.strict, lang = options.lang,
    find_partial = options.find_partial,
  }
  local frame = { source = source, indent = "", skip = 0, blocks = {} }
  local err = run(self, source.body, frame, START)
  if err then
    return nil, err
  end
  return table.concat(self.out)
end

return M
