--- The outbox on disk: mails that wait in files, which outlive the process.
--
--     <dir>/<account>/<level>-<owner>/lock    held by the process that works on it
--     <dir>/<account>/<level>-<owner>/*.eml   one mail each
--     <dir>/<account>/<level>-<owner>/*.many  mails that a process left when it ended
--     <dir>/<account>/failed/*.eml            mails that were given up
--
-- A folder belongs to the process that holds its lock. The system frees the lock
-- with the process, however that ends: whoever finds it free takes the folder
-- over, if he sends as safely as its mails were to be sent (the level). Files are
-- there whole or not at all.
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
-- longer than the end of a process may; too many would hold up who takes it apart.
local BUNDLE = 200

local Store = {}
Store.__index = Store

--- A store. Nothing is written before it is needed.
-- @tparam string base folder of this account
-- @tparam number level how safely its mails are to be sent, 0 to 9
-- @tparam ?boolean sync whether a mail must also survive a power failure
-- @treturn table
function M.new(base, level, sync)
  return setmetatable({
    base = base, level = level, sync = sync or false, own = nil, adopted = {}, known = {},
    serial = 0,
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
    local path = ("%s/%d-%s"):format(self.base, self.level, random_name())
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

-- Somebody may clean up behind us: then the folder is made anew, once.
local function in_own_folder(self, write)
  local folder, name, text = own_folder(self)
  if not folder then
    return nil, name, text
  end
  local ok
  ok, name, text = write(folder)
  if ok or name ~= "ENOENT" then
    return ok, name, text
  end
  self.own.lock:close()
  self.own = nil
  folder, name, text = own_folder(self)
  if not folder then
    return nil, name, text
  end
  return write(folder)
end

local function is_mail(name)
  return name:find("%.eml$") ~= nil
end

local function is_bundle(name)
  return name:find("%.many$") ~= nil
end

local function holds_mails(folder)
  for _, name in ipairs(disk.list(folder.path) or {}) do
    if is_mail(name) or is_bundle(name) then
      return true
    end
  end
  return false
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

-- Names sort by age, and tell it.
local function new_path(self, folder, born, ending)
  self.serial = self.serial + 1
  return ("%s/%010d-%06d-%s%s"):format(folder.path, born, self.serial % 1000000,
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
  return in_own_folder(self, function(folder)
    local path = new_path(self, folder, entry.born, ".eml")
    local ok, name, text = disk.write(path, self.sync, entries.head(entry), entry.data)
    if ok then
      hold(self, entry, path)
    end
    return ok, name, text
  end)
end

local function put_bundle(self, folder, list, first)
  local pieces = {}
  for index = first, math.min(first + BUNDLE - 1, #list) do
    local head, data = entries.head(list[index]), list[index].data
    pieces[#pieces + 1] = ("%d\n"):format(#head + #data)
    pieces[#pieces + 1] = head
    pieces[#pieces + 1] = data
  end
  local path = new_path(self, folder, list[first].born, ".many")
  return disk.write(path, self.sync, unpack(pieces))
end

-- From a place in the list on; how many of the list are on disk then.
local function put_bundles(self, folder, list, from)
  for first = from, #list, BUNDLE do
    local ok, name, text = put_bundle(self, folder, list, first)
    if not ok then
      return first - 1, name, text
    end
  end
  return #list
end

--- Write many mails at once, for the end of the process; like `put`, but nobody
-- can remove one of them alone.
-- @tparam table list entries
-- @treturn number how many of them, from the first, are on disk
-- @treturn ?string name of the failure
-- @treturn ?string text
function Store:put_all(list)
  if #list == 0 then
    return 0
  end
  local done = 0
  local _, name, text = in_own_folder(self, function(folder)
    local why, explained
    done, why, explained = put_bundles(self, folder, list, done + 1)
    return done == #list, why, explained
  end)
  return done, name, text
end

local function write_pieces(writer, entry, built)
  local ok, name, text = writer:write(entries.head(entry))
  if not ok then
    return nil, name, text
  end
  for piece in entries.pieces(entry, built) do
    ok, name, text = writer:write(piece)
    if not ok then
      return nil, name, text
    end
  end
  return true
end

-- A source that fails on the way raises its error, see `entries.pieces`.
local function write_and_commit(self, writer, entry, built)
  local ran, ok, name, text = pcall(write_pieces, writer, entry, built)
  if not ran then
    writer:close()
    return nil, ok
  end
  if ok then
    ok, name, text = writer:commit(self.sync)
  end
  writer:close()
  return ok, name, text
end

--- Write a message piece by piece, without holding it whole.
-- @tparam table entry gets `path`
-- @tparam table built
-- @treturn ?boolean true
-- @treturn ?string|table name of the failure, or the error of a source
-- @treturn ?string text
function Store:put_built(entry, built)
  return in_own_folder(self, function(folder)
    local path = new_path(self, folder, entry.born, ".eml")
    local writer, name, text = disk.create(path)
    if not writer then
      return nil, name, text
    end
    local ok
    ok, name, text = write_and_commit(self, writer, entry, built)
    if ok then
      hold(self, entry, path)
    end
    return ok, name, text
  end)
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

-- --- mails that are there -----------------------------------------------------

--- Whether the file of a mail is there.
-- @tparam table entry
-- @treturn boolean
function Store.has(_, entry)
  return entry.path ~= nil and disk.size(entry.path) ~= nil
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
    local path, level = self.base .. "/" .. name, tonumber(name:match("^(%d)%-"))
    if level and level <= self.level and not is_ours(self, path) then
      self.adopted[path] = claim(path)
    end
  end
end

-- One mail of a bundle as a file of its own. Its name follows from that of the
-- bundle: done again, after a crash in between, it is the same file.
local function take_one(file, path)
  local size = file:read("*n", 1)
  if not size then
    return false
  end
  return disk.write(path, false, file:read(size)) and true or nil
end

local function undo(paths)
  for _, path in ipairs(paths) do
    disk.remove(path)
  end
end

-- All of a bundle or none: half of it would be sent again with the next try.
local function take_apart(path)
  local file = io.open(path, "rb")
  if not file then
    return
  end
  local stem, made = path:gsub("%.many$", ""), {}
  local ok
  repeat
    local piece = ("%s-%03d.eml"):format(stem, #made + 1)
    ok = take_one(file, piece)
    made[#made + 1] = ok and piece or nil
  until not ok
  file:close()
  if ok == nil then
    undo(made)
  else
    disk.remove(path)
  end
end

-- The names of a folder, kept from one `find` to the next: a large one is not to
-- be listed for every few mails.
local function list(folder)
  folder.names, folder.at = disk.list(folder.path) or {}, 1
  folder.has_bundle = false
  for _, name in ipairs(folder.names) do
    folder.has_bundle = folder.has_bundle or is_bundle(name)
  end
end

-- One bundle at a time, before all else: its mails are files only then.
local function open_bundle(folder)
  for _, name in ipairs(folder.names) do
    if is_bundle(name) then
      take_apart(folder.path .. "/" .. name)
      break
    end
  end
  list(folder)
end

-- The next mails of a folder that are not in hand. True when there may be more.
local function collect(self, folder, out, limit)
  if not folder.names then
    list(folder)
  end
  if folder.has_bundle then
    open_bundle(folder)
  end
  while folder.at <= #folder.names and #out < limit do
    local name = folder.names[folder.at]
    local path = folder.path .. "/" .. name
    folder.at = folder.at + 1
    if is_mail(name) and not self.known[path] then
      self.known[path] = true
      out[#out + 1] = path
    end
  end
  if folder.at <= #folder.names then
    return true
  end
  folder.names = nil
  return folder.has_bundle
end

local function collect_adopted(self, out, limit)
  local has_more = false
  for path, folder in pairs(self.adopted) do
    local before = #out
    if collect(self, folder, out, limit) then
      has_more = true
    elseif #out == before and not holds_mails(folder) then
      self.adopted[path] = nil
      remove_folder(folder)
    end
  end
  return has_more
end

--- Mails on disk that nobody works on, those of processes that are gone as well.
-- @tparam number limit most of them
-- @treturn table list of paths, oldest first within a folder; `forget` those
-- that are not taken
-- @treturn boolean whether there may be more
function Store:find(limit)
  local out, has_more = {}, false
  adopt(self)
  if self.own then
    has_more = collect(self, self.own, out, limit)
  end
  return out, collect_adopted(self, out, limit) or has_more
end

-- --- the end ------------------------------------------------------------------

-- Moves the mails of a folder that are not in use; true when none is left in it.
local function move_out(self, from, to, in_use)
  local is_free = true
  for _, name in ipairs(disk.list(from.path) or {}) do
    local path = from.path .. "/" .. name
    if in_use[path] then
      is_free = false
    elseif is_mail(name) or is_bundle(name) then
      is_free = disk.rename(path, to.path .. "/" .. name) and is_free
      self.known[path] = nil
    end
  end
  return is_free
end

local function move_all_out(self, to, in_use)
  if self.own then
    move_out(self, self.own, to, in_use)
    self.own.names = nil
  end
  for path, folder in pairs(self.adopted) do
    if move_out(self, folder, to, in_use) then
      self.adopted[path] = nil
      remove_folder(folder)
    end
  end
end

local function has_any(self)
  local found = self.own ~= nil and holds_mails(self.own)
  for _, folder in pairs(self.adopted) do
    found = found or holds_mails(folder)
  end
  return found
end

--- Leave mails to other processes, which may take them at once: those of a list,
-- and all files but the ones in use.
-- @tparam table waiting entries that have their bytes
-- @tparam table flying entries in use, as keys
-- @treturn number how many of the list, from the first, are on disk
-- @treturn ?string name of the failure
-- @treturn ?string text
function Store:leave(waiting, flying)
  if #waiting == 0 and not has_any(self) then
    return 0
  end
  local in_use = {}
  for entry in pairs(flying) do
    in_use[entry.path or ""] = true
  end
  local folder, name, text = make_folder(self)
  if not folder then
    return 0, name, text
  end
  local done
  done, name, text = put_bundles(self, folder, waiting, 1)
  move_all_out(self, folder, in_use)
  if holds_mails(folder) then
    folder.lock:close()
  else
    remove_folder(folder)
  end
  return done, name, text
end

--- Let go of what is on disk; the own folder goes when it is empty.
function Store:close()
  if self.own and not holds_mails(self.own) then
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
