--- One job of sending, the same wherever it runs: in the specs' own process, in
-- a coroutine of an event loop, in a worker of nginx. What goes in and what
-- comes out is plain data.
--
-- A message may have `fill = n`, for n lines of text, and `keep = true`: then it
-- is built first, and the result holds its `bytes`.
local qqmail = require("qqmail")

local M = {}

local LINE = ("0123456789abcdef"):rep(4) .. "\r\n"

-- Tables without metatables, functions or userdata.
local function plain(value)
  if type(value) ~= "table" then
    return value
  end
  local out = {}
  for key, item in pairs(value) do
    if type(item) ~= "function" and type(item) ~= "userdata" then
      out[key] = plain(item)
    end
  end
  return out
end

local FIELDS = { "kind", "code", "phase", "delivered", "retry", "retry_after", "smtp",
  "recipients", "attempts", "hint", "message", "transcript" }

local function plain_error(err)
  local out = { text = tostring(err) }
  for _, name in ipairs(FIELDS) do
    out[name] = plain(err[name])
  end
  return out
end

local function prepare(message)
  local spec, keep = plain(message), message.keep
  spec.keep, spec.fill = nil, nil
  if message.fill then
    spec.text = LINE:rep(message.fill)
  end
  if not keep then
    return spec
  end
  local built, err = qqmail.message(spec)
  if not built then
    error(tostring(err))
  end
  return built, tostring(built)
end

--- Sends one message.
-- @tparam table mailer
-- @tparam table message
-- @treturn table `{ receipt= }` or `{ err= }`, plain data
function M.send(mailer, message)
  local spec, bytes = prepare(message)
  local receipt, err = mailer:send(spec)
  return {
    receipt = plain(receipt), err = err and plain_error(err), bytes = bytes,
  }
end

local function one_by_one(bodies)
  for _, body in ipairs(bodies) do
    body()
  end
end

--- Makes a mailer, sends the messages, closes it.
-- @tparam table job `options` of the mailer; `messages`; `parallel`: all at once
-- @tparam ?function together calls a list of functions side by side and returns
-- when all have; without it they are called one by one
-- @treturn table a result for each message: `{ receipt= }` or `{ err= }`
function M.run(job, together)
  local mailer, err = qqmail.new(job.options)
  local results, bodies = {}, {}
  for i, message in ipairs(job.messages) do
    bodies[i] = function()
      results[i] = mailer and M.send(mailer, message) or { err = plain_error(err) }
    end
  end
  local run = job.parallel and together or one_by_one
  run(bodies)
  if mailer then
    mailer:close()
  end
  return results
end

return M
