--- The commands of SMTP as the scripted server reads them: takes a line apart,
-- asks the scenario for the reply, keeps what follows from it.
-- @module qqmail.testing.commands

local auth = require("qqmail.testing.auth")
local body = require("qqmail.testing.body")

local M = {}

-- Commands that RFC 2920 section 3.1 allows only at the end of a group; DATA and
-- STARTTLS have a defect of their own.
local ENDS_GROUP = { EHLO = true, HELO = true, LHLO = true, AUTH = true, NOOP = true,
  VRFY = true, QUIT = true }

local function is_positive(code)
  return code ~= nil and code >= 200 and code < 300
end

local COMMANDS = {}

local function hello(verb, phase)
  return function(self, argument)
    local reply, how = self.scenario[verb](self, argument)
    local code = self:respond(phase, reply, how)
    if code == 250 then
      self.transaction = nil
      self.helo, self.esmtp = argument, verb ~= "helo"
      self.record.helo = argument
      self.capabilities = type(reply) == "string" and reply or nil
      self.pipelining = type(reply) == "string" and reply:find("PIPELINING", 1, true) ~= nil
    end
  end
end

COMMANDS.EHLO = hello("ehlo", "ehlo")
COMMANDS.LHLO = hello("lhlo", "ehlo")
COMMANDS.HELO = hello("helo", "helo")

function COMMANDS.STARTTLS(self)
  local code = self:respond("starttls", self.scenario.starttls(self))
  if code ~= 220 or self.gated then
    return
  end
  if self.at <= #self.inbox then
    self:defect("bytes behind STARTTLS", self.inbox:sub(self.at))
  end
  self.inbox, self.at, self.gated = "", 1, true
  self:push({ kind = "starttls" })
end

function COMMANDS.AUTH(self, argument)
  self.shared.auth_attempts = self.shared.auth_attempts + 1
  auth.start(self, argument)
end

local function read_params(text)
  local params = {}
  for word in text:gmatch("%S+") do
    local key, value = word:match("^([^=]+)=?(.*)$")
    if key then
      params[key:upper()] = word:find("=", 1, true) and value or true
    end
  end
  return params
end

-- Takes a path and its parameters apart. `bracketed` is false when there are no
-- angle brackets around the address.
local function read_path(argument, keyword)
  local text = argument:match("^%a+:%s*(.*)$")
  if not text or argument:sub(1, #keyword):upper() ~= keyword then
    return { address = "", params = {}, raw = argument, malformed = true }
  end
  local address, rest = text:match('^<("[^"]*"[^>]*)>(.*)$')
  if not address then
    address, rest = text:match("^<([^>]*)>(.*)$")
  end
  local bracketed = address ~= nil
  if not bracketed then
    address, rest = text:match("^(%S*)(.*)$")
  end
  return { address = address, params = read_params(rest), raw = argument, bracketed = bracketed }
end

function COMMANDS.MAIL(self, argument)
  local path = read_path(argument, "FROM:")
  local reply, how = self.scenario.mail(self, path)
  if is_positive(self:respond("mail", reply, how, path.address)) then
    self.transaction = { from = path.address, params = path.params, to = {}, to_params = {} }
  end
end

function COMMANDS.RCPT(self, argument)
  local path = read_path(argument, "TO:")
  local reply, how = self.scenario.rcpt(self, path)
  local code = self:respond("rcpt", reply, how, path.address)
  if is_positive(code) and self.transaction then
    local to = self.transaction.to
    to[#to + 1] = path.address
    self.transaction.to_params[#to] = path.params
  end
end

local function open_body(self, chunked)
  local options = self.options
  local spool = options.spool
  if spool then
    self.shared.spooled = (self.shared.spooled or 0) + 1
    spool = ("%s/%d.eml"):format(spool, self.shared.spooled)
  end
  self.body = body.new({ discard = options.discard, spool = spool, chunked = chunked })
end

function COMMANDS.DATA(self)
  if self.at <= #self.inbox then
    self:defect("bytes behind DATA", self.inbox:sub(self.at))
  end
  local reply, how = self.scenario.data(self)
  if self:respond("data", reply, how) == 354 and not self.gated then
    open_body(self, false)
    self.reader = self.read_body
  end
end

-- With the option "unknown" it is offered all the same, and the octets behind it
-- are read as commands.
local function knows_chunking(self)
  return self.options.chunking and self.options.chunking ~= "unknown"
end

function COMMANDS.BDAT(self, argument, line)
  local size, last = argument:match("^(%d+)%s*(%a*)$")
  if not size or not knows_chunking(self) then
    self:respond("unknown", self.scenario.unknown(self, line))
    return
  end
  local refusal, how = self.scenario.bdat(self, tonumber(size))
  if not refusal and not self.body then
    open_body(self, true)
  end
  self.chunk = { left = tonumber(size), size = tonumber(size), last = last:upper() == "LAST",
    refusal = refusal, how = how }
  self.reader = self.read_chunk
end

function COMMANDS.RSET(self)
  self.transaction = nil
  if self.body then -- chunks without the last one
    self.body:finish()
    self.body = nil
  end
  self:respond("rset", self.scenario.rset(self))
end

function COMMANDS.NOOP(self)
  self:respond("noop", self.scenario.noop(self))
end

function COMMANDS.VRFY(self, argument)
  self:respond("vrfy", self.scenario.vrfy(self, argument))
end

function COMMANDS.QUIT(self)
  self:respond("quit", self.scenario.quit(self))
end

--- Runs one command line.
-- @param self the dialogue
-- @tparam string line without its line end
function M.run(self, line)
  local verb, argument = line:match("^(%a+)%s*(.-)%s*$")
  verb = verb and verb:upper()
  local known = verb and COMMANDS[verb]
  -- What stands behind BDAT is its chunk; what stands behind that is looked at later.
  if verb and verb ~= "BDAT" and self.at <= #self.inbox then
    if not self.pipelining then
      self:defect("a group of commands without PIPELINING", line)
    elseif ENDS_GROUP[verb] then
      self:defect("a command behind one that ends a group", line)
    end
  end
  if known then
    known(self, argument, line)
  else
    self:respond("unknown", self.scenario.unknown(self, line))
  end
end

return M
