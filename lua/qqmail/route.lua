--- One account of a mailer as a way out: connections under each driver, a breaker,
-- a rate, and one try of a letter.
-- @module qqmail.route

local account = require("qqmail.account")
local breaker = require("qqmail.breaker")
local delivery = require("qqmail.delivery")
local errors = require("qqmail.errors")
local retry = require("qqmail.retry")
local transcript = require("qqmail.transcript")
local turn = require("qqmail.turn")

local M = {}

local Route = {}
Route.__index = Route

-- Where a server stumbles over what it offers, a try goes on with less: at most
-- without BDAT, without a window, without PIPELINING.
local STEPS = 4

-- The account is broken or not for all mailers of a process. One that is thrown
-- away begins anew: many accounts, each seldom used, must not fill the memory.
local breakers, breaker_count = {}, 0
local MOST_BREAKERS = 1000

local function breaker_of(settings)
  local options = settings.breaker
  if not options then
    return nil
  end
  local name = ("%s:%s/%s"):format(account.name(settings), options.failures, options.pause)
  if not breakers[name] then
    if breaker_count >= MOST_BREAKERS then
      breakers, breaker_count = {}, 0
    end
    breakers[name], breaker_count = breaker.new(options), breaker_count + 1
  end
  return breakers[name]
end

--- @tparam table settings of the account
-- @tparam table report of the mailer, see `qqmail.report`
-- @treturn table
function M.new(settings, report)
  return setmetatable({
    settings = settings, report = report, watch = report:watcher(settings), pools = {},
    breaker = breaker_of(settings),
  }, Route)
end

--- The pool for a driver: what one driver opened, another cannot use.
-- @tparam table driver
-- @treturn table see `qqmail.pool`
function Route:pool(driver)
  local found = self.pools[driver]
  if not found then
    found = account.pool(self.settings, driver)
    found.closed = self.is_closed == true and not driver.shares_connections
    self.pools[driver] = found
  end
  return found
end

--- Close what is kept. Pools in use stay: who holds a place there gives it back to
-- those who wait for it. What mailers share is kept all the same.
-- @tparam ?boolean for_good nothing is to be kept any more
function Route:close(for_good)
  self.is_closed = for_good == true
  for driver, pool in pairs(self.pools) do
    pool:close()
    if driver.shares_connections or pool:count() == 0 then
      self.pools[driver] = nil
    end
  end
  account.forget(self.settings)
end

-- --- whether to try at all ------------------------------------------------------

-- Whose error it is: of several accounts another one may have sent.
local function put_name(self, err)
  local settings = self.settings
  err.host, err.port = settings.host or settings.socket, settings.port
  err.account = settings.user
end

local function open_error(self, seconds)
  local err = errors.new({ kind = "closed", code = "closed.breaker", phase = "connect",
    delivered = "no", retry = "later", retry_after = seconds, lang = self.settings.lang,
    text = { en = ("%s failed several times and is left alone for %.0f s")
      :format(self.settings.host or self.settings.socket, seconds),
      zh = ("%s 连续失败，%.0f 秒内不再尝试")
        :format(self.settings.host or self.settings.socket, seconds) } })
  put_name(self, err)
  return transcript.hand_on(err, self.breaker.cause)
end

--- Whether the breaker lets a try through. Who was let through reports with `judge`.
-- @tparam number now the driver's clock
-- @treturn ?boolean true
-- @treturn ?table error
function Route:admit(now)
  if not self.breaker then
    return true
  end
  local ok, seconds = self.breaker:allow(now)
  if ok then
    return true
  end
  return nil, open_error(self, seconds)
end

--- Tell the breaker how a try ended.
-- @tparam ?table err nil: a message was taken; gets `host`, `port`, `account`
-- @tparam number now
function Route:judge(err, now)
  if err then
    put_name(self, err)
  end
  if not self.breaker then
    return
  end
  if err and select(2, retry.is_of_account(err)) then
    self.breaker:failure(now, { code = err.code, transcript = transcript.tail(err.transcript) })
  elseif err == nil or err.smtp then
    self.breaker:success()
  else
    self:pass()
  end
end

--- A try that was let through came to no verdict.
function Route:pass()
  if self.breaker then
    self.breaker:release()
  end
end

--- Whether the breaker of this account is open now.
-- @tparam number now
-- @treturn ?string "closed", "open" or "half-open"; nil without a breaker
function Route:state(now)
  return self.breaker and self.breaker:state(now)
end

-- --- connections ------------------------------------------------------------------

local function no_place(self)
  return errors.new({ kind = "limit", code = "limit.connections", phase = "connect",
    delivered = "no", retry = "later", lang = self.settings.lang,
    transcript = transcript.remark(("no connection came free (pool.max = %d)")
      :format(self.settings.pool.max)),
    text = { en = ("all %d connections are in use"):format(self.settings.pool.max),
      zh = ("%d 个连接都在使用中"):format(self.settings.pool.max) } })
end

--- Wait for the right to hold one connection.
-- @tparam table driver
-- @tparam number deadline absolute
-- @treturn ?table place
-- @treturn ?table error of kind `limit`
function Route:enter(driver, deadline)
  local place = self:pool(driver):enter(driver, deadline)
  if place then
    return place
  end
  return nil, no_place(self)
end

--- A kept connection, when there is one that can be used.
-- @tparam table driver
-- @tparam number deadline absolute
-- @treturn ?table connection
-- @treturn ?table a fresh connection of the driver, to be given to `open`
function Route:take(driver, deadline)
  local now = driver:now()
  local timeout = self.settings.timeout
  local connection, spare = self:pool(driver):take(now, math.min(deadline, now + timeout.connect))
  if connection then
    self.report.counts.reused = self.report.counts.reused + 1
    -- It may have been another mailer's.
    connection.timeout, connection.watch = timeout, self.watch
    self.size_limit = connection:capabilities().size_limit
  end
  return connection, spare
end

--- Connect and log in. A place is held meanwhile.
-- @tparam table driver
-- @tparam number deadline absolute
-- @tparam ?table spare
-- @tparam ?function look see `connection.open`; a check's, which tries one login at most
-- @treturn ?table connection
-- @treturn ?table error
function Route:open(driver, deadline, spare, look)
  local pool = self:pool(driver)
  pool:make_room()
  local connection, err = account.open(self.settings, driver, deadline, {
    spare = spare, pace = pool:pace():options(self.settings), watch = self.watch,
    look = look, is_check = look ~= nil,
  })
  if connection then
    self.report:connected(self.settings, connection)
    self.size_limit = connection:capabilities().size_limit
  end
  return connection, err
end

-- A message went out with less than was asked for, as `dsn.soft` allows. It will be so
-- with each: the log has it once.
local function tell_without_reports(self, job)
  if self.told_of_reports then
    return
  end
  self.told_of_reports = true
  self.report:note("warning", ("%s was sent without: %s does not offer delivery reports (DSN)")
    :format(job.message.id or "a message", self.settings.host or self.settings.socket),
    { message_id = job.message.id, code = "message.dsn_not_offered", key = "dsn" })
end

--- What the way a message went, or failed to go, says about the server.
-- @tparam table driver
-- @tparam table job with its outcome
-- @treturn boolean true: what was not taken may be sent again at once, more slowly
function Route:learn(driver, job)
  local pace = self:pool(driver):pace()
  if job.outcome.type == "delivered" then
    if job.has_reports == false then
      tell_without_reports(self, job)
    end
    pace:worked({ pipelining = job.pipelined, window = job.followed, chunking = job.chunked })
    return false
  end
  return pace:failed(job.outcome) and not job.outcome.handed_over
end

-- --- one try ------------------------------------------------------------------------

local function send_on(self, letter, built, driver, connection, reused, deadline)
  local receipt, err, job = delivery.send(self.settings, built, letter.to, connection, reused,
    deadline)
  local slower = job ~= nil and self:learn(driver, job)
  if slower then
    -- Whoever got it next would stumble as we did.
    connection:quit()
  else
    self:pool(driver):give(connection, connection.now())
  end
  local again = slower or (job ~= nil and not receipt and reused and delivery.was_unread(job))
  return receipt, err, again
end

-- With a place held.
local function exchange(self, letter, built, driver, deadline)
  local receipt, err, again
  local connection, spare = self:take(driver, deadline)
  local reused = connection ~= nil
  for _ = 1, STEPS do
    if not connection then
      connection, err = self:open(driver, deadline, spare)
      spare = nil
    end
    if not connection then
      return nil, err
    end
    receipt, err, again = send_on(self, letter, built, driver, connection, reused, deadline)
    if receipt or not again then
      return receipt, err
    end
    connection, reused = nil, false
  end
  return nil, err
end

local function try(self, letter, built, driver, deadline)
  local place, err = self:enter(driver, deadline)
  if not place then
    return nil, err
  end
  letter.tries = letter.tries + 1
  local receipt
  receipt, err = exchange(self, letter, built, driver, deadline)
  self:pool(driver):leave(place)
  return receipt, err
end

--- Try to deliver a letter once.
-- @tparam table letter see `qqmail.letter`
-- @tparam table options `driver`, `deadline` (absolute), `patience` (seconds to wait
--   for a turn under `rate`), `pause` (see `turn.wait`), `is_first` (whether the letter
--   was built for this account)
-- @treturn ?table receipt
-- @treturn ?table error
function Route:try(letter, options)
  local driver = options.driver
  local built, err = letter:built_for(self.settings, options.is_first)
  local ok = built ~= nil
  if ok then
    ok, err = self:admit(driver:now())
  end
  if not ok then
    return nil, err
  end
  local receipt
  ok, err = turn.wait(self.settings, driver,
    math.min(options.patience, options.deadline - driver:now()), options.pause)
  if ok then
    receipt, err = try(self, letter, built, driver, options.deadline)
  end
  self:judge(err, driver:now())
  return receipt, err
end

return M
