--- Templates: Mustache, and nothing that runs code.
--
-- The whole Mustache specification with inheritance and dynamic names, without lambdas:
-- variables are data, and a function among them is an error. A variable that is missing
-- is an error, too, which says where; `strict = false` writes nothing in its place.
-- @module qqmail.template

local errors = require "qqmail.errors"
local fault = require "qqmail.template.fault"
local folders = require "qqmail.template.folder"
local mail = require "qqmail.template.mail"
local parser = require "qqmail.template.parser"
local renderer = require "qqmail.template.renderer"
local suggest = require "qqmail.suggest"

local M = {}

local Template = { __name = "qqmail.template" }
Template.__index = Template

--- What a template may cost at most, see `qqmail.template.limits`.
M.limits = require "qqmail.template.limits"

-- --- options ----------------------------------------------------------------------

local function unknown_option(key, lang, names)
  local name, meant = fault.shown(key), suggest.closest(key, names)
  return errors.new({ kind = "config", code = "config.unknown_option", field = name, lang = lang,
    text = {
      en = ('template: unknown option "%s"'):format(name)
        .. (meant and ('; did you mean "%s"?'):format(meant) or ""),
      zh = ('template：未知选项 "%s"'):format(name)
        .. (meant and ('，是否想写 "%s"？'):format(meant) or ""),
    } })
end

local TYPES = { name = "string", strict = "boolean", reload = "boolean", partials = "table" }

local function check_value(key, value)
  if TYPES[key] then
    return type(value) == TYPES[key], "a " .. TYPES[key]
  elseif key == "escape" then
    return value == "html" or value == "none", '"html" or "none"'
  end
  return value == "zh" or value == "en", '"zh" or "en"'
end

local function check_options(who, options, names)
  if options == nil then
    return {}
  elseif type(options) ~= "table" then
    error(who .. ": options must be a table, not a " .. type(options), 3)
  end
  local known = {}
  for _, name in ipairs(names) do
    known[name] = true
  end
  for key, value in pairs(options) do
    if not known[key] then
      return nil, unknown_option(key, rawget(options, "lang"), names)
    end
    local is_right, wanted = check_value(key, value)
    if not is_right then
      error(("%s: %s must be %s"):format(who, key, wanted), 3)
    end
  end
  return options
end

-- --- one text ---------------------------------------------------------------------

local DATA = { table = true, string = true, number = true, boolean = true }

local function is_template(value)
  return type(value) == "table" and getmetatable(value) == Template
end

-- A function that finds partials in tables of texts and templates. Texts of the template's
-- own table are compiled once.
local function finder(own, compiled, given)
  local made = {}
  return function(name, _, lang)
    local from_call = given and rawget(given, name)
    local value, cache = from_call, made
    if value == nil then
      value, cache = own and rawget(own, name), compiled
    end
    if value == nil then
      return nil
    elseif is_template(value) then
      return value.source
    elseif type(value) ~= "string" then
      return nil, fault.new(lang, "template.bad_value", {
        en = ("the partial %s is a %s; a text or a template is expected")
          :format(fault.shown(name), type(value)),
        zh = ("片段 %s 的类型是 %s；应为文本或模板"):format(fault.shown(name), type(value)),
      })
    end
    local err
    if not cache[name] then
      cache[name], err = parser.compile(value, name, lang)
    end
    return cache[name], err
  end
end

--- Compile a template.
-- @tparam string text UTF-8
-- @tparam ?table options `name` ("template"), for errors; `escape` ("html", or "none");
-- `strict` (true); `partials`: table of texts or templates by name; `lang` of errors
-- @treturn ?table template with `render(vars[, partials])`
-- @treturn ?table error: `template.syntax` with `line` and `column`, `template.bad_utf8`,
-- `template.limit`
function M.compile(text, options)
  if type(text) ~= "string" then
    error("qqmail.template.compile: a string is expected, not a " .. type(text), 2)
  end
  local checked, err = check_options("qqmail.template.compile", options,
    { "name", "escape", "strict", "partials", "lang" })
  local source
  if checked then
    source, err = parser.compile(text, checked.name or "template", checked.lang)
  end
  if not source then
    return nil, err
  end
  return setmetatable({ source = source, escapes = checked.escape ~= "none",
    strict = checked.strict ~= false, partials = checked.partials, lang = checked.lang,
    compiled = {} }, Template)
end

--- Render it.
-- @param vars what the template is about: a table, or a string, number or boolean for
-- `{{.}}`. Plain data throughout; metatables are ignored
-- @tparam ?table partials texts or templates by name, before those of `compile`
-- @treturn ?string text
-- @treturn ?table error: `template.missing_variable`, `template.missing_partial`,
-- `template.bad_value`, `template.limit`, with `template`, `line`, `column`
function Template:render(vars, partials)
  if vars ~= nil and not DATA[type(vars)] then
    error("template:render: vars must be a table, not a " .. type(vars), 2)
  elseif partials ~= nil and type(partials) ~= "table" then
    error("template:render: partials must be a table, not a " .. type(partials), 2)
  end
  if vars == nil then
    vars = {}
  end
  return renderer.render(self.source, vars, { escapes = self.escapes, strict = self.strict,
    lang = self.lang, find_partial = finder(self.partials, self.compiled, partials) })
end

--- Compile and render at once.
-- @tparam string text
-- @tparam ?table vars
-- @tparam ?table options of `compile`
-- @treturn ?string text
-- @treturn ?table error
function M.render(text, vars, options)
  local template, err = M.compile(text, options)
  if not template then
    return nil, err
  end
  return template:render(vars)
end

-- --- whole mails ------------------------------------------------------------------

--- A folder of templates; nothing is read yet.
-- @tparam string path
-- @tparam ?table options `strict` (true); `reload` (false): look at the files each time,
-- for development; `lang`
-- @treturn ?table folder with `get(name)` and `render(name, vars)`
-- @treturn ?table error
function M.folder(path, options)
  if type(path) ~= "string" or path == "" then
    error("qqmail.template.folder: a path is expected", 2)
  end
  local checked, err = check_options("qqmail.template.folder", options,
    { "strict", "reload", "lang" })
  return checked and folders.new(path, checked), err
end

--- The template of a mail from strings, for those that are kept elsewhere than in files.
-- @tparam table parts `subject`, `text`, `html`: strings
-- @tparam ?table options `partials`, `strict`, `lang` as of `compile`
-- @treturn ?table template for the field `template` of a message; `render(vars)` answers
-- `{ subject =, text =, html = }`
-- @treturn ?table error
function M.mail(parts, options)
  if type(parts) ~= "table" then
    error("qqmail.template.mail: a table is expected, not a " .. type(parts), 2)
  end
  local checked, err = check_options("qqmail.template.mail", options,
    { "partials", "strict", "lang" })
  if not checked then
    return nil, err
  end
  local sources = {}
  for key, text in pairs(parts) do
    if key ~= "subject" and key ~= "text" and key ~= "html" then
      return nil, unknown_option(key, checked.lang, mail.parts)
    elseif type(text) ~= "string" then
      error(("qqmail.template.mail: %s must be a string, not a %s"):format(key, type(text)), 2)
    end
    sources[key], err = parser.compile(text, key, checked.lang)
    if not sources[key] then
      return nil, err
    end
  end
  return mail.new(sources, { strict = checked.strict ~= false, lang = checked.lang,
    find_partial = finder(checked.partials, {}) })
end

return M
