--- qqmail as the bench uses it: on its nginx driver or, for contrast, blocking.

local qqmail = require("qqmail")

local M = {}

local Client = {}
Client.__index = Client

-- "new": used up by its first message, and closed.
local POOLS = { kept = { max = 16 }, new = { max = 16, messages = 1 } }

-- Only here: the library rightly refuses to block a worker, so that for this
-- mailer the choice is made behind its back.
local function make_blocking(mailer)
  local drivers = require("qqmail.drivers")
  local choose = drivers.choose
  function drivers.choose(settings)
    if settings == mailer.settings then
      return require("qqmail.io.blocking")
    end
    return choose(settings)
  end
end

function M.new(query)
  local mailer = assert(qqmail.new {
    host = "127.0.0.1", port = tonumber(query.port), tls = query.tls,
    user = "bench@example.com", password = "bench", allow_plaintext_auth = true,
    from = "bench@example.com", tls_options = { ca_file = query.prefix .. "certs/ca.pem" },
    pool = POOLS[query.connection], timeout = { total = 60 }, log = "off",
  })
  if query.client == "blocking" then
    make_blocking(mailer)
  end
  local message = {
    to = "user@example.com", subject = "磁盘告警 91%",
    text = ("The disk of the server is nearly full. 磁盘空间不足。\n"):rep(8),
    attachments = query.attach and { query.attach } or nil,
  }
  return setmetatable({ mailer = mailer, message = message }, Client)
end

function Client:send()
  return self.mailer:send(self.message)
end

return M
