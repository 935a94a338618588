--- Logins by challenge: the messages of CRAM-MD5 and SCRAM, which need cryptography.
--
-- The session asks for each message in its turn; `qqmail.crypto` makes them. A server
-- has to prove that it knows the password as well (RFC 5802 section 3) before anything
-- is sent to it. Where the engine does TLS the login is bound to the channel.
-- @module qqmail.sasl

local core = require("qqmail.core")

local M = {}

-- Random bytes of our nonce; RFC 5802 section 5.1 asks for enough that no two are alike.
local NONCE_BYTES = 18

local Login = {}
Login.__index = Login

local Memory = {}
Memory.__index = Memory

function Memory:forget()
  if self.salted then
    self.salted:forget()
  end
end

-- The module links OpenSSL. Where the process brings one that it cannot live with, the
-- session still has the mechanisms that need none.
local function load_crypto()
  local loaded, crypto = pcall(require, "qqmail.crypto")
  return loaded and crypto or nil
end

--- Load what these mechanisms need, where it cannot be loaded later: workers of nginx
-- may not be able to read it.
-- @tparam {string,...} mechanisms
function M.preload(mechanisms)
  for _, name in ipairs(mechanisms) do
    if name:find("^SCRAM") or name == "CRAM-MD5" then
      load_crypto()
      return
    end
  end
end

--- Is SCRAM among these?
-- @tparam {string,...} mechanisms
-- @treturn boolean
function M.knows_scram(mechanisms)
  for _, name in ipairs(mechanisms) do
    if name:find("^SCRAM") then
      return true
    end
  end
  return false
end

--- What logins with one password leave for later ones: with SCRAM a server wants it hashed
-- thousands of times, and each time in the same way.
-- @treturn table memory, for `new`; its `forget` wipes what is in it
function M.memory()
  return setmetatable({}, Memory)
end

--- What is needed to answer challenges.
-- @tparam string user
-- @tparam string password
-- @tparam ?table memory
-- @treturn table login, for one connection
function M.new(user, password, memory)
  return setmetatable({ user = user, password = password, memory = memory or M.memory() }, Login)
end

local function refuse(session, why)
  session:give_up("bad_challenge", why)
end

-- --- CRAM-MD5 ---------------------------------------------------------------

local CRAM = {}

-- The server speaks first.
CRAM[0] = function(_, session)
  session:respond(nil, false)
end

-- It proves nothing of the server: what follows may be believed.
CRAM[1] = function(self, session, challenge)
  local answer, _, text = self.crypto.cram_md5(self.user, self.password, challenge)
  if not answer then
    return refuse(session, "it " .. text)
  end
  session:respond(answer, true)
end

-- --- SCRAM ------------------------------------------------------------------

local SCRAM = {}

-- RFC 5802 section 6: "y" tells a server that could bind that somebody has taken its
-- offer away on the way to us.
local function binding_of(mechanism, wire, server_binds)
  local name, data = wire:binding()
  if mechanism:find("-PLUS", 1, true) then
    return name, data, false
  end
  return nil, nil, name ~= nil and not server_binds
end

local function new_nonce()
  local bytes = core.random(NONCE_BYTES)
  return bytes and core.codec.base64(bytes)
end

SCRAM[0] = function(self, session, _, about)
  local nonce = new_nonce()
  local name, data, may_bind = binding_of(about.mechanism, about.wire, about.server_binds)
  self.exchange = nonce and self.crypto.scram({
    digest = about.mechanism:match("^SCRAM%-(SHA%-%d+)"), user = self.user,
    password = self.password, nonce = nonce, binding_name = name, binding = data,
    may_bind = may_bind,
  })
  if not self.exchange then
    self.mechanism = nil
    return session:decline()
  end
  session:respond(self.exchange:first(), false)
end

SCRAM[1] = function(self, session, challenge)
  local memory = self.memory
  memory.salted = memory.salted or self.crypto.salted()
  local answer, _, text = self.exchange:final(challenge, memory.salted)
  if not answer then
    return refuse(session, text)
  end
  session:respond(answer, false)
end

SCRAM[2] = function(self, session, challenge)
  local proven, _, text = self.exchange:verify(challenge)
  if not proven then
    return session:give_up("not_proven", text)
  end
  session:respond("", true)
end

-- --- both -------------------------------------------------------------------

--- Give the session the message it wants.
-- @param session of `qqmail.core`
-- @param wire of `qqmail.wire`, for what names its TLS channel
function Login:answer(session, wire)
  local mechanism, step, challenge, server_binds = session:challenge()
  self.crypto = self.crypto or load_crypto()
  if not self.crypto then
    return session:decline()
  end
  self.mechanism = mechanism
  local is_scram = self:is_scram()
  local make = (is_scram and SCRAM or CRAM)[step]
  if not make then
    return refuse(session, "the login was over")
  elseif is_scram and step > 0 and challenge:find("^e=") then
    -- A refusal follows; the session keeps the reason for it.
    self.is_about_channel = challenge:find("channel-binding", 1, true) ~= nil
    return session:respond("", false)
  end
  make(self, session, challenge,
    { mechanism = mechanism, wire = wire, server_binds = server_binds })
end

--- Was SCRAM tried? Also after `close`.
-- @treturn boolean
function Login:is_scram()
  return self.mechanism ~= nil and self.mechanism:find("^SCRAM") ~= nil
end

--- May it be that the server has no SCRAM form of the password? Not where it says that
-- it is about the channel: then somebody may stand between, who must not get the password.
-- @treturn boolean
function Login:may_lack_form()
  return self:is_scram() and not self.is_about_channel
end

--- Forget the password.
function Login:close()
  if self.exchange then
    self.exchange:close()
  end
  self.exchange, self.password = nil, nil
end

return M
