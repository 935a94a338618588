--- Provider presets.
--
-- A preset is found by its key, by the host, or by the domain of an address.
-- `providers.qq`, `providers["163"]` and so on are the presets themselves:
--
-- * `key`, `name` = `{ en =, zh = }`
-- * `domains`: of addresses that live there ("yahoo.*": any ending)
-- * `host`: where to connect; `hosts`: all of them, with their `region`
-- * `ports`: list of `{ port, tls mode }`, the best first
-- * `user`: "address", or what the login name is instead; `login`: the fixed one
-- * `auth`: mechanisms, the best first
-- * `secret`: what kind of password it takes; `hint` = `{ en =, zh = }`: where it
--   comes from; `code_shape`: what it looks like
-- * `from_policy`: "login" (From must be the login), "alias" (or an alias of it),
--   "verified" (an address or domain verified there), "any"
-- * `size_limit`: bytes, where known; `rate` = `{ en =, zh = }`: known limits
-- * `quirks`: what the server cannot do
-- * `notes` = `{ en =, zh = }`: what else there is to know; `help_url`
-- @module qqmail.providers

local M = {}

--- The presets, in a fixed order.
M.list = {}

for _, name in ipairs({ "china", "world", "services" }) do
  for _, preset in ipairs((require("qqmail.providers." .. name))) do
    M.list[#M.list + 1] = preset
  end
end

local by_key, by_host, by_domain, patterns = {}, {}, {}, {}

local function index_domains(preset)
  for _, domain in ipairs(preset.domains) do
    local stem = domain:match("^(.*)%.%*$")
    if stem then
      patterns[#patterns + 1] = { stem = stem .. ".", preset = preset }
    else
      by_domain[domain] = preset
    end
  end
end

for _, preset in ipairs(M.list) do
  by_key[preset.key] = preset
  preset.user = preset.user or "address"
  preset.hosts = preset.hosts or (preset.host and { { preset.host } }) or {}
  for i, entry in ipairs(preset.hosts) do
    preset.hosts[i] = { host = entry[1], region = entry[2] }
    -- 127.0.0.1 says nothing about who listens there.
    if not preset.local_only then
      by_host[entry[1]] = preset
    end
  end
  index_domains(preset)
end

--- The preset of a key.
-- @tparam string key such as "qq"
-- @treturn ?table
function M.get(key)
  return by_key[key]
end

--- The preset whose server this is.
-- @tparam string host
-- @treturn ?table
function M.by_host(host)
  local name = host:lower():gsub("%.$", "")
  if by_host[name] then
    return by_host[name]
  end
  for _, preset in ipairs(M.list) do
    if preset.host_pattern and name:find(preset.host_pattern) then
      return preset
    end
  end
  return nil
end

--- The preset where an address lives.
-- @tparam string address an address, or its domain
-- @treturn ?table
function M.by_address(address)
  local domain = (address:match("@([^@]*)$") or address):lower()
  if by_domain[domain] then
    return by_domain[domain]
  end
  for _, entry in ipairs(patterns) do
    local ending = domain:sub(#entry.stem + 1)
    if domain:sub(1, #entry.stem) == entry.stem and ending:find("^[a-z]+[a-z.]*$") then
      return entry.preset
    end
  end
  -- Tenants live below it: someone@company.onmicrosoft.com
  if domain:sub(-16) == ".onmicrosoft.com" then
    return by_key.office365
  end
  return nil
end

--- The keys of all presets.
-- @treturn table list of strings
function M.keys()
  local keys = {}
  for i, preset in ipairs(M.list) do
    keys[i] = preset.key
  end
  return keys
end

return setmetatable(M, { __index = by_key })
