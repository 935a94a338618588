--- A private nginx for specs, on a unix socket in a folder of its own. It ends
-- with this process, however that one ends (see nginx.sh).
--
--     local nginx = require("spec.support.nginx")
--     local why = nginx.missing()   -- nil, or why it cannot run here
--     local web = nginx.start({ server = "location /x { return 200 hello; }" })
--     local status, body = web:request("/x")
--     web:stop()                    -- raises when error.log tells of a crash
--
-- What to start, all of it optional:
--
-- * `main`, `events`, `http`, `server`: lines for these blocks
-- * `workers`: how many, 1 by default
-- * `env`: `{ NAME = "value" }` for the process; workers see no more of it than
--   `env NAME;` in `main` lets through
-- * `files`: `{ ["x.lua"] = text }`, put into the prefix; `require("x")` finds it
-- * `secrets`: the same, but readable for nobody else (mode 0600)
-- * `user`: whom workers run as when this is root, "root" by default; they can
--   read the prefix, less the secrets
-- * `folder`: of an example with a complete nginx.conf, in place of the blocks; all
--   of it is put into the prefix, and what belongs to its machine is replaced
--   (modules, user, address, temporary files)
-- * `edit`: `{ ["old text"] = "new" }` for the nginx.conf of the folder
-- * `allow`: list of patterns, lines of error.log that are no fault
--
-- `require("qqmail")` inside is this checkout, with the build of LuaJIT.
local http = require("spec.support.http")
local net = require("qqmail.net")
local shell = require("spec.support.shell")

local M = {}

local Instance = {}
Instance.__index = Instance

local SCRIPT = "spec/support/nginx.sh"
-- Seconds for anything that nginx does at once when all is well.
local PATIENCE = 10

local PROGRAM = os.getenv("QQMAIL_TEST_NGINX") or "/usr/sbin/nginx"
local MODULES = os.getenv("QQMAIL_TEST_NGINX_MODULES") or "/usr/lib/nginx/modules"
local MODULE_FILES = { "ndk_http_module.so", "ngx_http_lua_module.so" }

-- What no run may leave in error.log.
local FAULTS = { "%[alert%]", "%[crit%]", "%[emerg%]", "exited on signal" }

local running = {}

-- Files and processes --------------------------------------------------------

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read("*a")
  if file then
    file:close()
  end
  return text
end

local function capture(command)
  local output = shell.run(command)
  return (output:gsub("%s+$", ""))
end

-- A process nobody has waited for yet is over all the same.
local function is_gone(pid)
  local state = (read(("/proc/%d/stat"):format(pid)) or ""):match("^.*%) (%a)")
  return state == nil or state == "Z" or state == "X"
end

-- Waits until `condition` answers something; nil when the time was not enough.
local function wait_for(condition, seconds)
  local deadline = net.now() + (seconds or PATIENCE)
  while true do
    local value = condition()
    if value then
      return value
    elseif net.now() >= deadline then
      return nil
    end
    net.sleep(0.005)
  end
end

M.wait_for = wait_for
M.is_gone = is_gone

--- Whether this is root, who can run workers as somebody else.
function M.is_root()
  return capture("id -u") == "0"
end

--- Writes a file that nobody else can read.
function M.write_secret(path, text)
  shell.write(path, "")
  shell.run("chmod 600 " .. shell.quote(path))
  shell.write(path, text)
end

-- The configuration ----------------------------------------------------------

-- An nginx with the Lua module inside needs none from outside.
local function is_builtin()
  return capture(shell.quote(PROGRAM) .. " -V"):find("lua-nginx-module", 1, true) ~= nil
end

local function load_modules()
  if is_builtin() then
    return ""
  end
  local lines = {}
  for i, name in ipairs(MODULE_FILES) do
    lines[i] = ("load_module %s/%s;"):format(MODULES, name)
  end
  return table.concat(lines, "\n")
end

local function absolute(path, here)
  return path:sub(1, 1) == "/" and path or here .. "/" .. path
end

local TEMPORARY = [[
  client_body_temp_path $prefix/temp/body;
  proxy_temp_path $prefix/temp/proxy;
  fastcgi_temp_path $prefix/temp/fastcgi;
  uwsgi_temp_path $prefix/temp/uwsgi;
  scgi_temp_path $prefix/temp/scgi;
]]

local CONFIGURATION = [[
$modules
daemon off;
master_process on;
worker_processes $workers;
pid $prefix/nginx.pid;
error_log $prefix/logs/error.log info;
$user
$main
events {
  worker_connections 512;
  $events
}
http {
  access_log off;
  $temporary
  client_max_body_size 100m;
  lua_package_path "$prefix/?.lua;$here/lua/?.lua;$here/lua/?/init.lua;$here/?.lua;;";
  lua_package_cpath "$build/?.so;;";
  lua_socket_log_errors off;
  $http
  server {
    listen unix:$prefix/http.sock;
    $server
  }
}
]]

local function configuration(prefix, options)
  local here = capture("pwd")
  local values = {
    prefix = prefix, here = here, modules = load_modules(),
    build = absolute(os.getenv("QQMAIL_BUILD") or "build/luajit", here),
    user = M.is_root() and ("user %s;"):format(options.user or "root") or "",
    workers = tostring(options.workers or 1), main = options.main or "",
    events = options.events or "", http = options.http or "", server = options.server or "",
  }
  values.temporary = TEMPORARY:gsub("%$prefix", prefix)
  -- No template in the options: what they say may hold variables of nginx.
  return (CONFIGURATION:gsub("%$(%l+)", values))
end

-- Lines that begin with a directive, and how many there were.
local function replace(text, directive, new)
  return text:gsub("\n *" .. directive .. "[^\n]*", function()
    return "\n" .. new
  end)
end

-- A complete nginx.conf, made fit for this machine.
local function adapt(text, prefix, options)
  for old, new in pairs(options.edit or {}) do
    local at, till = text:find(old, 1, true)
    text = text:sub(1, assert(at, old) - 1) .. new .. text:sub(till + 1)
  end
  local count
  text = replace(text, "load_module ", "")
  text = replace(text, "user ", M.is_root() and "user root;" or "")
  text = replace(text, "http {", "http {\n" .. TEMPORARY:gsub("%$prefix", prefix))
  text, count = replace(text, "listen ", ("listen unix:%s/http.sock;"):format(prefix))
  assert(count == 1, "there is one address to listen at")
  return load_modules() .. "\ndaemon off;\n" .. text
end

local function copy_folder(prefix, options)
  shell.run(("cp -r %s/. %s"):format(shell.quote(options.folder), prefix))
  local path = prefix .. "/nginx.conf"
  shell.write(path, adapt(assert(read(path), path), prefix, options))
end

local function make_prefix(options)
  local prefix = capture("mktemp -d /tmp/qqmail-nginx.XXXXXX")
  shell.run(("mkdir %s/logs %s/temp; chmod %s %s"):format(prefix, prefix,
    options.user and "755" or "700", prefix))
  for name, text in pairs(options.files or {}) do
    shell.write(prefix .. "/" .. name, text)
  end
  for name, text in pairs(options.secrets or {}) do
    M.write_secret(prefix .. "/" .. name, text)
  end
  if options.folder then
    copy_folder(prefix, options)
  else
    shell.write(prefix .. "/nginx.conf", configuration(prefix, options))
  end
  return prefix
end

local function environment(options)
  local words = { "env" }
  for name, value in pairs(options.env or {}) do
    words[#words + 1] = shell.quote(name .. "=" .. value)
  end
  return table.concat(words, " ")
end

-- Starting -------------------------------------------------------------------

--- Why nginx cannot run here; nil when it can.
function M.missing()
  if not read(PROGRAM) then
    return PROGRAM .. " is not installed"
  elseif is_builtin() then
    return nil
  end
  for _, name in ipairs(MODULE_FILES) do
    if not read(MODULES .. "/" .. name) then
      return name .. " is not installed"
    end
  end
end

--- What `nginx -t` says to a configuration. The Lua module of Debian 12 runs no
-- `init_by_lua` then, not even to look at its syntax.
-- @tparam table options as for `start`
-- @treturn boolean whether it is good
-- @treturn string the output
function M.check(options)
  local prefix = make_prefix(options)
  local output, status = shell.run(("%s %s -t -p %s -c nginx.conf -e logs/error.log"):format(
    environment(options), shell.quote(PROGRAM), prefix))
  shell.run("rm -rf " .. prefix)
  return status == 0, output
end

-- The pid of the master once it takes connections; nil when it ended instead.
local function await_start(self)
  local pid = wait_for(function()
    return tonumber(read(self.prefix .. "/master"))
  end)
  self.pid = pid
  return pid and wait_for(function()
    return is_gone(pid) and "gone" or http.is_open(self.socket)
  end) == true
end

--- Starts one. Raises with what nginx says when it does not start.
-- @tparam ?table options see the top
-- @return instance with `prefix` and `pid`
function M.start(options)
  options = options or {}
  local prefix = make_prefix(options)
  local self = setmetatable({ prefix = prefix, socket = prefix .. "/http.sock",
    count = options.workers or 1, allow = options.allow or {} }, Instance)
  self.watcher = assert(io.popen(("exec %s %s %s %s"):format(environment(options), SCRIPT,
    shell.quote(PROGRAM), prefix), "w"))
  if not await_start(self) then
    local text = (read(prefix .. "/out") or "") .. self:log()
    self.watcher:close()
    error("nginx did not start: " .. text, 2)
  end
  running[self] = true
  return self
end

-- A running one ---------------------------------------------------------------

--- Sends a request and goes on at once.
-- @tparam string path
-- @tparam ?string body makes it a POST
-- @return an exchange: `answer([seconds])` gives status, body, head
function Instance:begin(path, body)
  return http.begin(self.socket, path, body)
end

--- Sends a request and waits for the answer.
-- @tparam string path
-- @tparam ?string body makes it a POST
-- @tparam[opt=30] number seconds for all of it
-- @treturn ?number status; nil when there was none
-- @treturn string the body, or why there is none
-- @treturn ?string status line and header fields
function Instance:request(path, body, seconds)
  return self:begin(path, body):answer(seconds)
end

--- What is in error.log.
function Instance:log()
  return read(self.prefix .. "/logs/error.log") or ""
end

--- Sends a signal to the master: "HUP", "USR1", ...
function Instance:signal(name)
  shell.run(("kill -%s %d"):format(name, self.pid))
end

-- The processes the master started whose title is just this.
local function titled(self, title)
  local list = {}
  for pid in capture("pgrep -P " .. self.pid):gmatch("%d+") do
    local line = (read(("/proc/%s/cmdline"):format(pid)) or ""):gsub("[%z ]+$", "")
    if line == title and not is_gone(tonumber(pid)) then
      list[#list + 1] = tonumber(pid)
    end
  end
  return list
end

--- The pids of the workers that take requests.
function Instance:workers()
  return titled(self, "nginx: worker process")
end

--- The pids of the workers that take no more and finish what they have.
function Instance:leaving()
  return titled(self, "nginx: worker process is shutting down")
end

-- Whether all workers are there, and none of the old ones takes requests.
local function is_replaced(self, old)
  local new = self:workers()
  for _, pid in ipairs(new) do
    if old[pid] then
      return false
    end
  end
  return #new >= self.count
end

-- Waits for workers beside those of a list.
local function await_others(self, list, seconds)
  local old = {}
  for _, pid in ipairs(list) do
    old[pid] = true
  end
  return wait_for(function()
    return is_replaced(self, old)
  end, seconds)
end

--- Reloads the configuration and waits until other workers serve. Those of
-- before may still be at work, see `leaving`.
-- @tparam[opt=10] number seconds at most
function Instance:reload(seconds)
  local before, old = #self:log(), self:workers()
  self:signal("HUP")
  if not await_others(self, old, seconds) then
    error("nginx did not reload: " .. self:log():sub(before + 1), 2)
  end
end

--- Kills a worker with SIGKILL and waits until there are as many as before. Has
-- to be allowed: error.log tells of it.
-- @tparam number pid
function Instance:kill_worker(pid)
  shell.run("kill -KILL " .. pid)
  if not await_others(self, { pid }) then
    error("nginx started no worker instead of " .. pid, 2)
  end
end

local function memory(pid, name)
  return tonumber((read(("/proc/%d/status"):format(pid)) or ""):match(name .. ":%s*(%d+)"))
end

--- Memory of a process.
-- @tparam number pid
-- @treturn number KiB
function Instance.rss(_, pid)
  return memory(pid, "VmRSS")
end

--- The most memory a process ever had.
-- @tparam number pid
-- @treturn number KiB
function Instance.peak(_, pid)
  return memory(pid, "VmHWM")
end

-- Ending -----------------------------------------------------------------------

local function end_by(self, signal, seconds)
  self:signal(signal)
  return wait_for(function()
    return is_gone(self.pid)
  end, seconds)
end

--- Asks it to finish what it has, and waits for that.
-- @tparam[opt=10] number seconds at most
-- @treturn ?boolean true, nil when it was not enough
function Instance:quit(seconds)
  return end_by(self, "QUIT", seconds)
end

--- Ends it at once.
-- @tparam[opt=10] number seconds at most
-- @treturn ?boolean true, nil when it was not enough
function Instance:term(seconds)
  return end_by(self, "TERM", seconds)
end

local function holds(line, patterns)
  for _, pattern in ipairs(patterns) do
    if line:find(pattern) then
      return true
    end
  end
  return false
end

--- The lines of error.log that should not be there.
-- @treturn table list
function Instance:faults()
  local list = {}
  for line in self:log():gmatch("[^\n]+") do
    if holds(line, FAULTS) and not holds(line, self.allow) then
      list[#list + 1] = line
    end
  end
  return list
end

--- Ends it and removes the prefix. Raises when it had to be forced, or when
-- error.log tells of what must not happen. May be called again.
-- @tparam ?table allow patterns beside those given at the start
function Instance:stop(allow)
  if not self.watcher then
    return
  end
  for _, pattern in ipairs(allow or {}) do
    self.allow[#self.allow + 1] = pattern
  end
  local ended = is_gone(self.pid) or self:quit(self.patience)
  local faults = self:faults()
  self.watcher:close() -- which ends it by force, and removes the prefix
  self.watcher, running[self] = nil, nil
  if not ended then
    error("nginx did not end by itself", 2)
  elseif #faults > 0 then
    error("in error.log: " .. table.concat(faults, "\n"), 2)
  end
end

--- Stops all that run, for after_each.
function M.stop()
  local first
  for instance in pairs(running) do
    local ok, why = pcall(instance.stop, instance)
    first = first or (not ok and why) or nil
  end
  if first then
    error(first, 2)
  end
end

return M
