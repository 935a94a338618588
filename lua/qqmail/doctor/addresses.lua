--- What an address tells by itself.
-- @module qqmail.doctor.addresses

local M = {}

-- Where proxies take the made-up addresses from that they answer names with: clash and
-- mihomo, sing-box, surge, Xray (RFC 2544 and RFC 5180, which are for benchmarks), and
-- ranges that guides tell people to set in their place.
local FAKE = { "^198%.1[89]%.", "^28%.", "^2001:2:", "^fc00:", "^fdfe:dcba:9876:" }

-- RFC 1918, RFC 6598, RFC 1122, RFC 3927; RFC 4193, RFC 4291. `fc` is left to the above.
local PRIVATE = { "^10%.", "^192%.168%.", "^127%.", "^0%.", "^169%.254%.", "^fd", "^fe[89ab]",
  "^::1$", "^::$" }

local function matches(list, address)
  for _, pattern in ipairs(list) do
    if address:find(pattern) then
      return true
    end
  end
  return false
end

local function second_between(address, first, low, high)
  local second = tonumber(address:match("^" .. first .. "%.(%d+)%."))
  return second ~= nil and second >= low and second <= high
end

--- Whether a proxy made the address up.
-- @tparam string address
-- @treturn boolean
function M.is_fake(address)
  return matches(FAKE, address:lower())
end

--- Whether the address is of a private network or of this machine.
-- @tparam string address
-- @treturn boolean
function M.is_private(address)
  return matches(PRIVATE, address:lower()) or second_between(address, "172", 16, 31)
    or second_between(address, "100", 64, 127)
end

--- Whether it is an address of this very machine.
-- @tparam string address
-- @treturn boolean
function M.is_loopback(address)
  return address:find("^127%.") ~= nil or address == "::1"
end

return M
