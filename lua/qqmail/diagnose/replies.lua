--- Rules about replies of servers: data for `qqmail.diagnose`.
--
-- `phase`, `code`, `enhanced`, `text`, `host`: all that are given must match, each
-- by one of its values. Code "5xx" is a class; text is a part, in lower case.
-- `as`: the error's code, its kind in front; `later`: seconds after which another
-- try makes sense, none without it; `guess`: they are nobody's rule; `hint`, `url`.
-- @module qqmail.diagnose.replies

local M = {}

local QQ_LOGIN_HELP = "https://help.mail.qq.com/detail/108/1023"
local QQ_CODE_HELP = "https://service.mail.qq.com/detail/0/75"
local QQ_FROM_HELP = "https://service.mail.qq.com/detail/124/995"

--- Advice that several rules share.
M.hints = {
  qq_code = {
    en = "Use the 16-letter authorization code of this very account, not the QQ password. See that "
      .. "IMAP/SMTP is switched on in QQ Mail (Settings > Account); make a new code if the QQ "
      .. "password was changed. If all is right, wait 15 minutes and log in less often.",
    zh = "请使用本账号的 16 位授权码，不是 QQ 密码。确认已在 QQ 邮箱“设置 > 账号”开启 IMAP/SMTP；"
      .. "改过 QQ 密码需重新生成授权码。若都无误，请等待 15 分钟以上并降低登录频率。",
  },
  netease_code = {
    en = "Use the client authorization code from the web mail (Settings > POP3/SMTP/IMAP), not the "
      .. "login password, and the full address as user.",
    zh = "请使用网页端“设置 > POP3/SMTP/IMAP”中的客户端授权码，不是登录密码；用户名填完整邮箱地址。",
  },
  exmail_password = {
    en = "Switch IMAP/SMTP on and use a client-specific password; corporate accounts belong to "
      .. "smtp.exmail.qq.com. Where secure login is forced, bind WeChat at exmail.qq.com first.",
    zh = "请开启 IMAP/SMTP 并使用客户端专用密码；企业账号的服务器是 smtp.exmail.qq.com。"
      .. "若管理员强制安全登录，请先在 exmail.qq.com 绑定微信。",
  },
  login = {
    en = "Check user (the full address), the password or app password, and that SMTP is switched "
      .. "on for the account.",
    zh = "请检查用户名（完整邮箱地址）、密码或专用密码，以及账号是否已开启 SMTP 服务。",
  },
  app_password = {
    en = "Create an app password (16 letters, without blanks) or give an OAuth2 token.",
    zh = "请创建应用专用密码（16 位，去掉空格），或通过 token 提供 OAuth2 令牌。",
  },
  oauth = {
    en = "Passwords are no longer accepted there: give an OAuth2 access token as `token`.",
    zh = "该服务已停用密码登录：请通过 token 提供 OAuth2 访问令牌。",
  },
  need_login = {
    en = "Set user and password. nginx workers, cron and systemd do not inherit a shell's "
      .. "variables; look at qqmail.config() to see what is used.",
    zh = "请设置 user 和 password。nginx、cron、systemd 不继承 shell 变量；可用 qqmail.config() 查看实际设置。",
  },
  from_login = {
    en = "Make `from` the address you log in with; put the other address into reply_to.",
    zh = "请把 from 改为登录账号的地址；其他地址请放到 reply_to。",
  },
  envelope = {
    en = "Envelope addresses must be bare and ASCII: no name, no blanks, no full-width characters.",
    zh = "信封地址只能是纯 ASCII 邮箱地址：不含昵称、空格和全角字符。",
  },
  from_header = {
    en = "Only the name in From may be encoded: =?UTF-8?B?...?= <address>; the address is bare.",
    zh = "From 只能编码昵称：=?UTF-8?B?...?= <地址>，地址本身不可编码，也不能缺少。",
  },
  content = {
    en = "Change subject and text before sending again: fewer links, IP and mail addresses; move "
      .. "raw data into an attachment. The same text will be refused again.",
    zh = "请修改标题和正文后再发：减少链接、IP 和邮箱地址，原始数据放入附件；原样重发仍会被拒。",
  },
  recipient = {
    en = "Check the address; remove it when the mailbox no longer exists.",
    zh = "请检查收件地址；邮箱已不存在则移除。",
  },
  slow_down = {
    en = "Stop sending for a while, then send more slowly; more tries make the pause longer.",
    zh = "请暂停发送一段时间后降低频率；继续重试会延长限制。",
  },
  tomorrow = {
    en = "The quota of the day is used up: send on the next day, or from another account.",
    zh = "当日额度已用完：请次日再发，或更换账号。",
  },
  domain = {
    en = "Publish SPF and DKIM for the From domain so that they cover this server.",
    zh = "请为发件域名配置 SPF 与 DKIM，使其覆盖当前发信服务器。",
  },
  reputation = {
    en = "The sending IP is distrusted: send through a provider you log in to, or appeal.",
    zh = "发信 IP 不被信任：请通过认证的发信服务发送，或申诉移除。",
  },
  later = {
    en = "The server asks to try again later; nothing has to be changed.",
    zh = "服务器要求稍后重试；无需修改内容。",
  },
  size = {
    en = "Make the message smaller, or share the file as a link.",
    zh = "请减小邮件体积，或改用链接分享文件。",
  },
  flooded = {
    en = "This recipient got too much mail in a short time: pause sending to it.",
    zh = "该收件人短时间内收信过多：请暂停向其发送。",
  },
  fewer_recipients = {
    en = "Send the rest in another message.", zh = "请把其余收件人放到另一封邮件。",
  },
  generic = {
    en = "Read the server's text; sending the same again will fail again.",
    zh = "请根据服务器的说明修正；原样重发仍会失败。",
  },
}

local HINTS = M.hints

--- Rules for what single providers say. The first that matches wins.
M.special = {
  -- QQ Mail
  { text = { "account is abnormal", "login frequency limited" }, code = { 535 },
    as = "auth.authorization_code_required", hint = HINTS.qq_code, url = QQ_LOGIN_HELP },
  { text = { "enter your authorization code", "1001256", "授权码" }, code = { 535 },
    as = "auth.authorization_code_required", hint = HINTS.qq_code, url = QQ_CODE_HELP },
  { text = { "authentication failed, system busy" }, code = { 535 },
    as = "auth.client_password_required", hint = HINTS.exmail_password },
  { text = { "login fail", "authentication failed" }, code = { 535 }, host = { "smtp.qq.com" },
    as = "auth.authorization_code_required", hint = HINTS.qq_code, url = QQ_LOGIN_HELP },
  { text = { "invalid input" }, code = { 502 }, phase = { "auth" },
    as = "auth.mechanism_refused", hint = {
      en = "The server did not understand this form of login; try auth = \"LOGIN\".",
      zh = "服务器不接受这种登录方式；可尝试 auth = \"LOGIN\"。" } },
  { text = { "invalid input" }, code = { 502 }, phase = { "mail" },
    as = "sender.bad_syntax", hint = HINTS.envelope },
  { text = { "invalid input" }, code = { 502 }, phase = { "rcpt" },
    as = "recipient.bad_syntax", hint = HINTS.envelope },
  { text = { "invalid input" }, code = { 502 },
    as = "protocol.command_refused", hint = HINTS.generic },
  { text = { "need ehlo and auth first" }, code = { 503 },
    as = "auth.required", hint = HINTS.need_login },
  { text = { "same as authorization user", "must equal authorized user" }, code = { 501, 553 },
    as = "sender.not_login", hint = HINTS.from_login },
  { code = { 501 }, phase = { "mail", "auth" },
    host = { "smtp.exmail.qq.com", "hwsmtp.exmail.qq.com" },
    as = "auth.client_password_required", hint = HINTS.exmail_password },
  { text = { '"from" header is missing or invalid', "from header is missing" }, code = { 550 },
    as = "content.bad_from_header", hint = HINTS.from_header, url = QQ_FROM_HELP },
  { text = { "inappropriate words or content" }, code = { 550 },
    as = "content.refused", hint = HINTS.content },
  { text = { "may contain a non-existent account" }, code = { 550 },
    as = "recipient.not_found", hint = {
      en = "One of the recipients does not exist, and this server then refuses the whole message: "
        .. "remove the address, or send to each recipient alone to find it.",
      zh = "有收件人不存在，而该服务器会因此拒收整封邮件：请移除该地址，或逐个收件人发送以定位。" } },
  { text = { "too many attempts. unable to send", "too many attempts" }, code = { 550, 451 },
    as = "rate.too_many_messages", later = 7200, hint = {
      en = "Stop for two to three hours, then send at most one mail in six seconds; more tries "
        .. "make the pause longer.",
      zh = "请停发 2 到 3 小时，之后每封间隔 6 秒以上；继续重试会延长限制。" } },
  { text = { "frequency limited" },
    as = "rate.frequency_limited", later = 3600, hint = HINTS.slow_down },
  { text = { "mailbox unavailable or access deni" },
    as = "rate.recipient_flooded", later = 1800, hint = HINTS.flooded },
  { text = { "mailbox not found", "is a deactivated mailbox" },
    as = "recipient.not_found", hint = HINTS.recipient },
  { text = { "mail content denied", "spam is embedded in the email" },
    as = "content.refused", hint = HINTS.content },
  { text = { "suspected spam", "suspected bounce attacks", "connection denied" },
    as = "reject.reputation", hint = HINTS.reputation },
  { text = { "spf check failed", "dmarc check failed" },
    as = "sender.domain_not_authenticated", hint = HINTS.domain },
  { text = { "mail is rejected by recipients" },
    as = "recipient.blocked", hint = {
      en = "The recipient has blocked this sender; ask to be let through.",
      zh = "收件人已拒收该发件人；请联系对方加入白名单。" } },
  -- NetEase
  { text = { "user has no permission" }, code = { 550 },
    as = "auth.service_disabled", hint = HINTS.netease_code },
  { text = { "authentication is required", "local user is not allowed" }, code = { 553 },
    as = "auth.required", hint = HINTS.need_login },
  { text = { "too much fail authentication", "smtp auth error limit exceed" },
    as = "rate.too_many_logins", later = 3600, hint = {
      en = "Too many logins failed: put the authorization code right, then wait an hour.",
      zh = "登录失败次数过多：请先修正授权码，再等待一小时。" } },
  { text = { "dt:spm" }, code = { 450, 451 },
    as = "content.refused_for_now", later = 120, hint = HINTS.content },
  { text = { "dt:spm" }, as = "content.refused", hint = HINTS.content },
  { text = { "dt:sum" }, as = "sender.not_login", hint = HINTS.from_login },
  { text = { "mi:sfq" }, as = "rate.too_many_messages", later = 900, hint = HINTS.slow_down },
  { text = { "mi:stc", "rp:trc" },
    as = "rate.daily_quota", later = 86400, hint = HINTS.tomorrow },
  { text = { "mi:dmc", "rp:drc" }, as = "rate.connection_used_up", later = 5, hint = {
    en = "This connection has carried as many mails as it may; the next takes a new one "
      .. "(see pool.messages).",
    zh = "该连接的发信数已达上限，需重新连接（可设 pool.messages）。" } },
  { text = { "rp:qrc", "rp:rcl", "too much recipient" },
    as = "rate.too_many_recipients", later = 3600, hint = {
      en = "Send to fewer recipients at a time.", zh = "请减少每封邮件的收件人数量。" } },
  { text = { "hl:rep", "hl:icc", "hl:ifc", "hl:ifq", "hl:itc", "hl:mep", "hl:ihu" },
    as = "rate.ip_limited", later = 3600, hint = HINTS.slow_down },
  { text = { "hl:ipb", "mi:spb", "wm:bli", "wm:blu", "ip in blacklist" },
    as = "reject.reputation", hint = HINTS.reputation },
  { text = { "error: authentication failed" }, code = { 535 },
    host = { "smtp.163.com", "smtp.126.com", "smtp.yeah.net" },
    as = "auth.authorization_code_required", hint = HINTS.netease_code },
  -- Alibaba: 440 is for ever, although it begins with 4.
  { code = { 440 }, as = "sender.not_login", hint = HINTS.from_login },
  { code = { 526 }, as = "auth.refused", hint = HINTS.login },
  { text = { "reject by behaviour spam" }, code = { 454 },
    as = "content.refused_for_now", later = 600, hint = HINTS.content },
  { text = { "achieved the maximum threshold" },
    as = "rate.daily_quota", later = 86400, hint = HINTS.tomorrow },
  -- Gmail, Microsoft, Yahoo, Apple
  { text = { "application-specific password required", "#auth005" },
    as = "auth.app_password_required", hint = HINTS.app_password },
  { text = { "basic authentication is disabled", "smtpclientauthentication is disabled" },
    as = "auth.token_required", hint = HINTS.oauth },
  { text = { "username and password not accepted" }, code = { 535 },
    as = "auth.refused", hint = HINTS.app_password },
  { text = { "too many login attempts" }, code = { 454 },
    as = "rate.too_many_logins", later = 3600, hint = HINTS.slow_down },
  { code = { 432 }, as = "rate.too_many_connections", later = 30, hint = {
    en = "Use fewer connections at a time (pool.max).", zh = "请减少并发连接数（pool.max）。" } },
  { text = { "daily user sending limit", "daily sending quota", "submission quota exceeded",
    "reached your daily limit", "tenant has exceeded threshold" },
    as = "rate.daily_quota", later = 86400, hint = HINTS.tomorrow },
  -- For now, but until the DNS is mended.
  { code = { 421, 451 }, enhanced = { "4.7.23", "4.7.24", "4.7.26", "4.7.27", "4.7.29", "4.7.30",
    "4.7.32" },
    as = "sender.domain_not_authenticated", later = 3600, hint = HINTS.domain },
  { text = { "unsolicited mail", "unusual rate", "low reputation", "suspicious" }, code = { 421 },
    as = "rate.frequency_limited", later = 3600, hint = HINTS.slow_down },
  { text = { "over quota", "out of storage" }, code = { 452 },
    phase = { "rcpt", "data", "body", "final" },
    as = "recipient.mailbox_full", later = 3600, hint = HINTS.later },
  { text = { "receiving mail too quickly", "receiving mail at a rate that" }, code = { 450 },
    as = "rate.recipient_flooded", later = 1800, hint = HINTS.flooded },
  { enhanced = { "4.7.650" }, as = "rate.ip_limited", later = 3600, hint = HINTS.slow_down },
  { text = { "rate limited due to ip reputation" }, code = { "4xx" },
    as = "rate.ip_limited", later = 3600, hint = HINTS.slow_down },
  { text = { "[tss0", "[ts0" }, code = { "4xx" },
    as = "rate.frequency_limited", later = 3600, hint = HINTS.slow_down },
  { text = { "will be permanently deferred" },
    as = "reject.reputation", hint = HINTS.reputation },
  { text = { "deferred due to excessive volume" },
    as = "rate.frequency_limited", later = 3600, hint = HINTS.slow_down },
  -- Services for sending
  { text = { "throttling failure: maximum" }, code = { 454 },
    as = "rate.frequency_limited", later = 1, hint = {
      en = "Send more slowly (rate); the limit counts by the second.",
      zh = "请降低发送频率（rate）；该限制按秒计算。" } },
  -- Counted over the last 24 hours, so that something is free again before tomorrow.
  { text = { "daily message quota" }, code = { 454 },
    as = "rate.daily_quota", later = 3600, hint = HINTS.tomorrow },
  { text = { "maximum credits exceeded" },
    as = "rate.daily_quota", later = 86400, hint = HINTS.tomorrow },
  { text = { "free accounts are for test purposes only", "sandbox subdomain",
    "email address is not verified", "does not match a verified sender identity" },
    as = "sender.not_verified", hint = {
      en = "Verify the sender's address or domain with the provider; an account for tests may "
        .. "write to the recipients named there only.",
      zh = "请先在服务商处验证发件地址或域名；测试账号只能发给已登记的收件人。" } },
  { text = { "relaying disallowed as", "does not have permissions to send as", "sendasdenied" },
    as = "sender.not_login", hint = HINTS.from_login },
  { text = { "is not activated", "not yet activated" },
    as = "auth.account_not_active", hint = {
      en = "Ask the provider to activate the account; waiting does not help.",
      zh = "请联系服务商激活账号；等待无效。" } },
}

--- Rules by phase and class of the code, where no special one knows better.
M.general = {
  { phase = { "starttls" }, code = { "4xx" }, as = "tls.not_available_now", later = 60,
    guess = true, hint = HINTS.later },
  { phase = { "starttls" }, code = { "5xx" }, as = "tls.starttls_refused", hint = {
    en = "The server offers STARTTLS and refuses it; use port 465 with tls = \"implicit\".",
    zh = "服务器拒绝了 STARTTLS；请改用 465 端口与 tls = \"implicit\"。" } },
  { code = { 421 }, text = { "too many connections", "too many concurrent" },
    as = "rate.too_many_connections", later = 60, hint = {
      en = "Use fewer connections at a time (pool.max).", zh = "请减少并发连接数（pool.max）。" } },
  { phase = { "auth" }, code = { "4xx" }, as = "auth.not_now", later = 60, hint = HINTS.later },
  { code = { 421 }, as = "reject.closing", later = 60, guess = true, hint = HINTS.later },
  { code = { 530, 538 }, text = { "starttls", "encryption required", "encryption is required" },
    as = "auth.needs_tls", hint = {
      en = "Set tls = \"starttls\" (587) or \"implicit\" (465).",
      zh = "请设置 tls = \"starttls\"（587）或 \"implicit\"（465）。" } },
  { phase = { "auth" }, code = { 504, 500, 502 }, as = "auth.mechanism_refused", hint = {
    en = "The server does not take this mechanism; name another one in `auth`.",
    zh = "服务器不支持该认证机制；请在 auth 中指定其他机制。" } },
  { phase = { "auth" }, code = { "5xx" }, as = "auth.refused", hint = HINTS.login },
  { code = { 535 }, as = "auth.refused", hint = HINTS.login },
  { code = { 530 }, as = "auth.required", hint = HINTS.need_login },
  { phase = { "rcpt" }, code = { 452, 552 }, text = { "too many recipients", "recipients reached" },
    as = "rate.too_many_recipients", later = 60, hint = HINTS.fewer_recipients },
  { phase = { "rcpt" }, enhanced = { "4.5.3", "5.5.3" },
    as = "rate.too_many_recipients", later = 60, hint = HINTS.fewer_recipients },
  { enhanced = { "5.3.4" }, as = "content.too_large", hint = HINTS.size },
  { code = { 552, 554, 523, 534 }, text = { "too large", "size limit", "size exceeds", "too big",
    "too long", "fixed maximum" },
    as = "content.too_large", hint = HINTS.size },
  { code = { 450, 451 }, text = { "greylist", "graylist", "grey" },
    as = "recipient.greylisted", later = 300, hint = HINTS.later },
  { text = { "relaying denied", "relay access denied", "relay not permitted", "unable to relay" },
    as = "auth.required", hint = HINTS.need_login },
  { enhanced = { "5.2.2", "4.2.2" }, as = "recipient.mailbox_full", later = 86400,
    hint = HINTS.later },
  { enhanced = { "5.1.0", "5.1.1", "5.1.10", "5.4.1", "5.2.1" },
    as = "recipient.not_found", hint = HINTS.recipient },
  { code = { 550, 551, 553, 554 }, text = { "no such user", "user unknown", "user not found",
    "invalid user", "user suspended", "unknown user", "does not exist", "doesn't exist" },
    as = "recipient.not_found", hint = HINTS.recipient },
  { code = { 452, 431 }, as = "reject.out_of_storage", later = 600, hint = HINTS.later },
  { phase = { "rcpt" }, code = { "4xx" }, as = "recipient.not_now", later = 60, guess = true,
    hint = HINTS.later },
  { phase = { "rcpt" }, code = { "5xx" }, as = "recipient.refused", hint = HINTS.recipient },
  { code = { "5xx" }, text = { "spamhaus", "blacklist", "block list", "blocked using", "dnsbl" },
    as = "reject.reputation", hint = HINTS.reputation },
  { phase = { "mail" }, code = { "5xx" }, as = "sender.refused", hint = {
    en = "Check `from`: it must be an address this account may use.",
    zh = "请检查 from：它必须是该账号有权使用的地址。" } },
  { phase = { "data", "body", "final" }, code = { "5xx" },
    text = { "spam", "policy", "content", "virus" }, as = "content.refused",
    hint = HINTS.content },
  { phase = { "greeting" }, code = { "5xx" }, as = "reject.connection", hint = HINTS.reputation },
  { code = { "4xx" }, as = "reject.not_now", later = 60, guess = true, hint = HINTS.later },
  { code = { "5xx" }, as = "reject.permanent", hint = HINTS.generic },
}

return M
