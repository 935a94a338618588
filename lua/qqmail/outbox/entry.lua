--- One mail that waits: finished bytes and an envelope, in memory or in a file.
--
-- Bytes, not the built message: they can still be written while the process
-- ends, when the collector has taken apart everything that C made. On disk a
-- mail is an ordinary .eml file whose first lines are the envelope
-- (`X-Qqmail-Outbox-...`); these fields never go out (see `qm_raw.h`).
-- @module qqmail.outbox.entry

local message = require("qqmail.message")

local M = {}

local MARK = "X-Qqmail-Outbox"

-- No line of a file of ours is longer; the header of a strange one may be.
local LINE_CAP = 2000

--- The first lines of the file.
-- @tparam table entry `from`, `to`
-- @treturn string
function M.head(entry)
  local lines = { MARK .. ": 1", ("%s-From: <%s>"):format(MARK, entry.from) }
  for _, address in ipairs(entry.to) do
    lines[#lines + 1] = ("%s-To: <%s>"):format(MARK, address)
  end
  lines[#lines + 1] = ""
  return table.concat(lines, "\r\n")
end

--- What waits of a built message. The bytes are not in it yet, see `load_data`.
-- @tparam table built
-- @treturn table `id`, `from`, `to`, `size`, `born` (seconds since 1970), `tries`
function M.new(built)
  local to = {}
  for index, address in ipairs(built.envelope.to) do
    to[index] = address
  end
  return { id = built.id, from = built.envelope.from, to = to, size = built:size(),
    born = os.time(), tries = 0 }
end

--- Take the bytes of the message into the entry.
-- @tparam table entry
-- @tparam table built
-- @treturn ?boolean true
-- @treturn ?table error
function M.load_data(entry, built)
  local data, err = built:bytes()
  if not data then
    return nil, err
  end
  entry.data, entry.size = data, #data
  return true
end

local FIELDS = {
  [MARK .. "-From"] = function(entry, address)
    entry.from = address
  end,
  [MARK .. "-To"] = function(entry, address)
    entry.to[#entry.to + 1] = address
  end,
}

local function read_line(entry, line)
  local name, value = line:match("^(X%-Qqmail%-Outbox[%-%a]*): (.-)\r?$")
  if not name then
    return false
  end
  local set, address = FIELDS[name], value:match("^<(.*)>$")
  if set and address then
    set(entry, address)
  end
  return true
end

--- The envelope from a file.
-- @tparam string path
-- @treturn ?table entry
-- @treturn ?string why not
function M.read(path)
  local file, why = io.open(path, "rb")
  if not file then
    return nil, why
  end
  local born = tonumber(path:match("/(%d+)[^/]*$")) or os.time()
  local entry = { to = {}, path = path, born = born, tries = 0 }
  local line = file:read("*l")
  while line and #line <= LINE_CAP and read_line(entry, line) do
    line = file:read("*l")
  end
  file:close()
  if not entry.from or #entry.to == 0 then
    return nil, "no envelope in it"
  end
  return entry
end

--- The message to send.
-- @tparam table entry
-- @tparam table settings
-- @treturn ?table built message
-- @treturn ?table error
function M.message(entry, settings)
  return message.new({ raw = entry.data or { path = entry.path },
    envelope = { from = entry.from, to = entry.to } }, settings)
end

return M
