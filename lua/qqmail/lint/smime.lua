--- Preflight: whom the certificates of S/MIME are for, against who sends and who gets
-- the mail.
-- @module qqmail.lint.smime

local M = {}

local function set_of(lists)
  local set = {}
  for _, list in ipairs(lists) do
    for _, address in ipairs(list) do
      set[address:lower()] = true
    end
  end
  return set
end

-- RFC 8550 section 3: the address of From or Sender should be in the certificate; one
-- without addresses is for its owner to know.
local function check_signer(mail, signer, add)
  local known = set_of({ signer })
  if #signer == 0 or not mail.from or known[mail.from.address:lower()]
    or (mail.sender and known[mail.sender.address:lower()]) then
    return
  end
  add("lint.smime_signer", "smime.sign.cert",
    { from = mail.from.address, address = signer[1] })
end

local function has_nameless(readers)
  for _, addresses in ipairs(readers) do
    if #addresses == 0 then
      return true
    end
  end
  return false
end

local function check_readers(mail, readers, add)
  if has_nameless(readers) then
    return
  end
  local known = set_of(readers)
  for _, address in ipairs(mail.envelope.to) do
    if not known[address:lower()] then
      add("lint.smime_reader", "smime.encrypt", { address = address })
    end
  end
end

-- An envelope lists the certificates of all that can open it (RFC 5652 section 6.2).
local function check_hidden(mail, readers, add)
  local known, visible = set_of(readers), {}
  for _, list in ipairs({ mail.to, mail.cc }) do
    for _, one in ipairs(list) do
      visible[one.address:lower()] = true
    end
  end
  for _, address in ipairs(mail.envelope.to) do
    if known[address:lower()] and not visible[address:lower()] then
      add("lint.smime_hidden", "smime.encrypt", { address = address })
    end
  end
end

--- @tparam table mail
-- @tparam table _ world
-- @tparam function add
function M.check(mail, _, add)
  local smime = mail.smime
  if not smime then
    return
  end
  if smime.signer then
    check_signer(mail, smime.signer, add)
  end
  if smime.readers then
    check_readers(mail, smime.readers, add)
    check_hidden(mail, smime.readers, add)
  end
end

return M
