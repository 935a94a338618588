--- Whether a failed message is tried again, and when: pure, without a clock or
-- chance of its own.
--
-- What decides is the class of the error (`kind`, `delivered`, `retry`), which
-- `qqmail.diagnose` has read from the server's words; never the first digit of a
-- reply, which is wrong both ways.
-- @module qqmail.retry

local logins = require("qqmail.logins")

local M = {}

-- --- another try --------------------------------------------------------------

-- "now" or "later", or nil and why there must be no other try. `attempt`: tries made.
local function willingness(policy, err, attempt)
  if err.kind == "auth" or logins.is_refusal(err) then
    -- One more wrong login brings the account closer to being locked.
    return nil, "auth"
  elseif logins.is_unanswered(err) then
    -- It may have been counted as a wrong one: once more, and not at once.
    if attempt > 1 or err.retry == "never" then
      return nil, "auth"
    end
    return "later"
  elseif err.kind == "cancelled" then
    return nil, "never"
  elseif err.delivered == "unknown" then
    -- Such an error says "never" because a second copy is the caller's to choose.
    if policy.when_unknown == "retry" then
      return "later"
    end
    return nil, "unknown"
  elseif err.retry == "never" then
    return nil, "never"
  end
  return err.retry
end

--- Whether another try of a message can end an error, whenever that would be.
-- @tparam table|boolean policy as of `decide`; false: what a try could do is asked all
-- the same, since the caller may repeat it
-- @tparam table err
-- @treturn boolean
function M.can_help(policy, err)
  return (willingness(policy or {}, err, 1)) ~= nil
end

-- A pause the provider is known to ask for is kept. Where only a general rule knows
-- the answer, its seconds are advice for whoever comes back later.
local function wait_of(policy, state, retry, random)
  if retry == "now" and state.attempt == 1 then
    return 0
  end
  local backoff = math.min(policy.cap, policy.base * 2 ^ (state.attempt - 1))
  local floor = not state.err.retry_is_guess and state.err.retry_after or 0
  return math.max(floor, backoff) + policy.jitter * random()
end

--- Decide about another try of a message.
-- @tparam table|boolean policy `attempts`, `base`, `cap`, `jitter`, `budget` (times
-- in seconds), `when_unknown` ("stop" or "retry"); false: never
-- @tparam table state `err`; `attempt`: tries made so far, at least 1; `waited`:
-- seconds spent waiting between them
-- @tparam function random gives a number from 0 to below 1
-- @treturn ?number seconds to wait before the next try
-- @treturn ?string why there is none: "off", "never", "auth", "unknown", "attempts"
-- or "budget"
-- @treturn ?number with "budget": the seconds that would have been waited
function M.decide(policy, state, random)
  if not policy then
    return nil, "off"
  end
  local retry, why = willingness(policy, state.err, state.attempt)
  if not retry then
    return nil, why
  elseif state.attempt >= policy.attempts then
    return nil, "attempts"
  end
  local wait = wait_of(policy, state, retry, random)
  if state.waited + wait > policy.budget then
    return nil, "budget", wait
  end
  return wait
end

--- The recipients that may be tried again, of those that were refused.
-- @tparam ?table rejected a receipt's `rejected` or an error's `recipients`
-- @treturn table list of addresses, in the same order
function M.deferred(rejected)
  local out = {}
  for _, row in ipairs(rejected or {}) do
    if row.retry == "later" or row.retry == "now" then
      out[#out + 1] = row.address
    end
  end
  return out
end

-- --- another account ------------------------------------------------------------

local function set(words)
  local out = {}
  for word in words:gmatch("%S+") do
    out[word] = true
  end
  return out
end

-- Up to here the server has not heard of any mail.
local BEFORE_MAIL = set "resolve connect proxy tls greeting ehlo starttls auth"

-- Here the server answers one recipient, or judges one message: the same words
-- would come for the same mail from another account.
local OF_THE_MAIL = set "rcpt final"

-- Nobody said anything; the connection failed, in whatever phase.
local ALWAYS = function()
  return true
end

-- A reply of the server, or what should have been one.
local function unless_of_the_mail(err)
  return not OF_THE_MAIL[err.phase]
end

-- By kind; those that are missing never speak of the account: config, message,
-- sender, recipient, content, cancelled, limit.
local OF_ACCOUNT = {
  resolve = ALWAYS, connect = ALWAYS, tls = ALWAYS, timeout = ALWAYS, closed = ALWAYS,
  auth = unless_of_the_mail, rate = unless_of_the_mail, protocol = unless_of_the_mail,
  -- A server that turns us away at the door has refused no mail.
  reject = function(err)
    return BEFORE_MAIL[err.phase] == true
  end,
}

-- The server leaves (421) and nothing in its words makes it the mail's fault; by
-- RFC 5321 section 3.8 that may be the answer to any command.
local LEAVING = set "reject.closing rate.too_many_connections"

-- Found here, before the server heard of the mail: another one may offer what it needs.
local OTHERS_MAY = set("message.smtputf8_required message.eightbit_required "
  .. "message.dsn_not_offered message.require_tls_not_offered message.require_tls_unverified")

--- Whether an error belongs to the account and its server rather than to the mail.
--
-- What never left this machine (phase config) is no fault of the server, but our
-- own limit (`rate`) of one account does not bind another.
-- @tparam table err
-- @treturn boolean whether another account may be tried
-- @treturn boolean whether it counts against this account (`qqmail.breaker`)
function M.is_of_account(err)
  if err.delivered == "unknown" then
    return false, false
  elseif OTHERS_MAY[err.code] and not err.smtp then
    return true, false
  elseif err.phase == "config" then
    return err.code == "rate.own_limit", false
  end
  local test = OF_ACCOUNT[err.kind]
  local found = LEAVING[err.code] == true or (test ~= nil and test(err))
  return found, found
end

return M
