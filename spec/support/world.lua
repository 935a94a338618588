--- Runs a program in a small world of its own, where the network is as broken
-- as a spec wants it: private namespaces of Linux for network, mounts and
-- processes. Inside, the program is root; servers listen on the real ports, names
-- are the real ones, and nothing reaches the world outside. All processes end
-- with the program.
--
--     local world = require("spec.support.world")
--     local why = world.missing() -- nil, or why there can be none here
--     local result = world.run({
--       hosts = { ["smtp.qq.com"] = "203.0.113.10" },
--       servers = { { address = "203.0.113.10", port = 465, mode = "implicit",
--         scenario = "qq", cert = "qq", users = { ["10001@qq.com"] = "…" } } },
--       env = { QQMAIL_USER = "10001@qq.com" },
--       command = { shell.lua, "bin/qqmail", "doctor" },
--     })
--     -- result.stdout, result.stderr, result.status, result.servers[1].connections
--
-- What a world may have; all of it is optional but the command:
--
-- * `hosts` = `{ [name] = address | { address, ... } }`: the whole of /etc/hosts
-- * `resolver`: the one name server, for names that are not in `hosts`: "nxdomain",
--   "servfail", "never" (it takes questions and is silent), or
--   `{ [name] = { address, ... } }`. Without it there is none
-- * `addresses` = list: those of this machine, besides those of servers
-- * `drop` = list: addresses to which packets go and never come back, as behind a
--   firewall
-- * `routes` = list for `ip route add`, such as "unreachable 203.0.113.9"
-- * `servers` = list of `{ address =, port =, ... }`: the options of `qqmail.testing`,
--   `cert` being the name of a certificate of certs.sh; or with `kind` = "http" (a
--   web server) or "old_tls" (nothing newer than TLS 1.1; `cert`)
-- * `trust` = false: the certificates of the machine; else our own authority is
--   what the system trusts
-- * `clock` = "2020-01-01 00:00:00": what the command takes for now
-- * `env` = `{ [name] = value }`; of the variables of the library no others are there
-- * `command` = list of words, or `program` = the text of a Lua program
-- * `seconds` = until the command is stopped (60; its status is then 124)
local certs = require("spec.support.certs")
local shell = require("spec.support.shell")
local wire = require("qqmail.testing.wire")

local M = {}

-- Without --fork the first command would be in the old namespace of processes; with
-- --kill-child nothing outlives whoever began the world.
local UNSHARE = "unshare --net --mount --pid --fork --kill-child --mount-proc"
local WAYS = { UNSHARE .. " --map-root-user", UNSHARE }

-- What every world needs to be let do. Users without rights need not have `ip` in
-- their path.
local PATH = "PATH=$PATH:/usr/sbin:/sbin "
local PROBE = "ip link set lo up && ip link add probe type veth && "
  .. "mount --bind /etc/hosts /etc/hosts"

local way, reason

local function find_way()
  -- Its search for leaks cannot be done inside, and what cannot is aborted.
  if os.getenv("QQMAIL_INSTRUMENTED") == "asan" then
    return nil, "no sanitizer runs in private namespaces"
  end
  local output, status
  for _, command in ipairs(WAYS) do
    output, status = shell.run(("%s%s sh -c %s"):format(PATH, command, shell.quote(PROBE)))
    if status == 0 then
      return command
    end
  end
  return nil, "no private namespaces here: " .. output:gsub("%s+$", ""):gsub("\n.*", "")
end

--- Why there can be no such world here; nil when there can.
function M.missing()
  if not way and not reason then
    way, reason = find_way()
  end
  return reason
end

--- Why a world cannot have a clock of its own; nil when it can.
function M.clock_missing()
  local _, status = shell.run("command -v faketime")
  return status ~= 0 and "no faketime here" or nil
end

local function read(path)
  local file = io.open(path, "rb")
  local bytes = file and file:read("*a")
  if file then
    file:close()
  end
  return bytes
end

-- The paths of certificates, in place of their names.
local function with_certificates(servers)
  local out = {}
  for i, server in ipairs(servers or {}) do
    local copy = {}
    for key, value in pairs(server) do
      copy[key] = value
    end
    if copy.cert then
      copy.cert, copy.key = certs.path(server.cert .. ".pem"), certs.path(server.cert .. ".key")
    end
    out[i] = copy
  end
  return out
end

local function describe(world, folder)
  local out = {}
  for key, value in pairs(world) do
    out[key] = value
  end
  if world.program then
    shell.write(folder .. "/program.lua", world.program)
    out.command = { shell.lua, folder .. "/program.lua" }
  end
  out.servers = with_certificates(world.servers)
  out.trusted = world.trust ~= false and certs.path("trust") or nil
  return out
end

--- Builds a world, runs its command in it and takes it down.
-- @tparam table world see above
-- @treturn table `stdout`, `stderr`, `status` (of the command), and `servers`: for each
-- scripted one, in their order, `{ messages =, connections = }` as of `qqmail.testing`,
-- for others `{}`. Raises when the world cannot be built
function M.run(world)
  assert(not M.missing(), reason)
  local folder, remove = shell.folder()
  shell.write(folder .. "/world", wire.encode(describe(world, folder)))
  local output = shell.run(("%s%s %s spec/support/world_inside.lua %s")
    :format(PATH, way, shell.lua, folder))
  local bytes = read(folder .. "/result")
  local result = bytes and wire.decode(bytes)
  if result then
    result.stdout, result.stderr = read(folder .. "/stdout"), read(folder .. "/stderr")
  end
  remove()
  return result or error("the world could not be built: " .. output, 2)
end

return M
