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
local function part_recipients(self, to)
  local taken, refused = {}, {}
  for _, address in ipairs(to) do
    if is_international(address) then
      refused[#refused + 1] = { address = address, retry = "never",
        text = errors.resolve(utf8_text(address, self.settings), self.settings.lang) }
    else
      taken[#taken + 1] = address
    end
  end
  return taken, refused
end

local function without_utf8(self, built, to)
  local from = built.envelope.from
  local place = built.international
  if not place and is_international(from) then
    place = { field = "envelope.from", name = from }
  end
  if place then
    return nil, utf8_error(self.settings, self.connection, place)
  end
  self.to, self.refused = part_recipients(self, to)
  if #self.to == 0 then
    return nil, utf8_error(self.settings, self.connection,
      { field = "envelope.to", name = self.refused[1].address }, self.refused)
  end
  return true
end

local function needs_utf8(built, to)
  if built.international or is_international(built.envelope.from) then
    return true
  end
  for _, address in ipairs(to) do
    if is_international(address) then
      return true
    end
  end
  return false
end

local function plan_utf8(self, built, to)
  local wanted, offered = self.settings.smtputf8, self.offered.SMTPUTF8 == true
  local is_needed = needs_utf8(built, to)
  if is_needed and (wanted == false or not offered) then
    return without_utf8(self, built, to)
  end
  self.to, self.utf8 = to, is_needed or (wanted == true and offered)
  return true
end

-- --- 8BITMIME -------------------------------------------------------------------

-- Ours can be encoded in 7 bits; one that was made elsewhere is sent as it is. Bytes above
-- 127 that were not announced are cut to 7 bits by some and refused by others, in the end
-- by a server that this one hands the message on to.
local function plan_eightbit(self, handle)
  local is_needed = handle:needs_eightbit()
  local is_offered = self.offered["8BITMIME"] == true
  if is_needed and not is_offered then
    return nil, missing(self.settings, self.connection, "message.eightbit_required", nil, {
      en = "a message that was made elsewhere holds bytes above 127, and the server does not "
        .. "offer 8BITMIME",
      zh = "外部生成的邮件含有大于 127 的字节，而服务器不支持 8BITMIME",
    })
  end
  self.eightbit = is_offered and (is_needed or not self.settings.quirks.no_eightbit)
  return true
end

-- --- REQUIRETLS -----------------------------------------------------------------

local function tls_error(self, code, text)
  return missing(self.settings, self.connection, code, "require_tls", text)
end

-- RFC 8689 section 4.2: a verified server first, then its word.
local function plan_tls(self, built)
  if not built.require_tls then
    return true
  end
  local info = self.connection.wire:tls_info()
  if not info or not info.verified then
    return nil, tls_error(self, "message.require_tls_unverified", {
      en = info and "require_tls: the server's certificate is not verified"
        or "require_tls: the connection is not encrypted",
      zh = info and "require_tls：服务器证书未经校验" or "require_tls：连接未加密",
    })
  elseif not self.offered.REQUIRETLS then
    return nil, tls_error(self, "message.require_tls_not_offered", {
      en = "require_tls: the server does not offer REQUIRETLS",
      zh = "require_tls：服务器不支持 REQUIRETLS",
    })
  end
  self.require_tls = true
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

local function plan_reports(self, built)
  local asked = built.dsn
  if asked == nil then
    asked = self.settings.dsn
  end
  local reports, err = M.reports(self.settings, self.connection, asked, self.to)
  if err then
    return nil, err
  elseif reports ~= nil then
    self.reports, self.has_reports = reports or nil, reports ~= false
  end
  return true
end

--- What of it a message uses on a connection.
-- @tparam table settings
-- @tparam table built
-- @tparam userdata handle of the core
-- @tparam table to recipients of this try
-- @tparam table connection
-- @treturn ?table `to` (recipients that can have it), `refused` (rows of the others, as
-- in a receipt, or nil), `utf8`, `eightbit`, `require_tls`, `reports` (see `dsn.parameters`),
-- `has_reports` (nil: none were asked for; false: the server knows none, and they were
-- not insisted on)
-- @treturn ?table error
function M.plan(settings, built, handle, to, connection)
  local self = { settings = settings, connection = connection,
    offered = connection:capabilities() }
  local ok, err = plan_utf8(self, built, to)
  if ok then
    ok, err = plan_eightbit(self, handle)
  end
  if ok then
    ok, err = plan_tls(self, built)
  end
  if ok then
    ok, err = plan_reports(self, built)
  end
  return ok and self or nil, err
end

return M
