--- The accounts of the option `failover`: settings of their own.
-- @module qqmail.config.failover

local base = require "qqmail.config.loader"
local layers = require "qqmail.config.layers"
local options = require "qqmail.options"

local M = {}

-- What an account does not name comes from the first one, wherever that has it from;
-- but not these. A password must not go to another server, nor in the clear because
-- the first server is a local one; and what was forced upon one server, or limits one
-- account, does not fit another.
local OWN = {
  provider = true, url = true, host = true, port = true, socket = true, tls = true,
  user = true, password = true, token = true, auth = true, allow_plaintext_auth = true,
  from = true, rate = true, window = true, chunking = true, pipelining = true,
  smtputf8 = true, failover = true,
}

for _, name in ipairs(options.groups.tls_options) do
  OWN["tls_options." .. name] = true
end

-- What a mailer has once, for all its accounts. An account that could give it would
-- be given it in vain.
local COMMON_GROUPS = { "retry", "outbox", "on" }
local COMMON = { ["timeout.total"] = true, io = true, log = true, dkim = true }

for _, group in ipairs(COMMON_GROUPS) do
  for _, name in ipairs(options.groups[group]) do
    COMMON[group .. "." .. name] = true
  end
end

-- The first option of an account that would do nothing there.
local function find_common(loader)
  for _, entry in ipairs(options.list) do
    if COMMON[entry.key] and loader:find(entry.key) then
      return entry.key
    end
  end
end

-- The same layer, less what each account has of its own.
local function shared_part(layer)
  local out = { origin = layer.origin, values = {}, where = {} }
  for key, value in pairs(layer.values) do
    if not OWN[key] then
      out.values[key], out.where[key] = value, layer.where[key]
    end
  end
  return out
end

-- Environment and files speak of the first account; what is common to all comes
-- with that one's layers.
local function no_environment()
  return nil
end

local function pass_warnings(self, settings)
  for _, warning in ipairs(settings.warnings) do
    table.insert(self.settings.warnings, warning)
  end
end

local function holds_accounts(loader)
  local layer = loader:find("failover")
  return layer ~= nil and layer.values.failover ~= false
end

local function read_account(self, given, place)
  local loader = base.new(self.with, no_environment, self.lang, place)
  loader.cover = self.cover
  local ok, err = layers.read_options(loader, type(given) == "string" and { url = given } or given)
  if not ok then
    return nil, err
  elseif holds_accounts(loader) then
    return loader:fault("config.contradiction", "failover", {
      en = "failover cannot stand inside failover: make one list of all accounts",
      zh = "failover 中不能再含 failover：请把所有账号列在同一个列表里",
    })
  end
  local common = find_common(loader)
  if common then
    return loader:fault("config.contradiction", common, {
      en = common .. " is one for all accounts: give it beside failover, not inside",
      zh = common .. " 由所有账号共用：请写在 failover 之外，与 failover 并列",
    })
  end
  for _, layer in ipairs(self.layers) do
    loader.layers[#loader.layers + 1] = shared_part(layer)
  end
  return loader
end

--- Load each account.
-- @tparam table self loader of the first account
-- @tparam function run makes settings of a loader whose layers are read
-- @treturn ?boolean true
-- @treturn ?table the error
function M.settle(self, run)
  local ok, err = self:settle(options.by_key.failover)
  if not ok then
    return nil, err
  end
  local accounts = {}
  for i, given in ipairs(self.settings.failover) do
    local loader, settings
    loader, err = read_account(self, given, ("failover[%d]"):format(i))
    if loader then
      settings, err = run(loader)
    end
    if not settings then
      return nil, err
    end
    accounts[i] = settings
    pass_warnings(self, settings)
  end
  self.settings.failover = accounts
  return true
end

return M
