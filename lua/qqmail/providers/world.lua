--- Presets: mail services elsewhere.
-- @module qqmail.providers.world

local base = require "qqmail.providers.base"

local IMPLICIT_THEN_STARTTLS = base.implicit_then_starttls
local IMPLICIT = base.implicit
local STARTTLS = base.starttls
local PASSWORD_MECHANISMS = base.password_mechanisms
local TOKEN_OR_PASSWORD = base.token_or_password
local HINTS = base.hints
local quirks = base.quirks

local MICROSOFT_HELP = "https://learn.microsoft.com/exchange/client-developer/"
  .. "legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth"

return {
  {
    key = "gmail", name = { en = "Gmail", zh = "Gmail" },
    domains = { "gmail.com", "googlemail.com" }, host = "smtp.gmail.com",
    ports = IMPLICIT_THEN_STARTTLS, auth = TOKEN_OR_PASSWORD,
    secret = "app_password", hint = HINTS.app_password, code_shape = { letters = 16 },
    from_policy = "alias", size_limit = 35882577, quirks = quirks(),
    help_url = "https://support.google.com/accounts/answer/185833",
    rate = { en = "500 a day, Workspace 2000; cannot be reached from mainland China",
      zh = "每天 500 封（Workspace 2000）；中国大陆无法直连" },
    notes = {
      en = "another From is replaced, unless it is a verified alias; data: images are "
        .. "dropped; executables are refused, also inside archives",
      zh = "From 不是已验证别名时会被改写；丢弃 data: 图片；拒收可执"
        .. "行文件，压缩包内也检查",
    },
  },
  {
    key = "gmail-relay", name = { en = "Google Workspace relay", zh = "Google Workspace 中继" },
    domains = {}, host = "smtp-relay.gmail.com", ports = IMPLICIT_THEN_STARTTLS,
    user = "address, or an allowed IP", anonymous = true, auth = TOKEN_OR_PASSWORD,
    secret = "app_password", hint = HINTS.app_password, from_policy = "verified",
    quirks = quirks(),
    rate = { en = "10000 recipients a day for each user", zh = "每用户每天 10000 个收件人" },
  },
  {
    key = "outlook", name = { en = "Outlook.com", zh = "Outlook.com" },
    domains = { "outlook.com", "hotmail.com", "live.com", "msn.com" },
    host = "smtp-mail.outlook.com", ports = STARTTLS, auth = { "XOAUTH2" },
    secret = "token", hint = HINTS.oauth, from_policy = "login", quirks = quirks(),
    help_url = MICROSOFT_HELP,
    notes = {
      en = "passwords have been refused since September 2024, app passwords as well",
      zh = "2024 年 9 月起不再接受密码（包括应用专用密码）",
    },
  },
  {
    key = "office365", name = { en = "Microsoft 365", zh = "Microsoft 365" },
    domains = { "onmicrosoft.com" }, host = "smtp.office365.com", ports = STARTTLS,
    auth = { "XOAUTH2", "LOGIN" }, secret = "token",
    hint = {
      en = "Give an OAuth2 access token as `token`; passwords work only where the administrator "
        .. "still allows SMTP AUTH.",
      zh = "请通过 token 提供 OAuth2 访问令牌；仅当管理员仍允许 SMTP AUTH 时才能使用密码。",
    },
    from_policy = "alias", size_limit = 157286400, quirks = quirks(),
    rate = { en = "30 messages a minute, 10000 recipients a day",
      zh = "每分钟 30 封，每天 10000 个收件人" },
    help_url = MICROSOFT_HELP,
    notes = {
      en = "another From needs the right to send as it",
      zh = "以其他地址发件需要 SendAs 权限",
    },
  },
  {
    key = "icloud", name = { en = "iCloud Mail", zh = "iCloud 邮箱" },
    domains = { "icloud.com", "me.com", "mac.com" }, host = "smtp.mail.me.com", ports = STARTTLS,
    auth = PASSWORD_MECHANISMS, secret = "app_password", hint = HINTS.app_password,
    from_policy = "alias", quirks = quirks(),
  },
  {
    key = "yahoo", name = { en = "Yahoo Mail", zh = "雅虎邮箱" },
    domains = { "yahoo.com", "yahoo.*" }, host = "smtp.mail.yahoo.com",
    ports = IMPLICIT_THEN_STARTTLS, auth = TOKEN_OR_PASSWORD,
    secret = "app_password", hint = HINTS.app_password, from_policy = "login", quirks = quirks(),
  },
  {
    key = "aol", name = { en = "AOL Mail", zh = "AOL 邮箱" }, domains = { "aol.com" },
    host = "smtp.aol.com", ports = IMPLICIT_THEN_STARTTLS, auth = TOKEN_OR_PASSWORD,
    secret = "app_password", hint = HINTS.app_password, from_policy = "login", quirks = quirks(),
  },
  {
    key = "zoho", name = { en = "Zoho Mail", zh = "Zoho 邮箱" },
    domains = { "zoho.com", "zohomail.com" }, host = "smtp.zoho.com",
    hosts = {
      { "smtp.zoho.com", "US" }, { "smtp.zoho.eu", "EU" }, { "smtp.zoho.in", "India" },
      { "smtp.zoho.com.au", "Australia" }, { "smtp.zoho.jp", "Japan" },
      { "smtp.zohocloud.ca", "Canada" },
    },
    ports = IMPLICIT_THEN_STARTTLS, auth = { "LOGIN", "PLAIN" },
    secret = "app_password", hint = HINTS.app_password, from_policy = "alias",
    size_limit = 53477376, quirks = quirks(),
    notes = {
      en = "an account belongs to one region; use its host",
      zh = "账号与地域绑定，请使用对应地域的服务器",
    },
  },
  {
    key = "yandex", name = { en = "Yandex Mail", zh = "Yandex 邮箱" },
    domains = { "yandex.com", "yandex.ru", "ya.ru" }, host = "smtp.yandex.com",
    hosts = { { "smtp.yandex.com" }, { "smtp.yandex.ru", "Russia" } },
    ports = IMPLICIT, user = "address or login", auth = PASSWORD_MECHANISMS,
    secret = "app_password", hint = HINTS.app_password, from_policy = "login", quirks = quirks(),
    notes = {
      en = "mail programs must be allowed in the settings; refuses what looks like spam "
        .. "with 554 5.7.1",
      zh = "需在设置中允许邮件程序；疑似垃圾邮件返回 554 5.7.1",
    },
  },
  {
    key = "mailru", name = { en = "Mail.ru", zh = "Mail.ru" },
    domains = { "mail.ru", "inbox.ru", "list.ru", "bk.ru" }, host = "smtp.mail.ru",
    ports = IMPLICIT_THEN_STARTTLS, auth = PASSWORD_MECHANISMS,
    secret = "app_password", hint = HINTS.app_password, from_policy = "login", quirks = quirks(),
  },
  {
    key = "fastmail", name = { en = "Fastmail", zh = "Fastmail" }, domains = { "fastmail.com" },
    host = "smtp.fastmail.com", ports = IMPLICIT, auth = PASSWORD_MECHANISMS,
    secret = "app_password", hint = HINTS.app_password, from_policy = "alias", quirks = quirks(),
  },
  {
    key = "gmx", name = { en = "GMX", zh = "GMX" },
    domains = { "gmx.net", "gmx.de", "gmx.com" }, host = "mail.gmx.net",
    hosts = { { "mail.gmx.net" }, { "mail.gmx.com", "gmx.com" } },
    ports = IMPLICIT_THEN_STARTTLS, auth = PASSWORD_MECHANISMS,
    secret = "password", hint = HINTS.password, from_policy = "login", quirks = quirks(),
  },
  {
    key = "proton", name = { en = "Proton Mail", zh = "Proton 邮箱" }, domains = { "proton.me" },
    host = "smtp.protonmail.ch", ports = STARTTLS, auth = PASSWORD_MECHANISMS,
    secret = "token", hint = HINTS.api_key, from_policy = "login", quirks = quirks(),
  },
  {
    key = "naver", name = { en = "Naver Mail", zh = "Naver 邮箱" }, domains = { "naver.com" },
    host = "smtp.naver.com", ports = IMPLICIT_THEN_STARTTLS, auth = PASSWORD_MECHANISMS,
    secret = "app_password", hint = HINTS.app_password, from_policy = "login", quirks = quirks(),
  },
}
