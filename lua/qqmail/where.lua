--- How a server is written.
-- @module qqmail.where

local M = {}

--- Host and port; an IPv6 address goes into brackets (RFC 3986 section 3.2.2), or nobody
-- could tell where it ends.
-- @tparam string host name or address
-- @tparam number|string port
-- @treturn string
function M.with_port(host, port)
  return (host:find(":", 1, true) and "[%s]:%s" or "%s:%s"):format(host, port)
end

return M
