--- Listens between the library and the system: which bytes of the dialogue were really
-- taken by the socket, counted without asking the library.
--
-- Inside TLS a byte has left when the whole record that holds it has.
local fd = require("qqmail.io.fd")
local net = require("qqmail.net")
local connections = require("qqmail.connection")

local M = {}

-- --- what left ------------------------------------------------------------------

local Stream = {}
Stream.__index = Stream

local function new_stream()
  return setmetatable({ said = {}, plain = 0, left = 0, heard = 0, marks = {}, is_clear = true },
    Stream)
end

function Stream:note(bytes)
  self.said[#self.said + 1] = bytes
  self.plain = self.plain + #bytes
end

-- The socket took so many bytes.
function Stream:took(count)
  self.left = self.left + count
end

-- So many bytes of TLS records wait for the socket; what was noted is in them.
function Stream:sealed(waiting)
  self.marks[#self.marks + 1] = { at = self.left + waiting, plain = self.plain }
end

--- The plain bytes that left.
-- @treturn string
function Stream:text()
  local count = self.is_clear and self.left or 0
  for _, mark in ipairs(self.marks) do
    count = mark.at <= self.left and mark.plain or count
  end
  return table.concat(self.said):sub(1, count)
end

-- --- the taps -------------------------------------------------------------------

local function tap_connection(conn, stream)
  local send_waiting, recv = conn.send_waiting, conn.recv
  -- What waits is that of a session, or of a filter that is tapped as well.
  function conn:send_waiting(source)
    if stream.is_clear then
      stream:note(source:output())
    else
      stream:sealed(source:waiting())
    end
    local sent, why, partial = send_waiting(self, source.filter or source)
    stream:took(sent or partial or 0)
    return sent, why, partial
  end
  function conn:recv(max)
    local bytes, why, detail = recv(self, max)
    stream.heard = stream.heard + #(bytes or "")
    return bytes, why, detail
  end
  return conn
end

-- A filter is userdata: this one stands before it.
local function tap_filter(filter, stream)
  stream.is_clear = false
  local tapped = { filter = filter }
  for _, name in ipairs({ "handshake", "feed", "eof", "read", "sent", "shutdown", "info", "binding",
    "close", "waiting" }) do
    tapped[name] = function(_, ...)
      return filter[name](filter, ...)
    end
  end
  function tapped.write(_, source, first)
    local taken, code, text = filter:write(source, first)
    if taken then
      stream:note(source:output():sub(first, first + taken - 1))
    end
    return taken, code, text
  end
  return tapped
end

--- A driver that keeps record of what its connections send. Its `sleep` takes no time:
-- the clock goes forward instead.
-- @treturn table driver; `streams`: of its connections, in order
function M.driver()
  local driver = fd.new({ wait = net.wait, sleep = net.sleep })
  local connect, now = driver.connect, driver.now
  driver.ahead, driver.streams = 0, {}
  function driver:connect(target, deadline)
    local conn, failure = connect(self, target, deadline)
    if not conn then
      return nil, failure
    end
    self.streams[#self.streams + 1] = new_stream()
    return tap_connection(conn, self.streams[#self.streams])
  end
  function driver:now()
    return now(self) + self.ahead
  end
  function driver:sleep(seconds)
    self.ahead = self.ahead + seconds
  end
  return driver
end

local open = connections.open

-- Where the filter is made the connection is the driver's newest: one at a time.
local function tapped_open(driver, options)
  local make_filter = options.make_filter
  if driver.streams and make_filter then
    options.make_filter = function()
      local filter, name, text = make_filter()
      return filter and tap_filter(filter, driver.streams[#driver.streams]), name, text
    end
  end
  return open(driver, options)
end

--- Listens inside TLS as well, until `stop`.
function M.start()
  connections.open = tapped_open
end

function M.stop()
  connections.open = open
end

return M
