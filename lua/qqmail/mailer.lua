--- A mailer: settings, accounts with their connections, and one result for each
-- message.
-- @classmod qqmail.mailer

local config = require("qqmail.config")
local core = require("qqmail.core")
local dispatch = require("qqmail.dispatch")
local dkim = require("qqmail.dkim")
local drivers = require("qqmail.drivers")
local errors = require("qqmail.errors")
local letter = require("qqmail.letter")
local lint_watch = require("qqmail.lint.watch")
local message = require("qqmail.message")
local net = require("qqmail.net")
local notify = require("qqmail.notify")
local reports = require("qqmail.report")
local route = require("qqmail.route")
local where = require("qqmail.where")

local M = {}

local Mailer = {}
Mailer.__index = Mailer
Mailer.__name = "qqmail.mailer"

-- --- one message ------------------------------------------------------------

local function close_routes(self, for_good)
  for _, way in ipairs(self.routes) do
    way:close(for_good)
  end
end

local function closed_error(self)
  return errors.new({ kind = "closed", code = "closed.mailer", phase = "config",
    delivered = "no", retry = "never", lang = self.settings.lang,
    text = { en = "the mailer is closed", zh = "该 mailer 已关闭" } })
end

-- Workers of nginx would get the sockets by fork.
local function leave_nothing_for_fork(self)
  if drivers.place() == "init" then
    close_routes(self)
  end
end

-- [0, 1), also where Lua's own numbers begin the same in every process.
local function random()
  local a, b, c = (core.random(3) or "\0\0\0"):byte(1, 3)
  return ((a * 256 + b) * 256 + c) / 16777216
end

local function seconds_for(self, built)
  local seconds = self.settings.timeout.total
  return math.min(seconds, built.deadline or seconds)
end

-- A built message, by whatever driver fits this moment. `patience`: seconds to
-- wait for a turn under the option `rate`; `policy`: of further tries.
local function deliver(self, built, spec, patience, policy)
  local driver, err = drivers.choose(self.settings)
  if not driver then
    return nil, err
  end
  -- Signing takes of the time: a large mail is read for it, a key may have to be fetched.
  local began = not driver.deliver and driver:now()
  local sign = dkim.signer(self.settings, driver)
  built, err = sign(built)
  if not built then
    return nil, err
  elseif driver.deliver then
    return driver:deliver(built, self)
  end
  local receipt
  -- Only another account may have to build it anew.
  local has_spares = self.routes[2] ~= nil
  local waiting = letter.new(built, has_spares and spec or built, policy, sign, has_spares)
  receipt, err = dispatch.send(self, waiting, {
    driver = driver, deadline = began + seconds_for(self, built), patience = patience,
  })
  local result = receipt or err
  result.seconds = driver:now() - began
  leave_nothing_for_fork(self)
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
  lint_watch.look(self, built)
  -- The other half of the time is for sending.
  return deliver(self, built, spec, self.settings.timeout.total / 2, self.settings.retry)
end

-- What the outbox needs of a mailer: it may go on when the mailer is closed.
local function agent_of(self)
  return {
    settings = self.settings,
    send = function(built) -- the outbox has a policy of its own
      return deliver(self, built, built, 0, false)
    end,
    tell = function(receipt, err)
      self.report:tell(receipt, err)
    end,
    warn = function(text, retry)
      self.report:note(retry and "retry" or "warning", text, retry)
    end,
    alarm = function(text, retry)
      self.report:note(retry and "retry" or "warning", text, retry, "error")
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
  self.report:tell(receipt, err)
  return receipt, err
end

--- Send many messages: over up to `pool.max` connections, several under way on each
-- where the server allows (see `window`). One that fails never stops the others.
-- @tparam table|function messages a list, or a function that gives the next message
-- and nil at the end
-- @tparam ?table options `on_result` (receipt, err, message, index): called for each
-- as it comes; `on_progress` (table with `done`, `total`, `sent`, `failed`, `unknown`,
-- `waiting`, `seconds`, `per_second`, `left`, `is_last`), ten times a second at most;
-- `progress` = false: no bar on a terminal; `cancel`: see `qqmail.canceller`, those
-- under way are finished
-- @treturn ?table `total`, `sent`, `failed`, `unknown`, `rejected` (recipients of
-- mails that were sent), `errors` (the first 100: `index`, `err`), `seconds`, `stopped`
-- @treturn ?table error: nothing was sent
function Mailer:send_all(messages, options)
  if options == nil then
    options = {}
  end
  local batch = require("qqmail.batch")
  local misuse = batch.misuse(messages, options)
  if misuse then
    error("mailer:send_all: " .. misuse, 2)
  elseif self.closed then
    return nil, closed_error(self)
  end
  local driver
  local err = batch.unknown_option(options, self.settings.lang)
  if not err then
    driver, err = drivers.choose(self.settings)
  end
  if not driver then
    return nil, err
  end
  local summary = batch.run(self, driver, messages, options)
  leave_nothing_for_fork(self)
  return summary
end

-- Drivers that take a message at once need no outbox.
local function hand_over(self, built)
  local io = self.settings.io
  if io ~= "memory" and not (type(io) == "table" and io.file) then
    return notify.accept(self, built)
  end
  local receipt, err = deliver(self, built, built, 0, false)
  if receipt then
    self.report:tell(receipt)
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
    lint_watch.look(self, built)
    ok, err = hand_over(self, built)
  end
  if not ok then
    -- Few look at what notify answers.
    self.report:tell(nil, err)
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

--- The doctor: look at settings, code, sender, name, addresses, TLS and login, one after
-- the other, and stop where it fails. At most one login is tried; a mail is sent only
-- when asked for.
-- @tparam ?table what `to` (addresses, as of a message): ask the server about sender and
-- recipients, without a mail; `send` = true: send one mail to `to`, or to the account
-- itself; `lang` = "zh" or "en"; `account` = number of the account, 1 and those of
-- `failover`; `on_step` (step, report): called as each step ends
-- @treturn ?table report: the steps as a list of `{ name, status = "ok" | "warning" |
-- "failed" | "skipped", seconds, text, hint, help_url, code, details, notes }`; `ok`,
-- `error` (what a mail would meet), `not_reached` (names), `lang`; `tostring` prints it,
-- `report:plain()` is a table for JSON. See docs/doctor.md
-- @treturn ?table error: `what` is wrong, or the mailer is closed
function Mailer:check(what)
  if what ~= nil and type(what) ~= "table" then
    error("mailer:check: a table is expected, not a " .. type(what), 2)
  elseif self.closed then
    return nil, closed_error(self)
  end
  local report, err = require("qqmail.doctor").check(self, what or {})
  leave_nothing_for_fork(self)
  return report, err
end

local function connections_of(self)
  local used, idle = 0, 0
  for _, way in ipairs(self.routes) do
    for _, pool in pairs(way.pools) do
      local here, kept = pool:count()
      used, idle = used + here, idle + kept
    end
  end
  return { used = used, idle = idle }
end

--- Counts.
-- @treturn table `sent`, `failed`, `unknown` (results); `retries` (waits before another
-- round), `failovers`, `opened` and `reused` (connections), `hook_errors`;
-- `connections`: `used`, `idle` now; `breakers`: by account, "closed", "open",
-- "half-open" or nil; `outbox`: `accepted`, `sent`, `failed`, `dropped`, `waiting`, nil
-- before the first `notify`
function Mailer:stats()
  local out = { connections = connections_of(self), breakers = {}, outbox = notify.stats(self) }
  for name, value in pairs(self.report.counts) do
    out[name] = value
  end
  for index, way in ipairs(self.routes) do
    out.breakers[index] = way:state(net.now())
  end
  return out
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
  close_routes(self, true)
end

Mailer.__close = Mailer.close

--- Host and user; never a secret.
function Mailer:__tostring()
  local settings = self.settings
  return settings.cover:text(("qqmail.mailer (%s, user %s)"):format(
    settings.socket or where.with_port(settings.host, settings.port),
    tostring(settings.user or "none")))
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
    settings = settings, routes = {}, outbox = {}, report = reports.new(settings), random = random,
    closed = false,
  }, Mailer)
  self.agent = agent_of(self)
  self.routes[1] = route.new(settings, self.report)
  for index, other in ipairs(settings.failover or {}) do
    self.routes[index + 1] = route.new(other, self.report)
  end
  self.report:settings_warnings(settings.warnings)
  return self
end

return M
