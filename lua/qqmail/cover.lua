--- Keeps secrets out of whatever is shown.
--
-- Users paste an authorization code into the wrong place: as `user`, as `host`, into a
-- URL that is no URL, as the name of an option. A cover learns what may be secret from
-- what the user gave (what was given as a secret, whatever it looks like, and anything
-- else that looks like a code), and masks that wherever it turns up later: in errors,
-- warnings, transcripts, log lines, settings that are printed. What a server or a
-- library says on its own account is never judged by its looks.
-- @module qqmail.cover

local M = {}

--- What stands in for a secret wherever it would be shown. Always the same, so that
-- not even its length is told.
M.MASK = "******"

-- QQ's codes have so many letters, and so have the passwords of other providers for
-- single programs, which are shown in groups of four.
local LETTERS = 16

-- A shorter secret is no more than a word: to mask "mail" everywhere would tell more
-- than it hides.
local SHORTEST = 6

-- A body or an attachment is no setting. Access tokens that tell of many roles are long.
local LONGEST_TEXT, LONGEST_SECRET, DEEPEST = 4096, 16384, 8

-- --- what looks like a code -----------------------------------------------------

local GROUP = "[A-Za-z][A-Za-z][A-Za-z][A-Za-z]"
local GROUPS = GROUP .. "%s+" .. GROUP .. "%s+" .. GROUP .. "%s+" .. GROUP

-- Around the letters: a code stands alone, or in a URL or a sentence. Letters that go
-- on behind a dot or a hyphen are a host name; before "@" they are part of an address,
-- but for "user:code@host" and "smtps://code@host".
local function stands_alone(text, first, last)
  local before, behind = text:sub(first - 1, first - 1), text:sub(last + 1, last + 1)
  if before:find("%w") or behind:find("%w") then
    return false
  elseif text:find("^@%w", last + 1) then
    return before == ":" or before == "/"
  end
  return not text:find("^[.-]%w", last + 1) and not text:sub(first - 2, first - 1):find("^%w[.-]$")
end

local function find_runs(text, found)
  for first, run, behind in text:gmatch("()([A-Za-z]+)()") do
    if #run == LETTERS and stands_alone(text, first, behind - 1) then
      found[#found + 1] = run
    end
  end
end

local function find_groups(text, found)
  for first, groups, behind in text:gmatch("()(" .. GROUPS .. ")()") do
    -- In the middle of a sentence four words of four letters are just words.
    local before, after = text:sub(first - 1, first - 1), text:sub(behind, behind)
    if not before:find("[%w%s]") and not after:find("[%w%s]") then
      found[#found + 1] = groups
    end
  end
end

-- Typed while the input method was set to full-width letters: three bytes each.
local function find_wide(text, found)
  for run in text:gmatch("[\128-\191\239]+") do
    local letters = run:gsub("^[\128-\191]+", "")
    local others = letters:gsub("\239\188[\161-\186]", ""):gsub("\239\189[\129-\154]", "")
    if #letters == 3 * LETTERS and others == "" then
      found[#found + 1] = letters
    end
  end
end

-- "%40" is no part of the letters that follow it.
local function decoded(text)
  return (text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

local function trim(text)
  local first, last = text:find("%S") or #text + 1, #text
  while last > first and text:find("^%s", last) do
    last = last - 1
  end
  return text:sub(first, last)
end

--- What looks like an authorization code in a text that the user gave.
-- @tparam string text
-- @treturn table list of strings, as they stand there
function M.codes_in(text)
  local found = {}
  if #text > LONGEST_TEXT then
    return found
  end
  local bare = trim(text)
  find_runs(bare, found)
  find_groups(bare, found)
  find_wide(bare, found)
  if bare:find("%", 1, true) then
    find_runs(decoded(bare), found)
    find_groups(decoded(bare), found)
  end
  return found
end

--- Whether a value is an authorization code by its looks, and nothing beside it.
-- @param value
-- @treturn boolean
function M.is_code(value)
  if type(value) ~= "string" then
    return false
  end
  local found = M.codes_in(value)[1]
  return found ~= nil and found == trim(value)
end

-- --- the forms of a secret --------------------------------------------------------

local function percent(text, chars, format)
  return (text:gsub(chars, function(char)
    return format:format(char:byte())
  end))
end

-- Loaded when first used: the options are documented where nothing is built.
local function base64(text)
  return (require("qqmail.core").codec.base64(text):gsub("%s", ""))
end

-- Less what depends on the bytes that stand beside it.
local function inner_base64(text, offset)
  local whole = base64(("\0"):rep(offset) .. text)
  local first = offset == 0 and 1 or offset == 1 and 3 or 4
  return whole:gsub("=+$", ""):sub(first, -3)
end

local function forms_of(text)
  local out = { text, text:lower(), text:upper() }
  for _, chars in ipairs({ "[^%w]", "[^%w%-._~]", "." }) do
    out[#out + 1] = percent(text, chars, "%%%02X")
    out[#out + 1] = percent(text, chars, "%%%02x")
  end
  for offset = 0, 2 do
    local form = inner_base64(text, offset)
    if #form >= SHORTEST then
      out[#out + 1] = form
    end
  end
  return out
end

-- --- a cover ----------------------------------------------------------------------

local Cover = {}
Cover.__index = Cover

-- By cover: `known`, the set of forms to stay; `latest`, by function the secret it last
-- gave and its forms; `forms`, the list of all. Out of reach of anything that walks or
-- prints the settings a cover is part of.
local learned = setmetatable({}, { __mode = "k" })

-- The longest first: what is left of one that was masked in part would still tell.
local function by_length(a, b)
  return #a > #b or (#a == #b and a < b)
end

local function collect(own)
  local all, forms = {}, {}
  for _, known in pairs(own.latest) do
    for form in pairs(known.forms) do
      all[form] = true
    end
  end
  for form in pairs(own.known) do
    all[form] = true
  end
  for form in pairs(all) do
    forms[#forms + 1] = form
  end
  table.sort(forms, by_length)
  own.forms = forms
end

-- The name of an option stands in our own texts: to mask it there would tell that it is
-- the secret, and leave nothing to read.
local function is_no_word(text)
  return #text >= SHORTEST and not require("qqmail.options").by_key[text]
end

-- Puts all that a secret may look like into a set.
local function add_forms(value, set)
  local bare = trim(value)
  local joined = bare:gsub("%s", "")
  local grouped = #joined == LETTERS and joined:gsub("....", "%0 "):sub(1, -2) or joined
  for _, way in ipairs({ value, bare, joined, grouped, decoded(bare) }) do
    for _, form in ipairs(is_no_word(way) and forms_of(way) or {}) do
      set[form] = true
    end
  end
end

local function is_learnable(value)
  return type(value) == "string" and #value <= LONGEST_SECRET
end

--- Learn a secret, whatever it looks like.
-- @param value anything but a text is passed over
function Cover:learn_secret(value)
  if is_learnable(value) then
    local own = learned[self]
    add_forms(value, own.known)
    collect(own)
  end
end

--- Learn the secret that a function of the user's gave. It takes the place of the one
-- before: tokens come and go as long as the process lives.
-- @param source the function
-- @param value anything but a text is passed over
function Cover:learn_latest(source, value)
  local own = learned[self]
  local last = own.latest[source]
  if is_learnable(value) and not (last and last.value == value) then
    local forms = {}
    add_forms(value, forms)
    own.latest[source] = { value = value, forms = forms }
    collect(own)
  end
end

--- Learn what looks like a code in a text the user gave.
-- @param value anything but a text is passed over
function Cover:learn(value)
  if type(value) ~= "string" then
    return
  end
  for _, code in ipairs(M.codes_in(value)) do
    self:learn_secret(code)
  end
end

-- Names under which a secret is given.
local SECRET_NAMES = { password = true, token = true, passphrase = true }

-- "user:code@": the code of a URL, also of one that is wrong in some other way.
local function learn_url(self, text)
  local info = text:match("^%s*%a[%w+.-]*://(.*)@") or ""
  self:learn_secret(info:match("^[^:]*:(.*)$"))
end

local learn_table

local function learn_field(self, key, value, seen, depth)
  self:learn(key)
  if type(value) == "table" then
    learn_table(self, value, seen, depth + 1)
  elseif SECRET_NAMES[key] then
    self:learn_secret(value)
  elseif type(value) == "string" then
    learn_url(self, value)
    self:learn(value)
  end
end

-- Each table once: objects of a program refer to each other, and back.
function learn_table(self, given, seen, depth)
  if depth > DEEPEST or seen[given] then
    return
  end
  seen[given] = true
  for key, value in pairs(given) do
    learn_field(self, key, value, seen, depth)
  end
end

--- Learn from a table of options, or of a message: all names and all texts in it.
-- @tparam table given
function Cover:learn_all(given)
  learn_table(self, given, {}, 0)
end

--- Learn from a variable of the environment or of a file.
-- @tparam string name
-- @tparam string value
function Cover:learn_variable(name, value)
  self:learn((name:gsub("^QQMAIL_", "")))
  learn_field(self, (name:gsub("^QQMAIL_", ""):lower()), value, {}, 0)
end

local function hide(text, form)
  local parts, from = {}, 1
  local at = text:find(form, 1, true)
  while at do
    parts[#parts + 1], from = text:sub(from, at - 1), at + #form
    at = text:find(form, from, true)
  end
  return parts[1] and table.concat(parts, M.MASK) .. M.MASK .. text:sub(from) or text
end

--- Mask what was learned.
-- @tparam string text
-- @treturn string
function Cover:text(text)
  for _, form in ipairs(learned[self].forms) do
    text = hide(text, form)
  end
  return text
end

local function shown(self, value, made)
  if type(value) == "string" then
    return self:text(value)
  elseif type(value) ~= "table" or made[value] then
    return made[value] or value
  end
  local out = {}
  made[value] = out
  for key, item in pairs(value) do
    out[type(key) == "string" and self:text(key) or key] = shown(self, item, made)
  end
  return setmetatable(out, getmetatable(value))
end

--- A value as it may be shown: a text masked, a table copied with all its texts masked.
-- @param value
-- @return the same type
function Cover:shown(value)
  return shown(self, value, {})
end

-- Fields of errors and receipts that are there to be read; addresses and numbers are
-- for programs.
local TEXTS = { message = true, hint = true, text = true, raw = true, line = true, field = true,
  path = true, host = true, account = true, key = true }

local function mask_fields(self, value, depth)
  for key, item in pairs(value) do
    if type(item) == "table" and depth < DEEPEST then
      mask_fields(self, item, depth + 1)
    elseif type(item) == "string" and TEXTS[key] then
      value[key] = self:text(item)
    end
  end
end

--- Mask the texts of an error, a receipt or what a hook gets, where they are.
-- @tparam ?table value
-- @treturn ?table the same
function Cover:mend(value)
  if type(value) == "table" and learned[self].forms[1] then
    mask_fields(self, value, 0)
  end
  return value
end

--- One value of the user's, as it may be quoted: what looks like a code is masked.
-- @tparam string text
-- @treturn string
function M.shown(text)
  local cover = M.new()
  cover:learn(text)
  return cover:text(text)
end

--- Mask in an error what looks like a code in what the error is about.
-- @tparam table err
-- @tparam table given by the user: options, or the fields of a message
-- @treturn table err
function M.mend(err, given)
  local cover = M.new()
  cover:learn_all(given)
  return cover:mend(err)
end

--- @treturn table cover that has learned nothing yet
function M.new()
  local self = setmetatable({}, Cover)
  learned[self] = { known = {}, latest = {}, forms = {} }
  return self
end

return M
