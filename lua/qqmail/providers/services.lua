--- Presets: services for programs, and servers for tests.
-- @module qqmail.providers.services

local base = require "qqmail.providers.base"

local IMPLICIT_THEN_STARTTLS = base.implicit_then_starttls
local IMPLICIT = base.implicit
local STARTTLS = base.starttls
local PASSWORD_MECHANISMS = base.password_mechanisms
local HINTS = base.hints
local quirks = base.quirks

return {
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
    help_url = "https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html",
    notes = {
      en = "in the sandbox recipients must be verified as well; hangs up on idle clients",
      zh = "沙箱中收件人也须验证；会断开空闲的连接",
    },
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
    notes = {
      en = "a sandbox domain sends to authorised recipients only",
      zh = "沙箱域名只能发给已授权的收件人",
    },
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
    help_url = "https://resend.com/docs/send-with-smtp",
  },
  {
    key = "brevo", name = { en = "Brevo", zh = "Brevo" }, domains = {},
    host = "smtp-relay.brevo.com",
    ports = { { 587, "starttls" }, { 465, "implicit" }, { 2525, "starttls" } },
    user = "account login", auth = PASSWORD_MECHANISMS, secret = "smtp_password",
    hint = { en = "The password is the SMTP key of the account, not the API key.",
      zh = "密码是账号的 SMTP 密钥，不是 API 密钥。" },
    from_policy = "verified", quirks = quirks(),
    notes = {
      en = "an account that is not activated gets 450 or 502, an address that is not "
        .. "allowed 525",
      zh = "账号未激活返回 450 或 502，来源 IP 未授权返回 525",
    },
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
    notes = {
      en = "may be limited to some addresses of senders",
      zh = "可能限制来源 IP",
    },
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
    notes = {
      en = "keeps mails for looking at, delivers none",
      zh = "只保存邮件供查看，不投递",
    },
  },
  {
    key = "mailpit", name = { en = "Mailpit (test)", zh = "Mailpit（测试）" }, domains = {},
    host = "127.0.0.1", local_only = true, ports = { { 1025, "none" } }, user = "none",
    anonymous = true, auth = PASSWORD_MECHANISMS, secret = "none",
    hint = { en = "Runs on this machine and delivers nothing.", zh = "运行在本机，不会真正投递。" },
    from_policy = "any", quirks = quirks { max_recipients = 100 },
    notes = {
      en = "100 recipients for one mail",
      zh = "每封邮件最多 100 个收件人",
    },
  },
}
