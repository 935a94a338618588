--- Failures without a reply, by where they happened: data for `qqmail.diagnose`.
-- `%s` in a text is the server.
-- @module qqmail.diagnose.failures

local replies = require "qqmail.diagnose.replies"

local M = {}

local function row(kind, code, retry, text, hint)
  return { kind = kind, code = code, retry = retry, text = text, hint = hint }
end

M.resolve = {
  not_found = row("resolve", "resolve.not_found", "never",
    { en = "%s does not exist", zh = "找不到主机 %s" }, {
      en = "Check the spelling of host, and that this machine or container has a name server "
        .. "(/etc/resolv.conf). nginx's own `resolver` is not asked.",
      zh = "请检查 host 的拼写，以及本机或容器的 DNS 配置（/etc/resolv.conf）；不使用 nginx 的 resolver。",
    }),
  again = row("resolve", "resolve.again", "later",
    { en = "the name server did not answer for %s", zh = "DNS 暂时无法解析 %s" }, {
      en = "The name server cannot be reached for now: try again, then check it.",
      zh = "DNS 服务器暂时不可用：请稍后重试并检查 DNS。",
    }),
  timeout = row("timeout", "resolve.timeout", "later",
    { en = "the name server took too long for %s", zh = "解析 %s 超时" }, {
      en = "Check the name server; UDP port 53 may be blocked.",
      zh = "请检查 DNS 服务器；UDP 53 端口可能被拦截。",
    }),
}

M.resolve_other = row("resolve", "resolve.failed", "later",
  { en = "%s could not be looked up", zh = "解析 %s 失败" }, M.resolve.not_found.hint)

M.connect = {
  refused = row("connect", "connect.refused", "later",
    { en = "%s refuses the connection", zh = "%s 拒绝连接" }, {
      en = "Nothing listens there, or a firewall says no: use port 465 (implicit TLS) or 587 "
        .. "(STARTTLS).",
      zh = "该端口没有服务，或被防火墙拒绝：请使用 465（隐式 TLS）或 587（STARTTLS）。",
    }),
  timeout = row("timeout", "connect.timeout", "later",
    { en = "%s does not answer", zh = "连接 %s 超时" }, {
      en = "A firewall, security group or cloud provider drops the packets: open ports 465 and 587 "
        .. "for outgoing traffic, or try the other of the two.",
      zh = "数据包被防火墙、安全组或云厂商丢弃：请放行出站 465、587 端口，或换另一个端口试试。",
    }),
  unreachable = row("connect", "connect.unreachable", "later",
    { en = "there is no way to %s", zh = "没有到 %s 的路由" }, {
      en = "Check the network, VPN and the routes of this machine or container.",
      zh = "请检查本机或容器的网络、VPN 与路由。",
    }),
  denied = row("connect", "connect.denied", "never",
    { en = "this machine forbids connecting to %s", zh = "本机策略禁止连接 %s" }, {
      en = "SELinux, seccomp or a firewall forbids it; for nginx under SELinux: "
        .. "setsebool -P httpd_can_network_connect 1",
      zh = "被 SELinux、seccomp 或防火墙禁止；SELinux 下的 nginx 请执行 "
        .. "setsebool -P httpd_can_network_connect 1",
    }),
  not_found = row("connect", "connect.no_socket", "never",
    { en = "there is no socket %s", zh = "套接字 %s 不存在" }, {
      en = "Check the path, and that the server runs.", zh = "请检查路径以及服务是否运行。",
    }),
  again = row("connect", "connect.again", "later",
    { en = "this machine is short of sockets or memory", zh = "本机套接字或内存不足" }, {
      en = "Close what is not needed, or raise the limit of open files.",
      zh = "请关闭不需要的连接，或提高打开文件数上限。",
    }),
}

M.connect_other = row("connect", "connect.failed", "later",
  { en = "%s cannot be reached", zh = "无法连接 %s" }, M.connect.unreachable.hint)

M.port_25 = {
  en = "Cloud providers block outgoing port 25: use 465 or 587, which are meant for sending.",
  zh = "云厂商通常封锁出站 25 端口：请改用发信专用的 465 或 587。",
}

M.no_ipv6 = {
  en = "Only IPv6 addresses were tried and this machine has no IPv6 route: use IPv4, or switch "
    .. "IPv6 off.",
  zh = "仅尝试了 IPv6 地址而本机没有 IPv6 路由：请使用 IPv4 或关闭 IPv6。",
}

M.fake_ip = row("connect", "connect.fake_ip", "never",
  { en = "%s resolves to the address of a local proxy", zh = "%s 被解析到本机代理的虚假 IP" }, {
    en = "A proxy answers for the name (198.18.0.0/15) but does not forward mail: add a DIRECT "
      .. "rule for the host.",
    zh = "代理软件以 fake-ip（198.18.0.0/15）应答却不转发邮件：请为该域名添加直连规则。",
  })

-- Lost or silent after connecting, by phase.
M.greeting_timeout = row("timeout", "timeout.no_greeting", "later",
  { en = "%s is connected and says nothing", zh = "已连接 %s，但没有任何应答" }, {
    en = "The server is busy, or something in between swallows SMTP: try the other of 465 and 587.",
    zh = "服务器繁忙，或中间设备拦截了 SMTP：请在 465 与 587 之间换一个端口试试。",
  })

M.waits_for_tls = {
  en = "This port waits for TLS: set tls = \"implicit\".",
  zh = "该端口在等待 TLS：请设置 tls = \"implicit\"。",
}

M.closed_in_auth = row("auth", "auth.closed_during_login", "never",
  { en = "%s hung up during the login", zh = "%s 在登录时断开了连接" }, replies.hints.login)

M.closed_at_greeting = row("closed", "closed.before_greeting", "later",
  { en = "%s hung up before its greeting", zh = "%s 在问候前断开了连接" }, {
    en = "Too many connections, or the server distrusts this IP: wait, and use fewer at a time.",
    zh = "连接过多，或服务器不信任本机 IP：请稍候并减少并发连接。",
  })

M.closed = row("closed", "closed.by_server", "now",
  { en = "%s closed the connection", zh = "%s 断开了连接" }, {
    en = "Connect again; nothing has been delivered unless the error says otherwise.",
    zh = "请重新连接；除非另有说明，邮件并未投递。",
  })

M.timeout = row("timeout", "timeout.reply", "later",
  { en = "%s did not answer in time", zh = "%s 未在限定时间内应答" }, replies.hints.later)

local function tls_row(name, retry, en, zh, hint)
  return row("tls", "tls." .. name, retry, { en = en, zh = zh }, hint)
end

M.tls = {}

for _, entry in ipairs {
  tls_row("host_mismatch", "never", "the certificate is not for this host", "证书与主机名不符", {
    en = "Connect by the official name (smtp.qq.com), not by an IP or an alias; or set "
      .. "tls_options.server_name to the name in the certificate.",
    zh = "请使用官方域名（smtp.qq.com）而不是 IP 或别名；或把 tls_options.server_name 设为证书中的名字。" }),
  tls_row("expired", "never", "the certificate has expired", "证书已过期", {
    en = "Check this machine's clock first; if it is right, the server's owner must renew.",
    zh = "请先检查本机时间；若时间正确，则需服务器方更新证书。" }),
  tls_row("not_yet_valid", "never", "the certificate is not valid yet", "证书尚未生效", {
    en = "This machine's clock is most likely behind: set it (NTP).",
    zh = "本机时间很可能偏慢：请校准时间（NTP）。" }),
  tls_row("self_signed", "never", "the certificate is self-signed", "证书是自签名的", {
    en = "If it is your own server, give its certificate as tls_options.ca_file; else somebody in "
      .. "between reads along. Do not switch verification off.",
    zh = "若是自己的服务器，请把证书设为 tls_options.ca_file；否则可能存在中间人。不要关闭校验。" }),
  tls_row("no_issuer", "never", "the issuer of the certificate is not known",
    "找不到证书的签发者", {
      en = "Install the CA certificates of the system (ca-certificates), or set "
        .. "tls_options.ca_file.",
      zh = "请安装系统 CA 证书（ca-certificates），或设置 tls_options.ca_file。" }),
  tls_row("untrusted", "never", "the certificate is not trusted", "证书不受信任", {
    en = "Check tls_options.ca_file and the CA certificates of the system.",
    zh = "请检查 tls_options.ca_file 与系统 CA 证书。" }),
  tls_row("chain_too_long", "never", "the chain of certificates is too long", "证书链过长", {
    en = "Something is wrong with the server's certificates; ask its owner.",
    zh = "服务器证书配置有误；请联系服务商。" }),
  tls_row("weak", "never", "the server's keys or signatures are too weak",
    "对方的密钥或签名强度不足", {
      en = "The server must be brought up to date; ask its owner.", zh = "需要服务器方升级；请联系服务商。" }),
  tls_row("revoked", "never", "the certificate has been revoked", "证书已被吊销", {
    en = "Do not send there before the server's owner has replaced it.",
    zh = "在服务器方更换证书之前不要发送。" }),
  tls_row("not_tls", "never", "the server answered in clear text", "服务器以明文应答", {
    en = "Port and TLS mode do not fit: 465 goes with tls = \"implicit\", 587 and 25 with "
      .. "\"starttls\".",
    zh = "端口与 TLS 模式不匹配：465 对应 tls = \"implicit\"，587 和 25 对应 \"starttls\"。" }),
  tls_row("protocol_version", "never", "the server only speaks an old version of TLS",
    "服务器只支持旧版 TLS", {
      en = "TLS 1.2 is needed; ask the server's owner to switch it on.",
      zh = "至少需要 TLS 1.2；请联系服务商开启。" }),
  tls_row("closed", "later", "the server hung up during the TLS handshake",
    "TLS 握手时被断开", {
      en = "Check that port and TLS mode fit and that no proxy or firewall is in between; then try "
        .. "again.",
      zh = "请检查端口与 TLS 模式是否匹配，以及中间是否有代理或防火墙，然后重试。" }),
  tls_row("truncated", "later", "the connection was cut during TLS", "TLS 连接被截断", {
    en = "Try again; a proxy or firewall in between may cut connections.",
    zh = "请重试；中间的代理或防火墙可能会截断连接。" }),
  tls_row("alert", "never", "the server refused the TLS handshake", "服务器拒绝了 TLS 握手", {
    en = "Check tls_options (server_name, cert, min_version).",
    zh = "请检查 tls_options（server_name、cert、min_version）。" }),
  tls_row("timeout", "later", "the TLS handshake took too long", "TLS 握手超时", {
    en = "Check that port and TLS mode fit (465 implicit, 587 starttls), then the network.",
    zh = "请检查端口与 TLS 模式是否匹配（465 implicit，587 starttls），再检查网络。" }),
  tls_row("failed", "later", "the TLS handshake failed", "TLS 握手失败", {
    en = "Try again; if it stays, look at `openssl s_client -connect host:465`.",
    zh = "请重试；若持续失败，可用 openssl s_client -connect host:465 检查。" }),
} do
  M.tls[entry.code:sub(5)] = entry
end

M.clear_start = {
  en = "This port begins in clear text: set tls = \"starttls\", or use port 465.",
  zh = "该端口以明文开始：请设 tls = \"starttls\"，或改用 465 端口。",
}

return M
