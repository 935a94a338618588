--- Checks for specs of the doctor.
local assert = require("luassert")
local fd = require("qqmail.io.fd")
local json = require("qqmail.json")
local net = require("qqmail.net")
local send = require("spec.support.send")

local M = {}

--- Checks a mailer.
-- @treturn table report
function M.check(mailer, what)
  local report, err = mailer:check(what)
  assert.is_table(report, tostring(err))
  return report
end

--- The names of the steps with their marks: "settings", "code!", "auth*", "tls-".
function M.steps(report)
  local marks, out = { ok = "", warning = "!", failed = "*", skipped = "-" }, {}
  for index, step in ipairs(report) do
    out[index] = step.name .. marks[step.status]
  end
  return table.concat(out, " ")
end

--- Asserts that the check ended at a step; answers it.
function M.failed(report, name, code)
  assert.is_false(report.ok)
  local step = report[#report]
  assert.equal(name, step.name, tostring(report))
  assert.equal("failed", step.status)
  assert.equal(code, step.code, tostring(report))
  assert.equal(code, report.error.code)
  return step
end

--- All that anybody may print of a report.
function M.everything(report)
  local parts = { tostring(report), json.encode(report:plain()) }
  local seen = {}
  local function walk(value)
    if type(value) == "table" and not seen[value] then
      seen[value] = true
      for key, item in pairs(value) do
        walk(key)
        walk(item)
      end
    elseif type(value) == "string" then
      parts[#parts + 1] = value
    end
  end
  walk(report)
  return table.concat(parts, "\n")
end

--- A driver that finds made-up addresses for a name, and of which some ports do not
-- answer; what does is on loopback.
-- @tparam table mailer gets it
-- @tparam table world `addresses` (list), `reason` of those that do not answer,
-- `reasons` = `{ ["address:port"] = reason }`;
-- `open` = `{ ["address:port"] = port on loopback | true }`
function M.driver(mailer, world)
  local driver = fd.new({ wait = net.wait, sleep = net.sleep })
  local dial = driver.dial
  function driver.lookup()
    local list = {}
    for index, address in ipairs(world.addresses) do
      list[index] = { address = address, port = mailer.settings.port,
        family = address:find(":", 1, true) and "inet6" or "inet" }
    end
    return list
  end
  function driver:dial(target, address, deadline)
    local place = address.address .. ":" .. address.port
    local port = world.open[place]
    if not port then
      return nil, { address = address.address, text = "no",
        reason = world.reasons and world.reasons[place] or world.reason or "timeout" }
    elseif port == true then
      return { close = function() end }
    end
    return dial(self, target, { address = "127.0.0.1", port = port, family = "inet" }, deadline)
  end
  mailer.settings.io = { wait = net.wait, sleep = net.sleep }
  mailer.settings.io_driver = driver
  return driver
end

--- Asserts that a text holds every part.
function M.has(text, ...)
  for _, part in ipairs({ ... }) do
    send.has(text, part)
  end
end

return M
