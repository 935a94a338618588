--- A mailer: settings, a pool of connections, and one result for each message.
-- @classmod qqmail.mailer

local account = require("qqmail.account")
local config = require("qqmail.config")
local delivery = require("qqmail.delivery")
local drivers = require("qqmail.drivers")
local errors = require("qqmail.errors")
local message = require("qqmail.message")
local notify = require("qqmail.notify")
local turn = require("qqmail.turn")

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

local function close_pools(self)
  for _, pool in pairs(self.pools) do
    pool:close()
  end
  self.pools = {}
end

local function send_on(self, built, pool, connection, reused, deadline)
  local receipt, err, stale = delivery.send(self.settings, built, connection, reused, deadline)
  pool:give(connection, connection.now())
  return receipt, err, stale
end

local function send_over_smtp(self, built, driver, deadline)
  local timeout, now = self.settings.timeout, driver:now()
  local pool = pool_for(self, driver)
  local connection, spare = pool:take(now, math.min(deadline, now + timeout.connect))
  local receipt, err, stale
  if connection then
    connection.timeout = timeout -- it may be another mailer's
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

-- A built message, by whatever driver fits this moment. `patience`: seconds to
-- wait for a turn under the option `rate`.
local function deliver(self, built, patience)
  local driver, err = drivers.choose(self.settings)
  if not driver then
    return nil, err
  elseif driver.deliver then
    return driver:deliver(built, self)
  end
  local deadline = driver:now() + self.settings.timeout.total
  local ok, receipt
  ok, err = turn.wait(self.settings, driver, patience)
  if ok then
    receipt, err = send_over_smtp(self, built, driver, deadline)
  end
  if drivers.place() == "init" then
    -- Workers would get the socket by fork.
    close_pools(self)
  end
  if err then
    err.attempts = err.attempts or 1
  end
  return receipt, err
end

local function build(self, spec)
  if self.closed then
    return nil, closed_error(self)
  end
  return message.new(spec, self.settings)
end

local function attempt(self, spec)
  local driver, err = drivers.choose(self.settings)
  local built
  if driver or self.closed then
    built, err = build(self, spec)
  end
  if not built then
    return nil, err
  end
  -- The other half of the time is for sending.
  return deliver(self, built, self.settings.timeout.total / 2)
end

-- What the outbox needs of a mailer: it may go on when the mailer is closed.
local function agent_of(self)
  return {
    settings = self.settings,
    send = function(built)
      return deliver(self, built, 0)
    end,
    tell = function(receipt, err)
      tell(self, receipt, err)
    end,
    warn = function(text)
      call(self, self.settings.log, "warning", text)
    end,
    alarm = function(text)
      call(self, self.settings.log, "error", text)
    end,
  }
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

-- Drivers that take a message at once need no outbox.
local function hand_over(self, built)
  local io = self.settings.io
  if io ~= "memory" and not (type(io) == "table" and io.file) then
    return notify.accept(self, built)
  end
  local receipt, err = deliver(self, built, 0)
  if receipt then
    tell(self, receipt)
  end
  return receipt, err
end

--- Hand one message over and return at once: in nginx in every phase that can
-- start a timer, log_by_lua included. It is sent by the worker itself; outside
-- nginx by `flush` or `close`. What becomes of it is told to `on.sent`,
-- `on.failed` and `log`, a refusal by this call as well.
--
-- What fails for now is tried again, with the same Message-ID: a receiver may
-- get a mail twice, where the server took it and could not say so.
-- @tparam table spec the message, as of `send`
-- @treturn ?string its Message-ID (true for a raw message without one)
-- @treturn ?table error: the message is wrong, or the outbox is full
function Mailer:notify(spec)
  if type(spec) ~= "table" then
    error("mailer:notify: a message table is expected, not a " .. type(spec), 2)
  end
  local built, err = build(self, spec)
  local ok
  if built then
    ok, err = hand_over(self, built)
  end
  if not ok then
    -- Few look at what notify answers.
    tell(self, nil, err)
    return nil, err
  end
  return built.id or true
end

--- Wait until all that was handed over has its verdict.
-- @tparam ?number seconds at most; default: `timeout.total`
-- @treturn ?table `sent`, `failed`: mails since the call; `waiting`: 0
-- @treturn ?table error, with the same fields
function Mailer:flush(seconds)
  if seconds ~= nil and type(seconds) ~= "number" then
    error("mailer:flush: a number of seconds is expected, not a " .. type(seconds), 2)
  elseif self.closed then
    return nil, closed_error(self)
  end
  return notify.flush(self, seconds or self.settings.timeout.total)
end

--- Look in the outbox for mails that a former process left, and go on looking:
-- for `init_worker_by_lua`. Without it a worker looks when it first notifies.
-- @treturn ?boolean true
-- @treturn ?table error
function Mailer:start()
  if self.closed then
    return nil, closed_error(self)
  end
  return notify.start(self)
end

--- Counts.
-- @treturn table `hook_errors`; `outbox`: `accepted`, `sent`, `failed`,
-- `dropped`, `waiting`, nil before the first `notify`
function Mailer:stats()
  return { hook_errors = self.hook_errors, outbox = notify.stats(self) }
end

--- Close the connections, after sending what was handed over. Sending afterwards
-- is an error. Inside nginx the outbox and the connections belong to the worker
-- and go on. A mailer that is only forgotten closes its connections too, without
-- saying QUIT: sockets, TLS and sessions each clean up after themselves.
function Mailer:close()
  if not self.closed then
    self.closed = true
    notify.close(self)
  end
  close_pools(self)
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
  self.agent = agent_of(self)
  for _, warning in ipairs(settings.warnings) do
    call(self, settings.log, "warning", warning.message)
  end
  return self
end

return M
