--- What the Lua programs of the bench share: settings from the command line, a
-- mailer, mails.

local qqmail = require("qqmail")

local M = {}

-- About 1.6 KB with the header: a notice as programs send them.
local TEXT = ("The disk of the server is nearly full. 磁盘空间不足。\n"):rep(20)

local WORDS = { ["true"] = true, ["false"] = false }

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
    out[name] = WORDS[value]
    if out[name] == nil then
      out[name] = tonumber(value) or value
    end
  end
  return out
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
