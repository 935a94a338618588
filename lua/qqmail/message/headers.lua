--- Header fields of a message, in the order in which they are sent.
-- Each is `{ name =, field =, text = | raw = | addresses = }`; `field` is what
-- the user knows it by. Encoding and folding happen in the core.
-- @module qqmail.message.headers

local addresses = require "qqmail.message.addresses"
local core = require "qqmail.core"
local fault = require "qqmail.message.fault"

local M = {}

local codec = core.codec

--- No fields at all; not to be changed.
M.NONE = {}

-- Fields with an option of their own: written twice they would contradict each
-- other (RFC 5322 section 3.6), Bcc would tell what it is there to hide.
local OPTION_OF = {
  from = "from", sender = "sender", ["reply-to"] = "reply_to", to = "to", cc = "cc", bcc = "bcc",
  subject = "subject", date = "date", ["message-id"] = "id", ["in-reply-to"] = "in_reply_to",
  references = "references", ["return-path"] = "envelope.from", ["resent-bcc"] = "bcc",
  ["tls-required"] = "require_tls",
}

-- Fields that describe the body, which is made here.
local function is_structural(key)
  return key == "mime-version" or key:sub(1, 8) == "content-"
end

-- Fields of a mail that waits in the outbox; there they would be taken for ours.
local function is_ours(key)
  return key:sub(1, 15) == "x-qqmail-outbox"
end

-- Fields that stand once, beside those above.
local ONCE = {}
for name in ([[importance priority x-priority x-mailer user-agent organization
  list-id list-unsubscribe list-unsubscribe-post list-post list-help list-subscribe list-owner
  list-archive auto-submitted precedence feedback-id disposition-notification-to
  x-auto-response-suppress thread-topic thread-index]]):gmatch("%S+") do
  ONCE[name] = true
end

-- A name fit to be shown.
local function shown(name)
  return (tostring(name):gsub("[%c\127-\255]", "?"):sub(1, 76))
end

local function bad_name(lang, field, name)
  return fault.new(lang, "message.bad_header", field, {
    en = ('holds "%s", which is not a field name'):format(shown(name)),
    zh = ('中的 "%s" 不是合法的字段名'):format(shown(name)),
  })
end

local function reserved(lang, field, name)
  local option = OPTION_OF[name:lower()]
  if option then
    return fault.new(lang, "message.reserved_header", field, {
      en = ("has an option of its own: use `%s`"):format(option),
      zh = ("有专门的选项：请使用 `%s`"):format(option),
    })
  end
  if is_ours(name:lower()) then
    return fault.new(lang, "message.reserved_header", field, {
      en = "is used by qqmail itself: choose another name", zh = "由 qqmail 自身使用：请换一个名称",
    })
  end
  return fault.new(lang, "message.reserved_header", field, {
    en = "describes the body and is made by qqmail", zh = "描述正文结构，由 qqmail 生成",
  })
end

local function add(out, lang, prefix, name, value)
  if type(name) ~= "string" or not codec.field_name(name) then
    return nil, bad_name(lang, prefix, name)
  end
  local field = prefix .. "." .. name
  local key = name:lower()
  if OPTION_OF[key] or is_structural(key) or is_ours(key) then
    return nil, reserved(lang, field, name)
  end
  if type(value) == "number" then
    value = tostring(value)
  elseif type(value) ~= "string" then
    return nil, fault.type(lang, field, { en = "a string", zh = "字符串" }, value)
  end
  out[#out + 1] = { name = name, text = value, field = field, key = key }
  return true
end

-- { name = value } or { name = { value, value } }, in the order of the names.
local function from_map(lang, prefix, map)
  local names, out = {}, {}
  for name in pairs(map) do
    names[#names + 1] = name
  end
  table.sort(names, function(a, b)
    return tostring(a) < tostring(b)
  end)
  for _, name in ipairs(names) do
    local values = type(map[name]) == "table" and map[name] or { map[name] }
    local whole, gap = fault.check_list(lang, ("%s.%s"):format(prefix, shown(name)), values)
    if not whole then
      return nil, gap
    end
    for _, value in ipairs(values) do
      local ok, err = add(out, lang, prefix, name, value)
      if not ok then
        return nil, err
      end
    end
  end
  return out
end

-- { { name, value }, ... }
local function from_list(lang, prefix, list)
  local whole, gap = fault.check_list(lang, prefix, list)
  if not whole then
    return nil, gap
  end
  local out = {}
  for index, pair in ipairs(list) do
    if type(pair) ~= "table" then
      return nil, fault.type(lang, ("%s[%d]"):format(prefix, index),
        { en = "{ name, value }", zh = " { 名称, 值 }" }, pair)
    end
    local name, value = pair[1] or pair.name, pair[2] or pair.value
    local ok, err = add(out, lang, prefix, name, value)
    if not ok then
      return nil, err
    end
  end
  return out
end

local function read(lang, prefix, given)
  if given == nil then
    return {}
  elseif type(given) ~= "table" then
    return nil, fault.type(lang, prefix, { en = "a table", zh = "表" }, given)
  elseif given[1] ~= nil then
    return from_list(lang, prefix, given)
  end
  return from_map(lang, prefix, given)
end

--- Fields a user gave by name, those of the message before those of the mailer.
-- @tparam ?string lang
-- @tparam ?table given
-- @tparam ?table defaults used where `given` has no field of that name
-- @treturn ?table list of fields
-- @treturn ?table error
function M.custom(lang, given, defaults)
  if given == nil and defaults == nil then
    return M.NONE
  end
  local own, err = read(lang, "headers", given)
  if not own then
    return nil, err
  end
  local standing
  standing, err = read(lang, "headers", defaults)
  if not standing then
    return nil, err
  end
  local has = {}
  for _, entry in ipairs(own) do
    has[entry.key] = true
  end
  for _, entry in ipairs(standing) do
    if not has[entry.key] then
      own[#own + 1] = entry
    end
  end
  return own
end

--- See that fields which stand once do so.
-- @tparam ?string lang
-- @tparam table list all fields of the message
-- @treturn ?boolean
-- @treturn ?table error
function M.check_once(lang, list)
  local seen = {}
  for _, entry in ipairs(list) do
    local key = entry.name:lower()
    if seen[key] and (ONCE[key] or OPTION_OF[key]) then
      return nil, fault.new(lang, "message.duplicate_header", entry.field, {
        en = "is there twice; " .. entry.name .. " may stand only once",
        zh = "重复：" .. entry.name .. " 只能出现一次",
      })
    end
    seen[key] = true
  end
  return true
end

local function one_id(lang, field, value)
  if type(value) ~= "string" then
    return nil, fault.type(lang, field, { en = "a string", zh = "字符串" }, value)
  end
  local inner = value:match("^%s*<(.*)>%s*$") or value
  if not inner:find("^[!-;=?-~]+$") then
    return nil, fault.new(lang, "message.bad_message_id", field,
      { en = "is not a Message-ID", zh = "不是合法的 Message-ID" })
  end
  return "<" .. inner .. ">"
end

--- One Message-ID or a list of them.
-- @tparam ?string lang
-- @tparam string field
-- @param value string (several may be separated by blanks) or list
-- @treturn ?string with angle brackets, separated by blanks
-- @treturn ?table error
function M.message_ids(lang, field, value)
  local list = value
  if type(value) == "string" then
    list = {}
    for id in value:gmatch("[^ \t]+") do
      list[#list + 1] = id
    end
  elseif type(value) ~= "table" then
    return nil, fault.type(lang, field, { en = "a string or a list", zh = "字符串或列表" }, value)
  end
  local whole, gap = fault.check_list(lang, field, list)
  if not whole then
    return nil, gap
  end
  local out = {}
  for index, id in ipairs(list) do
    local made, err = one_id(lang, type(value) == "table" and field .. "[" .. index .. "]" or field,
      id)
    if not made then
      return nil, err
    end
    out[index] = made
  end
  if #out == 0 then
    return nil, fault.new(lang, "message.bad_message_id", field,
      { en = "holds no Message-ID", zh = "没有 Message-ID" })
  end
  return table.concat(out, " ")
end

local PRIORITIES = {
  high = { "1 (Highest)", "high" }, normal = { "3 (Normal)", "normal" },
  low = { "5 (Lowest)", "low" },
}

--- The two fields readers take the priority from.
-- @tparam ?string lang
-- @param value "high", "normal" or "low"
-- @treturn ?table list of fields
-- @treturn ?table error
function M.priority(lang, value)
  local row = PRIORITIES[value]
  if not row then
    return nil, fault.new(lang, "message.bad_value", "priority", {
      en = 'must be "high", "normal" or "low"', zh = '应为 "high"、"normal" 或 "low"',
    })
  end
  return {
    { name = "X-Priority", raw = row[1], field = "priority" },
    { name = "Importance", raw = row[2], field = "priority" },
  }
end

local function bad_url(lang, field, en, zh)
  return nil, fault.new(lang, "message.bad_url", field, { en = en, zh = zh })
end

local function unsubscribe_url(lang, field, value)
  if type(value) ~= "string" then
    return nil, fault.type(lang, field, { en = "a string", zh = "字符串" }, value)
  end
  local url = value:match("^<(.*)>$") or value
  if not url:lower():find("^https?://[^/?#:@]") and not url:lower():find("^mailto:.") then
    return bad_url(lang, field, "must be an https: or mailto: URL", "应为 https: 或 mailto: 开头的地址")
  end
  if not url:find("^[!-;=?-~]+$") then
    return bad_url(lang, field, "holds characters a URL must not have", "含有 URL 中不允许的字符")
  end
  return url
end

-- An address as a URL; what would mean something else in one is escaped (RFC 6068,
-- section 2).
local function mailto_url(lang, field, value)
  if type(value) ~= "string" or value:lower():find("^<?mailto:") then
    return unsubscribe_url(lang, field, value)
  end
  local one, err = addresses.one(lang, field, value)
  if not one then
    return nil, err
  end
  return "mailto:" .. one.address:gsub("[^%w%-%._~!%$'%(%)%*%+,;:@]", function(char)
    return ("%%%02X"):format(char:byte())
  end)
end

local function is_https(url)
  return url:lower():find("^https://") ~= nil
end

local UNSUBSCRIBE_KEYS = { url = true, mailto = true, one_click = true }

local function check_unsubscribe(lang, value)
  for key in pairs(value) do
    if not UNSUBSCRIBE_KEYS[key] then
      return nil, fault.new(lang, "message.unknown_field", "list_unsubscribe." .. tostring(key),
        { en = "is unknown: only url, mailto and one_click", zh = "未知：只有 url、mailto、one_click" })
    end
  end
  if value.one_click ~= nil and type(value.one_click) ~= "boolean" then
    return nil, fault.type(lang, "list_unsubscribe.one_click",
      { en = "true or false", zh = " true 或 false" }, value.one_click)
  elseif value.url == nil and value.mailto == nil then
    return bad_url(lang, "list_unsubscribe", "needs url or mailto", "需要 url 或 mailto")
  end
  return true
end

-- { url =, mailto =, one_click = }: the addresses, and whether one click is enough.
local function named_urls(lang, value)
  local ok, err = check_unsubscribe(lang, value)
  if not ok then
    return nil, err
  end
  local out = {}
  for _, row in ipairs({ { "url", unsubscribe_url }, { "mailto", mailto_url } }) do
    local key = row[1]
    if value[key] ~= nil then
      out[#out + 1], err = row[2](lang, "list_unsubscribe." .. key, value[key])
      if err then
        return nil, err
      end
    end
  end
  if value.one_click and not is_https(out[1]) then
    -- RFC 8058 section 3.1
    return bad_url(lang, "list_unsubscribe.one_click", "needs an https: URL as url",
      "需要 https: 地址作为 url")
  end
  return out, value.one_click ~= false
end

local function listed_urls(lang, value)
  local list = type(value) == "table" and value or { value }
  local whole, gap = fault.check_list(lang, "list_unsubscribe", list)
  if not whole then
    return nil, gap
  end
  local out = {}
  for index, given in ipairs(list) do
    local field = type(value) == "table" and ("list_unsubscribe[%d]"):format(index)
      or "list_unsubscribe"
    local url, err = unsubscribe_url(lang, field, given)
    if not url then
      return nil, err
    end
    out[index] = url
  end
  return out, true
end

--- List-Unsubscribe (RFC 2369), and the one-click field (RFC 8058) where an
-- https URL is among them and nothing speaks against it.
-- @tparam ?string lang
-- @param value a URL, a list of them, or `{ url =, mailto =, one_click = }`
-- @treturn ?table list of fields
-- @treturn ?table error
function M.list_unsubscribe(lang, value)
  local is_named = type(value) == "table" and value[1] == nil and next(value) ~= nil
  local urls, one_click = (is_named and named_urls or listed_urls)(lang, value)
  if not urls then
    return nil, one_click
  elseif #urls == 0 then
    return {}
  end
  local has_https = false
  for index, url in ipairs(urls) do
    has_https = has_https or is_https(url)
    urls[index] = "<" .. url .. ">"
  end
  local out = { { name = "List-Unsubscribe", raw = table.concat(urls, ", "),
    field = "list_unsubscribe" } }
  if has_https and one_click then
    out[2] = { name = "List-Unsubscribe-Post", raw = "List-Unsubscribe=One-Click",
      field = "list_unsubscribe" }
  end
  return out
end

--- Disposition-Notification-To (RFC 8098 section 2.1): where a reader sends a receipt
-- to, if its user agrees.
-- @tparam ?string lang
-- @param value true: to the sender; or an address
-- @tparam table from the sender
-- @treturn ?table list of fields
-- @treturn ?table error
function M.read_receipt(lang, value, from)
  if value == false then
    return {}
  end
  local list = { from }
  if value ~= true then
    local err
    list, err = addresses.list(lang, "read_receipt", value)
    if not list then
      return nil, err
    elseif #list == 0 then
      return nil, fault.type(lang, "read_receipt", { en = "true or an address", zh = " true 或地址" },
        value)
    end
  end
  return { { name = "Disposition-Notification-To", field = "read_receipt", addresses = list } }
end

local EARLIEST, LATEST = -2208988800, 253402300799 -- the years 1900 to 9999

-- Minutes east of UTC at that moment, as this host's clock is set.
local function look_up_offset(seconds)
  -- Not by way of os.time: it takes the second before 1970 for a failure.
  local here, utc = os.date("*t", seconds), os.date("!*t", seconds)
  local days = here.yday - utc.yday
  if here.year ~= utc.year then
    days = here.year > utc.year and 1 or -1
  end
  return (days * 24 + here.hour - utc.hour) * 60 + here.min - utc.min
end

-- Clocks are changed at full quarters of an hour: within one the answer stays.
local last_quarter, last_offset

local function local_offset(seconds)
  local quarter = math.floor(seconds / 900)
  if quarter ~= last_quarter then
    last_quarter, last_offset = quarter, look_up_offset(seconds)
  end
  return last_offset
end

local function make_date(lang, seconds)
  if type(seconds) ~= "number" or not (seconds >= EARLIEST and seconds <= LATEST) then
    return nil, fault.new(lang, "message.bad_value", "date", {
      en = "must be a number of seconds since 1970, as os.time() gives it",
      zh = "应为自 1970 年起的秒数，如 os.time() 的返回值",
    })
  end
  seconds = math.floor(seconds)
  local text, name, why = codec.date(seconds, local_offset(seconds))
  if not text then
    return nil, fault.core(lang, "date", name, why)
  end
  return { name = "Date", raw = text, field = "date" }
end

-- Many mails are of the same second.
local last_second, last_date

--- The Date field.
-- @tparam ?string lang
-- @tparam ?number seconds since 1970, default now
-- @treturn ?table field, not to be changed
-- @treturn ?table error
function M.date(lang, seconds)
  if seconds ~= nil then
    return make_date(lang, seconds)
  end
  local now = os.time()
  if now ~= last_second then
    local made, err = make_date(lang, now)
    if not made then
      return nil, err
    end
    last_second, last_date = now, made
  end
  return last_date
end

return M
