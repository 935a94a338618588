--- The field `calendar` of a message: an invitation, its answer or its withdrawal.
--
-- It goes twice, as readers want it: among the texts as `text/calendar`, of which Gmail
-- and Outlook make buttons (RFC 6047 section 2.4), and as a file `invite.ics`, which
-- others open. What it says about the method in its type is what its text says.
-- @module qqmail.message.calendar

local content = require "qqmail.message.content"
local fault = require "qqmail.message.fault"
local suggest = require "qqmail.suggest"

local M = {}

local KEYS = { "method", "data", "path", "name", "attach" }

local FORMS = { en = "a string or { method =, data = | path =, name =, attach = }",
  zh = "字符串或 { method =, data = | path =, name =, attach = }" }

-- RFC 5546 section 1.4.
local METHODS = { "PUBLISH", "REQUEST", "REPLY", "ADD", "CANCEL", "REFRESH", "COUNTER",
  "DECLINECOUNTER" }

local IS_METHOD = {}
for _, method in ipairs(METHODS) do
  IS_METHOD[method] = true
end

local TYPES = { method = "string", data = "string", path = "string", name = "string",
  attach = "boolean" }

local WORDS = { string = { en = "a string", zh = "字符串" },
  boolean = { en = "true or false", zh = " true 或 false" } }

local function shown(word)
  return (word:gsub("[%c\127-\255]", "?"):sub(1, 40))
end

local function check_form(lang, value)
  local ok, err = content.check_keys(lang, "calendar", value, KEYS)
  if not ok then
    return nil, err
  end
  for key, expected in pairs(TYPES) do
    if value[key] ~= nil and type(value[key]) ~= expected then
      return nil, fault.type(lang, "calendar." .. key, WORDS[expected], value[key])
    end
  end
  if (value.data == nil) == (value.path == nil) then
    return nil, fault.new(lang, "message.bad_value", "calendar",
      { en = "needs exactly one of data and path", zh = "需要 data 与 path 之一" })
  end
  return true
end

-- --- the text ---------------------------------------------------------------------

-- One kind of line end, and no mark in front that some editors write.
local function normalized(text)
  text = text:gsub("^\239\187\191", ""):gsub("\r\n?", "\n")
  return (text:sub(-1) == "\n" and text or text .. "\n"):gsub("\n", "\r\n")
end

local function bad(lang, text, position)
  return nil, fault.new(lang, "message.bad_calendar", "calendar", text, { position = position })
end

-- The text, less the blank lines behind it, which no iCalendar text has (RFC 5545
-- section 3.4).
local function whole_text(lang, text)
  if not text:find("^[Bb][Ee][Gg][Ii][Nn]:[Vv][Cc][Aa][Ll][Ee][Nn][Dd][Aa][Rr]%s") then
    return bad(lang, { en = "is no iCalendar text: it does not begin with BEGIN:VCALENDAR",
      zh = "不是 iCalendar 文本：开头不是 BEGIN:VCALENDAR" }, 1)
  end
  local last = text:upper():match("\r\nEND:VCALENDAR()[\r\n \t]*$")
  if not last then
    return bad(lang, { en = "is cut off: it does not end with END:VCALENDAR",
      zh = "不完整：结尾不是 END:VCALENDAR" })
  end
  return text:sub(1, last - 1) .. "\r\n"
end

-- What the lines METHOD say (RFC 5545 section 3.7.2); a line that is folded goes on
-- behind a blank.
local function said_method(lang, text)
  local said
  for name, rest in text:gsub("\r\n[ \t]", ""):gmatch("\n([^:;\r\n]*)([^\r\n]*)") do
    if #name == 6 and name:upper() == "METHOD" then
      local value = (rest:match("^[^:]*:%s*(%S*)") or ""):upper()
      if said and said ~= value then
        return nil, fault.new(lang, "message.bad_calendar", "calendar", {
          en = ("says METHOD:%s and METHOD:%s"):format(shown(said), shown(value)),
          zh = ("同时写有 METHOD:%s 与 METHOD:%s"):format(shown(said), shown(value)),
        })
      end
      said = value
    end
  end
  return said or false
end

local function check_method(lang, field, method)
  if IS_METHOD[method] then
    return true
  end
  local meant = suggest.closest(method, METHODS)
  return nil, fault.new(lang, "message.bad_value", field, {
    en = ('has "%s", which is no method of iTIP'):format(shown(method))
      .. (meant and ("; did you mean %s?"):format(meant) or ""),
    zh = ('中的 "%s" 不是 iTIP 方法'):format(shown(method))
      .. (meant and ("，是否想写 %s？"):format(meant) or ""),
  })
end

-- RFC 6047 section 2.4: the two must be the same. A text without a method gets the one
-- that was asked for: without it readers show a file and no invitation.
local function agree(lang, text, given)
  local said, err = said_method(lang, text)
  if said == nil then
    return nil, nil, err
  end
  local method, ok = given and given:upper() or said, true
  if method then
    ok, err = check_method(lang, given and "calendar.method" or "calendar", method)
  end
  if not ok then
    return nil, nil, err
  elseif said and said ~= method then
    return nil, nil, fault.new(lang, "message.bad_calendar", "calendar.method", {
      en = ("is %s, but the calendar says METHOD:%s"):format(method, shown(said)),
      zh = ("为 %s，但日历内容中是 METHOD:%s"):format(method, shown(said)),
    })
  elseif method and not said then
    local first = text:find("\r\n", 1, true)
    text = text:sub(1, first + 1) .. "METHOD:" .. method .. text:sub(first)
  end
  return text, method or nil
end

local function text_of(lang, value)
  local text = value.data
  if not text then
    local err
    text, err = content.read_whole(lang, "calendar", value.path)
    if not text then
      return nil, err
    end
  end
  local control = text:find("[%z\1-\8\11\12\14-\31\127]")
  if control then
    return nil, fault.new(lang, "message.control_character", "calendar",
      { en = "contains a control character", zh = "含有控制字符" }, { position = control })
  end
  return whole_text(lang, normalized(text))
end

-- --- the parts --------------------------------------------------------------------

local function attachment_of(ctx, value, text)
  if value.attach == false then
    return nil
  end
  local name, err = "invite.ics", nil
  if value.name then
    name, err = content.file_name(ctx, "calendar", value.name)
  end
  if not name then
    return nil, err
  end
  return { source = { data = text }, name = name, type = "application/ics", field = "calendar" }
end

--- The parts of a calendar.
-- @tparam table ctx `lang`, `convert`
-- @param value iCalendar text in UTF-8, or `{ data = | path =, method =, name =, attach = }`;
-- `name` of the file, "invite.ics"; `attach = false`: no file. A text without METHOD
-- gets that of `method`.
-- @treturn ?table part among the texts
-- @treturn ?table attachment
-- @treturn ?table error
function M.make(ctx, value)
  if type(value) == "string" then
    value = { data = value }
  elseif type(value) ~= "table" then
    return nil, nil, fault.type(ctx.lang, "calendar", FORMS, value)
  end
  local ok, err = check_form(ctx.lang, value)
  local text, method, attachment
  if ok then
    text, err = text_of(ctx.lang, value)
  end
  if text then
    text, method, err = agree(ctx.lang, text, value.method)
  end
  if text then
    attachment, err = attachment_of(ctx, value, text)
  end
  if err then
    return nil, nil, err
  end
  return { source = { data = text }, method = method, field = "calendar" }, attachment
end

return M
