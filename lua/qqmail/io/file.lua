--- Driver that writes each message to a file instead of sending it.
--
-- `io = { file = "outbox" }` puts every message into the folder (which must
-- exist) as `<seconds>-<random>.eml`, written under another name first.
-- @module qqmail.io.file

local core = require("qqmail.core")
local errors = require("qqmail.errors")

local M = {}

local File = {}
File.__index = File

local function new_name()
  local random = core.random(8):gsub(".", function(c)
    return ("%02x"):format(c:byte())
  end)
  return ("%d-%s.eml"):format(os.time(), random)
end

function File:deliver(built)
  local path = self.folder .. "/" .. new_name()
  local ok, why = built:save(path)
  if not ok then
    return nil, errors.is(why) and why or errors.new({ kind = "config", code = "config.file_driver",
      phase = "config", delivered = "no", retry = "never", field = "io.file",
      text = { en = "cannot write " .. path .. ": " .. tostring(why),
        zh = "无法写入 " .. path .. "：" .. tostring(why) } })
  end
  return {
    message_id = built.id, accepted = built.envelope.to, rejected = {}, attempts = 1,
    reused = false, host = "file", path = path, times = {},
    reply = { code = 250, text = "written to " .. path },
  }
end

function M.new(folder)
  return setmetatable({ name = "file", folder = folder }, File)
end

return M
