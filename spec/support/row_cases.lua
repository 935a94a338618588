--- Produces what spec/diagnosis_rows.lua lists: a case goes in, plain results of
-- real sends come out, one in each language (see spec/support/send_work.lua).
local certs = require("spec.support.certs")
local runners = require("spec.support.send_runners")
local send = require("spec.support.send")
local wire = require("qqmail.testing.wire")
local work = require("spec.support.send_work")
local world = require("spec.support.world")

local M = {}

local unpack = unpack or table.unpack

local LANGS = { "en", "zh" }

-- --- servers on loopback ---------------------------------------------------

-- By mode: `{ server =, changed = { [option] = true } }`.
local servers = {}

-- A login that was refused is not tried again for a while: each mailer has another.
local users = 0

local function new_users()
  local out = {}
  for _, lang in ipairs(LANGS) do
    users = users + 1
    out[lang] = ("user%d@qq.com"):format(users)
  end
  return out
end

local function with_users(options, by_lang)
  local known = {}
  for _, user in pairs(by_lang) do
    known[user] = send.CODE
  end
  return send.merge({ users = known }, options)
end

-- What a server is told: these options, and no more of those before.
local function changes(entry, options)
  local out = {}
  for name in pairs(entry.changed) do
    out[name] = false
  end
  entry.changed = {}
  for name, value in pairs(options) do
    out[name], entry.changed[name] = value, true
  end
  out.mode = nil
  if options.mode ~= "plain" then
    local name = options.cert or "good"
    out.cert, out.key = certs.path(name .. ".pem"), certs.path(name .. ".key")
  end
  return out
end

-- The server of a mode. Those of a scenario have defaults that cannot be put back.
local function server_with(options)
  if options.scenario then
    return send.server(options)
  end
  local entry = servers[options.mode]
  if not entry then
    entry = { server = send.server({ mode = options.mode }), changed = {} }
    servers[options.mode] = entry
  end
  entry.server:set(changes(entry, options))
  return entry.server
end

--- Ends the servers.
function M.stop()
  servers = {}
  send.stop()
end

local function messages_of(case)
  local out = {}
  for i = 1, case.mails or 1 do
    out[i] = send.message()
  end
  return out
end

-- Calls `body(lang)` for each language: one after the other, or, where there is much
-- to wait for, side by side with `io` for its mailer.
local function in_languages(side_by_side, body)
  local bodies = {}
  for i, lang in ipairs(LANGS) do
    bodies[i] = function(io)
      body(lang, io)
    end
  end
  if side_by_side then
    send.in_loop(unpack(bodies))
    return
  end
  for _, each in ipairs(bodies) do
    each()
  end
end

--- A runner (see spec/support/send_runners.lua) over `{ wait =, sleep = }`.
M.waiting = {
  send = function(options, messages)
    local results
    send.in_loop(function(io)
      options.io = io
      results = work.run({ options = options, messages = messages })
    end)
    return results
  end,
}

--- Sends to a scripted server on loopback.
-- @tparam table case of spec/diagnosis_rows.lua
-- @tparam ?table runner of spec/support/send_runners.lua
-- @treturn table by language, a list of results
-- @return the server
function M.send(case, runner)
  local by_lang = new_users()
  local server = server_with(with_users(case.server, by_lang))
  local results = {}
  in_languages(case.waits, function(lang, io)
    local options = send.options(server, send.merge({ lang = lang, user = by_lang[lang] },
      case.client))
    if io then
      options.io = io
      results[lang] = work.run({ options = options, messages = messages_of(case) })
    else
      results[lang] = (runner or runners.blocking).send(options, messages_of(case))
    end
  end)
  return results, server
end

-- --- replies ---------------------------------------------------------------

local SAID_AT = { final = "dot" }

-- A row of replies.jsonl as a case. A server that refuses EHLO is asked again in the
-- old way.
function M.of_reply(row, bytes)
  local line = ("%d %s%s"):format(row.code, row.enhanced and row.enhanced .. " " or "",
    bytes or row.text)
  local replies = { [SAID_AT[row.phase] or row.phase] = line }
  if row.phase == "ehlo" then
    replies.helo = line
  end
  return { server = { mode = row.phase == "starttls" and "starttls" or "plain",
    replies = replies } }
end

--- Two rows of each phase, none of which needs a name of its own.
-- @tparam table list of replies.jsonl
function M.representatives(list)
  local out, seen = {}, {}
  for _, row in ipairs(list) do
    local count = seen[row.phase] or 0
    if count < 2 and not row.host then
      seen[row.phase] = count + 1
      out[#out + 1] = row
    end
  end
  return out
end

-- --- worlds ----------------------------------------------------------------

-- A refused login is remembered, in its language: each has a user of its own.
local WORLD_USERS = { en = "en@qq.com", zh = "zh@qq.com" }

local BASE = { port = 465, tls = "implicit", password = send.CODE, retry = false,
  timeout = { connect = 10, reply = 10, final = 10, total = 30 } }

--- The scripted server of a row of replies.jsonl inside a world.
-- @tparam table row
-- @tparam string address
-- @tparam number port
function M.world_server(row, address, port)
  local server = M.of_reply(row).server
  server.address, server.port, server.mode = address, port, "plain"
  return with_users(server, WORLD_USERS)
end

local function options_of(case, lang)
  return send.merge(send.merge({ lang = lang, user = WORLD_USERS[lang] }, BASE), case.client)
end

local function answer_for(case, lang, io)
  local options = options_of(case, lang)
  options.io = io
  return work.run({ options = options, messages = messages_of(case) })
end

--- Inside a world: sends for each case, and prints the results. English comes from
-- the blocking driver, Chinese from coroutines that wait side by side.
-- @tparam string bytes a list of cases
function M.answer(bytes)
  local out, bodies = {}, {}
  for i, case in ipairs((wire.decode(bytes))) do
    out[i] = { en = answer_for(case, "en", "blocking") }
    bodies[i] = function(io)
      out[i].zh = answer_for(case, "zh", io)
    end
  end
  send.in_loop(unpack(bodies))
  io.write(wire.encode(out))
end

--- Sends in a world.
-- @tparam table description for world.run
-- @tparam table cases
-- @treturn table for each case: by language, a list of results
function M.send_in_world(description, cases)
  local described = send.merge({}, description)
  described.program = ('require("spec.support.row_cases").answer(%q)'):format(wire.encode(cases))
  local result = world.run(described)
  if result.status ~= 0 then
    error(result.stderr .. result.stdout, 2)
  end
  return (wire.decode(result.stdout))
end

--- Settings that are refused: no server is there.
function M.refuse(case)
  local results = {}
  for _, lang in ipairs(LANGS) do
    results[lang] = answer_for(case, lang, "blocking")
  end
  return results
end

return M
