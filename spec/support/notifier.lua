--- An nginx whose log phase hands a mail over for each request, and a server
-- that counts what arrives: for specs of `notify`.
local net = require("qqmail.net")
local nginx = require("spec.support.nginx")
local send = require("spec.support.send")

local M = {}

local function options_text(options)
  local parts = {}
  for key, value in pairs(options) do
    local text = type(value) == "table" and options_text(value)
      or type(value) == "string" and ("%q"):format(value) or tostring(value)
    parts[#parts + 1] = ("%s = %s"):format(key, text)
  end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

M.options_text = options_text

--- Locations that hand over a mail, tell counts, and wait.
M.LOCATIONS = [[
  location /notify {
    return 200 "ok";
    log_by_lua_block {
      local id, err = mailer:notify({ to = "a@test.local", subject = ngx.var.arg_n, text = "t" })
      if not id then
        ngx.log(ngx.ERR, "not taken: ", tostring(err))
      end
    }
  }
  location /stats {
    content_by_lua_block {
      local counts = mailer:stats().outbox
      ngx.print(counts.accepted, " ", counts.sent, " ", counts.failed, " ", counts.waiting)
    }
  }
  location /flush {
    content_by_lua_block {
      local result, err = mailer:flush(20)
      ngx.print(result and result.waiting or tostring(err))
    }
  }
]]

--- Options of a mailer inside nginx that fits a server.
function M.mailer_options(server, more)
  return send.options(server, send.merge({ log = nil, pool = { max = 4 } }, more))
end

--- Starts an nginx with the module "mailer" set up in the master.
-- @param server of spec/support/send.lua
-- @tparam table more options of the mailer
-- @tparam ?table web options of spec/support/nginx.lua
function M.start(server, more, web)
  local options = send.merge({
    http = ([[
      init_by_lua_block { mailer = require("qqmail").setup(%s) }
      init_worker_by_lua_block { mailer:start() }
    ]]):format(options_text(M.mailer_options(server, more))),
    server = M.LOCATIONS,
  }, web)
  return nginx.start(options)
end

--- Requests `first` to `last`, one mail each.
function M.hit(web, first, last)
  for n = first, last do
    local status, why = web:request("/notify?n=" .. n)
    assert(status == 200, tostring(status) .. " " .. tostring(why))
  end
end

local function subjects(server)
  local seen, doubles = {}, 0
  for _, message in ipairs(server:messages()) do
    local n = tonumber(message.data:match("Subject: (%d+)"))
    doubles = doubles + (seen[n] and 1 or 0)
    seen[n] = true
  end
  return seen, doubles
end

local function count_missing(server, first, last)
  local seen, doubles = subjects(server)
  local missing = 0
  for index = first, last do
    missing = missing + (seen[index] and 0 or 1)
  end
  return missing, doubles
end

--- How many of the mails `first` to `last` are missing at the server, and how
-- many mails are there twice; waits until none is missing, or the time is over.
-- @treturn number
-- @treturn number
function M.missing_between(server, first, last, seconds)
  local deadline, n = net.now() + (seconds or 60), last - first + 1
  while true do
    -- Without doubles nothing is missing then; with some the count goes on.
    server:wait(n, 1)
    local missing, doubles = count_missing(server, first, last)
    if missing == 0 or net.now() >= deadline then
      return missing, doubles
    end
    n = n + 1
  end
end

--- The same for the mails `1` to `n`.
function M.missing(server, n, seconds)
  return M.missing_between(server, 1, n, seconds)
end

return M
