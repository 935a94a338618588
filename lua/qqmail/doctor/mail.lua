--- The last steps of a check: the envelope without a mail, and one real mail.
-- @module qqmail.doctor.mail

local addresses = require("qqmail.message.addresses")
local delivery = require("qqmail.delivery")
local dkim = require("qqmail.dkim")
local extensions = require("qqmail.extensions")
local failure = require("qqmail.failure")
local login = require("qqmail.doctor.login")
local message = require("qqmail.message")
local turn = require("qqmail.turn")

local M = {}

local SUBJECT = "qqmail doctor: 测试邮件 / test mail"

local TEXT = [[
这是 qqmail 诊断程序发出的测试邮件。收到它，说明发信正常；无需回复。

This is a test mail of the qqmail doctor. That you read it means that sending
works; there is no need to answer.
]]

local FROM_HINT = {
  en = "Set from to %s (a name may stand before it), or log in with the account of the sender.",
  zh = "请把 from 设为 %s（前面可以加显示名），或改用该发件人的账号登录。",
}

-- A sender that is not the login explains a refused one better than the reply does.
local function sharpen_sender(self, err)
  local address, user = self.facts.from_differs, self.settings.user
  if not address or err.phase ~= "mail" then
    return {}
  end
  return { details = { reply = err.message }, text = {
    en = ("the sender was refused: From is %s, but the login is %s (%s)"):format(address, user,
      err.message),
    zh = ("发件人被拒绝：发件人是 %s，而登录账号是 %s（%s）"):format(address, user, err.message),
  }, hint = { en = FROM_HINT.en:format(user), zh = FROM_HINT.zh:format(user) } }
end

-- --- envelope -------------------------------------------------------------------

local function reply_error(self, connection, phase, reply)
  return failure.event({ type = "refused", fault = "reply", phase = phase, code = reply.code,
    enhanced = reply.enhanced, text = reply.text }, { settings = self.settings,
    trace = connection:trace() })
end

local function is_refusal(reply)
  return reply.code ~= nil and reply.code >= 400
end

local function reply_line(reply)
  local parts = {}
  for _, key in ipairs { "code", "enhanced", "text" } do
    parts[#parts + 1] = reply[key] and reply[key] ~= "" and tostring(reply[key]) or nil
  end
  return table.concat(parts, " ")
end

-- QQ takes any recipient here and refuses unknown ones behind the whole mail.
local function lazy_note(self)
  local preset = self.settings.provider
  if not (preset and preset.quirks.lazy_recipients) then
    return nil
  end
  return { text = {
    en = preset.name.en .. " takes every recipient at this point and tells unknown ones only "
      .. "behind the mail: --send (`send = true`) finds out",
    zh = preset.name.zh .. "在这一步接受任何收件人，不存在的收件人要到正文之后才会拒绝：用 --send"
      .. "（send = true）才能确认",
  } }
end

local function judge_recipients(self, connection, to, replies, seconds)
  local notes, refused, first = {}, 0, nil
  for index, reply in ipairs(replies) do
    local bad = is_refusal(reply)
    notes[index] = { status = bad and "warning" or "ok",
      text = ("%s: %s"):format(to[index], reply_line(reply)) }
    if bad then
      refused, first = refused + 1, first or reply
    end
  end
  notes[#notes + 1] = lazy_note(self)
  if first and refused == #replies then
    return self:fail("envelope", reply_error(self, connection, "rcpt", first),
      { seconds = seconds, notes = notes })
  end
  self:add({ name = "envelope", seconds = seconds, notes = notes,
    details = { from = self.facts.from, recipients = replies }, text = {
      en = ("sender %s taken, %d of %d recipients too; no mail was sent")
        :format(self.facts.from, #replies - refused, #replies),
      zh = ("发件人 %s 被接受，%d 个收件人中 %d 个被接受；未发送邮件")
        :format(self.facts.from, #replies, #replies - refused),
    } })
end

-- Servers take or refuse the null sender for reasons of its own: it says nothing about
-- the mails of an account.
local function no_sender(self)
  self:add({ name = "envelope", status = "warning", code = "check.no_sender", text = {
    en = "without from there is no sender to ask about: set from",
    zh = "未设置 from，没有发件人可供询问：请设置 from" } })
end

--- Ask whether sender and recipients are taken, without a mail. Mails that insist on
-- delivery reports would be refused whoever they are for.
-- @tparam table self
-- @tparam table connection
-- @tparam ?table to list of addresses; nil: nobody is asked about
function M.envelope(self, connection, to)
  local driver, settings = self.driver, self.settings
  local reports, lacking = extensions.reports(settings, connection, settings.dsn, to or {})
  if lacking then
    return self:fail("envelope", lacking)
  elseif not to then
    return nil
  elseif not settings.from then
    return no_sender(self)
  end
  local sender, bad = addresses.one(settings.lang, "from", settings.from)
  if not sender then
    return self:fail("envelope", bad)
  end
  local began = driver:now()
  local result, why = connection:check_envelope({ from = sender.address, to = to,
    utf8 = sender.utf8 or self.what.utf8, reports = reports or nil }, self.deadline)
  local seconds = driver:now() - began
  if not result then
    self:fail("envelope", failure.session(why, settings), { seconds = seconds })
  elseif result.sender then
    local err = reply_error(self, connection, "mail", result.sender)
    local more = sharpen_sender(self, err)
    more.seconds = seconds
    self:fail("envelope", err, more)
  else
    judge_recipients(self, connection, to, result.recipients, seconds)
  end
end

-- --- one real mail ----------------------------------------------------------------

local function add_rejected(receipt, notes)
  for _, item in ipairs(receipt.rejected) do
    notes[#notes + 1] = { status = "warning",
      text = ("%s: %s %s"):format(item.address, tostring(item.code), item.text or "") }
  end
end

local function envelope_was_taken(self)
  self:add({ name = "envelope", text = {
    en = "sender and recipients were taken", zh = "发件人与收件人均被接受" } })
end

local function tell_receipt(self, receipt, seconds)
  local notes = { { text = "Message-ID: " .. receipt.message_id } }
  if receipt.queue_id then
    notes[2] = { text = "queue id: " .. receipt.queue_id }
  end
  envelope_was_taken(self)
  add_rejected(receipt, notes)
  local to, reply = table.concat(receipt.accepted, ", "), reply_line(receipt.reply)
  self:add({ name = "mail", seconds = seconds, notes = notes, details = {
    message_id = receipt.message_id, queue_id = receipt.queue_id, accepted = receipt.accepted,
    rejected = receipt.rejected, reply = receipt.reply,
  }, text = { en = ("sent to %s: %s"):format(to, reply), zh = ("已发送给 %s：%s")
    :format(to, reply) } })
end

--- Send one mail over the connection.
-- @tparam table self
-- @tparam table connection
-- @tparam table to list of addresses
function M.send(self, connection, to)
  local driver, settings = self.driver, self.settings
  local built, err = message.new({ to = to, subject = SUBJECT, text = TEXT }, settings)
  local began = driver:now()
  if built then
    built, err = dkim.signer(settings, driver)(built)
  end
  local ok, receipt = built ~= nil, nil
  if ok then
    ok, err = turn.wait(settings, driver, (self.deadline - began) / 2)
  end
  if ok then
    receipt, err = delivery.send(settings, built, built.envelope.to, connection, false,
      self.deadline)
  end
  local seconds = driver:now() - began
  if receipt then
    return tell_receipt(self, receipt, seconds)
  end
  local more = sharpen_sender(self, err)
  more.seconds = seconds
  local is_ours = err.kind == "message" or err.kind == "rate" and not err.smtp
  local name = is_ours and "mail" or login.step_of(err)
  if name == "mail" and not is_ours then
    envelope_was_taken(self)
  end
  self:fail(name, err, more)
end

return M
