--- What presets have in common.
-- @module qqmail.providers.base

local M = {}

M.implicit_then_starttls = { { 465, "implicit" }, { 587, "starttls" } }
M.implicit = { { 465, "implicit" } }
M.starttls = { { 587, "starttls" } }

M.password_mechanisms = { "PLAIN", "LOGIN" }
M.login_only = { "LOGIN" }
M.token_or_password = { "XOAUTH2", "OAUTHBEARER", "PLAIN", "LOGIN" }

-- `window` = 0: nobody has proved that this server takes the next envelope
-- behind a body. `eof_in_auth_is_auth`: it hangs up instead of answering when
-- it refuses a login. `lazy_recipients`: RCPT takes anybody, who is unknown is told
-- behind the mail.
function M.quirks(more)
  local out = { window = 0 }
  for key, value in pairs(more or {}) do
    out[key] = value
  end
  return out
end

-- What follows a delivered message there is garbage, silence or a hang-up.
-- @tparam ?table more
function M.tencent_quirks(more)
  local out = M.quirks(more)
  out.no_reset, out.no_noop, out.no_eightbit, out.eof_in_auth_is_auth = true, true, true, true
  return out
end

function M.netease_quirks()
  return M.quirks { no_reset = true, no_noop = true }
end

M.hints = {
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

return M
