--- Where the mails of a mailer wait, and who sends them.
--
-- Inside nginx all mailers of a worker with the same account and the same options
-- of the outbox share one, which outlives the request; a worker's timers send what
-- is in it. Elsewhere each mailer has its own, and `flush` and `close` send.
-- @module qqmail.outbox.boxes

local account = require("qqmail.account")
local at_exit = require("qqmail.outbox.at_exit")
local layers = require("qqmail.config.layers")
local net = require("qqmail.net")
local options = require("qqmail.options")
local outbox = require("qqmail.outbox")

local M = {}

-- Of this worker: lists of boxes by account and options.
local shared = {}

-- --- on disk ----------------------------------------------------------------------

-- In /var/tmp, which outlives a reboot: everybody may write there, so that the
-- folder counts only when it is ours alone.
local function default_dir(disk)
  local path = ("/var/tmp/qqmail-%d"):format(disk.uid())
  local ok, name, text = disk.folder(path)
  if not ok then
    return nil, ("%s: %s"):format(path, text or name)
  end
  return path
end

-- nil, and why, when there is no getting at the folder; nil alone when none is
-- wanted.
local function open_store(settings, in_nginx)
  local dir = settings.outbox.dir
  if dir == false or (dir == nil and not in_nginx) then
    return nil
  end
  local disk = require("qqmail.disk")
  local why
  if not dir then
    dir, why = default_dir(disk)
  end
  if not dir then
    return nil, why
  end
  local home = layers.home()
  if home and dir:sub(1, 1) ~= "/" then
    dir = home .. "/" .. dir
  end
  local store = require("qqmail.outbox.store").new(dir .. "/" .. account.name(settings),
    account.level(settings), settings.outbox.durable == "sync")
  local ok, name, text = store:prepare()
  if not ok then
    return nil, ("%s: %s"):format(dir, text or name)
  end
  return store
end

local function new_outbox(mailer, in_nginx)
  local settings = mailer.settings
  local given = settings.outbox
  return outbox.new({
    max = given.max, bytes = given.bytes, overflow = given.overflow,
    durable = given.durable and true or false, keep = given.keep, lang = settings.lang,
  }, function()
    return open_store(settings, in_nginx)
  end, mailer.agent, net.now)
end

-- --- inside nginx ---------------------------------------------------------------

local function forget(key, box)
  for index, other in ipairs(shared[key] or {}) do
    if other == box then
      table.remove(shared[key], index)
    end
  end
  if shared[key] and #shared[key] == 0 then
    shared[key] = nil
  end
  if box.outbox.store then
    box.outbox.store:close()
  end
end

local function make_key(settings)
  local parts = { account.key(settings), tostring(settings.pool.max) }
  for _, name in ipairs(options.groups.outbox) do
    parts[#parts + 1] = tostring(settings.outbox[name])
  end
  return table.concat(parts, ";")
end

-- Settings do not change, and a log phase should be short.
local function key_of(mailer)
  mailer.box_key = mailer.box_key or make_key(mailer.settings)
  return mailer.box_key
end

local function find_shared(key, lease)
  for _, box in ipairs(shared[key] or {}) do
    if account.may_share(box.lease, lease) then
      return box
    end
  end
end

local function shared_box(mailer)
  local settings = mailer.settings
  local key, lease = key_of(mailer), account.lease(settings)
  local box = find_shared(key, lease)
  if box then
    return box
  end
  box = { lease = lease, outbox = new_outbox(mailer, true) }
  box.worker = require("qqmail.outbox.worker").new(box.outbox, {
    drainers = settings.pool.max, drain = settings.outbox.drain,
    on_idle = function()
      forget(key, box)
    end,
  })
  shared[key] = shared[key] or {}
  table.insert(shared[key], box)
  return box
end

-- --- elsewhere ------------------------------------------------------------------

-- After a fork the mails are the parent's: the child would send them twice.
local function drop_after_fork(mailer)
  local box = mailer.box
  if box and box.pid ~= net.pid() then
    box.outbox:forget()
    mailer.box = nil
  end
end

local function own_box(mailer)
  drop_after_fork(mailer)
  if not mailer.box then
    local waiting, pid = new_outbox(mailer, false), net.pid()
    mailer.box = { outbox = waiting, pid = pid, sentinel = at_exit(function()
      if net.pid() == pid then
        waiting:close()
      end
    end) }
  end
  return mailer.box
end

--- The box of a mailer, made when there is none.
-- @tparam table mailer
-- @tparam string place see `qqmail.drivers.place`
-- @treturn table `outbox`; `worker` (`qqmail.outbox.worker`) inside nginx
function M.of(mailer, place)
  return place == "outside" and own_box(mailer) or shared_box(mailer)
end

--- The box of a mailer, if it has one.
-- @tparam table mailer
-- @treturn ?table
function M.find(mailer)
  drop_after_fork(mailer)
  return mailer.box or find_shared(key_of(mailer), account.lease(mailer.settings))
end

return M
