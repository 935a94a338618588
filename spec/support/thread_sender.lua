--- Runs inside a thread of nginx (`ngx.run_worker_thread`), which has a Lua state
-- without sockets of nginx: sends a job of spec/support/send_work.lua.
local drivers = require("qqmail.drivers")
local wire = require("qqmail.testing.wire")
local work = require("spec.support.send_work")

local M = {}

--- @tparam string encoded job
-- @treturn string encoded `place`, `driver` (its name), `results`
function M.run(encoded)
  local driver = assert(drivers.choose({}))
  return wire.encode({ place = drivers.place(), driver = driver.name,
    results = work.run((wire.decode(encoded))) })
end

return M
