--- Which driver moves the bytes of this send.
--
-- Decided for each send, not for each mailer: the same mailer may be used in
-- places where blocking is fine and in places where it is not.
-- @module qqmail.drivers

local errors = require("qqmail.errors")

local M = {}

local function set(words)
  local out = {}
  for word in words:gmatch("%S+") do
    out[word] = true
  end
  return out
end

-- The phases of nginx in which a handler may wait for a socket ...
local SENDING = set("rewrite server_rewrite access content timer ssl_cert preread")
-- ... and those in which it may at least start a timer that does.
local HANDING_OVER = set("init_worker set header_filter body_filter log balancer")

--- Where this code runs, as far as nginx is concerned.
-- @treturn string "outside"; "send", "hand_over": what this phase allows; "init",
-- "exit": start-up and end of the process; "none": nothing can be done
-- @treturn ?string the phase
function M.place()
  local ngx = rawget(_G, "ngx")
  -- Without sockets it is a thread of its own, in which blocking is fine.
  if type(ngx) ~= "table" or type(ngx.get_phase) ~= "function" or type(ngx.socket) ~= "table" then
    return "outside"
  end
  local phase = ngx.get_phase()
  if SENDING[phase] then
    return "send", phase
  elseif HANDING_OVER[phase] then
    return "hand_over", phase
  elseif phase == "init" then
    return "init", phase
  end
  return phase == "exit_worker" and "exit" or "none", phase
end

-- Directives whose name is not the phase's.
local DIRECTIVES = {
  ssl_cert = "ssl_certificate_by_lua", ssl_client_hello = "ssl_client_hello_by_lua",
  timer = "a timer",
}

--- How a user knows a phase.
-- @tparam string phase
-- @treturn string
function M.directive(phase)
  return DIRECTIVES[phase] or phase .. "_by_lua"
end

local function fail(settings, code, text, hint)
  return nil, errors.new({ kind = "config", code = code, phase = "config", delivered = "no",
    retry = "never", lang = settings.lang, text = text, hint = hint })
end

local function wrong_phase(settings, phase)
  return fail(settings, "config.wrong_phase", {
    en = "nginx lets nobody wait for a server in " .. M.directive(phase),
    zh = ("nginx 的 %s 阶段不能等待服务器"):format(M.directive(phase)),
  }, {
    en = "Use mailer:notify(message) there: it hands the mail over and returns at once.",
    zh = "请在该阶段使用 mailer:notify(message)：交出邮件后立即返回。",
  })
end

local function would_block(settings, phase)
  return fail(settings, "config.driver_unavailable", {
    en = "this io driver would stop the whole nginx worker in " .. M.directive(phase),
    zh = ("该 io 驱动会在 %s 中阻塞整个 nginx 工作进程"):format(M.directive(phase)),
  }, {
    en = 'Leave io out, or set io = "auto" or "ngx".', zh = '请去掉 io 选项，或设为 "auto"、"ngx"。',
  })
end

local function not_in_nginx(settings)
  return fail(settings, "config.driver_unavailable", {
    en = 'io = "ngx" works inside nginx only; use "auto"',
    zh = 'io = "ngx" 只能在 nginx 内使用；请改用 "auto"',
  })
end

-- cqueues is never loaded here: who runs its loop has done so.
local function in_cqueues()
  local cqueues = package.loaded["cqueues"]
  if type(cqueues) ~= "table" or type(cqueues.running) ~= "function" then
    return false
  end
  -- The second value: this coroutine is one that the loop itself resumes.
  local controller, is_direct = cqueues.running()
  return controller ~= nil and is_direct
end

local function automatic()
  return require(in_cqueues() and "qqmail.io.cqueues" or "qqmail.io.blocking")
end

-- The loop's own library may be missing, or refuse to be loaded here.
local function loop_driver(settings, name)
  local loaded, driver = pcall(require, "qqmail.io." .. name)
  if loaded then
    return driver
  end
  local why = tostring(driver):match("^[^\n]*")
  return fail(settings, "config.driver_unavailable", {
    en = ('io = "%s" cannot be used: %s'):format(name, why),
    zh = ('无法使用 io = "%s"：%s'):format(name, why),
  }, {
    en = ("Install %s for this Lua, and require qqmail.io.%s in the main chunk.")
      :format(name, name),
    zh = ("请为该 Lua 安装 %s，并在主程序中 require qqmail.io.%s。"):format(name, name),
  })
end

local function custom(settings)
  if not settings.io_driver then
    settings.io_driver = require("qqmail.io.fd").new(settings.io)
  end
  return settings.io_driver
end

local function outside(settings, io)
  if io == "ngx" then
    return not_in_nginx(settings)
  elseif io == "auto" then
    return automatic()
  elseif io == "cqueues" or io == "luv" then
    return loop_driver(settings, io)
  elseif io == "blocking" then
    return require("qqmail.io.blocking")
  end
  return custom(settings)
end

-- At start-up nobody is served yet, so that blocking does no harm.
local function inside(settings, io, place, phase)
  if io ~= "auto" and io ~= "ngx" then
    return would_block(settings, phase)
  elseif place ~= "send" then
    return wrong_phase(settings, phase)
  end
  return require("qqmail.io.ngx")
end

--- @tparam table settings
-- @treturn ?table driver
-- @treturn ?table error
function M.choose(settings)
  local io = settings.io or "auto"
  if io == "memory" then
    return require("qqmail.io.memory").new()
  elseif type(io) == "table" and io.file then
    return require("qqmail.io.file").new(io.file)
  end
  local place, phase = M.place()
  if place == "outside" or place == "init" then
    return outside(settings, io)
  end
  return inside(settings, io, place, phase)
end

return M
