--- Sends many mails over several connections, keeps account of each and says
-- how long that took.
--
--     client.lua port=2525 connections=10 window=1 chunking=false mails=10000
--
-- A mail is accounted for when there was one result for it, a receipt with a
-- Message-ID that no other mail has.

local client = require("client")
local net = require("qqmail.net")

local function first_failure(account, err)
  account.failure = account.failure or tostring(err)
end

-- One result; `index` tells whose.
local function note(account, receipt, err, index)
  if account.results[index] then
    account.twice = account.twice + 1
    return
  end
  account.results[index] = true
  if not receipt then
    return first_failure(account, err)
  end
  if account.ids[receipt.message_id] then
    account.twice = account.twice + 1
    return
  end
  account.ids[receipt.message_id] = true
  account.once = account.once + 1
end

local function send(mailer, mails)
  local account = { results = {}, ids = {}, once = 0, twice = 0 }
  local summary, err = mailer:send_all(client.messages(mails), {
    on_result = function(receipt, failure, _, index)
      note(account, receipt, failure, index)
    end,
    progress = false,
  })
  return account, assert(summary, err)
end

local function main()
  local settings = client.settings(arg)
  local mailer = client.mailer(settings)
  assert(mailer.send_all, "the library has no send_all")
  local began = net.now()
  local account, summary = send(mailer, settings.mails)
  local seconds = net.now() - began
  mailer:close()
  if account.failure then
    io.stderr:write("first failure: ", account.failure, "\n")
  end
  print(("seconds=%.6f total=%d sent=%d failed=%d unknown=%d once=%d twice=%d"):format(seconds,
    summary.total, summary.sent, summary.failed, summary.unknown, account.once, account.twice))
end

client.run(main)
