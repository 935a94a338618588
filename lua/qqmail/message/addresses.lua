--- The forms in which users write addresses.
-- A string with a comma list, `{ name =, address = }`, the pair
-- `{ "name", "address" }`, or a list of any of them. What comes out is a list
-- of `{ name =, address =, domain =, utf8 =, key = }`, each domain in ASCII; `key` is the
-- same for what is the same address.
-- @module qqmail.message.addresses

local address_faults = require "qqmail.message.address_faults"
local core = require "qqmail.core"
local fault = require "qqmail.message.fault"

local M = {}

local codec = core.codec

local FORMS = {
  en = 'a string, { "name", "address" }, { name =, address = } or a list of them',
  zh = '字符串、{ "名称", "地址" }、{ name =, address = } 或它们的列表',
}

local CODES = { control_character = "message.control_character", bad_utf8 = "message.bad_utf8" }

local function bad_address(lang, field, name, text, position)
  if name == "memory" then
    return fault.core(lang, field, name)
  end
  local why = text or name
  return fault.new(lang, CODES[name] or "message.bad_address", field, {
    en = "is not a valid address: " .. why,
    zh = "不是有效的地址：" .. (address_faults[why] or why),
  }, { position = position })
end

local NO_LIBRARY = {
  en = "has a domain that is not ASCII, and libidn2 is not installed",
  zh = "的域名不是 ASCII，而本系统没有安装 libidn2",
}

local NO_DOMAIN = {
  en = "is not a valid address: its domain cannot be written in ASCII",
  zh = "不是有效的地址：域名无法转换为 ASCII 形式",
}

local function no_domain(lang, field, name, position)
  if name == "memory" then
    return fault.core(lang, field, name)
  elseif name == "unsupported" then
    return fault.new(lang, "message.idna_missing", field, NO_LIBRARY, { position = position })
  end
  return fault.new(lang, "message.bad_address", field, NO_DOMAIN, { position = position })
end

-- Domains do not depend on case, local parts may (RFC 5321 section 2.4).
local function key_of(address)
  return address.address:sub(1, #address.address - #address.domain) .. address.domain:lower()
end

-- A domain in another script goes as DNS knows it (RFC 5890): then every server
-- takes it. What is left for SMTPUTF8 is the part before the @. `text`: where the
-- address stands.
local function with_ascii_domain(lang, field, parsed, text)
  if not parsed.domain:find("[\128-\255]") then
    parsed.key = key_of(parsed)
    return parsed
  end
  local position = (text:find("@" .. parsed.domain, 1, true) or 0) + 1
  local domain, name = codec.domain_to_ascii(parsed.domain)
  if not domain then
    return nil, no_domain(lang, field, name, position)
  end
  local made, kind, why = codec.address(parsed.address:sub(1, -#parsed.domain - 1) .. domain)
  if not made then
    -- Such as a name that is longer now than any may be.
    return nil, bad_address(lang, field, kind, why, position)
  end
  made.name, made.key = parsed.name, key_of(made)
  return made
end

local function read_text(lang, field, text)
  local list, name, why, position = codec.addresses(text)
  if not list then
    return nil, bad_address(lang, field, name, why, position)
  end
  for index, address in ipairs(list) do
    local made, err = with_ascii_domain(lang, field, address, text)
    if not made then
      return nil, err
    end
    list[index] = made
  end
  return list
end

-- Senders, and many recipients, are the same from mail to mail. By text: its list.
local known, known_count = {}, 0
local KNOWN_MOST, KNOWN_BYTES = 500, 200

local function keep(text, list)
  if #text > KNOWN_BYTES then
    return
  elseif known_count >= KNOWN_MOST then
    known, known_count = {}, 0
  end
  known[text], known_count = list, known_count + 1
end

-- What is found is shared by messages, and changed by nobody; a message may note in it what
-- it found out of the address, as `id_domain`.
local function look_up(lang, field, text)
  if known[text] then
    return known[text]
  end
  local list, err = read_text(lang, field, text)
  if list then
    keep(text, list)
  end
  return list, err
end

local function parse_text(lang, field, text, out)
  local list, err = look_up(lang, field, text)
  if not list then
    return nil, err
  end
  for index = 1, #list do
    out[#out + 1] = list[index]
  end
  return out
end

local function parse_pair(lang, field, name, address, out)
  if type(address) ~= "string" then
    return nil, fault.type(lang, field .. ".address", { en = "a string", zh = "字符串" }, address)
  end
  if name ~= nil and type(name) ~= "string" then
    return nil, fault.type(lang, field .. ".name", { en = "a string", zh = "字符串" }, name)
  end
  local parsed, kind, why, position = codec.address(address)
  if not parsed then
    return nil, bad_address(lang, field, kind, why, position)
  end
  parsed.name = name ~= "" and name or nil
  local made, err = with_ascii_domain(lang, field, parsed, address)
  out[#out + 1] = made
  return made and out, err
end

local function is_pair(value)
  return #value == 2 and type(value[1]) == "string" and type(value[2]) == "string"
end

local function has_address_form(text)
  return text:find("@", 1, true) ~= nil
end

local parse

local function parse_list(lang, field, value, out)
  local whole, gap = fault.check_list(lang, field, value)
  if not whole then
    return nil, gap
  end
  for index, element in ipairs(value) do
    local where = ("%s[%d]"):format(field, index)
    local ok, err = parse(lang, where, element, out, true)
    if not ok then
      return nil, err
    end
  end
  return out
end

-- Two strings are a pair, or a list of two addresses: as an element of a list
-- always a pair, at the top when the first cannot be an address.
function parse(lang, field, value, out, inner)
  if type(value) == "string" then
    return parse_text(lang, field, value, out)
  elseif type(value) ~= "table" then
    return nil, fault.type(lang, field, FORMS, value)
  elseif value.address ~= nil or value.name ~= nil then
    return parse_pair(lang, field, value.name, value.address, out)
  elseif is_pair(value) and (inner or not has_address_form(value[1])) then
    return parse_pair(lang, field, value[1], value[2], out)
  elseif inner or (next(value) ~= nil and value[1] == nil) then
    return nil, fault.type(lang, field, FORMS, value)
  end
  return parse_list(lang, field, value, out)
end

local NONE = {}

--- Take any number of addresses apart.
-- @tparam ?string lang
-- @tparam string field for errors
-- @param value what the user gave; nil: none
-- @treturn ?table list, not to be changed
-- @treturn ?table error, with the position in the string
function M.list(lang, field, value)
  if value == nil or value == false then
    return NONE
  elseif type(value) == "string" then
    return look_up(lang, field, value)
  end
  return parse(lang, field, value, {}, false)
end

--- Take exactly one address apart; `{ "a@b", "c@d" }` is name and address here.
-- @tparam ?string lang
-- @tparam string field
-- @param value what the user gave
-- @treturn ?table `{ name =, address =, domain =, utf8 = }`
-- @treturn ?table error
function M.one(lang, field, value)
  local list, err
  if type(value) == "string" then
    list, err = look_up(lang, field, value)
  else
    list, err = parse(lang, field, value, {}, type(value) == "table" and is_pair(value))
  end
  if not list then
    return nil, err
  end
  if #list ~= 1 then
    return nil, fault.new(lang, "message.bad_address", field, {
      en = ("must be exactly one address, not %d"):format(#list),
      zh = ("应恰好是一个地址，而不是 %d 个"):format(#list),
    })
  end
  return list[1]
end

local function only_one(lists)
  local found
  for _, list in ipairs(lists) do
    if #list > 1 or (found and #list > 0) then
      return nil
    end
    found = found or list[1]
  end
  return found
end

--- The addresses of several lists, each once, in their order.
-- @tparam table lists
-- @treturn table list of strings
-- @treturn boolean whether one of them needs SMTPUTF8
function M.unique(lists)
  local only = only_one(lists)
  if only then
    return { only.address }, only.utf8
  end
  local out, seen, utf8 = {}, {}, false
  for _, list in ipairs(lists) do
    for _, address in ipairs(list) do
      if not seen[address.key] then
        seen[address.key] = true
        out[#out + 1] = address.address
        utf8 = utf8 or address.utf8
      end
    end
  end
  return out, utf8
end

return M
