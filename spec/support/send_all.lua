--- Runs of `mailer:send_all` for specs: every message has its number in its subject,
-- and gets exactly one result.
local assert = require("luassert")
local send = require("spec.support.send")

local M = {}

--- Messages with the subjects "m1" to "mn".
-- @tparam number n
-- @tparam ?function change (message, index) changes one of them, or gives another value
-- @treturn table list
function M.messages(n, change)
  local list = {}
  for index = 1, n do
    local message = send.message({ subject = "m" .. index })
    if change then
      message = change(message, index)
    end
    list[index] = message
  end
  return list
end

--- An iterator over a list.
function M.iterator(list)
  local index = 0
  return function()
    index = index + 1
    return list[index]
  end
end

local function note(results, list)
  return function(receipt, err, message, index)
    assert.is_nil(results[index])
    assert.is_true((receipt == nil) ~= (err == nil))
    if list and index <= #list then
      assert.equal(list[index], message)
    end
    results[index] = { receipt = receipt, err = err }
    results.count = results.count + 1
  end
end

--- Sends a list; each of its messages must get one result, its own, and the summary
-- must add up.
-- @treturn table results by index: `receipt` or `err`
-- @treturn table summary
function M.run(mailer, list, options)
  local results = { count = 0 }
  options = send.merge({ on_result = note(results, type(list) == "table" and list) }, options)
  local errors_before = mailer:stats().hook_errors
  local summary, err = mailer:send_all(list, options)
  assert.is_table(summary, tostring(err))
  assert.equal(errors_before, mailer:stats().hook_errors)
  local sent, failed, unknown = 0, 0, 0
  for index = 1, results.count do
    local result = results[index]
    sent = sent + (result.receipt and 1 or 0)
    unknown = unknown + (result.err and result.err.delivered == "unknown" and 1 or 0)
    failed = failed + (result.err and result.err.delivered == "no" and 1 or 0)
  end
  assert.same({ results.count, sent, failed, unknown },
    { summary.total, summary.sent, summary.failed, summary.unknown })
  assert.equal(math.min(100, failed + unknown), #summary.errors)
  return results, summary
end

--- Sends a list of which every message must arrive.
function M.all(mailer, list, options)
  local results, summary = M.run(mailer, list, options)
  local first = summary.errors[1]
  assert.equal(#list, summary.sent, first and tostring(first.err))
  return results, summary
end

--- How often a server took each subject.
-- @treturn table number by subject
function M.arrived(server)
  local counts = {}
  for _, message in ipairs(server:messages()) do
    local subject = message.data:match("Subject: ([^\r\n]*)")
    counts[subject] = (counts[subject] or 0) + 1
  end
  return counts
end

--- Asserts that a server took "m1" to "mn", each once.
function M.arrived_once(server, n)
  local wanted = {}
  for index = 1, n do
    wanted["m" .. index] = 1
  end
  assert.same(wanted, M.arrived(server))
end

--- How many connections of a server with the scenario "crowded" were open at most.
function M.most(server)
  return server:request({ op = "get", what = "most" }).value
end

--- A server that counts its open connections, and may limit them.
function M.crowded_server(crowd, options)
  return send.server(send.merge({ scenario = "spec.support.crowded_scenario", crowd = crowd or {} },
    options))
end

return M
