--- `mailer:send_all`: many messages over the mailer's connections, each with a result
-- of its own.
-- @module qqmail.batch

local callback = require("qqmail.callback")
local canceller = require("qqmail.canceller")
local dispatch = require("qqmail.dispatch")
local dkim = require("qqmail.dkim")
local covers = require("qqmail.cover")
local errors = require("qqmail.errors")
local feeds = require("qqmail.feed")
local lane = require("qqmail.lane")
local letter = require("qqmail.letter")
local lint_watch = require("qqmail.lint.watch")
local message = require("qqmail.message")
local net = require("qqmail.net")
local places = require("qqmail.places")
local progress = require("qqmail.progress")
local retry = require("qqmail.retry")
local suggest = require("qqmail.suggest")

local M = {}

local Batch = {}
Batch.__index = Batch

-- A further connection is worth its login for so many messages.
local WORTH_A_LOGIN = 4

-- Seconds between two tries of a server that is not there, whatever the policy says of
-- single messages: these are logins, too.
local OUTAGE_PAUSE = 0.05

-- Failures the summary tells one by one.
local ERRORS_MAX = 100

-- --- arguments ------------------------------------------------------------------

local OPTIONS = { "on_result", "on_progress", "progress", "cancel" }

local function is_cancel(value)
  return type(value) == "function"
    or (type(value) == "table" and type(value.cancelled) == "boolean")
end

-- Of each option what it may be, and how that is called.
local ALLOWED = {
  on_result = { "a function", function(value) return type(value) == "function" end },
  on_progress = { "a function", function(value) return type(value) == "function" end },
  progress = { "true or false", function(value) return type(value) == "boolean" end },
  cancel = { "a function or what qqmail.canceller() gives", is_cancel },
}

-- One message in place of a list would be a list of none: sent to nobody, in silence.
local function is_one_message(messages)
  if message.is(messages) then
    return true
  end
  local key = type(messages) == "table" and #messages == 0 and next(messages)
  return type(key) == "string"
end

--- What a caller has done wrong.
-- @param messages as of `run`
-- @param options as of `run`
-- @treturn ?string a sentence for `error`; nil: the types are right
function M.misuse(messages, options)
  if type(messages) ~= "table" and type(messages) ~= "function" then
    return "a list or a function is expected, not a " .. type(messages)
  elseif is_one_message(messages) then
    return "a list is expected, not one message: write { message }"
  elseif type(options) ~= "table" then
    return "options must be a table, not a " .. type(options)
  end
  for _, name in ipairs(OPTIONS) do
    local value, allowed = options[name], ALLOWED[name]
    if value ~= nil and not allowed[2](value) then
      return ("%s must be %s"):format(name, allowed[1])
    end
  end
end

--- An option that does not exist.
-- @tparam table options
-- @tparam ?string lang
-- @treturn ?table error
function M.unknown_option(options, lang)
  for key in pairs(options) do
    if not ALLOWED[key] then
      local name, meant = covers.shown(tostring(key)), suggest.closest(key, OPTIONS)
      return errors.new({ kind = "config", code = "config.unknown_option", field = name,
        lang = lang, text = {
          en = ('send_all: unknown option "%s"'):format(name)
            .. (meant and ('; did you mean "%s"?'):format(meant) or ""),
          zh = ('send_all：未知选项 "%s"'):format(name)
            .. (meant and ('，是否想写 "%s"？'):format(meant) or ""),
        } })
    end
  end
end

-- --- results --------------------------------------------------------------------

local function state_of(self, is_last)
  local summary, seconds = self.summary, net.now() - self.began
  local done = summary.sent + summary.failed + summary.unknown
  local per_second = seconds > 0 and done / seconds or 0
  local total = self.feed.total
  return {
    done = done, total = total, sent = summary.sent, failed = summary.failed,
    unknown = summary.unknown, waiting = self.feed:waiting(), seconds = seconds,
    per_second = per_second, is_last = is_last,
    left = total and per_second > 0 and (total - done) / per_second or nil,
  }
end

local function show(self, is_last)
  if not self.on_progress then
    return
  end
  local now = net.now()
  if is_last or now - self.shown_at >= progress.every then
    self.shown_at = now
    self.mailer.report:call(self.on_progress, state_of(self, is_last))
  end
end

local function count(self, item, receipt, err)
  local summary = self.summary
  summary.total = summary.total + 1
  if receipt then
    summary.sent = summary.sent + 1
    summary.rejected = summary.rejected + #receipt.rejected
    return
  end
  local what = err.delivered == "unknown" and "unknown" or "failed"
  summary[what] = summary[what] + 1
  if #summary.errors < ERRORS_MAX then
    summary.errors[#summary.errors + 1] = { index = item.index, err = err }
  end
end

--- A message has its result.
-- @tparam table item
-- @tparam ?table receipt
-- @tparam ?table err
function Batch:finish(item, receipt, err)
  local result = receipt or err
  result.seconds = item.began and net.now() - item.began
  count(self, item, receipt, err)
  local was_drawn = self.erase_bar and self.erase_bar()
  self.mailer.report:tell(receipt, err)
  self.mailer.report:call(self.on_result, receipt, err, item.spec, item.index)
  if was_drawn then
    self.shown_at = 0 -- the bar comes back below what they wrote
  end
  show(self, false)
end

-- --- what lanes ask for -----------------------------------------------------------

local function wrong_type(self, spec)
  return errors.new({ kind = "message", code = "message.bad_type", delivered = "no",
    retry = "never", lang = self.mailer.settings.lang, field = "messages",
    text = { en = "a message table is expected, not a " .. type(spec),
      zh = "需要邮件表，而不是 " .. type(spec) } })
end

--- Make the letter of an item, the first time.
-- @tparam table item
-- @treturn boolean false: it has its result already
function Batch:prepare(item)
  if item.letter then
    return true
  end
  local settings, spec = self.mailer.settings, item.spec
  local built, err
  if type(spec) == "table" then
    built, err = message.new(spec, settings)
  else
    err = wrong_type(self, spec)
  end
  if not built then
    self:finish(item, nil, err)
    return false
  end
  lint_watch.look(self.mailer, built, self.feed.total or item.index)
  item.began = net.now()
  local signed
  signed, err = self.sign(built)
  if not signed then
    self:finish(item, nil, err)
    return false
  end
  -- Only another account may have to build it anew.
  local has_spares = self.mailer.routes[2] ~= nil
  item.letter = letter.new(signed, has_spares and spec or signed, settings.retry, self.sign,
    has_spares)
  return true
end

--- Until when a message may be begun, and until when it must have its result: its own
-- deadline ends no connection, on which others are under way. Counted from now.
-- @tparam table waiting letter
-- @tparam number now
-- @treturn number absolute
-- @treturn number absolute
function Batch:deadlines_for(waiting, now)
  local last = now + self.mailer.settings.timeout.total
  local own = waiting.built.deadline
  return own and math.min(last, self.started + own) or last, last
end

local function deadline_of(self, item)
  local own = item.letter.built.deadline
  return item.deadline or (own and self.started + own) or math.huge
end

--- How long a message may still wait to be begun.
-- @tparam table item
-- @treturn number seconds, at least 0
function Batch:time_left(item)
  return math.max(0, deadline_of(self, item) - self.driver:now())
end

--- Whether a message must not be tried any more. It has its result then.
-- @tparam table item
-- @tparam number now
-- @treturn boolean
function Batch:is_settled(item, now)
  local waiting, deadline = item.letter, deadline_of(self, item)
  local why = dispatch.why_stop(self.mailer, waiting, now, deadline, self.cancel)
  if why and not waiting.receipt and not waiting.err then
    waiting.err = why
  end
  if why then
    self:finish(item, waiting:result())
  end
  return why ~= nil
end

local function wants_stop(self)
  return canceller.is_set(self.cancel)
end

--- Whether no further try of a letter is to be begun.
-- @tparam table waiting letter
-- @treturn boolean
function Batch:is_stopped(waiting)
  return wants_stop(self) or dispatch.is_cancelled(waiting)
end

--- Nobody can connect, or somebody could again.
-- @tparam ?table err nil: the server is there
-- @treturn ?number seconds to wait for the server; nil when the policy's budget for one
-- outage is used up, or waiting is of no use
function Batch:outage(err)
  if not err then
    self.out = { failures = 0, waited = 0 }
    return nil
  end
  local out, policy = self.out, self.mailer.settings.retry
  out.failures = out.failures + 1
  local seconds = policy and retry.decide({
    attempts = math.huge, base = math.max(policy.base, OUTAGE_PAUSE),
    cap = math.max(policy.cap, OUTAGE_PAUSE), jitter = policy.jitter,
    budget = policy.budget, when_unknown = policy.when_unknown,
  }, { err = err, attempt = out.failures, waited = out.waited }, self.mailer.random)
  out.waited = out.waited + (seconds or 0)
  return seconds or nil
end

--- Let time pass, as long as nobody wants to stop.
-- @tparam number seconds
function Batch:pause(seconds)
  canceller.pause(self.driver, self.cancel, seconds)
end

-- --- the whole --------------------------------------------------------------------

-- Drivers that take a message at once.
local function deliver_all(self)
  local item = self.feed:next(0)
  while item do
    if self:prepare(item) then
      self:finish(item, self.driver:deliver(item.letter.built, self.mailer))
    end
    item = self.feed:next(0)
  end
end

local function lanes_for(self)
  local total, most = self.feed.total, self.mailer.settings.pool.max
  local wanted = total and math.ceil(total / WORTH_A_LOGIN) or most
  return self.driver:width(math.max(1, math.min(most, wanted)))
end

-- The first lane shows whether the server lets us in. More would only be refused as
-- it was, and each refused login counts against the account.
local function await_first(self)
  local gate = not self.is_first_in and self.driver:gate()
  if not gate then
    return
  end
  self.gates[#self.gates + 1] = gate
  gate:wait(self.driver:now() + self.mailer.settings.timeout.total)
  gate:close()
end

--- The first lane is in, or has ended: the others may begin.
function Batch:let_in()
  self.is_first_in = true
  local gates = self.gates
  self.gates = {}
  for _, gate in ipairs(gates) do
    gate:open()
  end
end

local function run_lanes(self)
  local bodies, begin = {}, places.helpers()
  for index = 1, lanes_for(self) do
    bodies[index] = function()
      begin()
      if index > 1 then
        await_first(self)
      end
      lane.new(self, index == 1):run()
      self:let_in()
    end
  end
  self.driver:all(bodies)
  -- What lanes gave back after the first one had ended.
  lane.new(self, true):run()
end

local function new_summary()
  return { total = 0, sent = 0, failed = 0, unknown = 0, rejected = 0, errors = {} }
end

-- Whether functions of the caller hear of results, and may write about them.
local function has_listeners(mailer, options)
  local hooks = mailer.settings.on or {}
  return options.on_result or mailer.settings.log or hooks.sent or hooks.failed
end

-- What shows the progress, and what takes a bar away before others write.
local function progress_of(mailer, options)
  if options.on_progress ~= nil then
    return options.on_progress
  elseif options.progress == false then
    return nil
  end
  local draw, erase = progress.bar(mailer.settings.lang)
  return draw, has_listeners(mailer, options) and erase or nil
end

-- A function that raises stops the call as one that says yes does, and what it raised
-- is for the caller in the end: messages under way have their results before.
local function guarded(self, cancel)
  local is_broken = false
  if type(cancel) ~= "function" then
    return cancel
  end
  return function()
    local ok, answer = true, true
    if not is_broken then
      ok, answer = callback.call(cancel)
    end
    if not ok then
      is_broken, self.feed.failure = true, self.feed.failure or answer
    end
    return is_broken or answer
  end
end

--- Send all.
-- @tparam table mailer
-- @tparam table driver
-- @tparam table|function messages a list, or a function that gives the next one
-- @tparam table options `on_result`, `on_progress`, `progress`, `cancel`
-- @treturn table summary
function M.run(mailer, driver, messages, options)
  local on_progress, erase_bar = progress_of(mailer, options)
  local self = setmetatable({
    mailer = mailer, driver = driver, feed = feeds.new(messages), connected = 0, connecting = 0,
    gates = {}, out = { failures = 0, waited = 0 },
    on_result = options.on_result, on_progress = on_progress, erase_bar = erase_bar,
    summary = new_summary(), began = net.now(), shown_at = 0,
    started = driver.now and driver:now() or 0,
  }, Batch)
  self.cancel = guarded(self, options.cancel)
  self.sign = dkim.signer(mailer.settings, driver)
  self.feed.is_stopped = function()
    return wants_stop(self)
  end;
  (driver.deliver and deliver_all or run_lanes)(self)
  self.summary.seconds = net.now() - self.began
  self.summary.stopped = wants_stop(self)
  show(self, true)
  if self.feed.failure then
    error(self.feed.failure, 0)
  end
  return self.summary
end

return M
