--- One mail that waits: finished bytes and an envelope, in memory or in a file.
--
-- Bytes, not the built message: they can still be written while the process
-- ends, when the collector has taken apart everything that C made. On disk a
-- mail is an ordinary .eml file whose first lines are the envelope
-- (`X-Qqmail-Outbox-...`); these fields never go out (see `qm_raw.h`).
-- @module qqmail.outbox.entry

local dsn = require("qqmail.dsn")
local errors = require("qqmail.errors")
local fault = require("qqmail.message.fault")
local message = require("qqmail.message")

local M = {}

local MARK = "X-Qqmail-Outbox"

-- No line of a file of ours is longer; the header of a strange one may be.
local LINE_CAP = 2000

--- The first lines of the file.
-- @tparam table entry `from`, `to`, `deadline`, `require_tls`, `dsn`
-- @treturn string
function M.head(entry)
  local lines = { MARK .. ": 1", ("%s-From: <%s>"):format(MARK, entry.from) }
  for _, address in ipairs(entry.to) do
    lines[#lines + 1] = ("%s-To: <%s>"):format(MARK, address)
  end
  if entry.deadline then
    lines[#lines + 1] = ("%s-Deadline: <%.0f>"):format(MARK, entry.deadline)
  end
  if entry.require_tls then
    lines[#lines + 1] = MARK .. "-Require-Tls: <true>"
  end
  if entry.dsn ~= nil then
    for _, line in ipairs(dsn.to_lines(entry.dsn)) do
      lines[#lines + 1] = ("%s-Dsn-%s: <%s>"):format(MARK, line[1], line[2])
    end
  end
  lines[#lines + 1] = ""
  return table.concat(lines, "\r\n")
end

--- What waits of a built message. The bytes are not in it yet, see `load_data`.
-- @tparam table built
-- @treturn table `id`, `from`, `to`, `size`, `born` (seconds since 1970), `tries`,
-- `unknown` (how many of them left the delivery unknown), `deadline` (after which it is
-- not sent any more, as `born`; or nil), `require_tls`, `dsn` (as of `qqmail.dsn`)
function M.new(built)
  local to = {}
  for index, address in ipairs(built.envelope.to) do
    to[index] = address
  end
  return { id = built.id, from = built.envelope.from, to = to, size = built:size(),
    born = os.time(), tries = 0, unknown = 0,
    deadline = built.deadline and os.time() + built.deadline,
    require_tls = built.require_tls or nil, dsn = built.dsn }
end

-- A mail is read again as a raw message, with our lines on top: its header must
-- fit into what such a one may have (QM_RAW_HEAD_MAX).
local HEADER_MAX = 262144

local function too_large(lang)
  return fault.new(lang, "message.too_large", nil, {
    en = ("the header and the recipients are larger than %d bytes; an outbox takes no more")
      :format(HEADER_MAX),
    zh = ("邮件头与收件人超过 %d 字节，待发队列无法收下"):format(HEADER_MAX),
  })
end

--- The pieces of a message, with a look at its header on the way.
-- @tparam table entry
-- @tparam table built
-- @treturn function iterator; raises the error of a source, or of a header that is
-- too large
function M.pieces(entry, built)
  local room, seen, tail = HEADER_MAX - #M.head(entry), 0, ""
  local next_piece = built:chunks()
  return function()
    local piece = next_piece()
    if piece and tail then
      local ends = (tail .. piece):find("\r\n\r\n", 1, true)
      seen = seen + (ends or #piece)
      if seen > room then
        error(too_large(built.lang), 0)
      end
      tail = not ends and piece:sub(-3) or nil
    end
    return piece
  end
end

-- The bytes, or nil and "limit".
local function gather(entry, built, limit)
  local parts, size = {}, 0
  for piece in M.pieces(entry, built) do
    parts[#parts + 1], size = piece, size + #piece
    if size > limit then
      return nil, "limit"
    end
  end
  return table.concat(parts)
end

--- Take the bytes of the message into the entry.
-- @tparam table entry
-- @tparam table built
-- @tparam number limit bytes there is room for
-- @treturn ?boolean true
-- @treturn ?table|string error; "limit": there are more bytes
function M.load_data(entry, built, limit)
  -- What goes wrong on the way is raised, see `pieces`.
  local ran, data, why = pcall(gather, entry, built, limit)
  if not ran and not errors.is(data) then
    error(data, 0)
  elseif not ran then
    return nil, data
  elseif not data then
    return nil, why
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
  [MARK .. "-Deadline"] = function(entry, moment)
    entry.deadline = tonumber(moment)
  end,
  [MARK .. "-Require-Tls"] = function(entry)
    entry.require_tls = true
  end,
}

local function read_line(entry, line)
  local name, value = line:match("^(X%-Qqmail%-Outbox[%-%a]*): (.-)\r?$")
  if not name then
    return false
  end
  local set, address = FIELDS[name], value:match("^<(.*)>$")
  local asked = name:match("%-Dsn%-(%l+)$")
  if set and address then
    set(entry, address)
  elseif asked and address then
    table.insert(entry.dsn_lines, { asked, address })
  end
  return true
end

--- The envelope from a file.
-- @tparam string path
-- @treturn ?table entry
-- @treturn ?string why not
-- @treturn ?boolean true when it is no mail of an outbox, and never will be
function M.read(path)
  local file, why = io.open(path, "rb")
  if not file then
    return nil, why
  end
  local born = tonumber(path:match("/(%d+)[^/]*$")) or os.time()
  local entry = { to = {}, path = path, born = born, tries = 0, unknown = 0, dsn_lines = {} }
  local line = file:read("*l")
  while line and #line <= LINE_CAP and read_line(entry, line) do
    line = file:read("*l")
  end
  file:close()
  if #entry.dsn_lines > 0 then
    entry.dsn = dsn.from_lines(entry.dsn_lines)
  end
  entry.dsn_lines = nil
  if not entry.from or #entry.to == 0 then
    return nil, "there is no envelope in it", true
  end
  return entry
end

--- Whether it is too late to send it.
-- @tparam table entry
-- @treturn boolean
function M.is_late(entry)
  return entry.deadline ~= nil and os.time() >= entry.deadline
end

--- The message to send, in time.
-- @tparam table entry
-- @tparam table settings
-- @treturn ?table built message
-- @treturn ?table error
function M.message(entry, settings)
  return message.new({ raw = entry.data or { path = entry.path },
    envelope = { from = entry.from, to = entry.to },
    -- The second may have turned since somebody looked.
    deadline = entry.deadline and math.max(1, entry.deadline - os.time()),
    require_tls = entry.require_tls,
    -- Some have the mail already: what was asked for them is done.
    dsn = entry.dsn and dsn.only(entry.dsn, entry.to) }, settings)
end

return M
