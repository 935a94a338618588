--- How the command ends: the numbers of sysexits.h, by class of error.
-- @module qqmail.cli.exit_codes

local M = {
  OK = 0, USAGE = 64, DATAERR = 65, NOUSER = 67, NOHOST = 68, UNAVAILABLE = 69, SOFTWARE = 70,
  IOERR = 74, TEMPFAIL = 75, PROTOCOL = 76, NOPERM = 77, CONFIG = 78,
}

--- By `kind` of the error; the documentation is made of these rows.
M.rows = {
  { kind = "config", name = "CONFIG" }, { kind = "message", name = "DATAERR" },
  { kind = "resolve", name = "NOHOST" }, { kind = "connect", name = "UNAVAILABLE" },
  { kind = "tls", name = "PROTOCOL" }, { kind = "auth", name = "NOPERM" },
  { kind = "sender", name = "CONFIG" }, { kind = "recipient", name = "NOUSER" },
  { kind = "content", name = "DATAERR" }, { kind = "rate", name = "TEMPFAIL" },
  { kind = "timeout", name = "TEMPFAIL" }, { kind = "protocol", name = "PROTOCOL" },
  { kind = "reject", name = "UNAVAILABLE" }, { kind = "cancelled", name = "TEMPFAIL" },
  { kind = "closed", name = "TEMPFAIL" }, { kind = "limit", name = "TEMPFAIL" },
}

local by_kind = {}
for _, row in ipairs(M.rows) do
  by_kind[row.kind] = M[row.name]
end

-- A time-out of these phases is about the host, and another try does not mend it.
local BY_PHASE = { resolve = M.NOHOST, connect = M.UNAVAILABLE }

--- The exit code for an error.
-- @tparam ?table err nil: all went well
-- @treturn number
function M.of(err)
  if not err then
    return M.OK
  elseif err.kind == "timeout" then
    return BY_PHASE[err.phase] or M.TEMPFAIL
  end
  return by_kind[err.kind]
end

return M
