--- Provider presets.
--
-- A preset is found by its key, by the host, or by the domain of an address.
-- `providers.qq`, `providers["163"]` and so on are the presets themselves:
--
-- * `key`, `name` = `{ en =, zh = }`
-- * `domains`: of addresses that live there ("yahoo.*": any ending)
-- * `host`: where to connect; `hosts`: all of them, with their `region`
-- * `ports`: list of `{ port, tls mode }`, the best first
-- * `user`: "address", or what the login name is instead; `login`: the fixed one
-- * `auth`: mechanisms, the best first
-- * `secret`: what kind of password it takes; `hint` = `{ en =, zh = }`: where it
--   comes from; `code_shape`: what it looks like
-- * `from_policy`: "login" (From must be the login), "alias" (or an alias of it),
--   "verified" (an address or domain verified there), "any"
-- * `size_limit`: bytes, where known; `rate` = `{ en =, zh = }`: known limits
-- * `quirks`: what the server cannot do
-- * `help_url`
-- @module qqmail.providers

local M = {}

local IMPLICIT_THEN_STARTTLS = { { 465, "implicit" }, { 587, "starttls" } }
local IMPLICIT = { { 465, "implicit" } }
local STARTTLS = { { 587, "starttls" } }

local PASSWORD_MECHANISMS = { "PLAIN", "LOGIN" }
local LOGIN_ONLY = { "LOGIN" }
local TOKEN_OR_PASSWORD = { "XOAUTH2", "OAUTHBEARER", "PLAIN", "LOGIN" }

-- `window` = 0: nobody has proved that this server takes the next envelope
-- behind a body. `eof_in_auth_is_auth`: it hangs up instead of answering when
-- it refuses a login. `lazy_recipients`: RCPT takes anybody, who is unknown is told
-- behind the mail.
local function quirks(more)
  local out = { window = 0 }
  for key, value in pairs(more or {}) do
    out[key] = value
  end
  return out
end

-- What follows a delivered message there is garbage, silence or a hang-up.
local function tencent_quirks(more)
  local out = quirks(more)
  out.no_reset, out.no_noop, out.no_eightbit, out.eof_in_auth_is_auth = true, true, true, true
  return out
end

local function netease_quirks()
  return quirks { no_reset = true, no_noop = true }
end

local QQ_HELP = "https://service.mail.qq.com/detail/0/75"

local HINTS = {
  qq = {
    en = "Use the 16-letter authorization code from QQ Mail (Settings > Account > IMAP/SMTP "
      .. "service), not the QQ password; changing the QQ password makes a new code necessary.",
    zh = "请使用 QQ 邮箱“设置 > 账号”中开启 IMAP/SMTP 服务后得到的 16 位授权码，不是 QQ 密码；"
      .. "修改 QQ 密码后需重新生成。",
  },
  exmail = {
    en = "Use a client-specific password of Tencent Exmail, with IMAP/SMTP switched on.",
    zh = "请开启 IMAP/SMTP 并使用企业邮箱的客户端专用密码。",
  },
  netease = {
    en = "Use the client authorization code from the web mail (Settings > POP3/SMTP/IMAP), not the "
      .. "password of the account.",
    zh = "请使用网页端“设置 > POP3/SMTP/IMAP”中得到的客户端授权码，不是登录密码。",
  },
  app_password = {
    en = "Create an app password in the security settings of the account and use it here.",
    zh = "请在账号的安全设置中创建应用专用密码并填在这里。",
  },
  client_password = {
    en = "Switch SMTP on in the web mail; where it offers a code or password for mail clients, "
      .. "use that one.",
    zh = "请在网页端开启 SMTP；若提供客户端专用密码或授权码，请使用它。",
  },
  oauth = {
    en = "Passwords are refused here: give an OAuth2 access token as `token`.",
    zh = "该服务不再接受密码：请通过 token 提供 OAuth2 访问令牌。",
  },
  api_key = {
    en = "The password is an API key or SMTP credential made in the provider's console.",
    zh = "密码是在服务商控制台创建的 API 密钥或 SMTP 凭证。",
  },
  smtp_password = {
    en = "Set an SMTP password for the sender address in the console and use it here.",
    zh = "请在控制台为发信地址设置 SMTP 密码并填在这里。",
  },
  password = {
    en = "Use the full address and the password of the account.",
    zh = "请使用完整邮箱地址和账号密码。",
  },
}

--- The presets, in a fixed order.
M.list = {
  {
    key = "qq", name = { en = "QQ Mail", zh = "QQ 邮箱" },
    domains = { "qq.com", "vip.qq.com", "foxmail.com" },
    host = "smtp.qq.com", ports = IMPLICIT_THEN_STARTTLS,
    auth = { "PLAIN", "LOGIN", "XOAUTH2" },
    secret = "authorization_code", hint = HINTS.qq, code_shape = { letters = 16 },
    from_policy = "login", size_limit = 73400320, help_url = QQ_HELP,
    quirks = tencent_quirks { lazy_recipients = true },
    rate = { en = "limits by minute, hour and day, not published; logins are limited too",
      zh = "按分钟、小时、天限制，具体数值不公开；登录次数也有限制" },
  },
  {
    key = "exmail", name = { en = "Tencent Exmail", zh = "腾讯企业邮箱" },
    domains = {}, host = "smtp.exmail.qq.com",
    hosts = { { "smtp.exmail.qq.com" }, { "hwsmtp.exmail.qq.com", "overseas" } },
    ports = IMPLICIT_THEN_STARTTLS, auth = { "LOGIN", "PLAIN" },
    secret = "client_password", hint = HINTS.exmail, from_policy = "login",
    quirks = tencent_quirks(),
    rate = { en = "about 500 a day for a free company, 1500 for up to 30 paid users",
      zh = "免费版每公司约 500 封/天，付费 30 人以内约 1500 封/天" },
  },
  {
    key = "163", name = { en = "NetEase 163", zh = "网易 163 邮箱" }, domains = { "163.com" },
    host = "smtp.163.com",
    ports = { { 465, "implicit" }, { 994, "implicit" }, { 587, "starttls" }, { 25, "starttls" } },
    auth = { "LOGIN", "PLAIN" }, secret = "authorization_code", hint = HINTS.netease,
    from_policy = "login", quirks = netease_quirks(),
    help_url = "https://help.mail.163.com/",
    rate = { en = "about 100 mails a day reported for free accounts", zh = "免费账号据报约 100 封/天" },
  },
  {
    key = "126", name = { en = "NetEase 126", zh = "网易 126 邮箱" }, domains = { "126.com" },
    host = "smtp.126.com", ports = { { 465, "implicit" }, { 994, "implicit" } },
    auth = { "LOGIN", "PLAIN" }, secret = "authorization_code", hint = HINTS.netease,
    from_policy = "login", quirks = netease_quirks(), help_url = "https://help.mail.163.com/",
  },
  {
    key = "yeah", name = { en = "NetEase yeah.net", zh = "网易 yeah.net 邮箱" },
    domains = { "yeah.net" },
    host = "smtp.yeah.net", ports = { { 465, "implicit" }, { 994, "implicit" } },
    auth = { "LOGIN", "PLAIN" }, secret = "authorization_code", hint = HINTS.netease,
    from_policy = "login", quirks = netease_quirks(), help_url = "https://help.mail.163.com/",
  },
  {
    key = "netease-qiye", name = { en = "NetEase enterprise mail", zh = "网易企业邮箱" },
    domains = {}, host = "smtp.qiye.163.com",
    hosts = { { "smtp.qiye.163.com" }, { "smtphz.qiye.163.com", "Hangzhou" } },
    ports = { { 994, "implicit" } }, auth = { "LOGIN", "PLAIN" },
    secret = "client_password", hint = HINTS.client_password, from_policy = "login",
    quirks = quirks(), rate = { en = "free plan: 100 a day", zh = "免费版 100 封/天" },
  },
  {
    key = "aliyun", name = { en = "Alibaba personal mail", zh = "阿里云邮箱" },
    domains = { "aliyun.com" }, host = "smtp.aliyun.com",
    ports = { { 465, "implicit" }, { 25, "starttls" } },
    auth = { "LOGIN", "PLAIN" }, secret = "password", hint = HINTS.client_password,
    from_policy = "login", quirks = quirks(),
  },
  {
    key = "aliyun-qiye", name = { en = "Alibaba enterprise mail", zh = "阿里企业邮箱" },
    domains = {}, host = "smtp.qiye.aliyun.com",
    hosts = { { "smtp.qiye.aliyun.com" }, { "smtp.mxhichina.com" } },
    ports = { { 465, "implicit" }, { 25, "starttls" }, { 80, "starttls" } },
    auth = { "LOGIN", "PLAIN" }, secret = "client_password", hint = HINTS.client_password,
    from_policy = "login", quirks = quirks(),
  },
  {
    key = "directmail", name = { en = "Alibaba DirectMail", zh = "阿里云邮件推送" }, domains = {},
    host = "smtpdm.aliyun.com",
    hosts = {
      { "smtpdm.aliyun.com", "Hangzhou" },
      { "smtpdm-ap-southeast-1.aliyuncs.com", "Singapore" },
      { "smtpdm-us-east-1.aliyuncs.com", "US (Virginia)" },
      { "smtpdm-eu-central-1.aliyuncs.com", "Germany" },
    },
    ports = { { 465, "implicit" }, { 80, "starttls" }, { 25, "starttls" } },
    auth = LOGIN_ONLY, secret = "smtp_password", hint = HINTS.smtp_password,
    from_policy = "login", quirks = quirks(),
    help_url = "https://help.aliyun.com/en/direct-mail/user-guide/send-emails-using-smtp",
  },
  {
    key = "tencent-ses", name = { en = "Tencent Cloud SES", zh = "腾讯云邮件推送" }, domains = {},
    host = "smtp.qcloudmail.com",
    hosts = {
      { "smtp.qcloudmail.com", "Hong Kong" }, { "gz-smtp.qcloudmail.com", "Guangzhou" },
      { "sg-smtp.qcloudmail.com", "Singapore" },
    },
    ports = IMPLICIT, auth = { "LOGIN", "PLAIN" },
    secret = "smtp_password", hint = HINTS.smtp_password, from_policy = "verified",
    quirks = quirks { no_copy_headers = true, no_inline = true, no_reply_to = true },
    help_url = "https://www.tencentcloud.com/document/product/1084/44457",
  },
  {
    key = "sina", name = { en = "Sina Mail", zh = "新浪邮箱" }, domains = { "sina.com", "sina.cn" },
    host = "smtp.sina.com", hosts = { { "smtp.sina.com" }, { "smtp.vip.sina.com", "vip" } },
    ports = { { 465, "implicit" }, { 25, "starttls" } }, auth = { "LOGIN", "PLAIN" },
    secret = "authorization_code", hint = HINTS.client_password, from_policy = "login",
    quirks = quirks(),
  },
  {
    key = "sohu", name = { en = "Sohu Mail", zh = "搜狐邮箱" }, domains = { "sohu.com" },
    host = "smtp.sohu.com", ports = { { 465, "implicit" }, { 25, "starttls" } },
    auth = LOGIN_ONLY, secret = "client_password", hint = HINTS.client_password,
    from_policy = "login", quirks = quirks(),
  },
  {
    key = "139", name = { en = "China Mobile 139", zh = "139 邮箱" }, domains = { "139.com" },
    host = "smtp.139.com", ports = { { 465, "implicit" }, { 25, "starttls" } },
    auth = LOGIN_ONLY, secret = "authorization_code", hint = HINTS.client_password,
    from_policy = "login", quirks = quirks(),
  },
  {
    key = "189", name = { en = "China Telecom 189", zh = "189 邮箱" }, domains = { "189.cn" },
    host = "smtp.189.cn", ports = IMPLICIT, auth = LOGIN_ONLY,
    secret = "client_password", hint = HINTS.client_password, from_policy = "login",
    quirks = quirks(),
  },
  {
    key = "263", name = { en = "263 Mail", zh = "263 邮箱" },
    domains = { "263.net", "263xmail.com" }, host = "smtp.263.net", ports = IMPLICIT,
    auth = LOGIN_ONLY, secret = "client_password", hint = HINTS.client_password,
    from_policy = "login", quirks = quirks(),
  },
  {
    key = "feishu", name = { en = "Feishu Mail", zh = "飞书邮箱" }, domains = {},
    host = "smtp.feishu.cn",
    hosts = { { "smtp.feishu.cn" }, { "smtp.larksuite.com", "outside China" } },
    ports = IMPLICIT, auth = { "LOGIN", "PLAIN" }, secret = "client_password",
    hint = HINTS.client_password, from_policy = "login", quirks = quirks(),
  },
  {
    key = "sendcloud", name = { en = "SendCloud", zh = "SendCloud" }, domains = {},
    host = "smtp.sendcloud.net", ports = { { 587, "starttls" }, { 2525, "starttls" } },
    user = "API user", auth = LOGIN_ONLY, secret = "api_key", hint = HINTS.api_key,
    from_policy = "verified", quirks = quirks(),
  },
  {
    key = "gmail", name = { en = "Gmail", zh = "Gmail" },
    domains = { "gmail.com", "googlemail.com" }, host = "smtp.gmail.com",
    ports = IMPLICIT_THEN_STARTTLS, auth = TOKEN_OR_PASSWORD,
    secret = "app_password", hint = HINTS.app_password, code_shape = { letters = 16 },
    from_policy = "alias", size_limit = 35882577, quirks = quirks(),
    help_url = "https://support.google.com/accounts/answer/185833",
    rate = { en = "500 a day, Workspace 2000; cannot be reached from mainland China",
      zh = "每天 500 封（Workspace 2000）；中国大陆无法直连" },
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
  },
  {
    key = "yandex", name = { en = "Yandex Mail", zh = "Yandex 邮箱" },
    domains = { "yandex.com", "yandex.ru", "ya.ru" }, host = "smtp.yandex.com",
    hosts = { { "smtp.yandex.com" }, { "smtp.yandex.ru", "Russia" } },
    ports = IMPLICIT, user = "address or login", auth = PASSWORD_MECHANISMS,
    secret = "app_password", hint = HINTS.app_password, from_policy = "login", quirks = quirks(),
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
  {
    key = "ses", name = { en = "Amazon SES", zh = "Amazon SES" }, domains = {},
    host_form = "email-smtp.<region>.amazonaws.com",
    host_pattern = "^email%-smtp%.[%w-]+%.amazonaws%.com$",
    ports = { { 465, "implicit" }, { 587, "starttls" } }, user = "SMTP user (AKIA...)",
    auth = PASSWORD_MECHANISMS, secret = "smtp_password",
    hint = {
      en = "Use SMTP credentials made for this region; the IAM secret key itself does not work.",
      zh = "请使用为该区域创建的 SMTP 凭证；IAM 密钥本身不能用作密码。",
    },
    from_policy = "verified", quirks = quirks(),
    rate = { en = "14 messages a second by default", zh = "默认每秒 14 封" },
  },
  {
    key = "sendgrid", name = { en = "SendGrid", zh = "SendGrid" }, domains = {},
    host = "smtp.sendgrid.net",
    ports = { { 465, "implicit" }, { 587, "starttls" }, { 2525, "starttls" } },
    user = "the word apikey", login = "apikey", auth = PASSWORD_MECHANISMS,
    secret = "api_key", hint = HINTS.api_key, from_policy = "verified", quirks = quirks(),
    rate = { en = "100 to 5000 messages on one connection", zh = "单连接 100 到 5000 封" },
  },
  {
    key = "mailgun", name = { en = "Mailgun", zh = "Mailgun" }, domains = {},
    host = "smtp.mailgun.org",
    hosts = { { "smtp.mailgun.org", "US" }, { "smtp.eu.mailgun.org", "EU" } },
    ports = IMPLICIT_THEN_STARTTLS, user = "postmaster@domain", auth = PASSWORD_MECHANISMS,
    secret = "smtp_password", hint = HINTS.api_key, from_policy = "verified",
    size_limit = 52428800, quirks = quirks(),
  },
  {
    key = "postmark", name = { en = "Postmark", zh = "Postmark" }, domains = {},
    host = "smtp.postmarkapp.com", ports = { { 587, "starttls" }, { 2525, "starttls" } },
    user = "server token", auth = PASSWORD_MECHANISMS, secret = "api_key", hint = HINTS.api_key,
    from_policy = "verified", quirks = quirks(),
  },
  {
    key = "resend", name = { en = "Resend", zh = "Resend" }, domains = {},
    host = "smtp.resend.com",
    ports = {
      { 465, "implicit" }, { 587, "starttls" }, { 2465, "implicit" }, { 2587, "starttls" },
    },
    user = "the word resend", login = "resend", auth = PASSWORD_MECHANISMS,
    secret = "api_key", hint = HINTS.api_key, from_policy = "verified", quirks = quirks(),
  },
  {
    key = "brevo", name = { en = "Brevo", zh = "Brevo" }, domains = {},
    host = "smtp-relay.brevo.com",
    ports = { { 587, "starttls" }, { 465, "implicit" }, { 2525, "starttls" } },
    user = "account login", auth = PASSWORD_MECHANISMS, secret = "api_key",
    hint = { en = "The password is the SMTP key of the account, not the API key.",
      zh = "密码是账号的 SMTP 密钥，不是 API 密钥。" },
    from_policy = "verified", quirks = quirks(),
  },
  {
    key = "mailjet", name = { en = "Mailjet", zh = "Mailjet" }, domains = {},
    host = "in-v3.mailjet.com", hosts = { { "in-v3.mailjet.com" }, { "in.mailjet.com" } },
    ports = STARTTLS, user = "API key", auth = PASSWORD_MECHANISMS, secret = "api_key",
    hint = HINTS.api_key, from_policy = "verified", quirks = quirks(),
  },
  {
    key = "mailersend", name = { en = "MailerSend", zh = "MailerSend" }, domains = {},
    host = "smtp.mailersend.net", ports = STARTTLS, user = "token user",
    auth = PASSWORD_MECHANISMS, secret = "api_key", hint = HINTS.api_key,
    from_policy = "verified", quirks = quirks(),
  },
  {
    key = "sparkpost", name = { en = "SparkPost", zh = "SparkPost" }, domains = {},
    host = "smtp.sparkpostmail.com", ports = STARTTLS,
    user = "the word SMTP_Injection", login = "SMTP_Injection", auth = PASSWORD_MECHANISMS,
    secret = "api_key", hint = HINTS.api_key, from_policy = "verified", quirks = quirks(),
  },
  {
    key = "mandrill", name = { en = "Mandrill", zh = "Mandrill" }, domains = {},
    host = "smtp.mandrillapp.com", ports = STARTTLS, user = "any text",
    auth = PASSWORD_MECHANISMS, secret = "api_key", hint = HINTS.api_key,
    from_policy = "verified", quirks = quirks(),
  },
  {
    key = "smtp2go", name = { en = "SMTP2GO", zh = "SMTP2GO" }, domains = {},
    host = "mail.smtp2go.com", ports = { { 2525, "starttls" } }, user = "SMTP user",
    auth = PASSWORD_MECHANISMS, secret = "smtp_password", hint = HINTS.api_key,
    from_policy = "verified", quirks = quirks(),
  },
  {
    key = "elasticemail", name = { en = "Elastic Email", zh = "Elastic Email" }, domains = {},
    host = "smtp.elasticemail.com", ports = IMPLICIT, user = "account",
    auth = PASSWORD_MECHANISMS, secret = "api_key", hint = HINTS.api_key,
    from_policy = "verified", quirks = quirks(),
  },
  {
    key = "mailtrap", name = { en = "Mailtrap", zh = "Mailtrap" }, domains = {},
    host = "live.smtp.mailtrap.io", ports = STARTTLS, user = "the word api", login = "api",
    auth = PASSWORD_MECHANISMS, secret = "api_key", hint = HINTS.api_key,
    from_policy = "verified", quirks = quirks(),
  },
  {
    key = "ethereal", name = { en = "Ethereal (test)", zh = "Ethereal（测试）" }, domains = {},
    host = "smtp.ethereal.email", ports = STARTTLS, user = "generated",
    auth = PASSWORD_MECHANISMS, secret = "password",
    hint = { en = "Use the generated account; nothing is delivered.",
      zh = "使用生成的账号；不会真正投递。" },
    from_policy = "any", quirks = quirks(),
  },
  {
    key = "mailpit", name = { en = "Mailpit (test)", zh = "Mailpit（测试）" }, domains = {},
    host = "127.0.0.1", local_only = true, ports = { { 1025, "none" } }, user = "none",
    anonymous = true, auth = PASSWORD_MECHANISMS, secret = "none",
    hint = { en = "Runs on this machine and delivers nothing.", zh = "运行在本机，不会真正投递。" },
    from_policy = "any", quirks = quirks { max_recipients = 100 },
  },
}

local by_key, by_host, by_domain, patterns = {}, {}, {}, {}

local function index_domains(preset)
  for _, domain in ipairs(preset.domains) do
    local stem = domain:match("^(.*)%.%*$")
    if stem then
      patterns[#patterns + 1] = { stem = stem .. ".", preset = preset }
    else
      by_domain[domain] = preset
    end
  end
end

for _, preset in ipairs(M.list) do
  by_key[preset.key] = preset
  preset.user = preset.user or "address"
  preset.hosts = preset.hosts or (preset.host and { { preset.host } }) or {}
  for i, entry in ipairs(preset.hosts) do
    preset.hosts[i] = { host = entry[1], region = entry[2] }
    -- 127.0.0.1 says nothing about who listens there.
    if not preset.local_only then
      by_host[entry[1]] = preset
    end
  end
  index_domains(preset)
end

--- The preset of a key.
-- @tparam string key such as "qq"
-- @treturn ?table
function M.get(key)
  return by_key[key]
end

--- The preset whose server this is.
-- @tparam string host
-- @treturn ?table
function M.by_host(host)
  local name = host:lower():gsub("%.$", "")
  if by_host[name] then
    return by_host[name]
  end
  for _, preset in ipairs(M.list) do
    if preset.host_pattern and name:find(preset.host_pattern) then
      return preset
    end
  end
  return nil
end

--- The preset where an address lives.
-- @tparam string address an address, or its domain
-- @treturn ?table
function M.by_address(address)
  local domain = (address:match("@([^@]*)$") or address):lower()
  if by_domain[domain] then
    return by_domain[domain]
  end
  for _, entry in ipairs(patterns) do
    local ending = domain:sub(#entry.stem + 1)
    if domain:sub(1, #entry.stem) == entry.stem and ending:find("^[a-z]+[a-z.]*$") then
      return entry.preset
    end
  end
  -- Tenants live below it: someone@company.onmicrosoft.com
  if domain:sub(-16) == ".onmicrosoft.com" then
    return by_key.office365
  end
  return nil
end

--- The keys of all presets.
-- @treturn table list of strings
function M.keys()
  local keys = {}
  for i, preset in ipairs(M.list) do
    keys[i] = preset.key
  end
  return keys
end

return setmetatable(M, { __index = by_key })
