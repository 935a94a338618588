--- What the command writes on, and in which colours.
-- @module qqmail.cli.terminal

local net = require("qqmail.net")

local M = {}

local COLOURS = { ok = "32", warning = "33", failed = "31", skipped = "2" }

local function colour(status, text)
  return ("\27[%sm%s\27[0m"):format(COLOURS[status], text)
end

local function plain(_, text)
  return text
end

-- https://no-color.org: any value that is not empty.
local function wants_colour(getenv)
  return (getenv("NO_COLOR") or "") == "" and getenv("TERM") ~= "dumb"
end

local NARROWEST, WIDEST = 40, 120

--- How to write to standard output.
-- @tparam function getenv
-- @tparam ?boolean is_terminal for tests
-- @treturn table `width` (columns), `colour` (function of a status and a text)
function M.style(getenv, is_terminal)
  if is_terminal == nil then
    is_terminal = net.isatty(1)
  end
  local columns = is_terminal and tonumber(getenv("COLUMNS") or "") or 80
  return {
    width = math.max(NARROWEST, math.min(WIDEST, columns)),
    colour = is_terminal and wants_colour(getenv) and colour or plain,
  }
end

return M
