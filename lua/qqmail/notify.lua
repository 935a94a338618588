--- Handing mails over: `mailer:notify`, `mailer:flush` and what belongs to them.
-- @module qqmail.notify

local boxes = require("qqmail.outbox.boxes")
local drivers = require("qqmail.drivers")
local errors = require("qqmail.errors")

local M = {}

-- Between two looks of `flush` at what others are sending.
local FLUSH_PAUSE = 0.01

local function wrong_phase(mailer, phase)
  return errors.new({ kind = "config", code = "config.wrong_phase", phase = "config",
    delivered = "no", retry = "never", lang = mailer.settings.lang,
    text = { en = "nothing can be handed over in " .. drivers.directive(phase),
      zh = drivers.directive(phase) .. " 阶段不能交出邮件" },
    hint = { en = "Use init_worker_by_lua or any later phase.",
      zh = "请在 init_worker_by_lua 或之后的阶段使用。" } })
end

--- Hand a built message over.
-- @tparam table mailer
-- @tparam table built
-- @treturn ?boolean true
-- @treturn ?table error
function M.accept(mailer, built)
  local place, phase = drivers.place()
  if place == "init" then
    return nil, wrong_phase(mailer, phase)
  end
  local box = boxes.of(mailer, place)
  local ok, err = box.outbox:accept(built, mailer.agent)
  if ok and box.worker and place ~= "exit" then
    box.worker:wake()
  end
  return ok, err
end

--- Look for mails that others left, and go on doing so: for
-- `init_worker_by_lua`.
-- @tparam table mailer
-- @treturn ?boolean true
-- @treturn ?table error
function M.start(mailer)
  local place, phase = drivers.place()
  if place == "init" or place == "exit" then
    return nil, wrong_phase(mailer, phase)
  end
  local box = boxes.of(mailer, place)
  if box.worker then
    box.worker:stay()
  end
  return true
end

local function summary(box, before)
  local counts = box.outbox.counts
  return { sent = counts.sent - before.sent, failed = counts.failed - before.failed,
    waiting = box.outbox:waiting() }
end

local function time_over(mailer, result)
  local err = errors.new({ kind = "timeout", code = "outbox.not_empty", phase = "config",
    delivered = "no", retry = "later", lang = mailer.settings.lang,
    text = { en = ("%d mails still wait"):format(result.waiting),
      zh = ("还有 %d 封邮件在等待"):format(result.waiting) } })
  err.waiting, err.sent, err.failed = result.waiting, result.sent, result.failed
  return err
end

-- Sends until nothing waits or the time is over. Without `patience` a pause that
-- would have to be waited for ends it too.
local function drain(box, driver, deadline, patience)
  while driver:now() < deadline do
    local entry, pause = box.outbox:next()
    if entry then
      box.outbox:send(entry)
    elseif box.outbox:is_idle() then
      return true
    elseif not pause and patience then
      driver:sleep(FLUSH_PAUSE) -- another coroutine is sending the last ones
    elseif not pause then
      return false
    elseif not patience or driver:now() + pause >= deadline then
      return false
    else
      driver:sleep(pause)
    end
  end
  return box.outbox:is_idle()
end

-- Inside nginx others send; here is only waited for them.
local function await(box, driver, deadline)
  box.worker:wake()
  while not box.outbox:is_idle() do
    if driver:now() >= deadline then
      return false
    end
    driver:sleep(FLUSH_PAUSE)
  end
  return true
end

--- Wait until what was handed over has its verdict.
-- @tparam table mailer
-- @tparam number seconds at most
-- @treturn ?table `sent`, `failed`, `waiting` (0): mails since the call
-- @treturn ?table error, with the same fields
function M.flush(mailer, seconds)
  local place, phase = drivers.place()
  if place == "init" then
    return nil, wrong_phase(mailer, phase)
  end
  local driver, err = drivers.choose(mailer.settings)
  if not driver then
    return nil, err
  elseif driver.deliver then
    return { sent = 0, failed = 0, waiting = 0 }
  end
  local box = boxes.of(mailer, place)
  local before = { sent = box.outbox.counts.sent, failed = box.outbox.counts.failed }
  local deadline = driver:now() + seconds
  local done
  if box.worker then
    done = await(box, driver, deadline)
  else
    done = drain(box, driver, deadline, true)
  end
  local result = summary(box, before)
  if not done then
    return nil, time_over(mailer, result)
  end
  return result
end

--- The mailer ends: send what waits as far as that goes at once. Inside nginx the
-- outbox belongs to the worker.
-- @tparam table mailer
function M.close(mailer)
  local box = mailer.box and boxes.find(mailer)
  if not box then
    return
  end
  local driver = box.outbox:waiting() > 0 and drivers.choose(mailer.settings)
  if driver and not driver.deliver then
    drain(box, driver, driver:now() + mailer.settings.timeout.total, false)
  end
  box.outbox:close()
  mailer.box = nil
end

--- Counts of the outbox this mailer uses, without making one.
-- @tparam table mailer
-- @treturn ?table `accepted`, `sent`, `failed`, `dropped`, `waiting`
function M.stats(mailer)
  local box = boxes.find(mailer)
  if not box then
    return nil
  end
  local counts, out = box.outbox.counts, { waiting = box.outbox:waiting() }
  for name, value in pairs(counts) do
    out[name] = value
  end
  return out
end

return M
