-- The same sends over every driver that needs no server around it; the one of
-- nginx has its turn in spec/nginx/send_spec.lua.
local runners = require("spec.support.send_runners")
local suite = require("spec.support.send_suite")

suite("blocking", runners.blocking)
suite("cqueues", runners.cqueues)
suite("luv", runners.luv)
