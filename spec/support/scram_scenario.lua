--- The basic scenario with a server of SCRAM and CRAM-MD5, honest or not.
--
-- Options: `scram` = `{ salt=, rounds=, first=, last= }`: `first` and `last` take the
-- place of the server's messages ("NONCE" stands for the client's); `raw` = "first" or
-- "last" sends that one without base64; `skip_proof` = the server says 235 at once;
-- `endless` = challenges without end. The record of a connection gets `gs2`, the
-- client's header.
local base64 = require("qqmail.testing.base64")
local basic = require("qqmail.testing.scenarios.basic")
local crypto = require("qqmail.crypto")

local M = basic.extend({ name = "scram" })

local REFUSED = "535 5.7.8 authentication failed"

local function xor(a, b)
  local out = {}
  for i = 1, #a do
    local x, y, bits = a:byte(i), b:byte(i), 0
    for power = 0, 7 do
      local one, two = math.floor(x / 2 ^ power) % 2, math.floor(y / 2 ^ power) % 2
      bits = bits + (one ~= two and 2 ^ power or 0)
    end
    out[i] = string.char(bits)
  end
  return table.concat(out)
end

local function ask(dialogue, text, as_is, continue)
  dialogue.expect = function(line)
    local answer = line ~= "*" and base64.decode(line)
    if not answer then
      return dialogue:respond("auth", "501 5.7.0 cancelled")
    end
    continue(answer)
  end
  return "334 " .. (as_is and text or base64.encode(text))
end

local function go_on(dialogue, text, as_is, continue)
  dialogue:respond("challenge", ask(dialogue, text, as_is, continue))
end

local function succeed(dialogue, mechanism, user)
  dialogue:respond("auth", "235 2.7.0 welcome")
  dialogue.auth = { mechanism = mechanism, user = user }
end

-- What the gs2 header and the binding behind it should be.
local function is_bound(self, header, bound)
  local kind = header:match("^p=([^,]+),,$")
  if not kind then
    return bound == header and not self.mechanism:find("PLUS")
  end
  local name, data = self.dialogue.filter:binding(kind)
  return name == kind and bound == header .. data and self.mechanism:find("PLUS") ~= nil
end

local function keys_of(self, password, options)
  local digest = self.digest
  local salted = crypto.pbkdf2(digest, password, options.salt or "salt", options.rounds or 4096)
  local client = crypto.hmac(digest, salted, "Client Key")
  return { client = client, stored = crypto.digest(digest, client),
    server = crypto.hmac(digest, salted, "Server Key") }
end

local function on_final(self, final)
  local options = self.dialogue.options.scram or {}
  local bare, bound, nonce, proof = final:match("^(c=([^,]*),r=([^,]*)),p=(.*)$")
  local password = self.dialogue.options.users[self.user]
  if not bare or nonce ~= self.nonce or not is_bound(self, self.header, base64.decode(bound)) then
    return self.dialogue:respond("auth", REFUSED)
  end
  local keys = keys_of(self, password or "", options)
  local message = self.first .. "," .. self.challenge .. "," .. bare
  local signature = crypto.hmac(self.digest, keys.stored, message)
  if not password or xor(keys.client, signature) ~= base64.decode(proof) then
    return self.dialogue:respond("auth", REFUSED)
  elseif options.skip_proof then
    return succeed(self.dialogue, self.mechanism, self.user)
  end
  local last = options.last
    or "v=" .. base64.encode(crypto.hmac(self.digest, keys.server, message))
  local function again()
    if options.endless then
      return go_on(self.dialogue, last, false, again)
    end
    succeed(self.dialogue, self.mechanism, self.user)
  end
  go_on(self.dialogue, last, options.raw == "last", again)
end

local function scram(dialogue, mechanism, initial)
  local options = dialogue.options.scram or {}
  local self = { dialogue = dialogue, mechanism = mechanism,
    digest = mechanism:match("^SCRAM%-(SHA%-%d+)") }
  local header, first = base64.decode(initial):match("^([^,]+,,)(.*)$")
  local user, nonce = first:match("^n=([^,]*),r=(.*)$")
  dialogue.record.gs2 = header
  self.header, self.first, self.nonce = header, first, nonce .. "server"
  self.user = user:gsub("=2C", ","):gsub("=3D", "=")
  -- RFC 5802 section 6: who could bind and thinks that we cannot was lied to.
  if header == "y,," and dialogue.options.mechanisms:find("PLUS") then
    return REFUSED
  end
  self.challenge = (options.first or ("r=NONCEserver,s=%s,i=%d"):format(
    base64.encode(options.salt or "salt"), options.rounds or 4096)):gsub("NONCE", function()
      return nonce
    end)
  return ask(dialogue, self.challenge, options.raw == "first", function(final)
    on_final(self, final)
  end)
end

local function hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function cram(dialogue, mechanism)
  local options = dialogue.options.scram or {}
  local challenge = options.first or "<1.2@test>"
  return ask(dialogue, challenge, false, function(answer)
    local user = answer:match("^(.*) %x+$")
    local password = dialogue.options.users[user] or ""
    if answer ~= user .. " " .. hex(crypto.hmac("MD5", password, challenge)) then
      return dialogue:respond("auth", REFUSED)
    elseif options.endless then
      return go_on(dialogue, challenge, false, function() end)
    end
    succeed(dialogue, mechanism, user)
  end)
end

function M.auth(dialogue, mechanism, initial, is_known)
  if is_known or not (" " .. dialogue.options.mechanisms .. " "):find(" " .. mechanism .. " ", 1,
    true) then
    return basic.auth(dialogue, mechanism, initial, is_known)
  elseif mechanism == "CRAM-MD5" then
    return cram(dialogue, mechanism)
  elseif mechanism == "EXTERNAL" then
    dialogue.auth = { mechanism = mechanism, user = base64.decode(initial) }
    return "235 2.7.0 welcome"
  end
  return scram(dialogue, mechanism, initial)
end

return M
