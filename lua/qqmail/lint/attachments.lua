--- Preflight: names, types and sizes of what is attached.
-- @module qqmail.lint.attachments

local mails = require "qqmail.lint.mail"
local media_types = require "qqmail.media_types"
local words = require "qqmail.lint.words"

local M = {}

-- Bytes of a name that file systems take.
local NAME_MAX = 200

-- What a double click runs.
local RUNNABLE = {}
for extension in ([[exe com bat cmd scr pif cpl msi msp msc vbs vbe vb js jse ws wsf wsh hta ps1
  reg lnk jar dll sys apk]]):gmatch("%S+") do
  RUNNABLE[extension] = true
end

local CHARACTERS = '[\\/:%*%?"<>|]'

-- Types that are never taken for one another; all others have several names.
local function class_of(media_type)
  local kind = media_type:lower():match("^%s*([%w%.%+%-]+/[%w%.%+%-]+)") or ""
  return kind == "application/pdf" and kind or kind:match("^(image)/") or kind:match("^(audio)/")
    or kind:match("^(video)/") or "other"
end

local function is_contradiction(name, declared)
  local guessed = media_types.guess(name)
  if guessed == media_types.default or declared:find("^application/octet%-stream") then
    return false
  end
  local one, other = class_of(guessed), class_of(declared)
  -- Containers hold sound as well as pictures.
  local is_media = (one == "audio" and other == "video") or (one == "video" and other == "audio")
  return one ~= other and not is_media
end

local function check_extension(part, world, add)
  local extension = part.name:match("%.([%w]+)[%s%.]*$")
  if not extension then
    add("lint.attachment_no_extension", part.field .. ".name", { name = part.name })
  elseif RUNNABLE[extension:lower()] then
    local family = mails.family(world.preset)
    local is_refused = family == "google" or family == "netease"
    add("lint.attachment_refused", part.field, { name = part.name, extension = "." .. extension },
      is_refused and "error" or nil)
  end
end

local function check_name(part, world, add)
  local name, field = part.name, part.field .. ".name"
  if #name > NAME_MAX then
    add("lint.attachment_name_long", field, { count = #name, limit = NAME_MAX })
    return
  end
  check_extension(part, world, add)
  local sign = words.turns_direction(name)
  if sign then
    add("lint.attachment_name_direction", field, { sign = sign })
  else
    words.check(name, field, add, true)
  end
  sign = name:match(CHARACTERS)
  if sign then
    add("lint.attachment_name_characters", field, { name = name, sign = sign })
  end
  if name:find("^%s") or name:find("[%s%.]$") then
    add("lint.attachment_name_end", field, { name = name })
  end
  if part.type and is_contradiction(name, part.type) then
    add("lint.attachment_type", part.field .. ".type", { name = name, type = part.type })
  end
end

local function check_all(list, world, add, is_inline)
  local seen = {}
  for _, part in ipairs(list) do
    if part.name then
      -- An inline part is found by its id: its name matters less.
      check_name(part, world, is_inline and function(code, ...)
        if code ~= "lint.attachment_no_extension" then
          add(code, ...)
        end
      end or add)
      local key = part.name:lower()
      if seen[key] and not is_inline then
        add("lint.attachment_twice", part.field .. ".name", { name = part.name })
      end
      seen[key] = true
    end
    if part.size == 0 then
      add("lint.attachment_empty", part.field)
    end
  end
end

--- @tparam table mail
-- @tparam table world `preset`
-- @tparam function add
function M.check(mail, world, add)
  check_all(mail.attachments, world, add, false)
  check_all(mail.inline, world, add, true)
end

return M
