--- Signing messages (DKIM, RFC 6376).
--
-- A message is read twice: first for its hash, then by whoever sends it, with the
-- signatures in front. It is never held as a whole, but where an attachment comes from a
-- function, which can be read once only.
-- @module qqmail.dkim

local core = require("qqmail.core")
local errors = require("qqmail.errors")
local fault = require("qqmail.message.fault")
local fields = require("qqmail.dkim.fields")

local M = {}

--- Bytes of a message that is held in memory because a function gives a part of it.
M.held = 33554432

--- Seconds since 1970.
M.clock = os.time

-- Some milliseconds of work: then others have their turn.
local PIECES_AT_A_TIME = 4

-- --- the first reading --------------------------------------------------------------

local LISTS = { "attachments", "inline" }

-- The field whose bytes come from a function.
local function pulled_field(built)
  for _, name in ipairs(LISTS) do
    for _, part in ipairs(built.parts and built.parts[name] or {}) do
      if part.source and part.source.read then
        return part.field
      end
    end
  end
end

local function too_large(built)
  return fault.new(built.lang, "message.dkim_too_large", pulled_field(built), {
    en = ("comes from a function, and a message to be signed is then held in memory, which is "
      .. "limited to %d bytes"):format(M.held),
    zh = ("来自函数，待签名的邮件须留在内存中，上限为 %d 字节"):format(M.held),
  })
end

local function of_core(built, name, text)
  return fault.core(built.lang, nil, name, text)
end

-- Reads all of the message through `handle`. `keep`: list for its pieces, or nil.
local function read_all(built, handle, reading, keep, pause)
  local count, size = 0, 0
  while true do
    local piece, err = built:piece(handle)
    if not piece then
      return not err or nil, err
    end
    local ok, name, text = reading:update(piece)
    if not ok then
      return nil, of_core(built, name, text)
    end
    count, size = count + 1, size + #piece
    if keep and size > M.held then
      return nil, too_large(built)
    elseif keep then
      keep[count] = piece
    end
    if pause and count % PIECES_AT_A_TIME == 0 then
      pause()
    end
  end
end

-- What was read goes on as a raw message: it is finished, and can be read again.
local function as_raw(built, pieces)
  local source = { data = table.concat(pieces) }
  local handle, name, text = core.message({ raw = source, utf8 = built.core:needs_utf8() })
  if not handle then
    return nil, of_core(built, name, text)
  end
  return handle, nil, source
end

-- A handle that can be read once more, and the reading that went over it.
local function first_reading(built, reading, pause)
  local copy = built.core:copy()
  local handle = copy or built.core
  local job = { handle = handle, is_reading = true }
  if built:is_busy(handle) then
    return nil, built:failure(handle, "unsupported")
  end
  local ok, name, text = handle:rewind(false)
  if not ok then
    return nil, built:failure(handle, name, text)
  end
  built:lend(job)
  local pieces = not copy and {} or nil
  local err
  ok, err = read_all(built, handle, reading, pieces, pause)
  job.is_reading = false
  if not ok then
    return nil, err
  elseif pieces then
    return as_raw(built, pieces)
  end
  return handle
end

-- --- signatures ----------------------------------------------------------------------

local function no_from(built)
  return fault.new(built.lang, "message.dkim_no_from", "from", {
    en = "is missing in the header: a message without it cannot be signed",
    zh = "在邮件头中缺失：没有 From 的邮件无法签名",
  })
end

local function failed(built, name, text)
  if name == "limit" then
    return fault.new(built.lang, "message.too_large", nil, {
      en = "the header has too many fields for a signature", zh = "邮件头字段过多，无法签名" })
  end
  return errors.new({ kind = "config", code = "config.dkim_unavailable", phase = "config",
    delivered = "no", retry = "never", field = "dkim", lang = built.lang,
    text = { en = "the message cannot be signed: " .. tostring(text or name),
      zh = "无法签名邮件：" .. tostring(text or name) } })
end

local function signature(entry, key, built, reading, now)
  local names = fields.names(entry, function(name)
    return reading:count(name)
  end)
  local hash, name, text = reading:body_hash(entry.relaxed_body)
  if not hash then
    return nil, failed(built, name, text)
  end
  local field = fields.unsigned(entry, names, hash, now)
  local value
  value, name, text = reading:sign(key, table.concat(names, ":"), entry.relaxed_header, field)
  if not value then
    return nil, failed(built, name, text)
  end
  return field .. fields.folded(value) .. "\r\n"
end

local function signatures(list, keys, built, reading)
  if reading:count("From") == 0 then
    return nil, no_from(built)
  end
  local now, out = M.clock(), {}
  for i, entry in ipairs(list) do
    local err
    out[i], err = signature(entry, keys[i], built, reading, now)
    if not out[i] then
      return nil, err
    end
  end
  return table.concat(out)
end

local function read_keys(list)
  local keys = {}
  for i, entry in ipairs(list) do
    local err
    keys[i], err = entry.read_key()
    if not keys[i] then
      return nil, err
    end
  end
  return keys
end

local function wants(list, is_relaxed)
  for _, entry in ipairs(list) do
    if entry.relaxed_body == is_relaxed then
      return true
    end
  end
  return false
end

local function sign(list, built, pause)
  local keys, err = read_keys(list)
  if not keys then
    return nil, err
  end
  local reading, name, text = require("qqmail.crypto").dkim(wants(list, false), wants(list, true))
  if not reading then
    return nil, failed(built, name, text)
  end
  local handle, source, made
  handle, err, source = first_reading(built, reading, pause)
  local ok = handle ~= nil
  if ok then
    ok, name, text = reading:finish()
    err = not ok and of_core(built, name, text) or nil
  end
  if ok then
    made, err = signatures(list, keys, built, reading)
  end
  reading:close()
  if not made then
    return nil, err
  end
  ok, name, text = handle:seal(made)
  if not ok then
    return nil, of_core(built, name, text)
  end
  return built:with_core(handle, source)
end

-- A turn for others between pieces of a large message, where a driver can give one.
local function pause_of(driver)
  return driver.sleep and function()
    driver:sleep(0)
  end
end

--- What signs the mails of an account. A message itself stays as it is: it may go out
-- through other accounts too.
-- @tparam table settings `dkim`
-- @tparam table driver whose `sleep` lets others have their turn
-- @treturn ?function (built) -> another built message, with signatures, or nil and an
-- error; nil: there is nothing to sign with
function M.signer(settings, driver)
  if not settings.dkim then
    return nil
  end
  local pause = pause_of(driver)
  return function(built)
    local signed, err = sign(settings.dkim, built, pause)
    if not signed then
      err.message_id = built.id
    end
    return signed, err
  end
end

return M
