--- Which server: user, provider, host, port and TLS mode.
-- @module qqmail.config.server

local base = require "qqmail.config.loader"
local options = require "qqmail.options"
local providers = require "qqmail.providers"
local suggest = require "qqmail.suggest"
local validate = require "qqmail.validate"

local IMPLICIT_PORTS = { [465] = true, [994] = true, [2465] = true }
local CLEAR_START_PORTS = { [25] = true, [587] = true, [2587] = true }
local DEFAULT_PORTS = { implicit = 465, starttls = 587, none = 25 }

local M = {}

local function trim(text)
  local first = text:find("%S") or #text + 1
  local last = #text
  while last > first and text:find("^%s", last) do
    last = last - 1
  end
  return text:sub(first, last)
end

-- Blanks and line ends around a user name are a slip that can be mended.
local function trim_user(self)
  local layer = self:find("user")
  local given = layer and layer.values.user
  if type(given) ~= "string" then
    return
  end
  local bare = trim(given)
  if bare ~= given then
    layer.values.user = bare
    self:warn("config.user_blanks", "user", base.sentence("user", layer.where.user, {
      en = "had blanks around it, which were dropped", zh = "前后有空白，已去掉",
    }))
  end
end

local function settle_user(self)
  trim_user(self)
  local ok, err = self:settle(options.by_key.user)
  local user = self.settings.user
  if ok and user and user:find("%s") and not user:find('"', 1, true) then
    local where = self.settings.where.user
    return self:fault("config.bad_character", "user", base.sentence("user", where, {
      en = "has a blank in it", zh = "中间有空格",
    }))
  end
  return ok, err
end

local function settle_provider(self)
  local settings = self.settings
  local ok, err = self:settle(options.by_key.provider)
  if ok then
    ok, err = self:settle(options.by_key.host)
  end
  if not ok then
    return nil, err
  end
  local key = settings.provider
  settings.provider = nil
  if key then
    local preset = providers.get(key:lower())
    if not preset then
      local meant = suggest.closest(key, providers.keys())
      return self:fault("config.unknown_provider", "provider", {
        en = ('there is no provider "%s"'):format(key)
          .. (meant and ('; did you mean "%s"?'):format(meant) or "; give host and port instead"),
        zh = ('没有服务商预设 "%s"'):format(key)
          .. (meant and ('，是否想写 "%s"？'):format(meant) or "；请改用 host 和 port"),
      })
    end
    settings.provider = preset
  elseif settings.host then
    settings.provider = providers.by_host(settings.host)
  elseif not self:find("socket") then
    local from = self:find("from")
    local address = settings.user or (from and validate.address_of(from.values.from))
    settings.provider = address and providers.by_address(address)
  end
  return true
end

-- A provider that was asked for by name, and a host from a weaker place that is
-- none of its own: most likely two accounts got mixed.
local function check_mixed(self)
  local settings = self.settings
  local _, provider_rank = self:find("provider")
  local _, host_rank = self:find("host")
  if provider_rank and host_rank and host_rank > provider_rank
    and providers.by_host(settings.host) ~= settings.provider then
    self:warn("config.provider_host", "host", base.sentence("host", settings.where.host, {
      en = ("is %s, which is no server of provider %s"):format(settings.host,
        settings.provider.key),
      zh = ("是 %s，不属于服务商 %s"):format(settings.host, settings.provider.key),
    }))
  end
end

local NO_HOST_HINT = {
  en = 'Give provider = "qq", or host, or url, or QQMAIL_PROVIDER, QQMAIL_HOST or QQMAIL_URL. '
    .. "A .env file is read from the working directory, inside nginx from its prefix; workers of "
    .. "nginx see only variables named by its env directive (init_by_lua sees all), and cron "
    .. "none of the shell's.",
  zh = '请设置 provider = "qq"、host 或 url，或环境变量 QQMAIL_PROVIDER、QQMAIL_HOST、QQMAIL_URL。'
    .. ".env 从当前目录读取（nginx 内为其 prefix）；nginx 工作进程只能看到 env 指令列出的变量"
    .. "（init_by_lua 可见全部），cron 不继承 shell 变量。",
}

-- Environment and files say nothing about an account of `failover`.
local NO_HOST_THERE = {
  en = 'Give the account a provider (such as "qq"), a host, or write it as a URL.',
  zh = '请为该账号设置 provider（如 "qq"）或 host，或写成 URL。',
}

local function settle_host(self)
  local settings, preset = self.settings, self.settings.provider
  if settings.host or self:find("socket") then
    if preset and settings.host then
      check_mixed(self)
    end
    return true
  end
  if preset and preset.host then
    base.set(settings, "host", preset.host, "preset", preset.key)
    return true
  end
  if preset then
    return self:fault("config.no_host", "host", {
      en = ("provider %s needs host: %s"):format(preset.key, preset.host_form),
      zh = ("服务商 %s 需要指定 host：%s"):format(preset.key, preset.host_form),
    })
  end
  local user = settings.user
  return self:fault("config.no_host", "host", {
    en = user and ("no SMTP server: none is known for %s"):format(user)
      or "no SMTP server: neither provider nor host nor user is set",
    zh = user and ("没有 SMTP 服务器：无法由 %s 推断"):format(user)
      or "没有 SMTP 服务器：provider、host、user 均未设置",
  }, self.place == nil and NO_HOST_HINT or NO_HOST_THERE)
end

local function preset_port(preset, index, wanted)
  for _, pair in ipairs(preset and preset.ports or {}) do
    if wanted == nil or pair[index] == wanted then
      return pair
    end
  end
  return nil
end

local function tls_of_port(port)
  return IMPLICIT_PORTS[port] and "implicit" or "starttls"
end

-- Whatever of port and tls is missing follows from the other.
local function derive_port_and_tls(self)
  local settings, preset = self.settings, self.settings.provider
  local origin = preset and "preset" or "default"
  local name = preset and preset.key or nil
  if settings.port and not settings.tls then
    local pair = preset_port(preset, 1, settings.port)
    -- Clear text is never a guess, except where a preset means only that.
    base.set(settings, "tls", pair and pair[2] or tls_of_port(settings.port),
      pair and origin or "default", pair and name)
  elseif settings.tls and not settings.port then
    local pair = preset_port(preset, 2, settings.tls)
    base.set(settings, "port", pair and pair[1] or DEFAULT_PORTS[settings.tls],
      pair and origin or "default", pair and name)
  elseif not settings.port then
    local pair = preset_port(preset) or { 465, "implicit" }
    if settings.socket then
      pair = { 25, "starttls" }
    end
    base.set(settings, "port", pair[1], origin, name)
    base.set(settings, "tls", pair[2], origin, name)
  end
end

--- How the servers at a port speak, where everybody agrees.
-- @tparam ?number port
-- @treturn ?string "implicit" or "starttls"
function M.usual_tls(port)
  return IMPLICIT_PORTS[port] and "implicit" or (CLEAR_START_PORTS[port] and "starttls" or nil)
end

local function check_port_and_tls(self)
  local port, tls = self.settings.port, self.settings.tls
  if self.settings.socket then
    return true
  end
  if IMPLICIT_PORTS[port] and tls ~= "implicit" then
    return self:fault("config.port_tls", "tls", {
      en = ('port %d speaks TLS from the first byte, but tls is "%s"'):format(port, tls),
      zh = ('%d 端口从首字节起就是 TLS，但 tls 为 "%s"'):format(port, tls),
    }, {
      en = 'Set tls = "implicit", or use port 587 for STARTTLS.',
      zh = '请设 tls = "implicit"；若要 STARTTLS 请改用 587 端口。',
    })
  end
  if CLEAR_START_PORTS[port] and tls == "implicit" then
    return self:fault("config.port_tls", "tls", {
      en = ('port %d begins in clear text, but tls is "implicit"'):format(port),
      zh = ('%d 端口以明文开始，但 tls 为 "implicit"'):format(port),
    }, {
      en = 'Set tls = "starttls", or use port 465.', zh = '请设 tls = "starttls"，或改用 465 端口。',
    })
  end
  return true
end

local function settle_connection(self)
  local ok, err = settle_host(self)
  for _, key in ipairs { "socket", "port", "tls" } do
    if ok then
      ok, err = self:settle(options.by_key[key])
    end
  end
  if not ok then
    return nil, err
  end
  derive_port_and_tls(self)
  return check_port_and_tls(self)
end

--- Settle user, provider, host, port and tls.
-- @tparam table self loader
-- @treturn ?boolean true
-- @treturn ?table the error
function M.settle(self)
  local ok, err = settle_user(self)
  if ok then
    ok, err = settle_provider(self)
  end
  if ok then
    ok, err = settle_connection(self)
  end
  return ok, err
end

return M
