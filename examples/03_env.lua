-- Which settings would be used, and where each comes from. Nothing is sent, no
-- connection is made, and secrets are masked.
local qqmail = require "qqmail"

local settings, err = qqmail.config()
if not settings then
  io.stderr:write(tostring(err), "\n")
  os.exit(1)
end
print(tostring(settings))
