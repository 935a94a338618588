--- A built message.
-- `m.id`: its Message-ID with angle brackets (nil for a raw message without
-- one). `m.envelope`: `{ from =, to = { ... } }`. `m.deadline`, `m.cancel`,
-- `m.require_tls`: as given; `m.dsn`: see `qqmail.dsn`. `m.international`: nil, or what in
-- the header needs SMTPUTF8, `{ field =, name = }`.
-- `m.guessed`: with `charset = "auto"`, what each text with more than ASCII was
-- taken for, `{ subject = "gb18030", ... }`. `m.is_spent`: a function was asked for an
-- attachment, which cannot be had again. `m.was_read`: what functions gave is in the
-- message, which can be sent again, but not made anew.
-- `tostring(m)`: the whole message, as for a server without 8BITMIME.
-- @module qqmail.message.built

local content = require "qqmail.message.content"
local core = require "qqmail.core"
local fault = require "qqmail.message.fault"

local M = {}

local Message = {}
Message.__index = Message

--- Give a table what `qqmail.message` has filled in the methods below.
-- @tparam table self
-- @treturn table
function M.wrap(self)
  return setmetatable(self, Message)
end

--- Is this a built message?
-- @param value anything
-- @treturn boolean
function M.is(value)
  return type(value) == "table" and getmetatable(value) == Message
end

--- A reader of the core for one sending. Each call gives one of its own, so
-- that a message may be under way twice; where an attachment comes from a
-- function there is only one.
-- @treturn userdata `qqmail.message`
function Message:handle()
  if not self.lent then
    self.lent = true
    return self.core
  end
  return self.core:copy() or self.core
end

--- A sending reads a handle from now on, as long as its `is_reading` is true.
-- @tparam table job `handle`, `is_reading`
function Message:lend(job)
  if job.handle == self.core then
    self.reader = job
  end
end

--- Whether a handle is being read by another sending: two at once would each get
-- parts of the message.
-- @tparam userdata handle
-- @treturn boolean
function Message:is_busy(handle)
  return handle == self.core and self.reader ~= nil and self.reader.is_reading
end

-- For looking at the message beside its sending.
local function own_handle(self)
  local handle = self.core:copy() or self.core
  local ok, name, text = handle:rewind(false)
  if not ok then
    return nil, self:failure(handle, name, text)
  end
  return handle
end

--- Begin again: for a message that is read through `handle`.
-- @tparam ?boolean eightbit
-- @treturn ?boolean
-- @treturn ?string name of the core's error
-- @treturn ?string text
function Message:rewind(eightbit)
  return self.core:rewind(eightbit)
end

--- Exact size in bytes, before dots are doubled.
-- @tparam ?boolean eightbit for a server with 8BITMIME
-- @treturn ?number nil when an attachment comes from a function without a size
function Message:size(eightbit)
  return (self.core:size(eightbit))
end

-- Of a function there is nothing that could have changed.
local NOT_AS_LONG = {
  source_changed = { code = "message.source_changed",
    en = "comes from a function that gave more or fewer bytes than size says",
    zh = "来自函数，而函数给出的字节数与 size 不符",
    hint = { en = "Give the number of bytes that come, or leave size out.",
      zh = "请给出实际的字节数，或不写 size。" } },
}

local function reading_error(self, name, text, where)
  local entry = where and fault.entry(where, self.parts)
  local is_read = entry and entry.source and entry.source.read
  return fault.core(self.lang, where and fault.place(where, self.parts), name,
    text, nil, is_read and NOT_AS_LONG or content.unreadable)
end

local NOT_REPEATABLE = {
  unsupported = { code = "message.not_repeatable",
    en = "an attachment from a function can be read only once", zh = "来自函数的附件只能读取一次" },
}

--- What is wrong with a handle that could not be rewound or read.
-- @tparam ?userdata handle nil with "unsupported", which is about all handles
-- @tparam string name of the core's error
-- @tparam ?string text
-- @treturn table error
function Message:failure(handle, name, text)
  if NOT_REPEATABLE[name] then
    return fault.core(self.lang, nil, name, text, nil, NOT_REPEATABLE)
  end
  -- An error of a source stays; asked again, the handle tells the place as well.
  local _, again, why, where = handle:read(1)
  if where then
    return reading_error(self, again, why, where)
  end
  return fault.core(self.lang, nil, name, text)
end

--- Let the reader function of an attachment give its next piece.
-- @tparam ?userdata handle default: the one that cannot be copied
-- @treturn ?boolean
-- @treturn ?table error
function Message:refill(handle)
  handle = handle or self.core
  local read, where = handle:reader()
  if not read then
    return nil, fault.new(self.lang, "message.source_failed", nil,
      { en = "no attachment waits for data", zh = "没有等待数据的附件" })
  end
  self.is_spent = true
  local piece, err = content.next_piece(self.lang, fault.place(where, self.parts), read)
  if err then
    return nil, err
  end
  local ok, name, text = handle:push(piece)
  if not ok then
    return nil, reading_error(self, name, text, where)
  end
  return true
end

-- Beside a large string the collector of 5.3 and 5.4 lets as much garbage
-- gather as there is live data. Slices are large and short-lived, so they count
-- for more than their size.
local function pace_collector(piece)
  if #piece >= 16384 then
    collectgarbage("step", math.floor(#piece / 256))
  end
end

local function read_piece(self, handle, len)
  while true do
    local bytes, name, text, where = handle:read(len)
    if bytes then
      pace_collector(bytes)
      return bytes
    elseif not name then
      return nil
    elseif name ~= "again" then
      return nil, reading_error(self, name, text, where)
    end
    local ok, err = self:refill(handle)
    if not ok then
      return nil, err
    end
  end
end

--- The next piece of what is read through a handle.
-- @tparam userdata handle rewound before
-- @treturn ?string nil at the end
-- @treturn ?table error
function Message:piece(handle)
  return read_piece(self, handle)
end

--- The same message read from another handle, as where it was signed.
-- @tparam userdata handle
-- @tparam ?table source of the bytes, where they are those of a raw message now
-- @treturn table built message
function Message:with_core(handle, source)
  local other = {}
  for name, value in pairs(self) do
    other[name] = value
  end
  other.core, other.lent, other.reader = handle, nil, nil
  if source then
    other.raw, other.parts = source, nil
    -- What functions gave is held; they themselves cannot give it again.
    other.is_spent, other.was_read = nil, self.is_spent or self.was_read
  end
  return M.wrap(other)
end

--- The message in pieces: `for bytes in m:chunks() do ... end`.
-- A source that fails on the way raises its error.
-- @tparam ?number bytes most bytes of a piece, default 65536
-- @treturn function iterator
function Message:chunks(bytes)
  local handle, failure = own_handle(self)
  if not handle then
    error(failure, 2)
  end
  return function()
    local piece, err = read_piece(self, handle, bytes)
    if err then
      error(err, 2)
    end
    return piece
  end
end

--- The whole message, where `tostring` would raise what is wrong with a source.
-- @tparam ?number most bytes, if there are not to be more
-- @treturn ?string nil without an error: there are more
-- @treturn ?table error
function Message:bytes(most)
  local handle, err = own_handle(self)
  if not handle then
    return nil, err
  end
  local pieces, size = {}, 0
  while size <= (most or size) do
    local piece
    piece, err = read_piece(self, handle)
    if err then
      return nil, err
    elseif not piece then
      return table.concat(pieces)
    end
    pieces[#pieces + 1], size = piece, size + #piece
  end
end

function Message:__tostring()
  local bytes, err = self:bytes()
  if not bytes then
    error(err, 2)
  end
  return bytes
end

--- What is likely to go wrong with it, see `qqmail.lint`. Files are opened for it.
-- @param provider key of a preset, a preset, or `{ provider =, user =, size =, bulk = }`
-- @treturn ?table list of findings
-- @treturn ?table error: there is no such provider
function Message:lint(provider)
  -- Here, because most messages are never looked through.
  return require("qqmail.lint").check(self, provider, { may_read = true })
end

-- To a file of Lua's, without strings of it.
local function dump(self, handle, file)
  while true do
    local ok, name, text, where = handle:dump(file)
    if ok then
      return true
    elseif name == "not_written" then
      return nil, text
    elseif name ~= "again" then
      return nil, reading_error(self, name, text, where)
    end
    local filled, err = self:refill(handle)
    if not filled then
      return nil, err
    end
  end
end

local function write_pieces(self, handle, file)
  while true do
    local piece, err = read_piece(self, handle)
    if not piece then
      return not err, err
    end
    local ok, why = file:write(piece)
    if not ok then
      return nil, why
    end
  end
end

local function unwritable(self, why)
  return fault.new(self.lang, "message.not_saved", nil, {
    en = "the message cannot be saved: " .. tostring(why), zh = "无法保存邮件：" .. tostring(why),
  })
end

--- Write the message to an open file, or to anything else with a method `write`. In little
-- memory, however large it is.
-- @param file what `io.open` gave, or `file:write(bytes)` -> true, or nil and a text
-- @treturn ?boolean true
-- @treturn ?table error: of code `message.not_saved`, or what is wrong with a source; a part
-- of the message may have been written
function Message:write(file)
  local handle, err = own_handle(self)
  local ok
  if handle then
    ok, err = (io.type(file) == "file" and dump or write_pieces)(self, handle, file)
  end
  if not ok then
    return nil, type(err) == "table" and err or unwritable(self, err)
  end
  return true
end

--- Write the message to a file, which is there whole or not at all.
-- @tparam string path
-- @treturn ?boolean
-- @treturn ?table error
function Message:save(path)
  local part = ("%s.%s.part"):format(path, core.hash(core.random(16) or path))
  local file, why = io.open(part, "wb")
  if not file then
    return nil, unwritable(self, why)
  end
  local ok, err = self:write(file)
  local closed, close_why = file:close()
  if ok and not closed then
    ok, err = nil, close_why
  elseif ok then
    ok, err = os.rename(part, path)
  end
  if not ok then
    os.remove(part)
    return nil, type(err) == "table" and err or unwritable(self, err)
  end
  return true
end

return M
