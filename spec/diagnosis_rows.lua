--- What is known to go wrong when mail is sent, and how a spec makes each of it
-- happen to a real client. `make diagnosis-rows` prints the list.
--
-- * `names`: all of it. The same names stand in replies.jsonl for what a server says.
-- * `made`: how all else is brought about, a list of cases each: `server` = options of a
--   scripted server on loopback, or `world` = the name of a world below, or neither where
--   the settings are refused; `client` = options of the mailer; `mails` = how many (1);
--   `waits`: a time-out is waited for; `expect` = fields of the error, or "sent" where the
--   mail goes out all the same; `unheard` = commands that the server must not hear
-- * `impossible` = why a row, or a reply of replies.jsonl, cannot be met by this client
-- * `worlds`: for spec/support/world.lua
local M = {}

local function words(text)
  local out = {}
  for word in text:gmatch("%S+") do
    out[#out + 1] = word
  end
  return out
end

M.names = words([[
  net_host_syntax net_dns_noname net_dns_again net_fake_ip net_refused net_timeout_25
  net_timeout net_unreach_v6 net_unreach net_eperm net_no_greeting_465 net_no_greeting
  net_closed_before_greeting net_lost_after_dot net_lost_mid net_lost_auth
  tls_wrong_version tls_eof_handshake tls_reset_handshake tls_timeout tls_self_signed
  tls_no_issuer tls_host_mismatch tls_expired tls_not_yet tls_protocol tls_weak_key
  tls_no_starttls tls_454 tls_close_no_notify qq_quit_binary quit_any qq_post_data_noop
  qq_535_abnormal qq_535_code qq_535_gbk exmail_535_busy qq_502_auth_ir qq_502_mail
  qq_502_other qq_503_auth qq_501_from exmail_501_secure from_header_qq from_header_missing
  qq_content qq_rcpt_nonexist qq_too_many qq_freq_ip qq_freq_other qq_rcpt_flood
  qq_mbox_notfound qq_content_denied qq_ip_bad qq_spf qq_rcpt_block ne_no_permission
  ne_auth_required ne_auth_limit ne_spm_temp ne_spm ne_sum ne_sfq ne_stc ne_per_conn
  ne_cmd_err ne_rcpt_cnt ne_hl ne_black ne_policy ne_bad_syntax ne_attach ya_access ne_535
  rcpt_unknown_cn ali_526 ali_440 ali_nonlocal ali_spam_temp ali_spam ali_limit
  ali_not_allowed gm_app_pw gm_web_login gm_535 gm_login_rate gm_530 gm_daily gm_unauth
  gm_unauth_temp gm_rfc gm_spam gm_spam_temp gm_attach gm_quota gm_rcpt_fast gm_ehlo gm_ptr
  ms_basic_off ms_tenant_off ms_5139_other ms_573 ms_5757 ms_sendas ms_conc ms_quota
  ms_banned ms_rep yh_auth yh_tss yh_tss_perm zo_relay ya_spam ap_rate ap_policy ses_rate
  ses_daily ses_unverified ses_auth sg_from sg_unauth sg_credits br_inactive br_ip
  mg_sandbox s2g_ip gen_starttls_first gen_auth_mech gen_auth_temp gen_auth gen_535
  gen_too_many_conn gen_421 gen_452_rcpt gen_552_rcpt gen_size gen_storage gen_greylist
  gen_relay gen_addr_syntax gen_param gen_rcpt_unknown gen_rcpt_full gen_blacklist gen_spam
  gen_4xx gen_rcpt_5xx gen_5xx gen_unparsable
]])

-- Short, for it is waited for; what is timed is always a server that never answers. All
-- that comes before must have happened by then, however slow this process is made.
local PATIENCE = os.getenv("QQMAIL_INSTRUMENTED") and 1 or 0.3
local SHORT = { connect = PATIENCE, reply = PATIENCE, final = PATIENCE }

-- Before this nothing comes; a name server that is silent is given up after a second.
local FIRST = { connect = 0.3 }

local function config(client)
  return { client = client, expect = { kind = "config", phase = "config", retry = "never" } }
end

-- Cases that differ in one value: `case_of(value)` for each.
local function each(values, case_of)
  local out = {}
  for i, value in ipairs(values) do
    out[i] = case_of(value)
  end
  return out
end

local function resolve(world, code, kind, client)
  return { world = world, client = client or { host = "nowhere.test" },
    expect = { kind = kind or "resolve", code = code, phase = "resolve" } }
end

local function connect(host, code, more)
  local case = { world = "net", client = { host = host, timeout = FIRST },
    expect = { kind = "connect", code = code, phase = "connect" } }
  for key, value in pairs(more or {}) do
    case[key] = value
  end
  return case
end

-- A handshake that fails over the certificate. The second name is what the
-- certificate is for; the server must be let show a weak one.
local function certificate(name, code)
  return each({ "implicit", "starttls" }, function(mode)
    return { server = { mode = mode, cert = name, tls = { ciphers = "ALL:@SECLEVEL=0" } },
      expect = { kind = "tls", code = code, phase = "tls", retry = "never" } }
  end)
end

local function append(...)
  local out = {}
  for _, list in ipairs({ ... }) do
    for _, case in ipairs(list) do
      out[#out + 1] = case
    end
  end
  return out
end

local ENDS = { "fin", "rst", "stall" }

-- The connection ends, or goes silent, in a phase.
local function lost(server_phase, phase, ends, expect_of)
  return each(ends or ENDS, function(how)
    local mode = server_phase == "starttls" and "starttls" or "plain"
    local expect = expect_of(how)
    expect.phase = phase
    return { server = { mode = mode, drop_at = server_phase, how = how }, expect = expect,
      waits = how == "stall", client = how == "stall" and { timeout = SHORT } or nil }
  end)
end

local function closed_or_silent(how)
  if how == "stall" then
    return { kind = "timeout", code = "timeout.reply", retry = "later", delivered = "no" }
  end
  return { kind = "closed", code = "closed.by_server", retry = "now", delivered = "no" }
end

local function in_phase(server_phase, phase)
  return lost(server_phase, phase or server_phase, nil, closed_or_silent)
end

local function handshake(how, code, kind)
  return { server = { mode = "implicit", drop_at = "tls", how = how }, waits = how == "stall",
    client = how == "stall" and { timeout = SHORT } or nil,
    expect = { kind = kind or "tls", code = code, phase = "tls", retry = "later" } }
end

local function qq_sent(server, more)
  server.scenario, server.mode = "qq", "implicit"
  local case = { server = server, expect = "sent" }
  for key, value in pairs(more or {}) do
    case[key] = value
  end
  return case
end

local function unparsable(bytes)
  return each({ "greeting", "ehlo", "mail" }, function(phase)
    return { server = { mode = "plain", replies = { [phase] = { raw = bytes } } },
      expect = { kind = "protocol", code = "protocol.bad_reply", phase = phase } }
  end)
end

M.made = {
  net_host_syntax = each({ "smtp@qq.com", "smtp qq.com", "smtps://smtp.qq.com" }, function(host)
    return config({ host = host })
  end),
  net_dns_noname = { resolve("net", "resolve.not_found"),
    -- A name that has no address of any kind.
    resolve("net", "resolve.not_found", nil, { host = "empty.test" }) },
  net_dns_again = { resolve("servfail", "resolve.again"),
    resolve("silent", "resolve.timeout", "timeout",
      { host = "nowhere.test", timeout = FIRST }) },
  net_fake_ip = { connect("faked.test", "connect.fake_ip") },
  net_refused = { connect("closed.test", "connect.refused") },
  net_timeout_25 = { connect("dropped.test", "connect.port_25", {
    client = { host = "dropped.test", port = 25, tls = "starttls", timeout = FIRST },
    expect = { kind = "timeout", code = "connect.port_25", phase = "connect" } }) },
  net_timeout = { connect("dropped.test", "connect.timeout", {
    expect = { kind = "timeout", code = "connect.timeout", phase = "connect" } }) },
  net_unreach_v6 = { connect("v6.test", "connect.no_ipv6") },
  net_unreach = { connect("far.test", "connect.unreachable"),
    connect("unrouted.test", "connect.unreachable") },
  net_eperm = { connect("forbidden.test", "connect.denied") },
  -- Never met on the wire: the settings are refused before.
  net_no_greeting_465 = each({ "starttls", "none" }, function(tls)
    return config({ host = "smtp.qq.com", port = 465, tls = tls })
  end),
  net_no_greeting = lost("greeting", "greeting", { "stall" }, function()
    return { kind = "timeout", code = "timeout.no_greeting", retry = "later" }
  end),
  -- A reset may come before the client has seen that it is connected.
  net_closed_before_greeting = lost("greeting", "greeting", { "fin" }, function()
    return { kind = "closed", code = "closed.before_greeting", retry = "later" }
  end),
  net_lost_after_dot = lost("dot", "final", nil, function(how)
    local expect = closed_or_silent(how)
    expect.delivered, expect.retry = "unknown", "never"
    return expect
  end),
  net_lost_mid = append(in_phase("ehlo"), in_phase("starttls"), in_phase("mail"),
    in_phase("rcpt"), in_phase("data")),
  net_lost_auth = lost("auth", "auth", { "fin", "rst" }, function()
    return { kind = "auth", code = "auth.closed_during_login", retry = "never" }
  end),

  tls_wrong_version = {
    { server = { mode = "plain" }, client = { tls = "implicit" },
      expect = { kind = "tls", code = "tls.not_tls", phase = "tls", retry = "never" } },
    { world = "net", client = { host = "web.test", port = 465 },
      expect = { kind = "tls", code = "tls.not_tls", phase = "tls", retry = "never" } },
  },
  tls_eof_handshake = { handshake("fin", "tls.closed") },
  tls_reset_handshake = { handshake("rst", "tls.closed") },
  tls_timeout = { handshake("stall", "tls.timeout", "timeout") },
  tls_self_signed = certificate("selfsigned", "tls.self_signed"),
  tls_no_issuer = certificate("rogue", "tls.no_issuer"),
  tls_host_mismatch = certificate("wronghost", "tls.host_mismatch"),
  tls_expired = certificate("expired", "tls.expired"),
  tls_not_yet = append(certificate("notyet", "tls.not_yet_valid"), {
    { world = "clock", client = { host = "smtp.qq.com" },
      expect = { kind = "tls", code = "tls.not_yet_valid", phase = "tls", retry = "never" } } }),
  tls_protocol = { { world = "net", client = { host = "old.test", port = 465 },
    expect = { kind = "tls", code = "tls.protocol_version", phase = "tls", retry = "never" } } },
  tls_weak_key = certificate("weak", "tls.weak"),
  tls_no_starttls = { { server = { mode = "plain" }, client = { tls = "starttls" },
    expect = { kind = "tls", code = "tls.no_starttls", phase = "starttls", retry = "never" } } },
  tls_close_no_notify = {
    { server = { mode = "implicit", close_notify = false, drop_at = "quit", how = "fin" },
      expect = "sent" } },

  qq_quit_binary = { qq_sent({ quit = "frame26" }), qq_sent({ quit = "frame8_then_close" }) },
  quit_any = append(lost("quit", "quit", { "fin", "rst" }, function() return {} end),
    { qq_sent({ quit = "close" }) }),
  qq_post_data_noop = { qq_sent({ post_data_cmd = "garbage" },
    { mails = 2, unheard = { "NOOP", "RSET" } }) },
  gen_unparsable = append(
    unparsable("HTTP/1.1 400 Bad Request\r\n"), unparsable("550 a\0b\r\n")),
}

for _, case in ipairs(M.made.quit_any) do
  case.expect = "sent"
end

M.impossible = {
  odd_escape_bytes = "a line that holds NUL is no reply, see gen_unparsable",
}

local SERVER = "203.0.113.10"

M.worlds = {
  net = {
    hosts = {
      ["faked.test"] = "198.18.0.23", ["closed.test"] = SERVER, ["dropped.test"] = "203.0.113.66",
      ["v6.test"] = "2001:db8::99", ["far.test"] = "203.0.113.30",
      ["unrouted.test"] = "198.51.100.9", ["forbidden.test"] = "203.0.113.31",
      ["web.test"] = "203.0.113.11", ["old.test"] = "203.0.113.12",
    },
    resolver = { ["empty.test"] = {} },
    addresses = { SERVER },
    drop = { "203.0.113.66", "198.18.0.23" },
    routes = { "unreachable 203.0.113.30", "prohibit 203.0.113.31" },
    servers = {
      { kind = "http", address = "203.0.113.11", port = 465 },
      { kind = "old_tls", address = "203.0.113.12", port = 465, cert = "qq" },
    },
  },
  servfail = { resolver = "servfail" },
  silent = { resolver = "never" },
  clock = {
    hosts = { ["smtp.qq.com"] = SERVER }, clock = "2020-01-01 00:00:00",
    servers = { { address = SERVER, port = 465, mode = "implicit", scenario = "qq", cert = "qq" } },
  },
}

return M
