-- The broken worlds themselves: each is broken in its way, and says so to a client
-- that sends mail.
local net = require("qqmail.net")
local shell = require("spec.support.shell")
local world = require("spec.support.world")
local worlds = require("spec.support.worlds")

local function pending_without(why)
  if why then
    pending(why)
  end
  return why ~= nil
end

local SEND = { shell.lua, "spec/support/world_send.lua" }

-- What world_send.lua printed.
local function told(result)
  local fields = {}
  for name, value in result.stdout:gmatch("(%w+)=([^\n]*)") do
    fields[name] = value
  end
  return fields
end

local function assert_told(expect, result)
  if not expect then
    assert.equal("sent\n", result.stdout, result.stderr)
    return
  end
  local fields = told(result)
  for name, value in pairs(expect) do
    assert.equal(tostring(value), fields[name], name .. " of: " .. result.stdout .. result.stderr)
  end
end

describe("a broken world", function()
  it("is none when nothing is wrong with it", function()
    if pending_without(world.missing()) then
      return
    end
    local result = worlds.run({ world = worlds.whole(), env = worlds.env() }, SEND)
    assert_told(nil, result)
    assert.equal(1, #result.servers[1].messages)
    assert.equal(worlds.USER, result.servers[1].messages[1].from)
  end)

  for _, entry in ipairs(worlds.list) do
    it("has " .. entry.broken, function()
      if pending_without(worlds.missing(entry)) then
        return
      end
      assert_told(entry.expect, worlds.run(entry, SEND))
    end)
  end

  it("answers the status and both outputs of its command", function()
    if pending_without(world.missing()) then
      return
    end
    local result = world.run({ command = { "sh", "-c", "echo out; echo err >&2; exit 7" } })
    assert.same({ "out\n", "err\n", 7 }, { result.stdout, result.stderr, result.status })
  end)

  it("hides the settings of the library that stand outside", function()
    if pending_without(world.missing()) then
      return
    end
    local result = world.run({ env = { QQMAIL_USER = "it's me" },
      command = { "sh", "-c", 'echo "$QQMAIL_USER"; env | grep -c ^QQMAIL_USER' } })
    assert.equal("it's me\n1\n", result.stdout)
  end)

  it("ends all that its command has begun", function()
    if pending_without(world.missing()) then
      return
    end
    local result = world.run({ command = { "sh", "-c", [[
      sleep 98765 &
      until ps -e -o args | grep -qx 'sleep 98765'; do :; done
      ps -e -o args]] } })
    assert.is_truthy(result.stdout:find("\nsleep 98765\n", 1, true), result.stdout)
    assert.is_nil(shell.run("ps -e -o args"):find("\nsleep 98765\n", 1, true))
  end)

  it("has no clock but the one of the day", function()
    if pending_without(world.missing() or world.clock_missing()) then
      return
    end
    local before = net.now()
    local result = world.run({ clock = "2020-02-29 12:00:00", program = [[
      io.write(os.date("!%Y-%m-%d %H"), "\n", ("%.3f"):format(require("qqmail.net").now()))
    ]] })
    local day, monotonic = result.stdout:match("^(.-)\n(.*)$")
    assert.equal("2020-02-29 12", day, result.stderr)
    assert.is_true(tonumber(monotonic) >= before and tonumber(monotonic) <= net.now())
  end)
end)
