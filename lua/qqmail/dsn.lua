--- What is asked of delivery reports (RFC 3461): the option and message field `dsn`.
--
-- Users write `{ notify =, ret =, envid =, orcpt =, soft = }`. Read, it is `notify`
-- ("never" or words with commas), `ret`, `envid`, `orcpt` (true: each recipient's own
-- address), `soft`, and `each`: by recipient, where it has its own, `notify` and `orcpt`.
-- @module qqmail.dsn

local M = {}

-- The values of RFC 3461 section 4.1, "never" apart.
local EVENTS = { "success", "failure", "delay" }
local IS_EVENT = { success = true, failure = true, delay = true }
local KEYS = { notify = true, ret = true, envid = true, orcpt = true, soft = true }

local ENVID_MAX = 100

local function bad(key, en, zh)
  return nil, { en = en, zh = zh }, key
end

local function bad_notify(key)
  return bad(key, 'must be "never" or a list of "success", "failure" and "delay"',
    '必须是 "never"，或由 "success"、"failure"、"delay" 组成的列表')
end

-- Domains do not depend on case, local parts may.
local function key_of(address)
  return (address:gsub("@[^@]*$", string.lower))
end

local function has_one(value)
  return type(value) == "table" and next(value) == 1 and next(value, 1) == nil
end

-- "never", an event, or a list of events; in the order of the RFC.
local function read_events(value, key)
  value = has_one(value) and value[1] or value
  if value == "never" or (type(value) == "string" and IS_EVENT[value]) then
    return value
  elseif type(value) ~= "table" or #value == 0 then
    return bad_notify(key)
  end
  local has, out = {}, {}
  for place, event in pairs(value) do
    if type(place) ~= "number" or not IS_EVENT[event] then
      return bad_notify(key)
    end
    has[event] = true
  end
  for _, event in ipairs(EVENTS) do
    out[#out + 1] = has[event] and event or nil
  end
  return table.concat(out, ",")
end

-- A recipient as it will stand in the envelope.
local function read_address(address, key)
  local one, err = require("qqmail.message.addresses").one(nil, key, address)
  if not one then
    return bad(key, "holds an address that is not valid: " .. err.message,
      "含有无效的地址：" .. err.message)
  end
  return one.address
end

local function of_one(self, address)
  local key = key_of(address)
  self.each[key] = self.each[key] or { address = address }
  return self.each[key]
end

-- Two spellings of a recipient, one of whose domains has capitals, are one.
local function set_once(self, address, what, value)
  local one = of_one(self, address)
  if one[what] then
    return bad(what, ("names %s twice"):format(address), ("中 %s 出现两次"):format(address))
  end
  one[what] = value
  return true
end

local function read_notify_of(self, recipient, events)
  local address, why, key = read_address(recipient, "notify")
  if not address then
    return nil, why, key
  end
  local words
  words, why, key = read_events(events, "notify")
  if not words then
    return nil, why, key
  end
  return set_once(self, address, "notify", words)
end

-- `{ "failure", ["vip@example.com"] = { "success", "failure" } }`: for all, and for one.
local function read_notify(self, value)
  if type(value) ~= "table" then
    value = { value }
  end
  local rest = {}
  for place, events in pairs(value) do
    if type(place) ~= "string" then
      rest[place] = events
    else
      local ok, why, key = read_notify_of(self, place, events)
      if not ok then
        return nil, why, key
      end
    end
  end
  if next(rest) == nil and next(value) ~= nil then
    return true
  end
  local why, key
  self.notify, why, key = read_events(rest, "notify")
  return self.notify, why, key
end

local function read_ret(self, value)
  if value ~= "full" and value ~= "headers" then
    return bad("ret", 'must be "full" or "headers"', '必须是 "full" 或 "headers"')
  end
  self.ret = value
  return true
end

-- How long it is in xtext (RFC 3461 section 4).
local function encoded_length(text)
  local _, escaped = text:gsub("[+= ]", "")
  return #text + 2 * escaped
end

local function read_envid(self, value)
  if type(value) ~= "string" or value == "" or value:find("[^ -~]") then
    return bad("envid", "must be a text of printable ASCII", "必须是可打印 ASCII 字符组成的文本")
  elseif encoded_length(value) > ENVID_MAX then
    return bad("envid",
      ("must not be longer than %d characters (+, = and blanks count as three)"):format(ENVID_MAX),
      ("不能超过 %d 个字符（+、= 和空格按三个计）"):format(ENVID_MAX))
  end
  self.envid = value
  return true
end

local function read_orcpt(self, value)
  if value == true or value == false then
    self.orcpt = value or nil
    return true
  elseif type(value) ~= "table" or next(value) == nil then
    return bad("orcpt", "must be true, or a table of original addresses by recipient",
      "必须是 true，或以收件人为键、原始地址为值的表")
  end
  for recipient, original in pairs(value) do
    local address, why, key = read_address(recipient, "orcpt")
    if address then
      original, why, key = read_address(original, "orcpt")
    end
    local ok = address and original
    if ok then
      ok, why, key = set_once(self, address, "orcpt", original)
    end
    if not ok then
      return nil, why, key
    end
  end
  return true
end

local READERS = { notify = read_notify, ret = read_ret, envid = read_envid, orcpt = read_orcpt }

local Dsn = {}

local function check_form(value)
  if type(value) ~= "table" then
    return bad(nil, "must be a table { notify =, ret =, envid =, orcpt = }, or false",
      "必须是表 { notify =, ret =, envid =, orcpt = } 或 false")
  end
  for key in pairs(value) do
    if not KEYS[key] then
      return bad(tostring(key), "is unknown: only notify, ret, envid, orcpt and soft",
        "未知：只有 notify、ret、envid、orcpt 和 soft")
    end
  end
  if value.soft ~= nil and type(value.soft) ~= "boolean" then
    return bad("soft", "must be true or false", "必须是 true 或 false")
  end
  return true
end

local function asks_for_nothing(self)
  return not (self.notify or self.ret or self.envid or self.orcpt or next(self.each))
end

--- Read what a user gave.
-- @param value a table, false, or what was read before
-- @treturn ?table|boolean what the other functions take; false for false
-- @treturn ?table what is wrong, `{ en =, zh = }`, the rest of a sentence
-- @treturn ?string key inside the table that it is about; nil: the whole
function M.read(value)
  if value == false or getmetatable(value) == Dsn then
    return value
  end
  local ok, why, key = check_form(value)
  local self = setmetatable({ soft = ok and value.soft or nil, each = {} }, Dsn)
  for _, name in ipairs({ "notify", "ret", "envid", "orcpt" }) do
    if ok and value[name] ~= nil then
      ok, why, key = READERS[name](self, value[name])
    end
  end
  if not ok then
    return nil, why, key
  elseif asks_for_nothing(self) then
    return bad(nil, "asks for nothing: give notify, ret, envid or orcpt",
      "没有任何请求：请给出 notify、ret、envid 或 orcpt")
  end
  return self
end

--- A recipient that has something of its own here and gets no copy.
-- @tparam table self of `read`
-- @tparam table to list of addresses
-- @treturn ?string address; nil: all of them are recipients
function M.stranger(self, to)
  local known = {}
  for _, address in ipairs(to) do
    known[key_of(address)] = true
  end
  for key, one in pairs(self.each) do
    if not known[key] then
      return one.address
    end
  end
  return nil
end

--- What is left of it for some of the recipients.
-- @tparam table self
-- @tparam table to list of addresses
-- @treturn table
function M.only(self, to)
  local out = setmetatable({ each = {} }, Dsn)
  for name, value in pairs(self) do
    if name ~= "each" then
      out[name] = value
    end
  end
  for _, address in ipairs(to) do
    local key = key_of(address)
    out.each[key] = self.each[key]
  end
  return out
end

--- What a session says of it.
-- @tparam table self of `read`
-- @tparam table to list of addresses
-- @treturn table `ret`, `envid` and `each`, for each of `to` `{ notify =, orcpt = }` or
-- false
function M.parameters(self, to)
  local each = {}
  for index, address in ipairs(to) do
    local one = self.each[key_of(address)] or {}
    local notify = one.notify or self.notify
    local orcpt = one.orcpt or self.orcpt and address or nil
    each[index] = (notify or orcpt) and { notify = notify, orcpt = orcpt } or false
  end
  return { ret = self.ret, envid = self.envid, each = each }
end

-- --- on disk --------------------------------------------------------------------

local PLAIN = { "notify", "ret", "envid", "orcpt", "soft" }

--- What is to be written down to have it again.
-- @tparam table|boolean self of `read`
-- @treturn table list of `{ name, value }`: a word of letters, a text of one line
function M.to_lines(self)
  if not self then
    return { { "off", "true" } }
  end
  local out = {}
  for _, name in ipairs(PLAIN) do
    if self[name] then
      out[#out + 1] = { name, tostring(self[name]) }
    end
  end
  for _, one in pairs(self.each) do
    out[#out + 1] = { "for", one.address }
    out[#out + 1] = one.notify and { "notify", one.notify }
    out[#out + 1] = one.orcpt and { "orcpt", one.orcpt } or nil
  end
  return out
end

--- In a few words, for people.
-- @tparam table|boolean self of `read`
-- @treturn string
function M.describe(self)
  local words = {}
  for index, line in ipairs(M.to_lines(self)) do
    words[index] = self and line[1] .. "=" .. line[2] or "off"
  end
  return table.concat(words, " ")
end

local IS_PLAIN = { notify = true, ret = true, envid = true, orcpt = true, soft = true }

--- Read what `to_lines` made.
-- @tparam table lines
-- @treturn table|boolean as of `read`
function M.from_lines(lines)
  local self = setmetatable({ each = {} }, Dsn)
  local place = self
  for _, line in ipairs(lines) do
    local name, value = line[1], line[2]
    if name == "off" then
      return false
    elseif name == "for" then
      place = of_one(self, value)
    elseif IS_PLAIN[name] then
      place[name] = (value ~= "true" or name == "envid") and value or true
    end
  end
  return self
end

return M
