--- The steps of a check before anything is sent: settings, secret, From.
-- @module qqmail.doctor.settings

local config = require("qqmail.config")
local validate = require("qqmail.validate")
local wheres = require("qqmail.where")

local M = {}

-- --- settings -----------------------------------------------------------------

local ORIGINS = {
  option = { en = "option", zh = "选项" }, env = { en = "environment", zh = "环境变量" },
  file = { en = "file", zh = "文件" }, url = { en = "from the URL", zh = "来自 URL" },
  preset = { en = "preset", zh = "预设" }, default = { en = "default", zh = "默认值" },
}

local MODES = {
  implicit = { en = "TLS from the first byte", zh = "首字节起即 TLS" },
  starttls = { en = "TLS by STARTTLS", zh = "STARTTLS" },
  none = { en = "without TLS", zh = "不加密" },
}

-- What is worth a line: what somebody set, and which server follows from it.
local ALWAYS = { host = true, port = true, tls = true, from = true, password = true, token = true }

local function shown(value)
  if type(value) ~= "table" then
    return type(value) == "function" and "function" or tostring(value)
  elseif value.address then
    return (value.name and value.name .. " " or "") .. "<" .. value.address .. ">"
  end
  local parts = {}
  for index, item in ipairs(value) do
    parts[index] = tostring(item)
  end
  return #parts > 0 and table.concat(parts, ", ") or "table"
end

local function note_of(item)
  local origin, where = ORIGINS[item.origin], item.where
  local is_named = where and (item.origin == "env" or item.origin == "file")
  local line = ("%s = %s"):format(item.key, shown(item.value))
  local function with(word, open, close)
    local more = where and where ~= item.origin and " " .. where or ""
    local place = is_named and where or word .. more
    return line .. open .. place .. close
  end
  return { text = { en = with(origin.en, " (", ")"), zh = with(origin.zh, "（", "）") } }
end

local function is_worth_a_line(item)
  local is_given = item.origin ~= "default" and item.origin ~= "preset"
  return ALWAYS[item.key] or is_given and item.key ~= "lang"
end

-- Warnings that belong to a later step, by their code or the option they are about.
local LATER = {
  ["config.from_differs"] = "from", ["config.user_provider"] = "from",
  ["config.dkim_alignment"] = "from",
  ["config.secret_newline"] = "code", ["config.secret_blanks"] = "code",
  ["config.not_a_code"] = "code", ["config.password_refused"] = "code",
}

local function warnings_for(settings, step)
  local notes = {}
  for _, warning in ipairs(settings.warnings) do
    if (LATER[warning.code] or "settings") == step then
      notes[#notes + 1] = { status = "warning", code = warning.code,
        text = warning.text or warning.message }
    end
  end
  return notes
end

--- Where a message goes, in a few words.
-- @tparam table settings
-- @treturn string
function M.place(settings)
  return settings.socket or wheres.with_port(settings.host, settings.port)
end

local function summary(settings, lang)
  local zh = lang == "zh"
  local line = M.place(settings) .. (zh and "，" or ", ") .. MODES[settings.tls][lang]
  if settings.user then
    line = line .. (zh and "，账号 " or ", user ") .. settings.user
  end
  if settings.provider then
    line = line .. (zh and "，预设 " or ", preset ") .. settings.provider.key
  end
  return line
end

local function breaker_note(self)
  local state = self.route:state(require("qqmail.net").now())
  if state ~= "open" then
    return nil
  end
  return { status = "warning", code = "closed.breaker", text = {
    en = "this account failed several times: mails leave it alone for a while, this check does not",
    zh = "该账号已连续失败，发信暂时不会使用它；本次检查不受此限制",
  } }
end

local function account_note(self)
  local count = 1 + #(self.mailer.settings.failover or {})
  if count == 1 then
    return nil
  end
  return { text = {
    en = ("account %d of %d is checked; the field `account` chooses another")
      :format(self.account, count),
    zh = ("共 %d 个账号，本次检查第 %d 个；用 account 字段选择其他账号")
      :format(count, self.account),
  } }
end

--- Which settings there are, and where each comes from.
function M.settings(self)
  local settings = self.settings
  local listing, details, notes = config.describe(settings), {}, {}
  for index, item in ipairs(listing) do
    details[index] = { key = item.key, value = shown(item.value), origin = item.origin,
      where = item.where }
    if is_worth_a_line(item) then
      notes[#notes + 1] = note_of(item)
    end
  end
  for _, warning in ipairs(warnings_for(settings, "settings")) do
    notes[#notes + 1] = warning
  end
  notes[#notes + 1] = breaker_note(self)
  notes[#notes + 1] = account_note(self)
  self:add({ name = "settings", details = { settings = details }, notes = notes,
    text = { en = summary(settings, "en"), zh = summary(settings, "zh") } })
end

-- --- the secret -----------------------------------------------------------------

-- What a secret that is no code looks like; nothing of it is told.
local function guess(text)
  if text:find("^%a+$") then
    return {
      en = "it has letters alone, but not 16 (a part is missing, or too much was copied)",
      zh = "只含字母，但不是 16 位，可能少复制或多复制了",
    }
  end
  return {
    en = "it has more than letters in it, as the passwords of accounts have",
    zh = "含有字母以外的字符，像是账号密码",
  }
end

local CODE, APP_PASSWORD = { en = "authorization code", zh = "授权码" },
  { en = "app password", zh = "应用专用密码" }

--- What a provider calls the secret for programs.
-- @tparam table preset
-- @treturn table `{ en =, zh = }`
function M.secret_name(preset)
  return preset.secret == "app_password" and APP_PASSWORD or CODE
end

local function check_shape(self, text, shape, notes)
  local preset = self.settings.provider
  local kind = M.secret_name(preset)
  if #text == shape.letters and text:find("^%a+$") then
    return self:add({ name = "code", notes = notes, text = {
      en = ("%d letters, as %ss of %s are"):format(shape.letters, kind.en, preset.name.en),
      zh = ("%d 位字母，与%s的样式相符"):format(shape.letters, kind.zh),
    } })
  end
  local why = guess(text)
  self.facts.not_a_code = why
  self:add({ name = "code", status = "warning", code = "config.not_a_code", notes = notes,
    hint = preset.hint, help_url = preset.help_url, text = {
      en = ("this is no %s of %d letters: %s"):format(kind.en, shape.letters, why.en),
      zh = ("这不是 %d 位字母的%s，%s"):format(shape.letters, kind.zh, why.zh),
    } })
end

-- The warnings of the settings, but for the one this step finds itself.
local function code_notes(settings)
  local notes = {}
  for _, note in ipairs(warnings_for(settings, "code")) do
    if note.code ~= "config.not_a_code" then
      notes[#notes + 1] = note
    end
  end
  return notes
end

--- Whether the secret can be one.
function M.code(self)
  local settings = self.settings
  if not settings.user then
    return self:add({ name = "code", status = "skipped",
      text = { en = "no login is set", zh = "未设置登录" } })
  end
  local text, err = settings.secret()
  if err then
    return self:fail("code", err)
  end
  local preset, notes = settings.provider, code_notes(settings)
  local shape = preset and preset.code_shape
  if settings.secret_is_token then
    self:add({ name = "code", notes = notes, text = { en = "an access token is there",
      zh = "已提供访问令牌" } })
  elseif shape and text then
    check_shape(self, text, shape, notes)
  else
    self:add({ name = "code", notes = notes, text = {
      en = "a password is there; its shape tells nothing with this provider",
      zh = "已提供密码；该服务商的密码没有固定样式" } })
  end
end

-- --- From -----------------------------------------------------------------------

local POLICIES = {
  alias = { en = "the server takes the login address or an alias of it",
    zh = "服务器只接受登录地址或其别名" },
  verified = { en = "the server takes addresses verified there", zh = "服务器只接受在其控制台验证过的地址" },
}

local function mismatch(self, address, notes)
  local settings = self.settings
  local preset = settings.provider
  self.facts.from_differs = address
  self:add({ name = "from", status = "warning", code = "config.from_differs", notes = notes,
    text = {
      en = ("From is %s, but the login is %s: %s refuses that"):format(address,
        settings.user, preset.name.en),
      zh = ("发件人是 %s，而登录账号是 %s：%s会拒绝"):format(address, settings.user,
        preset.name.zh),
    },
    hint = {
      en = ("Set from to %s (a name may stand before it), or log in as %s."):format(settings.user,
        address),
      zh = ("请把 from 设为 %s（前面可以加显示名），或改用 %s 登录。"):format(settings.user,
        address),
    } })
end

-- The warning of the settings says the same.
local function from_notes(settings)
  local notes = {}
  for _, note in ipairs(warnings_for(settings, "from")) do
    if note.code ~= "config.from_differs" then
      notes[#notes + 1] = note
    end
  end
  return notes
end

--- Whether the server will take the sender.
function M.from(self)
  local settings = self.settings
  local address = validate.address_of(settings.from)
  if not address then
    return self:add({ name = "from", status = "skipped", text = {
      en = "no from is set: each message has to bring its own",
      zh = "未设置 from：每封邮件需自带发件人" } })
  end
  self.facts.from = address
  local preset, notes = settings.provider, from_notes(settings)
  local policy = preset and preset.from_policy
  local is_login = settings.user and address:lower() == settings.user:lower()
  if policy == "login" and not is_login and validate.address_of(settings.user) then
    return mismatch(self, address, notes)
  end
  local more = not is_login and POLICIES[policy] or nil
  local function text(lang, login, comma)
    return address .. (is_login and login or more and comma .. more[lang] or "")
  end
  self:add({ name = "from", notes = notes,
    text = { en = text("en", ", the login itself", "; "), zh = text("zh", "，即登录账号", "；") } })
end

return M
