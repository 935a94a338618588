--- `.env` files.
--
-- * `KEY=value`, one a line; `export KEY=value` is accepted.
-- * Nothing is expanded: `$NAME` and `$(command)` are ordinary text.
-- * `#` opens a comment at the start of a line, after white space, or behind a
--   closing quote.
-- * "double quotes" know `\n` `\r` `\t` `\\` `\"`; 'single quotes' and `backticks`
--   are literal. Each may run over several lines; a backslash before the
--   closing quote keeps it from closing.
-- * A byte order mark is dropped; CRLF line ends are accepted.
-- @module qqmail.dotenv

local errors = require "qqmail.errors"

local M = {}

--- The most bytes a file may have.
M.MAX_SIZE = 1024 * 1024

local ESCAPES = { n = "\n", r = "\r", t = "\t", ["\\"] = "\\", ['"'] = '"' }

-- Errors name the place and never quote the line: it may hold a password.
local function fault(code, reader, line, en, zh)
  local name = reader.name
  return errors.new {
    kind = "config", code = code, path = name, line = line, lang = reader.lang,
    text_en = ("%s:%d: %s"):format(name, line, en),
    text_zh = ("%s 第 %d 行：%s"):format(name, line, zh),
  }
end

-- Linear where the pattern "^(.-)%s*$" is not.
local function trim_right(text)
  local last = #text
  while last > 0 and text:find("^[ \t]", last) do
    last = last - 1
  end
  return text:sub(1, last)
end

-- The closing quote at or behind `at`; a backslash protects what follows it.
local function find_close(text, quote, at)
  local stop = "[\\" .. quote .. "]"
  local found = text:find(stop, at)
  while found and text:sub(found, found) == "\\" do
    -- Literal quotes: only an escaped quote is passed over, so that "\\" at
    -- the end of a line or before another character means itself.
    local next_byte = text:sub(found + 1, found + 1)
    local pass = (next_byte == quote or quote == '"') and 2 or 1
    found = text:find(stop, found + pass)
  end
  return found
end

local function unescape(text)
  return (text:gsub("\\(.)", function(char)
    return ESCAPES[char]
  end))
end

local function count_lines(text, first, last)
  local _, count = text:sub(first, last):gsub("\n", "")
  return count
end

local Reader = {}
Reader.__index = Reader

function Reader:warn(en, zh)
  self.warnings[#self.warnings + 1] = {
    code = "dotenv.ignored_line", path = self.name, line = self.line,
    message = errors.resolve({
      en = ("%s:%d: %s"):format(self.name, self.line, en),
      zh = ("%s 第 %d 行：%s"):format(self.name, self.line, zh),
    }, self.lang),
  }
end

function Reader:end_of_line()
  return (self.text:find("\n", self.at, true) or #self.text + 1) - 1
end

function Reader:quoted(quote)
  local text = self.text
  local close = find_close(text, quote, self.at + 1)
  if not close then
    return nil, fault("dotenv.unterminated", self, self.line,
      "the quote opened here is never closed", "此处的引号没有结束")
  end
  local value = text:sub(self.at + 1, close - 1)
  local opened = self.line
  self.line = self.line + count_lines(text, self.at, close)
  self.at = close + 1
  local rest = text:sub(self.at, self:end_of_line())
  if not rest:find("^[ \t]*$") and not rest:find("^[ \t]*#") then
    return nil, fault("dotenv.trailing", self, opened,
      "there is text behind the closing quote", "引号结束后还有内容")
  end
  if quote == '"' then
    value = unescape(value)
  end
  return value
end

function Reader:bare()
  local value = self.text:sub(self.at, self:end_of_line())
  local comment = value:find("[ \t]#")
  if comment then
    value = value:sub(1, comment - 1)
  end
  return trim_right(value)
end

-- Reads the value at `self.at`; blanks before it belong to "KEY =".
function Reader:value()
  local start = self.text:find("[^ \t]", self.at) or #self.text + 1
  local first = self.text:sub(start, start)
  if first == '"' or first == "'" or first == "`" then
    self.at = start
    return self:quoted(first)
  end
  -- "A= # note" is empty: the "#" stands behind white space.
  if first == "#" and start > self.at then
    return ""
  end
  self.at = start
  if first == "\n" then
    return ""
  end
  return self:bare()
end

-- One line, or several when a quote spans them. True or nil, err.
function Reader:entry()
  local text = self.text
  local start = text:find("[^ \t]", self.at) or #text + 1
  local first = text:sub(start, start)
  if first == "" or first == "\n" or first == "#" then
    return true
  end
  local _, behind = text:find("^export[ \t]+", start)
  local _, stop, key = text:find("^([%w_][%w_.-]*)[ \t]*=", (behind or start - 1) + 1)
  if not key then
    self:warn("not KEY=value, ignored", "不是 KEY=value，已忽略")
    return true
  end
  local line = self.line
  self.at = stop + 1
  local value, err = self:value()
  if not value then
    return nil, err
  end
  self.vars[key], self.lines[key] = value, line
  return true
end

--- Read the text of a `.env` file.
-- @tparam string text
-- @tparam ?string name what errors call it (".env")
-- @tparam ?string lang of errors and warnings
-- @treturn ?table the variables; the last of equal names wins
-- @treturn table `{ lines = { KEY = line }, warnings = { { code, path, line, message } } }`,
-- or the error
function M.parse(text, name, lang)
  local reader = setmetatable({
    name = name or ".env", lang = lang, at = 1, line = 1, vars = {}, lines = {}, warnings = {},
  }, Reader)
  if #text > M.MAX_SIZE then
    return nil, fault("dotenv.too_large", reader, 1, "the file is larger than 1 MiB",
      "文件超过 1 MiB")
  end
  if text:sub(1, 3) == "\239\187\191" then
    text = text:sub(4)
  end
  text = text:gsub("\r\n?", "\n")
  reader.text = text
  while reader.at <= #text do
    local ok, err = reader:entry()
    if not ok then
      return nil, err
    end
    reader.at = reader:end_of_line() + 2
    reader.line = reader.line + 1
  end
  return reader.vars, { lines = reader.lines, warnings = reader.warnings }
end

-- ENOENT, ENOTDIR; and EISDIR, since a directory named ".env" is a common
-- place for other tools' files.
local ABSENT = { [2] = true, [20] = true, [21] = true }

-- The system's words, without the path that Lua puts in front: it may be a key that was
-- given in place of its file.
local function reason_of(text, path)
  local front = path .. ": "
  return text:sub(1, #front) == front and text:sub(#front + 1) or text
end

--- Read a whole file, but no more than the cap and one byte.
-- @tparam string path
-- @tparam ?number cap bytes
-- @treturn ?string the text; nil alone when there is no such file
-- @treturn ?string what went wrong, without the path
function M.read_file(path, cap)
  local file, text, code = io.open(path, "rb")
  if not file then
    if ABSENT[code] then
      return nil
    end
    return nil, reason_of(text, path)
  end
  local content
  content, text, code = file:read((cap or M.MAX_SIZE) + 1)
  file:close()
  if content or ABSENT[code] then
    return content
  end
  if text then
    return nil, text
  end
  return ""
end

--- The permission bits of a file.
-- @tparam string path
-- @treturn ?number such as 420 (octal 644); nil when it cannot be told
function M.mode(path)
  return (require("qqmail.core").file_mode(path))
end

--- Read a `.env` file.
-- @tparam string path
-- @tparam ?table with `read_file` and `mode` in place of those of this module
-- @tparam ?string lang of errors and warnings
-- @treturn ?table the variables; nil alone when there is no such file
-- @treturn ?table as for `parse`, with `public` = true when everybody may read
-- the file; or the error
function M.load(path, with, lang)
  with = with or {}
  local text, reason = (with.read_file or M.read_file)(path, M.MAX_SIZE)
  if not text then
    if reason == nil then
      return nil
    end
    return nil, errors.new {
      kind = "config", code = "dotenv.unreadable", path = path, lang = lang,
      text_en = ("%s cannot be read: %s"):format(path, tostring(reason)),
      text_zh = ("无法读取 %s：%s"):format(path, tostring(reason)),
    }
  end
  local vars, info = M.parse(text, path, lang)
  if vars then
    local mode = (with.mode or M.mode)(path)
    info.public = mode ~= nil and mode % 8 >= 4
  end
  return vars, info
end

return M
