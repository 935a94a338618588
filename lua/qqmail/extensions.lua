--- What a message needs of the server beyond plain SMTP, and whether the server offers
-- it: SMTPUTF8 (RFC 6531), 8BITMIME (RFC 6152), delivery reports (RFC 3461), REQUIRETLS
-- (RFC 8689).
--
-- What is missing is found before MAIL is said.
-- @module qqmail.extensions

local dsn = require("qqmail.dsn")
local errors = require("qqmail.errors")

local M = {}

local function missing(settings, connection, code, field, text, more)
  local spec = { kind = "message", code = code, phase = "mail", delivered = "no", field = field,
    retry = "never", transcript = connection:trace(), lang = settings.lang, text = text }
  for key, value in pairs(more or {}) do
    spec[key] = value
  end
  return errors.new(spec)
end

-- --- SMTPUTF8 -------------------------------------------------------------------

local function is_international(address)
  return address:find("[\128-\255]") ~= nil
end

local function utf8_text(what, settings)
  if settings.smtputf8 == false then
    return { en = what .. " needs SMTPUTF8, which is switched off (smtputf8 = false)",
      zh = what .. " 需要 SMTPUTF8，而 smtputf8 = false 已将其关闭" }
  end
  return { en = what .. " needs SMTPUTF8, which the server does not offer",
    zh = what .. " 需要服务器支持 SMTPUTF8，而它未声明支持" }
end

local function utf8_error(settings, connection, place, recipients)
  return missing(settings, connection, "message.smtputf8_required", place.field,
    utf8_text(place.name, settings), { recipients = recipients })
end

-- Without SMTPUTF8: a recipient that nobody sees in the header is the only one who goes
-- without the mail.
local function part_recipients(settings, to)
  local taken, refused = {}, {}
  for _, address in ipairs(to) do
    if is_international(address) then
      refused[#refused + 1] = { address = address, retry = "never",
        text = errors.resolve(utf8_text(address, settings), settings.lang) }
    else
      taken[#taken + 1] = address
    end
  end
  return taken, refused
end

local function without_utf8(job, settings, connection)
  local place = job.message.international
  if not place and is_international(job.from) then
    place = { field = "envelope.from", name = job.from }
  end
  if place then
    return nil, utf8_error(settings, connection, place)
  end
  job.to, job.refused = part_recipients(settings, job.to)
  if #job.to == 0 then
    return nil, utf8_error(settings, connection,
      { field = "envelope.to", name = job.refused[1].address }, job.refused)
  end
  return true
end

local function needs_utf8(job)
  if job.message.international or is_international(job.from) then
    return true
  end
  for _, address in ipairs(job.to) do
    if is_international(address) then
      return true
    end
  end
  return false
end

local function plan_utf8(job, settings, connection)
  local wanted, offered = settings.smtputf8, connection:capabilities().SMTPUTF8 == true
  local is_needed = needs_utf8(job)
  if is_needed and (wanted == false or not offered) then
    return without_utf8(job, settings, connection)
  end
  job.utf8 = is_needed or (wanted == true and offered)
  return true
end

-- --- 8BITMIME -------------------------------------------------------------------

-- Ours can be encoded in 7 bits; one that was made elsewhere is sent as it is. Bytes above
-- 127 that were not announced are cut to 7 bits by some and refused by others, in the end
-- by a server that this one hands the message on to.
local function plan_eightbit(job, settings, connection)
  local is_needed = job.handle:needs_eightbit()
  local is_offered = connection:capabilities()["8BITMIME"] == true
  if is_needed and not is_offered then
    return nil, missing(settings, connection, "message.eightbit_required", nil, {
      en = "a message that was made elsewhere holds bytes above 127, and the server does not "
        .. "offer 8BITMIME",
      zh = "外部生成的邮件含有大于 127 的字节，而服务器不支持 8BITMIME",
    })
  end
  job.eightbit = is_offered and (is_needed or not settings.quirks.no_eightbit)
  return true
end

-- --- REQUIRETLS -----------------------------------------------------------------

local function tls_error(settings, connection, code, text)
  return missing(settings, connection, code, "require_tls", text)
end

-- RFC 8689 section 4.2: a verified server first, then its word.
local function plan_tls(job, settings, connection)
  if not job.message.require_tls then
    return true
  end
  local info = connection.wire:tls_info()
  if not info or not info.verified then
    return nil, tls_error(settings, connection, "message.require_tls_unverified", {
      en = info and "require_tls: the server's certificate is not verified"
        or "require_tls: the connection is not encrypted",
      zh = info and "require_tls：服务器证书未经校验" or "require_tls：连接未加密",
    })
  elseif not connection:capabilities().REQUIRETLS then
    return nil, tls_error(settings, connection, "message.require_tls_not_offered", {
      en = "require_tls: the server does not offer REQUIRETLS",
      zh = "require_tls：服务器不支持 REQUIRETLS",
    })
  end
  job.require_tls = true
  return true
end

-- --- delivery reports -----------------------------------------------------------

--- What is asked of delivery reports on a connection.
-- @tparam table settings
-- @tparam table connection
-- @tparam ?table|boolean asked of `qqmail.dsn`
-- @tparam table to list of addresses
-- @treturn ?table|boolean see `dsn.parameters`; false: the server knows none, and they are
-- not insisted on; nil alone: nothing is asked
-- @treturn ?table error
function M.reports(settings, connection, asked, to)
  if not asked then
    return nil
  elseif connection:capabilities().DSN then
    return dsn.parameters(asked, to)
  elseif asked.soft then
    return false
  end
  return nil, missing(settings, connection, "message.dsn_not_offered", "dsn", {
    en = "dsn: the server does not offer delivery reports (DSN)",
    zh = "dsn：服务器不支持投递状态通知（DSN）",
  })
end

local function plan_reports(job, settings, connection)
  local asked = job.message.dsn
  if asked == nil then
    asked = settings.dsn
  end
  local reports, err = M.reports(settings, connection, asked, job.to)
  if err then
    return nil, err
  elseif reports ~= nil then
    job.reports, job.has_reports = reports or nil, reports ~= false
  end
  return true
end

--- What of it a message uses on a connection.
-- @tparam table job `message` (built), `handle` (its `qqmail.message`), `from`, `to`
-- (recipients of this try); gets `to` (those that can have it), `refused` (rows of the
-- others, as in a receipt, or nil), `utf8`, `eightbit`, `require_tls`, `reports` (see
-- `dsn.parameters`), `has_reports` (nil: none were asked for; false: the server knows none,
-- and they were not insisted on)
-- @tparam table settings
-- @tparam table connection
-- @treturn ?boolean true
-- @treturn ?table error
function M.plan(job, settings, connection)
  local ok, err = plan_utf8(job, settings, connection)
  if ok then
    ok, err = plan_eightbit(job, settings, connection)
  end
  if ok then
    ok, err = plan_tls(job, settings, connection)
  end
  if ok then
    ok, err = plan_reports(job, settings, connection)
  end
  return ok, err
end

return M
