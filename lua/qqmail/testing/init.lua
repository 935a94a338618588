--- Helps for testing mail: a scripted SMTP server on loopback.
--
--    local testing = require("qqmail.testing")
--    local server = testing.server({ scenario = "qq" })
--    -- send to server.host, server.port
--    assert(server:wait(1, 5))
--    print(server:messages()[1].data)
--    server:stop()
-- @module qqmail.testing

local M = {}

--- The scenarios by name.
M.scenarios = require("qqmail.testing.scenarios")

--- Starts a server, see `qqmail.testing.server.start`.
-- @tparam[opt] table options
-- @return server
function M.server(options)
  return require("qqmail.testing.server").start(options)
end

return M
