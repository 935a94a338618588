-- The same checks over every driver that needs no server around it; the one of nginx
-- has its turn in spec/nginx/doctor_spec.lua.
local loops = require("spec.support.loops")
local qqmail = require("qqmail")
local send = require("spec.support.send")
local suite = require("spec.support.doctor_suite")

local function check(options, what)
  local mailer = assert(qqmail.new(options))
  local report, err = mailer:check(what)
  assert(report, tostring(err))
  mailer:close()
  return report:plain(), tostring(report)
end

local function in_loop(loop)
  return { missing = loop.missing, run = function(options, what)
    local plain, text
    options.io = loop.driver.name
    loop.run(function()
      plain, text = check(options, what)
    end)
    return plain, text
  end }
end

suite("blocking", { run = check })

-- One that runs one thing at a time.
suite("of a loop's wait and sleep", { run = function(options, what)
  local plain, text
  send.in_loop(function(io)
    options.io = io
    plain, text = check(options, what)
  end)
  return plain, text
end })

if not os.getenv("QQMAIL_INSTRUMENTED") then
  suite("cqueues", in_loop(loops.cqueues))
  suite("luv", in_loop(loops.luv))
end
