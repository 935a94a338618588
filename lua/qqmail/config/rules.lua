--- The option `rules`: what users know about their server's errors.
-- They become rows as those of `qqmail.catalogue`, and are tried before ours.
-- @module qqmail.config.rules

local base = require "qqmail.config.loader"
local catalogue = require "qqmail.catalogue"
local diagnose = require "qqmail.diagnose"
local errors = require "qqmail.errors"
local options = require "qqmail.options"
local suggest = require "qqmail.suggest"

local M = {}

local FIELDS = { "text", "code", "phase", "enhanced", "host", "reason", "as", "retry",
  "retry_after", "hint", "help_url" }

local ELSEWHERE = { url = "help_url", help = "help_url", after = "retry_after",
  later = "retry_after", delay = "retry_after", kind = "as", error = "as", match = "text",
  contains = "text", status = "code" }

-- Here nothing is answered that a rule could look at.
local WITHOUT_REPLIES = { config = true, resolve = true, connect = true, proxy = true, tls = true }

local function has_replies(phases)
  for _, phase in ipairs(phases or { "mail" }) do
    if not WITHOUT_REPLIES[phase] then
      return true
    end
  end
  return false
end

-- At least one of these makes a rule.
local CONDITIONS = { "text", "code", "phase", "enhanced", "host", "reason" }

local function words(set)
  local out = {}
  for word in pairs(set) do
    out[#out + 1] = word
  end
  table.sort(out)
  return out
end

-- Reasons of failures, as our own rules know them.
local function known_reasons()
  local set = { unknown = true, unexpected = true }
  for _, rule in ipairs(catalogue.rules) do
    for _, reason in ipairs(rule.reason or {}) do
      set[reason] = true
    end
  end
  return words(set)
end

local function is_text(value)
  return type(value) == "string" and value ~= ""
end

local NOT_TEXT = { en = "must be a text that is not empty, or a list of them",
  zh = "必须是非空文本或其列表" }

local function lower_text(value)
  if not is_text(value) then
    return nil, NOT_TEXT
  end
  return diagnose.lower(value)
end

-- A name, or ".example.com" for all in that domain.
local function server_name(value)
  local name, why = lower_text(value)
  if not name then
    return nil, why
  elseif name:find("*", 1, true) then
    return nil, { en = 'must be a host name; ".example.com" stands for all in that domain',
      zh = '必须是主机名；".example.com" 表示该域下的所有主机' }
  end
  return (name:gsub("%.$", ""))
end

local function reply_code(value)
  local number = tonumber(value)
  if number and number >= 200 and number <= 599 and number % 1 == 0 then
    return number
  elseif value == "4xx" or value == "5xx" then
    return value
  end
  return nil, { en = 'must be a reply code such as 550, "4xx" or "5xx", or a list of them',
    zh = '必须是 550 这样的应答码、"4xx"、"5xx" 或其列表' }
end

local function enhanced_code(value)
  if type(value) == "string" and value:find("^[245]%.%d%d?%d?%.%d%d?%d?$") then
    return value
  end
  return nil, { en = 'must be an enhanced code such as "5.7.1", or a list of them',
    zh = '必须是 "5.7.1" 这样的增强码或其列表' }
end

local function member(names)
  return function(value)
    for _, name in ipairs(names) do
      if value == name then
        return name
      end
    end
    local meant = suggest.closest(value, names)
    return nil, {
      en = "must be one of " .. table.concat(names, ", ")
        .. (meant and ('; did you mean "%s"?'):format(meant) or ""),
      zh = "必须是 " .. table.concat(names, "、") .. " 之一"
        .. (meant and ('，是否想写 "%s"？'):format(meant) or ""),
    }
  end
end

local CHECKS = {
  text = lower_text, code = reply_code, phase = member(words(errors.phases)),
  enhanced = enhanced_code, host = server_name, reason = member(known_reasons()),
}

-- One value, or a list of them: always a list.
local function condition(name, value)
  if type(value) ~= "table" then
    value = { value }
  end
  local out, length = {}, #value
  for key in pairs(value) do
    if type(key) ~= "number" or key < 1 or key > length or key % 1 ~= 0 then
      length = 0
    end
  end
  for i = 1, length do
    local item, why = CHECKS[name](value[i])
    if item == nil then
      return nil, why
    end
    out[i] = item
  end
  if #out == 0 then
    return nil, { en = "must be one value or a list of values without gaps",
      zh = "必须是一个值，或没有空缺的列表" }
  end
  return out
end

local function code_of_error(value)
  local kind = type(value) == "string" and value:match("^([a-z]+)%.[a-z][a-z0-9_]*$")
  if kind and errors.kinds[kind] then
    return value
  elseif type(value) == "string" and diagnose.code(value) then
    return value
  end
  local meant = kind and suggest.closest(kind, words(errors.kinds))
  return nil, {
    en = 'must be "kind.name", such as "rate.frequency_limited", with a kind that exists'
      .. (meant and ('; did you mean "%s"?'):format(meant) or ""),
    zh = '必须是 "种类.名称"，如 "rate.frequency_limited"，且种类存在'
      .. (meant and ('，是否想写 "%s"？'):format(meant) or ""),
  }
end

local function seconds(value)
  if type(value) == "number" and value >= 0 and value < math.huge then
    return value
  end
  return nil, { en = "must be a number of seconds, 0 or more", zh = "必须是不小于 0 的秒数" }
end

local function hint_text(value)
  local is_pair = type(value) == "table" and next(value) ~= nil
  for lang, text in pairs(is_pair and value or {}) do
    is_pair = is_pair and (lang == "en" or lang == "zh") and is_text(text)
  end
  if is_pair then
    return { en = value.en, zh = value.zh }
  elseif is_text(value) then
    return value
  end
  return nil, { en = "must be a text or { en = text, zh = text }",
    zh = "必须是文本，或 { en = 文本, zh = 文本 }" }
end

local function web_address(value)
  if type(value) == "string" and value:find("^https?://[!-~]+$") then
    return value
  end
  return nil, { en = "must be an https:// address", zh = "必须是 https:// 地址" }
end

local ANSWERS = {
  as = { check = code_of_error, to = "as" },
  retry = { check = member({ "now", "later", "never" }), to = "retry" },
  retry_after = { check = seconds, to = "later" },
  hint = { check = hint_text, to = "hint" },
  help_url = { check = web_address, to = "url" },
}

local function unknown_field(name)
  local meant = type(name) == "string"
    and (ELSEWHERE[name:lower()] or suggest.closest(name, FIELDS))
  return {
    en = "is no field of a rule" .. (meant and ('; did you mean "%s"?'):format(meant) or ""),
    zh = "不是规则的字段" .. (meant and ('，是否想写 "%s"？'):format(meant) or ""),
  }
end

-- What the fields say together; answers the name of the one at fault.
local function contradiction(rule)
  if not rule.as then
    return "as", { en = "is missing: it names the code of the error", zh = "缺失：应为错误的 code" }
  end
  local is_bound = false
  for _, name in ipairs(CONDITIONS) do
    is_bound = is_bound or rule[name] ~= nil
  end
  if not is_bound then
    return nil, { en = "has no condition and would take every error: give "
      .. table.concat(CONDITIONS, ", ", 1, #CONDITIONS - 1) .. " or " .. CONDITIONS[#CONDITIONS],
      zh = "没有条件，会匹配所有错误：请给出 " .. table.concat(CONDITIONS, "、") .. " 之一" }
  elseif rule.reason and (rule.code or rule.enhanced) then
    return "reason", { en = "is of failures without a reply, which have no code",
      zh = "用于没有应答的失败，不能与 code 或 enhanced 同时使用" }
  elseif not rule.reason and not has_replies(rule.phase) then
    return "phase", { en = "has no replies of the server: add `reason`, such as \"timeout\"",
      zh = "阶段没有服务器应答：请加上 reason，如 \"timeout\"" }
  elseif rule.later and rule.retry and rule.retry ~= "later" then
    return "retry_after", { en = 'goes with retry = "later" only', zh = '只能与 retry = "later" 同用' }
  end
end

-- A row, or nil, the name of the field at fault and why.
local function make(given)
  local rule = {}
  for name, value in pairs(given) do
    local answer = ANSWERS[name]
    local made, why
    if answer then
      made, why = answer.check(value)
      rule[answer.to] = made
    elseif CHECKS[name] then
      made, why = condition(name, value)
      rule[name] = made
    else
      why = unknown_field(name)
    end
    if made == nil then
      return nil, name, why, not (answer or CHECKS[name]) and "config.unknown_option" or nil
    end
  end
  local name, why = contradiction(rule)
  if why then
    return nil, name, why
  end
  return rule
end

--- Settle `rules`: a list of rows for `qqmail.diagnose`.
-- @tparam table self loader
-- @treturn ?boolean true
-- @treturn ?table the error, whose `field` is such as "rules[2].retry"
function M.settle(self)
  local ok, err = self:settle(options.by_key.rules)
  if not ok then
    return nil, err
  end
  local rules = {}
  for i, given in ipairs(self.settings.rules) do
    local rule, name, why, code = make(given)
    if not rule then
      local field = ("rules[%d]"):format(i) .. (name ~= nil and "." .. tostring(name) or "")
      return self:fault(code or "config.invalid_value", field, base.sentence(field, nil, why))
    end
    rules[i] = rule
  end
  self.settings.rules = rules
  return true
end

return M
