--- Settings: from options, the environment, `.env` files, presets and defaults
-- to one checked table.
--
-- The first that says something wins: options, the options' `url`, process
-- environment, `.env.<QQMAIL_ENV>.local`, `.env.<QQMAIL_ENV>`, `.env.local`,
-- `.env`, preset, default. The rows are in `qqmail.options`.
-- @module qqmail.config

local base = require "qqmail.config.loader"
local covers = require "qqmail.cover"
local errors = require "qqmail.errors"
local failover = require "qqmail.config.failover"
local layers = require "qqmail.config.layers"
local login = require "qqmail.config.login"
local options = require "qqmail.options"
local providers = require "qqmail.providers"
local server = require "qqmail.config.server"
local validate = require "qqmail.validate"
local where = require "qqmail.where"

local M = {}

-- These are settled by a step of their own.
local BY_HAND = {
  url = true, provider = true, user = true, host = true, port = true, tls = true,
  password = true, token = true, auth = true, window = true, lang = true, failover = true,
  rules = true, dkim = true, smime = true,
}

local function settle_others(self)
  for _, entry in ipairs(options.list) do
    if not BY_HAND[entry.key] then
      local ok, err = self:settle(entry)
      if not ok then
        return nil, err
      end
    end
  end
  return true
end

-- --- Sender -----------------------------------------------------------------

local function check_user_provider(self)
  local settings, preset = self.settings, self.settings.provider
  local home = settings.user and providers.by_address(settings.user)
  if preset and home and preset ~= home and preset.from_policy == "login" then
    self:warn("config.user_provider", "user", {
      en = ("%s is an address of %s, but the server is %s of %s"):format(settings.user,
        home.name.en, settings.host, preset.name.en),
      zh = ("%s 属于%s，但服务器 %s 属于%s"):format(settings.user, home.name.zh, settings.host,
        preset.name.zh),
    })
  end
end

local function settle_from(self)
  local settings, preset = self.settings, self.settings.provider
  local user = settings.user
  local strict = preset ~= nil and preset.from_policy == "login"
  if settings.from == nil then
    if validate.address_of(user) then
      base.set(settings, "from", user, settings.origin.user, settings.where.user)
    elseif strict and user then
      return self:fault("config.from_required", "from", {
        en = ("user %s is no address, so from is needed"):format(user),
        zh = ("user %s 不是邮箱地址，因此必须指定 from"):format(user),
      })
    end
    return true
  end
  local address = validate.address_of(settings.from)
  if strict and address and validate.address_of(user) and address:lower() ~= user:lower() then
    self:warn("config.from_differs", "from", {
      en = ("%s takes mail only from the login address; from is %s, user is %s")
        :format(preset.name.en, address, user),
      zh = ("%s只接受登录账号作为发件人；from 为 %s，user 为 %s")
        :format(preset.name.zh, address, user),
    })
  end
  return true
end

-- --- The rest ---------------------------------------------------------------

local function settle_window(self)
  local preset = self.settings.provider
  if not self:find("window") and preset and preset.quirks.window then
    base.set(self.settings, "window", preset.quirks.window, "preset", preset.key)
    return true
  end
  return self:settle(options.by_key.window)
end

local function settle_tls_options(self)
  local tls_options = self.settings.tls_options
  if tls_options.key and not tls_options.cert then
    return self:fault("config.contradiction", "tls_options.key", {
      en = "tls_options.key needs tls_options.cert",
      zh = "tls_options.key 需要同时给出 tls_options.cert",
    })
  end
  local host = self.settings.host
  if not tls_options.server_name and host then
    -- A name that ends in a dot is the same name, but no certificate has it so.
    base.set(self.settings, "tls_options.server_name", (host:gsub("%.$", "")), "default")
  end
  if not tls_options.server_name and self.settings.tls ~= "none" and tls_options.verify then
    return self:fault("config.no_server_name", "tls_options.server_name", {
      en = "TLS over a socket needs tls_options.server_name, the name in the certificate",
      zh = "通过套接字使用 TLS 时必须给出 tls_options.server_name（证书中的名字）",
    })
  end
  if tls_options.verify == false then
    self:warn("config.verify_off", "tls_options.verify", {
      en = "certificates are not checked: anybody on the way can read the password",
      zh = "未校验证书：中间人可以读到密码",
    })
  end
  return true
end

-- What a policy says when it is off, for showing the settings.
local OFF = { ["retry.attempts"] = 1, ["breaker.failures"] = 0 }

-- Doubling cannot lead to less than it begins with; only who gives one of the two can
-- make it so.
local function check_retry(self)
  local policy = self.settings.retry
  if policy.base <= policy.cap then
    return true
  end
  return self:fault("config.contradiction", "retry.base", {
    en = ("retry.base (%g s) is more than retry.cap (%g s): raise the cap or lower the base")
      :format(policy.base, policy.cap),
    zh = ("retry.base（%g 秒）大于 retry.cap（%g 秒）：请调大 retry.cap 或调小 retry.base")
      :format(policy.base, policy.cap),
  })
end

-- `settings.retry` and `settings.breaker` are false or a whole table.
local function settle_policies(self)
  local settings = self.settings
  local ok, err = check_retry(self)
  if not ok then
    return nil, err
  end
  if settings.retry.attempts == 1 then
    settings.retry = false
  end
  local has_others = self.place ~= nil or #settings.failover > 0
  if settings.breaker.failures == nil and has_others then
    base.set(settings, "breaker.failures", layers.DEFAULT_FAILURES, "default")
  end
  if (settings.breaker.failures or 0) == 0 then
    settings.breaker = false
  end
  return true
end

local function settle_timeouts(self)
  for _, name in ipairs(options.groups.timeout) do
    if self.settings.timeout[name] > 3600 then
      self:warn("config.long_timeout", "timeout." .. name, {
        en = ("timeout.%s is more than an hour; times are in seconds"):format(name),
        zh = ("timeout.%s 超过一小时；时间单位是秒"):format(name),
      })
    end
  end
  return true
end

local function copy(from)
  local out = {}
  for key, value in pairs(from or {}) do
    out[key] = value
  end
  return out
end

-- Inside nginx nobody is there to look at a result: what goes wrong is told to
-- error.log when no `log` is given.
local function nginx_log()
  local ngx = rawget(_G, "ngx")
  if type(ngx) ~= "table" or type(ngx.log) ~= "function" then
    return nil
  end
  local levels = { error = ngx.ERR, warning = ngx.WARN, info = ngx.INFO, debug = ngx.DEBUG }
  return function(level, text)
    ngx.log(levels[level] or ngx.INFO, "qqmail: ", (text:gsub("^qqmail: ", "")))
  end
end

local function finish(self)
  local settings, preset = self.settings, self.settings.provider
  settings.quirks = copy(preset and preset.quirks)
  settings.size_limit = preset and preset.size_limit or nil
  if settings.log == nil then
    settings.log = nginx_log()
  end
  settings.lang, settings.cover = self.lang, self.cover
  settings.origin.lang = self.lang_origin
  if preset and not settings.origin.provider then
    settings.origin.provider = "preset"
  end
  return settings
end

-- The language of our own errors is needed before anything is read.
local function first_lang(given, getenv)
  for _, value in ipairs { given.lang or "", getenv("QQMAIL_LANG") or "" } do
    local lang = validate.lang(value, options.by_key.lang)
    if lang then
      return lang
    end
  end
  return errors.lang()
end

local function settle_lang(self)
  local ok, err = self:settle(options.by_key.lang)
  if not ok then
    return nil, err
  end
  self.lang = self.settings.lang or errors.lang()
  self.lang_origin = self.settings.origin.lang or "default"
  return true
end

-- Its modules are loaded where it is used: the options are documented without the core.
local function settle_smime(self)
  local settings = self.settings
  local ok, err = self:settle(options.by_key.smime)
  if not ok then
    return nil, err
  elseif settings.smime then
    settings.smime, err = require("qqmail.smime").prepare(self.lang, settings.smime)
    return settings.smime ~= nil, err
  end
  settings.smime = nil
  return true
end

-- They need the catalogue of all errors, which is large.
local function settle_rules(self)
  if not self:find("rules") then
    self.settings.rules = {}
    return true
  end
  return require("qqmail.config.rules").settle(self)
end

-- Loaded when used: it needs the core, and the options are documented without one.
local function settle_dkim(self)
  if not self:find("dkim") then
    return true
  end
  return require("qqmail.config.dkim").settle(self)
end

local STEPS = {
  settle_lang, server.settle, settle_others, login.settle, settle_window, settle_tls_options,
  settle_timeouts, settle_from, settle_dkim, settle_smime, settle_rules, failover.settle,
  settle_policies,
}

-- The layers are read.
local function run(loader)
  for _, step in ipairs(STEPS) do
    local ok, err = step(loader, run)
    if not ok then
      return nil, err
    end
  end
  check_user_provider(loader)
  return finish(loader)
end

local CODE_HINT = {
  en = "What is masked looks like an authorization code: it belongs into password.",
  zh = "被遮盖的内容像是授权码：它应写在 password 里。",
}

-- Whatever is said of settings may quote them, and a secret may stand anywhere in them.
local function mended(cover, err)
  local before = err.message
  cover:mend(err)
  if err.message ~= before then
    local gap = err.lang == "zh" and "" or " "
    err.hint = errors.resolve(CODE_HINT, err.lang) .. gap .. err.hint
  end
  return err
end

--- Settings from options and everything that stands behind them.
--
-- The result is a plain table with the names of the options (`host`, `port`,
-- `tls`, `user`, `timeout.connect`, ...) and: `provider` (the preset or nil),
-- `auth` (list, the first is tried first), `secret` (a function: the password or
-- token of this moment, or `nil, err`; nil alone when there is no login),
-- `secret_is_token`, `cover` (see `qqmail.cover`), `quirks`, `size_limit`, `warnings`
-- (list of `{ code, key, message }`), `origin` and `where` (by dotted key). `retry` and
-- `breaker` are false or a table, `failover` is a list of such settings. No secret is
-- in it.
-- @tparam ?table|string given options, or a connection URL
-- @tparam ?table with for tests: `getenv`, `read_file`, `mode`, `dir`
-- @treturn ?table settings
-- @treturn ?table the error
function M.load(given, with)
  if type(given) == "string" then
    given = { url = given }
  end
  if given ~= nil and type(given) ~= "table" then
    error("options must be a table or a connection URL, got " .. type(given), 2)
  end
  given, with = given or {}, with or { dir = layers.home() }
  local getenv = with.getenv or os.getenv
  local loader = base.new(with, getenv, first_lang(given, getenv))
  loader.cover:learn_all(given)
  local settings
  local ok, err = layers.gather(loader, given)
  if ok then
    settings, err = run(loader)
  end
  if not settings then
    return nil, mended(loader.cover, err)
  end
  loader.cover:mend(settings.warnings)
  return settings
end

-- --- Showing ----------------------------------------------------------------

local function shown(value)
  if type(value) == "function" then
    return "function"
  end
  if type(value) == "table" then
    local parts = {}
    for i, item in ipairs(value) do
      parts[i] = tostring(item)
    end
    if #parts == 0 and next(value) ~= nil then
      local is_mailbox = type(value.name) == "string" and type(value.address) == "string"
      return is_mailbox and value.name .. " <" .. value.address .. ">" or "table"
    end
    return table.concat(parts, ", ")
  end
  return tostring(value)
end

local description = {
  __tostring = function(list)
    local lines = {}
    for i, item in ipairs(list) do
      lines[i] = ("%-26s %-30s %s%s"):format(item.key, shown(item.value), item.origin,
        item.where and " (" .. item.where .. ")" or "")
    end
    for _, warning in ipairs(list.warnings) do
      lines[#lines + 1] = "! " .. warning.message
    end
    return table.concat(lines, "\n")
  end,
}

-- "10001@qq.com at smtp.qq.com:465"
local function account_names(accounts)
  local out = {}
  for i, account in ipairs(accounts) do
    local place = account.socket or where.with_port(account.host, account.port)
    out[i] = (account.user and account.user .. " at " or "") .. place
  end
  return out
end

local function signature_names(list)
  local out = {}
  for i, entry in ipairs(list or {}) do
    out[i] = require("qqmail.config.dkim").shown(entry)
  end
  return out[1] and out or nil
end

local function value_of(settings, key)
  local group, name = key:match("^([%w_]+)%.([%w_]+)$")
  if group and not settings[group] then
    return OFF[key]
  elseif group then
    return settings[group][name]
  elseif key == "failover" then
    return account_names(settings.failover)
  elseif key == "dkim" then
    return signature_names(settings.dkim)
  end
  if key == "provider" then
    return settings.provider and settings.provider.key
  end
  if key == "dsn" and settings.dsn ~= nil then
    return require("qqmail.dsn").describe(settings.dsn)
  end
  return settings[key]
end

--- What the settings are and where each comes from, safe to print.
-- @tparam table settings from `load`
-- @treturn table list of `{ key =, value =, origin =, where = }` in the order of the
-- documentation, and each of them under its key; secrets are "******"; `warnings` is
-- the list of the settings
function M.describe(settings)
  local list = { warnings = settings.warnings }
  for _, entry in ipairs(options.list) do
    local key = entry.key
    local value = value_of(settings, key)
    if entry.secret then
      value = settings.origin[key] and covers.MASK or nil
    end
    if value ~= nil and settings.origin[key] then
      local item = {
        key = key, value = settings.cover:shown(value),
        origin = settings.origin[key], where = settings.where[key],
      }
      list[#list + 1], list[key] = item, item
    end
  end
  return setmetatable(list, description)
end

local function show_default(entry)
  if entry.default == nil then
    return ""
  end
  return "`" .. tostring(entry.default) .. "`"
end

--- The options as a Markdown table, made from the rows that check them.
-- @tparam ?string lang "en" or "zh"
-- @treturn string
function M.reference(lang)
  local zh = errors.resolve({ en = "en", zh = "zh" }, lang) == "zh"
  local lines = {
    zh and "| 选项 | 环境变量 | 默认 | 含义 |" or "| option | variable | default | meaning |",
    "|---|---|---|---|",
  }
  for _, entry in ipairs(options.list) do
    local doc = errors.resolve(entry.doc, lang)
    if entry.unsupported then
      doc = doc .. (zh and "（当前版本尚不支持）" or " (not in this version)")
    end
    lines[#lines + 1] = ("| `%s` | %s | %s | %s |"):format(entry.key,
      entry.env and "`" .. entry.env .. "`" or "", show_default(entry), doc)
  end
  return table.concat(lines, "\n") .. "\n"
end

return M
