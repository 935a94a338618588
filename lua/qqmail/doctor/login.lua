--- The steps of a check from the first byte of the server to the end of the login. The
-- way is that of every mail (`Route:open`); what it met is told afterwards.
-- @module qqmail.doctor.login

local certificate = require("qqmail.doctor.certificate")
local network = require("qqmail.doctor.network")
local places = require("qqmail.doctor.settings")
local probe = require("qqmail.doctor.probe")
local usual_tls = require("qqmail.config.server").usual_tls

local M = {}

local ORDER = {
  implicit = { "tls", "greeting", "ehlo", "auth" },
  starttls = { "greeting", "tls", "ehlo", "auth" },
  none = { "greeting", "tls", "ehlo", "auth" },
}

-- Which step a phase of an error belongs to.
local STEP_OF = {
  resolve = "dns", connect = "connect", proxy = "connect", tls = "tls", starttls = "tls",
  greeting = "greeting", ehlo = "ehlo", auth = "auth", mail = "envelope", rcpt = "envelope",
  data = "mail", body = "mail", final = "mail", quit = "mail",
}

local function step_of(err)
  if err.kind == "tls" then
    return "tls"
  elseif err.kind == "config" then
    return (err.field == "password" or err.field == "token") and "code" or "settings"
  end
  return STEP_OF[err.phase] or "settings"
end

M.step_of = step_of

-- --- what was seen --------------------------------------------------------------

-- Seconds of each state of the session, from the marks in its record.
local function spans_of(trace, start)
  local spans, last = {}, start
  for _, line in ipairs(trace) do
    local from = line.dir == "*" and line.line:match("^(%S+) %->")
    if from then
      spans[from], last = (spans[from] or 0) + math.max(0, line.t - last), line.t
    end
  end
  return spans
end

local function first_line(trace, dir, pattern)
  for _, line in ipairs(trace) do
    local found = line.dir == dir and line.line:match(pattern)
    if found then
      return found
    end
  end
end

-- Called by the pump while the connection still is there.
local function look(connection, is_implicit)
  local trace, times = connection:trace(), connection.times
  local start = times.connect + (is_implicit and times.tls or 0)
  return {
    tls = connection.wire:tls_info() or connection:why_failed().tls
      and connection:why_failed().tls.info, times = times, peer = connection.peer,
    spans = spans_of(trace, start), offered = connection:capabilities(),
    banner = first_line(trace, "S", "^220[ -](.*)$"),
    mechanism = first_line(trace, "C", "^AUTH (%S+)"),
  }
end

-- --- steps that went well ---------------------------------------------------------

local WELL = {}

function WELL.tls(self, seen)
  local info, now = seen.tls, os.time()
  if not info then
    local needs = self.settings.user ~= nil
    return self:add({ name = "tls", status = needs and "warning" or "skipped",
      code = needs and "check.no_tls" or nil, text = {
        en = needs and "tls = \"none\": everybody on the way can read the password"
          or "not asked for",
        zh = needs and "tls = \"none\"：途中任何人都能读到密码" or "未要求加密" } })
  elseif info.provider == "nginx" then
    local checked = info.verified
    return self:add({ name = "tls", seconds = seen.times.tls,
      details = certificate.details(info, now), text = {
        en = checked and "by nginx, certificate verified" or "by nginx, certificate not verified",
        zh = checked and "由 nginx 完成，证书校验通过" or "由 nginx 完成，未校验证书" } })
  end
  local notes = certificate.notes(info, now)
  notes[#notes + 1] = certificate.soon_note(info, now)
  if not info.verified then
    notes[#notes + 1] = { status = "warning", code = "check.not_verified", text = {
      en = "the certificate was not checked (tls_options.verify = false)",
      zh = "未校验证书（tls_options.verify = false）" } }
  end
  local what = info.version .. ", " .. info.cipher
  self:add({ name = "tls", seconds = seen.times.tls, notes = notes,
    details = certificate.details(info, now), text = {
      en = what .. (info.verified and ", certificate verified" or ""),
      zh = what .. (info.verified and "，证书校验通过" or "") } })
end

function WELL.greeting(self, seen)
  local server_time = certificate.date_in(seen.banner)
  self.facts.server_time = server_time
  self:add({ name = "greeting", seconds = seen.spans.GREETING, text = seen.banner or "220",
    notes = { certificate.skew_note(server_time, os.time()) },
    details = { banner = seen.banner, peer = seen.peer } })
end

-- What matters to a mail, in a fixed order.
local EXTENSIONS = { "PIPELINING", "CHUNKING", "8BITMIME", "SMTPUTF8", "STARTTLS", "DSN",
  "REQUIRETLS", "ENHANCEDSTATUSCODES" }

function WELL.ehlo(self, seen)
  local offered, names = seen.offered, {}
  local mechanisms = type(offered.auth) == "table" and table.concat(offered.auth, " ") or ""
  if offered.size_limit and offered.size_limit > 0 then
    names[1] = ("SIZE %.0f MB"):format(offered.size_limit / 1048576)
  end
  if mechanisms ~= "" then
    names[#names + 1] = "AUTH " .. mechanisms
  end
  local details = { size = offered.size_limit, auth = offered.auth, extensions = {} }
  for _, name in ipairs(EXTENSIONS) do
    if offered[name] then
      names[#names + 1] = name
      table.insert(details.extensions, name)
    end
  end
  local text = table.concat(names, ", ")
  self:add({ name = "ehlo", seconds = seen.spans.EHLO, details = details,
    text = text ~= "" and text or { en = "no extensions", zh = "没有扩展" } })
end

function WELL.auth(self, seen)
  local user = self.settings.user or self.settings.has_certificate_login and "EXTERNAL"
  if not user then
    return self:add({ name = "auth", status = "skipped",
      text = { en = "no login is set", zh = "未设置登录" } })
  end
  self:add({ name = "auth", seconds = seen.spans.AUTH, details = { mechanism = seen.mechanism },
    text = { en = ("%s is logged in by %s"):format(user, seen.mechanism or "?"),
      zh = ("%s 登录成功（%s）"):format(user, seen.mechanism or "?") } })
end

-- --- who answers ------------------------------------------------------------------

local PROTOCOLS = {
  http = { en = "a web server (HTTP)", zh = "网页服务器（HTTP）" },
  imap = { en = "a server for reading mail (IMAP)", zh = "收信服务器（IMAP）" },
  pop3 = { en = "a server for fetching mail (POP3)", zh = "收信服务器（POP3）" },
  ssh = { en = "an SSH server", zh = "SSH 服务器" },
  other = { en = "no mail server", zh = "不是邮件服务器" },
}

local PORT_HINT = {
  en = 'Set port = 465 with tls = "implicit", or port = 587 with tls = "starttls"; see that host '
    .. "names the server for sending (SMTP).",
  zh = '请设 port = 465、tls = "implicit"，或 port = 587、tls = "starttls"；并确认 host 是发信（SMTP）服务器。',
}

-- The pair that is not set, by the mode of the one that is.
local OTHER_PAIR = { implicit = { 587, "starttls" }, starttls = { 465, "implicit" } }

-- A port that everybody knows, and settings that fit it: the answer is what is odd.
local function odd_answer(settings)
  local usual = usual_tls(settings.port)
  if usual ~= settings.tls then
    return nil
  end
  local pair = OTHER_PAIR[usual]
  return {
    en = ("Port and tls fit each other: see that host names the server for sending (SMTP), and "
      .. "that no proxy or gateway answers in its place; or try port = %d, tls = \"%s\".")
      :format(pair[1], pair[2]),
    zh = ("port 与 tls 是匹配的：请确认 host 是发信（SMTP）服务器，且没有代理或网关代为应答；"
      .. "也可改用 port = %d、tls = \"%s\"。"):format(pair[1], pair[2]),
  }
end

local function quote(banner, form)
  return banner and banner ~= "" and form:format(banner) or ""
end

-- TLS was expected, and clear text came.
local function clear_text(self, found, where)
  local settings = self.settings
  local text = {
    en = ("%s begins in clear text%s, but tls is \"implicit\""):format(where,
      quote(found.banner, " (%s)")),
    zh = ("%s 以明文开始%s，但 tls 为 \"implicit\""):format(where,
      quote(found.banner, "（%s）")),
  }
  local odd = odd_answer(settings)
  if odd then
    return text, odd
  elseif found.starttls == false then
    return text, {
      en = ("Port %d offers no TLS at all: set port = 465, tls = \"implicit\".")
        :format(settings.port),
      zh = ("%d 端口完全不提供 TLS：请设 port = 465、tls = \"implicit\"。"):format(settings.port),
    }
  end
  return text, {
    en = ("Set port = %d with tls = \"starttls\" (QQMAIL_TLS=starttls), or port = 465 with tls = "
      .. "\"implicit\"."):format(settings.port),
    zh = ("请设 port = %d、tls = \"starttls\"（QQMAIL_TLS=starttls），或 port = 465、tls = \"implicit\"。")
      :format(settings.port),
  }
end

-- Clear text was expected, and the server waits for TLS.
local function waits_for_tls(self, where)
  local settings = self.settings
  return {
    en = ("%s speaks TLS from the first byte, but tls is \"%s\""):format(where, settings.tls),
    zh = ("%s 从首字节起就是 TLS，但 tls 为 \"%s\""):format(where, settings.tls),
  }, odd_answer(settings) or {
    en = ("Set port = %d with tls = \"implicit\" (QQMAIL_TLS=implicit), or port = 587 with tls = "
      .. "\"starttls\"."):format(settings.port),
    zh = ("请设 port = %d、tls = \"implicit\"（QQMAIL_TLS=implicit），或 port = 587、tls = \"starttls\"。")
      :format(settings.port),
  }
end

-- Text and hint, where the answer differs from what the settings expect.
local function mismatch(self, found)
  local where = places.place(self.settings)
  local is_implicit = self.settings.tls == "implicit"
  if found.kind == "smtp" and is_implicit then
    return clear_text(self, found, where)
  elseif found.kind == "tls" and not is_implicit then
    return waits_for_tls(self, where)
  end
  local protocol = PROTOCOLS[found.kind]
  if not protocol then
    return nil
  end
  return {
    en = ("what answers at %s is %s%s"):format(where, protocol.en,
      quote(found.banner, " (%s)")),
    zh = ("在 %s 应答的%s%s%s"):format(where, found.kind == "other" and "" or "是", protocol.zh,
      quote(found.banner, "（%s）")),
  }, odd_answer(self.settings) or PORT_HINT
end

-- Failures that another protocol at the port may have caused.
local ASK_WHO = {
  ["tls.not_tls"] = true, ["tls.closed"] = true, ["tls.timeout"] = true, ["tls.failed"] = true,
  ["tls.truncated"] = true, ["tls.alert"] = true, ["timeout.no_greeting"] = true,
  ["closed.before_greeting"] = true, ["protocol.bad_reply"] = true,
}

local function ask_who(self, err)
  local settings, good = self.settings, self.facts.good
  if not ASK_WHO[err.code] or not good then
    return {}
  end
  local target = { host = settings.host, port = settings.port, socket = settings.socket,
    source_ip = settings.source_ip }
  local found = probe.who(self.driver, target, good, self.deadline,
    err.code == "timeout.no_greeting")
  local text, hint = mismatch(self, found)
  return { text = text, hint = hint, details = { answers = found } }
end

-- --- what sharpens a failure --------------------------------------------------------

local SHARPEN = {}

local function names_text(info)
  return info and info.names and #info.names > 0 and table.concat(info.names, ", ") or nil
end

-- A plain port beside that shows a date in its greeting.
local function ask_time(self)
  local good, open = self.facts.good, self.facts.open or {}
  for _, pair in ipairs(network.PORTS) do
    if good and pair[2] == "starttls" and open[pair[1]] then
      local found = probe.who(self.driver, { host = self.settings.host, port = pair[1],
        source_ip = self.settings.source_ip }, good, self.deadline)
      local time = certificate.date_in(found.banner)
      if time then
        return time
      end
    end
  end
end

local function judge_dates(self, info)
  local server_time = self.facts.server_time or ask_time(self)
  local text, hint, who = certificate.judge(info, os.time(), server_time)
  local details = certificate.details(info, os.time())
  details.at_fault, details.clock, details.server_clock = who, os.time(), server_time
  return { text = text, hint = hint, details = details }
end

local FOREIGN = {
  ["tls.host_mismatch"] = true, ["tls.self_signed"] = true, ["tls.no_issuer"] = true,
  ["tls.untrusted"] = true,
}

-- Somebody else's certificate: say whose.
local function name_them(self, err, info)
  local names, issuer = names_text(info) or "-", info.issuer or "-"
  return { details = certificate.details(info, os.time()), text = {
    en = ("%s: it is for %s, issued by %s"):format(err.message, names, issuer),
    zh = ("%s：证书用于 %s，签发者 %s"):format(err.message, names, issuer),
  }, hint = self.facts.fake_ip and network.FAKE_HINT or nil }
end

function SHARPEN.tls(self, err, seen)
  local info = seen and seen.tls
  local has_certificate = info and info.not_before and info.not_after
  if has_certificate and (err.code == "tls.expired" or err.code == "tls.not_yet_valid") then
    return judge_dates(self, info)
  elseif has_certificate and FOREIGN[err.code] then
    return name_them(self, err, info)
  end
  return ask_who(self, err)
end

function SHARPEN.greeting(self, err)
  return ask_who(self, err)
end

-- What a refused login means when the code looks as it should.
local function refused_text(err, preset)
  if preset.secret == "app_password" then
    return {
      en = "the login was refused although the app password looks right: it is no longer valid "
        .. "(revoked, or the password of the account was changed), or another account's",
      zh = "应用专用密码样式正确但登录被拒绝：它已失效（被撤销，或修改过账号密码），或属于其他账号",
    }
  elseif err.code == "auth.closed_during_login" then
    return {
      en = "the server hung up during the login: the authorization code is no longer valid "
        .. "(revoked, or the QQ password was changed), or the IMAP/SMTP service is off",
      zh = "服务器在登录时断开连接：授权码已失效（被撤销，或修改过 QQ 密码），或 IMAP/SMTP 服务未开启",
    }
  end
  return {
    en = "the login was refused although the code looks right: the IMAP/SMTP service of the "
      .. "mailbox is off, or the code is another account's or no longer valid",
    zh = "授权码样式正确但登录被拒绝：邮箱的 IMAP/SMTP 服务未开启，或授权码属于其他账号、已失效",
  }
end

-- Refusals that name no reason, or many; the others know better than the shape does.
local VAGUE = {
  ["auth.refused"] = true, ["auth.authorization_code_required"] = true,
  ["auth.closed_during_login"] = true,
}

local TOKEN_HINT = {
  en = "Get a new access token (not the refresh token) with the right to send by SMTP, for this "
    .. "very account; see that the provider takes OAuth2 at this server.",
  zh = "请重新获取本账号的访问令牌（access token，不是 refresh token），并确认其权限包含 SMTP 发信、服务商支持 OAuth2 登录。",
}

-- A check tries one login, and so does not do what a mail does about a token that is old.
local FRESH_HINT = {
  en = " This token came from a function: a mail would call it once more with true, and try the "
    .. "fresh token it gives.",
  zh = "该令牌由函数提供：发信时会再以 true 调用它一次，并用新令牌重试。",
}

local function token_hint(settings)
  if settings.secret_is_fixed then
    return TOKEN_HINT
  end
  return { en = TOKEN_HINT.en .. FRESH_HINT.en, zh = TOKEN_HINT.zh .. FRESH_HINT.zh }
end

local function refused_token(err, settings)
  return { details = { reply = err.message }, hint = token_hint(settings), text = {
    en = "the access token was refused: it has expired, lacks the right to send, or is another "
      .. "account's",
    zh = "访问令牌被拒绝：已过期、缺少发信权限，或属于其他账号",
  } }
end

-- A reply that names many reasons says less than the shape of the secret does.
function SHARPEN.auth(self, err)
  local preset, why = self.settings.provider, self.facts.not_a_code
  if err.not_tried or not VAGUE[err.code] then
    return {}
  elseif self.settings.secret_is_token then
    return refused_token(err, self.settings)
  elseif why then
    local kind = places.secret_name(preset)
    return { help_url = preset.help_url, text = {
      en = ("the login was refused, for what was given is no %s: %s"):format(kind.en, why.en),
      zh = ("登录被拒绝，因为给出的不是%s，%s"):format(kind.zh, why.zh),
    }, hint = preset.hint, details = { reply = err.message } }
  end
  local shape = preset and preset.code_shape
  if not shape then
    return {}
  end
  return { text = refused_text(err, preset), details = { reply = err.message },
    help_url = err.help_url or preset.help_url }
end

-- Made-up addresses explain whatever happens behind them.
local function blame_proxy(self, more, err)
  if self.facts.fake_ip and err.kind ~= "auth" and not more.text then
    more.hint = network.FAKE_HINT
    more.text = {
      en = ("%s; the address %s is a proxy's fake-ip"):format(err.message, self.facts.fake_ip),
      zh = ("%s；地址 %s 是代理的 fake-ip"):format(err.message, self.facts.fake_ip),
    }
  end
  return more
end

local function fail(self, name, err, seen)
  local sharpen = SHARPEN[name]
  local more = blame_proxy(self, sharpen and sharpen(self, err, seen) or {}, err)
  if name == "auth" and seen then
    more.seconds = seen.spans.AUTH
  elseif name == "tls" and seen then
    more.seconds = seen.times.tls
  elseif seen then
    more.seconds = seen.spans[name:upper()]
  end
  self:fail(name, err, more)
end

-- --- all of it ------------------------------------------------------------------------

-- Seconds that are left for finding out who answers, when the login took all others.
local RESERVE = 4

-- By when the login has to be over.
local function login_deadline(self)
  local left = self.deadline - self.driver:now()
  return self.deadline - math.min(RESERVE, left / 2)
end

-- Steps before the failing one went well, as far as the connection came.
local function tell(self, err, seen)
  local failing = err and step_of(err)
  for _, name in ipairs(ORDER[self.settings.tls]) do
    -- EHLO may have failed before STARTTLS was said.
    local is_reached = seen and (name ~= "tls" or seen.tls or self.settings.tls == "none")
    if name == failing then
      break
    elseif is_reached then
      WELL[name](self, seen)
    end
  end
  if err then
    fail(self, failing, err, seen)
  end
end

--- Connect and log in, as for a mail.
-- @treturn ?table connection; a place in the account's pool is held as long as it lives
function M.run(self)
  local driver, route = self.driver, self.route
  local place, err = route:enter(driver, self.deadline)
  if not place then
    self:fail(step_of(err), err)
    return nil
  end
  local seen, connection
  connection, err = route:open(driver, login_deadline(self), nil, function(made)
    seen = look(made, self.settings.tls == "implicit")
  end)
  tell(self, err, seen)
  if not connection then
    route:pool(driver):leave(place)
    return nil
  end
  self.place = place
  return connection
end

return M
