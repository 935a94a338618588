--- The one table of options: what they are called, what they may be, where else
-- they may be given, and what they mean.
--
-- `key` (nested ones with a dot) · `check`: a function of `qqmail.validate`, with
-- its own fields (`min`, `max`, `values`) · `default` · `env`: the variable, less
-- `QQMAIL_` · `secret`: never shown · `query`: may stand in the query
-- of a connection URL · `doc` = `{ en =, zh = }` · `since`
-- @module qqmail.options

local validate = require "qqmail.validate"

local M = {}

local function row(key, check, doc, more)
  local out = { key = key, check = validate[check], doc = doc, since = "0.1" }
  assert(out.check, check)
  for name, value in pairs(more or {}) do
    out[name] = value
  end
  return out
end

local function later(key, doc)
  return row(key, "unsupported", doc, { unsupported = true })
end

--- The rows, in the order of the documentation.
M.list = {
  row("provider", "text", {
    en = 'preset to use, such as "qq" or "163"; default: found from the host, then from the '
      .. "domain of user",
    zh = '使用的服务商预设，如 "qq"、"163"；默认由 host、再由 user 的域名推断',
  }, { env = "PROVIDER", query = true }),
  row("url", "secret", {
    en = "connection URL, smtps://user:code@host:465?pool.max=2",
    zh = "连接 URL：smtps://user:code@host:465?pool.max=2",
  }, { env = "URL", secret = true }),
  row("host", "host", { en = "server name or address", zh = "服务器名或地址" }, { env = "HOST" }),
  row("port", "integer", {
    en = "port; default: of the preset, else from tls (implicit 465, starttls 587, none 25)",
    zh = "端口；默认取预设，否则由 tls 决定（implicit 465，starttls 587，none 25）",
  }, { env = "PORT", min = 1, max = 65535 }),
  row("tls", "enum", {
    en = "how the connection is encrypted; default: from the port; clear text only when asked for",
    zh = "加密方式；默认由端口决定；明文必须显式指定",
  }, {
    env = "TLS", query = true, values = { "implicit", "starttls", "none" },
    aliases = { ssl = "implicit", tls = "implicit", smtps = "implicit", plain = "none" },
  }),
  row("user", "text", {
    en = "login name, usually the full address", zh = "登录名，通常是完整邮箱地址",
  }, { env = "USER" }),
  row("password", "secret", {
    en = "password or authorization code, or a function that returns it at each login; also "
      .. "QQMAIL_PASSWORD_FILE, the name of a file that holds it",
    zh = "密码或授权码，或每次登录时返回它的函数；也可用 QQMAIL_PASSWORD_FILE 指定存放它的文件",
  }, { env = "PASSWORD", secret = true }),
  row("token", "secret", {
    en = "OAuth2 access token, or a function that returns it at each login; when the server "
      .. "refuses the token, the function is called once more, with true, and a token that is "
      .. "another one is tried",
    zh = "OAuth2 访问令牌，或每次登录时返回它的函数；令牌被服务器拒绝时，会再以参数 true 调用一次该函数，若得到不同的令牌则重试一次登录",
  }, { env = "TOKEN", secret = true, query = true }),
  row("auth", "mechanisms", {
    en = "mechanism or list of them, of which the strongest that the server offers is used: "
      .. "SCRAM-SHA-256-PLUS, SCRAM-SHA-1-PLUS, SCRAM-SHA-256, SCRAM-SHA-1, PLAIN, LOGIN, "
      .. "CRAM-MD5 (without TLS before PLAIN) with password; XOAUTH2, OAUTHBEARER with token; "
      .. "EXTERNAL with tls_options.cert, only when it comes first; default: of the preset, "
      .. "else all that fit",
    zh = "认证机制或其列表，取服务器支持的最强者：有 password 时依次为 SCRAM-SHA-256-PLUS、SCRAM-SHA-1-PLUS、"
      .. "SCRAM-SHA-256、SCRAM-SHA-1、PLAIN、LOGIN、CRAM-MD5（无 TLS 时先于 PLAIN）；有 token 时为 "
      .. "XOAUTH2、OAUTHBEARER；EXTERNAL 使用 tls_options.cert 的客户端证书，须列在首位；默认取预设，"
      .. "无预设则为全部适用者",
  }, { query = true }),
  row("allow_plaintext_auth", "boolean", {
    en = "log in even though the connection is not encrypted", zh = "允许在未加密的连接上登录",
  }, { default = false }),
  row("from", "mailbox", {
    en = "sender of messages that name none; default: user, when that is an address",
    zh = "邮件未指定时的发件人；user 是邮箱地址时默认用它",
  }, { env = "FROM", query = true }),
  row("reply_to", "mailboxes", {
    en = "Reply-To of messages that name none", zh = "邮件未指定时的 Reply-To",
  }, { env = "REPLY_TO", query = true }),
  row("headers", "table", {
    en = "header fields of each message", zh = "每封邮件附加的头字段",
  }),
  row("templates", "path", {
    en = "folder in which the field `template` of a message is looked for, see docs/templates.md",
    zh = "邮件字段 template 所指模板的目录，见 docs/templates.zh-CN.md",
  }, { env = "TEMPLATES" }),
  row("smime", "smime", {
    en = "signs (or encrypts) each message that has no field `smime`, with what the field takes, "
      .. "see docs/smime.md; certificates and keys are read once, when the mailer is made",
    zh = "为没有 smime 字段的邮件签名（或加密），写法与该字段相同，见 docs/smime.zh-CN.md；"
      .. "证书与私钥在创建 mailer 时读取一次",
  }, { secret = true }),
  row("hostname", "hostname", {
    en = "name given in EHLO; the default tells nothing about this host",
    zh = "EHLO 中使用的名字；默认值不透露本机信息",
  }, { default = "[127.0.0.1]", query = true }),
  row("socket", "path", {
    en = "path of a Unix socket, in place of host and port", zh = "Unix 套接字路径，代替 host 和 port",
  }),
  row("source_ip", "host", {
    en = "local address to connect from", zh = "发起连接的本地地址",
  }, { query = true }),
  row("timeout.connect", "seconds", {
    en = "seconds for name, connection and TLS", zh = "解析、连接与 TLS 的秒数",
  }, { env = "CONNECT_TIMEOUT", default = 10, query = true }),
  row("timeout.reply", "seconds", {
    en = "seconds for one reply", zh = "等待一次应答的秒数",
  }, { default = 30, query = true }),
  row("timeout.final", "seconds", {
    en = "seconds for the verdict on a message; a short one makes deliveries uncertain",
    zh = "等待投递结果的秒数；过短会造成结果未知",
  }, { default = 120, query = true }),
  row("timeout.total", "seconds", {
    en = "seconds for one call; `timeout = 60` is short for it", zh = "一次调用的总秒数；可简写为 timeout = 60",
  }, { env = "TIMEOUT", default = 180, query = true }),
  row("tls_options.ca_file", "path", {
    en = "file of trusted certificates, in place of the system's", zh = "受信证书文件，代替系统证书",
  }, { env = "CA_FILE", query = true }),
  row("tls_options.ca_path", "path", {
    en = "directory of trusted certificates", zh = "受信证书目录",
  }, { query = true }),
  row("tls_options.verify", "boolean", {
    en = "check the server's certificate", zh = "校验服务器证书",
  }, { default = true, query = true }),
  row("tls_options.server_name", "host", {
    en = "name the certificate must have; default: host", zh = "证书必须匹配的名字；默认为 host",
  }, { query = true }),
  row("tls_options.min_version", "enum", {
    en = "oldest TLS version to accept", zh = "可接受的最低 TLS 版本",
  }, { default = "1.2", values = { "1.2", "1.3" }, query = true }),
  row("tls_options.cert", "path", {
    en = "client certificate (PEM file)", zh = "客户端证书（PEM 文件）",
  }, { query = true }),
  row("tls_options.key", "path", {
    en = "key of the client certificate (PEM file)", zh = "客户端证书的私钥（PEM 文件）",
  }, { query = true }),
  row("tls_provider", "enum", {
    en = 'who does TLS: "engine" (OpenSSL, in the same way everywhere) or, inside nginx, "nginx"; '
      .. "default: engine, unless nginx carries another OpenSSL",
    zh = '由谁完成 TLS："engine"（OpenSSL，各处行为一致），或在 nginx 内用 "nginx"；'
      .. "默认 engine，除非 nginx 自带另一版本的 OpenSSL",
  }, { values = { "engine", "nginx" }, query = true }),
  later("tls_options.pin", { en = "public keys to accept", zh = "可接受的公钥" }),
  row("pool.max", "integer", {
    en = "most connections open at a time, in nginx by each worker; they are kept between "
      .. "messages, and also send the mails of notify",
    zh = "同时打开的连接数上限（nginx 内按 worker 计）；连接在两次发送之间保留，也用于发送 notify 的邮件",
  }, { env = "POOL_MAX", default = 1, min = 1, max = 1000, query = true }),
  row("pool.idle", "seconds", {
    en = "seconds that an unused connection is kept", zh = "空闲连接保留的秒数",
  }, { default = 50, query = true }),
  row("pool.messages", "integer", {
    en = "messages on one connection before it is replaced", zh = "单个连接最多发送的邮件数",
  }, { min = 1, max = 1000000, query = true }),
  row("window", "integer", {
    en = "0: wait for each verdict; 1: the next envelope goes out behind the body; n: n "
      .. "unconfirmed messages in flight, where the server takes BDAT",
    zh = "0：逐封等待结果；1：下一封的信封紧随正文发出；n：在支持 BDAT 的服务器上最多 n 封邮件待确认",
  }, { default = 1, min = 0, max = 64, query = true }),
  row("chunking", "boolean", {
    en = "force BDAT on or off; default: as the server offers",
    zh = "强制开启或关闭 BDAT；默认按服务器声明",
  }, { query = true }),
  row("pipelining", "boolean", {
    en = "force PIPELINING on or off; default: as the server offers",
    zh = "强制开启或关闭 PIPELINING；默认按服务器声明",
  }, { query = true }),
  row("smtputf8", "boolean", {
    en = "true: say SMTPUTF8 with each mail where the server offers it; false: never; default: "
      .. "when needed and offered",
    zh = "true：服务器支持时每封邮件都声明 SMTPUTF8；false：从不使用；默认仅在需要且服务器支持时使用",
  }, { query = true }),
  row("dsn", "dsn", {
    en = 'delivery reports to ask for with each message that has no `dsn` of its own: { notify = '
      .. '"never" or a list of "success", "failure", "delay", ret = "full" or "headers", envid =, '
      .. "orcpt = true, soft = true: go without where the server does not offer DSN }, see "
      .. "docs/delivery.md",
    zh = '为未自带 dsn 的邮件请求的投递状态通知：{ notify = "never" 或 "success"、"failure"、"delay" 的列表，'
      .. 'ret = "full" 或 "headers"，envid =，orcpt = true，soft = true（服务器不支持 DSN 时照常发送）}，'
      .. "见 docs/delivery.zh-CN.md",
  }),
  row("rate", "rate", {
    en = "most messages in a time, spread evenly: { 15, per = 60 } or \"15/60\"; workers of nginx "
      .. "share it through `lua_shared_dict qqmail_rate`, else each has its part of it",
    zh = "发送频率上限，均匀分布：{ 15, per = 60 } 或 \"15/60\"；nginx 各进程通过 "
      .. "lua_shared_dict qqmail_rate 共享，否则按进程数均分",
  }, { env = "RATE", query = true }),
  row("retry.attempts", "integer", {
    en = "tries of one message before its error is returned; `retry = false` is short for 1, "
      .. "`retry = true` for the default; a refused login is never tried again, "
      .. "one that got no answer once",
    zh = "单封邮件的尝试次数，用完才返回错误；retry = false 等于 1，retry = true 等于默认值；"
      .. "登录被拒绝后从不重试，未得到答复的登录只再试一次",
  }, { env = "RETRY_ATTEMPTS", default = 3, min = 1, max = 100, query = true }),
  row("retry.base", "delay", {
    en = "seconds before the second try; doubled for each further one",
    zh = "第二次尝试前等待的秒数；之后每次加倍",
  }, { default = 1, query = true }),
  row("retry.cap", "delay", {
    en = "most seconds that doubling leads to", zh = "加倍后的秒数上限",
  }, { default = 30, query = true }),
  row("retry.jitter", "delay", {
    en = "up to so many seconds are added to each wait, by chance", zh = "每次等待随机增加的秒数上限",
  }, { default = 1, query = true }),
  row("retry.budget", "delay", {
    en = "seconds that all waits of one message may take; one that would be too long is not begun",
    zh = "单封邮件所有等待合计的秒数上限；会超出的等待不再开始",
  }, { default = 60, query = true }),
  row("retry.when_unknown", "enum", {
    en = 'what to do when the server may have taken the message already: "stop", or "retry" with '
      .. "the same Message-ID, which may deliver it twice",
    zh = '服务器可能已收下邮件时："stop" 停止，"retry" 以相同的 Message-ID 重发（可能重复投递）',
  }, { default = "stop", values = { "stop", "retry" }, query = true }),
  row("failover", "accounts", {
    en = "list of further accounts, as options or URLs, tried in order when the account cannot "
      .. "send; they share timeouts, hooks and the like with it, but nothing about server, login "
      .. "and sender, nor the environment",
    zh = "备用账号列表（选项表或 URL），账号无法发送时依次使用；与首个账号共用超时、回调等设置，"
      .. "但服务器、登录、发件人各自独立，也不读取环境变量",
  }),
  row("breaker.failures", "integer", {
    en = "failed tries in a row after which the account is left alone for a while; 0: never; "
      .. "`breaker = true` is short for 5, `breaker = false` for 0; default: 5 with failover, "
      .. "else 0",
    zh = "连续失败多少次后暂停使用该账号；0 表示从不；breaker = true 等于 5，breaker = false 等于 0；"
      .. "默认有 failover 时为 5，否则为 0",
  }, { min = 0, max = 1000000, query = true }),
  row("breaker.pause", "seconds", {
    en = "seconds for which it is left alone; then one message tries it",
    zh = "暂停的秒数；之后由一封邮件试探",
  }, { default = 60, query = true }),
  row("outbox.dir", "outbox_dir", {
    en = "folder where mails of notify wait on disk; `outbox = dir` is short for it; default: "
      .. "inside nginx a folder in /var/tmp, elsewhere none; false: never on disk",
    zh = "notify 的邮件在磁盘上等待的目录，可简写为 outbox = 目录；默认 nginx 内为 /var/tmp 下的目录，"
      .. "其他环境不用；false 表示从不落盘",
  }, { env = "OUTBOX", query = true }),
  row("outbox.durable", "durable", {
    en = 'write each mail to disk before notify returns, so that even kill -9 loses none; "sync": '
      .. "nor a power failure",
    zh = 'notify 返回前先写盘，kill -9 也不丢；"sync" 则断电也不丢',
  }, { default = false, query = true }),
  row("outbox.max", "integer", {
    en = "mails that wait in memory", zh = "内存中等待的邮件数上限",
  }, { default = 2000, min = 1, max = 1000000, query = true }),
  row("outbox.bytes", "integer", {
    en = "bytes of the mails that wait in memory", zh = "内存中等待邮件的总字节上限",
  }, { default = 67108864, min = 1024, max = 4294967296, query = true }),
  row("outbox.overflow", "enum", {
    en = 'what happens when memory is full: "spool" (wait on disk; refuse without outbox.dir), '
      .. '"drop_oldest" or "refuse"',
    zh = '内存队列满时："spool"（转到磁盘；无目录则拒绝）、"drop_oldest"（丢弃最旧）或 "refuse"（拒绝）',
  }, { default = "spool", values = { "spool", "drop_oldest", "refuse" }, query = true }),
  row("outbox.drain", "seconds", {
    en = "seconds that a worker which ends goes on sending; the rest waits on disk",
    zh = "进程退出时继续发送的秒数；其余留在磁盘",
  }, { default = 3, query = true }),
  row("outbox.keep", "seconds", {
    en = "seconds until a mail that cannot be sent is given up", zh = "邮件始终发不出去时保留的秒数",
  }, { default = 172800, query = true }),
  row("io", "io", {
    en = 'how bytes are moved: "auto", "blocking", "ngx", "cqueues", "luv", "memory", '
      .. "{ file = dir } or { wait = f, sleep = f }",
    zh = '收发方式："auto"、"blocking"、"ngx"、"cqueues"、"luv"、"memory"、{ file = 目录 } 或 '
      .. "{ wait = f, sleep = f }",
  }, { default = "auto" }),
  row("on.sent", "func", { en = "called after a delivery", zh = "投递成功后调用" }),
  row("on.failed", "func", { en = "called after a failure", zh = "失败后调用" }),
  row("on.retry", "func", { en = "called before another try", zh = "重试前调用" }),
  row("on.warning", "func", {
    en = "called with (finding, message) before a message goes out, for each error and warning "
      .. "that `message:lint` has; without it and without log nothing is looked for",
    zh = "邮件发出前，对 message:lint 的每个错误和警告调用，参数为（发现, 邮件）；"
      .. "未设置它也未设置 log 时不做检查",
  }),
  row("on.reply", "func", { en = "called for each reply", zh = "每次收到应答时调用" }),
  row("on.state", "func", {
    en = "called when the session changes its state", zh = "会话状态变化时调用",
  }),
  row("log", "log", {
    en = 'function (level, text, record) for results and warnings, such as one of `qqmail.log`; or '
      .. '`[json:][level:]` and "stderr", "stdout" or a path, such as "stderr" or '
      .. '"json:warning:/var/log/qqmail.log"; or "off"',
    zh = '接收（级别, 文本, 记录）的日志函数，用于结果与警告，可由 qqmail.log 生成；或 `[json:][级别:]` 加 '
      .. '"stderr"、"stdout" 或路径，如 "stderr"、"json:warning:/var/log/qqmail.log"；或 "off"',
  }, { env = "LOG" }),
  row("lang", "lang", {
    en = "language of errors and hints; default: from the environment", zh = "错误与提示的语言；默认由环境决定",
  }, { env = "LANG", values = { "zh", "en" }, query = true }),
  row("rules", "rules", {
    en = "list of rules about errors of your server, tried before ours: text, code, phase, "
      .. "enhanced, host, reason (one or a list each) must all fit; as, retry, retry_after, hint "
      .. "and help_url are what the error then says, see docs/errors.md",
    zh = "针对你的服务器的错误规则列表，优先于内置规则：text、code、phase、enhanced、host、reason"
      .. "（单值或列表）须全部满足；as、retry、retry_after、hint、help_url 决定错误内容，见 docs/errors.zh-CN.md",
  }),
  later("proxy", { en = "SOCKS5 or HTTP proxy", zh = "SOCKS5 或 HTTP 代理" }),
  later("lmtp", { en = "speak LMTP", zh = "使用 LMTP" }),
  row("dkim", "dkim", {
    en = "sign each mail (DKIM): { domain =, selector =, key_file = } or, for two signatures, a "
      .. "list of such tables; further fields: key, passphrase, canonicalization, headers, "
      .. "oversign, identity, expires, algorithm, see docs/dkim.md",
    zh = "为每封邮件做 DKIM 签名：{ domain =, selector =, key_file = }，双签名时为其列表；其他字段："
      .. "key、passphrase、canonicalization、headers、oversign、identity、expires、algorithm，"
      .. "见 docs/dkim.zh-CN.md",
  }),
}

--- The fields of a signature in `dkim`, which are named in errors as options are.
M.dkim_fields = { "domain", "selector", "key", "key_file", "passphrase", "algorithm",
  "canonicalization", "headers", "oversign", "identity", "expires" }

-- What other libraries call it.
local ELSEWHERE = {
  username = "user", account = "user", login = "user", email = "user", mail = "user",
  pass = "password", passwd = "password", pwd = "password", code = "password",
  auth_code = "password", authorization_code = "password", secret = "password",
  server = "host", smtp = "host", smtp_server = "host", smtp_host = "host", address = "host",
  ssl = "tls", secure = "tls", security = "tls", starttls = "tls", encryption = "tls",
  sender = "from", helo = "hostname", ehlo = "hostname", domain = "hostname",
  access_token = "token", timeouts = "timeout", insecure = "tls_options.verify",
  ca = "tls_options.ca_file", cafile = "tls_options.ca_file", logger = "log", language = "lang",
  spool = "outbox.dir", queue = "outbox.max", ratelimit = "rate", rate_limit = "rate",
  uri = "url", keepalive = "pool.idle", max_connections = "pool.max",
  retries = "retry.attempts", max_retries = "retry.attempts", backoff = "retry.base",
  fallback = "failover", accounts = "failover", circuit_breaker = "breaker", bdat = "chunking",
}

--- Rows by key.
M.by_key = {}

--- The names inside each nested option, by its name.
M.groups = {}

--- Names at the top.
M.top = {}

--- Keys that a connection URL may hold in its query.
M.query = {}

--- Rows by environment variable, with the prefix.
M.by_env = {}

local inner_keys = {}

local function index(entry)
  M.by_key[entry.key] = entry
  local group, name = entry.key:match("^([%w_]+)%.([%w_]+)$")
  if group then
    if not M.groups[group] then
      M.groups[group] = {}
      M.top[#M.top + 1] = group
    end
    table.insert(M.groups[group], name)
    inner_keys[name] = inner_keys[name] or entry.key
  else
    M.top[#M.top + 1] = entry.key
  end
  if entry.query then
    M.query[#M.query + 1] = entry.key
  end
  if entry.env then
    entry.env = "QQMAIL_" .. entry.env
    M.by_env[entry.env] = entry
  end
end

for _, entry in ipairs(M.list) do
  index(entry)
end

--- Words that stand in our own texts as names.
M.is_name = {}
for key in pairs(M.by_key) do
  M.is_name[key] = true
end
for _, name in ipairs(M.dkim_fields) do
  M.is_name[name] = true
end

--- The option that goes by another name elsewhere, or stands one level deeper.
-- @tparam string name
-- @treturn ?string
function M.translate(name)
  return ELSEWHERE[name:lower()] or inner_keys[name]
end

return M
