--- Which driver moves the bytes of this send.
--
-- Decided for each send, not for each mailer: the same mailer may be used in
-- places where blocking is fine and in places where it is not.
-- @module qqmail.drivers

local errors = require("qqmail.errors")

local M = {}

local function unavailable(settings, en, zh)
  return nil, errors.new({ kind = "config", code = "config.driver_unavailable", phase = "config",
    delivered = "no", retry = "never", lang = settings.lang, text = { en = en, zh = zh } })
end

-- A blocking socket in a worker stops every request it serves.
local function in_nginx()
  local ngx = rawget(_G, "ngx")
  return type(ngx) == "table" and type(ngx.get_phase) == "function"
end

local function named(settings, name)
  if name == "memory" then
    return require("qqmail.io.memory").new()
  end
  if in_nginx() then
    return unavailable(settings,
      "sending from inside nginx needs the nginx driver, which this version does not have",
      "在 nginx 内发送需要 nginx 驱动，当前版本尚未提供")
  end
  if name == "ngx" then
    return unavailable(settings, 'io = "ngx" works inside nginx only; use "auto"',
      'io = "ngx" 只能在 nginx 内使用；请改用 "auto"')
  end
  return require("qqmail.io.blocking")
end

--- @tparam table settings
-- @treturn ?table driver
-- @treturn ?table error
function M.choose(settings)
  local io = settings.io or "auto"
  if type(io) == "string" then
    return named(settings, io)
  end
  if io.file then
    return require("qqmail.io.file").new(io.file)
  end
  if not settings.io_driver then
    settings.io_driver = require("qqmail.io.fd").new(io)
  end
  return settings.io_driver
end

return M
