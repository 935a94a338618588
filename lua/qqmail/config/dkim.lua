--- The option `dkim`: who signs mails, and with which key.
--
-- Whatever is given here ends up in a header field that others must be able to read, so
-- each value is checked byte by byte. A key is parsed here, once; what is left of it is a
-- function that gives OpenSSL's own object.
-- @module qqmail.config.dkim

local base = require "qqmail.config.loader"
local callback = require "qqmail.callback"
local core = require "qqmail.core"
local covers = require "qqmail.cover"
local dotenv = require "qqmail.dotenv"
local errors = require "qqmail.errors"
local fields = require "qqmail.dkim.fields"
local options = require "qqmail.options"
local suggest = require "qqmail.suggest"
local validate = require "qqmail.validate"

local M = {}

local NAMES = options.dkim_fields

local KNOWN = {}
for _, name in ipairs(NAMES) do
  KNOWN[name] = true
end

-- What other libraries call it, and the tags of the field itself.
local ELSEWHERE = { d = "domain", domain_name = "domain", domainname = "domain", s = "selector",
  key_selector = "selector", keyselector = "selector", private_key = "key", privatekey = "key",
  pem = "key", keyfile = "key_file", key_path = "key_file", path = "key_file",
  password = "passphrase", a = "algorithm", c = "canonicalization", h = "headers",
  header_fields = "headers", headerfieldnames = "headers", i = "identity", x = "expires",
  expire = "expires", ttl = "expires" }

local FORMS = { "relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple" }
local ALGORITHMS = { "rsa-sha256", "ed25519-sha256" }

-- A key of 16384 bits has 13 KiB of PEM.
local KEY_FILE_CAP = 65536
-- Mails pass through servers that allow no more signatures, if so many.
local MOST = 8
-- Each may stand in a mail more than once, and the core signs 500 fields at most.
local MOST_HEADERS = 100
-- x= may have twelve digits (RFC 6376 section 3.5); a hundred years are enough.
local LONGEST = 100 * 366 * 86400

-- --- values -------------------------------------------------------------------

local NOT_DOMAIN = { en = "must be a domain such as example.com", zh = "必须是 example.com 这样的域名" }

-- Labels of letters, digits, hyphens and underscores (RFC 6376 section 3.1 takes the
-- names of RFC 5321; underscores are in use).
local function has_labels(text)
  for label in (text .. "."):gmatch("([^.]*)%.") do
    if #label > 63 or not label:find("^[%w_][%w_-]*$") or label:sub(-1) == "-" then
      return false
    end
  end
  return true
end

local function domain_of(value)
  if type(value) ~= "string" then
    return nil, NOT_DOMAIN
  end
  value = value:gsub("%.$", "", 1)
  if value:find("[\128-\255]") then
    local name
    value, name = core.codec.domain_to_ascii(value)
    if not value then
      return nil, name == "unsupported" and { en = "is not ASCII, and libidn2 is not installed",
        zh = "不是 ASCII，而本系统没有安装 libidn2" } or NOT_DOMAIN
    end
  end
  if #value > 253 or not value:find(".", 1, true) or not has_labels(value) then
    return nil, NOT_DOMAIN
  end
  return value:lower()
end

local function selector_of(value)
  if type(value) == "string" and #value <= 200 and has_labels(value) then
    return value
  end
  return nil, { en = "must be the name in front of ._domainkey in DNS, such as mail: letters, "
    .. "digits, hyphens and dots", zh = "必须是 DNS 中 ._domainkey 之前的名字，如 mail：只含字母、数字、连字符和点" }
end

-- RFC 8301 section 3.1 forbids it, and receivers follow.
local function algorithm_of(value)
  if value == "rsa-sha1" then
    return nil, { en = "must not be rsa-sha1, which receivers do not count: use rsa-sha256",
      zh = "不能是 rsa-sha1：接收方视同未签名，请用 rsa-sha256" }
  end
  return validate.enum(value, { values = ALGORITHMS })
end

local function expires_of(value)
  if type(value) == "number" and value >= 1 and value <= LONGEST then
    return math.floor(value)
  end
  return nil, { en = "must be a number of seconds, at least 1", zh = "必须是不小于 1 的秒数" }
end

local function headers_of(value)
  if not validate.is_list_of(value, { string = true }) then
    return nil, { en = "must be a list of header field names", zh = "必须是邮件头字段名的列表" }
  elseif #value > MOST_HEADERS then
    return nil, { en = ("has more than %d names"):format(MOST_HEADERS),
      zh = ("超过 %d 个字段名"):format(MOST_HEADERS) }
  end
  local out, seen = {}, {}
  for i, name in ipairs(value) do
    if not core.codec.field_name(name) or name:find(";", 1, true) then
      return nil, { en = ("has something at %d that is no name of a header field"):format(i),
        zh = ("第 %d 项不是邮件头字段名"):format(i) }
    elseif fields.is_changed_on_the_way(name) then
      return nil, { en = ("has %s at %d, which servers on the way add, change or remove")
          :format(name, i),
        zh = ("第 %d 项 %s 会被途经的服务器添加、修改或删除"):format(i, name) }
    end
    if not seen[name:lower()] then
      out[#out + 1], seen[name:lower()] = name, true
    end
  end
  return out
end

local CHECKS = {
  domain = domain_of, selector = selector_of, key = validate.secret, key_file = validate.path,
  passphrase = validate.secret, algorithm = algorithm_of, headers = headers_of,
  oversign = validate.boolean,
  canonicalization = function(value)
    return validate.enum(value, { values = FORMS })
  end,
  expires = expires_of,
  identity = function(value)
    return value -- with the domain, see `identity_of`
  end,
}

-- i= is in the domain of d= or below it (RFC 6376 section 3.5).
local function identity_of(value, domain)
  local why = { en = ("must be an address in %s, or @ and that domain"):format(domain),
    zh = ("必须是 %s 域内的地址，或 @ 加该域名"):format(domain) }
  local user, own
  if type(value) == "string" and #value <= 320 then
    user, own = value:match("^([^%c ]*)@([^@]+)$")
  end
  own = own and domain_of(own)
  -- Readers of i= that look for the first @ would find another domain.
  local is_split = own and user:find("@", 1, true) and not user:find('^".*"$')
  if not own or is_split or core.codec.utf8_fault(user) then
    return nil, why
  elseif own ~= domain and own:sub(-#domain - 1) ~= "." .. domain then
    return nil, why
  end
  return user .. "@" .. own
end

-- --- keys ---------------------------------------------------------------------

-- What is wrong with a key, by the name the core gives it.
local BAD_KEY = {
  no_key = { en = "holds no private key in PEM (-----BEGIN PRIVATE KEY-----)",
    zh = "中没有 PEM 格式的私钥（-----BEGIN PRIVATE KEY-----）" },
  locked = { en = "is encrypted: give passphrase, or a key without one",
    zh = "已加密：请给出 passphrase，或改用未加密的私钥" },
  wrong_passphrase = { en = "cannot be decrypted: the passphrase is another one",
    zh = "无法解密：passphrase 不对" },
  wrong_kind = { en = "is neither an RSA nor an Ed25519 key", zh = "既不是 RSA 也不是 Ed25519 私钥" },
  too_short = { en = "is an RSA key of less than 1024 bits, which receivers refuse; use 2048",
    zh = "是不足 1024 位的 RSA 私钥，接收方会拒绝；请用 2048 位" },
  too_long = { en = "is an RSA key of more than 16384 bits", zh = "是超过 16384 位的 RSA 私钥" },
  memory = { en = "cannot be read: out of memory", zh = "无法读取：内存不足" },
}

local IS_PATH = { en = "is a path: give it as key_file", zh = "是路径：请改用 key_file" }

-- The module links OpenSSL, and may not fit the one this process brought: why it cannot
-- be loaded, or nil.
local function missing_crypto()
  local loaded, why = pcall(require, "qqmail.crypto")
  return not loaded and tostring(why):match("^[^\n]*") or nil
end

-- A key whose line ends were lost has slashes too.
local function looks_like_path(text)
  return #text < 256 and not text:find("%s") and not text:find("-----", 1, true)
    and (text:find("^[~./]") or text:find("%.%a+$")) ~= nil
end

local function parse(entry, text, passphrase)
  local key, name = require("qqmail.crypto").dkim_key(text, passphrase)
  if not key then
    local is_path = name == "no_key" and entry.key_name == "key" and looks_like_path(text)
    return nil, is_path and IS_PATH or BAD_KEY[name]
  elseif entry.algorithm and entry.algorithm ~= key:algorithm() then
    local other = key:algorithm()
    key:close()
    return nil, { en = ("is a key for %s, not for %s"):format(other, entry.algorithm),
      zh = ("是用于 %s 的私钥，而不是 %s"):format(other, entry.algorithm) }
  end
  entry.algorithm = key:algorithm()
  return key
end

-- The text of a key or a passphrase, now; nil and what is wrong. What a function raises
-- may hold the secret and is not shown.
local function resolve(value)
  if type(value) ~= "function" then
    return value
  end
  local ran, text = callback.call(value)
  if ran and type(text) == "string" then
    return text
  elseif not ran then
    return nil, { en = "is a function that raised an error", zh = "所给的函数抛出了错误" }
  end
  return nil, { en = "is a function that returned no text", zh = "所给的函数没有返回文本" }
end

-- The function `entry.read_key`: what was given stays an upvalue here, until there
-- is a key and nobody needs it any more.
local function key_reader(loader, entry, field, given, passphrase)
  local lang, cover, key = loader.lang, loader.cover, nil
  local function fail(code, name, why)
    local text = base.sentence(field .. name, nil, why)
    return nil, cover:mend(errors.new { kind = "config", code = code, field = field .. name,
      phase = "config", delivered = "no", lang = lang, text = text })
  end
  return function()
    if key then
      return key
    end
    local text, why = resolve(given)
    if not text then
      return fail("config.secret_function", entry.key_name, why)
    end
    local phrase
    phrase, why = resolve(passphrase)
    if why then
      return fail("config.secret_function", "passphrase", why)
    end
    -- A function may wait for a vault: by then another mail may have brought the key, and
    -- what it was made of is gone.
    if key then
      return key
    end
    cover:learn_secret(phrase)
    local parsed
    parsed, why = parse(entry, text, phrase)
    if not parsed then
      return fail("config.dkim_key", entry.key_name, why)
    end
    key, given, passphrase = parsed, nil, nil
    return key
  end
end

-- --- one entry ------------------------------------------------------------------

local function fault(loader, field, name, why, code)
  return loader:fault(code or "config.invalid_value", field .. name,
    base.sentence(field .. name, loader.settings.where.dkim, why))
end

local function unknown(loader, field, name)
  local meant = type(name) == "string"
    and (ELSEWHERE[name:lower()] or suggest.closest(name, NAMES))
  return fault(loader, field, tostring(name), {
    en = "is unknown" .. (meant and ('; did you mean "%s"?'):format(meant) or ""),
    zh = "未知" .. (meant and ('，是否想写 "%s"？'):format(meant) or ""),
  }, "config.unknown_option")
end

local function read_values(loader, given, field)
  local entry = {}
  for name, value in pairs(given) do
    if not KNOWN[name] then
      return unknown(loader, field, name)
    end
    local why
    entry[name], why = CHECKS[name](value)
    if entry[name] == nil then
      return fault(loader, field, name, why)
    end
  end
  return entry
end

local MISSING = { en = "is missing", zh = "缺失" }

local function check_together(loader, entry, field)
  for _, name in ipairs({ "domain", "selector" }) do
    if not entry[name] then
      return fault(loader, field, name, MISSING)
    end
  end
  if #entry.domain + #entry.selector > 240 then
    return fault(loader, field, "selector", { en = "and the domain are too long for a name in DNS",
      zh = "与域名合起来超过 DNS 名字的长度" })
  elseif entry.key and entry.key_file then
    return fault(loader, field, "key_file", { en = "cannot be given together with key",
      zh = "不能与 key 同时给出" }, "config.contradiction")
  elseif not entry.key and not entry.key_file then
    return fault(loader, field, "key", { en = "is missing: give the key, or its file as key_file",
      zh = "缺失：请给出私钥，或用 key_file 给出其文件" })
  end
  local why
  if entry.identity ~= nil then
    entry.identity, why = identity_of(entry.identity, entry.domain)
  end
  if why then
    return fault(loader, field, "identity", why)
  end
  return true
end

local function read_key_file(loader, entry, field)
  local text, reason = (loader.with.read_file or dotenv.read_file)(entry.key_file, KEY_FILE_CAP)
  if not text then
    return fault(loader, field, "key_file", {
      en = ("cannot be read: %s"):format(tostring(reason or "no such file")),
      zh = ("无法读取：%s"):format(tostring(reason or "文件不存在")),
    }, "config.dkim_key")
  end
  return text
end

-- Reads the key at once, unless a function of the user's gives it.
local function take_key(loader, entry, field)
  local given, passphrase = entry.key, entry.passphrase
  local err
  entry.key_name = given and "key" or "key_file"
  if not given then
    given, err = read_key_file(loader, entry, field)
    if not given then
      return nil, err
    end
  end
  entry.passphrase, entry.key = nil, nil
  local place = loader.place
  entry.read_key = key_reader(loader, entry, (place and place .. "." or "") .. field, given,
    passphrase)
  if type(given) ~= "function" and type(passphrase) ~= "function" then
    local key
    key, err = entry.read_key()
    return key ~= nil or nil, err
  end
  return true
end

local function read_entry(loader, given, field)
  local entry, err = read_values(loader, given, field)
  if not entry then
    return nil, err
  end
  local ok
  ok, err = check_together(loader, entry, field)
  if not ok then
    return nil, err
  end
  local form = entry.canonicalization or FORMS[1]
  entry.canonicalization, entry.oversign = form, entry.oversign ~= false
  entry.relaxed_header = form:find("^relaxed") ~= nil
  entry.relaxed_body = form:find("relaxed$") ~= nil
  entry.headers = entry.headers or {}
  ok, err = take_key(loader, entry, field)
  return ok and entry or nil, err
end

-- DNS has one record for a selector, so that one of two keys would never verify.
local function check_twins(loader, list, field)
  local seen = {}
  for i, entry in ipairs(list) do
    local name = entry.selector:lower() .. " " .. entry.domain
    if seen[name] then
      return fault(loader, field(i), "selector", {
        en = "is that of another signature: each key has a selector of its own",
        zh = "与另一签名相同：每个私钥须有各自的 selector" })
    end
    seen[name] = true
  end
  return true
end

-- A signature of another domain says nothing for the one readers see (RFC 7489
-- section 3.1.1), so that DMARC needs one of this.
local function check_alignment(loader, list)
  local address = validate.address_of(loader.settings.from)
  local domain = address and address:match("@(.*)$"):lower()
  for _, entry in ipairs(list) do
    local own = entry.domain
    if not domain or domain == own or domain:sub(-#own - 1) == "." .. own
      or own:sub(-#domain - 1) == "." .. domain then
      return
    end
  end
  loader:warn("config.dkim_alignment", "dkim", {
    en = ("dkim signs for %s, but from is in %s: DMARC does not count such a signature")
      :format(list[1].domain, domain),
    zh = ("dkim 以 %s 签名，而 from 属于 %s：DMARC 不认可这样的签名"):format(list[1].domain, domain),
  })
end

local function read_list(loader, given, field)
  local list = {}
  for i, item in ipairs(given) do
    local err
    list[i], err = read_entry(loader, item, field(i))
    if not list[i] then
      return nil, err
    end
  end
  local ok, err = check_twins(loader, list, field)
  return ok and list or nil, err
end

--- Settle `dkim`: nil, or a list of `{ domain, selector, identity, canonicalization,
-- relaxed_header, relaxed_body, headers, oversign, expires, algorithm, read_key }`.
-- `read_key()` gives the key or nil and an error.
-- @tparam table loader
-- @treturn ?boolean true
-- @treturn ?table the error, whose `field` is such as "dkim[2].selector"
function M.settle(loader)
  local ok, err = loader:settle(options.by_key.dkim)
  local given = loader.settings.dkim
  loader.settings.dkim = nil
  if not ok or not given then
    return ok, err
  end
  local why = missing_crypto()
  if why then
    return loader:fault("config.dkim_unavailable", "dkim", base.sentence("dkim", nil, {
      en = "cannot be used: " .. why, zh = "无法使用：" .. why }))
  end
  local is_one = given[1] == nil
  if #given > MOST then
    return fault(loader, "dkim", "", { en = ("has more than %d signatures"):format(MOST),
      zh = ("超过 %d 个签名"):format(MOST) })
  end
  local list
  list, err = read_list(loader, is_one and { given } or given, function(i)
    return is_one and "dkim." or ("dkim[%d]."):format(i)
  end)
  if not list then
    return nil, err
  end
  loader.settings.dkim = list
  check_alignment(loader, list)
  return true
end

--- What is shown of a signature: never its key.
-- @tparam table entry
-- @treturn string
function M.shown(entry)
  return ("%s._domainkey.%s %s %s key=%s"):format(entry.selector, entry.domain,
    entry.algorithm or "(algorithm of the key)", entry.canonicalization, covers.MASK)
end

return M
