--- A mailer: settings, a pool of connections, and one result for each message.
-- @classmod qqmail.mailer

local account = require("qqmail.account")
local config = require("qqmail.config")
local delivery = require("qqmail.delivery")
local drivers = require("qqmail.drivers")
local errors = require("qqmail.errors")
local message = require("qqmail.message")

local M = {}

local Mailer = {}
Mailer.__index = Mailer
Mailer.__name = "qqmail.mailer"

-- --- one message ------------------------------------------------------------

-- The pool of this mailer for a driver: what one driver opened, another cannot
-- use.
local function pool_for(self, driver)
  local found = self.pools[driver]
  if not found then
    found = account.pool(self.settings, driver)
    self.pools[driver] = found
  end
  return found
end

local function send_on(self, built, pool, connection, reused, deadline)
  local receipt, err, stale = delivery.send(self.settings, built, connection, reused, deadline)
  pool:give(connection, connection.now())
  return receipt, err, stale
end

local function send_over_smtp(self, built, driver)
  local deadline = driver:now() + self.settings.timeout.total
  local pool = pool_for(self, driver)
  local connection, spare = pool:take(driver:now(), deadline)
  local receipt, err, stale
  if connection then
    receipt, err, stale = send_on(self, built, pool, connection, true, deadline)
    if receipt or not stale then
      return receipt, err
    end
  end
  connection, err = account.open(self.settings, driver, deadline, spare)
  if not connection then
    return nil, err
  end
  receipt, err = send_on(self, built, pool, connection, false, deadline)
  return receipt, err
end

local function try_once(self, built, driver)
  local receipt, err = send_over_smtp(self, built, driver)
  if err then
    err.attempts = err.attempts or 1
  end
  return receipt, err
end

-- A hook that raises must not change the result; it is counted instead.
local function call(self, hook, ...)
  if hook and not pcall(hook, ...) then
    self.hook_errors = self.hook_errors + 1
  end
end

local function tell(self, receipt, err)
  local hooks, log = self.settings.on, self.settings.log
  if receipt then
    call(self, hooks and hooks.sent, receipt)
    -- A raw message may have no Message-ID.
    call(self, log, "info", ("sent %s: %s"):format(receipt.message_id or "a message",
      receipt.reply.text))
  else
    call(self, hooks and hooks.failed, err)
    call(self, log, "error", tostring(err))
  end
end

local function closed_error(self)
  return errors.new({ kind = "closed", code = "closed.mailer", phase = "config",
    delivered = "no", retry = "never", lang = self.settings.lang,
    text = { en = "the mailer is closed", zh = "该 mailer 已关闭" } })
end

local function attempt(self, spec)
  if self.closed then
    return nil, closed_error(self)
  end
  local driver, err = drivers.choose(self.settings)
  if not driver then
    return nil, err
  end
  local built
  built, err = message.new(spec, self.settings)
  if not built then
    return nil, err
  end
  if driver.deliver then
    return driver:deliver(built, self)
  end
  return try_once(self, built, driver)
end

--- Send one message and wait for the server's verdict.
-- @tparam table spec the message; see the README, or a built `qqmail.message`
-- @treturn ?table receipt
-- @treturn ?table error
function Mailer:send(spec)
  if type(spec) ~= "table" then
    error("mailer:send: a message table is expected, not a " .. type(spec), 2)
  end
  local receipt, err = attempt(self, spec)
  tell(self, receipt, err)
  return receipt, err
end

--- Close the connections. Sending afterwards is an error. A mailer that is
-- only forgotten closes them too, without saying QUIT: sockets, TLS and
-- sessions each clean up after themselves.
function Mailer:close()
  self.closed = true
  for _, pool in pairs(self.pools) do
    pool:close()
  end
end

Mailer.__close = Mailer.close

--- Host and user; never a secret.
function Mailer:__tostring()
  local settings = self.settings
  return ("qqmail.mailer (%s:%s, user %s)"):format(tostring(settings.host or settings.socket),
    tostring(settings.port), tostring(settings.user or "none"))
end

--- A mailer from options. No traffic yet.
-- @tparam table|string options see the README; a string is a connection URL
-- @treturn ?table mailer
-- @treturn ?table error
function M.new(options)
  local settings, err = config.load(options)
  if not settings then
    return nil, err
  end
  local self = setmetatable({
    settings = settings, pools = {}, outbox = {}, hook_errors = 0, closed = false,
  }, Mailer)
  for _, warning in ipairs(settings.warnings) do
    call(self, settings.log, "warning", warning.message)
  end
  return self
end

return M
