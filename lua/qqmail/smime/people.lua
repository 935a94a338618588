--- Certificates and keys of S/MIME: from what a user gives to objects of the module
-- `qqmail.crypto`, or to an error that names the field.
-- @module qqmail.smime.people

local callback = require "qqmail.callback"
local content = require "qqmail.message.content"
local fault = require "qqmail.message.fault"

local M = {}

local FORMS = { en = "a path, PEM text or { path = | data = }",
  zh = "路径、PEM 文本或 { path = | data = }" }

local KEY_FORMS = { en = "a path, PEM text, { path = | data = } or a function that returns one",
  zh = "路径、PEM 文本、{ path = | data = } 或返回它们的函数" }

local OTHER_KEY = { en = "Use a certificate for an RSA key of 2048 bits or more, or for one on a "
  .. "NIST curve.", zh = "请换用 2048 位及以上的 RSA 密钥或 NIST 曲线密钥的证书。" }

-- By the names that the module gives.
local FAULTS = {
  no_certificate = { code = "smime.bad_certificate",
    en = "holds no certificate, or a broken one", zh = "不含证书，或证书已损坏" },
  limit = { code = "smime.bad_certificate",
    en = "is larger than 1 MiB or holds more than 16 further certificates",
    zh = "超过 1 MiB，或附带的证书超过 16 个" },
  not_yet_valid = { code = "smime.expired", en = "is not valid yet", zh = "尚未生效" },
  no_key = { code = "smime.bad_key", en = "holds no private key, or a broken one",
    zh = "不含私钥，或私钥已损坏" },
  no_passphrase = { code = "smime.passphrase", en = "is encrypted, and no passphrase was given",
    zh = "已加密，但未提供 passphrase" },
  bad_passphrase = { code = "smime.passphrase", en = "cannot be opened with this passphrase",
    zh = "无法用所给的 passphrase 打开" },
  key_mismatch = { code = "smime.key_mismatch", en = "does not belong to the certificate",
    zh = "与证书不匹配" },
  bad_key_kind = { code = "smime.bad_key", en = "has a key of a kind that S/MIME does not use",
    zh = "的密钥类型不受支持", hint = OTHER_KEY },
  weak_key = { code = "smime.bad_key", en = "has an RSA key of less than 1024 bits, which is weak",
    zh = "的 RSA 密钥不足 1024 位，已不安全", hint = OTHER_KEY },
}

local PURPOSES = {
  sign = { code = "smime.wrong_purpose", en = "may not sign mail (key usage)",
    zh = "的密钥用途不允许签名邮件" },
  encrypt = { code = "smime.wrong_purpose", en = "may not be used to encrypt mail (key usage)",
    zh = "的密钥用途不允许加密邮件" },
}

--- An error about a certificate or key.
-- @tparam ?string lang
-- @tparam string field
-- @tparam string name as the module calls it
-- @tparam ?string text
-- @treturn table
function M.fault(lang, field, name, text)
  local row = FAULTS[name]
  if row then
    return fault.new(lang, row.code, field, row, { hint = row.hint })
  elseif name == "memory" then
    return fault.core(lang, field, name, text)
  end
  return fault.new(lang, "smime.failed", field, {
    en = "cannot be used: " .. tostring(text), zh = "无法使用：" .. tostring(text),
  })
end

-- A file that cannot be read, or what it holds cannot be used.
local function file_fault(lang, field, name, text)
  if name == "system" or name == "unsupported" then
    return fault.core(lang, field, name, text, nil, content.unreadable)
  end
  return M.fault(lang, field, name, text)
end

-- PEM has line ends, which no name of a file has that people use.
local function place_of(value)
  if type(value) == "string" then
    if value:find("-----BEGIN ", 1, true) then
      return { data = value }
    end
    return { path = value }
  elseif type(value) ~= "table" then
    return nil
  end
  local path, data = value.path, value.data
  local one = path ~= nil and path or data
  if type(one) ~= "string" or (path ~= nil and data ~= nil) then
    return nil
  end
  return { path = path, data = data }
end

local function read_place(lang, field, value, forms)
  local place = place_of(value)
  if not place then
    return nil, fault.type(lang, field, forms, value)
  elseif place.path and place.path:find("%z") then
    return nil, fault.core(lang, field, "control_character", nil, nil, content.unreadable)
  end
  return place
end

--- See that a certificate may be used now.
-- @tparam ?string lang
-- @tparam string field
-- @tparam userdata certificate
-- @tparam string use `sign`, `encrypt`
-- @treturn ?boolean
-- @treturn ?table error
function M.check(lang, field, certificate, use)
  local ok, name, text = certificate:check(use, os.time())
  if ok then
    return true
  elseif name == "expired" then
    local day = os.date("!%Y-%m-%d", certificate:ends())
    return nil, fault.new(lang, "smime.expired", field, {
      en = "is no longer valid: it ended on " .. day, zh = "已过期：有效期至 " .. day,
    })
  elseif name == "not_for_mail" then
    return nil, fault.new(lang, "smime.wrong_purpose", field, PURPOSES[use])
  end
  return nil, M.fault(lang, field, name, text)
end

--- Read a certificate, and see that it may be used.
-- @tparam table crypto the module
-- @tparam ?string lang
-- @tparam string field
-- @param value path, PEM text, or `{ path = | data = }`
-- @tparam string use `sign`, `encrypt`
-- @treturn ?userdata certificate
-- @treturn ?table error
function M.certificate(crypto, lang, field, value, use)
  local place, err = read_place(lang, field, value, FORMS)
  if not place then
    return nil, err
  end
  local certificate, name, text = crypto.certificate(place)
  if not certificate then
    return nil, file_fault(lang, field, name, text)
  end
  local ok
  ok, err = M.check(lang, field, certificate, use)
  return ok and certificate, err
end

--- Add further certificates, which a reader needs to get to the authority it trusts.
-- @tparam ?string lang
-- @tparam string field
-- @tparam userdata certificate
-- @param value
-- @treturn ?boolean
-- @treturn ?table error
function M.add_chain(lang, field, certificate, value)
  local place, err = read_place(lang, field, value, FORMS)
  if not place then
    return nil, err
  end
  local ok, name, text = certificate:add_chain(place)
  if not ok then
    return nil, file_fault(lang, field, name, text)
  end
  return true
end

-- What a function gives, and that alone: an error it raises may hold the secret.
local function resolved(lang, field, value)
  if type(value) ~= "function" then
    return value
  end
  local ran, answer = callback.call(value)
  if not ran or answer == nil then
    return nil, fault.new(lang, "smime.bad_key", field, {
      en = ran and "is a function that returned nil" or "is a function that raised an error",
      zh = ran and "的函数返回了 nil" or "的函数出错",
    })
  end
  return answer
end

--- Read a private key.
-- @tparam table crypto the module
-- @tparam ?string lang
-- @tparam string field
-- @param value path, PEM text, `{ path = | data = }`, or a function that returns one
-- @param passphrase string, function, or nil
-- @treturn ?userdata key
-- @treturn ?table error
function M.key(crypto, lang, field, value, passphrase)
  local err
  value, err = resolved(lang, field .. ".key", value)
  if err then
    return nil, err
  end
  passphrase, err = resolved(lang, field .. ".passphrase", passphrase)
  if err then
    return nil, err
  elseif passphrase ~= nil and type(passphrase) ~= "string" then
    return nil, fault.type(lang, field .. ".passphrase",
      { en = "a string or a function that returns one", zh = "字符串或返回它的函数" }, passphrase)
  end
  local place
  place, err = read_place(lang, field .. ".key", value, KEY_FORMS)
  if not place then
    return nil, err
  end
  place.passphrase = passphrase
  local key, name, text = crypto.private_key(place)
  if not key then
    return nil, file_fault(lang, field .. ".key", name, text)
  end
  return key
end

--- The mail addresses of a certificate.
-- @tparam userdata certificate
-- @treturn {string,...}
function M.addresses(certificate)
  local out = {}
  for address in (certificate:addresses() or ""):gmatch("[^\n]+") do
    out[#out + 1] = address
  end
  return out
end

return M
