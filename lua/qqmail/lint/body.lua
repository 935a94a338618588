--- Preflight: size, text and HTML.
-- @module qqmail.lint.body

local html = require "qqmail.lint.html"
local mails = require "qqmail.lint.mail"
local words = require "qqmail.lint.words"

local M = {}

-- What Gmail takes, encoded.
local WIDELY_TAKEN = 35882577

local function check_size(mail, world, add)
  local limit = world.size or (world.preset and world.preset.size_limit)
  local size = mail.size
  if not size then
    add("lint.size_unknown", "attachments")
  elseif limit and limit > 0 and size > limit then
    add("lint.too_large", "attachments", { size = ("%.0f"):format(size),
      limit = ("%.0f"):format(limit) })
  elseif size > WIDELY_TAKEN then
    add("lint.large", "attachments", { size = ("%.0f"):format(size),
      limit = ("%.0f"):format(WIDELY_TAKEN) })
  end
end

-- --- HTML -------------------------------------------------------------------------

local MARKS = {
  { "script", "lint.html_script" }, { "form", "lint.html_form" },
  { "stylesheet", "lint.html_stylesheet" },
}

local function check_images(seen, add)
  if seen.remote_images > 0 then
    add("lint.html_remote_image", "html", { count = seen.remote_images })
  end
  if seen.data_images > 0 then
    add("lint.html_data_image", "html", { count = seen.data_images })
  end
end

local function check_html(mail, add)
  local text, is_whole = words.head(mail.html)
  local seen = html.look(text)
  mail.seen = seen
  for _, row in ipairs(MARKS) do
    if seen[row[1]] then
      add(row[2], "html")
    end
  end
  check_images(seen, add)
  if is_whole and seen.images > 0 and not seen.has_words then
    add("lint.html_images_only", "html")
  end
  for _, link in ipairs(seen.links) do
    add("lint.html_link_host", "html", link)
  end
  return is_whole
end

-- --- content ids ------------------------------------------------------------------

local function unescaped(text)
  return (text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

-- All that may be meant as a reference, also in styles.
local function mentioned(text)
  local out = {}
  for cid in text:gmatch("[cC][iI][dD]:([^%s\"'<>%)]+)") do
    out[unescaped(cid)] = true
  end
  return out
end

-- The id of a part may be written with or without its brackets.
local function bare(cid)
  return cid:match("^<(.*)>$") or cid
end

local function check_cids(mail, is_whole, add)
  local there, told = {}, {}
  for _, part in ipairs(mail.inline) do
    there[bare(part.cid)] = true
  end
  for _, cid in ipairs(mail.seen and mail.seen.cids or {}) do
    local name = unescaped(cid)
    if not there[name] and not told[name] then
      told[name] = true
      add("lint.cid_missing", "html", { cid = name })
    end
  end
  if mail.has_html and not (mail.html and is_whole) then
    return
  end
  local used = mentioned(mail.html or "")
  for _, part in ipairs(mail.inline) do
    if not used[bare(part.cid)] then
      add("lint.cid_unused", part.field, { cid = bare(part.cid) })
    end
  end
end

-- --- texts ------------------------------------------------------------------------

local function is_blank(text)
  return text ~= nil and not text:find("%S")
end

local function check_empty(mail, add)
  local no_text = not mail.has_text or is_blank(mail.text)
  local no_html = not mail.has_html or is_blank(mail.html)
    or (mail.seen ~= nil and not mail.seen.has_words and mail.seen.images == 0)
  if no_text and no_html then
    local has_more = #mail.attachments > 0 or #mail.inline > 0 or mail.has_calendar
    add("lint.body_empty", "text", nil, has_more and "advice" or nil)
  elseif no_text then
    add("lint.no_text", "text")
  end
end

-- In UTF-8 nothing was guessed: chance does not make it.
local function check_charsets(mail, add)
  local fields = {}
  for field, charset in pairs(mail.guessed) do
    if charset ~= "utf-8" then
      fields[#fields + 1] = field
    end
  end
  table.sort(fields)
  for _, field in ipairs(fields) do
    add("lint.charset_guessed", field, { charset = mail.guessed[field] })
  end
end

local function check_parts(mail, add)
  local is_whole = true
  if mail.text and not mail.has_derived_text then
    words.check(mail.text, "text", add)
  end
  if mail.html then
    is_whole = check_html(mail, add)
    words.check(mail.html, "html", add)
  end
  check_empty(mail, add)
  check_cids(mail, is_whole, add)
end

-- Of a raw message no more is read than which types of text it says to hold.
local function check_raw(mail, add)
  local kind = (mail.fields["content-type"] or {})[1]
  kind = kind and kind:lower() or "text/plain"
  local has_html = kind:find("^text/html") ~= nil
  if mail.source and kind:find("^multipart/") then
    local text = words.head(mail.source):lower()
    has_html = text:find("\ncontent%-type:%s*text/html") ~= nil
      and not text:find("\ncontent%-type:%s*text/plain")
  end
  if has_html then
    add("lint.no_text", "raw")
  end
end

local function check_inline(mail, world, add)
  local preset = world.preset
  if #mail.inline == 0 or not preset then
    return
  elseif preset.quirks.no_inline then
    add("lint.inline_unsupported", "inline", { provider = preset.name })
  elseif mails.family(preset) == "netease" then
    add("lint.inline_filtered", "inline", { provider = preset.name })
  end
end

--- @tparam table mail
-- @tparam table world `preset`, `size` (what the server takes)
-- @tparam function add
function M.check(mail, world, add)
  check_size(mail, world, add)
  if mail.is_raw then
    check_raw(mail, add)
  else
    check_parts(mail, add)
    check_charsets(mail, add)
  end
  check_inline(mail, world, add)
end

return M
