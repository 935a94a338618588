--- Runners of sends in this process, one for each driver that can be tested
-- without a server around it: `blocking`, `cqueues`, `luv`.
--
-- A runner has `send(options, messages)`, which makes one mailer, sends the
-- messages in order, closes it and answers a result for each (see
-- spec/support/send_work.lua); `parallel(options, messages)`, the same with all
-- messages at once; `missing`, why it cannot run, or nil; `caps`, what its
-- driver can do (see spec/support/send_suite.lua); and maybe `start` and `stop`.
local loops = require("spec.support.loops")
local work = require("spec.support.send_work")

local M = {}

-- `run(job)` answers results.
local function runner(run)
  return {
    caps = { counts_writes = true, looks_ahead = true },
    send = function(options, messages)
      return run({ options = options, messages = messages })
    end,
    parallel = function(options, messages)
      return run({ options = options, messages = messages, parallel = true })
    end,
  }
end

-- In a loop of its own: `together` runs functions side by side in it.
local function loop_runner(loop, together)
  local self = runner(function(job)
    local results
    job.options.io = loop.driver.name
    loop.run(function()
      results = work.run(job, together)
    end)
    return results
  end)
  self.missing = loop.missing
  return self
end

M.blocking = runner(function(job)
  job.options.io = "blocking"
  return work.run(job)
end)

M.cqueues = loop_runner(loops.cqueues, function(bodies)
  local controller = require("cqueues").running()
  local done, left = require("cqueues.condition").new(), #bodies
  for _, body in ipairs(bodies) do
    controller:wrap(function()
      body()
      left = left - 1
      done:signal()
    end)
  end
  while left > 0 do
    done:wait()
  end
end)

M.luv = loop_runner(loops.luv, function(bodies)
  local caller, left, waits = coroutine.running(), #bodies, false
  for _, body in ipairs(bodies) do
    coroutine.wrap(function()
      body()
      left = left - 1
      if left == 0 and waits then
        assert(coroutine.resume(caller))
      end
    end)()
  end
  waits = true
  if left > 0 then
    coroutine.yield()
  end
end)

return M
