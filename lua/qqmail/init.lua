--- qqmail: sends mail, and says for certain what happened.
--
--     local qqmail = require("qqmail")
--     local receipt, err = qqmail.send { to = "ops@example.com", subject = "…", text = "…" }
--
-- Functions return a value, or nil and an error (see `qqmail.errors`); they
-- raise only for an argument of a wrong type. Times are seconds, sizes bytes,
-- text is UTF-8.
-- @module qqmail

local M = {
  _NAME = "qqmail",
  _VERSION = "0.1.0",
}

-- Loaded when first used: a program that only builds messages never opens a
-- socket module, let alone OpenSSL.
local LAZY = {
  errors = "qqmail.errors",
  log = "qqmail.log",
  providers = "qqmail.providers",
  template = "qqmail.template",
  testing = "qqmail.testing",
}

setmetatable(M, {
  __index = function(self, key)
    local name = LAZY[key]
    if name then
      local module = require(name)
      rawset(self, key, module)
      return module
    end
  end,
})

--- A mailer from options or a connection URL. No traffic yet.
-- @tparam table|string options
-- @treturn ?table mailer, see `qqmail.mailer`
-- @treturn ?table error
function M.new(options)
  return require("qqmail.mailer").new(options)
end

local default

--- Send one message through the default mailer, which is made once from the
-- environment and `.env`.
-- @tparam table message
-- @treturn ?table receipt
-- @treturn ?table error
function M.send(message)
  if type(message) ~= "table" then
    error("qqmail.send: a message table is expected, not a " .. type(message), 2)
  end
  if not default then
    local mailer, err = M.new({})
    if not mailer then
      return nil, err
    end
    default = mailer
  end
  return default:send(message)
end

--- For `init_by_lua` of nginx, which runs as root and sees the whole environment:
-- read and check the settings and load what takes time, once for all workers.
-- Nothing is sent or opened. The mailer is also the one of `qqmail.send`.
--
-- Raises on a wrong setting: nginx then does not start, and a reload keeps the
-- workers it has. (`nginx -t` runs no `init_by_lua` since 2018.)
-- @tparam ?table|string options
-- @treturn table mailer
function M.setup(options)
  local mailer, err = M.new(options or {})
  local ok = mailer ~= nil
  if ok then
    ok, err = require("qqmail.account").preload(mailer.settings)
    mailer.settings.cover:mend(err)
  end
  if not ok then
    error(tostring(err), 0)
  end
  if rawget(_G, "ngx") then
    -- Workers get by fork what is loaded here, even where they may not read it.
    for _, name in ipairs({ "io.ngx", "outbox.worker", "outbox.store", "diagnose", "lint",
      "doctor", "template", "dkim", "smime", "batch" }) do
      require("qqmail." .. name)
    end
  end
  default = mailer
  return mailer
end

--- A built message, for looking at, saving or sending several times.
-- @tparam table spec
-- @treturn ?table message, see `qqmail.message`
-- @treturn ?table error
function M.message(spec)
  return require("qqmail.message").new(spec, {})
end

--- Something that stops sends from outside: the message field `cancel`, and the
-- option of `mailer:send_all`.
-- @treturn table token with `cancel()`, see `qqmail.canceller`
function M.canceller()
  return require("qqmail.canceller").new()
end

--- The settings that would be used, secrets masked, each with its origin.
-- @tparam ?table|string options
-- @treturn ?table
-- @treturn ?table error
function M.config(options)
  local config = require("qqmail.config")
  local settings, err = config.load(options or {})
  if not settings then
    return nil, err
  end
  return config.describe(settings)
end

return M
