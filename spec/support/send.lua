--- Mailers and scripted servers for specs: begun with little to say, and all
-- ended by `stop`, which belongs into after_each.
local assert = require("luassert")
local certs = require("spec.support.certs")
local errors = require("qqmail.errors")
local fd = require("qqmail.io.fd")
local logins = require("qqmail.logins")
local net = require("qqmail.net")
local qqmail = require("qqmail")
local testing = require("qqmail.testing")

local M = {}

M.USER = "user@qq.com"
--- What no output may contain: 16 letters, as QQ's codes are.
M.CODE = "abcdefghijklmnop"

local servers, mailers = {}, {}

-- Tables inside tables are merged as well; `false` is kept.
local function merge(into, from)
  for key, value in pairs(from or {}) do
    if type(value) == "table" and type(into[key]) == "table" and #value == 0 then
      merge(into[key], value)
    else
      into[key] = value
    end
  end
  return into
end

M.merge = merge

--- Starts a scripted server. Where it speaks TLS it has the good certificate
-- unless `cert` names another of spec/support/certs.sh.
-- @tparam ?table options of qqmail.testing; `cert` = name of a certificate
-- @return server
function M.server(options)
  options = merge({ require_auth = true, mode = "plain" }, options)
  if options.mode ~= "plain" then
    local name = options.cert or "good"
    options.cert, options.key = certs.path(name .. ".pem"), certs.path(name .. ".key")
  end
  local server = testing.server(options)
  server.mode = options.mode
  servers[#servers + 1] = server
  return server
end

--- A server of the QQ scenario; implicit TLS unless `mode` says otherwise.
function M.qq_server(options)
  return M.server(merge({ scenario = "qq", mode = "implicit" }, options))
end

local TLS = { plain = "none", starttls = "starttls", implicit = "implicit" }

--- Options of a mailer that fits a server.
-- @param server
-- @tparam ?table more
-- @treturn table
function M.options(server, more)
  local options = {
    host = server.host, port = server.port, tls = TLS[server.mode], user = M.USER,
    password = M.CODE, timeout = { connect = 10, reply = 10, final = 10, total = 30 }, lang = "en",
    -- What a spec sends is sent once, unless it asks for more.
    retry = false,
  }
  if server.mode == "plain" then
    options.allow_plaintext_auth = true
  else
    options.tls_options = { ca_file = certs.path("ca.pem") }
  end
  return merge(options, more)
end

--- A mailer for a server.
-- @param server
-- @tparam ?table more options
-- @return mailer
function M.mailer(server, more)
  local mailer, err = qqmail.new(M.options(server, more))
  assert.is_table(mailer, tostring(err))
  mailers[#mailers + 1] = mailer
  return mailer
end

--- A mailer with the preset of QQ.
function M.qq_mailer(server, more)
  return M.mailer(server, merge({ provider = "qq" }, more))
end

--- A small message.
function M.message(more)
  return merge({ to = "a@test.local", subject = "磁盘告警", text = "hello\n.dot\n" }, more)
end

--- Sends, and asserts that it worked.
-- @treturn table receipt
function M.good(mailer, message)
  local receipt, err = mailer:send(message or M.message())
  assert.is_table(receipt, tostring(err))
  assert.is_nil(err)
  return receipt
end

local WHOLE = { "kind", "code", "phase", "delivered", "retry", "message", "hint", "lang" }

--- Asserts that a value is an error with these fields, and a whole one.
-- @tparam table err
-- @tparam ?table fields
-- @treturn table the error
function M.is_error(err, fields)
  assert.is_true(errors.is(err))
  for _, name in ipairs(WHOLE) do
    assert.is_string(err[name], name)
  end
  for name, value in pairs(fields or {}) do
    assert.equal(value, err[name], name .. " of: " .. tostring(err))
  end
  assert.is_nil(tostring(err):find("[%c]"))
  return err
end

--- Sends, and asserts that it failed with these fields.
-- @treturn table err
function M.bad(mailer, fields, message)
  local receipt, err = mailer:send(message or M.message())
  assert.is_nil(receipt)
  return M.is_error(err, fields)
end

--- The lines of one side in a record of the server, or in a transcript.
-- @tparam table lines
-- @tparam string dir "C" or "S"
-- @treturn table list of strings
function M.said(lines, dir)
  local out = {}
  for _, line in ipairs(lines) do
    if line.dir == dir then
      out[#out + 1] = line.line
    end
  end
  return out
end

--- All that clients said to a server, over all connections, as one text.
function M.heard(server)
  local out = {}
  for _, record in ipairs(server:connections()) do
    out[#out + 1] = table.concat(M.said(record.lines, "C"), "\n")
  end
  return table.concat(out, "\n")
end

--- How often a line that begins with a verb was heard.
function M.count(server, verb)
  local n = 0
  for line in M.heard(server):gmatch("[^\n]+") do
    n = n + (line:find("^" .. verb) and 1 or 0)
  end
  return n
end

--- Asserts that a text holds a part.
function M.has(text, part)
  assert.is_truthy(tostring(text):find(part, 1, true), ("%q lacks %q"):format(tostring(text), part))
end

--- Asserts that a text lacks a part.
function M.lacks(text, part)
  assert.is_nil(tostring(text):find(part, 1, true), ("%q holds %q"):format(tostring(text), part))
end

--- The option `io` for code that runs inside `in_loop`.
M.LOOP_IO = {
  wait = function(descriptor, direction, seconds)
    return coroutine.yield(descriptor, direction, seconds)
  end,
  sleep = function(seconds)
    coroutine.yield(-1, "r", seconds) -- no descriptor: only time passes
  end,
}

-- Resumes a thread; what it waits for next, or nil when it is over.
local function resume(thread, ...)
  local ok, descriptor, direction, seconds = coroutine.resume(thread, ...)
  if not ok then
    error(descriptor, 0)
  end
  if coroutine.status(thread) ~= "dead" then
    return { thread = thread, fd = descriptor, read = direction == "r", write = direction == "w",
      seconds = seconds, till = net.now() + seconds }
  end
end

-- One turn of the loop: those go on whose wait is over.
local function turn(waiting)
  local first = math.huge
  for _, entry in ipairs(waiting) do
    first = math.min(first, entry.till)
  end
  net.poll(waiting, math.max(0, first - net.now()))
  local still = {}
  for _, entry in ipairs(waiting) do
    local next_wait = entry
    if entry.readable or entry.writable then
      next_wait = resume(entry.thread, true)
    elseif net.now() >= entry.till then
      next_wait = resume(entry.thread, nil, "timeout")
    end
    still[#still + 1] = next_wait
  end
  return still
end

--- Runs functions in coroutines whose waits are left to a loop out here, the way
-- event loops do it. Raises what they raise.
-- @tparam function ... each gets the value for the option `io`
function M.in_loop(...)
  local waiting = {}
  for _, body in ipairs({ ... }) do
    waiting[#waiting + 1] = resume(coroutine.create(body), M.LOOP_IO)
  end
  while #waiting > 0 do
    waiting = turn(waiting)
  end
end

--- A driver whose clock can be set forward: `driver.ahead` = seconds.
function M.clock_driver(mailer)
  local driver = fd.new({ wait = net.wait, sleep = net.sleep })
  local now = driver.now
  driver.ahead = 0
  function driver:now()
    return now(self) + self.ahead
  end
  mailer.settings.io = { wait = net.wait, sleep = net.sleep }
  mailer.settings.io_driver = driver
  return driver
end

--- Ends all mailers and servers. What was learned of accounts is forgotten: another
-- server may get the same port.
function M.stop()
  logins.forget_all()
  for _, mailer in ipairs(mailers) do
    mailer:close()
  end
  for _, server in ipairs(servers) do
    server:stop()
  end
  servers, mailers = {}, {}
end

return M
