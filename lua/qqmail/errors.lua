--- Error values.
-- Every public function that fails returns `nil, err`, where `err` is a table
-- made here. `tostring(err)` is one helpful line, and `..` works with strings
-- on either side.
--
-- Lua 5.1 (PUC) only takes a string as the second argument of `assert`; write
-- `if not receipt then error(tostring(err)) end` there. LuaJIT, 5.3 and 5.4
-- accept `assert(mailer:send(message))` and print the same line.
-- @module qqmail.errors

local transcript = require("qqmail.transcript")

local M = {}

local function set(words)
  local out = {}
  for word in words:gmatch("%S+") do
    out[word] = true
  end
  return out
end

--- What went wrong, in the large.
M.kinds = set([[config message resolve connect tls auth sender recipient content rate timeout
  protocol reject cancelled closed limit]])

--- Where it went wrong.
M.phases = set([[config resolve connect proxy tls greeting ehlo starttls auth mail rcpt data body
  final quit]])

--- Whether the message may have been taken by the server all the same.
M.delivered = set("no unknown")

--- Whether and when another try makes sense.
M.retries = set("now later never")

-- The phase of an error whose maker names none.
local PHASE_OF = {
  config = "config", message = "config", closed = "config", cancelled = "config", limit = "config",
  resolve = "resolve", connect = "connect", tls = "tls", auth = "auth", sender = "mail",
  recipient = "rcpt", content = "final",
}

local chosen_lang

local function from_environment(getenv)
  for _, name in ipairs({ "QQMAIL_LANG", "LC_ALL", "LC_MESSAGES", "LANG" }) do
    local value = getenv(name)
    if value and value ~= "" then
      -- zh, zh_CN.UTF-8, zh-Hans, zh.UTF-8: the language is what stands before them.
      return value:lower():match("^%a+") == "zh" and "zh" or "en"
    end
  end
  return "en"
end

--- The language of texts made from now on.
-- @treturn string "zh" or "en"
function M.lang()
  if not chosen_lang then
    chosen_lang = from_environment(os.getenv)
  end
  return chosen_lang
end

--- Choose the language of texts made from now on, for the whole process.
-- @tparam ?string lang "zh", "en", or nil: what the environment says
function M.set_lang(lang)
  if lang ~= nil and lang ~= "zh" and lang ~= "en" then
    error('lang must be "zh" or "en"', 2)
  end
  chosen_lang = lang
end

--- Pick one language of a text.
-- @tparam ?string|table text a string, or `{ en =, zh = }`
-- @tparam ?string lang default: `M.lang()`
-- @treturn ?string
function M.resolve(text, lang)
  if type(text) ~= "table" then
    return text
  end
  return text[lang or M.lang()] or text.en or text.zh
end

-- Control characters of a server's text must not reach a log or a terminal:
-- C0, DEL, and C1 in its UTF-8 form.
local function one_line(text)
  return (text:gsub("%c+", " "):gsub("\194[\128-\159]", " "))
end

-- "550", "5.1.1" and the text, as the server wrote them.
local function reply_line(smtp)
  local parts = {}
  for _, key in ipairs({ "code", "enhanced", "text" }) do
    if smtp[key] and smtp[key] ~= "" then
      parts[#parts + 1] = tostring(smtp[key])
    end
  end
  return table.concat(parts, " ")
end

local WORDS = {
  en = { delivered = "delivered", no = "no", unknown = "unknown", at = " in ", comma = ", ",
    colon = ": ", open = " (", close = ")", stop = ".", gap = " " },
  zh = { delivered = "已投递", no = "否", unknown = "未知", at = " @ ", comma = "，",
    colon = "：", open = "（", close = "）", stop = "。", gap = "" },
}

local function place(err, words)
  if err.kind == "config" or err.kind == "message" then
    return ""
  end
  local where = err.kind
  if err.phase ~= err.kind then
    where = where .. words.at .. err.phase
  end
  return words.open .. where .. words.comma .. words.delivered .. words.colon
    .. words[err.delivered] .. words.close
end

local function ends_sentence(text)
  if text:find("[%.!%?]$") then
    return true
  end
  local last = text:sub(-3)
  return last == "。" or last == "！" or last == "？"
end

local function to_string(err)
  local words = WORDS[err.lang] or WORDS.en
  local line = err.message .. place(err, words)
  if err.hint then
    line = line .. (ends_sentence(line) and "" or words.stop) .. words.gap .. err.hint
  end
  if err.help_url then
    line = line .. " " .. err.help_url
  end
  return one_line("qqmail: " .. line)
end

local meta = {
  __name = "qqmail.error",
  __tostring = to_string,
  __concat = function(left, right)
    return tostring(left) .. tostring(right)
  end,
}

local function check_member(field, value, allowed)
  if not allowed[value] then
    error("errors.new: unknown " .. field .. " " .. tostring(value), 3)
  end
end

local function check_numbers(err)
  local after = err.retry_after
  if after ~= nil and not (type(after) == "number" and after >= 0 and after < math.huge) then
    error("errors.new: retry_after must be a number of seconds", 3)
  end
  if err.attempts ~= nil and type(err.attempts) ~= "number" then
    error("errors.new: attempts must be a number", 3)
  end
end

local function check_code(code)
  if type(code) ~= "string" or not code:find("^[a-z][a-z0-9_.]*$") then
    error("errors.new: code must be a symbol such as auth.refused, got " .. tostring(code), 3)
  end
end

local TEXT_FIELDS = { text = true, text_en = true, text_zh = true, hint_en = true, hint_zh = true }

local function pair(spec, name)
  local value = spec[name]
  if value == nil and (spec[name .. "_en"] or spec[name .. "_zh"]) then
    value = { en = spec[name .. "_en"], zh = spec[name .. "_zh"] }
  end
  return value
end

-- What the maker does not say comes from the catalogue, which is loaded for the first
-- such error: programs that only check settings need not have it. A hint of the maker's
-- own does not go with the help page of another.
local function complete(err, hint)
  local diagnose = require("qqmail.diagnose")
  local row = diagnose.code(err.code)
  if not err.retry then
    err.retry = row and row.retry or "never"
    err.retry_after = err.retry_after or (row and row.retry_after)
  end
  if hint then
    return hint
  elseif err.delivered == "unknown" then
    return diagnose.when_unknown
  end
  local url
  hint, url = diagnose.advice(err.code, err.kind)
  err.help_url = err.help_url or url
  return hint
end

--- Make an error value.
-- What is left out of `retry`, `hint` and `help_url` is filled in from
-- `qqmail.catalogue`, so that every error has a remedy. Fields beside those below are
-- kept as they are. A field outside its list is a mistake in the program and raises.
-- @tparam table spec
-- `kind` `code` (required) `phase` `delivered` ("no") `retry`
-- `retry_after` `smtp` `recipients` `field` `position` `help_url` `transcript`
-- `attempts` `lang`; `text` and `hint` are strings or `{ en =, zh = }`, or are
-- given as `text_en`, `text_zh`, `hint_en`, `hint_zh`; `text` may be left out
-- when `smtp` is there
-- @treturn table the error; `err.message` is the sentence without decoration
function M.new(spec)
  local err = {}
  for key, value in pairs(spec) do
    if not TEXT_FIELDS[key] then
      err[key] = value
    end
  end
  err.phase = err.phase or PHASE_OF[err.kind]
  err.delivered = err.delivered or "no"
  err.transcript = err.transcript or {}
  check_member("kind", err.kind, M.kinds)
  check_code(err.code)
  local hint = complete(err, pair(spec, "hint"))
  check_member("phase", err.phase, M.phases)
  check_member("delivered", err.delivered, M.delivered)
  check_member("retry", err.retry, M.retries)
  check_numbers(err)

  err.lang = err.lang or M.lang()
  local text = M.resolve(pair(spec, "text"), err.lang) or (err.smtp and reply_line(err.smtp))
  if type(text) ~= "string" or text == "" then
    error("errors.new: text is missing (" .. err.code .. ")", 2)
  end
  err.message = text
  err.hint = M.resolve(hint, err.lang)
  return setmetatable(err, meta)
end

--- The dialogue that led to an error, to be printed: one line each for what was said
-- and done, with the seconds since the connection was begun. "C:" is what we said,
-- "S:" the server, "*" a remark. Secrets are masked.
-- @tparam table err
-- @treturn string "" when nothing was tried, as with a wrong setting
function M.transcript(err)
  return table.concat(transcript.lines(err.transcript), "\n")
end

--- Is this value an error made by qqmail?
-- @param value anything
-- @treturn boolean
function M.is(value)
  return type(value) == "table" and getmetatable(value) == meta
end

return M
