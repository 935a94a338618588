--- Keeps logged-in connections between messages.
--
-- Logins are rationed by providers, so a connection is worth keeping. One is
-- handed out again only while it is young, not used up, silent and open; the
-- mailer replaces it when it proves dead before anything of the message counted.
-- @module qqmail.pool

local M = {}

local Pool = {}
Pool.__index = Pool

--- @tparam table options `max` (connections kept), `idle` (seconds), `messages`
--   (messages on one connection, nil: no limit)
function M.new(options)
  return setmetatable({
    max = options.max, idle = options.idle, messages = options.messages, kept = {},
    closed = false,
  }, Pool)
end

local function usable(self, connection, now)
  return now - connection.idle_since < self.idle and connection:is_alive()
end

--- A connection that can be used at once.
-- @tparam number now the driver's clock
-- @treturn ?table connection
function Pool:take(now)
  while #self.kept > 0 do
    local connection = table.remove(self.kept)
    if usable(self, connection, now) then
      return connection
    end
    connection:abandon()
  end
end

local function used_up(self, connection)
  return self.messages ~= nil and connection.sent_count >= self.messages
end

--- Give a connection back; it is kept, or closed where it cannot be.
-- @tparam table connection
-- @tparam number now the driver's clock
function Pool:give(connection, now)
  if connection:is_over() then
    connection:abandon()
  elseif self.closed or #self.kept >= self.max or used_up(self, connection) then
    connection:quit()
  else
    connection.idle_since = now
    self.kept[#self.kept + 1] = connection
  end
end

--- Close all that are kept, and those that are still to be given back.
function Pool:close()
  self.closed = true
  while #self.kept > 0 do
    table.remove(self.kept):quit()
  end
end

return M
