--- Lets one coroutine wait until another says go, under any loop that can wait for
-- a descriptor. For one wait only.
-- @module qqmail.io.gate

local net = require("qqmail.net")

local M = {}

local Gate = {}
Gate.__index = Gate

--- @tparam function wait of a driver: `wait(fd, "r", seconds)`
-- @tparam ?function closing of a driver
-- @treturn ?table gate; nil when there are no descriptors left
function M.new(wait, closing)
  local signal = net.signal()
  return signal and setmetatable({ signal = signal, sleep = wait, closing = closing }, Gate)
end

--- Wait until it is open.
-- @tparam number deadline absolute
-- @treturn boolean false when it is too late
function Gate:wait(deadline)
  while not self.is_open do
    local left = deadline - net.now()
    if left <= 0 then
      return false
    end
    local ready, why = self.sleep(self.signal:fd(), "r", math.min(left, 86400))
    if not ready and why ~= "timeout" then
      return false
    end
  end
  return true
end

--- Let the other one go on.
function Gate:open()
  self.is_open = true
  self.signal:set()
end

--- Idempotent.
function Gate:close()
  local descriptor = self.closing and self.signal:fd()
  if descriptor then
    self.closing(descriptor)
  end
  self.signal:close()
end

return M
