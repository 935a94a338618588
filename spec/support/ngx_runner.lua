--- The runner of sends inside nginx (see spec/support/send_runners.lua): a job is
-- posted to a location whose handler is spec/support/ngx_handler.lua.
local nginx = require("spec.support.nginx")
local wire = require("qqmail.testing.wire")

-- Seconds a job may take.
local PATIENCE = 60

local M = {
  missing = nginx.missing(),
  -- A cosocket does not say how much it wrote before it failed, and cannot read
  -- without waiting. What it has opened belongs to the worker.
  caps = { keeps_connections = true },
}

--- Lines for `nginx.start`: the location, and what it needs.
M.configuration = {
  -- A server that is not there is a case of the suite.
  allow = { "connect%(%) to unix:%S+ failed %(2: " },
  server = [[
    client_body_buffer_size 1m;
    location = /send {
      content_by_lua_block { require("spec.support.ngx_handler").answer() }
    }
  ]],
}

local web

-- What is started: the location beside what the options say.
local function with_location(options)
  local out = {}
  for name, value in pairs(options) do
    out[name] = value
  end
  out.server = M.configuration.server .. (options.server or "")
  return out
end

--- Starts nginx with options of `nginx.start`, the location added to them.
-- @return instance
function M.start_with(options)
  return M.start(with_location(options))
end

--- Starts nginx.
-- @tparam ?table options for nginx.start instead of `configuration`
-- @return instance
function M.start(options)
  web = nginx.start(options or M.configuration)
  return web
end

--- Stops nginx, which fails when error.log tells of a crash.
function M.stop()
  if web then
    web:stop()
    web = nil
  end
end

local function run(job)
  local status, body = web:request("/send", wire.encode(job), PATIENCE)
  if status ~= 200 then
    error(("nginx answered %s: %s\n%s"):format(tostring(status), body, web:log()), 0)
  end
  return (wire.decode(body))
end

--- Sends messages in order through one mailer.
function M.send(options, messages)
  return run({ options = options, messages = messages })
end

--- Sends messages at once through one mailer.
function M.parallel(options, messages)
  return run({ options = options, messages = messages, parallel = true })
end

--- Runs a chunk in a content handler.
-- @tparam string code `...` is spec/support/ngx_handler.lua and the argument
-- @param argument plain data
-- @return what the chunk returns: plain data
function M.call(code, argument)
  return run({ code = code, argument = argument }).value
end

return M
