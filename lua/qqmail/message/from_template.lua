--- The fields `template` and `vars` of a message: subject, text and HTML out of a
-- template, compiled once however many messages are made of it.
-- @module qqmail.message.from_template

local fault = require "qqmail.message.fault"
local template_fault = require "qqmail.template.fault"

local M = {}

-- A program has one folder, or a few.
local FOLDERS_MAX = 100

local folders, count = {}, 0

local function folder_of(path)
  if not folders[path] then
    if count >= FOLDERS_MAX then
      folders, count = {}, 0
    end
    folders[path], count = require("qqmail.template").folder(path), count + 1
  end
  return folders[path]
end

-- With the option `templates` a name never leads out of that folder. Without it there are
-- paths, which say so: they begin with "/", "./" or "../"; what stands beside the last
-- folder of one are its partials and layouts.
local function by_name(lang, name, root)
  if root then
    return folder_of(root):get(name, lang)
  end
  local folder, last = name:match("^(%.?%.?/.-)/*([^/]+)/*$")
  if not folder then
    return nil, template_fault.new(lang, "template.no_folder", {
      en = ('where is "%s"? the option templates is not set'):format(template_fault.shown(name)),
      zh = ('找不到 "%s"：未设置选项 templates'):format(template_fault.shown(name)),
    })
  end
  return folder_of(folder):get(last, lang)
end

local function find(lang, given, root)
  if type(given) == "string" then
    return by_name(lang, given, root)
  elseif require("qqmail.template.mail").is(given) then
    return given
  end
  return nil, fault.type(lang, "template", {
    en = "a name, a path or what template.mail or folder:get answered",
    zh = "名称、路径，或 template.mail、folder:get 的返回值",
  }, given)
end

local function check(lang, spec)
  local vars, charset = spec.vars, spec.charset
  if spec.template == nil then
    return nil, fault.new(lang, "message.bad_value", "vars", {
      en = "has no use without template", zh = "需要与 template 一起使用",
    })
  elseif vars ~= nil and type(vars) ~= "table" then
    return nil, fault.type(lang, "vars", { en = "a table", zh = "表" }, vars)
  elseif charset ~= nil and not (type(charset) == "string"
    and charset:lower():find("^utf%-?8$")) then
    return nil, fault.new(lang, "message.bad_value", "charset", {
      en = "must be utf-8 together with template: templates and vars are UTF-8",
      zh = "与 template 同用时必须是 utf-8：模板与变量均为 UTF-8",
    })
  end
  return true
end

local function fill(lang, spec, root)
  local ok, err = check(lang, spec)
  local found, parts
  if ok then
    found, err = find(lang, spec.template, root)
  end
  if found then
    parts, err = require("qqmail.template.mail").render(found, spec.vars or {}, lang,
      function(part) return spec[part] == nil end)
  end
  if not parts then
    return nil, err
  end
  for key, value in pairs(spec) do
    if key ~= "template" and key ~= "vars" then
      parts[key] = value
    end
  end
  return parts
end

--- The message with the parts of its template in place; one without a template is answered
-- as it is. A field that the message has itself is not taken from the template.
-- @tparam ?string lang
-- @tparam table spec the user's table
-- @tparam ?string root the option `templates`
-- @treturn ?table spec without `template` and `vars`
-- @treturn ?table error
function M.apply(lang, spec, root)
  if spec.template == nil and spec.vars == nil then
    return spec
  end
  return fill(lang, spec, root)
end

return M
