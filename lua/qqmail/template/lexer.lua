--- Cuts a Mustache template into lines and tags, in one pass.
--
-- Lines matter: a line that holds nothing but tags which write nothing is left out of
-- the result (a "standalone" line of the Mustache specification).
-- @module qqmail.template.lexer

local fault = require "qqmail.template.fault"
local limits = require "qqmail.template.limits"

local M = {}

local Lexer = {}
Lexer.__index = Lexer

local function fail(self, position, en, zh)
  return nil, fault.new(self.lang, "template.syntax", { en = en, zh = zh },
    { source = self.source, position = position })
end

-- From both ends by hand: a pattern for both takes a time that grows with the square.
local function trim(text)
  local first, last = text:find("%S") or #text + 1, #text
  while last > first and text:find("^%s", last) do
    last = last - 1
  end
  return text:sub(first, last)
end

-- --- names ------------------------------------------------------------------------

local function split(name)
  if name == "." then
    return {}
  end
  local path = {}
  for part in (name .. "."):gmatch("([^.]*)%.") do
    path[#path + 1] = part
  end
  return path
end

local function check_name(self, name, position)
  if name == "" then
    return fail(self, position, "a name is expected in this tag", "此标签中缺少名称")
  elseif name:find("%s") then
    return fail(self, position, "a name without blanks is expected", "名称中不能有空白")
  elseif #name > limits.name_bytes then
    return nil, fault.limit(self.lang, "name_bytes", { en = "the name is too long",
      zh = "名称过长" }, { source = self.source, position = position })
  end
  return true
end

-- The parts of a variable's name between its dots.
local function path_of(self, name, position)
  local path = split(name)
  for _, part in ipairs(path) do
    if part == "" then
      return fail(self, position, ('a name is expected on both sides of each dot in "%s"')
        :format(fault.shown(name)), ('"%s" 的每个点两侧都应有名称'):format(fault.shown(name)))
    end
  end
  if #path > limits.name_parts then
    return nil, fault.limit(self.lang, "name_parts", { en = "the name has too many parts",
      zh = "名称的层级过多" }, { source = self.source, position = position })
  end
  return path
end

-- --- tags -------------------------------------------------------------------------

-- Kinds whose content names a variable; of the others it is a name as it is.
local VARIABLE = { [""] = true, ["&"] = true, ["{"] = true, ["#"] = true, ["^"] = true }

local NAMES_TEMPLATE = { [">"] = true, ["<"] = true }

local function set_delimiters(self, content, position)
  local open, close = content:match("^=%s*(%S+)%s+(%S+)%s*=$")
  if not open or open:find("=", 1, true) or close:find("=", 1, true) then
    return fail(self, position, "new delimiters are expected, as in {{=<% %>=}}",
      "应为新的分隔符，形如 {{=<% %>=}}")
  elseif #open > limits.delimiter_bytes or #close > limits.delimiter_bytes then
    return nil, fault.limit(self.lang, "delimiter_bytes", { en = "the delimiter is too long",
      zh = "分隔符过长" }, { source = self.source, position = position })
  end
  self.open, self.close = open, close
  return { kind = "=", from = position }
end

-- `*name` in place of a name: the variable that holds it.
local function read_dynamic(self, tag, content)
  if not NAMES_TEMPLATE[tag.kind] or not content:find("^%*") then
    return true
  end
  local name = trim(content:sub(2))
  local ok, err = check_name(self, name, tag.from)
  if ok then
    tag.path, err = path_of(self, name, tag.from)
  end
  tag.name, tag.variable = "*" .. name, name
  return tag.path ~= nil, err
end

local function make_tag(self, kind, content, position)
  local tag = { kind = kind, from = position, name = trim(content) }
  if kind == "!" then
    tag.name = nil
    return tag
  elseif kind == "/" and tag.name:find("^%*%s") then
    tag.name = "*" .. trim(tag.name:sub(2))
  end
  local ok, err = read_dynamic(self, tag, tag.name)
  if ok then
    ok, err = check_name(self, tag.name, position)
  end
  if ok and VARIABLE[kind] then
    tag.path, err = path_of(self, tag.name, position)
    ok = tag.path ~= nil
  end
  if not ok then
    return nil, err
  end
  return tag
end

-- The tag at `position`, and where the text goes on.
local function read_tag(self, position)
  local text, start = self.source.text, position + #self.open
  local kind = text:match("^%s*([#^/><$!=&{])", start) or ""
  local close = kind == "{" and "}" .. self.close or self.close
  local from = kind == "" and start or text:find(kind, start, true) + (kind == "=" and 0 or 1)
  if kind == "=" then
    close = "=" .. close
    from = from + 1
  end
  local stop, last = text:find(close, from, true)
  if not stop then
    return fail(self, position, ("%s is expected to end this tag"):format(close),
      ("此标签缺少结尾 %s"):format(close))
  end
  local tag, err
  if kind == "=" then
    tag, err = set_delimiters(self, "=" .. text:sub(from, stop - 1) .. "=", position)
  else
    tag, err = make_tag(self, kind, text:sub(from, stop - 1), position)
  end
  return tag, err, last + 1
end

-- --- lines ------------------------------------------------------------------------

-- The next line end; found once, however many tags stand before it.
local function next_newline(self, position)
  if self.newline < position then
    self.newline = self.source.text:find("\n", position, true) or math.huge
  end
  return self.newline
end

-- Text between tags: the end of the line that was begun, whole lines, and the beginning
-- of the next one. Answers the line that goes on.
local function add_text(self, line, from, stop)
  local text = self.source.text
  local newline = next_newline(self, from)
  if newline < stop then
    if line[1] then
      line[#line + 1] = { kind = "text", text = text:sub(from, newline) }
      local ok, err = self.on_line(line, newline + 1)
      if not ok then
        return nil, err
      end
      line, from = {}, newline + 1
    end
    local behind = text:sub(from, stop - 1):match("^.*\n()")
    if behind then
      self.on_text(text:sub(from, from + behind - 2))
      from = from + behind - 1
    end
  end
  if from < stop then
    line[#line + 1] = { kind = "text", text = text:sub(from, stop - 1) }
  end
  return line
end

--- Read a template.
-- @tparam table source `text`, `name`
-- @tparam ?string lang
-- @tparam function on_text (text): whole lines without a tag
-- @tparam function on_line (items, next): a line with tags: a list of `{ kind = "text",
-- text = }` and tags `{ kind =, name =, path =, from = }`, and where the next line begins;
-- answers true, or nil and an error
-- @treturn ?boolean true
-- @treturn ?table error
function M.read(source, lang, on_text, on_line)
  local self = setmetatable({ source = source, lang = lang, on_text = on_text,
    on_line = on_line, open = "{{", close = "}}", newline = 0 }, Lexer)
  local line, position = {}, 1
  while true do
    local tag_at = source.text:find(self.open, position, true)
    local tag, err
    line, err = add_text(self, line, position, tag_at or #source.text + 1)
    if not line then
      return nil, err
    elseif not tag_at then
      break
    end
    tag, err, position = read_tag(self, tag_at)
    if not tag then
      return nil, err
    end
    line[#line + 1] = tag
  end
  if line[1] then
    return on_line(line, #source.text + 1)
  end
  return true
end

return M
