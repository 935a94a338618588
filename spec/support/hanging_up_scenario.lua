--- The basic scenario, but whoever says "VRFY hang-up" ends all other
-- connections: with option `goodbye` as the last line, when there is one. It is
-- done when the next command is answered.
local basic = require("qqmail.testing.scenarios.basic")

local M = basic.extend({ name = "hanging up" })

local open = {}

function M.greeting(dialogue)
  open[#open + 1] = dialogue
  return basic.greeting(dialogue)
end

function M.vrfy(dialogue, argument)
  if argument == "hang-up" then
    for _, other in ipairs(open) do
      if other ~= dialogue and not other.gated then
        if other.options.goodbye then
          other:say("goodbye", other.options.goodbye)
        end
        other:close("fin")
      end
    end
    open = { dialogue }
  end
  return basic.vrfy(dialogue, argument)
end

return M
