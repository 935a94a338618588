--- One message on its way through tries, accounts and waits: who is still to get
-- it, and what is known of the others.
--
-- Only recipients that were put off are tried again, and what one try found out is
-- never lost to the next. Pure but for building the message anew for another
-- account.
-- @module qqmail.letter

local errors = require("qqmail.errors")
local message = require("qqmail.message")
local retry = require("qqmail.retry")

local M = {}

-- `waited`: seconds between rounds so far.
local Letter = { waited = 0 }
Letter.__index = Letter

local function has_own_from(spec)
  return message.is(spec) or spec.raw ~= nil or spec.from ~= nil
end

-- The caller may fill the same table for the next mail before this one has its result;
-- built anew from that, it would bring its recipients the text of others.
-- Variables of a template may refer to each other.
local function copy(value, copies)
  if type(value) ~= "table" or getmetatable(value) ~= nil then
    return value
  elseif copies[value] then
    return copies[value]
  end
  local out = {}
  copies[value] = out
  for key, field in pairs(value) do
    -- A token to stop it by must stay the caller's.
    out[key] = key == "cancel" and field or copy(field, copies)
  end
  return out
end

--- @tparam table built message, signed where that is to be
-- @tparam table spec what it was built from: for an account with another From
-- @tparam table|boolean policy of `qqmail.retry`
-- @tparam function sign of `qqmail.dkim`, for one built anew
-- @tparam ?boolean has_spares whether there are further accounts
-- @treturn table letter; `to`: who is still to get it, `tries`: made so far
function M.new(built, spec, policy, sign, has_spares)
  local self = setmetatable({
    built = built, spec = has_own_from(spec) and spec or copy(spec, {}), policy = policy,
    sign = sign, to = built.envelope.to, tries = 0, rounds = 0, receipt = nil,
  }, Letter)
  if has_spares then
    self.has_spares = true
  end
  return self
end

-- --- another account ----------------------------------------------------------

--- The message as an account sends it: one that names no sender gets the sender of
-- the account, and keeps its Message-ID.
-- @tparam table settings
-- @tparam boolean is_first whether it is the account the message was built for
-- @treturn ?table built
-- @treturn ?table error
function Letter:built_for(settings, is_first)
  if is_first or has_own_from(self.spec) then
    return self.built
  end
  self.variants = self.variants or {}
  if not self.variants[settings] then
    -- A lane comes here by itself, where the account before is left alone.
    if self:is_bound() then
      return nil, self.built:failure(nil, "unsupported")
    end
    local defaults = setmetatable({ message_id = self.built.id }, { __index = settings })
    local built, err = message.new(self.spec, defaults)
    if built then
      built, err = self.sign(built)
    end
    if not built then
      return nil, err
    end
    self.variants[settings] = built
  end
  return self.variants[settings]
end

-- --- results ------------------------------------------------------------------

local function note_refused(self, rows)
  for _, row in ipairs(rows or {}) do
    self.refused[row.address] = row
  end
end

local function note_accepted(self, addresses)
  for _, address in ipairs(addresses) do
    self.accepted[address], self.refused[address], self.unknown[address] = true, nil, nil
  end
end

-- Nobody knows whether these got it, and only a try that succeeds can end that. Those
-- the server refused were no recipients of what it may have taken.
local function note_unknown(self, rows)
  local refused = {}
  for _, row in ipairs(rows or {}) do
    refused[row.address] = true
  end
  for _, address in ipairs(self.to) do
    if not refused[address] then
      self.unknown[address] = true
    end
  end
end

-- Recipients that were refused here for want of an extension: the server of another
-- account may have it.
local function leave_to_spares(rows)
  for _, row in ipairs(rows) do
    row.retry = row.code and row.retry or "now"
  end
end

-- Most letters are taken for everybody at once. The others need sets of addresses.
local function is_complete(self)
  return self.receipt ~= nil and self.accepted == nil
end

local function need_sets(self)
  if not self.accepted then
    self.accepted, self.refused, self.unknown = {}, {}, {}
  end
end

local function note(self, receipt, err)
  need_sets(self)
  if receipt then
    if self.has_spares then
      leave_to_spares(receipt.rejected)
    end
    self.receipt = receipt
    note_accepted(self, receipt.accepted)
    note_refused(self, receipt.rejected)
  else
    self.err = err
    note_refused(self, err.recipients)
    if err.delivered == "unknown" then
      note_unknown(self, err.recipients)
    end
  end
end

-- The server put off some recipients: for as long as the most patient one asks. Those
-- that only another account can reach need no wait.
local function put_off(rows)
  local after, retry_word = nil, "now"
  for _, row in ipairs(rows) do
    if row.retry ~= "never" and row.retry_after and not row.retry_is_guess then
      after = math.max(after or 0, row.retry_after)
    end
    if row.retry == "later" then
      retry_word = "later"
    end
  end
  return { kind = "recipient", phase = "rcpt", delivered = "no", retry = retry_word,
    retry_after = after }
end

local function is_known_refused(rows, address)
  for _, row in ipairs(rows) do
    if row.address == address then
      return row.retry == "never"
    end
  end
  return false
end

-- Who is to get it in another round, and what makes that worth while: the error,
-- or recipients that were put off.
local function rest_of(self, receipt, err)
  local rows = receipt and receipt.rejected or err.recipients or {}
  if receipt or (err.delivered == "no" and #rows == #self.to) then
    return retry.deferred(rows), put_off(rows)
  end
  local rest = {}
  for _, address in ipairs(self.to) do
    if not is_known_refused(rows, address) then
      rest[#rest + 1] = address
    end
  end
  return rest, err
end

local function some_built(self, field)
  local is_so = self.built[field] or false
  for _, built in pairs(self.variants or {}) do
    is_so = is_so or built[field] or false
  end
  return is_so
end

--- Whether a try has asked a function for an attachment: in another one it would go on
-- where it stopped.
-- @treturn boolean
function Letter:is_spent()
  return some_built(self, "is_spent")
end

--- Whether no other account can be tried: there the message would be built anew, with
-- what functions have given already.
-- @treturn boolean
function Letter:is_bound()
  return self:is_spent() or (some_built(self, "was_read") and not has_own_from(self.spec))
end

local SPENT = {
  en = "; it is not tried again, because an attachment comes from a function that can be read "
    .. "only once",
  zh = "；不再重试，因为有附件来自只能读取一次的函数",
}

-- The error stays what it is, or nobody would learn what the server said.
local function end_spent(err)
  if err and err.retry ~= "never" then
    err.message = err.message .. errors.resolve(SPENT, err.lang)
  end
end

--- Take in what a round of tries came to.
-- @tparam ?table receipt
-- @tparam ?table err
-- @tparam ?function random in [0, 1); nil: there is to be no further round
-- @treturn ?number seconds to wait before the next round; nil when it is the last
function Letter:settle(receipt, err, random)
  self.rounds = self.rounds + 1
  if receipt and self.rounds == 1 and #receipt.rejected == 0 then
    self.receipt = receipt
    return nil
  end
  note(self, receipt, err)
  local rest, reason = rest_of(self, receipt, err)
  if self:is_spent() then
    end_spent(err)
    return nil
  elseif #rest == 0 or not random then
    return nil
  end
  local seconds, why, wanted = retry.decide(self.policy, { err = reason, attempt = self.rounds,
    waited = self.waited }, random)
  if seconds then
    self.to, self.waited = rest, self.waited + seconds
  elseif why == "budget" then
    self:give_up(wanted)
  end
  return seconds
end

--- A wait that `settle` asked for cannot be kept: this was the last round.
-- @tparam number seconds
function Letter:give_up(seconds)
  if self.err then
    self.err.retry_after = self.err.retry_after or seconds
  end
end

-- What is told of a recipient that did not get it for certain.
local function row_of(self, address)
  local row = self.refused[address]
  if self.unknown[address] then
    row = row or { address = address, text = self.err and self.err.message }
    row.delivered, row.retry = "unknown", "never"
  end
  return row
end

-- Both in the order of the envelope.
local function sort_recipients(self)
  local accepted, rows = {}, {}
  for _, address in ipairs(self.built.envelope.to) do
    if self.accepted[address] then
      accepted[#accepted + 1] = address
    end
    rows[#rows + 1] = row_of(self, address)
  end
  return accepted, rows
end

local function finish_receipt(self, accepted, rows)
  local receipt = self.receipt
  receipt.accepted, receipt.rejected, receipt.attempts = accepted, rows, self.tries
  return receipt
end

local function finish_error(self, rows)
  local err = self.err
  err.attempts = math.max(1, self.tries)
  err.message_id, err.to = self.built.id, #self.built.envelope.to
  if next(self.unknown) then
    err.delivered, err.retry = "unknown", "never"
  end
  if next(self.refused) then
    err.recipients = rows
  end
  return nil, err
end

--- What came of it.
-- @treturn ?table receipt, when at least one recipient got it for certain
-- @treturn ?table error
function Letter:result()
  if is_complete(self) then
    self.receipt.attempts = self.tries
    return self.receipt
  end
  need_sets(self)
  local accepted, rows = sort_recipients(self)
  if self.receipt then
    return finish_receipt(self, accepted, rows)
  end
  return finish_error(self, rows)
end

return M
