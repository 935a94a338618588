--- Certificates for specs, made once into build/spec-certs.
--
-- `certs.path("good.pem")` is the absolute path of one file; see certs.sh for
-- what there is. Specs run from the top of the tree.
local M = {}

local directory

--- The directory of the certificates, made when it is not there.
-- @treturn string absolute path
function M.dir()
  if not directory then
    local pipe = assert(io.popen(
      "sh spec/support/certs.sh build/spec-certs && cd build/spec-certs && pwd"))
    local line = pipe:read("*l")
    pipe:close()
    directory = assert(line, "spec/support/certs.sh failed")
  end
  return directory
end

--- One file of the directory.
-- @tparam string name such as "ca.pem", "good.key"
-- @treturn string absolute path
function M.path(name)
  return M.dir() .. "/" .. name
end

return M
