--- Presets: mail services of China.
-- @module qqmail.providers.china

local base = require "qqmail.providers.base"

local IMPLICIT_THEN_STARTTLS = base.implicit_then_starttls
local IMPLICIT = base.implicit
local LOGIN_ONLY = base.login_only
local HINTS = base.hints
local quirks = base.quirks
local tencent_quirks = base.tencent_quirks
local netease_quirks = base.netease_quirks

local QQ_HELP = "https://service.mail.qq.com/detail/0/75"

return {
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
    notes = {
      en = "the service is off at first; QQ gives each mail a Message-ID of its own, "
        .. "keeps yours in X-OQ-MSGID, and shows the EHLO name and address of the client "
        .. "in Received; overloads and unknown recipients are told at the end of the "
        .. "mail, for all recipients at once",
      zh = "服务默认关闭；QQ 会替换 Message-ID（原值保存在 X-OQ-MSGID）"
        .. "，并在 Received 中显示客户端的 EHLO 名称和 IP；超频和收件"
        .. "人不存在都在正文发完后才报告，且针对整封邮件",
    },
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
    notes = {
      en = "an administrator may force client-specific passwords; then others get 501 or "
        .. "535",
      zh = "管理员可强制使用客户端专用密码，否则返回 501 或 535",
    },
  },
  {
    key = "163", name = { en = "NetEase 163", zh = "网易 163 邮箱" }, domains = { "163.com" },
    host = "smtp.163.com",
    ports = { { 465, "implicit" }, { 994, "implicit" }, { 587, "starttls" }, { 25, "starttls" } },
    auth = { "LOGIN", "PLAIN" }, secret = "authorization_code", hint = HINTS.netease,
    from_policy = "login", quirks = netease_quirks(),
    help_url = "https://help.mail.163.com/",
    rate = { en = "about 100 mails a day reported for free accounts", zh = "免费账号据报约 100 封/天" },
    notes = {
      en = "mails whose subject is only “test”, and some with inline images, are "
        .. "refused as spam (554 DT:SPM); From and the sender of the envelope must be the "
        .. "same (554 DT:SUM); executables as attachments are refused (552)",
      zh = "主题只有“test”“测试”的邮件、部分含内嵌图片的邮件"
        .. "会被判为垃圾邮件（554 DT:SPM）；From 与信封发件人必须一致"
        .. "（554 DT:SUM）；不接受可执行文件附件（552）",
    },
  },
  {
    key = "126", name = { en = "NetEase 126", zh = "网易 126 邮箱" }, domains = { "126.com" },
    host = "smtp.126.com", ports = { { 465, "implicit" }, { 994, "implicit" } },
    auth = { "LOGIN", "PLAIN" }, secret = "authorization_code", hint = HINTS.netease,
    from_policy = "login", quirks = netease_quirks(), help_url = "https://help.mail.163.com/",
    notes = {
      en = "as NetEase 163",
      zh = "同网易 163 邮箱",
    },
  },
  {
    key = "yeah", name = { en = "NetEase yeah.net", zh = "网易 yeah.net 邮箱" },
    domains = { "yeah.net" },
    host = "smtp.yeah.net", ports = { { 465, "implicit" }, { 994, "implicit" } },
    auth = { "LOGIN", "PLAIN" }, secret = "authorization_code", hint = HINTS.netease,
    from_policy = "login", quirks = netease_quirks(), help_url = "https://help.mail.163.com/",
    notes = {
      en = "as NetEase 163",
      zh = "同网易 163 邮箱",
    },
  },
  {
    key = "netease-qiye", name = { en = "NetEase enterprise mail", zh = "网易企业邮箱" },
    domains = {}, host = "smtp.qiye.163.com",
    hosts = { { "smtp.qiye.163.com" }, { "smtphz.qiye.163.com", "Hangzhou" } },
    ports = { { 994, "implicit" } }, auth = { "LOGIN", "PLAIN" },
    secret = "client_password", hint = HINTS.client_password, from_policy = "login",
    quirks = quirks(), rate = { en = "free plan: 100 a day", zh = "免费版 100 封/天" },
    notes = {
      en = "over the daily limit it answers 554 5.5.0 MI:STC",
      zh = "超过每日上限时返回 554 5.5.0 MI:STC",
    },
  },
  {
    key = "aliyun", name = { en = "Alibaba personal mail", zh = "阿里云邮箱" },
    domains = { "aliyun.com" }, host = "smtp.aliyun.com",
    ports = { { 465, "implicit" }, { 25, "starttls" } },
    auth = { "LOGIN", "PLAIN" }, secret = "password", hint = HINTS.client_password,
    from_policy = "login", quirks = quirks(),
    notes = {
      en = "another sender than the login gets 440, which no retry helps; a wrong "
        .. "password gets 526",
      zh = "发件人与登录账号不同返回 440，重试无用；密码错误返回"
        .. " 526",
    },
  },
  {
    key = "aliyun-qiye", name = { en = "Alibaba enterprise mail", zh = "阿里企业邮箱" },
    domains = {}, host = "smtp.qiye.aliyun.com",
    hosts = { { "smtp.qiye.aliyun.com" }, { "smtp.mxhichina.com" } },
    ports = { { 465, "implicit" }, { 25, "starttls" }, { 80, "starttls" } },
    auth = { "LOGIN", "PLAIN" }, secret = "client_password", hint = HINTS.client_password,
    from_policy = "login", quirks = quirks(),
    help_url = "https://help.aliyun.com/en/document_detail/36687.html",
    notes = {
      en = "servers of Alibaba Cloud cannot reach port 25",
      zh = "阿里云服务器无法访问 25 端口",
    },
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
    notes = {
      en = "accounts belong to one region; use its host",
      zh = "账号与地域绑定，请使用对应地域的服务器",
    },
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
    notes = {
      en = "knows no Cc, Bcc and Reply-To fields and no inline parts; attachments and "
        .. "plain, HTML or multipart texts only",
      zh = "不支持 Cc、Bcc、Reply-To 字段和内嵌部分；只接受附件与纯文"
        .. "本、HTML、multipart 正文",
    },
  },
  {
    key = "sina", name = { en = "Sina Mail", zh = "新浪邮箱" }, domains = { "sina.com", "sina.cn" },
    host = "smtp.sina.com", hosts = { { "smtp.sina.com" }, { "smtp.vip.sina.com", "vip" } },
    ports = { { 465, "implicit" }, { 25, "starttls" } }, auth = { "LOGIN", "PLAIN" },
    secret = "authorization_code", hint = HINTS.client_password, from_policy = "login",
    quirks = quirks(),
    notes = {
      en = "switch SMTP on in the web mail first",
      zh = "请先在网页端开启 SMTP",
    },
  },
  {
    key = "sohu", name = { en = "Sohu Mail", zh = "搜狐邮箱" }, domains = { "sohu.com" },
    host = "smtp.sohu.com", ports = { { 465, "implicit" }, { 25, "starttls" } },
    auth = LOGIN_ONLY, secret = "client_password", hint = HINTS.client_password,
    from_policy = "login", quirks = quirks(),
    notes = {
      en = "a sender that is not the login gets 553 5.7.1",
      zh = "发件人与登录账号不同返回 553 5.7.1",
    },
  },
  {
    key = "139", name = { en = "China Mobile 139", zh = "139 邮箱" }, domains = { "139.com" },
    host = "smtp.139.com", ports = { { 465, "implicit" }, { 25, "starttls" } },
    auth = LOGIN_ONLY, secret = "authorization_code", hint = HINTS.client_password,
    from_policy = "login", quirks = quirks(),
    notes = {
      en = "some mails are put off with 450 Mailrejected",
      zh = "部分邮件会以 450 Mailrejected 暂缓",
    },
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
    notes = {
      en = "Lark outside China has a server of its own",
      zh = "海外版 Lark 使用单独的服务器",
    },
  },
  {
    key = "sendcloud", name = { en = "SendCloud", zh = "SendCloud" }, domains = {},
    host = "smtp.sendcloud.net", ports = { { 587, "starttls" }, { 2525, "starttls" } },
    user = "API user", auth = LOGIN_ONLY, secret = "api_key", hint = HINTS.api_key,
    from_policy = "verified", quirks = quirks(),
  },
}
