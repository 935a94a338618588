-- What to do with an error: it is a table, and its fields decide.
local qqmail = require "qqmail"

local ADVICE = {
  config = "the settings are wrong",
  message = "the message is wrong",
  auth = "the login was refused: check the authorization code",
  recipient = "an address was refused",
  tls = "the server could not be trusted",
}

local function report(err)
  -- One line for people, in the language of QQMAIL_LANG (or LANG).
  io.stderr:write(tostring(err), "\n")
  -- `code` is stable, made for programs; the texts are not.
  print("code: " .. err.code)
  if ADVICE[err.kind] then
    print("advice: " .. ADVICE[err.kind])
  end
  for _, recipient in ipairs(err.recipients or {}) do
    print("refused: " .. recipient.address)
  end
  if err.delivered == "unknown" then
    -- The whole message was handed over but no verdict came back: sending it
    -- again may deliver it twice.
    print("decision: do not send again without looking")
  elseif err.retry == "never" then
    print("decision: give up")
  else
    print("decision: try again " .. (err.retry == "now" and "now" or "later"))
  end
end

local receipt, err = qqmail.send {
  to = os.getenv("EXAMPLE_TO"),
  subject = "测试",
  text = "一封测试邮件。\n",
}

if not receipt then
  report(err)
  os.exit(1)
end
for _, recipient in ipairs(receipt.rejected) do
  print("refused: " .. recipient.address .. ": " .. recipient.text)
end
print("sent " .. receipt.message_id)
