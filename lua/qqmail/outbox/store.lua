--- The outbox on disk: mails that wait in files, which outlive the process.
--
--     <dir>/<account>/<owner>/lock    held by the process that works on it
--     <dir>/<account>/<owner>/*.eml   one mail each
--     <dir>/<account>/<owner>/*.many  mails that a process left when it ended
--     <dir>/<account>/failed/*.eml    mails that were given up
--
-- A folder belongs to the process that holds its lock. The system frees the lock
-- with the process, however that ends: whoever finds it free takes the folder
-- over. Files are there whole or not at all.
-- @module qqmail.outbox.store

local core = require("qqmail.core")
local disk = require("qqmail.disk")
local entries = require("qqmail.outbox.entry")

local unpack = rawget(_G, "unpack") or rawget(table, "unpack")

local M = {}

--- Mails that are kept after they were given up; more are only reported.
M.failed_max = 1000

-- Names to try for a folder: another process may take one over, and remove it,
-- between making and locking it.
local NAME_TRIES = 20

-- Mails in one file of those that a process leaves: a file for each would take
-- longer than the end of a process may.
local BUNDLE = 500

local Store = {}
Store.__index = Store

--- A store. Nothing is written before it is needed.
-- @tparam string base folder of this account
-- @tparam ?boolean sync whether a mail must also survive a power failure
-- @treturn table
function M.new(base, sync)
  return setmetatable({
    base = base, sync = sync or false, own = nil, adopted = {}, known = {}, serial = 0,
  }, Store)
end

-- --- folders ----------------------------------------------------------------

local function random_name()
  return core.hash(core.random(16))
end

local function claim(path)
  local lock, name, text = disk.lock(path .. "/lock")
  if not lock then
    return nil, name, text
  end
  return { path = path, lock = lock }
end

local function make_folder(self)
  local ok, name, text = disk.folder(self.base)
  if not ok then
    return nil, name, text
  end
  for _ = 1, NAME_TRIES do
    local path = self.base .. "/" .. random_name()
    local folder
    ok, name, text = disk.folder(path)
    if ok then
      folder, name, text = claim(path)
    end
    if folder then
      return folder
    end
  end
  return nil, name, text
end

-- The folder of this process, made when the first mail needs it.
local function own_folder(self)
  if not self.own then
    local name, text
    self.own, name, text = make_folder(self)
    if not self.own then
      return nil, name, text
    end
  end
  return self.own
end

local function list_files(folder, ending)
  local out = {}
  for _, name in ipairs(disk.list(folder.path) or {}) do
    if name:sub(-#ending) == ending then
      out[#out + 1] = folder.path .. "/" .. name
    end
  end
  return out
end

local function is_empty(folder)
  return #list_files(folder, ".eml") == 0 and #list_files(folder, ".many") == 0
end

-- A folder without mails is removed with its lock, which then is nobody's, and
-- with what a process left half written when it died.
local function remove_folder(folder)
  for _, name in ipairs(disk.list(folder.path) or {}) do
    if name:find("%.part$") then
      disk.remove(folder.path .. "/" .. name)
    end
  end
  disk.remove(folder.path .. "/lock")
  disk.remove_folder(folder.path)
  folder.lock:close()
end

--- See that mails can be written, before one must be.
-- @treturn ?boolean true
-- @treturn ?string name of the failure
-- @treturn ?string text
function Store:prepare()
  local folder, name, text = own_folder(self)
  return folder and true, name, text
end

-- --- writing ----------------------------------------------------------------

-- Names sort by age.
local function new_path(self, folder, ending)
  self.serial = self.serial + 1
  return ("%s/%010d-%06d-%s%s"):format(folder.path, os.time(), self.serial % 1000000,
    random_name():sub(1, 8), ending)
end

-- The entry is this file from now on, and `find` leaves it out.
local function hold(self, entry, path)
  entry.path = path
  self.known[path] = true
end

--- Write the mail of an entry that has its bytes. Nothing of C is needed that a
-- dying process may have lost already.
-- @tparam table entry gets `path`
-- @treturn ?boolean true
-- @treturn ?string name of the failure
-- @treturn ?string text
function Store:put(entry)
  local folder, name, text = own_folder(self)
  if not folder then
    return nil, name, text
  end
  local path = new_path(self, folder, ".eml")
  local ok
  ok, name, text = disk.write(path, self.sync, entries.head(entry), entry.data)
  if ok then
    hold(self, entry, path)
  end
  return ok, name, text
end

local function put_bundle(self, folder, list, first)
  local pieces = {}
  for index = first, math.min(first + BUNDLE - 1, #list) do
    local head, data = entries.head(list[index]), list[index].data
    pieces[#pieces + 1] = ("%d\n"):format(#head + #data)
    pieces[#pieces + 1] = head
    pieces[#pieces + 1] = data
  end
  return disk.write(new_path(self, folder, ".many"), self.sync, unpack(pieces))
end

--- Write many mails at once, for the end of the process; like `put`, but nobody
-- can remove one of them alone.
-- @tparam table list entries
-- @treturn number how many of them, from the first, are on disk
-- @treturn ?string name of the failure
-- @treturn ?string text
function Store:put_all(list)
  local folder, name, text = own_folder(self)
  if not folder then
    return 0, name, text
  end
  for first = 1, #list, BUNDLE do
    local ok
    ok, name, text = put_bundle(self, folder, list, first)
    if not ok then
      return first - 1, name, text
    end
  end
  return #list
end

local function write_pieces(writer, entry, built)
  local ok, name, text = writer:write(entries.head(entry))
  if not ok then
    return nil, name, text
  end
  for piece in built:chunks() do
    ok, name, text = writer:write(piece)
    if not ok then
      return nil, name, text
    end
  end
  return true
end

--- Write a message piece by piece, without holding it whole.
-- @tparam table entry gets `path`
-- @tparam table built
-- @treturn ?boolean true
-- @treturn ?string|table name of the failure, or the error of a source
-- @treturn ?string text
function Store:put_built(entry, built)
  local folder, name, text = own_folder(self)
  if not folder then
    return nil, name, text
  end
  local path = new_path(self, folder, ".eml")
  local writer
  writer, name, text = disk.create(path)
  if not writer then
    return nil, name, text
  end
  -- A source that fails on the way raises its error, see `chunks`.
  local ran, ok
  ran, ok, name, text = pcall(write_pieces, writer, entry, built)
  if not ran then
    writer:close()
    return nil, ok
  end
  if ok then
    ok, name, text = writer:commit(self.sync)
  end
  writer:close()
  if ok then
    hold(self, entry, path)
  end
  return ok, name, text
end

--- Write a mail anew, for the recipients that are left.
-- @tparam table entry with its new `to`
-- @tparam table built
-- @treturn ?boolean true
-- @treturn ?string|table name of the failure, or the error of a source
-- @treturn ?string text
function Store:replace(entry, built)
  local old = entry.path
  local ok, name, text = self:put_built(entry, built)
  if ok then
    disk.remove(old)
    self.known[old] = nil
  end
  return ok, name, text
end

--- A mail is left to a later `find`.
-- @tparam table entry
function Store:forget(entry)
  self.known[entry.path] = nil
end

--- A mail is done with.
-- @tparam table entry
function Store:remove(entry)
  if entry.path then
    disk.remove(entry.path)
    self.known[entry.path] = nil
    entry.path = nil
  end
end

--- A mail is given up: kept for somebody to look at, as long as there are not
-- too many.
-- @tparam table entry
-- @treturn ?string where it is
function Store:fail(entry)
  local folder = self.base .. "/failed"
  if not disk.folder(folder) or #(disk.list(folder) or {}) >= M.failed_max then
    return nil
  end
  if not entry.path and not self:put(entry) then
    return nil
  end
  local path = folder .. "/" .. entry.path:match("[^/]+$")
  if not disk.rename(entry.path, path) then
    return nil
  end
  self.known[entry.path] = nil
  entry.path = nil
  return path
end

-- --- finding ----------------------------------------------------------------

local function is_ours(self, path)
  return self.own and self.own.path == path or self.adopted[path] ~= nil
end

-- Takes over the folders of processes that are gone.
local function adopt(self)
  for _, name in ipairs(disk.list(self.base) or {}) do
    local path = self.base .. "/" .. name
    if name ~= "failed" and not is_ours(self, path) then
      self.adopted[path] = claim(path)
    end
  end
end

-- The mails of a bundle as files of their own. Their names follow from its name:
-- done twice, after a crash in between, it makes the same files.
local function take_apart(path)
  local file = io.open(path, "rb")
  local stem, count = path:gsub("%.many$", ""), 0
  local size = file and file:read("*n", 1)
  while size do
    count = count + 1
    local ok = disk.write(("%s-%03d.eml"):format(stem, count), false, file:read(size))
    if not ok then
      file:close()
      return
    end
    size = file:read("*n", 1)
  end
  if file then
    file:close()
    disk.remove(path)
  end
end

-- The next mails of a folder that are not in hand; true when it holds none at all.
local function collect(self, folder, out, limit)
  for _, path in ipairs(list_files(folder, ".many")) do
    take_apart(path)
  end
  local paths = list_files(folder, ".eml")
  for _, path in ipairs(paths) do
    if #out >= limit then
      break
    elseif not self.known[path] then
      self.known[path] = true
      out[#out + 1] = path
    end
  end
  return #paths == 0 and is_empty(folder)
end

--- Mails on disk that nobody works on, those of processes that are gone as well.
-- @tparam number limit most of them
-- @treturn table list of paths, oldest first within a folder; `forget` those
-- that are not taken
function Store:find(limit)
  local out = {}
  adopt(self)
  if self.own then
    collect(self, self.own, out, limit)
  end
  for path, folder in pairs(self.adopted) do
    if collect(self, folder, out, limit) then
      self.adopted[path] = nil
      remove_folder(folder)
    end
  end
  return out
end

--- Let go of what is on disk; the own folder goes when it is empty.
function Store:close()
  if self.own and is_empty(self.own) then
    remove_folder(self.own)
  elseif self.own then
    self.own.lock:close()
  end
  self.own = nil
  for _, folder in pairs(self.adopted) do
    folder.lock:close()
  end
  self.adopted, self.known = {}, {}
end

return M
