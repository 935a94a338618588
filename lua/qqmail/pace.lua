--- How boldly a server is spoken to: what it offers, less what it proved unable to do.
--
-- Some servers offer PIPELINING or CHUNKING and then stumble over it, or something
-- on the way does. After such a failure the next connection goes one step slower:
-- without BDAT, then without the next envelope behind a body, then one command at
-- a time. A connection that merely breaks is no such sign once the server has
-- answered a flight of the same kind. Pure: no clock, no connection.
-- @module qqmail.pace

local M = {}

local Pace = {}
Pace.__index = Pace

--- @treturn table nothing is known of the server yet
function M.new()
  return setmetatable({ lacks = {}, proved = {} }, Pace)
end

--- What a session may use.
-- @tparam table settings `pipelining`, `chunking`, `window`
-- @treturn table the same three; `trusts_chunking`: the server has taken a chunk before
function Pace:options(settings)
  local lacks = self.lacks
  local pipelining = settings.pipelining
  return {
    pipelining = pipelining ~= false and not lacks.pipelining,
    chunking = settings.chunking ~= false and not lacks.chunking,
    trusts_chunking = self.proved.chunking == true,
    window = (lacks.window or lacks.pipelining) and 0 or settings.window,
  }
end

-- The boldest thing that was under way when a session ended.
local function step_of(event)
  if event.chunked then
    return "chunking"
  end
  return event.behind and "window" or "pipelining"
end

-- The two sides no longer agree which reply belongs to which command.
local ASTRAY = { unexpected = true, bad_reply = true }

-- No news from a server that may have thrown away what it did not expect.
local SILENT = { closed = true, reset = true, timeout = true }

-- What servers say of commands that came too early (Exim, Postfix).
local TOO_EARLY = { "pipelin", "synchroni" }

local function says_too_early(event)
  if event.fault ~= "reply" or not event.text then
    return false
  end
  local text = event.text:lower()
  return text:find(TOO_EARLY[1], 1, true) ~= nil or text:find(TOO_EARLY[2], 1, true) ~= nil
end

--- A session ended, or refused a message.
-- @tparam table event of the session: `fault`, `text`, `in_flight` (commands without
--   an answer), `behind` (of more than one message), `chunked` (by BDAT), `pipelined`
-- @treturn boolean true when the next connection goes slower than this one, also when
--   another one found that out before: what it did not take may be sent again at once
function Pace:failed(event)
  if event.fault == "no_chunking" then
    self.lacks.chunking = true
    return true
  end
  local step = step_of(event)
  local in_flight = event.in_flight or 0
  local is_sign = says_too_early(event) or (in_flight > 1 and (ASTRAY[event.fault]
    or (SILENT[event.fault] and not self.proved[step])))
  if not is_sign or not (event.chunked or event.pipelined) then
    return false
  end
  self.lacks[step] = true
  return true
end

--- A message was taken.
-- @tparam table how `pipelining`, `window`, `chunking`: true for what it went with
function Pace:worked(how)
  for step in pairs(self.proved) do
    how[step] = how[step] or true
  end
  self.proved = how
end

return M
