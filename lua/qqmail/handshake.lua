--- The TLS handshake of a connection: done by the engine or by the driver.
--
-- A part of `qqmail.pump`: works on its connections.
-- @module qqmail.handshake

local transcript = require("qqmail.transcript")

local M = {}

--- Keep what went wrong, and which certificates were shown.
-- @tparam table self connection
-- @tparam string code
-- @tparam ?string text
function M.note_failure(self, code, text)
  self.tls_failure = { code = code, text = text, info = self:tls_info() }
end

local function shake_hands(self, deadline)
  if self.driver_tls then
    return self.wire:start_driver_tls(self.driver_tls, deadline)
  end
  local filter, name, text = self.make_filter()
  if not filter then
    return nil, name, text
  end
  return self.wire:start_tls(filter, deadline)
end

--- Do it. The handshake belongs to connecting: for implicit TLS it has what is left of
-- that time.
-- @tparam table self connection
-- @treturn boolean whether it went well; the session knows it either way
function M.start(self)
  local began = self.now()
  local deadline = math.min(self.deadline, self.connect_by or began + self.timeout.connect)
  local ok, code, detail = shake_hands(self, deadline)
  self.times.tls = self.now() - began
  transcript.note(self.session, self.now() - self.started,
    transcript.handshake(ok and self.wire:tls_info(), detail or code))
  if ok then
    if self.wire:binding() then
      self.session:can_bind()
    end
    self.session:tls_ready()
    self.since = self.now()
    return true
  end
  M.note_failure(self, code, detail)
  self.session:ended("transport")
  return false
end

return M
