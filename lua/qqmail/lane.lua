--- One connection's share of `mailer:send_all`: keeps as many messages under way on
-- it as the window allows, and gives each its own result.
--
-- When a connection breaks, what the server had not been given is sent again over
-- the next one; only the message at which it broke is charged with a try, so that
-- one that kills connections cannot go round for ever, nor take others with it.
-- @module qqmail.lane

local delivery = require("qqmail.delivery")
local dispatch = require("qqmail.dispatch")
local retry = require("qqmail.retry")
local turn = require("qqmail.turn")

local M = {}

local Lane = {}
Lane.__index = Lane

-- A lane lets others have its place after so many messages, when somebody waits.
local FAIR_SHARE = 20

-- Times that a lane beside the first may fail to connect.
local CHANCES = 3

-- Errors that say there is room for fewer connections.
local LEAVES_ROOM_FOR_NONE = {
  ["limit.connections"] = true, ["rate.too_many_connections"] = true, ["closed.breaker"] = true,
}

-- Seconds.
local LONG_PAUSE = 0.2

--- @tparam table batch what all lanes of a call share, see `qqmail.batch`
-- @tparam boolean is_first of the call
-- @treturn table
function M.new(batch, is_first)
  return setmetatable({
    batch = batch, mailer = batch.mailer, driver = batch.driver, feed = batch.feed,
    is_first = is_first, pending = {}, from = 1, served = 0, failures = 0,
    must_leave = false, is_detour = false,
  }, Lane)
end

-- --- the connection -------------------------------------------------------------

local function drop_connection(self)
  local connection = self.connection
  if not connection then
    return
  end
  connection:settle()
  if self.is_too_fast then
    connection:quit()
  else
    self.route:pool(self.driver):give(connection, connection.now())
  end
  self.connection = nil
  self.batch.connected = self.batch.connected - 1
end

local function leave(self)
  drop_connection(self)
  if self.place then
    self.route:pool(self.driver):leave(self.place)
    self.place = nil
  end
  self.must_leave = false
end

-- The first account that may be tried, from where the last failure left us, or the message.
local function choose_route(self, item)
  local routes, err = self.mailer.routes, nil
  for index = item.way or self.from, #routes do
    local ok, why = routes[index]:admit(self.driver:now())
    if ok then
      return routes[index], index
    end
    err = why
  end
  return nil, err
end

-- One lane waits for a place; the others take part as far as there is room.
local function enter(self, deadline)
  if self.place then
    return true
  end
  local err
  self.place, err = self.route:enter(self.driver, self.is_first and deadline or self.driver:now())
  return self.place ~= nil, err
end

local function open(self, deadline, spare)
  local batch = self.batch
  batch.connecting = batch.connecting + 1
  local connection, err = self.route:open(self.driver, deadline, spare)
  batch.connecting = batch.connecting - 1
  return connection, err
end

local function connect(self, item)
  local deadline = item.deadline
  local route, index = choose_route(self, item)
  if not route then
    return nil, index
  end
  if route ~= self.route then
    leave(self)
  end
  self.route, self.route_index, self.from = route, index, 1
  self.is_detour, self.must_leave = item.is_choosy == true and item.way == index, false
  local ok, err = enter(self, deadline)
  if not ok then
    return nil, err
  end
  local connection, spare = route:take(self.driver, deadline)
  self.reused = connection ~= nil
  if not connection then
    connection, err = open(self, deadline, spare)
  end
  if connection then
    self.connection, self.served, self.is_charged = connection, 0, false
    self.is_too_fast = false
    self.batch.connected = self.batch.connected + 1
    self.batch:let_in()
    self.batch:outage(nil)
  end
  return connection, err
end

-- --- results --------------------------------------------------------------------

-- Another account is tried at once, without counting as a round. Which one is for the
-- message to know: another lane may take it. This lane goes there as well when the account
-- is what failed.
local function fail_over(self, item, err)
  local last, hops = #self.mailer.routes, item.hops or 0
  local may_go_on, is_account = retry.is_of_account(err)
  if hops >= last - 1 or not may_go_on or item.letter:is_bound() then
    return false
  end
  item.hops, item.way = hops + 1, (self.route_index or self.from) % last + 1
  item.is_choosy = not is_account
  item.best = dispatch.more_hopeful(item.letter, item.best, err)
  if is_account then
    self.from, self.must_leave = item.way, true
  end
  self.mailer.report:failover(err)
  self.feed:unread(item)
  return true
end

-- The error that counts, when all accounts have failed.
local function weigh(self, item, err)
  local best = dispatch.more_hopeful(item.letter, item.best, err)
  dispatch.tell_dropped(self.mailer, best, err)
  item.best = nil
  return best
end

-- The next round of a message begins at the first account.
local function end_round(self, item)
  if item.hops then
    item.hops, item.way, item.is_choosy, item.was_heard = nil, nil, nil, nil
  end
  if not self.must_leave then
    self.from = 1
  end
end

local function settle(self, item, receipt, err)
  if err and fail_over(self, item, err) then
    item.was_heard = true
    return
  end
  err = err and weigh(self, item, err)
  end_round(self, item)
  local letter = item.letter
  local seconds = letter:settle(receipt, err, self.mailer.random)
  local now = seconds and self.driver:now()
  if seconds and now + seconds < item.deadline and not self.batch:is_stopped(letter) then
    dispatch.tell_retry(self.mailer, letter, seconds)
    self.feed:delay(item, now + seconds)
    return
  elseif seconds then
    letter:give_up(seconds)
  end
  self.batch:finish(item, letter:result())
end

-- Whether a message for which there is no connection may wait for another lane: a
-- server that allows fewer connections than we may open costs nobody a try, and the
-- first lane alone waits for a place. Others fare no better with one that only an account
-- can take which is not there.
local function is_for_others(self, item, err)
  local batch = self.batch
  if item.was_heard and (err.code == "closed.breaker" or not LEAVES_ROOM_FOR_NONE[err.code]) then
    return false
  end
  return batch.connected + batch.connecting > 0
    or (err.code == "limit.connections" and not self.is_first)
end

-- This lane gives its message to the others. A trouble that passes leaves it another
-- chance.
local function stand_back(self, item, err)
  self.feed:unread(item)
  if err.code ~= "closed.breaker" then
    self.route:pass()
  end
  leave(self)
  self.failures = self.failures + 1
  self.is_over = self.failures >= CHANCES or LEAVES_ROOM_FOR_NONE[err.code] == true
  if not self.is_over then
    self.batch:pause(self.failures)
  end
end

-- Nobody has a connection: that is no message's fault, and none is charged while the
-- policy allows to wait for the server. After that each fails at its first try.
local function sit_out(self, item, err)
  err = weigh(self, item, err)
  local seconds = self.batch:outage(err)
  self.must_leave = false
  end_round(self, item)
  item.letter.err = err
  if not seconds then
    item.letter:settle(nil, err, nil)
    self.batch:finish(item, item.letter:result())
    return
  end
  dispatch.tell_retry(self.mailer, item.letter, seconds)
  self.feed:unread(item)
  leave(self)
  self.batch:pause(seconds)
end

-- A connection cannot be had.
local function cannot_connect(self, item, err)
  if is_for_others(self, item, err) then
    stand_back(self, item, err)
    return
  elseif err.code ~= "closed.breaker" then
    self.route:judge(err, self.driver:now())
  end
  item.letter.tries = item.letter.tries + 1
  if fail_over(self, item, err) then
    return
  elseif item.was_heard then
    -- Another account is there, and does not take this message: no outage.
    settle(self, item, nil, err)
  else
    sit_out(self, item, err)
  end
end

-- --- sending --------------------------------------------------------------------

local function start(self, item)
  local letter, route = item.letter, self.route
  local built, err = letter:built_for(route.settings, self.route_index == 1)
  local job
  if built then
    job, err = delivery.prepare(route.settings, built, letter.to, self.connection)
  end
  local ok
  if job then
    ok, err = delivery.submit(route.settings, job, self.connection)
  end
  letter.tries = letter.tries + 1
  if not ok then
    route:judge(err, self.driver:now())
    settle(self, item, nil, err)
    return
  end
  job.item = item
  self.pending[#self.pending + 1] = job
end

-- Nothing is under way. Who waits long keeps no connection from others.
local function pause(self, seconds)
  if seconds >= LONG_PAUSE then
    leave(self)
  end
  self.batch:pause(seconds)
end

-- With messages under way nobody waits for a turn: their answers come first.
local function take_turn(self, item, settings)
  local ok = turn.wait(settings, self.driver, #self.pending > 0 and 0 or math.huge,
    function(seconds)
      pause(self, math.min(seconds, self.batch:time_left(item)))
    end)
  if not ok then
    self.feed:unread(item)
  end
  return ok
end

local function has_turn(self, item)
  local index = self.connection and self.route_index or item.way or self.from
  local settings = self.mailer.routes[index].settings
  return settings.rate == nil or take_turn(self, item, settings)
end

-- A message that is to go by another account than the one we are connected to; back by
-- the first one, where only the message before it could not go there.
local function goes_elsewhere(self, item)
  local way = item.way or (self.is_detour and 1) or self.route_index
  if not self.connection or way == self.route_index then
    return false
  end
  self.must_leave = true
  self.feed:unread(item)
  return true
end

-- Gets one message under way; false when there is nothing to do now.
local function take_one(self)
  local now = self.driver:now()
  local item, seconds = self.feed:next(now)
  if not item then
    self.due_in = seconds
    return false
  elseif not self.batch:prepare(item) or self.batch:is_settled(item, now) then
    return true
  elseif goes_elsewhere(self, item) or not has_turn(self, item) then
    return false
  end
  now = self.driver:now()
  if not item.deadline then
    item.deadline, item.last = self.batch:deadlines_for(item.letter, now)
  end
  local connection, err = self.connection, nil
  if self.batch:is_settled(item, now) then
    return true
  elseif not connection then
    connection, err = connect(self, item)
  end
  if connection then
    start(self, item)
  else
    cannot_connect(self, item, err)
  end
  return not self.is_over
end

local function is_used_up(self)
  local limit = self.route.settings.pool.messages
  return limit ~= nil and self.connection.sent_count + #self.pending >= limit
end

local function should_yield(self)
  return self.served >= FAIR_SHARE and self.route:pool(self.driver):is_wanted()
end

local function has_room(self)
  local connection = self.connection
  if not connection then
    return true
  end
  return connection:room() > 0 and not is_used_up(self) and not should_yield(self)
    and not self.must_leave and not self.is_too_fast
end

local function fill(self)
  while not self.is_over and has_room(self) and take_one(self) do
    self.due_in = nil
  end
end

-- --- outcomes -------------------------------------------------------------------

-- A job without a verdict, of a connection that ended. One of them is charged, unless
-- something else was, or the connection had died unseen while nothing was under way,
-- or the server wanted no further message on it.
local function is_innocent(self, job)
  local outcome = job.outcome
  if outcome.code == 421 and (self.reused or self.served > 1) and delivery.was_unread(job) then
    return true
  end
  if outcome.type ~= "lost" or outcome.handed_over or job.source_error then
    return false
  elseif outcome.fault == "cancelled" then
    -- Nobody cancels a lane's connection: a refusal before it left the server in a
    -- state that only RSET could end, where RSET does harm.
    return true
  end
  return self.is_charged or (not job.eager and delivery.was_unread(job))
end

local function give_back(self, item)
  self.is_charged = true
  item.letter.tries = item.letter.tries - 1
  self.feed:unread(item)
end

local function collect_one(self, job, now)
  local connection = self.connection
  connection:retire(job)
  self.served = self.served + 1
  local receipt, err = delivery.result(self.route.settings, job, connection,
    self.reused or connection.sent_count > 1)
  local slower = self.route:learn(self.driver, job)
  self.is_too_fast = self.is_too_fast or slower
  if slower or is_innocent(self, job) then
    give_back(self, job.item)
    return
  end
  self.is_charged = self.is_charged or job.outcome.type == "lost" or job.outcome.code == 421
  self.route:judge(err, now)
  settle(self, job.item, receipt, err)
end

-- The news that a session is over comes behind the outcomes of its messages: before
-- it, one that takes no more tells the same.
local function is_spent(self)
  return #self.pending == 0 and self.connection:room() == 0
end

local function collect(self)
  local pending, left, now = self.pending, {}, self.driver:now()
  self.pending = left
  for _, job in ipairs(pending) do
    if job.outcome then
      collect_one(self, job, now)
    else
      left[#left + 1] = job
    end
  end
  if is_spent(self) then
    drop_connection(self)
  end
end

local function first_deadline(self)
  local first = math.huge
  for _, job in ipairs(self.pending) do
    first = math.min(first, job.item.last)
  end
  return first
end

-- Whether the place is to be given back, and with it the connection.
local function has_to_leave(self)
  if self.must_leave or self.is_too_fast then
    return self.place ~= nil
  end
  return self.connection ~= nil and (is_used_up(self) or should_yield(self))
end

-- Nothing is under way. False when there is nothing more to do.
local function rest(self)
  if has_to_leave(self) then
    leave(self)
    return true
  elseif self.connection and self.connection:room() == 0 then
    -- It is ending, though the last of its news has not come.
    drop_connection(self)
    return true
  elseif not self.due_in or self.is_over then
    return false
  end
  pause(self, self.due_in)
  self.due_in = nil
  return true
end

--- Send until there is nothing left to take.
function Lane:run()
  repeat
    fill(self)
    local goes_on = #self.pending > 0
    if goes_on then
      self.connection:advance(first_deadline(self))
      collect(self)
    end
  until not goes_on and not rest(self)
  leave(self)
end

return M
