--- Ready-made broken worlds: the ten things that go wrong for people who begin to
-- send mail, each as it really happens, with smtp.qq.com at its real ports.
--
--     local worlds = require("spec.support.worlds")
--     for _, entry in ipairs(worlds.list) do
--       local result = worlds.run(entry, { shell.lua, "bin/qqmail", "doctor" })
--     end
--
-- An entry has `name`, `broken` (what is wrong, for a spec's title), `world` (for
-- world.run), `env` (the client's settings) and `expect`: what `mailer:send` must say.
-- The first two are one mistake both ways, hence eleven entries.
local world = require("spec.support.world")

local M = {}

M.USER = "10001@qq.com"
M.HOST = "smtp.qq.com"
--- The authorization code of the account, as QQ makes them.
M.CODE = "abcdefghijklmnop"
--- Where the server is, of the addresses that are nobody's (RFC 5737, RFC 3849).
M.ADDRESS = "203.0.113.10"
M.ADDRESS_V6 = "2001:db8::10"

local function merge(...)
  local out = {}
  for _, from in ipairs({ ... }) do
    for key, value in pairs(from) do
      out[key] = value
    end
  end
  return out
end

--- The server of QQ at port 465, or 587 with `mode` = "starttls".
-- @tparam ?table options of `qqmail.testing`; `cert` is a name of certs.sh
function M.qq(options)
  options = options or {}
  return merge({
    scenario = "qq", address = M.ADDRESS, port = options.mode == "starttls" and 587 or 465,
    mode = "implicit", cert = "qq", users = { [M.USER] = M.CODE },
  }, options)
end

local function both_ports(options)
  return { M.qq(options), M.qq(merge(options or {}, { mode = "starttls" })) }
end

--- A world with smtp.qq.com in it, in which nothing is wrong.
-- @tparam ?table more of world.run
function M.whole(more)
  return merge({ hosts = { [M.HOST] = M.ADDRESS }, servers = both_ports() }, more or {})
end

--- The settings of a client that are right, as environment.
-- @tparam ?table more
function M.env(more)
  return merge({ QQMAIL_HOST = M.HOST, QQMAIL_USER = M.USER, QQMAIL_PASSWORD = M.CODE,
    QQMAIL_PORT = "465", QQMAIL_TLS = "implicit", QQMAIL_CONNECT_TIMEOUT = "0.5",
    QQMAIL_RETRY_ATTEMPTS = "1" }, more or {})
end

M.list = {
  {
    name = "starttls_on_465", broken = "port 465 with STARTTLS",
    world = M.whole(),
    env = M.env({ QQMAIL_TLS = "starttls" }),
    expect = { kind = "config", code = "config.port_tls", phase = "config" },
  },
  {
    name = "implicit_on_587", broken = "port 587 with implicit TLS",
    world = M.whole(),
    env = M.env({ QQMAIL_PORT = "587" }),
    expect = { kind = "config", code = "config.port_tls", phase = "config" },
  },
  {
    name = "password", broken = "the password in place of the authorization code",
    world = M.whole({ servers = both_ports({ era = 2022 }) }),
    env = M.env({ QQMAIL_PASSWORD = "MyPassword1" }),
    expect = { kind = "auth", phase = "auth", smtp = 535 },
  },
  {
    name = "service_off", broken = "the SMTP service of the mailbox is off",
    world = M.whole({ servers = both_ports({ users = {} }) }),
    env = M.env(),
    expect = { kind = "auth", phase = "auth", smtp = 535 },
  },
  {
    name = "code_revoked", broken = "a code that is no longer valid: the server hangs up in AUTH",
    world = M.whole({ servers = both_ports({ users = {}, silent_auth_reject = true }) }),
    env = M.env(),
    expect = { phase = "auth" },
  },
  {
    name = "firewall", broken = "a firewall that drops what goes to the server",
    world = { hosts = { [M.HOST] = M.ADDRESS }, drop = { M.ADDRESS } },
    env = M.env(),
    expect = { kind = "timeout", phase = "connect" },
  },
  {
    name = "fake_ip", broken = "a proxy that answers names with addresses of its own",
    world = { resolver = { [M.HOST] = { "198.18.0.23" } }, drop = { "198.18.0.23" } },
    env = M.env(),
    expect = { phase = "connect" },
  },
  {
    name = "expired", broken = "a certificate that has expired",
    world = M.whole({ servers = both_ports({ cert = "qqexpired" }) }),
    env = M.env(),
    expect = { kind = "tls", phase = "tls" },
  },
  {
    name = "clock", broken = "the clock of this machine, years late",
    world = M.whole({ clock = "2020-01-01 00:00:00" }), needs_clock = true,
    env = M.env(),
    expect = { kind = "tls", phase = "tls" },
  },
  {
    -- Both addresses are the server's, but what goes out over IPv6 is lost.
    name = "ipv6_hole", broken = "IPv6 that leads nowhere, where IPv4 works",
    world = M.whole({ hosts = { [M.HOST] = { M.ADDRESS_V6, M.ADDRESS } },
      drop = { M.ADDRESS_V6 } }),
    env = M.env(),
    expect = nil, -- the mail is sent, by way of IPv4
  },
  {
    name = "from_mismatch", broken = "a sender that is not the account",
    world = M.whole(),
    env = M.env({ QQMAIL_FROM = "20002@qq.com" }),
    expect = { phase = "mail", smtp = 501 },
  },
}

--- Why an entry cannot run here; nil when it can.
function M.missing(entry)
  return world.missing() or (entry.needs_clock and world.clock_missing() or nil)
end

--- Runs a command in the world of an entry.
-- @tparam table entry of `list`
-- @tparam table command list of words
-- @tparam ?table env more settings
-- @treturn table as of world.run
function M.run(entry, command, env)
  return world.run(merge(entry.world, { command = command, env = merge(entry.env, env or {}) }))
end

return M
