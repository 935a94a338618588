--- The receiver of a message body: finds the end, takes the dots out, counts.
-- Every byte is looked at a fixed number of times, however the input is cut.
-- @module qqmail.testing.body

local M = {}

local END = "\r\n.\r\n"

local Body = {}
Body.__index = Body

-- How many bytes at the end of `text` may be the begin of END.
local function held_back(text)
  for length = #END - 1, 1, -1 do
    if text:sub(-length) == END:sub(1, length) then
      return length
    end
  end
  return 0
end

-- The part never ends inside a CRLF, so what stands alone in it is alone.
local function has_bare_newline(part)
  local at = 1
  while true do
    local lf = part:find("\n", at, true)
    local cr = part:find("\r", at, true)
    if not lf and not cr then
      return false
    end
    if not lf or not cr or lf ~= cr + 1 then
      return true
    end
    at = lf + 1
  end
end

local function count_dots(part)
  local dots, at = 0, part:find("\r\n.", 1, true)
  while at do
    dots = dots + 1
    at = part:find("\r\n.", at + 3, true)
  end
  return dots
end

--- @tparam[opt] table options `discard` = count only, `spool` = file that takes
-- the bytes instead, `chunked` = BDAT: nothing is stuffed and nothing ends it
function M.new(options)
  options = options or {}
  local self = setmetatable({
    size = 0, bare_newline = false, chunked = options.chunked, discard = options.discard,
    held = options.chunked and "" or "\r\n", fresh = not options.chunked, parts = {},
  }, Body)
  if options.spool then
    self.file = assert(io.open(options.spool, "wb"))
    self.path = options.spool
  end
  return self
end

function Body:keep(part)
  if self.file then
    self.file:write(part)
  elseif not self.discard then
    self.parts[#self.parts + 1] = part
  end
end

-- `part` holds whole stuffed dots only; the very first one begins with the CRLF
-- of the DATA line, which belongs to no message.
function Body:emit(part)
  if part == "" then
    return
  end
  self.bare_newline = self.bare_newline or has_bare_newline(part)
  local dots = self.chunked and 0 or count_dots(part)
  self.size = self.size + #part - dots
  if self.discard and not self.file and not self.fresh then
    return
  end
  if dots > 0 then
    part = part:gsub("\r\n%.", "\r\n")
  end
  if self.fresh then
    part = part:sub(3)
    self.size = self.size - 2
    self.fresh = false
  end
  self:keep(part)
end

--- Takes bytes.
-- @tparam string bytes
-- @treturn ?string nil while the message goes on, else what stands behind its end
function Body:feed(bytes)
  local text = self.held .. bytes
  if self.chunked then
    self.held = text:sub(-1) == "\r" and "\r" or ""
    self:emit(text:sub(1, #text - #self.held))
    return nil
  end
  local at = text:find(END, 1, true)
  if at then
    self.held = ""
    self:emit(text:sub(1, at + 1))
    return text:sub(at + #END)
  end
  local length = held_back(text)
  self.held = text:sub(#text - length + 1)
  self:emit(text:sub(1, #text - length))
  return nil
end

--- Ends the message, once; `data` holds it then unless it was discarded or spooled.
function Body:finish()
  self:emit(self.held)
  self.held = ""
  if self.file then
    self.file:close()
    self.file = nil
  elseif not self.discard then
    self.data = table.concat(self.parts)
  end
  self.parts = {}
end

return M
