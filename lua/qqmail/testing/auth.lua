--- The server's side of AUTH: reads what the client says, asks the scenario for
-- the verdict.
-- @module qqmail.testing.auth

local base64 = require("qqmail.testing.base64")

local M = {}

-- Asks for a verdict. Should it be another challenge ("334 ..."), the client's
-- answer leads here again.
local function judge(dialogue, login)
  local reply, how = dialogue.scenario.login(dialogue, login)
  local code = dialogue:respond("auth", reply, how, login.user)
  if code == 235 then
    dialogue.auth = { mechanism = login.mechanism, user = login.user, password = login.password }
  elseif code == 334 then
    dialogue.expect = function(line)
      login.answer = line
      judge(dialogue, login)
    end
  end
end

local function refuse(dialogue, what)
  local reply, how = dialogue.scenario.auth_syntax(dialogue, what)
  dialogue:respond("auth", reply, how)
end

-- Sends a challenge; `continue` gets the decoded answer.
local function challenge(dialogue, text, continue)
  local code = dialogue:respond("challenge", "334 " .. text)
  if code ~= 334 then
    return
  end
  dialogue.expect = function(line)
    if line == "*" then
      refuse(dialogue, "cancelled")
      return
    end
    local answer = base64.decode(line)
    if not answer then
      refuse(dialogue, "base64")
      return
    end
    continue(answer)
  end
end

-- Calls `continue` with the first message of the client, from the AUTH line
-- itself ("=" is an empty one) or after an empty challenge.
local function first_message(dialogue, initial, continue)
  if initial == "" then
    challenge(dialogue, "", continue)
    return
  end
  local bytes = initial == "=" and "" or base64.decode(initial)
  if not bytes then
    refuse(dialogue, "base64")
    return
  end
  continue(bytes)
end

local MECHANISMS = {}

-- Splitting by plain search: "%z" and "\0" in patterns differ between Luas.
local function split_plain(message)
  local one = message:find("\0", 1, true)
  local two = one and message:find("\0", one + 1, true)
  if not two then
    return nil
  end
  return message:sub(1, one - 1), message:sub(one + 1, two - 1), message:sub(two + 1)
end

function MECHANISMS.PLAIN(dialogue, initial)
  first_message(dialogue, initial, function(message)
    local authzid, user, password = split_plain(message)
    if not user then
      refuse(dialogue, "format")
      return
    end
    judge(dialogue, { mechanism = "PLAIN", authzid = authzid, user = user, password = password })
  end)
end

function MECHANISMS.LOGIN(dialogue, initial)
  local texts = dialogue.scenario.login_challenges
  local function with_user(user)
    challenge(dialogue, texts.password, function(password)
      judge(dialogue, { mechanism = "LOGIN", user = user, password = password })
    end)
  end
  if initial ~= "" then
    first_message(dialogue, initial, with_user)
    return
  end
  challenge(dialogue, texts.user, with_user)
end

function MECHANISMS.XOAUTH2(dialogue, initial)
  first_message(dialogue, initial, function(message)
    local user, token = message:match("^user=([^\1]*)\1auth=Bearer ([^\1]*)\1\1$")
    if not user then
      refuse(dialogue, "format")
      return
    end
    judge(dialogue, { mechanism = "XOAUTH2", user = user, password = token, token = token })
  end)
end

function MECHANISMS.OAUTHBEARER(dialogue, initial)
  first_message(dialogue, initial, function(message)
    local user = message:match("^n,a=([^,]*),\1")
    local token = message:match("\1auth=Bearer ([^\1]*)\1")
    if not user or not token then
      refuse(dialogue, "format")
      return
    end
    judge(dialogue, { mechanism = "OAUTHBEARER", user = user, password = token, token = token })
  end)
end

--- Handles an AUTH command.
-- @param dialogue of qqmail.testing.smtpd
-- @tparam string argument what stands behind the verb
function M.start(dialogue, argument)
  local mechanism, initial = argument:match("^(%S+)%s*(.*)$")
  mechanism = (mechanism or ""):upper()
  local run = MECHANISMS[mechanism]
  local refusal, how = dialogue.scenario.auth(dialogue, mechanism, initial or "", run ~= nil)
  if refusal or how then
    dialogue:respond("auth", refusal, how)
    return
  end
  run(dialogue, initial)
end

return M
