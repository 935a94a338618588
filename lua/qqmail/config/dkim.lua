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

local M = {}

local NAMES = { "domain", "selector", "key", "key_file", "passphrase", "algorithm",
  "canonicalization", "headers", "oversign", "identity", "expires" }

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

local function member(names)
  return function(value)
    for _, name in ipairs(names) do
      if value == name then
        return name
      end
    end
    return nil, { en = "must be one of " .. table.concat(names, ", "),
      zh = "必须是 " .. table.concat(names, "、") .. " 之一" }
  end
end

-- RFC 8301 section 3.1 forbids it, and receivers follow.
local function algorithm_of(value)
  if value == "rsa-sha1" then
    return nil, { en = "must not be rsa-sha1, which receivers take for no signature: use rsa-sha256",
      zh = "不能是 rsa-sha1：接收方视同未签名，请用 rsa-sha256" }
  end
  return member(ALGORITHMS)(value)
end

local function boolean_of(value)
  if type(value) == "boolean" then
    return value
  end
  return nil, { en = "must be true or false", zh = "必须是 true 或 false" }
end

local function expires_of(value)
  if type(value) == "number" and value >= 1 and value <= LONGEST then
    return math.floor(value)
  end
  return nil, { en = "must be a number of seconds, at least 1", zh = "必须是不小于 1 的秒数" }
end

local function is_list(value)
  if type(value) ~= "table" then
    return false
  end
  local count = 0
  for key in pairs(value) do
    if type(key) ~= "number" then
      return false
    end
    count = count + 1
  end
  return count == #value
end

local function headers_of(value)
  if not is_list(value) then
    return nil, { en = "must be a list of header field names", zh = "必须是邮件头字段名的列表" }
  end
  local out, seen = {}, {}
  for i, name in ipairs(value) do
    if type(name) ~= "string" or not core.codec.field_name(name) or name:find(";", 1, true) then
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

local function text_or_function(value)
  if type(value) == "function" or (type(value) == "string" and value ~= "") then
    return value
  end
  return nil, { en = "must be a text or a function that returns one",
    zh = "必须是文本，或返回文本的函数" }
end

local function path_of(value)
  if type(value) == "string" and value ~= "" and not value:find("%c") then
    return value
  end
  return nil, { en = "must be the path of a file", zh = "必须是文件路径" }
end

local CHECKS = {
  domain = domain_of, selector = selector_of, key = text_or_function, key_file = path_of,
  passphrase = text_or_function, algorithm = algorithm_of, canonicalization = member(FORMS),
  headers = headers_of, oversign = boolean_of, expires = expires_of,
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
  if not own or core.codec.utf8_fault(user) then
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

-- The module links OpenSSL, and may not fit the one this process brought.
local function load_crypto()
  local loaded, crypto = pcall(require, "qqmail.crypto")
  if loaded then
    return crypto
  end
  return nil, tostring(crypto):match("^[^\n]*")
end

local function parse(crypto, entry, text, passphrase)
  local key, name = crypto.dkim_key(text, passphrase)
  if not key then
    local is_path = name == "no_key" and not text:find("\n") and text:find("[/.]") ~= nil
    return nil, is_path and entry.key_name == "key" and IS_PATH or BAD_KEY[name]
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

-- The function behind `entry.key()`: what was given stays an upvalue here, until there
-- is a key and nobody needs it any more.
local function key_reader(self, entry, field, given, passphrase)
  local crypto, lang, cover, key = self.crypto, self.lang, self.cover, nil
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
    cover:learn_secret(phrase)
    local parsed
    parsed, why = parse(crypto, entry, text, phrase)
    if not parsed then
      return fail("config.dkim_key", entry.key_name, why)
    end
    key, given, passphrase = parsed, nil, nil
    return key
  end
end

-- --- one entry ------------------------------------------------------------------

local function fault(self, field, name, why, code)
  return self:fault(code or "config.invalid_value", field .. name,
    base.sentence(field .. name, self.where, why))
end

local function unknown(self, field, name)
  local meant = type(name) == "string"
    and (ELSEWHERE[name:lower()] or suggest.closest(name, NAMES))
  return fault(self, field, tostring(name), {
    en = "is unknown" .. (meant and ('; did you mean "%s"?'):format(meant) or ""),
    zh = "未知" .. (meant and ('，是否想写 "%s"？'):format(meant) or ""),
  }, "config.unknown_option")
end

local function read_values(self, given, field)
  local entry = {}
  for name, value in pairs(given) do
    if not KNOWN[name] then
      return unknown(self, field, name)
    end
    local why
    entry[name], why = CHECKS[name](value)
    if entry[name] == nil then
      return fault(self, field, name, why)
    end
  end
  return entry
end

local MISSING = { en = "is missing", zh = "缺失" }

local function check_together(self, entry, field)
  for _, name in ipairs({ "domain", "selector" }) do
    if not entry[name] then
      return fault(self, field, name, MISSING)
    end
  end
  if #entry.domain + #entry.selector > 240 then
    return fault(self, field, "selector", { en = "and the domain are too long for a name in DNS",
      zh = "与域名合起来超过 DNS 名字的长度" })
  elseif entry.key and entry.key_file then
    return fault(self, field, "key_file", { en = "cannot be given together with key",
      zh = "不能与 key 同时给出" }, "config.contradiction")
  elseif not entry.key and not entry.key_file then
    return fault(self, field, "key", { en = "is missing: give the key, or its file as key_file",
      zh = "缺失：请给出私钥，或用 key_file 给出其文件" })
  end
  local why
  if entry.identity ~= nil then
    entry.identity, why = identity_of(entry.identity, entry.domain)
  end
  if why then
    return fault(self, field, "identity", why)
  end
  return true
end

local function read_key_file(self, entry, field)
  local text, reason = (self.with.read_file or dotenv.read_file)(entry.key_file, KEY_FILE_CAP)
  if not text then
    return fault(self, field, "key_file", {
      en = ("cannot be read: %s"):format(tostring(reason or "no such file")),
      zh = ("无法读取：%s"):format(tostring(reason or "文件不存在")),
    }, "config.dkim_key")
  end
  return text
end

-- Reads the key at once, unless a function of the user's gives it.
local function take_key(self, entry, field)
  local given, passphrase, err = entry.key, entry.passphrase, nil
  entry.key_name = given and "key" or "key_file"
  if not given then
    given, err = read_key_file(self, entry, field)
    if not given then
      return nil, err
    end
  end
  entry.passphrase, entry.key = nil, nil
  local place = self.loader.place
  entry.read_key = key_reader(self, entry, (place and place .. "." or "") .. field, given,
    passphrase)
  if type(given) ~= "function" and type(passphrase) ~= "function" then
    local key
    key, err = entry.read_key()
    return key ~= nil or nil, err
  end
  return true
end

local function read_entry(self, given, field)
  local entry, err = read_values(self, given, field)
  if not entry then
    return nil, err
  end
  local ok
  ok, err = check_together(self, entry, field)
  if not ok then
    return nil, err
  end
  local form = entry.canonicalization or FORMS[1]
  entry.canonicalization, entry.oversign = form, entry.oversign ~= false
  entry.relaxed_header = form:find("^relaxed") ~= nil
  entry.relaxed_body = form:find("relaxed$") ~= nil
  entry.headers = entry.headers or {}
  ok, err = take_key(self, entry, field)
  return ok and entry or nil, err
end

-- DNS has one record for a selector, so that one of two keys would never verify.
local function check_twins(self, list, field)
  local seen = {}
  for i, entry in ipairs(list) do
    local name = entry.selector:lower() .. " " .. entry.domain
    if seen[name] then
      return fault(self, field(i), "selector", {
        en = "is that of another signature: each key has a selector of its own",
        zh = "与另一签名相同：每个私钥须有各自的 selector" })
    end
    seen[name] = true
  end
  return true
end

-- What the rest of a loading needs to say where something is wrong.
local function helper(loader)
  return {
    loader = loader, with = loader.with, lang = loader.lang, cover = loader.cover,
    where = loader.settings.where.dkim,
    fault = function(_, ...)
      return loader:fault(...)
    end,
  }
end

-- A signature of another domain says nothing for the one readers see (RFC 7489
-- section 3.1.1), so that DMARC needs one of this.
local function check_alignment(loader, list)
  local from = loader.settings.from
  local address = type(from) == "table" and (from.address or from[2] or from[1]) or from
  local domain = type(address) == "string" and address:match("@([%w%.%-_]+)>?%s*$")
  domain = domain and domain:lower()
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

local function read_list(self, given, field)
  local list = {}
  for i, item in ipairs(given) do
    local err
    list[i], err = read_entry(self, item, field(i))
    if not list[i] then
      return nil, err
    end
  end
  local ok, err = check_twins(self, list, field)
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
  local self, why = helper(loader), nil
  self.crypto, why = load_crypto()
  if not self.crypto then
    return loader:fault("config.dkim_unavailable", "dkim", base.sentence("dkim", nil, {
      en = "cannot be used: " .. why, zh = "无法使用：" .. why }))
  end
  local is_one = given[1] == nil
  if #given > MOST then
    return fault(self, "dkim", "", { en = ("has more than %d signatures"):format(MOST),
      zh = ("超过 %d 个签名"):format(MOST) })
  end
  local list
  list, err = read_list(self, is_one and { given } or given, function(i)
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
