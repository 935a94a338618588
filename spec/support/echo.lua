--- Servers of the echo scenario, and what must be true of them after many senders
-- shared one mailer.
local assert = require("luassert")
local send = require("spec.support.send")

local M = {}

--- Starts one.
-- @tparam ?table more options
function M.server(more)
  return send.server(send.merge({ scenario = "spec.support.echo_scenario" }, more))
end

--- The name of a message is its subject; what comes back must say so.
function M.message(name)
  return { to = { "a@test.local", "no-" .. name .. "@test.local" }, subject = name, text = name }
end

--- Why a receipt is not the one of a message; nil when it is.
-- @tparam string name
-- @tparam ?table receipt
-- @tparam ?table err
function M.mismatch(name, receipt, err)
  if not receipt then
    return name .. ": " .. tostring(err)
  end
  local row = receipt.rejected[1] or {}
  local whole = ("%s %s %s"):format(receipt.queue_id, receipt.reply.text, tostring(row.text))
  local expected = ("%s 2.0.0 Ok: queued as %s 5.1.1 <no-%s@test.local> is unknown")
    :format(name, name, name)
  -- The enhanced code is told apart from the text.
  whole, expected = whole:gsub("%d%.%d%.%d ", ""), expected:gsub("%d%.%d%.%d ", "")
  return whole ~= expected and ("%s got %s"):format(name, whole) or nil
end

--- Asserts that each of a list of names arrived just once, nothing else did, and
-- never more than `max` connections were open.
function M.check(server, names, max)
  local count = {}
  for _, message in ipairs(server:messages()) do
    local name = message.data:match("Subject: ([%w%-]+)")
    count[name] = (count[name] or 0) + 1
  end
  for _, name in ipairs(names) do
    assert.equal(1, count[name] or 0, name)
    count[name] = nil
  end
  assert.same({}, count)
  assert.same({}, server:defects())
  local most = 0
  for _, record in ipairs(server:connections()) do
    most = math.max(most, record.beside or 0)
  end
  assert.is_true(most <= max, most .. " connections at once")
end

return M
