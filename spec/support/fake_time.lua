--- Mailers for which waiting takes no time: a sleep only sets the clock forward.
local send = require("spec.support.send")

local M = {}

--- Takes the time of a mailer over.
-- @return mailer
-- @treturn table driver with `waits`, the seconds of each sleep; `on_sleep` is called
-- with them
function M.of(mailer)
  local driver = send.clock_driver(mailer)
  driver.waits = {}
  function driver:sleep(seconds)
    self.waits[#self.waits + 1] = seconds
    self.ahead = self.ahead + seconds
    if self.on_sleep then
      self.on_sleep(seconds)
    end
  end
  mailer.random = function()
    return 0.5
  end
  return mailer, driver
end

--- A mailer for a server, without time.
function M.mailer(server, more)
  return M.of(send.mailer(server, more))
end

--- Whether two lists of seconds are the same but for what the real clock did meanwhile.
function M.assert_waits(wanted, driver)
  local rounded = {}
  for index, seconds in ipairs(driver.waits) do
    rounded[index] = math.floor(seconds * 10 + 0.5) / 10
  end
  require("luassert").same(wanted, rounded)
end

return M
