--- Fields of a message that say how it is sent, and are no part of the mail.
-- @module qqmail.message.sending

local dsn = require "qqmail.dsn"
local fault = require "qqmail.message.fault"

local M = {}

local function check_deadline(lang, deadline)
  if deadline == nil then
    return true
  elseif type(deadline) ~= "number" or not (deadline > 0 and deadline < math.huge) then
    return nil, fault.new(lang, "message.bad_value", "deadline", {
      en = "must be a number of seconds above 0", zh = "必须是大于 0 的秒数",
    })
  end
  return true
end

local function check_cancel(lang, cancel)
  local is_token = type(cancel) == "table" and type(cancel.cancelled) == "boolean"
  if cancel ~= nil and type(cancel) ~= "function" and not is_token then
    return nil, fault.type(lang, "cancel", {
      en = "a function, or a table with a field `cancelled` that is true or false",
      zh = "函数，或含布尔字段 cancelled 的表",
    }, cancel)
  end
  return true
end

-- True asks the servers for it, false is said in the header (RFC 8689 section 5): that of
-- a raw message is not ours.
local function check_require_tls(lang, spec)
  local value = spec.require_tls
  if value ~= nil and type(value) ~= "boolean" then
    return nil, fault.type(lang, "require_tls", { en = "true or false", zh = "true 或 false" },
      value)
  elseif value == false and spec.raw ~= nil then
    return nil, fault.new(lang, "message.raw_conflict", "require_tls", {
      en = 'cannot be false together with raw: put "TLS-Required: No" into its header',
      zh = '不能与 raw 同时设为 false：请在其邮件头中写入 "TLS-Required: No"',
    })
  end
  return true
end

local function read_dsn(lang, value)
  if value == nil then
    return true
  end
  local read, why, key = dsn.read(value)
  if read == nil then
    return nil, fault.new(lang, "message.bad_value", key and "dsn." .. key or "dsn", why)
  end
  return true, nil, read
end

--- Read these fields.
-- @tparam table self the message, with `lang`; gets `deadline`, `cancel`, `require_tls`, `dsn`
-- (as of `qqmail.dsn`)
-- @tparam table spec the user's table
-- @treturn ?boolean true
-- @treturn ?table error
function M.read(self, spec)
  local lang = self.lang
  local ok, err = check_deadline(lang, spec.deadline)
  if ok then
    ok, err = check_cancel(lang, spec.cancel)
  end
  if ok then
    ok, err = check_require_tls(lang, spec)
  end
  local reports
  if ok then
    ok, err, reports = read_dsn(lang, spec.dsn)
  end
  if not ok then
    return nil, err
  end
  self.deadline, self.cancel, self.require_tls = spec.deadline, spec.cancel, spec.require_tls
  self.dsn = reports
  return true
end

--- See that what is asked for single recipients is asked for recipients.
-- @tparam table self with `lang`, `dsn`, `envelope`
-- @treturn ?boolean
-- @treturn ?table error
function M.check_recipients(self)
  local address = self.dsn and dsn.stranger(self.dsn, self.envelope.to)
  if not address then
    return true
  end
  return nil, fault.new(self.lang, "message.bad_value", "dsn", {
    en = ("names %s, which is no recipient"):format(address),
    zh = ("中的 %s 不是收件人"):format(address),
  })
end

return M
