--- Waiting for one's turn under the option `rate`.
--
-- The limit belongs to the account, not to a mailer: all mailers of a process
-- count together. Workers of nginx share it where the configuration declares
-- `lua_shared_dict qqmail_rate 1m;`, else each takes its part of it.
-- @module qqmail.turn

local account = require("qqmail.account")
local errors = require("qqmail.errors")
local rate = require("qqmail.rate")
local transcript = require("qqmail.transcript")

local M = {}

-- By account and rate. A limiter that is thrown away forgets one slot: many
-- accounts, each seldom used, must not fill the memory.
local limiters, count = {}, 0
local MOST = 1000

local function nginx()
  local ngx = rawget(_G, "ngx")
  return type(ngx) == "table" and type(ngx.shared) == "table" and ngx or nil
end

local function make(settings, name)
  local ngx = nginx()
  local dict = ngx and ngx.shared.qqmail_rate
  local per = settings.rate.per
  if ngx and not dict then
    per = per * ngx.worker.count()
  end
  return rate.new({ settings.rate[1], per = per }, name, dict)
end

local function limiter_of(settings)
  local name = ("%s:%s/%s"):format(account.name(settings), settings.rate[1], settings.rate.per)
  if not limiters[name] then
    if count >= MOST then
      limiters, count = {}, 0
    end
    limiters[name], count = make(settings, name), count + 1
  end
  return limiters[name]
end

local function too_early(settings, seconds)
  return errors.new({ kind = "rate", code = "rate.own_limit", phase = "config", delivered = "no",
    retry = "later", retry_after = seconds, lang = settings.lang,
    transcript = transcript.remark(("rate: no mail for %.0f s"):format(seconds)),
    text = { en = ("the limit set by `rate` lets no further mail go for %.0f s"):format(seconds),
      zh = ("按 rate 设定的频率，%.0f 秒后才能再发"):format(seconds) } })
end

--- Wait until a message may go.
-- @tparam table settings
-- @tparam table driver
-- @tparam number patience seconds to wait at most
-- @tparam ?function pause (seconds) in place of the driver's sleep
-- @treturn ?boolean true
-- @treturn ?table error of kind `rate`: no turn was taken
function M.wait(settings, driver, patience, pause)
  if not settings.rate then
    return true
  end
  local now = driver:now()
  local moment, seconds = limiter_of(settings):take(now, now + patience)
  if not moment then
    return nil, too_early(settings, seconds)
  end
  if moment > now and pause then
    pause(moment - now)
  elseif moment > now then
    driver:sleep(moment - now)
  end
  return true
end

return M
