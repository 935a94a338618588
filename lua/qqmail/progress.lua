--- Shows on a terminal how far `mailer:send_all` has come.
-- @module qqmail.progress

local errors = require("qqmail.errors")
local net = require("qqmail.net")

local M = {}

local STDERR = 2
local WIDTH = 24

-- Back to the start of the line, and empty it.
local ERASE = "\r\27[K"

-- Seconds between two pictures.
M.every = 0.1

local WORDS = {
  en = { failed = "failed", unknown = "unknown", rate = "/s", left = "left" },
  zh = { failed = "失败", unknown = "未知", rate = "封/秒", left = "剩余" },
}

local function clock(seconds)
  local minutes = math.floor(seconds / 60)
  return ("%d:%02d"):format(minutes, math.floor(seconds % 60))
end

local function bar(done, total)
  local full = math.floor(WIDTH * done / math.max(1, total))
  return "[" .. ("#"):rep(full) .. ("."):rep(WIDTH - full) .. "] "
end

--- One line for a state.
-- @tparam table state as `on_progress` gets it
-- @tparam ?string lang
-- @treturn string
function M.line(state, lang)
  local words = WORDS[lang or errors.lang()]
  local out = { state.total and bar(state.done, state.total) or "" }
  out[#out + 1] = state.total and ("%d/%d"):format(state.done, state.total) or tostring(state.done)
  if state.failed > 0 then
    out[#out + 1] = (" · %d %s"):format(state.failed, words.failed)
  end
  if state.unknown > 0 then
    out[#out + 1] = (" · %d %s"):format(state.unknown, words.unknown)
  end
  out[#out + 1] = (" · %.0f%s"):format(state.per_second, words.rate)
  if state.left and state.done < (state.total or 0) then
    out[#out + 1] = (" · %s %s"):format(words.left, clock(state.left))
  end
  return table.concat(out)
end

local function write(text)
  io.stderr:write(text)
  io.stderr:flush()
end

--- A function for `on_progress` that draws on standard error, when a person looks at
-- it.
-- @tparam ?string lang
-- @treturn ?function nil where standard error is no terminal
-- @treturn ?function takes the bar away, so that others can write on its line; answers
-- whether there was one
function M.bar(lang)
  if rawget(_G, "ngx") or not net.isatty(STDERR) then
    return nil
  end
  local is_drawn = false
  return function(state)
    write(ERASE .. M.line(state, lang) .. (state.is_last and "\n" or ""))
    is_drawn = not state.is_last
  end, function()
    local was_drawn = is_drawn
    if is_drawn then
      write(ERASE)
    end
    is_drawn = false
    return was_drawn
  end
end

return M
