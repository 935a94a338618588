--- The doctor: finds the step at which mails would fail, before one is lost.
--
-- Settings, secret and sender are looked at; then the name is looked up, every address
-- tried, and the login done in the very way a mail goes. At most one login is tried in
-- a check; one that was refused a while ago is not tried at all (see `qqmail.logins`).
-- @module qqmail.doctor

local addresses = require("qqmail.message.addresses")
local covers = require("qqmail.cover")
local drivers = require("qqmail.drivers")
local errors = require("qqmail.errors")
local login = require("qqmail.doctor.login")
local mail = require("qqmail.doctor.mail")
local network = require("qqmail.doctor.network")
local places = require("qqmail.doctor.settings")
local reports = require("qqmail.doctor.report")
local suggest = require("qqmail.suggest")
local validate = require("qqmail.validate")

local M = {}

local FIELDS = { "to", "send", "lang", "account", "on_step" }
local TYPES = { send = "boolean", lang = "string", account = "number", on_step = "function" }

local Check = {}
Check.__index = Check

-- --- what steps use ----------------------------------------------------------------

--- Add a step to the report.
function Check:add(spec)
  return self.report:add(spec)
end

--- Add the step at which the check ends.
-- @tparam string name
-- @tparam table err what a mail would have met
-- @tparam ?table more `text`, `hint`, `help_url`: what is known better; `seconds`,
-- `notes`, `details`
function Check:fail(name, err, more)
  more = more or {}
  if self.settings then
    self.settings.cover:mend(err)
  end
  return self.report:add({ name = name, status = "failed", error = err, code = err.code,
    text = more.text or err.message, hint = more.hint or err.hint,
    help_url = more.help_url or err.help_url, seconds = more.seconds, notes = more.notes,
    details = more.details })
end

-- --- the run -------------------------------------------------------------------------

-- Nothing was sent yet, and what is wrong is known.
local function look_at_settings(self)
  places.settings(self)
  for _, name in ipairs { "code", "from" } do
    if self.report.ok then
      places[name](self)
    end
  end
  return self.report.ok
end

local function offline(self)
  self:add({ name = "dns", status = "skipped", text = {
    en = "mails are kept here (io), there is no server to look at",
    zh = "邮件保存在本地（io 选项），没有可检查的服务器",
  } })
end

-- Whom to ask about: without `to`, a mail or a sender in doubt is for the account itself.
-- Not every login is an address.
local function recipients_of(self)
  if self.what.to then
    return self.what.to
  elseif self.what.send or self.facts.from_differs then
    return { validate.address_of(self.settings.user) or self.facts.from }
  end
end

local function converse(self, connection)
  local to = recipients_of(self)
  if self.what.send then
    mail.send(self, connection, to)
  else
    mail.envelope(self, connection, to)
  end
end

local function visit(self)
  self.deadline = self.driver:now() + self.settings.timeout.total
  if not (network.dns(self) and network.connect(self)) then
    return
  end
  local connection = login.run(self)
  if not connection then
    return
  end
  converse(self, connection)
  connection:quit()
  self.route:pool(self.driver):leave(self.place)
end

local ALL = { "settings", "code", "from", "dns", "connect", "tls", "greeting", "ehlo", "auth" }

-- Steps that a failure kept from being reached.
local function note_missing(self)
  local report = self.report
  if report.ok then
    return
  end
  local names = {}
  for _, name in ipairs(ALL) do
    local is_meant = name ~= "dns" or not (self.settings and self.settings.socket)
    names[#names + 1] = is_meant and not report:step(name) and name or nil
  end
  if (self.what.to or self.what.send) and not report:step("envelope") then
    names[#names + 1] = "envelope"
  end
  if self.what.send and not report:step("mail") then
    names[#names + 1] = "mail"
  end
  report.not_reached = names
end

local function describe(report, settings)
  local qqmail = require("qqmail")
  report.version = qqmail._VERSION
  local cover = settings.cover
  report.host, report.port = cover:shown(settings.host or settings.socket), settings.port
  report.tls, report.user = settings.tls, cover:shown(settings.user)
end

local function run(self)
  local driver, err = drivers.choose(self.settings)
  describe(self.report, self.settings)
  if not driver then
    self:fail("settings", err)
  elseif look_at_settings(self) then
    if driver.deliver then
      offline(self)
    else
      self.driver = driver
      local began = driver:now()
      visit(self)
      self.report.seconds = driver:now() - began
    end
  end
  note_missing(self)
  return self.report
end

-- Nothing that `on_step` raises may leave a connection or a place in the pool behind.
local function raise_again(report)
  if report.raised ~= nil then
    error(report.raised, 0)
  end
  return report
end

-- --- what is asked for ------------------------------------------------------------------

local function bad_field(lang, field, en, zh)
  return nil, errors.new({ kind = "config", code = "config.invalid_value", field = field,
    lang = lang, text = { en = field .. " " .. en, zh = field .. " " .. zh } })
end

local function unknown_field(lang, key)
  local name, meant = tostring(key), suggest.closest(key, FIELDS)
  return nil, errors.new({ kind = "config", code = "config.unknown_option", lang = lang,
    field = name, text = {
      en = ('a check has no field "%s"'):format(name)
        .. (meant and ('; did you mean "%s"?'):format(meant) or ""),
      zh = ('检查没有字段 "%s"'):format(name)
        .. (meant and ('，是否想写 "%s"？'):format(meant) or ""),
    } })
end

local function check_fields(what, lang)
  for key, value in pairs(what) do
    if key ~= "to" and not TYPES[key] then
      return unknown_field(lang, key)
    elseif TYPES[key] and type(value) ~= TYPES[key] then
      return bad_field(lang, key, "must be a " .. TYPES[key], "的类型必须是 " .. TYPES[key])
    end
  end
  if what.lang and what.lang ~= "zh" and what.lang ~= "en" then
    return bad_field(lang, "lang", 'must be "zh" or "en"', '必须是 "zh" 或 "en"')
  end
  return true
end

-- `to` as a list of addresses.
local function read(what, lang)
  local ok, err = check_fields(what, lang)
  if not ok then
    return nil, err
  end
  local out = { send = what.send, lang = what.lang, account = what.account,
    on_step = what.on_step }
  if what.to ~= nil then
    local list
    list, err = addresses.list(lang, "to", what.to)
    if not list then
      return nil, err
    end
    out.to, out.utf8 = addresses.unique({ list })
    if not out.to[1] then
      return bad_field(lang, "to", "names no address", "中没有地址")
    end
  end
  return out
end

local function normalise(what, lang)
  local out, err = read(what, lang)
  return out, err and covers.mend(err, what)
end

-- Of what is said about `what`, its own `lang` among it.
local function language(what, default)
  return (what.lang == "zh" or what.lang == "en") and what.lang or default
end

-- The account with its texts in another language; its connections are the same.
local function in_language(way, lang)
  if not lang or lang == way.settings.lang then
    return way
  end
  local settings = {}
  for key, value in pairs(way.settings) do
    settings[key] = value
  end
  settings.lang = lang
  return setmetatable({ settings = settings }, { __index = way })
end

--- Check a mailer's account.
-- @tparam table mailer
-- @tparam table what see `mailer:check`
-- @treturn ?table report
-- @treturn ?table error: `what` is wrong
function M.check(mailer, what)
  local lang = language(what, mailer.settings.lang)
  local wanted, err = normalise(what, lang)
  if not wanted then
    return nil, err
  end
  local account = wanted.account or 1
  local way = mailer.routes[account]
  if not way then
    return bad_field(lang, "account", ("must be 1 to %d"):format(#mailer.routes),
      ("必须是 1 到 %d"):format(#mailer.routes))
  end
  way = in_language(way, wanted.lang)
  return raise_again(run(setmetatable({ mailer = mailer, route = way, settings = way.settings,
    what = wanted, account = account, facts = {},
    report = reports.new(way.settings.lang, wanted.on_step, way.settings.cover),
  }, Check)))
end

--- Check what options and environment lead to; wrong settings are a failed first step.
-- @tparam ?table|string options as of `qqmail.new`
-- @tparam table what see `mailer:check`
-- @treturn ?table report
-- @treturn ?table error: `what` is wrong
function M.run(options, what)
  local lang = language(what, errors.lang())
  local wanted, misuse = normalise(what, lang)
  if not wanted then
    return nil, misuse
  end
  local mailer, err = require("qqmail").new(options)
  if mailer then
    local report
    report, err = M.check(mailer, what)
    mailer:close()
    return report, err
  end
  local self = setmetatable({ what = wanted,
    report = reports.new(wanted.lang or err.lang, wanted.on_step) }, Check)
  self.report.version = require("qqmail")._VERSION
  self:fail("settings", err)
  note_missing(self)
  return raise_again(self.report)
end

return M
