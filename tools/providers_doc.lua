-- providers_doc.lua [--write]: docs/providers.md and its Chinese twin, made from the
-- presets. Without --write it only compares. Run from the root, with the library on
-- package.path.
local made_pages = dofile("tools/made_pages.lua")
local providers = require "qqmail.providers"

local HEADS = {
  en = [[
# Providers

<!-- Made by `make providers-doc` from lua/qqmail/providers/. -->

What qqmail knows about each provider. A preset is found from the host or from the
domain of `user`, or named: `provider = "qq"`, `QQMAIL_PROVIDER=qq`. Whatever you give
yourself wins over it. Where a number is missing the provider does not publish it.
`message:lint("qq")` checks a message against a preset before it is sent.

]],
  zh = [[
# 服务商

<!-- 由 `make providers-doc` 根据 lua/qqmail/providers/ 生成。 -->

qqmail 对各服务商的了解。预设由 host 或 `user` 的域名自动推断，也可以写明：
`provider = "qq"`、`QQMAIL_PROVIDER=qq`。您自己给出的设置优先于预设。没有列出的数值是服务商未公开的。
发送前可用 `message:lint("qq")` 对照预设检查邮件。

]],
}

local GROUPS = {
  { file = "china", en = "Mail services of China", zh = "国内邮箱" },
  { file = "world", en = "Mail services elsewhere", zh = "海外邮箱" },
  { file = "services", en = "Services for programs, and test servers", zh = "发信服务与测试服务器" },
}

local W = {
  en = {
    columns = "| preset | provider | server | port | password | From |",
    addresses = "Addresses", server = "Server", ports = "Ports", other = "Other hosts",
    login = "Login", password = "Password", auth = "Mechanisms", from = "From",
    limits = "Limits", notes = "Notes", ways = "qqmail minds", help = "Help",
    colon = ": ", comma = ", ", semicolon = "; ", stop = ".", or_ = " or ",
    own_domain = "of your own domain", none = "none", bytes = "%s bytes for one mail",
    letters = "%d letters", recipients = "%d recipients for one mail", gap = " ",
    open = " (", close = ")",
  },
  zh = {
    columns = "| 预设 | 服务商 | 服务器 | 端口 | 密码 | From |",
    addresses = "地址", server = "服务器", ports = "端口", other = "其他服务器",
    login = "登录名", password = "密码", auth = "认证机制", from = "From",
    limits = "限制", notes = "说明", ways = "qqmail 的应对", help = "帮助",
    colon = "：", comma = "、", semicolon = "；", stop = "。", or_ = " 或 ",
    own_domain = "自有域名", none = "无", bytes = "单封 %s 字节",
    letters = "%d 位字母", recipients = "单封最多 %d 个收件人", gap = "",
    open = "（", close = "）",
  },
}

local MODES = {
  implicit = { en = "TLS", zh = "TLS" }, starttls = { en = "STARTTLS", zh = "STARTTLS" },
  none = { en = "clear text", zh = "明文" },
}

local SECRETS = {
  authorization_code = { en = "authorization code", zh = "授权码" },
  client_password = { en = "client-specific password", zh = "客户端专用密码" },
  app_password = { en = "app password", zh = "应用专用密码" },
  smtp_password = { en = "SMTP password", zh = "SMTP 密码" },
  api_key = { en = "API key", zh = "API 密钥" },
  token = { en = "token", zh = "令牌" },
  password = { en = "password of the account", zh = "账号密码" },
  none = { en = "none", zh = "无" },
}

local POLICIES = {
  login = { en = "the login only", zh = "只能是登录地址" },
  alias = { en = "the login or an alias of it", zh = "登录地址或其别名" },
  verified = { en = "what is verified there", zh = "已验证的地址或域名" },
  any = { en = "anything", zh = "不限" },
}

local USERS = {
  address = { en = "the full address", zh = "完整邮箱地址" },
  ["API key"] = { en = "the API key", zh = "API 密钥" },
  ["API user"] = { en = "the API user", zh = "API 用户名" },
  ["SMTP user"] = { en = "the SMTP user", zh = "SMTP 用户名" },
  ["SMTP user (AKIA...)"] = { en = "the SMTP user (AKIA...)", zh = "SMTP 用户名（AKIA...）" },
  account = { en = "the account", zh = "账号" },
  ["account login"] = { en = "the login of the account", zh = "账号登录名" },
  ["address or login"] = { en = "the address, or its part before the @",
    zh = "邮箱地址，或其 @ 之前的部分" },
  ["address, or an allowed IP"] = { en = "the full address; none where the IP is allowed",
    zh = "完整邮箱地址；IP 已获授权时不需要" },
  ["any text"] = { en = "any text", zh = "任意文本" },
  generated = { en = "the generated one", zh = "生成的账号" },
  none = { en = "none", zh = "无" },
  ["postmaster@domain"] = { en = "`postmaster@` your domain", zh = "`postmaster@` 自有域名" },
  ["server token"] = { en = "the server token, also as the password", zh = "服务器令牌（密码也填它）" },
  ["token user"] = { en = "the user that comes with the token", zh = "与令牌一同提供的用户名" },
}

local REGIONS = {
  EU = "欧盟", US = "美国", Hangzhou = "杭州", Russia = "俄罗斯", overseas = "海外", vip = "VIP",
  India = "印度", Australia = "澳大利亚", Japan = "日本", Canada = "加拿大", Singapore = "新加坡",
  Germany = "德国", Guangzhou = "广州", ["Hong Kong"] = "香港", ["US (Virginia)"] = "美国弗吉尼亚",
  ["outside China"] = "海外", ["gmx.com"] = "gmx.com",
}

-- What is not in the list is no matter for users.
local QUIRKS = {
  { "no_reset", { en = "sends neither RSET nor NOOP after a mail", zh = "投递后不发送 RSET 或 NOOP" } },
  { "no_eightbit", { en = "sends no 8-bit text", zh = "不发送 8 位编码的正文" } },
  { "eof_in_auth_is_auth", { en = "takes a hang-up at login for a refusal",
    zh = "登录时被断开视为认证失败" } },
}

local function code(text)
  return "`" .. text .. "`"
end

-- 73400320 as 73,400,320.
local function grouped(number)
  local text = ("%d"):format(number)
  return (text:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", ""))
end

local function pick(row, lang)
  return assert(row, lang)[lang]
end

local function ports_of(preset, lang)
  local out = {}
  for index, port in ipairs(preset.ports) do
    out[index] = port[1] .. W[lang].open .. pick(MODES[port[2]], lang) .. W[lang].close
  end
  return table.concat(out, W[lang].comma)
end

local function main_host(preset)
  return preset.host or preset.host_form
end

local function other_hosts(preset, lang)
  local out = {}
  for _, entry in ipairs(preset.hosts) do
    if entry.host ~= preset.host then
      local region = entry.region and (lang == "zh" and assert(REGIONS[entry.region], entry.region)
        or entry.region)
      out[#out + 1] = code(entry.host) .. (region and W[lang].open .. region .. W[lang].close or "")
    end
  end
  return table.concat(out, W[lang].comma)
end

local function domains_of(preset, lang)
  local out = {}
  for index, domain in ipairs(preset.domains) do
    out[index] = code(domain)
  end
  return #out > 0 and table.concat(out, W[lang].comma) or W[lang].own_domain
end

local function login_of(preset, lang)
  return preset.login and code(preset.login) or pick(USERS[preset.user], lang)
end

local function password_of(preset, lang)
  local words = W[lang]
  local text = pick(SECRETS[preset.secret], lang)
  if preset.code_shape then
    text = text .. words.open .. words.letters:format(preset.code_shape.letters) .. words.close
  end
  return text .. words.stop .. words.gap .. preset.hint[lang]
end

local function limits_of(preset, lang)
  local out, words = {}, W[lang]
  if preset.size_limit then
    out[#out + 1] = words.bytes:format(grouped(preset.size_limit))
  end
  if preset.quirks.max_recipients then
    out[#out + 1] = words.recipients:format(preset.quirks.max_recipients)
  end
  out[#out + 1] = preset.rate and preset.rate[lang]
  return table.concat(out, words.semicolon)
end

local function ways_of(preset, lang)
  local out = {}
  for _, row in ipairs(QUIRKS) do
    out[#out + 1] = preset.quirks[row[1]] and row[2][lang] or nil
  end
  return table.concat(out, W[lang].semicolon)
end

-- An account as the environment gives it; also what the spec tries out.
local function variables_of(preset)
  local out = { "QQMAIL_PROVIDER=" .. preset.key }
  if not preset.host then
    out[#out + 1] = "QQMAIL_HOST=" .. preset.host_form:gsub("<region>", "us-east-1")
  end
  local mine = "you@" .. (preset.domains[1] or "example.com")
  if preset.user == "address" or preset.user:find("^address") then
    out[#out + 1] = "QQMAIL_USER=" .. mine
  elseif not preset.login and preset.user ~= "none" then
    out[#out + 1] = "QQMAIL_USER=USER"
  end
  if preset.secret == "token" and preset.auth[1] == "XOAUTH2" then
    out[#out + 1] = "QQMAIL_TOKEN=TOKEN"
  elseif preset.secret ~= "none" then
    out[#out + 1] = "QQMAIL_PASSWORD="
      .. (preset.secret == "authorization_code" and "CODE" or "SECRET")
  end
  if not preset.user:find("^address") then
    out[#out + 1] = "QQMAIL_FROM=" .. mine
  end
  return table.concat(out, " \\\n  ")
end

local function section(preset, lang)
  local words, lines = W[lang], {}
  local function say(name, text)
    if text ~= "" then
      lines[#lines + 1] = "- " .. words[name] .. words.colon .. text
    end
  end
  say("addresses", domains_of(preset, lang))
  say("server", code(main_host(preset)))
  say("other", other_hosts(preset, lang))
  say("ports", ports_of(preset, lang))
  say("login", login_of(preset, lang))
  say("password", password_of(preset, lang))
  say("auth", table.concat(preset.auth, words.comma))
  say("from", pick(POLICIES[preset.from_policy], lang))
  say("limits", limits_of(preset, lang))
  say("notes", preset.notes and preset.notes[lang] or "")
  say("ways", ways_of(preset, lang))
  say("help", preset.help_url and "<" .. preset.help_url .. ">" or "")
  return ("### %s\n\n%s\n\n%s\n\n```sh\nexport %s\n```\n\n"):format(preset.key, preset.name[lang],
    table.concat(lines, "\n"), variables_of(preset))
end

local function row(preset, lang)
  local first = preset.ports[1]
  return ("| [%s](#%s) | %s | `%s` | %d %s | %s | %s |\n"):format(preset.key, preset.key,
    preset.name[lang], main_host(preset), first[1], pick(MODES[first[2]], lang),
    pick(SECRETS[preset.secret], lang), pick(POLICIES[preset.from_policy], lang))
end

local function page(lang)
  local out = { HEADS[lang], W[lang].columns .. "\n|---|---|---|---|---|---|\n" }
  for _, preset in ipairs(providers.list) do
    out[#out + 1] = row(preset, lang)
  end
  for _, group in ipairs(GROUPS) do
    out[#out + 1] = "\n## " .. group[lang] .. "\n\n"
    for _, preset in ipairs((require("qqmail.providers." .. group.file))) do
      out[#out + 1] = section(preset, lang)
    end
    out[#out] = out[#out]:gsub("\n+$", "\n")
  end
  return table.concat(out)
end

made_pages("providers_doc", "providers-doc", {
  { path = "docs/providers.md", text = page("en") },
  { path = "docs/providers.zh-CN.md", text = page("zh") },
})
