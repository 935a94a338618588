--- S/MIME (RFC 8551): signs and encrypts a message as it is built.
--
-- The core lays the message out, `qqmail.crypto` makes the signature or envelope, and
-- here the bytes go from one to the other. A detached signature is made over the very
-- bytes that are sent later, read in pieces; whatever is sealed is held in memory.
-- It is done once for a message, however often that is sent.
-- @module qqmail.smime

local built = require "qqmail.message.built"
local content = require "qqmail.message.content"
local fault = require "qqmail.message.fault"
local people = require "qqmail.smime.people"

local M = {}

local SLICE = 65536
local READERS_MAX = 1000 -- of the module as well

local KEYS = { "sign", "encrypt", "opaque" }
local SIGN_KEYS = { "cert", "key", "passphrase", "chain" }

-- Fields of this name in other libraries.
local ELSEWHERE = {
  certificate = "cert", cert_file = "cert", certfile = "cert", key_file = "key", keyfile = "key",
  private_key = "key", password = "passphrase", ca = "chain", extra_certs = "chain",
  recipients = "encrypt", encrypt_for = "encrypt", to = "encrypt", signer = "sign",
}

-- --- what was given ---------------------------------------------------------

local function check_given(lang, given)
  if type(given) ~= "table" then
    return nil, fault.type(lang, "smime", { en = "a table { sign =, encrypt = }",
      zh = "表 { sign =, encrypt = }" }, given)
  end
  local ok, err = content.check_keys(lang, "smime", given, KEYS, ELSEWHERE)
  if not ok then
    return nil, err
  elseif given.opaque ~= nil and type(given.opaque) ~= "boolean" then
    return nil, fault.type(lang, "smime.opaque", { en = "true or false", zh = "布尔值" }, given.opaque)
  elseif not given.sign and not given.encrypt then
    return nil, fault.new(lang, "message.bad_value", "smime",
      { en = "needs sign, encrypt or both", zh = "需要 sign、encrypt 或两者" })
  end
  return true
end

-- One file may hold both: `sign = "me.pem"`.
local function read_signer(ctx, given)
  local lang, crypto, field = ctx.lang, ctx.crypto, "smime.sign"
  if type(given) == "string" then
    given = { cert = given }
  elseif type(given) ~= "table" then
    return nil, fault.type(lang, field, { en = "a table { cert =, key = } or a path",
      zh = "表 { cert =, key = } 或路径" }, given)
  end
  local ok, err = content.check_keys(lang, field, given, SIGN_KEYS, ELSEWHERE)
  local signer = {}
  if ok then
    signer.certificate, err = people.certificate(crypto, lang, field .. ".cert", given.cert, "sign")
  end
  if signer.certificate and given.chain ~= nil then
    ok, err = people.add_chain(lang, field .. ".chain", signer.certificate, given.chain)
  end
  if signer.certificate and ok then
    local key = given.key
    if key == nil then
      key = given.cert
    end
    signer.key, err = people.key(crypto, lang, field, key, given.passphrase)
  end
  return signer.key and signer, err
end

local function place_of_reader(list, index)
  return #list > 1 and ("smime.encrypt[%d]"):format(index) or "smime.encrypt"
end

-- Of a file with several people in it the first alone could read the message.
local function read_reader(ctx, field, value)
  local certificate, err = people.certificate(ctx.crypto, ctx.lang, field, value, "encrypt")
  if certificate and certificate:has_others() then
    return nil, fault.new(ctx.lang, "message.bad_value", field, {
      en = "holds certificates of several readers: give a list with one file for each",
      zh = "含有多位收件人的证书：请改用列表，每人一个文件",
    })
  end
  return certificate, err
end

local function read_readers(ctx, given)
  local lang, field = ctx.lang, "smime.encrypt"
  if type(given) ~= "table" or given.path ~= nil or given.data ~= nil then
    given = { given }
  end
  local whole, err = fault.check_list(lang, field, given)
  if not whole then
    return nil, err
  elseif #given == 0 then
    return nil, fault.new(lang, "smime.no_recipient", field,
      { en = "is empty: nobody could read the message", zh = "为空：没有人能阅读该邮件" })
  end
  if #given > READERS_MAX then
    return nil, fault.new(lang, "message.bad_value", field, {
      en = ("holds more than %d certificates"):format(READERS_MAX),
      zh = ("超过 %d 张证书"):format(READERS_MAX),
    })
  end
  local out = {}
  for index, value in ipairs(given) do
    out[index], err = read_reader(ctx, place_of_reader(given, index), value)
    if not out[index] then
      return nil, err
    end
  end
  return out
end

-- --- from the core to the maker ---------------------------------------------

local TOO_LARGE = {
  en = "cannot hold a message of more than 64 MiB: what is encrypted or opaque is kept in memory",
  zh = "无法处理超过 64 MiB 的邮件：加密或不透明签名的内容需保存在内存中",
}

local function maker_failure(ctx, name, text)
  if name == "limit" then
    return fault.new(ctx.lang, "message.too_large", "smime", TOO_LARGE)
  end
  return people.fault(ctx.lang, "smime", name, text)
end

local function feed_piece(ctx, entity, maker)
  local handle = entity.core
  local bytes, name, text = handle:read(SLICE)
  if bytes then
    local ok
    ok, name, text = maker:update(bytes)
    if not ok then
      return nil, maker_failure(ctx, name, text)
    end
    return true
  elseif not name then
    return false
  elseif name == "again" then
    return entity:refill(handle)
  end
  return nil, entity:failure(handle, name, text)
end

-- The CMS over what the handle gives, which has just been rewound.
local function make_cms(ctx, handle, maker)
  local entity = built.wrap({ lang = ctx.lang, core = handle, parts = ctx.parts })
  local more, err
  repeat
    more, err = feed_piece(ctx, entity, maker)
  until not more
  if err then
    return nil, err
  end
  local cms, name, text = maker:finish()
  if not cms then
    return nil, maker_failure(ctx, name, text)
  end
  return cms
end

-- --- layers -----------------------------------------------------------------

local function copy(parts)
  local out = {}
  for key, value in pairs(parts) do
    out[key] = value
  end
  return out
end

-- The layer inside of another: without the fields of the message.
local function inner(parts)
  local out = copy(parts)
  out.headers, out.entity = nil, true
  return out
end

local function sealed(parts, kind, cms)
  return {
    headers = parts.headers, utf8 = parts.utf8, boundary = parts.boundary, entity = parts.entity,
    smime = { source = { data = cms }, type = "application/pkcs7-mime; smime-type=" .. kind,
      name = "smime.p7m" },
  }
end

local function rewound(ctx, handle, method)
  local ok, name, text = handle[method](handle, false)
  if not ok then
    return nil, fault.core(ctx.lang, nil, name, text)
  end
  return true
end

local function new_signature(ctx, signer, detached)
  local maker, name, text = ctx.crypto.smime_sign(signer.certificate, signer.key, detached)
  if not maker then
    return nil, people.fault(ctx.lang, "smime.sign.key", name, text)
  end
  return maker
end

-- The signature stands in front of the bytes it is over in time: they are read twice.
local function check_repeatable(ctx, parts)
  for _, list in ipairs({ parts.attachments or {}, parts.inline or {} }) do
    for _, part in ipairs(list) do
      if part.source.read then
        return nil, fault.new(ctx.lang, "message.not_repeatable", part.field, {
          en = "comes from a function and can be read only once; a signed message is read twice",
          zh = "来自函数，只能读取一次；而签名的邮件需要读取两次",
        })
      end
    end
  end
  return true
end

-- RFC 8551 section 3.1.3: seven bits, which no relay encodes anew. Of our parts only an
-- attached message may not be encoded (RFC 2046 section 5.2.1). Inside an envelope nobody
-- touches it.
local function check_seven(ctx, parts, handle)
  if parts.entity or not handle:needs_eightbit() then
    return true
  end
  return nil, fault.new(ctx.lang, "message.unsupported", "smime", {
    en = "cannot sign an attached message with bytes above 127 beside the content: a relay that "
      .. "encodes them would break the signature",
    zh = "无法在内容旁边签名：所附邮件含有大于 127 的字节，途中服务器重新编码会破坏签名",
  }, { hint = { en = "Set smime.opaque = true, or attach the message as another type, such as "
    .. "application/octet-stream.",
    zh = "请设 smime.opaque = true，或以 application/octet-stream 等其他类型附上该邮件。" } })
end

local function sign_beside(ctx, parts, signer)
  local ok, err = check_repeatable(ctx, parts)
  if not ok then
    return nil, err
  end
  local layer = copy(parts)
  layer.signed = true
  local maker, handle, cms
  maker, err = new_signature(ctx, signer, true)
  if maker then
    handle, err = ctx.make(layer)
  end
  if handle then
    ok, err = check_seven(ctx, parts, handle)
    if ok then
      handle:watch()
      ok, err = rewound(ctx, handle, "rewind_signed")
    end
    if ok then
      cms, err = make_cms(ctx, handle, maker)
    end
  end
  if not cms then
    return nil, err
  end
  local name, text
  ok, name, text = handle:sign(cms)
  if not ok then
    return nil, fault.core(ctx.lang, "smime", name, text)
  end
  return handle
end

-- What is left of a layer is the CMS around it.
local function seal(ctx, handle, maker, parts, kind)
  local ok, err = rewound(ctx, handle, "rewind")
  local cms
  if ok then
    cms, err = make_cms(ctx, handle, maker)
  end
  handle:close()
  if not cms then
    return nil, err
  end
  return ctx.make(sealed(parts, kind, cms))
end

local function sign_around(ctx, parts, signer)
  local maker, err = new_signature(ctx, signer, false)
  local handle
  if maker then
    handle, err = ctx.make(inner(parts))
  end
  if not handle then
    return nil, err
  end
  return seal(ctx, handle, maker, parts, "signed-data")
end

local function sign(ctx, parts, plan)
  if not plan.signer then
    return ctx.make(parts)
  end
  return (plan.opaque and sign_around or sign_beside)(ctx, parts, plan.signer)
end

local function encrypt(ctx, parts, plan)
  local maker, name, text = ctx.crypto.smime_encrypt(plan.readers)
  if not maker then
    return nil, people.fault(ctx.lang, "smime.encrypt", name, text)
  end
  local handle, err = sign(ctx, inner(parts), plan)
  if not handle then
    return nil, err
  end
  return seal(ctx, handle, maker, parts, "enveloped-data")
end

-- --- the whole --------------------------------------------------------------

-- Where the process brings an OpenSSL that the module cannot live with.
local function load_crypto(lang)
  local loaded, crypto = pcall(require, "qqmail.crypto")
  if loaded then
    return crypto
  end
  return nil, fault.new(lang, "smime.unavailable", "smime", {
    en = "needs the module qqmail.crypto (OpenSSL), which cannot be loaded",
    zh = "需要模块 qqmail.crypto（OpenSSL），但无法加载",
  })
end

-- What was given, read: certificates and keys as objects of the module.
local Plan = { __name = "qqmail.smime_plan" }

local function read_plan(ctx, given)
  local plan, err = setmetatable({ opaque = given.opaque or false }, Plan)
  if given.sign then
    plan.signer, err = read_signer(ctx, given.sign)
  end
  if not err and given.encrypt then
    plan.readers, err = read_readers(ctx, given.encrypt)
  end
  if err then
    return nil, err
  end
  return plan
end

-- For the preflight: whom the certificates are for.
local function facts_of(plan)
  local facts = { signer = plan.signer and people.addresses(plan.signer.certificate) }
  for _, certificate in ipairs(plan.readers or {}) do
    facts.readers = facts.readers or {}
    table.insert(facts.readers, people.addresses(certificate))
  end
  return facts
end

-- A mailer lives longer than a certificate may.
local function check_plan(lang, plan)
  local signer, ok, err = plan.signer, true, nil
  if signer then
    ok, err = people.check(lang, "smime.sign.cert", signer.certificate, "sign")
  end
  for index, certificate in ipairs(plan.readers or {}) do
    if ok then
      ok, err = people.check(lang, place_of_reader(plan.readers, index), certificate, "encrypt")
    end
  end
  return ok and plan, err
end

--- Read all that is needed, once for many messages: also where it cannot be read later.
-- @tparam ?string lang
-- @param given as for `build`
-- @treturn ?table plan, which `build` takes in place of what was given
-- @treturn ?table error
function M.prepare(lang, given)
  local ok, err = check_given(lang, given)
  local crypto
  if ok then
    crypto, err = load_crypto(lang)
  end
  if not crypto then
    return nil, err
  end
  return read_plan({ lang = lang, crypto = crypto }, given)
end

--- Make the core's handle of a message that is signed, encrypted or both.
-- @tparam ?string lang
-- @tparam table parts what the core is given for a message without it
-- @param given the field `smime` of the message: `sign` = `{ cert =, key =, passphrase =,
--   chain = }` or a path, `encrypt` = certificate or list of them, `opaque`; or a plan
-- @tparam function make f(parts) -> handle | nil, error
-- @treturn ?userdata handle
-- @treturn ?table error; or, with a handle, `{ signer = addresses, readers = { addresses, ... } }`
function M.build(lang, parts, given, make)
  local is_plan = type(given) == "table" and getmetatable(given) == Plan
  local plan, err = (is_plan and check_plan or M.prepare)(lang, given)
  if not plan then
    return nil, err
  end
  local ctx = { lang = lang, crypto = load_crypto(lang), parts = parts, make = make }
  local handle
  handle, err = (plan.readers and encrypt or sign)(ctx, parts, plan)
  if not handle then
    return nil, err
  end
  return handle, facts_of(plan)
end

return M
