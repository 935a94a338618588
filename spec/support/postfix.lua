--- The private Postfix and Dovecot of the specs (see postfix.sh), started once
-- for a run and stopped with it, however it ends.
--
--     local postfix = require("spec.support.postfix")
--     local why = postfix.missing()   -- nil, or why it cannot run here
--     local pf = postfix.start()
--     -- send to pf.host, pf.smtps / pf.submission / pf.plain, trusting pf.ca
--     local files = pf:wait_for("a@test.local", 1, 10)
local certs = require("spec.support.certs")
local net = require("qqmail.net")

local M = {}

local Fixture = {}
Fixture.__index = Fixture

local SCRIPT = "spec/support/postfix.sh"
local PORTS = 8

-- The field of a fixture for each port of postfix.sh.
local FIELDS = { MX = "mx", SUBMISSION = "submission", SMTPS = "smtps", PLAIN = "plain",
  BARE = "bare", HELO = "helo_only", OLDTLS = "old_tls", LMTP = "lmtp", ROOT = "root" }

-- busted loads every spec file's modules anew; the registry outlives that.
local registry, KEY = debug.getregistry(), "qqmail.spec.postfix"

local function capture(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

--- Why the servers cannot run here; nil when they can.
function M.missing()
  local text = capture(SCRIPT .. " check 2>&1")
  return text ~= "" and text:gsub("%s+$", "") or nil
end

local function are_free(base)
  for port = base, base + PORTS - 1 do
    local listener = net.listen("127.0.0.1", port)
    if not listener then
      return false
    end
    listener:close()
  end
  return true
end

-- Ports below those the system gives to clients; where to begin looking is as
-- good as random, so that two runs side by side seldom meet.
local function find_base()
  local probe = assert(net.listen("127.0.0.1", 0))
  local base = 20000 + probe:port() % 1200 * 10
  probe:close()
  for _ = 1, 100 do
    if are_free(base) then
      return base
    end
    base = 20000 + (base - 20000 + 10) % 12000
  end
  error("no free ports for Postfix")
end

local function read_settings(text)
  local fixture = {}
  for name, value in text:gmatch("(%u+)=(%S+)") do
    fixture[FIELDS[name]] = tonumber(value) or value
  end
  return fixture
end

-- So that the run ends when the servers have; without busted, or should it be
-- killed, the watcher does it alone.
local function stop_with_busted()
  local busted = package.loaded["busted"]
  if busted and busted.subscribe then
    busted.subscribe({ "exit" }, function()
      if registry[KEY] then
        registry[KEY]:stop()
      end
      return nil, true -- other handlers of this event run as well
    end)
  end
end

--- Starts the servers, or answers those that run already.
-- @return fixture: `host` "localhost", the ports `smtps`, `submission` (STARTTLS),
-- `plain` (AUTH in clear), `mx`, `bare`, `helo_only`, `old_tls`, `lmtp` (nil
-- when Dovecot has none), `ca` (file), `user`, `password`, `users`, `root`
function M.start()
  if registry[KEY] then
    return registry[KEY]
  end
  local root = capture("mktemp -d /tmp/qqmail-postfix.XXXXXX"):match("%S+")
  -- Stops the servers when this pipe ends, and so when this process does.
  local watcher = assert(io.popen(("exec %s watch %s"):format(SCRIPT, root), "w"))
  local text = capture(("%s start %s %s %d"):format(SCRIPT, root, certs.dir(), find_base()))
  local fixture = read_settings(text)
  if not fixture.smtps then
    watcher:close()
    error("Postfix did not start")
  end
  fixture.host, fixture.watcher, fixture.ca = "localhost", watcher, certs.path("ca.pem")
  fixture.user, fixture.password = "user@qq.com", "abcdefghijklmnop"
  fixture.users = { ["user@qq.com"] = "abcdefghijklmnop", u = "p", ["用户@qq.com"] = "密码密码" }
  registry[KEY] = setmetatable(fixture, Fixture)
  stop_with_busted()
  return registry[KEY]
end

--- The directory of a recipient's mail.
function Fixture:box(address)
  return self.root .. "/mail/" .. address:lower():gsub("/", "_")
end

--- The files of a recipient's messages, oldest first.
-- @treturn {string,...}
function Fixture:maildir(address)
  local files = {}
  local box = self:box(address)
  local list = capture(("cd '%s' 2>/dev/null && find new cur -type f"):format(box))
  for name in list:gmatch("[^\n]+") do
    files[#files + 1] = box .. "/" .. name
  end
  table.sort(files, function(a, b) return a:match("[^/]+$") < b:match("[^/]+$") end)
  return files
end

--- Waits until a recipient has so many messages.
-- @treturn ?{string,...} their files; nil when the time was not enough
function Fixture:wait_for(address, n, seconds)
  local deadline = net.now() + (seconds or 10)
  while true do
    local files = self:maildir(address)
    if #files >= n then
      return files
    elseif net.now() >= deadline then
      return nil
    end
    net.sleep(0.02)
  end
end

--- The bytes of a file.
function M.read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("*a")
  file:close()
  return bytes
end

--- A message as it was sent, with CRLF: without the lines that Postfix puts on
-- top (Return-Path and Received).
function M.message(path)
  local text = M.read(path)
  text = text:gsub("^Return%-Path:[^\n]*\n", ""):gsub("^Received:[^\n]*\n", "")
  while text:find("^[ \t]") do
    text = text:gsub("^[^\n]*\n", "")
  end
  return (text:gsub("\n", "\r\n"))
end

--- Stops Postfix, whatever is under way; back when it has gone.
function Fixture:halt()
  local text = capture(("%s halt %s 2>&1"):format(SCRIPT, self.root))
  assert(text == "", text)
end

--- Begins to start a stopped Postfix. What goes on here does so without it.
-- @treturn function waits until it serves again; raises when it does not
function Fixture:resume()
  local pipe = assert(io.popen(("%s resume %s 2>&1"):format(SCRIPT, self.root)))
  return function()
    local text = pipe:read("*a")
    pipe:close()
    assert(text == "", text)
  end
end

--- Kills the processes that talk with clients, at whatever they are.
function Fixture:slay()
  local text = capture(("%s slay %s 2>&1"):format(SCRIPT, self.root))
  assert(text == "", text)
end

--- Waits until nothing is in Postfix's queue. What Postfix itself was killed over is
-- no mail: a file is one when it may be executed.
-- @treturn boolean false when the time was not enough
function Fixture:drained(seconds)
  local deadline = net.now() + seconds
  local find = ("cd %s/spool && find incoming active deferred maildrop -type f -perm -100")
    :format(self.root)
  while capture(find .. " 2>/dev/null") ~= "" do
    if net.now() >= deadline then
      return false
    end
    net.sleep(0.02)
  end
  return true
end

--- What Postfix has logged.
function Fixture:log()
  return M.read(self.root .. "/log/mail")
end

--- Stops the servers now. A later start makes new ones.
function Fixture:stop()
  if self.watcher then
    self.watcher:close()
    self.watcher = nil
    registry[KEY] = nil
  end
end

return M
