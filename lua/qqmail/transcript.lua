--- Transcripts: the last lines of what led to an error, `err.transcript`.
--
-- Each line is `{ t =, dir =, line = }`: seconds since the connection was begun, who
-- said it ("C": we, "S": the server, "*": a remark, such as an address that was tried
-- or the end of the connection) and the text. Secrets were masked where it was made.
-- @module qqmail.transcript

local M = {}

-- What outlives its error, to be handed on with a later one, is kept so short: up to
-- thousands of accounts may each have one.
local KEPT = 16

--- The end of a transcript, for keeping.
-- @tparam ?table list
-- @treturn table a list of its own
function M.tail(list)
  local out = {}
  for index = math.max(1, #(list or {}) - KEPT + 1), #(list or {}) do
    out[#out + 1] = list[index]
  end
  return out
end

--- A transcript of one remark, for what fails before anybody is spoken to.
-- @tparam string text
-- @treturn table
function M.remark(text)
  return { { t = 0, dir = "*", line = text } }
end

local ENDINGS = {
  timeout = "no answer in time", closed = "the server closed the connection",
  reset = "the connection was reset", cancelled = "the caller stopped the send",
}

--- The remark on the end of a connection.
-- @tparam string why word of a driver, or its text
-- @tparam ?string detail
-- @treturn string
function M.ending(why, detail)
  local ending = ENDINGS[why] or tostring(why)
  return detail and ending .. ": " .. detail or ending
end

--- The remark on a handshake.
-- @tparam table|boolean info what was agreed on; false: nothing
-- @tparam ?string why not
-- @treturn string
function M.handshake(info, why)
  local outcome = tostring(why)
  if info then
    outcome = info.version and info.version .. " " .. tostring(info.cipher) or "done by nginx"
  end
  return "tls handshake: " .. outcome
end

--- Hand the transcript of an earlier error on with one that follows from it.
-- @tparam table err gets `transcript`, and `because`: the code of the earlier one
-- @tparam ?table earlier `code`, `transcript`
-- @treturn table err
function M.hand_on(err, earlier)
  if earlier then
    err.transcript, err.because = earlier.transcript or {}, earlier.code
  end
  return err
end

--- The lines as texts, such as "0.104 S: 250 ok".
-- @tparam ?table list
-- @treturn table list of strings
function M.lines(list)
  local out = {}
  for index, entry in ipairs(list or {}) do
    out[index] = ("%.3f %s: %s"):format(entry.t, entry.dir, entry.line)
  end
  return out
end

--- A line of our own in the transcript of a session.
-- @param session of `qqmail.core`
-- @tparam number seconds since its begin
-- @tparam string text
function M.note(session, seconds, text)
  session:set_time(seconds)
  session:note((text:gsub("%c", " ")))
end

return M
