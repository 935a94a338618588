--- What a failure means, and what to do about it.
--
-- A reply is judged by its text first: some 550 are over in an hour, some 4xx
-- never. The rules are data (`qqmail.catalogue`), the first that matches wins, and
-- those of the user come before ours; what no rule knows falls to the general rules at
-- the end, by phase and class of the code.
-- @module qqmail.diagnose

local catalogue = require "qqmail.catalogue"
local where = require "qqmail.where"

local M = {}

-- What a server says is looked at as far as this. Each rule reads it once.
local TEXT_MAX = 4096

local codes, kinds = {}, {}

for _, row in ipairs(catalogue.codes) do
  codes[row.code] = row
end

for _, row in ipairs(catalogue.kinds) do
  kinds[row.kind] = row
end

--- The catalogue's row of a code.
-- @tparam string code
-- @treturn ?table see `qqmail.catalogue`; nil: a code of somebody else
function M.code(code)
  return codes[code]
end

--- The kind of a code: that of its row, else the part in front of the dot.
-- @tparam string code
-- @treturn string
function M.kind_of(code)
  local row = codes[code]
  return row and row.kind or code:match("^[^.]+")
end

--- The advice for a code.
-- @tparam string code
-- @tparam ?string kind of the error, for a code that is not in the catalogue
-- @treturn ?table `{ en =, zh = }`
-- @treturn ?string help page
function M.advice(code, kind)
  local row = codes[code]
  if row then
    return row.hint, row.url
  end
  local general = kinds[kind or M.kind_of(code)]
  return general and general.hint
end

--- The advice where nobody can know whether a message was delivered.
M.when_unknown = catalogue.when_unknown

-- string.lower() asks the locale, and would change bytes of UTF-8 under some.
local LOWER = {}

for byte = 65, 90 do
  LOWER[string.char(byte)] = string.char(byte + 32)
end

--- Letters of ASCII in lower case.
-- @tparam string text
-- @treturn string
function M.lower(text)
  return (text:gsub("[A-Z]", LOWER))
end

local function one_of(list, value)
  for _, item in ipairs(list) do
    if item == value then
      return true
    end
  end
  return false
end

local function has_part(list, text)
  for _, part in ipairs(list) do
    if text:find(part, 1, true) then
      return true
    end
  end
  return false
end

local function begins_with(list, text)
  for _, part in ipairs(list) do
    if text:sub(1, #part) == part then
      return true
    end
  end
  return false
end

-- Whether all addresses are of a kind; not so when none was tried.
local function all_are(addresses, is_so)
  for _, address in ipairs(addresses) do
    if not is_so(address) then
      return false
    end
  end
  return #addresses > 0
end

local function is_ipv6(address)
  return address:find(":", 1, true) ~= nil
end

-- ".example.com" stands for every name in that domain.
local function is_host(list, host)
  for _, name in ipairs(list) do
    if host == name or (host and name:sub(1, 1) == "." and host:sub(-#name) == name) then
      return true
    end
  end
  return false
end

local PLAIN = { "phase", "reason", "enhanced", "port", "tls" }

local function matches(rule, event)
  local about_failure = rule.failure or rule.reason ~= nil
  if about_failure ~= event.is_failure then
    return false
  end
  for _, name in ipairs(PLAIN) do
    if rule[name] and not one_of(rule[name], event[name]) then
      return false
    end
  end
  if rule.host and not is_host(rule.host, event.host) then
    return false
  end
  if rule.code and not (one_of(rule.code, event.code) or one_of(rule.code, event.class)) then
    return false
  end
  if rule.ipv6 and not all_are(event.addresses, is_ipv6) then
    return false
  end
  if rule.address and not all_are(event.addresses, function(address)
    return begins_with(rule.address, address)
  end) then
    return false
  end
  return not rule.text or has_part(rule.text, event.text)
end

local function first_match(rules, event)
  for _, rule in ipairs(rules or {}) do
    if matches(rule, event) then
      return rule
    end
  end
end

-- A rule's own hint leads nowhere the code's help page would.
local function verdict(rule)
  local row = codes[rule.as] or {}
  local retry = rule.retry or (rule.later and "later") or row.retry or "never"
  local kind = M.kind_of(rule.as)
  local hint, url = M.advice(rule.as, kind)
  return {
    kind = kind, code = rule.as, retry = retry,
    retry_after = rule.later or (retry == row.retry and row.retry_after) or nil,
    retry_is_guess = rule.guess, hint = rule.hint or hint,
    help_url = rule.url or (not rule.hint and url) or nil,
  }
end

-- What a rule of the user says, but for one thing: a refused login is never tried again
-- by itself, since each failure brings the account closer to being locked.
local function users_verdict(rule, is_refused_login)
  local found = verdict(rule)
  if is_refused_login then
    found.retry, found.retry_after = "never", nil
  end
  return found
end

local function host_of(name)
  return name and M.lower(name):gsub("%.$", "") or nil
end

local function text_of(text)
  return M.lower((text or ""):sub(1, TEXT_MAX))
end

--- What a refusal of the server means.
-- @tparam table event `phase`, `code` (number), `enhanced`, `text` (UTF-8), `host`
-- @tparam ?table rules of the user, as in the catalogue; they are tried first
-- @treturn table `kind`, `code`, `retry`, `retry_after`, `retry_is_guess` (true when
-- no rule of the provider asks for it), `hint` = `{ en =, zh = }`, `help_url`
function M.reply(event, rules)
  local seen = {
    is_failure = false, phase = event.phase, code = event.code, enhanced = event.enhanced,
    text = text_of(event.text), host = host_of(event.host), addresses = {},
    class = event.code and ("%dxx"):format(math.floor(event.code / 100)),
  }
  local own = first_match(rules, seen)
  if own then
    return users_verdict(own, seen.phase == "auth" and seen.class == "5xx")
  end
  return verdict(first_match(catalogue.rules, seen))
end

local function addresses_of(failure)
  local out = {}
  for i, attempt in ipairs(failure.tried or {}) do
    out[i] = attempt.address or ""
  end
  return out
end

-- The server as users wrote it; while its name is looked up, without the port.
local function server_of(settings, phase)
  if settings.socket then
    return settings.socket
  end
  local host = settings.host or "the server"
  return settings.port and phase ~= "resolve" and where.with_port(host, settings.port) or host
end

local function sentence(says, words)
  return { en = says.en:gsub("{(%l+)}", words), zh = says.zh:gsub("{(%l+)}", words) }
end

--- What a failure without a reply means.
-- @tparam table failure `phase` ("resolve", "connect", "tls", or a phase of the
-- dialogue), `reason`: of an io driver ("timeout", "refused", "unreachable", "not_found",
-- "again", "denied", "closed"), of `qqmail.tls` ("expired" ...) or of the session
-- ("bad_reply" ...); `tried`: list of `{ address = }`; `text` of the system
-- @tparam ?table settings `host`, `port`, `tls`, `socket`, `rules`
-- @treturn table as `reply`, and `text` = `{ en =, zh = }`
function M.failure(failure, settings)
  settings = settings or {}
  local seen = {
    is_failure = true, phase = failure.phase, reason = failure.reason or "unknown",
    text = text_of(failure.text), host = host_of(settings.host), port = settings.port,
    tls = settings.tls, addresses = addresses_of(failure),
  }
  local ours, own = first_match(catalogue.rules, seen), first_match(settings.rules, seen)
  local found = verdict(ours)
  if own then
    found = users_verdict(own, failure.phase == "auth" and found.kind == "auth")
  end
  found.text = sentence(ours.says,
    { server = server_of(settings, failure.phase), phase = failure.phase })
  return found
end

return M
