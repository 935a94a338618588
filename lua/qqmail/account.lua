--- From settings to a logged-in connection: whom to reach, how TLS is done, who
-- logs in, and which other mailers may use the same connection.
-- @module qqmail.account

local connections = require("qqmail.connection")
local core = require("qqmail.core")
local errors = require("qqmail.errors")
local failure = require("qqmail.failure")
local logins = require("qqmail.logins")
local pool = require("qqmail.pool")
local sasl = require("qqmail.sasl")

local M = {}

-- --- TLS --------------------------------------------------------------------

local ENGINE_HINT = {
  en = "Build qqmail for the OpenSSL of this process; inside nginx its own TLS can be used: "
    .. 'tls_provider = "nginx".',
  zh = '请针对本进程的 OpenSSL 重新编译 qqmail；在 nginx 内可改用其自身的 TLS：tls_provider = "nginx"。',
}

local function tls_error(settings, text, hint)
  return errors.new({ kind = "tls", code = "tls.bad_options", phase = "config",
    delivered = "no", retry = "never", lang = settings.lang,
    text = { en = "TLS cannot be set up: " .. text, zh = "无法建立 TLS 环境：" .. text },
    hint = hint })
end

-- The module links OpenSSL: loaded only when used, and where the process brings
-- another OpenSSL loading it may fail. Then `why` says how. Lua 5.1 tells the
-- reason once, and later only that there was one.
local load_failure

local function load_engine()
  local loaded, tls = pcall(require, "qqmail.tls")
  if not loaded then
    load_failure = load_failure or tostring(tls)
    return nil, load_failure
  elseif not tls.usable then
    return nil, tls.why
  end
  return tls
end

local function engine_context(settings)
  if settings.tls_context then
    return settings.tls_context
  end
  local tls, why = load_engine()
  if not tls then
    return nil, tls_error(settings, why, ENGINE_HINT)
  end
  local options = settings.tls_options
  local context, name, text = tls.context({
    ca_file = options.ca_file, ca_path = options.ca_path, verify = options.verify,
    min_version = options.min_version, cert = options.cert, key = options.key,
  })
  if not context then
    return nil, tls_error(settings, tostring(text or name))
  end
  return context
end

-- Sessions may be resumed only under the settings they were made with; the
-- context already stands for the TLS part of them.
local function session_key(settings)
  local where = settings.host or settings.socket
  return table.concat({ where, tostring(settings.port), settings.tls }, "|")
end

local function engine_filter(settings)
  local context, err = engine_context(settings)
  if not context then
    return nil, err
  end
  local server_name = settings.tls_options.server_name or settings.host
  return function()
    return context:client(server_name, session_key(settings))
  end
end

local NGINX_CA_HINT = {
  en = "nginx does TLS here: set lua_ssl_trusted_certificate and lua_ssl_verify_depth in "
    .. "nginx.conf.",
  zh = "此处由 nginx 完成 TLS：请在 nginx.conf 设置 lua_ssl_trusted_certificate 与 lua_ssl_verify_depth。",
}

-- Behind another hint. A server may offer SCRAM for accounts of which it has another
-- form of the password only, and it does not say so.
local SCRAM_HINT = {
  en = ' If they are right, the server may have no SCRAM form of this password: auth = "PLAIN".',
  zh = '若均无误，可能是服务器没有保存该密码的 SCRAM 形式：请设置 auth = "PLAIN"。',
}

-- Behind hints that speak of passwords.
local TOKEN_HINT = {
  en = " This login used a token: see that it has not expired, belongs to user and is meant for "
    .. "SMTP (its scope).",
  zh = "本次登录使用的是令牌：请确认它未过期、属于该 user，且权限（scope）包含 SMTP。",
}

-- What only the engine can do; nginx has directives for it.
local ENGINE_ONLY = { "ca_file", "ca_path", "cert", "key", "min_version" }

local function check_nginx_tls(settings)
  for _, name in ipairs(ENGINE_ONLY) do
    local key = "tls_options." .. name
    local origin = settings.origin[key]
    if origin and origin ~= "default" then
      return nil, errors.new({ kind = "config", code = "config.tls_provider", phase = "config",
        delivered = "no", retry = "never", field = key, lang = settings.lang,
        text = { en = key .. " cannot be used when nginx does TLS",
          zh = "由 nginx 完成 TLS 时不能使用 " .. key } })
    end
  end
  return { server_name = settings.tls_options.server_name or settings.host,
    verify = settings.tls_options.verify }
end

local function provider_of(settings, driver)
  if settings.tls_provider or not driver.can_tls then
    return settings.tls_provider or "engine"
  end
  return load_engine() and "engine" or "nginx"
end

-- What `connection.open` needs for TLS: two values, at most one of them not nil.
local function prepare_tls(settings, driver)
  if settings.tls == "none" then
    return nil, nil
  elseif provider_of(settings, driver) == "engine" then
    local make_filter, err = engine_filter(settings)
    return make_filter, nil, err
  elseif not driver.can_tls then
    return nil, nil, tls_error(settings, 'tls_provider = "nginx" works inside nginx only', {
      en = 'Leave tls_provider out, or set it to "engine".',
      zh = '请去掉 tls_provider，或设为 "engine"。',
    })
  end
  local driver_tls, err = check_nginx_tls(settings)
  return nil, driver_tls, err
end

--- Load what login and TLS need before it is needed, and for good: the certificates of
-- the system take some 20 ms, and those of `tls_options` may be readable for the
-- master of nginx only. As with nginx's own, a reload reads them again.
-- @tparam table settings
-- @treturn ?boolean true
-- @treturn ?table error
function M.preload(settings)
  sasl.preload(settings.auth)
  if settings.tls == "none" or settings.tls_provider == "nginx" or not load_engine() then
    return true
  end
  local err
  settings.tls_context, err = engine_context(settings)
  return settings.tls_context ~= nil or nil, err
end

-- --- login ------------------------------------------------------------------

local function session_options(settings, pace, secret)
  local is_token = settings.secret_is_token
  return {
    hostname = settings.hostname, security = settings.tls, user = settings.user,
    password = not is_token and secret or nil, token = is_token and secret or nil,
    host = settings.host, port = settings.port, certificate = settings.has_certificate_login,
    mechanisms = settings.auth, allow_plaintext_auth = settings.allow_plaintext_auth,
    pipelining = pace.pipelining, chunking = pace.chunking, window = pace.window,
    doubt_chunking = not pace.trusts_chunking,
    smtputf8 = settings.smtputf8, no_reset = settings.quirks.no_reset,
  }
end

-- Servers restart and lines break: a login that has worked is not refused by that, but
-- where a server is known to say no in this way.
local function is_known_to_work(self)
  return self.login ~= nil and not self.settings.quirks.eof_in_auth_is_auth
    and logins.has_worked(self.login)
end

local function explain(self, why, login)
  local settings, driver_tls = self.settings, self.driver_tls
  local err = failure.session(why, settings, is_known_to_work(self))
  if driver_tls and err.code == "tls.no_issuer" then
    err.hint = errors.resolve(NGINX_CA_HINT, settings.lang)
  elseif settings.secret_is_token and err.code == "auth.refused" then
    err.hint = (err.hint or "") .. errors.resolve(TOKEN_HINT, settings.lang)
  elseif login and login:may_lack_form() and err.code == "auth.refused"
    and settings.tls ~= "none" then
    err.hint = (err.hint or "") .. errors.resolve(SCRAM_HINT, settings.lang)
  end
  return err
end

-- Whoever hangs up without an answer may have done so for any reason, but for servers
-- that are known to say no in this way; from others it takes two.
local function was_refused(err, settings)
  return logins.is_refusal(err) and (err.smtp ~= nil or settings.quirks.eof_in_auth_is_auth == true)
end

-- The password and its SCRAM form are two secrets of the server: one may be refused where
-- the other is taken.
local function login_key(settings, secret)
  local where = M.name(settings)
  if sasl.knows_scram(settings.auth) then
    where = where .. " SCRAM"
  end
  return logins.key(where, settings.user, secret or "")
end

-- One refused login is not tried again by any mailer of the process until the secret
-- is another one, or a pause is over: each failure counts against the account.
local function begin_login(self)
  local settings, driver = self.settings, self.driver
  if not settings.user then
    return true
  end
  self.login = login_key(settings, self.secret)
  self.turn = logins.enter(self.login, driver, self.deadline)
  local record = logins.check(self.login, driver:now())
  if record then
    return nil, logins.error(record, settings)
  end
  return true
end

local function note_login(self, err)
  if not self.login then
    return
  elseif err and was_refused(err, self.settings) then
    logins.block(self.login, err, self.driver:now())
  elseif err and (logins.is_unanswered(err) or logins.is_refusal(err)) then
    logins.note_unanswered(self.login, err, self.driver:now())
  end
end

local function end_login(self, worked)
  if self.login then
    logins.leave(self.login, self.turn, worked)
  end
end

-- All that can be known before anything is sent.
local function prepare(self)
  local err
  self.make_filter, self.driver_tls, err = prepare_tls(self.settings, self.driver)
  if not err and not self.secret then
    self.secret, err = self.settings.secret()
  end
  if err then
    return nil, err
  end
  return begin_login(self)
end

local function connect(self, with)
  local settings = self.settings
  local has_password = settings.user and not settings.secret_is_token
  local login
  if has_password then
    settings.login_memory = settings.login_memory or sasl.memory()
    login = sasl.new(settings.user, self.secret or "", settings.login_memory)
  end
  local connection, why = connections.open(self.driver, {
    target = { host = settings.host, port = settings.port, socket = settings.socket,
      source_ip = settings.source_ip },
    spare = with.spare, session = session_options(settings, with.pace, self.secret),
    login = login, make_filter = self.make_filter, driver_tls = self.driver_tls,
    timeout = settings.timeout, deadline = self.deadline, watch = with.watch, look = with.look,
  })
  if connection then
    return connection
  end
  return nil, explain(self, why, login)
end

local function try(self, with)
  local ok, err = prepare(self)
  if not ok then
    if with.spare then
      with.spare:close()
    end
    return nil, err
  end
  local connection
  connection, err = connect(self, with)
  note_login(self, err)
  return connection, err
end

-- A token lives an hour or so, and whoever keeps it may not have noticed its end. The
-- function that gives it is told, and asked once more: another token is another login.
-- Also where it could give none when the server refused this one, a while ago; or where
-- that was another connection, which may have been given another one since.
local function fresh_token(self, err)
  local settings = self.settings
  local is_refused = err.not_tried or (err.smtp and logins.is_refusal(err))
  if not settings.secret_is_token or settings.secret_is_fixed or not is_refused then
    return nil
  end
  local token, why = nil, nil
  if err.not_tried then
    token = settings.secret()
  end
  if not token or token == self.secret then
    token, why = settings.secret(true)
  end
  if why then
    err.cause = why.cause or why.message
  end
  return token ~= self.secret and token or nil
end

-- Whoever waits for a turn with the same token comes after the fresh one is there.
local function log_in(self, with)
  local connection, err = try(self, with)
  local token = not connection and with.may_refresh and fresh_token(self, err)
  end_login(self, connection ~= nil)
  return connection, err, token
end

--- Connect and log in. A token that was refused is replaced by a fresh one and tried
-- again, once, where a function gives it; not in a check, which tries one login.
-- @tparam table settings
-- @tparam table driver
-- @tparam number deadline absolute
-- @tparam table with `pace` (see `options` of `qqmail.pace`), `spare` (a
-- fresh connection of the driver or nil), `watch`, `look` (see `connection.open`), `is_check`
-- @treturn ?table connection
-- @treturn ?table error
function M.open(settings, driver, deadline, with)
  local function attempt(secret, how)
    return log_in({ settings = settings, driver = driver, deadline = deadline, secret = secret },
      how)
  end
  local connection, err, token = attempt(nil, { pace = with.pace, spare = with.spare,
    watch = with.watch, look = with.look, may_refresh = not with.is_check })
  if not token then
    return connection, err
  end
  connection, err = attempt(token, { pace = with.pace, watch = with.watch })
  return connection, err
end

--- Wipe what logins have left for later ones.
-- @tparam table settings
function M.forget(settings)
  if settings.login_memory then
    settings.login_memory:forget()
  end
end

-- --- who may share a connection ---------------------------------------------

-- Every setting a connection depends on, the secret apart.
local KEYS = { "host", "port", "socket", "source_ip", "tls", "tls_provider", "user",
  "secret_is_token", "has_certificate_login", "allow_plaintext_auth", "hostname", "pipelining",
  "chunking", "smtputf8", "window" }
local TLS_KEYS = { "verify", "ca_file", "ca_path", "server_name", "min_version", "cert", "key" }

--- A text that is the same for settings whose connections are alike.
-- @tparam table settings
-- @treturn string
function M.key(settings)
  local parts = {}
  local function add(name, value)
    -- Lengths, so that no value can pass for a part of another one.
    local text = tostring(value)
    parts[#parts + 1] = ("%s=%d:%s"):format(name, #text, text)
  end
  for _, name in ipairs(KEYS) do
    add(name, settings[name])
  end
  for _, name in ipairs(TLS_KEYS) do
    add(name, settings.tls_options[name])
  end
  add("auth", table.concat(settings.auth or {}, ","))
  add("no_reset", settings.quirks.no_reset)
  return table.concat(parts, ";")
end

--- Who may use what was made with these settings: those with the same secret,
-- or, where a function gives the secret, nobody else.
-- @tparam table settings
-- @treturn table `owner`, `secret`
function M.lease(settings)
  local secret
  if settings.secret_is_fixed then
    secret = settings.secret() or ""
  end
  return { owner = settings, secret = secret }
end

--- Whether what belongs to one lease may be used under another.
-- @tparam table theirs
-- @tparam table ours
-- @treturn boolean
function M.may_share(theirs, ours)
  return theirs.owner == ours.owner or (theirs.secret ~= nil and theirs.secret == ours.secret)
end

--- A short name for the account: the same login at the same server.
-- @tparam table settings
-- @treturn string 16 characters, fit for a file name
function M.name(settings)
  local parts = { settings.host or "", settings.port or "", settings.socket or "",
    settings.user or "" }
  return core.hash(table.concat(parts, "|")):sub(1, 16)
end

--- How safely these settings send: what was handed over under one level is never
-- sent under a lower one.
-- @tparam table settings
-- @treturn number 0: in clear text, 1: to whoever answers, 2: to a verified server
function M.level(settings)
  if settings.tls == "none" then
    return 0
  end
  return settings.tls_options.verify and 2 or 1
end

--- The pool for these settings under a driver.
-- @tparam table settings
-- @tparam table driver
-- @treturn table see `qqmail.pool`
function M.pool(settings, driver)
  if not driver.shares_connections then
    return pool.new(settings.pool)
  end
  return pool.shared(settings.pool, M.key(settings), M.lease(settings), M.may_share)
end

return M
