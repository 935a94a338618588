--- Keeps logged-in connections between messages, and limits how many are open.
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
local pace = require("qqmail.pace")
local places = require("qqmail.places")

local M = {}

local Pool = {}
Pool.__index = Pool

-- What the mailers of this worker share, by key: see `new_account`.
local shared = { accounts = {}, count = 0, sweep_at = 0, pid = net.pid() }

--- Most connections that the mailers of a worker keep together.
M.shared_max = 256

-- Seconds between two looks at the lists nobody asks for any more.
local SWEEP_EVERY = 10

-- What is known of an account at its server: connections that are kept, how many
-- are open, and how boldly it may be spoken to.
local function new_account()
  return { kept = {}, places = places.new(), pace = pace.new() }
end

--- A pool of one mailer's own.
-- @tparam table options `max` (connections open), `idle` (seconds), `messages`
--   (messages on one connection, nil: no limit)
function M.new(options)
  return setmetatable({
    max = options.max, idle = options.idle, messages = options.messages, own = new_account(),
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
  self.own = nil
  return self
end

-- --- lists -----------------------------------------------------------------

local function account_of(self)
  if not self.key then
    return self.own
  end
  local found = shared.accounts[self.key]
  if not found then
    found = new_account()
    shared.accounts[self.key] = found
  end
  return found
end

local function add(self, list, connection)
  list[#list + 1] = connection
  if self.key then
    shared.count = shared.count + 1
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
  for key, account in pairs(shared.accounts) do
    local list = account.kept
    for index = #list, 1, -1 do
      if now >= list[index].idle_until then
        drop(list, index):abandon()
      end
    end
    if #list == 0 and account.places.count == 0 then
      shared.accounts[key] = nil
    end
  end
end

local function abandon_all(account)
  local list = account.kept
  while #list > 0 do
    drop(list, #list):abandon()
  end
  account.places:forget()
end

-- After a fork both processes hold the same sockets: this one lets go of them
-- without a word, the other one goes on.
local function forget_after_fork(self)
  local pid, owner = net.pid(), self.key and shared or self
  if pid == owner.pid then
    return
  end
  owner.pid = pid
  for _, account in pairs(self.key and shared.accounts or { self.own }) do
    abandon_all(account)
  end
end

-- --- places ------------------------------------------------------------------

--- Wait for the right to hold one connection.
-- @tparam table driver
-- @tparam number deadline absolute, on the driver's clock
-- @treturn ?table place, to be given back with `leave`; nil when none came free
function Pool:enter(driver, deadline)
  forget_after_fork(self)
  return account_of(self).places:enter(self.max, driver, deadline)
end

--- Give a place back.
function Pool:leave(place)
  account_of(self).places:leave(place)
end

--- Whether somebody waits for a place.
-- @treturn boolean
function Pool:is_wanted()
  return account_of(self).places:is_wanted()
end

--- How many connections are open and how many of them are idle.
-- @treturn number in use
-- @treturn number kept
function Pool:count()
  local account = account_of(self)
  return account.places.count, #account.kept
end

--- How boldly the server may be spoken to.
-- @treturn table see `qqmail.pace`
function Pool:pace()
  return account_of(self).pace
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
  local list = account_of(self).kept
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

--- Before another connection is opened: those that are kept and of no use here
-- make room.
function Pool:make_room()
  local list = account_of(self).kept
  while #list > 0 and #list + account_of(self).places.count > self.max do
    drop(list, 1):abandon()
  end
end

local function keep(self, connection, now)
  connection.idle_until, connection.lease = now + self.idle, self.lease
  connection.is_shared = self.key ~= nil
  if self.key and connection:is_leaving() then
    hold(self, connection)
  elseif connection:park(self.idle) then
    add(self, account_of(self).kept, connection)
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
  elseif used_up(self, connection) or not has_room(self, account_of(self).kept) then
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
  while self.own and #self.own.kept > 0 do
    table.remove(self.own.kept):quit()
  end
end

return M
