--- Why a connection could not be had: the words that drivers share.
-- @module qqmail.io.reasons

local where = require("qqmail.where")

local M = {}

local BY_NAME = {
  ETIMEDOUT = "timeout",
  ECONNREFUSED = "refused",
  ECONNRESET = "closed",
  ECONNABORTED = "closed",
  ENETUNREACH = "unreachable",
  EHOSTUNREACH = "unreachable",
  ENETDOWN = "unreachable",
  EADDRNOTAVAIL = "unreachable",
  EAFNOSUPPORT = "unreachable",
  ENOENT = "not_found",
  EACCES = "denied",
  EPERM = "denied",
  EAGAIN = "again",
  EMFILE = "again",
  ENFILE = "again",
  ENOBUFS = "again",
  ENOMEM = "again",
  timeout = "timeout",
  limit = "again",
  memory = "again",
  empty = "not_found",
  too_long = "not_found",
  ["resolve.noname"] = "not_found",
  ["resolve.nodata"] = "not_found",
  ["resolve.addrfamily"] = "not_found",
  ["resolve.family"] = "unreachable",
  ["resolve.again"] = "again",
  ["resolve.memory"] = "again",
  ["resolve.system"] = "again",
}

-- Of several addresses that failed, the one that says most speaks for all: a server that
-- refuses matters more than an IPv6 address this host has no route to.
local WEIGHT = {
  refused = 8, closed = 7, timeout = 6, denied = 5, again = 4, not_found = 3, unknown = 2,
  unreachable = 1,
}

--- The reason behind a name of `qqmail.net`.
-- @tparam string name errno ("ECONNREFUSED") or a name of our own ("timeout")
-- @treturn string "timeout", "refused", "closed", "unreachable", "not_found", "denied",
-- "again", "unknown"
function M.of(name)
  return BY_NAME[name] or "unknown"
end

--- The errno in a name; our own names ("timeout", "resolve.noname") are none.
-- @tparam ?string name
-- @treturn ?string
function M.errno(name)
  return name and name:match("^E%u+$") or nil
end

-- A line for the transcript of who asked for the connection, if they keep one.
local function note(target, text)
  if target.note then
    target.note(text)
  end
end

--- Note the addresses of a host, or why there are none.
-- @tparam table target `host`; `note`: function for lines of the transcript, or nil
-- @tparam ?table list of `{ address = }`
-- @tparam ?string text why there is none
function M.note_resolved(target, list, text)
  local found = {}
  for index, entry in ipairs(list or {}) do
    found[index] = entry.address
  end
  if #found == 1 and found[1] == target.host then
    return -- an address needs no looking up
  end
  note(target, ("resolve %s: %s"):format(target.host,
    list and table.concat(found, " ") or text))
end

--- Note how one address answered.
-- @tparam table target `port`, `note`
-- @tparam string address as shown: an IP address, or "unix:" and a path
-- @tparam ?string text why it could not be reached; nil: it was
function M.note_tried(target, address, text)
  if address:sub(1, 5) ~= "unix:" then
    address = where.with_port(address, target.port)
  end
  note(target, text and ("connect %s: %s"):format(address, text) or "connected " .. address)
end

--- The failure of a look-up, as drivers answer it.
-- @tparam table target `{ host = }`
-- @tparam string name
-- @tparam string text
-- @treturn table
function M.resolve_failure(target, name, text)
  local eai = name:match("^resolve%.(%l+)$")
  return {
    phase = "resolve",
    reason = M.of(name),
    errno = eai and "EAI_" .. eai:upper() or M.errno(name),
    text = ("resolve %s: %s"):format(target.host, text),
    tried = {},
  }
end

local function name_of(target)
  if target.socket then
    return "unix:" .. target.socket
  end
  return where.with_port(target.host, target.port)
end

local function connect_text(target, attempt, count)
  local text = "connect to " .. name_of(target)
  if not target.socket and attempt.address ~= target.host then
    text = text .. " (" .. attempt.address .. ")"
  end
  text = text .. ": " .. attempt.text
  if count > 1 then
    text = text .. (" (%d addresses tried)"):format(count)
  end
  return text
end

--- The failure of all addresses that were tried.
-- @tparam table target
-- @tparam table tried list of `{ address =, reason =, errno =, text = }`, not empty
-- @treturn table
function M.connect_failure(target, tried)
  local worst = tried[1]
  for _, attempt in ipairs(tried) do
    if WEIGHT[attempt.reason] > WEIGHT[worst.reason] then
      worst = attempt
    end
  end
  return {
    phase = "connect",
    reason = worst.reason,
    errno = worst.errno,
    text = connect_text(target, worst, #tried),
    tried = tried,
  }
end

--- The family of addresses a source address can talk to.
-- @tparam ?string source_ip
-- @treturn string "any", "inet" or "inet6"
function M.family_for(source_ip)
  if not source_ip then
    return "any"
  end
  return source_ip:find(":", 1, true) and "inet6" or "inet"
end

--- Until when one of several addresses may be tried: half of the time that is left while
-- others wait for their turn.
-- @tparam number now
-- @tparam number deadline
-- @tparam boolean is_last
-- @treturn number
function M.share(now, deadline, is_last)
  return is_last and deadline or now + (deadline - now) / 2
end

return M
