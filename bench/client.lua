--- What the Lua programs of the bench share: settings from the command line, a
-- mailer, mails.

local qqmail = require("qqmail")

local M = {}

-- About 1.6 KB with the header: a notice as programs send them.
local TEXT = ("The disk of the server is nearly full. 磁盘空间不足。\n"):rep(20)

local WORDS = { ["true"] = true, ["false"] = false }

local function value_of(word)
  if WORDS[word] ~= nil then
    return WORDS[word]
  end
  return tonumber(word) or word
end

--- The settings of a command line such as `port=2525 chunking=false`.
-- @tparam {string,...} words
-- @treturn table
function M.settings(words)
  local out = {}
  for _, word in ipairs(words) do
    local name, value = word:match("^([%w_]+)=(.*)$")
    if not name then
      error("not NAME=VALUE: " .. word)
    end
    out[name] = value_of(value)
  end
  return out
end

--- The settings that all clients take from the environment, see README.md.
-- @tparam {string,...} names `PORT` becomes `port`
-- @treturn table
function M.environment(names)
  local out = {}
  for _, name in ipairs(names) do
    local word = os.getenv(name)
    out[name:lower()] = word and value_of(word)
  end
  return out
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

--- A text in a file, with one `{n}` in it.
-- @tparam string path
-- @treturn function number -> the text with the number in that place
function M.template(path)
  local text = read(path)
  local first, last = text:find("{n}", 1, true)
  local before, behind = text:sub(1, first - 1), text:sub(last + 1)
  return function(number)
    return before .. number .. behind
  end
end

--- Runs a program; the last line of standard error says why it failed.
function M.run(main)
  local ok, err = pcall(main)
  if not ok then
    io.stderr:write(tostring(err), "\n")
    os.exit(1)
  end
end

--- A mailer for a server of the bench; it opens nothing yet.
-- @tparam table settings `port`, `tls`, `ca`, `window`, `chunking`, `connections`
-- @tparam ?table outbox the option of that name
function M.mailer(settings, outbox)
  return assert(qqmail.new {
    host = "127.0.0.1", port = settings.port, tls = settings.tls,
    user = "u", password = "p", allow_plaintext_auth = true, from = "bench@example.com",
    tls_options = settings.ca and { ca_file = settings.ca } or nil,
    pipelining = true, chunking = settings.chunking, window = settings.window,
    pool = { max = settings.connections or 1 }, timeout = { total = 600 },
    io = "blocking", retry = false, log = "off", outbox = outbox,
  })
end

--- The message number `index`; the domain is one that Postfix throws away.
function M.message(index)
  return { to = "user@discard.test", subject = "磁盘告警 " .. index, text = TEXT }
end

--- An iterator over so many messages: they are made when they are asked for.
function M.messages(count)
  local index = 0
  return function()
    if index < count then
      index = index + 1
      return M.message(index)
    end
  end
end

return M
