--- Driver that keeps messages instead of sending them.
--
-- For tests and dry runs: everything up to the wire happens, then the finished
-- message is added to `mailer.outbox` as `{ id, from, to, data }`.
-- @module qqmail.io.memory

local M = {}

local Memory = {}
Memory.__index = Memory

function Memory.deliver(_, built, mailer)
  local data, err = built:bytes()
  if not data then
    return nil, err
  end
  local to = {}
  for i, address in ipairs(built.envelope.to) do
    to[i] = address
  end
  mailer.outbox[#mailer.outbox + 1] = {
    id = built.id, from = built.envelope.from, to = to, data = data,
  }
  return {
    message_id = built.id, accepted = to, rejected = {}, attempts = 1, reused = false,
    host = "memory", times = {},
    reply = { code = 250, text = "kept in memory" },
  }
end

function M.new()
  return setmetatable({ name = "memory" }, Memory)
end

return M
