--- What one loading of settings carries along: the layers it reads from, and
-- the settings it makes.
--
-- `layers`: list of `{ origin =, values = { key = v }, where = { key = text } }`,
-- the strongest first; keys are dotted.
-- @module qqmail.config.loader

local covers = require "qqmail.cover"
local errors = require "qqmail.errors"

local M = {}

local Loader = {}
Loader.__index = Loader

-- Where the options come from another option, the name of a key is "failover[2].host";
-- a sentence begins with it, or with "failover[2]: ".
local function place_in(self, key, sentence)
  local place = self.place
  if not place then
    return key, sentence
  end
  local begins = key ~= nil and sentence:sub(1, #key) == key
  local colon = self.lang == "zh" and "：" or ": "
  return key and place .. "." .. key or place, place .. (begins and "." or colon) .. sentence
end

--- Put the place into an error that was made elsewhere.
function Loader:placed(err)
  err.field, err.message = place_in(self, err.field, err.message)
  return err
end

function Loader:fault(code, key, text, hint)
  return nil, self:placed(errors.new {
    kind = "config", code = code, field = key, text = text, hint = hint, lang = self.lang,
  })
end

function Loader:warn(code, key, text)
  local list = self.settings.warnings
  local field, message = place_in(self, key, errors.resolve(text, self.lang))
  list[#list + 1] = { code = code, key = field, message = message }
end

-- "port (.env:3 QQMAIL_PORT) must be ...": the name, the place, and the rest.
function M.sentence(key, where, rest)
  return {
    en = key .. (where and " (" .. where .. ")" or "") .. " " .. rest.en,
    zh = key .. (where and "（" .. where .. "）" or "") .. " " .. rest.zh,
  }
end

-- The strongest layer that has the key; answers its rank too.
function Loader:find(key)
  for rank, layer in ipairs(self.layers) do
    if layer.values[key] ~= nil or (key == "password" and layer.password_file) then
      return layer, rank
    end
  end
  return nil
end

function M.set(settings, key, value, origin, where)
  local group, name = key:match("^([%w_]+)%.([%w_]+)$")
  if group then
    settings[group][name] = value
  else
    settings[key] = value
  end
  settings.origin[key], settings.where[key] = origin, where
end

-- Check one value and put it into the settings; true, or nil and the error.
function Loader:settle(entry)
  local key = entry.key
  local layer = self:find(key)
  if not layer then
    if entry.default ~= nil then
      M.set(self.settings, key, entry.default, "default")
    end
    return true
  end
  local where = layer.where[key]
  local value, why, code = entry.check(layer.values[key], entry)
  if value == nil then
    return self:fault(code or "config.invalid_value", key, M.sentence(key, where, why))
  end
  if not entry.secret and covers.is_code(value) then
    self:warn("config.looks_like_code", key, M.sentence(key, where, {
      en = "looks like an authorization code, and is shown masked: a code belongs into password",
      zh = "看起来像授权码，显示时会遮盖：授权码应写在 password 里",
    }))
  end
  if not entry.unsupported then
    M.set(self.settings, key, value, layer.origin, where)
  end
  return true
end

local function empty_settings()
  return {
    origin = {}, where = {}, warnings = {}, quirks = {},
    timeout = {}, tls_options = {}, pool = {}, outbox = {}, on = {}, retry = {}, breaker = {},
    failover = {}, rules = {},
  }
end

--- A loading that has read nothing yet.
-- @tparam table with what `config.load` was given for tests
-- @tparam function getenv
-- @tparam string lang of errors, until the settings say otherwise
-- @tparam ?string place of the options, where they stand inside another option
-- @treturn table loader
function M.new(with, getenv, lang, place)
  local env_name = getenv("QQMAIL_ENV")
  return setmetatable({
    with = with, getenv = getenv, lang = lang, place = place, layers = {},
    settings = empty_settings(), cover = covers.new(),
    env_name = env_name ~= "" and env_name or nil,
  }, Loader)
end

return M
