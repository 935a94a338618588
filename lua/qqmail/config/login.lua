--- How to log in: password or token, and the mechanisms.
-- @module qqmail.config.login

local base = require "qqmail.config.loader"
local callback = require "qqmail.callback"
local covers = require "qqmail.cover"
local dotenv = require "qqmail.dotenv"
local errors = require "qqmail.errors"
local options = require "qqmail.options"
local secret = require "qqmail.secret"
local validate = require "qqmail.validate"

local PASSWORD_FILE_CAP = 16384

-- What a mechanism logs in with; the others with a password.
local NEEDS = { XOAUTH2 = "token", OAUTHBEARER = "token", EXTERNAL = "certificate" }

-- By strength, which is how the session chooses.
local DEFAULTS = {
  token = { "XOAUTH2", "OAUTHBEARER" },
  password = { "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN",
    "LOGIN", "CRAM-MD5" },
}

local M = {}

local function read_password_file(self, path, where)
  local text, reason = (self.with.read_file or dotenv.read_file)(path, PASSWORD_FILE_CAP)
  if not text then
    return self:fault("config.password_file", "password", base.sentence("password", where, {
      en = ("cannot be read from %s: %s"):format(path, tostring(reason or "no such file")),
      zh = ("无法从 %s 读取：%s"):format(path, tostring(reason or "文件不存在")),
    }))
  end
  if #text > PASSWORD_FILE_CAP then
    return self:fault("config.password_file", "password", base.sentence("password", where, {
      en = "names a file that is too large for a password", zh = "指向的文件过大，不像是密码",
    }))
  end
  -- A line end at the end of a file is how files are; no warning.
  return (text:gsub("[\r\n]*$", "", 1))
end

local function mechanisms_of(kind, list)
  local out = {}
  for _, name in ipairs(list) do
    if (NEEDS[name] or "password") == kind then
      out[#out + 1] = name
    end
  end
  return out
end

-- "token" or "password", whichever was given in the stronger place; of two in
-- one place, the one the first mechanism of `auth` takes, else the token. The
-- certificate of the client has to be asked for.
local function secret_kind(self)
  local first = self.settings.auth and self.settings.auth[1]
  if first and NEEDS[first] == "certificate" then
    return "certificate"
  end
  local password, password_rank = self:find("password")
  local token, token_rank = self:find("token")
  if not password or not token then
    return (token and "token") or (password and "password") or nil
  end
  if first then
    return NEEDS[first] or "password"
  end
  return password_rank < token_rank and "password" or "token"
end

local function settle_auth(self, kind)
  local settings = self.settings
  local asked = settings.auth
  if not kind then
    if not asked then
      base.set(settings, "auth", {}, "default")
    end
    return true
  end
  if asked then
    settings.auth = mechanisms_of(kind, asked)
    if #settings.auth == 0 then
      local other = kind == "token" and "password" or "token"
      return self:fault("config.contradiction", "auth", base.sentence("auth", settings.where.auth, {
        en = ("%s needs a %s, but only a %s was given"):format(asked[1], other, kind),
        zh = ("%s 需要 %s，但只给了 %s"):format(asked[1], other, kind),
      }))
    end
    return true
  end
  local preset = settings.provider
  local list = preset and mechanisms_of(kind, preset.auth) or {}
  if #list > 0 then
    base.set(settings, "auth", list, "preset", preset.key)
    return true
  end
  if preset and kind == "password" then
    self:warn("config.password_refused", "password", {
      en = preset.name.en .. ": " .. preset.hint.en, zh = preset.name.zh .. "：" .. preset.hint.zh,
    })
  end
  local default = {}
  for i, name in ipairs(DEFAULTS[kind]) do
    default[i] = name
  end
  base.set(settings, "auth", default, "default")
  return true
end

-- The function behind settings.secret(). What was given stays an upvalue here,
-- out of reach of anything that walks or prints the settings.
local function secret_reader(self, given, key, shape)
  local lang, cover = self.lang, self.cover
  local function fail(code, text)
    return nil, errors.new {
      kind = "config", code = code, field = key, lang = lang, text = text,
    }
  end
  return function(is_refused)
    local ran, value, reason = true, given, nil
    if type(given) == "function" and is_refused then
      ran, value, reason = callback.call(given, true)
    elseif type(given) == "function" then
      -- With no argument at all: io.read is such a function.
      ran, value, reason = callback.call(given)
    end
    if not ran then
      -- What it raised may hold the secret: it is not shown.
      return fail("config.secret_function", {
        en = ("the %s function raised an error"):format(key),
        zh = ("%s 函数抛出了错误"):format(key),
      })
    elseif type(value) ~= "string" then
      local _, err = fail("config.secret_function", {
        en = ("the %s function returned %s in place of a text"):format(key, type(value)),
        zh = ("%s 函数返回了 %s 而不是文本"):format(key, type(value)),
      })
      -- What a program says of its own, such as "the vault is locked".
      err.cause = type(reason) == "string" and covers.shown(reason) or nil
      return nil, err
    end
    if value ~= given then
      cover:learn_latest(given, value)
    end
    local text, why = secret.clean(value, shape)
    if not text then
      return fail(why.code, base.sentence(key, nil, why))
    end
    return text
  end
end

local function check_secret(self, given, key, shape, where)
  if type(given) ~= "string" then
    return true
  end
  local text, found = secret.clean(given, shape)
  if not text then
    return self:fault(found.code, key, base.sentence(key, where, found))
  end
  for _, warning in ipairs(found) do
    local preset = self.settings.provider
    local rest = base.sentence(key, where, warning)
    if warning.code == "config.not_a_code" then
      rest = { en = rest.en .. ". " .. preset.hint.en, zh = rest.zh .. "。" .. preset.hint.zh }
    end
    self:warn(warning.code, key, rest)
  end
  return true
end

local function need_login(self)
  local settings = self.settings
  local preset = settings.provider
  local hint = preset and preset.hint or nil
  if settings.user and (not preset or not preset.anonymous) then
    return self:fault("config.no_password", "password", {
      en = ("no password for %s"):format(settings.user),
      zh = ("没有 %s 的密码或授权码"):format(settings.user),
    }, hint)
  end
  if preset and not preset.anonymous then
    return self:fault("config.no_user", "user", {
      en = ("%s needs user and password"):format(preset.name.en),
      zh = ("%s需要 user 和 password"):format(preset.name.zh),
    }, hint)
  end
  return true
end

local function check_plaintext(self)
  local settings = self.settings
  if settings.tls ~= "none" or settings.allow_plaintext_auth then
    return true
  end
  return self:fault("config.plaintext_auth", "tls", {
    en = 'tls = "none" would send the password in clear text',
    zh = 'tls = "none" 会以明文发送密码',
  })
end

-- The user of a login: given, or the fixed one of the preset.
local function need_user(self, kind)
  local settings = self.settings
  local preset = settings.provider
  if not settings.user and preset and preset.login then
    base.set(settings, "user", preset.login, "preset", preset.key)
  end
  if settings.user then
    return true
  end
  return self:fault("config.no_user", "user", {
    en = ("a %s is given, but no user"):format(kind), zh = ("给了 %s 但没有 user"):format(kind),
  })
end

-- What was given as the secret: text or a function.
local function given_secret(self, kind, layer)
  local where, given = layer.where[kind], layer.values[kind]
  if kind == "password" and layer.password_file then
    local text, err = read_password_file(self, layer.password_file, where)
    if not text then
      return nil, err
    end
    given = text
    self.cover:learn_secret(text)
  end
  local value, why = validate.secret(given)
  if value == nil then
    return self:fault("config.invalid_value", kind, base.sentence(kind, where, why))
  end
  return given
end

local function no_secret()
  return nil
end

-- EXTERNAL: the server knows us by the certificate; `user` may say as whom.
local function settle_certificate(self)
  local settings = self.settings
  if settings.tls == "none" or not settings.tls_options.cert then
    return self:fault("config.contradiction", "auth", base.sentence("auth", settings.where.auth, {
      en = "EXTERNAL needs TLS and a certificate of the client (tls_options.cert)",
      zh = "EXTERNAL 需要 TLS 与客户端证书（tls_options.cert）",
    }))
  end
  settings.has_certificate_login = true
  return settle_auth(self, "certificate")
end

--- Settle password, token and mechanisms, and make `settings.secret`.
-- @tparam table self loader
-- @treturn ?boolean true
-- @treturn ?table the error
function M.settle(self)
  local settings = self.settings
  local preset = settings.provider
  local ok, err = self:settle(options.by_key.auth)
  if not ok then
    return nil, err
  end
  local kind = secret_kind(self)
  settings.secret, settings.secret_is_token = no_secret, kind == "token"
  settings.secret_is_fixed = true
  if not kind then
    ok, err = need_login(self)
    return ok and settle_auth(self, nil), err
  elseif kind == "certificate" then
    return settle_certificate(self)
  end
  local layer = self:find(kind)
  local given
  given, err = given_secret(self, kind, layer)
  ok = given ~= nil
  if ok then
    ok, err = need_user(self, kind)
  end
  local shape = kind == "password" and preset and preset.code_shape or nil
  if ok then
    ok, err = check_secret(self, given, kind, shape, layer.where[kind])
  end
  if ok then
    ok, err = check_plaintext(self)
  end
  if not ok then
    return nil, err
  end
  settings.secret = secret_reader(self, given, kind, shape)
  settings.secret_is_fixed = type(given) == "string"
  settings.origin[kind], settings.where[kind] = layer.origin, layer.where[kind]
  return settle_auth(self, kind)
end

return M
