-- A mail every so often that says how many answers of 5xx there were, and where.
--
-- Counts are kept by period: the one that is over is counted up by nobody any
-- more, so that nothing gets lost between reading and removing it.
local qqmail = require "qqmail"

local M = {}

-- Most lines of a mail.
local LINES = 50

local mailer, to, every

local function period()
  return math.floor(ngx.now() / every)
end

function M.setup(options)
  mailer, to, every = qqmail.setup(), options.to, options.every
  -- The last period there was a mail for; at a reload it is known already.
  ngx.shared.digest:add("reported", period() - 1)
end

-- The path that was asked for. Clients choose its bytes; what is no plain
-- character would make the text of the mail unreadable.
local function place()
  local path = (ngx.var.request_uri or "-"):match("^[^?]*")
  return (ngx.var.host .. path):gsub("[^!-~]", "?"):sub(1, 200)
end

function M.log()
  if ngx.status >= 500 then
    local key = ("%d %d %s"):format(period(), ngx.status, place())
    ngx.shared.digest:incr(key, 1, 0, every * 3)
  end
end

-- List of `{ name =, count = }`, the largest first, and the sum. Listing the keys
-- locks the dictionary, which takes no time to speak of for one of 1 MB.
local function take(number)
  local counts, list, sum = ngx.shared.digest, {}, 0
  local prefix = number .. " "
  for _, key in ipairs(counts:get_keys(0)) do
    local count = key:sub(1, #prefix) == prefix and counts:get(key)
    if count then
      list[#list + 1] = { name = key:sub(#prefix + 1), count = count }
      sum = sum + count
    end
  end
  table.sort(list, function(a, b)
    return a.count > b.count
  end)
  return list, sum
end

local function report(number)
  local list, sum = take(number)
  if sum == 0 then
    return
  end
  local lines = {}
  for index = 1, math.min(#list, LINES) do
    lines[index] = ("%8d  %s"):format(list[index].count, list[index].name)
  end
  if #list > LINES then
    lines[#lines + 1] = ("and %d more addresses"):format(#list - LINES)
  end
  local from, till = os.date("%F %T", number * every), os.date("%T", (number + 1) * every)
  -- Handed over rather than sent: what fails for now is tried again.
  local id, err = mailer:notify {
    to = to,
    subject = ("%d errors"):format(sum),
    text = ("From %s to %s\n\n%s\n"):format(from, till, table.concat(lines, "\n")),
    -- Keeps holiday notes from answering.
    headers = { ["Auto-Submitted"] = "auto-generated" },
  }
  if not id then
    ngx.log(ngx.ERR, "no digest: ", tostring(err))
  end
end

-- While the worker ends, `premature` is set: at a reload the next worker finds
-- the same counts and goes on.
local function tick(premature)
  if premature then
    return
  end
  local counts, current = ngx.shared.digest, period()
  local reported = counts:get("reported") or current - 1
  counts:set("reported", current - 1)
  -- Older ones are forgotten by now.
  for number = math.max(reported + 1, current - 2), current - 1 do
    report(number)
  end
end

function M.start()
  mailer:start()
  -- One worker is enough, and there always is a first one.
  if ngx.worker.id() == 0 then
    -- More often than once a period, so that a mail does not wait for the next.
    assert(ngx.timer.every(math.min(every / 4, 10), tick))
  end
end

return M
