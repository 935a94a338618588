--- Checks of single setting values.
-- Each check takes the value (and its row of the option table) and answers the
-- value to use, or `nil, { en =, zh = }[, code]`: the rest of a sentence that
-- begins with the option's name. No answer quotes a secret.
-- @module qqmail.validate

local suggest = require "qqmail.suggest"

local M = {}

-- Characters that cannot be seen, or look like others, and come with text that
-- was copied from a web page or a chat.
local UNSEEN = {
  [0x00A0] = { en = "no-break space", zh = "不换行空格" },
  [0x00AD] = { en = "soft hyphen", zh = "软连字符" },
  [0x180E] = { en = "Mongolian vowel separator", zh = "不可见分隔符" },
  [0x2028] = { en = "line separator", zh = "行分隔符" },
  [0x2029] = { en = "paragraph separator", zh = "段落分隔符" },
  [0x3000] = { en = "ideographic space", zh = "全角空格" },
  [0x3002] = { en = "ideographic full stop", zh = "中文句号" },
  [0xFEFF] = { en = "byte order mark", zh = "BOM 标记" },
}

local UNSEEN_RANGES = {
  { 0x200B, 0x200F, { en = "zero-width character", zh = "零宽字符" } },
  { 0x202A, 0x202E, { en = "direction mark", zh = "文字方向控制符" } },
  { 0x2060, 0x2064, { en = "zero-width character", zh = "零宽字符" } },
}

local FULL_WIDTH = { en = "a full-width character", zh = "全角字符" }

local function name_of(code)
  if code >= 0xFF01 and code <= 0xFF5E then
    local plain = string.char(code - 0xFEE0)
    return { en = "full-width " .. plain, zh = "全角 " .. plain }
  end
  for _, range in ipairs(UNSEEN_RANGES) do
    if code >= range[1] and code <= range[2] then
      return range[3]
    end
  end
  return UNSEEN[code]
end

local function decode(bytes)
  local first = bytes:byte(1)
  local code = first < 0xE0 and first - 0xC0 or first < 0xF0 and first - 0xE0 or first - 0xF0
  for i = 2, #bytes do
    code = code * 64 + bytes:byte(i) - 0x80
  end
  return code
end

--- Find the first character that is surely not meant: a control character, one
-- that cannot be seen, or the full-width form of an ASCII one.
-- @tparam string text
-- @tparam ?boolean is_secret whether no letter of it may be named
-- @treturn ?number the byte where it begins
-- @treturn ?table its name, `{ en =, zh = }`
function M.find_odd(text, is_secret)
  local control = text:find("%c")
  for at, bytes in text:gmatch("()([\194-\244][\128-\191]+)") do
    if control and control < at then
      break
    end
    local code = decode(bytes)
    local name = name_of(code)
    if name and is_secret and code >= 0xFF01 then
      return at, FULL_WIDTH
    elseif name then
      local number = ("U+%04X"):format(code)
      return at, { en = number .. " (" .. name.en .. ")", zh = number .. "（" .. name.zh .. "）" }
    end
  end
  if control then
    local number = ("U+%04X"):format(text:byte(control))
    return control, { en = number .. " (control character)", zh = number .. "（控制字符）" }
  end
  return nil
end

local function odd(text)
  local at, name = M.find_odd(text)
  if not at then
    return nil
  end
  return {
    en = ("has %s at byte %d; type it again"):format(name.en, at),
    zh = ("第 %d 字节处有 %s，请重新输入"):format(at, name.zh),
  }, "config.bad_character"
end

local function is_text(value)
  return type(value) == "string" and value ~= ""
end

local NOT_TEXT = { en = "must be a text that is not empty", zh = "必须是非空文本" }

--- Text without odd characters.
function M.text(value)
  if not is_text(value) then
    return nil, NOT_TEXT
  end
  local why, code = odd(value)
  if why then
    return nil, why, code
  end
  return value
end

--- A path: any text without control characters.
function M.path(value)
  if not is_text(value) or value:find("%c") then
    return nil, { en = "must be a path", zh = "必须是路径" }
  end
  return value
end

function M.boolean(value)
  if type(value) ~= "boolean" then
    return nil, { en = "must be true or false", zh = "必须是 true 或 false" }
  end
  return value
end

local function number(value)
  if type(value) == "string" and value:find("^%d+%.?%d*$") then
    return tonumber(value)
  end
  return type(value) == "number" and value or nil
end

function M.integer(value, row)
  local given = number(value)
  local low, high = row.min, row.max
  if not given or given % 1 ~= 0 or given < low or given > high then
    return nil, {
      en = ("must be a whole number from %d to %d"):format(low, high),
      zh = ("必须是 %d 到 %d 的整数"):format(low, high),
    }
  end
  -- Integer subtype on 5.3 and later: 465.0 would print as such.
  return math.floor(given)
end

function M.seconds(value)
  local given = number(value)
  if not given or not (given > 0 and given < math.huge) then
    return nil, { en = "must be a number of seconds above 0", zh = "必须是大于 0 的秒数" }
  end
  return given
end

--- Like `seconds`, but none at all is fine.
function M.delay(value)
  local given = number(value)
  if not given or not (given >= 0 and given < math.huge) then
    return nil, { en = "must be a number of seconds, 0 or more", zh = "必须是不小于 0 的秒数" }
  end
  return given
end

local function quoted(values)
  local out = {}
  for i, value in ipairs(values) do
    out[i] = '"' .. value .. '"'
  end
  return table.concat(out, ", ")
end

function M.enum(value, row)
  for _, allowed in ipairs(row.values) do
    if value == allowed then
      return value
    end
  end
  local meant = suggest.closest(value, row.values) or (row.aliases and row.aliases[value])
  return nil, {
    en = "must be one of " .. quoted(row.values)
      .. (meant and (', did you mean "%s"?'):format(meant) or ""),
    zh = "必须是 " .. quoted(row.values) .. " 之一"
      .. (meant and ("，是否想写 \"%s\"？"):format(meant) or ""),
  }
end

--- Like `enum`, but a locale such as zh_CN.UTF-8 says "zh".
function M.lang(value, row)
  if type(value) == "string" then
    value = value:lower():match("^(%a%a)[_.@-]") or value:lower()
  end
  return M.enum(value, row)
end

local function is_ipv4(text)
  local a, b, c, d = text:match("^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$")
  return a ~= nil and tonumber(a) < 256 and tonumber(b) < 256 and tonumber(c) < 256
    and tonumber(d) < 256
end

local function is_ipv6(text)
  return text:find("^[%x:][%x:.]*$") ~= nil and #text <= 45 and text:find(":.*:") ~= nil
end

-- `extra`: a further character that labels may have. RFC 5321 section 2.3.5.
local function is_domain(text, extra)
  if #text > 253 or text:sub(-1) == "." or text:find("^[%d.]+$") then
    return false
  end
  for label in (text .. "."):gmatch("([^.]*)%.") do
    if #label > 63 or not label:find("^[%w" .. extra .. "][%w" .. extra .. "-]*$")
      or label:sub(-1) == "-" then
      return false
    end
  end
  return true
end

local function bad_host(en, zh)
  return nil, { en = en, zh = zh }, "config.bad_host"
end

local function host_remedy(text)
  if text:find("://", 1, true) then
    return bad_host('must be a bare name: write smtp.qq.com without "smtps://", or use url',
      "必须是纯主机名：写 smtp.qq.com，不带 smtps://；或改用 url")
  end
  if text:find("@", 1, true) then
    return bad_host('is a server, not an address: write smtp.qq.com, without "@"',
      "是服务器名而不是邮箱地址：写 smtp.qq.com，不含 @")
  end
  if text:find(":%d*$") then
    return bad_host("must not hold the port: give it as port", "不能包含端口：请用 port 单独给出")
  end
  if text:find("[\128-\255]") then
    return bad_host("must be ASCII: write the xn-- form of the name",
      "必须是 ASCII：请写域名的 xn-- 形式")
  end
  return bad_host("must be a bare host name such as smtp.qq.com, or an IP address",
    "必须是 smtp.qq.com 这样的主机名，或 IP 地址")
end

--- A server: name, IPv4 or IPv6 address (brackets are dropped).
function M.host(value)
  if not is_text(value) then
    return nil, NOT_TEXT, "config.bad_host"
  end
  local why, code = odd(value)
  if why then
    return nil, why, code
  end
  local inner = value:match("^%[(.*)%]$") or value
  if is_ipv6(inner) then
    return inner
  end
  -- Container networks use names with an underscore.
  if is_ipv4(value) or is_domain((value:gsub("%.$", "")), "_") then
    return value
  end
  return host_remedy(value)
end

--- The name we give in EHLO: a domain or an address literal (RFC 5321 4.1.3).
function M.hostname(value)
  local literal = type(value) == "string" and value:match("^%[(.*)%]$")
  if literal then
    local v6 = literal:match("^[Ii][Pp][Vv]6:(.*)$")
    if is_ipv4(literal) or (v6 and is_ipv6(v6)) then
      return value
    end
  elseif type(value) == "string" and is_domain(value, "") then
    return value
  end
  return nil, {
    en = "must be a domain name (letters, digits, hyphens) or an address such as [127.0.0.1]",
    zh = "必须是域名（字母、数字、连字符）或 [127.0.0.1] 这样的地址",
  }, "config.bad_hostname"
end

local MAILBOX = {
  en = 'must be an address: "a@b", "name <a@b>", { "name", "a@b" } or { name =, address = }',
  zh = '必须是地址："a@b"、"名字 <a@b>"、{ "名字", "a@b" } 或 { name =, address = }',
}

--- The bare address of a From value, as far as it can be seen without parsing.
-- @param value as in the option `from`
-- @treturn ?string
function M.address_of(value)
  if type(value) == "table" then
    value = value.address or value[2] or value[1]
  end
  if type(value) ~= "string" then
    return nil
  end
  local inner = value:match("<([^<>]*)>%s*$") or value:match("^%s*(%S+)%s*$")
  return inner and inner:find("^[^@]+@[^@]+$") and inner or nil
end

local function text_fields(value)
  for _, field in pairs(value) do
    if type(field) ~= "string" or field:find("%c") then
      return false
    end
  end
  return next(value) ~= nil
end

function M.mailbox(value)
  if type(value) == "string" and value ~= "" and not value:find("%c") then
    return value
  end
  if type(value) == "table" and text_fields(value) then
    return value
  end
  return nil, MAILBOX
end

--- One address or a list of them; `message` takes them apart.
function M.mailboxes(value)
  if type(value) == "table" and next(value) ~= nil then
    return value
  end
  return M.mailbox(value)
end

function M.table(value)
  if type(value) ~= "table" then
    return nil, { en = "must be a table", zh = "必须是表" }
  end
  return value
end

--- What signs or encrypts; false for nothing. What stands in it is checked where it is read.
function M.smime(value)
  if value ~= false and type(value) ~= "table" then
    return nil, { en = "must be a table { sign = { cert =, key = } }",
      zh = "必须是表 { sign = { cert =, key = } }" }
  end
  return value
end

local MECHANISMS = { "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1",
  "PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER", "EXTERNAL" }
-- Known, and no more than that: RFC 6331 has moved it to historic.
local LEFT_OUT = { ["DIGEST-MD5"] = true }

local function mechanism(name)
  local wanted = type(name) == "string" and name:upper() or name
  for _, known in ipairs(MECHANISMS) do
    if wanted == known then
      return known
    end
  end
  if LEFT_OUT[wanted] then
    return nil, {
      en = "asks for " .. wanted .. ", which is not safe any more and not available",
      zh = "要求 " .. wanted .. "，该机制已不安全，不予支持",
    }, "config.unsupported_option"
  end
  return M.enum(wanted, { values = MECHANISMS })
end

--- A mechanism, a list of them, or "PLAIN,LOGIN".
function M.mechanisms(value)
  if type(value) == "string" then
    local list = {}
    for name in value:gmatch("[^%s,]+") do
      list[#list + 1] = name
    end
    value = list
  end
  if type(value) ~= "table" or #value == 0 then
    return nil, { en = "must be a mechanism or a list of them", zh = "必须是认证机制或其列表" }
  end
  local out = {}
  for i, name in ipairs(value) do
    local known, why, code = mechanism(name)
    if not known then
      return nil, why, code
    end
    out[i] = known
  end
  return out
end

--- A secret: text or a function; what the text is made of is checked later.
function M.secret(value)
  if type(value) == "function" or is_text(value) then
    return value
  end
  return nil, { en = "must be a text that is not empty, or a function",
    zh = "必须是非空文本，或返回文本的函数" }
end

function M.func(value)
  if type(value) ~= "function" then
    return nil, { en = "must be a function", zh = "必须是函数" }
  end
  return value
end

--- A function, "off", or where and how to write as `qqmail.log` reads it.
function M.log(value)
  if value == "off" or value == false then
    return false
  elseif type(value) == "string" then
    -- Loaded only where it is needed; and relative paths count from where `.env` does.
    local home = require("qqmail.config.layers").home()
    return require("qqmail.log").parse(value, home)
  elseif type(value) ~= "function" then
    return nil, require("qqmail.log").FORM
  end
  return value
end

local DRIVERS = { "auto", "blocking", "ngx", "cqueues", "luv", "memory" }

local function has_only(value, keys)
  for key in pairs(value) do
    if not keys[key] then
      return false
    end
  end
  return true
end

local LOOP_KEYS = { wait = true, sleep = true, closing = true, name = true }

--- How bytes are moved: a name, `{ file = dir }`, or `{ wait =, sleep = }`.
function M.io(value)
  if type(value) ~= "table" then
    return M.enum(value, { values = DRIVERS })
  end
  local waits = type(value.wait) == "function" and type(value.sleep) == "function"
  local closes = value.closing == nil or type(value.closing) == "function"
  if waits and closes and has_only(value, LOOP_KEYS) then
    return value
  elseif is_text(value.file) and has_only(value, { file = true }) then
    return value
  end
  return nil, {
    en = "must have the functions wait and sleep, or file = a directory, and nothing else",
    zh = "必须包含 wait 和 sleep 函数，或 file = 目录，且不含其他字段",
  }
end

--- A folder, or false for none.
function M.outbox_dir(value)
  if value == false or value == "off" then
    return false
  end
  return M.path(value)
end

--- true, false or "sync".
function M.durable(value)
  if type(value) == "boolean" or value == "sync" then
    return value
  elseif value == "true" or value == "false" then
    return value == "true"
  end
  return nil, { en = 'must be true, false or "sync"', zh = '必须是 true、false 或 "sync"' }
end

--- How many in a time: `{ 15, per = 60 }`, or "15/60".
function M.rate(value)
  local count, per
  if type(value) == "string" then
    count, per = value:match("^(%d+)/(%d+%.?%d*)$")
  elseif type(value) == "table" and has_only(value, { [1] = true, per = true }) then
    count, per = value[1], value.per
  end
  count, per = number(count), number(per)
  if not count or count % 1 ~= 0 or count < 1 or not (per and per > 0 and per < math.huge) then
    return nil, {
      en = "must be { messages, per = seconds }, such as { 15, per = 60 }, or \"15/60\"",
      zh = "必须是 { 封数, per = 秒数 }，如 { 15, per = 60 }，或 \"15/60\"",
    }
  end
  return { count, per = per }
end

--- Whether a value is a list without holes whose elements are all of some type.
-- @param value
-- @tparam table types set of names as `type` gives them
-- @treturn boolean
function M.is_list_of(value, types)
  if type(value) ~= "table" then
    return false
  end
  local length = #value
  for key, item in pairs(value) do
    if type(key) ~= "number" or key < 1 or key > length or key % 1 ~= 0
      or not types[type(item)] then
      return false
    end
  end
  for place = 1, length do
    -- Nobody would miss what stands behind a hole before it is needed.
    if value[place] == nil then
      return false
    end
  end
  return true
end

--- A list of tables; `qqmail.config.rules` looks into them.
function M.rules(value)
  if M.is_list_of(value, { table = true }) then
    return value
  end
  return nil, {
    en = "must be a list of rules, each a table", zh = "必须是规则列表，每项为一个表",
  }
end

--- A list of accounts, each as options or as a URL; false for none. What stands in
-- them is checked where they are loaded.
function M.accounts(value)
  if value == false then
    return {}
  end
  if M.is_list_of(value, { table = true, string = true }) then
    return value
  end
  return nil, {
    en = "must be a list of accounts, each a table of options or a URL",
    zh = "必须是账号列表，每项为选项表或 URL",
  }
end

--- What to ask of delivery reports, see `qqmail.dsn`.
function M.dsn(value)
  local read, why, key = require("qqmail.dsn").read(value)
  if read == nil and key then
    return nil, { en = "has a field that is wrong: " .. key .. " " .. why.en,
      zh = "中的 " .. key .. " 有误：" .. why.zh }
  end
  return read, why
end

--- A signature, or a list of them; false for none. What stands in them is checked where
-- they are loaded.
function M.dkim(value)
  local is_one = type(value) == "table" and value[1] == nil
  if value == false or is_one or M.is_list_of(value, { table = true }) then
    return value
  end
  return nil, {
    en = "must be a table { domain =, selector =, key_file = }, or a list of such tables",
    zh = "必须是表 { domain =, selector =, key_file = }，或其列表",
  }
end

--- An option of a later version: only "off" can be had.
function M.unsupported(value)
  if value == false or value == "" or value == "0" or value == "false" or value == "off" then
    return false
  end
  return nil, {
    en = "is not available in this version", zh = "当前版本尚不支持",
  }, "config.unsupported_option"
end

return M
