--- Where settings come from: options, URL, environment, files.
-- @module qqmail.config.layers

local dotenv = require "qqmail.dotenv"
local base = require "qqmail.config.loader"
local options = require "qqmail.options"
local suggest = require "qqmail.suggest"
local url = require "qqmail.url"
local validate = require "qqmail.validate"

local PASSWORD_FILE = "QQMAIL_PASSWORD_FILE"

local M = {}

local function unknown_text(key, meant)
  return {
    en = ('unknown option "%s"'):format(key)
      .. (meant and ('; did you mean "%s"?'):format(meant) or ""),
    zh = ('未知选项 "%s"'):format(key) .. (meant and ('，是否想写 "%s"？'):format(meant) or ""),
  }
end

local function new_layer(origin)
  return { origin = origin, values = {}, where = {} }
end

local function put(layer, key, value, where)
  layer.values[key], layer.where[key] = value, where
end

local function unknown(self, key, names, prefix)
  if type(key) ~= "string" then
    return self:fault("config.unknown_option", nil, {
      en = "options are named: there is no option " .. tostring(key),
      zh = "选项必须有名字：没有选项 " .. tostring(key),
    })
  end
  local meant = suggest.closest(key, names)
  meant = meant and prefix .. meant or options.translate(key)
  return self:fault("config.unknown_option", prefix .. key, unknown_text(prefix .. key, meant))
end

local DEFAULT_FAILURES = 5

-- A group's one value that may stand for the whole. `values`: what a value is
-- short for, where it is not itself.
local SHORT = {
  timeout = { key = "timeout.total", type = { number = true } },
  outbox = { key = "outbox.dir", type = { string = true, boolean = true } },
  retry = { key = "retry.attempts", type = { boolean = true },
    values = { [false] = 1, [true] = options.by_key["retry.attempts"].default } },
  breaker = { key = "breaker.failures", type = { boolean = true },
    values = { [false] = 0, [true] = DEFAULT_FAILURES } },
}

-- What a group may be, with an example of its first name.
local function group_text(group)
  local example = (" { %s = ... }"):format(options.groups[group][1])
  local types = SHORT[group] and SHORT[group].type or {}
  return {
    en = "must be a table, such as" .. example .. (types.boolean and ", or true or false" or "")
      .. (types.number and ", or a number" or ""),
    zh = "必须是表，如" .. example .. (types.boolean and "，或 true、false" or "")
      .. (types.number and "，或数字" or ""),
  }
end

local function read_group(self, layer, group, given)
  local short = SHORT[group]
  if short and short.type[type(given)] then
    put(layer, short.key, short.values and short.values[given] or given)
    return true
  end
  if type(given) ~= "table" then
    return self:fault("config.invalid_value", group, base.sentence(group, nil, group_text(group)))
  end
  for name, value in pairs(given) do
    local key = type(name) == "string" and group .. "." .. name
    if not key or not options.by_key[key] then
      return unknown(self, name, options.groups[group], group .. ".")
    end
    put(layer, key, value)
  end
  if group == "breaker" and given.failures == nil then
    -- Who says how to pause wants a breaker.
    put(layer, "breaker.failures", DEFAULT_FAILURES)
  end
  return true
end

local function read_options(self, given)
  local layer = new_layer("option")
  for key, value in pairs(given) do
    local ok, err = true, nil
    if options.groups[key] then
      ok, err = read_group(self, layer, key, value)
    elseif type(key) == "string" and options.by_key[key] and not key:find(".", 1, true) then
      put(layer, key, value)
    else
      ok, err = unknown(self, key, options.top, "")
    end
    if not ok then
      return nil, err
    end
  end
  return layer
end

-- Numbers look after themselves; the rest of the strings is turned here.
local BOOLEANS = {
  ["true"] = true, ["1"] = true, yes = true, on = true,
  ["false"] = false, ["0"] = false, no = false, off = false,
}

local function from_string(entry, text)
  if entry.check == validate.boolean then
    local value = BOOLEANS[text:lower()]
    if value == nil then
      return text
    end
    return value
  end
  return text
end

-- What a layer's url says goes into a layer of its own behind it.
local function read_url(self, layer)
  local text, where = layer.values.url, layer.where.url
  if text == nil then
    return true
  end
  if type(text) ~= "string" then
    return self:fault("config.invalid_value", "url", base.sentence("url", where, {
      en = "must be a text", zh = "必须是文本",
    }))
  end
  local parts, err = url.parse(text, options.query, self.lang)
  if not parts then
    return nil, self:placed(err)
  end
  local own = new_layer("url")
  where = where or "url"
  for _, key in ipairs { "tls", "host", "port", "user", "password" } do
    put(own, key, parts[key], where)
  end
  for key, value in pairs(parts.options) do
    put(own, key, from_string(options.by_key[key], value), where)
  end
  self.layers[#self.layers + 1] = own
  return true
end

local function add(self, layer)
  self.layers[#self.layers + 1] = layer
  return read_url(self, layer)
end

-- Variables of one place, by a function that gives a name's value. An empty
-- variable counts as absent: container files cannot unset one.
local function read_variables(self, origin, get, where)
  local layer = new_layer(origin)
  for name, entry in pairs(options.by_env) do
    local value = get(name)
    if value ~= nil and value ~= "" then
      self.cover:learn_variable(name, value)
      put(layer, entry.key, from_string(entry, value), where(name))
    end
  end
  local path = get(PASSWORD_FILE)
  if path ~= nil and path ~= "" then
    self.cover:learn_variable(PASSWORD_FILE, path)
    if layer.values.password ~= nil then
      return self:fault("config.contradiction", "password", {
        en = "QQMAIL_PASSWORD and QQMAIL_PASSWORD_FILE are both set; keep one of them",
        zh = "QQMAIL_PASSWORD 与 QQMAIL_PASSWORD_FILE 同时设置，请只保留一个",
      })
    end
    layer.password_file = path
    layer.where.password = where(PASSWORD_FILE)
  end
  return add(self, layer)
end

local function our_names()
  local names = { PASSWORD_FILE, "QQMAIL_ENV" }
  for _, entry in ipairs(options.list) do
    names[#names + 1] = entry.env
  end
  return names
end

-- True when the file holds settings of ours; warns of names we do not know.
local function look_at_names(self, path, vars, info)
  local ours = false
  for name, value in pairs(vars) do
    if name:sub(1, 7) == "QQMAIL_" then
      ours = true
      self.cover:learn_variable(name, value)
      if not options.by_env[name] and name ~= PASSWORD_FILE then
        local meant = suggest.closest(name, our_names())
        self:warn("config.unknown_variable", name, {
          en = ("%s:%d: %s is not read"):format(path, info.lines[name], name)
            .. (meant and meant ~= name and (", did you mean %s?"):format(meant) or ""),
          zh = ("%s 第 %d 行：不会读取 %s"):format(path, info.lines[name], name)
            .. (meant and meant ~= name and ("，是否想写 %s？"):format(meant) or ""),
        })
      end
    end
  end
  return ours
end

local function check_public(self, path)
  local text = {
    en = path .. " can be read by everybody on this machine; run chmod 600 " .. path,
    zh = "本机任何用户都能读取 " .. path .. "；请执行 chmod 600 " .. path,
  }
  if self.env_name == "production" then
    return self:fault("config.public_file", nil, text)
  end
  self:warn("config.public_file", nil, text)
  return true
end

local function read_file(self, name)
  local path = self.with.dir and self.with.dir .. "/" .. name or name
  local vars, info = dotenv.load(path, self.with, self.lang)
  if not vars then
    if info then
      return nil, info
    end
    return true
  end
  for _, warning in ipairs(info.warnings) do
    table.insert(self.settings.warnings, warning)
  end
  local ours = look_at_names(self, path, vars, info)
  if ours and info.public then
    local ok, err = check_public(self, path)
    if not ok then
      return nil, err
    end
  end
  return read_variables(self, "file", function(key)
    return vars[key]
  end, function(key)
    return ("%s:%d %s"):format(path, info.lines[key], key)
  end)
end

local function read_files(self)
  local names = { ".env.local", ".env" }
  local env_name = self.env_name
  if env_name then
    self.cover:learn(env_name)
    if not env_name:find("^[%w_-]+$") then
      return self:fault("config.invalid_value", "QQMAIL_ENV", {
        en = "QQMAIL_ENV must be a name of letters, digits, hyphens and underscores",
        zh = "QQMAIL_ENV 只能包含字母、数字、连字符和下划线",
      })
    end
    names = { ".env." .. env_name .. ".local", ".env." .. env_name, ".env.local", ".env" }
    if env_name == "local" then
      names = { ".env.local.local", ".env.local", ".env" }
    end
  end
  for _, name in ipairs(names) do
    local ok, err = read_file(self, name)
    if not ok then
      return nil, err
    end
  end
  return true
end

--- What relative paths count from, `.env` first of all: inside nginx not the
-- working directory, which is "/" as soon as nginx runs in the background.
-- @treturn ?string nil: the working directory
function M.home()
  local ngx = rawget(_G, "ngx")
  if type(ngx) == "table" and ngx.config and ngx.config.prefix then
    return (ngx.config.prefix():gsub("(.)/+$", "%1"))
  end
  return nil
end

M.DEFAULT_FAILURES = DEFAULT_FAILURES

--- Read options, and the URL among them, alone.
-- @tparam table self loader
-- @tparam table given options
-- @treturn ?boolean true
-- @treturn ?table the error
function M.read_options(self, given)
  local layer, err = read_options(self, given)
  if not layer then
    return nil, err
  end
  return add(self, layer)
end

--- Read everything there is to read.
-- @tparam table self loader
-- @tparam table given options
-- @treturn ?boolean true
-- @treturn ?table the error
function M.gather(self, given)
  local ok, err = M.read_options(self, given)
  if ok then
    ok, err = read_variables(self, "env", self.getenv, function(name)
      return name
    end)
  end
  if ok then
    ok, err = read_files(self)
  end
  return ok, err
end

return M
