--- Connections of the pump to scripted servers, without a mailer around them.
local blocking = require("qqmail.io.blocking")
local certs = require("spec.support.certs")
local connections = require("qqmail.connection")
local send = require("spec.support.send")
local tls = require("qqmail.tls")

local M = {}

local SECURITY = { plain = "none", starttls = "starttls", implicit = "implicit" }

local open = {}

local function make_filter()
  return tls.context({ ca_file = certs.path("ca.pem") }):client("localhost")
end

--- A moment by which a spec must be through.
-- @treturn number
function M.deadline()
  return blocking:now() + 30
end

--- Connects and logs in.
-- @param server with `host`, `port` and `mode`
-- @tparam ?table settings of the session that differ
-- @treturn ?table connection
-- @treturn ?table failure of `connections.open`
function M.try(server, settings)
  local connection, failure = connections.open(blocking, {
    target = { host = server.host, port = server.port },
    session = send.merge({ hostname = "[127.0.0.1]", security = SECURITY[server.mode],
      user = send.USER, password = send.CODE, allow_plaintext_auth = true }, settings),
    make_filter = make_filter, timeout = { connect = 10, reply = 10, final = 10 },
    deadline = M.deadline(),
  })
  open[#open + 1] = connection
  return connection, failure
end

--- The same, and it must work.
-- @treturn table connection
function M.open(server, settings)
  local connection, failure = M.try(server, settings)
  return assert(connection, failure and (failure.detail or failure.event and failure.event.text))
end

--- Closes all connections and stops all servers.
function M.stop()
  for index, connection in ipairs(open) do
    connection:abandon()
    open[index] = nil
  end
  send.stop()
end

return M
