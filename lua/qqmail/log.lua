--- Where log records go: functions for the option `log`.
--
--     log = qqmail.log.json("/var/log/qqmail.log")          -- a line of JSON each
--     log = qqmail.log.text(io.stdout, "warning")           -- for people
--     log = "json:warning:/var/log/qqmail.log"              -- the same in one text
--
-- A line is written at once and with one write, to the end of the file: several
-- processes may share one, and it may be moved away (logrotate) at any time, since it
-- is opened anew for each line. A line that cannot be written changes no result; it
-- is counted as `hook_errors` of `mailer:stats`.
-- @module qqmail.log

local json = require("qqmail.json")
local record = require("qqmail.record")

local M = {}

local LEVELS = { debug = 1, info = 2, warning = 3, error = 4 }

-- --- sinks ------------------------------------------------------------------------

-- Without a buffer of its own, so that a line of any length is one write.
local function append(path, line)
  local file, why = io.open(path, "ab")
  if not file then
    return nil, why
  end
  file:setvbuf("no")
  local ok
  ok, why = file:write(line)
  file:close()
  return ok, why
end

local function to_path(path)
  return function(line)
    local ok, why = append(path, line .. "\n")
    if not ok then
      error("qqmail.log: " .. tostring(why), 0)
    end
  end
end

local function to_handle(handle)
  return function(line)
    local ok, why = handle:write(line .. "\n")
    if ok then
      ok, why = handle:flush()
    end
    if not ok then
      error("qqmail.log: " .. tostring(why), 0)
    end
  end
end

-- Standard streams are looked up late: a program may have put others in their place.
local STREAMS = {
  stderr = function(line)
    return to_handle(io.stderr)(line)
  end,
  stdout = function(line)
    return to_handle(io.stdout)(line)
  end,
}

local function writer_of(sink, caller)
  if type(sink) == "function" then
    return sink
  elseif type(sink) == "string" and sink ~= "" then
    return STREAMS[sink] or to_path(sink)
  elseif type(sink) ~= "string" and io.type(sink) == "file" then
    return to_handle(sink)
  end
  error(caller .. ': a function, an open file, "stderr", "stdout" or a path is expected', 3)
end

-- --- formats ----------------------------------------------------------------------

-- A record of our own always has a form; a caller's may hold anything.
local function as_json(_, _, entry)
  local line, why = json.encode(entry, record.ORDER)
  if not line then
    error("qqmail.log: " .. why, 0)
  end
  return line
end

-- "2026-01-31T08:00:00.250Z qqmail error: 535 Login fail (auth, delivered: no)"
local function as_text(level, text, entry)
  local line = text:gsub("^qqmail: ", ""):gsub("%c", " ")
  return ("%s qqmail %s: %s"):format(entry.time, level, line)
end

local function logger(format, sink, least, caller)
  local write, floor = writer_of(sink, caller), LEVELS[least or "info"]
  if not floor then
    error(caller .. ': the level is "error", "warning", "info" or "debug"', 3)
  end
  return function(level, text, entry)
    if LEVELS[level] >= floor then
      write(format(level, text, entry))
    end
  end
end

--- A function for the option `log` that writes each record as one line of JSON.
-- @param sink function (line), open file, "stderr", "stdout", or path
-- @tparam ?string level least one to be written: "error", "warning", "info" (default)
-- or "debug"
-- @treturn function (level, text, record)
function M.json(sink, level)
  return logger(as_json, sink, level, "qqmail.log.json")
end

--- The same in words, one line each.
-- @param sink see `json`
-- @tparam ?string level
-- @treturn function (level, text, record)
function M.text(sink, level)
  return logger(as_text, sink, level, "qqmail.log.text")
end

-- --- from one text ------------------------------------------------------------------

local FORMATS = { json = M.json, text = M.text }

local FORM = {
  en = 'must be a function, "off", or [json:][level:] and "stderr", "stdout" or a path with a '
    .. '"/", such as "json:warning:/var/log/qqmail.log"',
  zh = '必须是函数、"off"，或 [json:][级别:] 加 "stderr"、"stdout" 或含 "/" 的路径，'
    .. '如 "json:warning:/var/log/qqmail.log"',
}

local function unwritable(why)
  return nil, {
    en = "cannot be written: " .. why, zh = "无法写入：" .. why,
  }, "config.log_unwritable"
end

-- "json:", "warning:" in front, each at most once.
local function take_prefix(text, known, default)
  local name, rest = text:match("^(%l+):(.*)$")
  if name and known[name] then
    return name, rest
  end
  return default, text
end

--- Read what the option `log` and QQMAIL_LOG may say: `[json:|text:][level:]target`.
-- @tparam string text
-- @tparam ?string home what relative paths count from
-- @treturn ?function for the option
-- @treturn ?table what is wrong, `{ en =, zh = }`, the rest of a sentence
-- @treturn ?string code of the error
function M.parse(text, home)
  local format, level, target
  format, target = take_prefix(text, FORMATS, "text")
  level, target = take_prefix(target, LEVELS, "info")
  if STREAMS[target] then
    return FORMATS[format](target, level)
  elseif not target:find("^[^/:]*/") or target:find("%c") then
    return nil, FORM
  end
  if home and target:sub(1, 1) ~= "/" then
    target = home .. "/" .. target
  end
  local file, why = io.open(target, "ab")
  if not file then
    return unwritable(why)
  end
  file:close()
  return FORMATS[format](target, level)
end

--- What is said of a value that is none of these.
M.FORM = FORM

return M
