--- The doctor's output in broken worlds: what the specs look at, and what
-- tools/doctor_doc.lua puts into docs/doctor.md.
local shell = require("spec.support.shell")
local worlds = require("spec.support.worlds")

local M = {}

--- For each world: its `title`, the exit code, and per language what the output must
-- say: the cause first, then the remedy.
M.list = {
  { name = "starttls_on_465", exit = 78,
    title = { en = "STARTTLS at port 465", zh = "465 端口使用 STARTTLS" },
    en = { "port 465 speaks TLS from the first byte", 'Set tls = "implicit"' },
    zh = { "465 端口从首字节起就是 TLS", '请设 tls = "implicit"' } },
  { name = "implicit_on_587", exit = 78,
    title = { en = "Implicit TLS at port 587", zh = "587 端口使用隐式 TLS" },
    en = { "port 587 begins in clear text", 'Set tls = "starttls"' },
    zh = { "587 端口以明文开始", '请设 tls = "starttls"' } },
  { name = "implicit_on_other", exit = 76,
    title = { en = "Implicit TLS at a port that begins in clear text",
      zh = "对明文开始的端口使用隐式 TLS" },
    en = { "smtp.qq.com:2525 begins in clear text (220 ",
      'Set port = 2525 with tls = "starttls"' },
    zh = { "smtp.qq.com:2525 以明文开始（220 ", '请设 port = 2525、tls = "starttls"' } },
  { name = "starttls_on_other", exit = 75,
    title = { en = "STARTTLS at a port that waits for TLS", zh = "对等待 TLS 的端口使用 STARTTLS" },
    en = { "smtp.qq.com:8465 speaks TLS from the first byte",
      'Set port = 8465 with tls = "implicit"' },
    zh = { "smtp.qq.com:8465 从首字节起就是 TLS", '请设 port = 8465、tls = "implicit"' } },
  { name = "password", exit = 77,
    title = { en = "The password in place of the code", zh = "用了密码而不是授权码" },
    en = { "what was given is no authorization code", "Use the 16-letter authorization code" },
    zh = { "给出的不是授权码", "请使用 QQ 邮箱“设置 > 账号”" } },
  { name = "service_off", exit = 77,
    title = { en = "The service is off", zh = "IMAP/SMTP 服务未开启" },
    en = { "the IMAP/SMTP service of the mailbox is off", "See that IMAP/SMTP is switched on" },
    zh = { "IMAP/SMTP 服务未开启", "开启 IMAP/SMTP" } },
  { name = "code_revoked", exit = 77,
    title = { en = "The code was revoked", zh = "授权码已失效" },
    en = { "the authorization code is no longer valid", "make a new code" },
    zh = { "授权码已失效", "重新生成授权码" } },
  { name = "firewall", exit = 69,
    title = { en = "A firewall drops the packets", zh = "防火墙丢弃数据包" },
    en = { "does not answer", "firewall", "Open 465 or 587 for outgoing traffic" },
    zh = { "超时", "防火墙", "放行出站 465 或 587 端口" } },
  { name = "fake_ip", exit = 69,
    title = { en = "A proxy's fake-ip", zh = "代理的 fake-ip" },
    en = { "198.18.0.23 is no address of the server: it is a fake-ip", "a DIRECT rule" },
    zh = { "198.18.0.23 不是服务器的地址", "直连（DIRECT）规则" } },
  { name = "expired", exit = 76,
    title = { en = "The certificate has expired", zh = "证书已过期" },
    en = { "the server's certificate has expired", "2020-02-01", "can renew it" },
    zh = { "服务器证书已过期", "2020-02-01", "更新证书" } },
  { name = "clock", exit = 76,
    title = { en = "The clock is off", zh = "本机时间不准" },
    en = { "this machine's clock is off: it says 2020-01-01", "2024-01-01", "Set the clock" },
    zh = { "本机时钟不准：本机时间为 2020-01-01", "2024-01-01", "请校准本机时间" } },
  { name = "ipv6_hole", exit = 0,
    title = { en = "IPv6 leads nowhere", zh = "IPv6 黑洞" },
    en = { "2001:db8::10: no answer", "IPv6 leads nowhere here", "switch IPv6 off" },
    zh = { "2001:db8::10：无应答", "本机 IPv6 不通", "关闭 IPv6" } },
  { name = "from_mismatch", exit = 78,
    title = { en = "From is not the login", zh = "发件人与登录账号不一致" },
    en = { "From is 20002@qq.com, but the login is 10001@qq.com", "Set from to 10001@qq.com" },
    zh = { "发件人是 20002@qq.com，而登录账号是 10001@qq.com", "请把 from 设为 10001@qq.com" } },
}

-- Ports that say nothing of how they speak.
local OWN = {
  implicit_on_other = {
    world = worlds.whole({ servers = { worlds.qq({ mode = "starttls", port = 2525 }) } }),
    env = worlds.env({ QQMAIL_PORT = "2525" }),
  },
  starttls_on_other = {
    world = worlds.whole({ servers = { worlds.qq({ port = 8465 }) } }),
    env = worlds.env({ QQMAIL_PORT = "8465", QQMAIL_TLS = "starttls", QQMAIL_TIMEOUT = "4" }),
  },
}

local function entry_of(example)
  if OWN[example.name] then
    return OWN[example.name]
  end
  for _, entry in ipairs(worlds.list) do
    if entry.name == example.name then
      return entry
    end
  end
  error("no world " .. example.name)
end

--- Why an example cannot be run here; nil when it can.
function M.missing(example)
  return worlds.missing(entry_of(example))
end

--- Runs `qqmail doctor` in the world of an example.
-- @tparam table example of `list`
-- @tparam string lang
-- @tparam ?table words more of them
-- @treturn table see world.run
function M.run(example, lang, words)
  local command = { shell.lua, "bin/qqmail", "doctor" }
  for _, word in ipairs(words or {}) do
    command[#command + 1] = word
  end
  return worlds.run(entry_of(example), command, { QQMAIL_LANG = lang })
end

--- The output with what differs from run to run made the same.
-- @tparam string text
-- @treturn string
function M.normalise(text)
  local function seconds(number)
    local value = tonumber(number)
    return value < 0.25 and "0.01" or ("%.2f"):format(math.floor(value * 2 + 0.5) / 2)
  end
  text = text:gsub("(%d+%.%d%d)( s)", function(number, unit)
    return seconds(number) .. unit
  end)
  text = text:gsub("(%d+%.%d%d)( 秒)", function(number, unit)
    return seconds(number) .. unit
  end)
  text = text:gsub("%d+ days left", "8000 days left"):gsub("还剩 %d+ 天", "还剩 8000 天")
  return (text:gsub("%d%d%d%d%-%d%d%-%d%d %d%d:%d%d UTC", function(clock)
    return clock:find("^2020%-01%-01") and clock or "2026-12-01 09:00 UTC"
  end))
end

--- The text of an example as it stands in the documentation.
-- @tparam table example
-- @tparam string lang
-- @treturn string Markdown
function M.markdown(example, lang)
  local result = M.run(example, lang)
  return ("### %s\n\n```text\n$ qqmail doctor\n%s```\n"):format(example.title[lang],
    M.normalise(result.stdout))
end

return M
