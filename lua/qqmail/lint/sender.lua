--- Preflight: who the mail says it is from, against the login and the provider.
-- @module qqmail.lint.sender

local codec = require("qqmail.core").codec
local mails = require "qqmail.lint.mail"
local providers = require "qqmail.providers"
local words = require "qqmail.lint.words"

local M = {}

-- What the families answer to another sender than the login.
local ANSWERS = {
  tencent = { en = " (501 otherwise)", zh = "（否则返回 501）" },
  netease = { en = " (553 or 554 DT:SUM otherwise)", zh = "（否则返回 553 或 554 DT:SUM）" },
  alibaba = { en = " (440 otherwise, which no retry helps)", zh = "（否则返回 440，重试无用）" },
}

-- Bytes of a name that are looked at.
local NAME_MAX = 256

local NO_ANSWER = { en = "", zh = "" }

local function slots_of(world, more)
  local out = { provider = world.preset.name, user = world.user,
    answer = ANSWERS[mails.family(world.preset)] or NO_ANSWER }
  for key, value in pairs(more) do
    out[key] = value
  end
  return out
end

-- A form that is the same for both ways to write a domain.
local function comparable(address)
  local name, domain = address:match("^(.*@)(.*)$")
  if domain and domain:find("[\128-\255]") then
    address = name .. (codec.domain_to_ascii(domain) or domain)
  end
  return address:lower()
end

-- A login that is no address says nothing about the sender.
local function login_of(world)
  return world.user and world.user:find("@", 1, true) and comparable(world.user) or nil
end

local function is_login(world, address)
  return comparable(address) == login_of(world)
end

local function severity(world)
  return ANSWERS[mails.family(world.preset)] and "error" or nil
end

local function lives_there(preset, domain)
  return #preset.domains == 0 or providers.by_address(domain) == preset
end

-- "login": the sender must be the login.
local function check_login(mail, world, add)
  local from, envelope = mail.from, mail.envelope.from
  if not login_of(world) then
    if from and not lives_there(world.preset, from.domain) then
      add("lint.from_not_of_provider", "from", slots_of(world, { from = from.address }))
    end
    return
  end
  if from and not is_login(world, from.address) then
    add("lint.from_not_login", "from", slots_of(world, { from = from.address }), severity(world))
  elseif mail.sender and not is_login(world, mail.sender.address) then
    add("lint.sender_not_login", "sender", slots_of(world, { from = mail.sender.address }))
  end
  local is_told = from and from.address == envelope
  if not is_told and not is_login(world, envelope) then
    add("lint.envelope_not_login", "envelope.from",
      slots_of(world, { from = "<" .. envelope .. ">" }), severity(world))
  end
end

local POLICIES = {
  login = check_login,
  alias = function(mail, world, add)
    if mail.from and login_of(world) and not is_login(world, mail.from.address) then
      add("lint.from_alias", "from", slots_of(world, { from = mail.from.address }))
    end
  end,
  verified = function(mail, world, add)
    local home = mail.from and providers.by_address(mail.from.domain)
    if home then
      add("lint.from_unverifiable", "from",
        slots_of(world, { from = mail.from.address, home = home.name }))
    end
  end,
}

local function check_envelope(mail, world, add)
  local from, envelope = mail.from, mail.envelope.from
  if mails.family(world.preset) == "netease" and not login_of(world) and from and envelope ~= ""
    and from.address:lower() ~= envelope:lower() then
    add("lint.envelope_not_from", "envelope.from",
      slots_of(world, { from = from.address, envelope = envelope }))
  end
end

local function check_name(from, add)
  local name = from.name and words.decode(from.name)
  if not name then
    return
  end
  words.check(name, "from", add, true)
  local inside = name:sub(1, NAME_MAX):match("[%w%._%+%-]+@[%w%.%-]+%.%a+")
  if inside then
    add("lint.from_name_address", "from", { name = inside },
      inside:lower() == from.address:lower() and "advice" or nil)
  end
end

-- What QQ takes: a name in ASCII, a blank, an address without encoded words.
local function is_good_form(value)
  local before, address = value:match("^(.*)<([^<>]*)>$")
  if not address then
    before, address = "", value
  end
  return not value:find("[^\32-\126]") and (before == "" or before:find("%s$") ~= nil)
    and address:find("^[^%s@=?]+@[^%s@]+$") ~= nil
end

local function check_form(mail, world, add)
  local value = mail.fields.from and mail.fields.from[1]
  if not value or value == "" then
    add("lint.from_missing", "from")
  elseif not is_good_form(value) then
    add("lint.from_form", "from", nil, mails.family(world.preset) == "tencent" and "error" or nil)
  end
end

--- @tparam table mail
-- @tparam table world `preset`, `user`
-- @tparam function add
function M.check(mail, world, add)
  if mail.is_raw then
    check_form(mail, world, add)
  elseif mail.from.utf8 then
    add("lint.from_not_ascii", "from", nil,
      mails.family(world.preset) == "tencent" and "error" or nil)
  end
  if mail.from then
    check_name(mail.from, add)
  end
  local policy = world.preset and POLICIES[world.preset.from_policy]
  if policy then
    policy(mail, world, add)
    check_envelope(mail, world, add)
  end
end

return M
