-- Inside the namespaces of world.lua: builds what the description in FOLDER/world
-- asks for, runs the command and writes FOLDER/result. The first process of its
-- namespace: with it all others end.
package.path = "./?.lua;" .. package.path

local shell = require("spec.support.shell")
local testing = require("qqmail.testing")
local wire = require("qqmail.testing.wire")

local folder = arg[1]

local function read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("*a")
  file:close()
  return bytes
end

local function run(command)
  local output, status = shell.run(command)
  if status ~= 0 then
    error(command .. ": " .. output, 0)
  end
end

-- --- the network -----------------------------------------------------------

local function is_v6(address)
  return address:find(":", 1, true) ~= nil
end

local function family_of(route)
  return is_v6(route) and "-6" or "-4"
end

-- Servers may share an address; those of loopback are there already.
local function own_addresses(world)
  local list, seen = {}, { ["::1"] = true }
  local function add(address)
    if address and not seen[address] and not address:find("^127%.") then
      seen[address] = true
      list[#list + 1] = address
    end
  end
  for _, address in ipairs(world.addresses or {}) do
    add(address)
  end
  for _, server in ipairs(world.servers) do
    add(server.address)
  end
  return list
end

local function add_addresses(world, lines)
  for _, address in ipairs(own_addresses(world)) do
    lines[#lines + 1] = is_v6(address) and ("ip addr add %s/128 dev lo nodad"):format(address)
      or ("ip addr add %s/32 dev lo"):format(address)
  end
end

-- A wire between two cards that ask for nobody's address: what goes out is meant for
-- the first card, comes in at the second and is lost without a word. It bears
-- addresses, for packets must come from somewhere.
local HOLE = { "ip link add hole type veth peer name bottom", "ip link set hole arp off",
  "ip addr add 192.0.2.1/32 dev hole", "ip addr add 2001:db8:ffff::1/128 dev hole nodad",
  "ip link set hole up", "ip link set bottom up" }

local function add_hole(world, lines)
  if #(world.drop or {}) == 0 then
    return
  end
  for _, line in ipairs(HOLE) do
    lines[#lines + 1] = line
  end
  for _, address in ipairs(world.drop) do
    lines[#lines + 1] = ("ip %s route add %s dev hole"):format(family_of(address), address)
  end
end

local function add_routes(world, lines)
  for _, route in ipairs(world.routes or {}) do
    lines[#lines + 1] = ("ip %s route add %s"):format(family_of(route), route)
  end
end

-- --- the system's files ----------------------------------------------------

local NAME_SERVER = "127.0.0.53"

local function hosts_text(world)
  local lines = { "127.0.0.1 localhost" }
  for name, addresses in pairs(world.hosts or {}) do
    for _, address in ipairs(type(addresses) == "table" and addresses or { addresses }) do
      lines[#lines + 1] = address .. " " .. name
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

-- Without a name server nobody listens at that address: a question is refused at once.
local FILES = {
  ["/etc/hosts"] = hosts_text,
  ["/etc/resolv.conf"] = function()
    return "nameserver " .. NAME_SERVER .. "\noptions timeout:1 attempts:1\n"
  end,
  ["/etc/nsswitch.conf"] = function() return "hosts: files dns\n" end,
}

local function exists(path)
  local file = io.open(path, "r")
  if file then
    file:close()
  end
  return file ~= nil
end

local function add_files(world, lines)
  for path, text_of in pairs(FILES) do
    local own = folder .. path
    shell.write(own, text_of(world))
    -- A system without the last of them knows the order by itself.
    if exists(path) then
      lines[#lines + 1] = ("mount --bind %s %s"):format(shell.quote(own), path)
    end
  end
  if world.trusted then
    lines[#lines + 1] = ("mount --bind %s /etc/ssl/certs"):format(shell.quote(world.trusted))
  end
end

-- --- servers ---------------------------------------------------------------

-- The lines that tell world_servers.py what to serve.
local function strange_servers(world)
  local lines = {}
  local resolver = world.resolver
  if type(resolver) == "table" then
    lines[1] = "dns\t" .. NAME_SERVER .. "\tanswer"
    for name, addresses in pairs(resolver) do
      lines[#lines + 1] = "name\t" .. name .. "\t" .. table.concat(addresses, "\t")
    end
  elseif resolver then
    lines[1] = "dns\t" .. NAME_SERVER .. "\t" .. resolver
  end
  for _, server in ipairs(world.servers) do
    if server.kind then
      lines[#lines + 1] = table.concat({ server.kind, server.address or "127.0.0.1",
        ("%d"):format(server.port), server.cert or "", server.key or "" }, "\t")
    end
  end
  return lines
end

-- The servers stay in the background, so that closing the pipe never waits.
local function start_strange(world)
  local lines = strange_servers(world)
  if #lines == 0 then
    return
  end
  local path = folder .. "/strange"
  shell.write(path, table.concat(lines, "\n") .. "\n")
  local pipe = assert(io.popen(("python3 spec/support/world_servers.py %s </dev/null &")
    :format(shell.quote(path))))
  local line = pipe:read("*l")
  pipe:close()
  assert(line == "ready", "world_servers.py did not start")
end

local function start_scripted(world)
  local running = {}
  for i, server in ipairs(world.servers) do
    running[i] = not server.kind and testing.server(server)
  end
  return running
end

local function records_of(running)
  local out = {}
  for i, server in ipairs(running) do
    out[i] = server and { messages = server:messages(), connections = server:connections() } or {}
  end
  return out
end

-- --- the command -----------------------------------------------------------

-- Variables of the library that a developer has set; two are the specs' own.
local UNSET = [[for name in $(env | sed -n 's/^\(QQMAIL_[A-Z_]*\)=.*/\1/p'); do
case $name in QQMAIL_BUILD | QQMAIL_INSTRUMENTED) ;; *) unset "$name" ;; esac; done
]]

local function quoted(words)
  local out = {}
  for i, word in ipairs(words) do
    out[i] = shell.quote(word)
  end
  return table.concat(out, " ")
end

-- Deadlines are on the monotonic clock, which nobody can set.
local function clock_prefix(world)
  return world.clock and ("FAKETIME_DONT_FAKE_MONOTONIC=1 faketime -m -f %s ")
    :format(shell.quote("@" .. world.clock)) or ""
end

local function run_command(world)
  local env = {}
  for name, value in pairs(world.env or {}) do
    env[#env + 1] = name .. "=" .. value
  end
  -- `timeout` stands outside, for it needs the true clock.
  local inner = UNSET .. (#env > 0 and "export " .. quoted(env) .. "\n" or "")
    .. "exec env " .. clock_prefix(world) .. quoted(world.command)
  local _, status = shell.run(("timeout -k 1 %g sh -c %s >%s/stdout 2>%s/stderr")
    :format(world.seconds or 60, shell.quote(inner), folder, folder))
  return status
end

local function build(world)
  local lines = { "ip link set lo up" }
  for _, add in ipairs({ add_addresses, add_hole, add_routes, add_files }) do
    add(world, lines)
  end
  run(table.concat(lines, " &&\n"))
end

local world = wire.decode(read(folder .. "/world"))
build(world)
start_strange(world)
local running = start_scripted(world)
local status = run_command(world)
shell.write(folder .. "/result", wire.encode({ status = status, servers = records_of(running) }))
