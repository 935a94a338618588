--- Connection URLs: `smtps://user:code@host:465?pool.max=2`.
--
-- `smtps://` is TLS from the first byte (port 465), `smtp://` is STARTTLS
-- (port 587). Clear text must be asked for: `smtp://localhost:1025?tls=none`.
-- Query keys are option names, nested ones with a dot. Everything outside
-- RFC 3986's plain characters is written `%XX`, so an "@" in the user is `%40`.
--
-- No error quotes what stands in the URL, since a password may stand anywhere
-- in a URL that was written wrongly.
-- @module qqmail.url

local errors = require "qqmail.errors"
local suggest = require "qqmail.suggest"

local M = {}

local LONGEST = 8192

-- What the scheme says about TLS, and the port that goes with it.
local SCHEMES = {
  smtps = { tls = "implicit", port = 465 },
  smtp = { tls = "starttls", port = 587 },
}

-- The parts of a URL that have a place of their own and are no query keys.
local PLACED = { url = true, user = true, password = true, host = true, port = true }

local function fault(code, en, zh)
  return nil, { code = "url." .. code, en = "connection URL: " .. en, zh = "连接 URL：" .. zh }
end

-- Strict: nil for a lone "%", and for bytes that no field may hold.
local function decode(text)
  local fine = true
  local out = text:gsub("%%(.?.?)", function(digits)
    local byte = digits:find("^%x%x$") and tonumber(digits, 16)
    if not byte or byte == 0 or byte == 10 or byte == 13 then
      fine = false
      return ""
    end
    return string.char(byte)
  end)
  return fine and out or nil
end

local function bad_percent()
  return fault("percent", 'a "%" must be followed by two hexadecimal digits, and %00, %0A, %0D '
    .. 'are refused; write a real "%" as %25',
    "% 后必须是两位十六进制数，且不接受 %00、%0A、%0D；百分号本身写成 %25")
end

local function reserved()
  return fault("reserved", 'write "@", ":", "/", "?" and "#" in the user or password as %40, %3A, '
    .. "%2F, %3F and %23", "用户名或密码里的 @ : / ? # 要写成 %40 %3A %2F %3F %23")
end

local function read_scheme(text)
  local scheme, rest = text:match("^([%a][%w+.-]*)://(.*)$")
  if not scheme then
    return fault("no_scheme", "it must begin with smtps:// or smtp://",
      "必须以 smtps:// 或 smtp:// 开头")
  end
  local found = SCHEMES[scheme:lower()]
  if not found then
    return fault("scheme", "the scheme must be smtps (port 465) or smtp (port 587, STARTTLS)",
      "协议必须是 smtps（465 端口）或 smtp（587 端口，STARTTLS）")
  end
  return found, rest
end

local function read_userinfo(info, out)
  local user, password = info:match("^([^:]*):(.*)$")
  user = user or info
  -- A second ":" is a password that was not encoded: refuse to guess.
  if password and password:find(":", 1, true) then
    return reserved()
  end
  out.user, out.password = decode(user), password and decode(password)
  if not out.user or (password and not out.password) then
    return bad_percent()
  end
  if out.user == "" then
    return fault("user", "the user before the @ is empty", "@ 之前的用户名为空")
  end
  return true
end

local function read_port(digits, out)
  if digits == "" then
    return true
  end
  local port = digits:find("^:%d%d?%d?%d?%d?$") and tonumber(digits:sub(2))
  if not port or port < 1 or port > 65535 then
    return fault("port", "the port must be a number from 1 to 65535; " ..
      'an "@" or ":" in the user or password is written %40 or %3A',
      "端口必须是 1 到 65535 的数字；用户名或密码里的 @ : 要写成 %40 %3A")
  end
  out.port = port
  return true
end

local function read_host(text, out)
  local host, port
  if text:sub(1, 1) == "[" then
    host, port = text:match("^%[([%x:.]+)%](.*)$")
  else
    host, port = text:match("^([%w_.-]+)(.*)$")
  end
  if not host then
    return fault("host", "the host must be a bare name such as smtp.qq.com, or [IPv6]",
      "主机必须是 smtp.qq.com 这样的域名，或 [IPv6]")
  end
  if port ~= "" and port:sub(1, 1) ~= ":" then
    return fault("host", "the host has characters that no host name has", "主机名含有非法字符")
  end
  out.host = host
  return read_port(port == ":" and "" or port, out)
end

local function unknown_key(key, keys, quotable)
  local meant = suggest.closest(key, keys)
  local named = quotable and key:find("^[%w_.]+$") and (' "%s"'):format(key) or ""
  local question = meant and (', did you mean "%s"?'):format(meant) or ""
  return fault("unknown_option", ("there is no option%s%s"):format(named, question),
    ("没有选项%s%s"):format(named, meant and ("，是否想写 \"%s\"？"):format(meant) or ""))
end

local function read_pair(pair, out, keys, known, quotable)
  local key, value = pair:match("^([^=]*)=(.*)$")
  key, value = decode(key or pair), value and decode(value)
  if not key or (not value and pair:find("=", 1, true)) then
    return bad_percent()
  end
  if PLACED[key] then
    return fault("misplaced", ("%s has its own place in the URL, not the query"):format(key),
      ("%s 不能写在查询部分"):format(key))
  end
  if not known[key] then
    return unknown_key(key, keys, quotable)
  end
  if not value then
    return fault("value", ('write "%s=value"'):format(key),
      ('请写成 "%s=值"'):format(key))
  end
  if out.options[key] ~= nil then
    return fault("twice", ("%s is given twice"):format(key), ("%s 出现了两次"):format(key))
  end
  out.options[key] = value
  return true
end

local function read_query(query, out, keys)
  local known = {}
  for _, key in ipairs(keys) do
    known[key] = true
  end
  local quotable = not query:find("@", 1, true)
  for pair in query:gmatch("[^&]+") do
    local ok, why = read_pair(pair, out, keys, known, quotable)
    if not ok then
      return nil, why
    end
  end
  return true
end

local function check_characters(text)
  if #text > LONGEST then
    return fault("too_long", "it is too long", "过长")
  end
  if text:find("[%c%s\128-\255]") then
    return fault("character",
      "blanks, control characters and non-ASCII text must be written as %XX",
      "空白、控制字符和非 ASCII 字符要写成 %XX")
  end
  if text:find("#", 1, true) then
    return reserved()
  end
  return true
end

-- "user:code@host:465" and "pool.max=2"; true, or nil and why not.
local function read_parts(rest, out, keys)
  local authority, path, query = rest:match("^([^/?]*)(/?)(.*)$")
  local info, host = authority:match("^([^@]*)@(.*)$")
  host = host or authority
  -- An "@" behind the authority, while there is none in it, or a second one:
  -- part of the password has been taken for something else.
  if host:find("@", 1, true) or (not info and query:find("@", 1, true)) then
    return reserved()
  end
  if query ~= "" and query:sub(1, 1) ~= "?" then
    return fault("path", 'there must be nothing behind the "/"; a "/" in the password is %2F',
      '"/" 之后不能有内容；密码里的 / 要写成 %2F')
  end
  if path == "" and query == "" and host == "" then
    return fault("host", "the host is missing", "缺少主机名")
  end
  local ok, why = true, nil
  if info then
    ok, why = read_userinfo(info, out)
  end
  if ok then
    ok, why = read_host(host, out)
  end
  if ok then
    ok, why = read_query(query:sub(2), out, keys)
  end
  return ok, why
end

local function read(text, keys)
  local ok, why = check_characters(text)
  if not ok then
    return nil, why
  end
  local scheme, rest = read_scheme(text)
  if not scheme then
    return nil, rest
  end
  local out = { tls = scheme.tls, options = {} }
  ok, why = read_parts(rest, out, keys)
  if not ok then
    return nil, why
  end
  local asked = out.options.tls
  if asked == "none" and scheme.tls == "starttls" then
    out.tls = "none"
  elseif asked and asked ~= scheme.tls then
    return fault("tls", "the scheme says tls=" .. scheme.tls .. ", the query says otherwise; use "
      .. "smtps:// for implicit TLS, smtp:// for STARTTLS, smtp://...?tls=none for clear text",
      "协议与 tls 参数矛盾：隐式 TLS 用 smtps://，STARTTLS 用 smtp://，明文用 smtp://...?tls=none")
  end
  out.options.tls = nil
  if not out.port and out.tls ~= "none" then
    out.port = scheme.port
  end
  return out
end

--- Take a connection URL apart.
-- @tparam string text
-- @tparam ?table keys the option names that the query may hold
-- @tparam ?string lang of the error
-- @treturn ?table `tls`, `port`, `host`, `user`, `password` and
-- `options` = `{ ["pool.max"] = "2" }`; user and password nil where the URL has
-- none; values of `options` are strings
-- @treturn ?table the error; it never holds a part of the URL that may be secret
function M.parse(text, keys, lang)
  local out, why = read(text, keys or {})
  if out then
    return out
  end
  return nil, errors.new {
    kind = "config", code = why.code, field = "url", text = { en = why.en, zh = why.zh },
    lang = lang,
  }
end

return M
