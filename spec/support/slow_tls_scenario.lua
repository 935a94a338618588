--- The basic scenario, but each flight of a TLS handshake takes the server some
-- milliseconds, as it does over a network: a client has to wait for it.
local basic = require("qqmail.testing.scenarios.basic")
local connection = require("qqmail.testing.connection")
local net = require("qqmail.net")

local SECONDS = 0.005

local new = connection.new

local function slow_down(class)
  local take = class.take
  function class.take(self, bytes)
    if self.state == "handshake" then
      net.sleep(SECONDS)
    end
    take(self, bytes)
  end
  class.is_slow = true
end

function connection.new(...)
  local self = new(...)
  local class = getmetatable(self)
  if not class.is_slow then
    slow_down(class)
  end
  return self
end

return basic.extend({ name = "slow TLS" })
