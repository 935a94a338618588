--- Keeps logged-in connections between messages.
--
-- Logins are rationed by providers, so a connection is worth keeping. One is
-- handed out again only while it is young, not used up, silent and open; the
-- mailer replaces it when it proves dead before anything of the message counted.
--
-- A mailer has a pool of its own, except in nginx: there a mailer is often made
-- anew for each request, so all mailers of a worker share what is kept, by a key
-- that holds every setting a connection depends on, and by the secret.
-- @module qqmail.pool

local net = require("qqmail.net")

local M = {}

local Pool = {}
Pool.__index = Pool

-- What the mailers of this worker share: lists of connections by key.
local shared = { lists = {}, count = 0, sweep_at = 0 }

--- Most connections that the mailers of a worker keep together.
M.shared_max = 256

-- Seconds between two looks at the lists nobody asks for any more.
local SWEEP_EVERY = 10

--- A pool of one mailer's own.
-- @tparam table options `max` (connections kept), `idle` (seconds), `messages`
--   (messages on one connection, nil: no limit)
function M.new(options)
  return setmetatable({
    max = options.max, idle = options.idle, messages = options.messages, kept = {},
    closed = false, pid = net.pid(), may_share = function()
      return true
    end,
  }, Pool)
end

--- A view of what this worker keeps under a key.
-- @tparam table options as of `new`
-- @tparam string key all settings a connection depends on, but no secret
-- @tparam table lease says with which secret its connections log in
-- @tparam function may_share (theirs, ours) -> whether one lease may use what
--   was made under another
function M.shared(options, key, lease, may_share)
  local self = M.new(options)
  self.key, self.lease, self.may_share = key, lease, may_share
  self.kept = nil -- see `list_of`
  return self
end

-- --- lists -----------------------------------------------------------------

local function list_of(self)
  if not self.key then
    return self.kept
  end
  return shared.lists[self.key] or {}
end

local function add(self, list, connection)
  list[#list + 1] = connection
  if self.key then
    shared.lists[self.key], shared.count = list, shared.count + 1
  end
end

local function drop(list, index)
  local connection = table.remove(list, index)
  if connection.is_shared then
    shared.count = shared.count - 1
  end
  return connection
end

-- Throws away what is too old, of mailers that are gone as well.
local function sweep(now)
  if now < shared.sweep_at then
    return
  end
  shared.sweep_at = now + SWEEP_EVERY
  for key, list in pairs(shared.lists) do
    for index = #list, 1, -1 do
      if now >= list[index].idle_until then
        drop(list, index):abandon()
      end
    end
    if #list == 0 then
      shared.lists[key] = nil
    end
  end
end

-- After a fork both processes hold the same sockets: this one lets go of them
-- without a word, the other one goes on.
local function forget_after_fork(self)
  local pid = net.pid()
  if pid == self.pid then
    return
  end
  self.pid = pid
  for _, connection in ipairs(self.kept or {}) do
    connection:abandon()
  end
  self.kept = self.kept and {}
end

-- --- taking and giving -----------------------------------------------------

-- The place of the youngest one that this mailer may use.
local function find(self, list)
  for index = #list, 1, -1 do
    if self.may_share(list[index].lease, self.lease) then
      return index
    end
  end
end

-- While a worker of nginx ends, nothing can be parked: nginx would close it. A
-- light thread that sends several mails keeps its connection then; otherwise each
-- mail would cost a login.
local held = setmetatable({}, { __mode = "k" })

local function take_held(self, now)
  local thread = coroutine.running()
  local connection = thread and held[thread]
  if not connection or connection.pool ~= self then
    return nil
  end
  held[thread] = nil
  return now < connection.idle_until and not connection:is_over() and connection or nil
end

local function hold(self, connection)
  local thread = coroutine.running()
  if thread and held[thread] and held[thread] ~= connection then
    held[thread]:abandon()
  end
  connection.pool = self
  held[thread] = connection
end

--- A connection that can be used at once.
-- @tparam number now the driver's clock
-- @tparam ?number deadline until when a driver may look for it
-- @treturn ?table connection
-- @treturn ?table a fresh connection of the driver, when one was made on the way
function Pool:take(now, deadline)
  forget_after_fork(self)
  local kept = self.key and take_held(self, now)
  if kept then
    return kept
  end
  local list = list_of(self)
  local index = find(self, list)
  while index do
    local connection = drop(list, index)
    local usable, spare = false, nil
    if now < connection.idle_until then
      usable, spare = connection:resume(deadline or now)
    end
    if usable then
      return connection
    end
    connection:abandon()
    if spare then
      return nil, spare
    end
    index = find(self, list)
  end
end

local function used_up(self, connection)
  return self.messages ~= nil and connection.sent_count >= self.messages
end

-- Of a key with another secret none is of use here: the oldest makes room.
local function drop_stranger(self, list)
  for index, connection in ipairs(list) do
    if not self.may_share(connection.lease, self.lease) then
      drop(list, index):abandon()
      return true
    end
  end
  return false
end

local function has_room(self, list)
  if self.closed or (self.key and shared.count >= M.shared_max) then
    return false
  end
  return #list < self.max or (self.key ~= nil and drop_stranger(self, list))
end

local function keep(self, connection, now)
  connection.idle_until, connection.lease = now + self.idle, self.lease
  connection.is_shared = self.key ~= nil
  if self.key and connection:is_leaving() then
    hold(self, connection)
  elseif connection:park(self.idle) then
    add(self, list_of(self), connection)
  else
    connection:abandon()
  end
end

--- Give a connection back; it is kept, or closed where it cannot be.
-- @tparam table connection
-- @tparam number now the driver's clock
function Pool:give(connection, now)
  if self.key then
    sweep(now)
  end
  if connection:is_over() then
    connection:abandon()
  elseif used_up(self, connection) or not has_room(self, list_of(self)) then
    connection:quit()
  else
    keep(self, connection, now)
  end
end

--- Close all that are kept, and those that are still to be given back. What is
-- shared is left to the others and to its age.
function Pool:close()
  forget_after_fork(self)
  self.closed = true
  local list = self.kept
  while list and #list > 0 do
    table.remove(list):quit()
  end
end

return M
