--- Preflight: what is likely to go wrong with a message, found before it is sent.
--
-- A message that was built is correct; what is looked for here is what servers refuse,
-- filters count against a mail or readers show badly all the same. Time grows with the
-- length of the texts, of which the first 256 KiB are looked at.
-- @module qqmail.lint

local covers = require "qqmail.cover"
local errors = require "qqmail.errors"
local mails = require "qqmail.lint.mail"
local providers = require "qqmail.providers"
local suggest = require "qqmail.suggest"
local texts = require "qqmail.lint.texts"

local M = {}

-- In the order of the findings of one severity.
local RULES = {}
for index, name in ipairs({ "sender", "recipients", "header", "body", "attachments",
  "smime" }) do
  RULES[index] = require("qqmail.lint." .. name)
end

-- The worst first.
local SEVERITIES = { "error", "warning", "advice" }

-- Of one code so many are told: twenty bad links are one mistake.
local ALIKE_MAX = 5

local WORDS = {
  en = { error = "error", warning = "warning", advice = "advice", none = "nothing to object",
    colon = ": ", gap = " " },
  zh = { error = "错误", warning = "警告", advice = "建议", none = "未发现问题", colon = "：", gap = "" },
}

-- --- findings ---------------------------------------------------------------------

local function ends_sentence(text)
  return text:find("[%.!%?]$") ~= nil
end

local function line_of(finding)
  local own = WORDS[finding.lang]
  local stop = finding.lang == "zh" and "。" or (ends_sentence(finding.text) and "" or ".")
  return own[finding.severity] .. own.colon .. finding.field .. own.colon .. finding.text .. stop
    .. own.gap .. finding.hint .. " (" .. finding.code .. ")"
end

local Finding = { __name = "qqmail.finding", __tostring = line_of }

local List = {
  __name = "qqmail.findings",
  __tostring = function(list)
    if #list == 0 then
      return WORDS[list.lang].none
    end
    local lines = {}
    for index, finding in ipairs(list) do
      lines[index] = tostring(finding)
    end
    return table.concat(lines, "\n")
  end,
}

-- Values are shown in part, on one line: a subject is as its writer likes.
local function shown(value)
  local text = tostring(value):gsub("%c+", " "):gsub("\194[\128-\159]", " ")
  if #text <= 120 then
    return text
  end
  local cut = 117
  while cut > 100 and text:find("^[\128-\191]", cut + 1) do
    cut = cut - 1
  end
  return text:sub(1, cut) .. "..."
end

-- A blank stands between Chinese and Latin script only.
local function spaced(before, text, after)
  before = text:find("^[\128-\255]") and "" or before
  return before .. text .. (text:find("[\128-\255]$") and "" or after)
end

local function fill(text, slots, lang)
  return (errors.resolve(text, lang):gsub("( ?){(%a+)}( ?)", function(before, name, after)
    local value = slots[name]
    if value == nil then
      return nil
    end
    value = shown(type(value) == "table" and errors.resolve(value, lang) or value)
    return lang == "zh" and spaced(before, value, after) or before .. value .. after
  end))
end

local function make(code, field, slots, severity, lang)
  local row = assert(texts[code], code)
  return setmetatable({
    code = code, field = field, severity = severity or row.severity, lang = lang,
    text = fill(row, slots or {}, lang), hint = fill(row.hint, slots or {}, lang),
  }, Finding)
end

local function collector(lang)
  local by_severity, counts = { error = {}, warning = {}, advice = {} }, {}
  local function add(code, field, slots, severity)
    counts[code] = (counts[code] or 0) + 1
    if counts[code] <= ALIKE_MAX then
      local finding = make(code, field, slots, severity, lang)
      table.insert(by_severity[finding.severity], finding)
    end
  end
  return add, by_severity
end

local function list_of(by_severity, lang)
  local list = { lang = lang, counts = {} }
  for _, severity in ipairs(SEVERITIES) do
    list.counts[severity] = #by_severity[severity]
    for _, finding in ipairs(by_severity[severity]) do
      list[#list + 1] = finding
    end
  end
  return setmetatable(list, List)
end

-- --- for which provider -----------------------------------------------------------

local KEYS = { "provider", "user", "size", "bulk" }

local TYPES = { user = "string", size = "number", bulk = "boolean" }

local function unknown_provider(key, lang)
  local name, meant = covers.shown(key), suggest.closest(key, providers.keys())
  return nil, errors.new({ kind = "config", code = "config.unknown_provider", field = "provider",
    lang = lang, text = {
      en = ('there is no provider "%s"'):format(name)
        .. (meant and ('; did you mean "%s"?'):format(meant) or ""),
      zh = ('没有名为 "%s" 的服务商'):format(name) .. (meant and ('，是否想写 "%s"？'):format(meant) or ""),
    } })
end

local function preset_of(value, lang)
  if value == nil then
    return false
  elseif type(value) == "table" and type(value.from_policy) == "string" then
    return value
  elseif type(value) ~= "string" then
    error("message:lint: provider must be a key or a preset, not a " .. type(value), 4)
  end
  local preset = providers.get(value:lower())
  if preset then
    return preset
  end
  return unknown_provider(value, lang)
end

local function unknown_key(key, lang)
  local name, meant = covers.shown(tostring(key)), suggest.closest(key, KEYS)
  return nil, errors.new({ kind = "config", code = "config.unknown_option", field = name,
    lang = lang, text = {
      en = ('lint: unknown option "%s"'):format(name)
        .. (meant and ('; did you mean "%s"?'):format(meant) or ""),
      zh = ('lint：未知选项 "%s"'):format(name) .. (meant and ('，是否想写 "%s"？'):format(meant) or ""),
    } })
end

local function check_given(given, lang)
  for key, value in pairs(given) do
    if key ~= "provider" and not TYPES[key] then
      return unknown_key(key, lang)
    elseif TYPES[key] and type(value) ~= TYPES[key] then
      error(("message:lint: %s must be a %s, not a %s"):format(key, TYPES[key], type(value)), 4)
    end
  end
  return true
end

local function world_of(given, lang)
  if type(given) ~= "table" or type(given.from_policy) == "string" then
    given = { provider = given }
  end
  local ok, err = check_given(given, lang)
  local preset
  if ok then
    preset, err = preset_of(given.provider, lang)
  end
  if err then
    return nil, err
  end
  return { preset = preset or nil, user = given.user, size = given.size, bulk = given.bulk,
    now = os.time() }
end

--- Look through a message.
-- @tparam table built message
-- @param given key of a preset ("qq"), a preset, or `{ provider =, user = (login), size =
--   (bytes the server takes), bulk = (whether it is one of many) }`; nil: what holds
--   everywhere
-- @tparam ?table options `lang`; `may_read` = true: files are opened as well
-- @treturn ?table list of `{ code =, field =, severity = "error"|"warning"|"advice",
--   text =, hint =, lang = }`, the worst first; `counts` by severity; `tostring` gives
--   one line for each
-- @treturn ?table error: there is no such provider
function M.check(built, given, options)
  options = options or {}
  local lang = options.lang or built.lang or errors.lang()
  local world, err = world_of(given, lang)
  if not world then
    return nil, err
  end
  local mail = mails.view(built, options.may_read or false)
  local add, by_severity = collector(lang)
  for _, rule in ipairs(RULES) do
    rule.check(mail, world, add)
  end
  return list_of(by_severity, lang)
end

return M
