--- What the specs of S/MIME share: certificates (see smime.sh), and the command
-- `openssl cms`, which judges what we make.

local assert = require "luassert"
local shell = require "spec.support.shell"

local M = {}

local folder, remove

--- Makes the certificates; for `setup`.
function M.start()
  folder, remove = shell.folder()
  local output, status = shell.run("sh spec/support/smime.sh " .. shell.quote(folder))
  assert(status == 0, output)
end

--- Removes all files; for `teardown`.
function M.stop()
  remove()
end

--- A file of the folder.
function M.path(name)
  return folder .. "/" .. name
end

function M.read(name)
  local file = assert(io.open(M.path(name), "rb"))
  local bytes = file:read("*a")
  file:close()
  return bytes
end

--- The field `sign` with the certificate and key of that name.
function M.signer(name)
  return { cert = M.path(name .. ".crt"), key = M.path(name .. ".key") }
end

--- The certificates of those that a message is encrypted for.
function M.readers(...)
  local out = {}
  for index, name in ipairs({ ... }) do
    out[index] = M.path(name .. ".crt")
  end
  return out
end

local function cms(mail, arguments)
  shell.write(M.path("in.eml"), mail)
  os.remove(M.path("out"))
  local output, status = shell.run(("openssl cms -in %s -out %s %s"):format(M.path("in.eml"),
    M.path("out"), arguments))
  return status == 0, output
end

--- What was signed, after the signature and the certificate have been checked.
-- @treturn ?string nil when they are not right
-- @treturn ?string what openssl says
function M.verify(mail)
  local ok, why = cms(mail, "-verify -CAfile " .. M.path("ca.pem"))
  return ok and M.read("out") or nil, why
end

--- What was encrypted, as the reader of that name sees it.
-- @treturn ?string nil when it is not for that reader
function M.decrypt(mail, name)
  local ok, why = cms(mail, ("-decrypt -recip %s.crt -inkey %s.key"):format(M.path(name),
    M.path(name)))
  return ok and M.read("out") or nil, why
end

--- The structure of the CMS in a message, as a text for people.
function M.print(mail)
  local ok, why = cms(mail, "-cmsout -print")
  assert(ok, why)
  return M.read("out")
end

return M
