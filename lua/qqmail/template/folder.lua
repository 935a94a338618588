--- A folder of templates: each mail is a folder in it with `subject.txt`, `body.html` and
-- `body.txt`; layouts and partials stand beside them.
--
-- Nothing outside the folder is read: a name has no "..", is no absolute path and holds
-- no character of a shell or file system with a meaning of its own; a symbolic link must
-- stay inside.
-- @module qqmail.template.folder

local disk = require "qqmail.disk"
local fault = require "qqmail.template.fault"
local limits = require "qqmail.template.limits"
local mail = require "qqmail.template.mail"
local parser = require "qqmail.template.parser"

local M = {}

local Folder = { __name = "qqmail.template.folder" }
Folder.__index = Folder

local FILES = { subject = "subject.txt", html = "body.html", text = "body.txt" }

local function is_name(name)
  if type(name) ~= "string" or #name > limits.name_bytes
    or not name:find("^[%w_./\128-\255-]+$") then
    return false
  end
  for part in (name .. "/"):gmatch("([^/]*)/") do
    if part == "" or part:find("^%.") then
      return false
    end
  end
  return true
end

-- --- files ------------------------------------------------------------------------

-- The second: a part of the path is a file.
local ABSENT = { ENOENT = true, ENOTDIR = true }

-- The text; nil: there is no such file.
local function read_file(self, name, lang)
  local text, code, why = disk.read(self.path .. "/" .. name, limits.template_bytes + 4, self.path)
  if text then
    return text
  elseif ABSENT[code] then
    return nil
  elseif code == "outside" then
    return nil, fault.new(lang, "template.bad_name", {
      en = "a symbolic link leads out of the folder", zh = "符号链接指向模板目录之外",
    }, { source = { name = name, text = "" } })
  end
  return nil, fault.new(lang, "template.unreadable", { en = "it cannot be read: " .. why,
    zh = "无法读取：" .. why }, { source = { name = name, text = "" } })
end

local function keep(self, name, source)
  if self.count >= limits.cached then
    self.sources, self.count = {}, 0
  end
  if not self.sources[name] then
    self.count = self.count + 1
  end
  self.sources[name] = source
end

-- A compiled template by its file; nil without an error: there is no such file.
local function load(self, name, lang)
  local known = self.sources[name]
  if known and not self.reload then
    return known
  end
  local text, err = read_file(self, name, lang)
  if not text then
    return nil, err
  elseif known and known.given == text then
    return known
  end
  local source
  source, err = parser.compile(text, name, lang)
  if not source then
    return nil, err
  end
  source.folder, source.extension = name:match("^(.*/)[^/]*$") or "", name:match("%.%a+$")
  source.given = self.reload and text or nil
  keep(self, name, source)
  return source
end

-- Beside the template that asks, then from the top; with its extension unless the name
-- has one.
local function find_partial(self, name, from, lang)
  if not is_name(name) then
    return nil, fault.new(lang, "template.bad_name", {
      en = "a partial is asked for whose name is no path inside the folder",
      zh = "引用的片段名不是模板目录内的路径",
    }, { source = { name = from.name, text = "" } })
  end
  if not name:find("%.html$") and not name:find("%.txt$") then
    name = name .. from.extension
  end
  local near = from.folder .. name
  local source, err = load(self, near, lang)
  if not source and not err and near ~= name then
    source, err = load(self, name, lang)
    if source and not self.reload then
      keep(self, near, source)
    end
  end
  return source, err
end

-- --- mails ------------------------------------------------------------------------

local function load_parts(self, name, lang)
  local parts = {}
  for part, file in pairs(FILES) do
    local source, err = load(self, name .. "/" .. file, lang)
    if err then
      return nil, err
    end
    parts[part] = source
  end
  return next(parts) and parts, nil
end

--- The template of a mail.
-- @tparam string name of its folder, as in "welcome" or "orders/shipped"
-- @tparam ?string lang of errors
-- @treturn ?table mail, see `qqmail.template.mail`
-- @treturn ?table error: `template.not_found`, `template.bad_name` and those of compiling
function Folder:get(name, lang)
  lang = lang or self.lang
  if not is_name(name) then
    return nil, fault.new(lang, "template.bad_name", {
      en = ("%s is no path inside the folder"):format(fault.shown(name)),
      zh = ("%s 不是模板目录内的路径"):format(fault.shown(name)),
    })
  end
  local known = self.mails[name]
  if known and not self.reload then
    return known
  end
  local parts, err = load_parts(self, name, lang)
  if err then
    return nil, err
  elseif not parts then
    return nil, fault.new(lang, "template.not_found", {
      en = ("in %s there is no %s/subject.txt, body.html or body.txt")
        :format(fault.shown(self.path), fault.shown(name)),
      zh = ("%s 中没有 %s/subject.txt、body.html 或 body.txt")
        :format(fault.shown(self.path), fault.shown(name)),
    })
  end
  local made = mail.new(parts, { strict = self.strict, lang = self.lang,
    find_partial = self.find_partial })
  if self.mail_count >= limits.cached then
    self.mails, self.mail_count = {}, 0
  end
  self.mails[name], self.mail_count = made, self.mail_count + 1
  return made
end

--- Render a mail.
-- @tparam string name
-- @tparam ?table vars
-- @treturn ?table `subject`, `text`, `html`: those there are
-- @treturn ?table error
function Folder:render(name, vars)
  local found, err = self:get(name)
  if not found then
    return nil, err
  end
  return found:render(vars)
end

--- @tparam string path of the folder
-- @tparam table options `strict`, `reload`, `lang`
-- @treturn table folder
function M.new(path, options)
  local self = setmetatable({
    path = path, strict = options.strict ~= false, reload = options.reload or false,
    lang = options.lang, sources = {}, count = 0, mails = {}, mail_count = 0,
  }, Folder)
  self.find_partial = function(name, from, lang)
    return find_partial(self, name, from, lang)
  end
  return self
end

return M
