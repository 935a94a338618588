--- Runs inside nginx: tries `send` and `notify` of one mailer in whatever phase
-- calls it, and writes what came of it into a folder, one file for each phase.
local net = require("qqmail.net")
local wire = require("qqmail.testing.wire")

local M = {}

local ngx = rawget(_G, "ngx")

local Probe = {}
Probe.__index = Probe

--- @tparam table options of the mailer
-- @tparam string folder
function M.new(options, folder)
  local mailer = require("qqmail").setup(options)
  return setmetatable({ mailer = mailer, folder = folder, done = {} }, Probe)
end

local function outcome(ok, value, err)
  if not ok then
    return { raised = tostring(value) }
  end
  return { ok = value and true or false, code = err and err.code, hint = err and err.hint,
    kind = err and err.kind, text = err and tostring(err) }
end

local function write(path, value)
  local file = assert(io.open(path .. ".new", "wb"))
  file:write(wire.encode(value))
  file:close()
  assert(os.rename(path .. ".new", path))
end

-- With a driver that would stop the worker.
local function try_blocking(self, io)
  local settings = self.mailer.settings
  local before = settings.io
  settings.io = io
  local result = outcome(pcall(self.mailer.send, self.mailer, { to = "a@test.local",
    subject = "blocking", text = "t" }))
  settings.io = before
  return result
end

--- Tries both, once for each name.
function Probe:try(name)
  if self.done[name] then
    return
  end
  self.done[name] = true
  local mailer, result = self.mailer, { phase = ngx.get_phase() }
  result.send = outcome(pcall(mailer.send, mailer, { to = "a@test.local",
    subject = "send " .. name, text = "t" }))
  result.notify = outcome(pcall(mailer.notify, mailer, { to = "a@test.local",
    subject = "notify " .. name, text = "t" }))
  if name ~= "init" then
    result.blocking = try_blocking(self, "blocking")
    result.own = try_blocking(self, { wait = net.wait, sleep = net.sleep })
  end
  write(self.folder .. "/" .. name, result)
end

--- Tries in a timer.
function Probe:try_later(name)
  assert(ngx.timer.at(0, function()
    self:try(name)
  end))
end

return M
