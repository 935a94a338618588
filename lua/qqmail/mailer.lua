--- A mailer: settings, a pool of connections, and one result for each message.
-- @classmod qqmail.mailer

local config = require("qqmail.config")
local drivers = require("qqmail.drivers")
local errors = require("qqmail.errors")
local failure = require("qqmail.failure")
local message = require("qqmail.message")
local pool = require("qqmail.pool")
local pump = require("qqmail.pump")

local M = {}

local Mailer = {}
Mailer.__index = Mailer
Mailer.__name = "qqmail.mailer"

-- TLS contexts cost milliseconds and the module links OpenSSL: only when used.
local function tls_context(settings)
  local tls = require("qqmail.tls")
  local options = settings.tls_options
  return tls.context({
    ca_file = options.ca_file, ca_path = options.ca_path, verify = options.verify,
    min_version = options.min_version, cert = options.cert, key = options.key,
  })
end

-- Sessions may be resumed only under the settings they were made with; the
-- context already stands for the TLS part of them.
local function session_key(settings)
  local where = settings.host or settings.socket
  return table.concat({ where, tostring(settings.port), settings.tls }, "|")
end

local function filter_maker(settings)
  if settings.tls == "none" then
    return nil
  end
  local context, name, text = tls_context(settings)
  if not context then
    return nil, errors.new({ kind = "tls", code = "tls.bad_options", phase = "config",
      delivered = "no", retry = "never", lang = settings.lang,
      text = { en = "TLS cannot be set up: " .. tostring(text or name),
        zh = "无法建立 TLS 环境：" .. tostring(text or name) },
      hint = { en = "Check the files in `tls_options`.", zh = "请检查 tls_options 中的文件。" } })
  end
  local server_name = settings.tls_options.server_name or settings.host
  return function()
    return context:client(server_name, session_key(settings))
  end
end

local function session_options(settings)
  local secret, err = settings.secret()
  if err then
    return nil, err
  end
  local is_token = settings.secret_is_token
  return {
    hostname = settings.hostname, security = settings.tls, user = settings.user,
    password = not is_token and secret or nil, token = is_token and secret or nil,
    mechanisms = settings.auth, allow_plaintext_auth = settings.allow_plaintext_auth,
    pipelining = settings.pipelining, smtputf8 = settings.smtputf8, window = settings.window,
    no_reset = settings.quirks.no_reset,
  }
end

local function open(self, deadline)
  local settings = self.settings
  local make_filter, err = filter_maker(settings)
  if err then
    return nil, err
  end
  local options
  options, err = session_options(settings)
  if not options then
    return nil, err
  end
  local connection, why = pump.open(self.driver, {
    target = { host = settings.host, port = settings.port, socket = settings.socket,
      source_ip = settings.source_ip },
    session = options, make_filter = make_filter, timeout = settings.timeout, deadline = deadline,
  })
  if not connection then
    return nil, failure.session(why, settings)
  end
  return connection
end

-- What a message will look like on this connection.
local function make_job(self, built, connection)
  local offered = connection:capabilities()
  local quirks = self.settings.quirks
  local handle = built:handle()
  local eightbit = offered["8BITMIME"] == true and not quirks.no_eightbit
  local ok, name, text = handle:rewind(eightbit)
  if not ok then
    return nil, built:failure(handle, name, text)
  end
  return {
    message = built, handle = handle, envelope = built.envelope, size = handle:size(eightbit),
    eightbit = eightbit and handle:is_eightbit(), utf8 = handle:needs_utf8(),
  }, offered
end

local SUBMIT_ERRORS = {
  too_long = { code = "message.too_large",
    text = { en = "the message is larger than the server takes (%s bytes)",
      zh = "邮件超过服务器允许的大小（%s 字节）" },
    hint = { en = "Compress the attachments, or share a link instead.",
      zh = "请压缩附件，或改用链接分享。" } },
  unsupported = { code = "message.smtputf8_required",
    text = { en = "an address needs SMTPUTF8, which the server does not offer",
      zh = "地址含非 ASCII 字符，需要服务器支持 SMTPUTF8" },
    hint = { en = "Use an address in ASCII.", zh = "请改用 ASCII 地址。" } },
}

local function submit_error(self, name, offered)
  local row = SUBMIT_ERRORS[name]
  if not row then
    return errors.new({ kind = "message", code = "message.bad_envelope", phase = "mail",
      delivered = "no", retry = "never", lang = self.settings.lang,
      text = { en = "the envelope was refused here: " .. name, zh = "信封不合规：" .. name } })
  end
  local limit = ("%.0f"):format(offered.size_limit or 0)
  return errors.new({ kind = "message", code = row.code, phase = "mail", delivered = "no",
    retry = "never", hint = row.hint, lang = self.settings.lang,
    text = { en = row.text.en:format(limit), zh = row.text.zh:format(limit) } })
end

-- Splits the verdicts into the accepted addresses and the refused ones.
local function verdicts_of(self, job)
  local accepted, rejected = {}, {}
  for index, address in ipairs(job.envelope.to) do
    local verdict = job.verdicts[index]
    if verdict and verdict.fault == "reply" then
      local err = failure.event(verdict, { settings = self.settings })
      rejected[#rejected + 1] = { address = address, code = verdict.code,
        enhanced = verdict.enhanced, text = verdict.text, retry = err.retry }
    else
      accepted[#accepted + 1] = address
    end
  end
  return accepted, rejected
end

-- The times of this message: a later one on the connection neither connects nor
-- logs in.
local function take_times(connection)
  local times = connection.times
  connection.times = {}
  return times
end

-- "250 2.0.0 Ok: queued as 4F2A" and its kin; QQ says "queued as." and no more.
local function queue_id_of(text)
  local id = text:match("queued as ([%w%-%._]+)") or text:match("id=([%w%-%._]+)")
  return id and id:match("%w") and id or nil
end

local function receipt_of(self, job, connection, reused)
  local accepted, rejected = verdicts_of(self, job)
  local outcome = job.outcome
  local info = connection.wire:tls_info()
  return {
    message_id = job.message.id, queue_id = queue_id_of(outcome.text),
    accepted = accepted, rejected = rejected,
    reply = { code = outcome.code, enhanced = outcome.enhanced, text = outcome.text },
    attempts = 1, reused = reused, host = self.settings.host or self.settings.socket,
    peer = connection.peer, tls = info, times = take_times(connection),
  }
end

local function outcome_error(self, job, connection)
  local _, rejected = verdicts_of(self, job)
  local why = connection:why_failed()
  return failure.event(job.outcome, {
    settings = self.settings, trace = why.trace, detail = why.detail,
    source_error = job.source_error, recipients = #rejected > 0 and rejected or nil,
  })
end

-- Nothing of the message counted on a connection that had died in the pool:
-- then, and only then, another one takes over unseen.
local DEAD = { closed = true, reset = true, transport = true }

local function died_in_pool(job)
  local outcome = job.outcome
  if outcome.phase ~= "mail" or outcome.handed_over then
    return false
  end
  -- 421 before anything else: the server was just closing it for idleness.
  return outcome.code == 421 or (outcome.type == "lost" and DEAD[outcome.fault] == true)
end

local function transact(self, built, connection, deadline)
  local job, offered = make_job(self, built, connection)
  if not job then
    return nil, offered
  end
  local ok, name = connection:submit(job)
  if not ok then
    return nil, submit_error(self, name, offered)
  end
  local began = self.driver:now()
  connection:finish(job, deadline)
  connection.times.message = self.driver:now() - began
  return job
end

local function send_on(self, built, connection, reused, deadline)
  local job, err = transact(self, built, connection, deadline)
  if not job then
    self.pool:give(connection, self.driver:now())
    return nil, err
  end
  if job.outcome.type == "delivered" then
    local receipt = receipt_of(self, job, connection, reused)
    self.pool:give(connection, self.driver:now())
    return receipt
  end
  err = outcome_error(self, job, connection)
  self.pool:give(connection, self.driver:now())
  return nil, err, reused and died_in_pool(job)
end

local function send_over_smtp(self, built)
  local deadline = self.driver:now() + self.settings.timeout.total
  local connection = self.pool:take(self.driver:now())
  local err
  if connection then
    local receipt, stale
    receipt, err, stale = send_on(self, built, connection, true, deadline)
    if receipt or not stale then
      return receipt, err
    end
  end
  connection, err = open(self, deadline)
  if not connection then
    return nil, err
  end
  local receipt
  receipt, err = send_on(self, built, connection, false, deadline)
  return receipt, err
end

local function try_once(self, built)
  local receipt, err = send_over_smtp(self, built)
  if err then
    err.attempts = err.attempts or 1
  end
  return receipt, err
end

-- A hook that raises must not change the result; it is counted instead.
local function call(self, hook, ...)
  if hook and not pcall(hook, ...) then
    self.hook_errors = self.hook_errors + 1
  end
end

local function tell(self, receipt, err)
  local hooks, log = self.settings.on, self.settings.log
  if receipt then
    call(self, hooks and hooks.sent, receipt)
    -- A raw message may have no Message-ID.
    call(self, log, "info", ("sent %s: %s"):format(receipt.message_id or "a message",
      receipt.reply.text))
  else
    call(self, hooks and hooks.failed, err)
    call(self, log, "error", tostring(err))
  end
end

local function closed_error(self)
  return errors.new({ kind = "closed", code = "closed.mailer", phase = "config",
    delivered = "no", retry = "never", lang = self.settings.lang,
    text = { en = "the mailer is closed", zh = "该 mailer 已关闭" } })
end

local function attempt(self, spec)
  if self.closed then
    return nil, closed_error(self)
  end
  local driver, err = drivers.choose(self.settings)
  if not driver then
    return nil, err
  end
  local built
  built, err = message.new(spec, self.settings)
  if not built then
    return nil, err
  end
  self.driver = driver
  if driver.deliver then
    return driver:deliver(built, self)
  end
  return try_once(self, built)
end

--- Send one message and wait for the server's verdict.
-- @tparam table spec the message; see the README, or a built `qqmail.message`
-- @treturn ?table receipt
-- @treturn ?table error
function Mailer:send(spec)
  if type(spec) ~= "table" then
    error("mailer:send: a message table is expected, not a " .. type(spec), 2)
  end
  local receipt, err = attempt(self, spec)
  tell(self, receipt, err)
  return receipt, err
end

--- Close the connections. Sending afterwards is an error. A mailer that is
-- only forgotten closes them too, without saying QUIT: sockets, TLS and
-- sessions each clean up after themselves.
function Mailer:close()
  self.closed = true
  self.pool:close()
end

Mailer.__close = Mailer.close

--- Host and user; never a secret.
function Mailer:__tostring()
  local settings = self.settings
  return ("qqmail.mailer (%s:%s, user %s)"):format(tostring(settings.host or settings.socket),
    tostring(settings.port), tostring(settings.user or "none"))
end

--- A mailer from options. No traffic yet.
-- @tparam table|string options see the README; a string is a connection URL
-- @treturn ?table mailer
-- @treturn ?table error
function M.new(options)
  local settings, err = config.load(options)
  if not settings then
    return nil, err
  end
  local self = setmetatable({
    settings = settings, pool = pool.new(settings.pool), outbox = {}, hook_errors = 0,
    closed = false,
  }, Mailer)
  for _, warning in ipairs(settings.warnings) do
    call(self, settings.log, "warning", warning.message)
  end
  return self
end

return M
