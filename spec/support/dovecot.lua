--- Mail read back by Dovecot: a MIME parser that nobody of this project wrote.
local json = require("spec.support.json")

local M = {}

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Fields of a recipient's messages, oldest first.
-- @param fixture of spec.support.postfix
-- @tparam string address
-- @tparam string fields such as "imap.envelope imap.bodystructure", see
-- doveadm-fetch(1)
-- @tparam[opt="all"] string query see doveadm-search-query(7)
-- @treturn {table,...} values by field name
function M.fetch(fixture, address, fields, query)
  local command = ("env -u LD_PRELOAD doveadm -c %s/etc/dovecot.conf -f json fetch -u %s %s "
    .. "mailbox INBOX %s"):format(fixture.root, quote(address:lower()), quote(fields),
    query or "all")
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return json.decode(text)
end

return M
