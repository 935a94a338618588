--- Preflight: who gets the mail, and what is asked of mails to many.
-- @module qqmail.lint.recipients

local M = {}

-- Strangers in one To field; more than the second number are no group of colleagues.
local VISIBLE, TOO_VISIBLE = 20, 50

-- What a server must take (RFC 5321 section 4.5.3.1.8).
local FLOOR = 100

-- Receivers that ask senders of many mails for one-click unsubscription.
local function asks_for_one_click(address)
  local domain = address:lower():match("@([^@]*)$") or ""
  return domain == "gmail.com" or domain == "googlemail.com" or domain:find("^yahoo%.") ~= nil
end

local function check_count(mail, world, add)
  local count = #mail.envelope.to
  local limit = world.preset and world.preset.quirks.max_recipients
  if count > (limit or FLOOR) then
    add("lint.too_many_recipients", "to", { count = count, limit = limit or FLOOR },
      limit and "error" or nil)
  end
  local visible = #mail.to + #mail.cc
  if visible > VISIBLE then
    add("lint.recipients_visible", "to", { count = visible },
      visible > TOO_VISIBLE and "warning" or nil)
  end
end

local function check_ascii(mail, add)
  for _, address in ipairs(mail.envelope.to) do
    if address:find("[\128-\255]") then
      add("lint.recipient_not_ascii", "to", { address = address })
      return
    end
  end
end

local function value_of(mail, key)
  local entry = mail.fields[key] and mail.fields[key][1]
  if type(entry) == "table" then
    entry = entry.text or entry.raw
  end
  return entry
end

local function is_bulk(mail, world)
  local precedence = (value_of(mail, "precedence") or ""):lower()
  return world.bulk or mail.fields["list-id"] ~= nil or precedence == "bulk"
    or precedence == "list" or #mail.envelope.to > FLOOR
end

local function check_bulk(mail, world, add)
  if not is_bulk(mail, world) then
    return
  elseif not mail.fields["list-unsubscribe"] then
    add("lint.bulk_unsubscribe", "list_unsubscribe")
    return
  elseif mail.fields["list-unsubscribe-post"] then
    return
  end
  for _, address in ipairs(mail.envelope.to) do
    if asks_for_one_click(address) then
      add("lint.bulk_one_click", "list_unsubscribe")
      return
    end
  end
end

local function check_fields(mail, world, add)
  local quirks = world.preset and world.preset.quirks or {}
  if quirks.no_copy_headers and mail.fields.cc then
    add("lint.copies_unsupported", "cc", { provider = world.preset.name })
  end
  if quirks.no_reply_to and mail.fields["reply-to"] then
    add("lint.reply_to_unsupported", "reply_to", { provider = world.preset.name })
  end
end

--- @tparam table mail
-- @tparam table world `preset`, `bulk`
-- @tparam function add
function M.check(mail, world, add)
  check_count(mail, world, add)
  check_ascii(mail, add)
  check_fields(mail, world, add)
  check_bulk(mail, world, add)
end

return M
