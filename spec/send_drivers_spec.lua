-- The same sends over every driver that needs no server around it; the one of
-- nginx has its turn in spec/nginx/send_spec.lua.
local runners = require("spec.support.send_runners")
local suite = require("spec.support.send_suite")

suite("blocking", runners.blocking)

-- Under valgrind, sanitizers and the aggressive collector what counts is our C,
-- which is the same below all of them; spec/io_loops_spec.lua runs both loops there.
if not os.getenv("QQMAIL_INSTRUMENTED") then
  suite("cqueues", runners.cqueues)
  suite("luv", runners.luv)
end
