--- Whatever a program could print, log or walk through, as texts by name: for specs
-- that look for what must not be in any of them.
local cli = require("qqmail.cli.main")
local json = require("qqmail.json")
local qqmail = require("qqmail")
local send = require("spec.support.send")
local settings = require("spec.support.settings")

local M = {}

--- Options that note what hooks and log are told, and the table they note it in.
-- @tparam table options gets `on` and `log`, unless the log is what is looked at
-- @treturn table the same
-- @treturn table notes: `hooks`, `lines`, `json`, `text`
function M.listen(options)
  local notes = { hooks = {}, lines = {}, json = {}, text = {} }
  local as_json = qqmail.log.json(function(line) table.insert(notes.json, line) end, "debug")
  local as_text = qqmail.log.text(function(line) table.insert(notes.text, line) end, "debug")
  local function hear(what)
    table.insert(notes.hooks, settings.everything(what))
  end
  if options.on == nil then
    options.on = { sent = hear, failed = hear, retry = hear, reply = hear, state = hear }
  end
  if options.log == nil then
    options.log = function(level, text, record)
      table.insert(notes.lines, settings.everything({ level, text, record }))
      as_json(level, text, record)
      as_text(level, text, record)
    end
  end
  return options, notes
end

--- The texts an error gives.
-- @tparam table err
-- @treturn table
function M.of_error(err)
  return { error = tostring(err), fields = settings.everything(err),
    transcript = qqmail.errors.transcript(err), json = json.encode(err) or "" }
end

-- What a mailer tells of itself.
local function of_mailer(mailer)
  return { mailer = tostring(mailer), stats = settings.everything(mailer:stats()),
    warnings = settings.everything(mailer.settings.warnings) }
end

--- The texts a report of the doctor gives.
-- @tparam table report
-- @treturn table
function M.of_report(report)
  return { report = tostring(report), json = json.encode(report:plain()),
    fields = settings.everything(report) }
end

local function check(mailer, message, more)
  local seen = {}
  local report, err = mailer:check(send.merge({ to = message.to, on_step = function(step, report)
    table.insert(seen, settings.everything(step) .. report:render_step(step))
  end }, more))
  local texts = report and M.of_report(report) or M.of_error(err)
  texts.steps = table.concat(seen, "\n")
  return texts
end

--- What the command `qqmail` writes, in an empty environment.
-- @tparam table words
-- @tparam ?table more of them
-- @treturn string
function M.of_command(words, more)
  local written, line = {}, {}
  local function write(text)
    table.insert(written, text)
    return true
  end
  for _, list in ipairs({ words, more or {} }) do
    for _, word in ipairs(list) do
      table.insert(line, word)
    end
  end
  cli.run(line, { write = write, complain = write, getenv = function() end,
    is_terminal = function() return false end })
  return table.concat(written)
end

--- Everything that comes of options and of one message: of making the mailer, sending,
-- handing over and closing. A command that tells more of a mailer is added here.
-- @tparam table|string options
-- @tparam ?table with `message`; `driver`, in place of the mailer's; `notes` of `listen`
-- @treturn table texts by name
function M.of(options, with)
  with = with or {}
  local out = {}
  local function add(texts, name)
    for key, text in pairs(texts) do
      out[name .. " " .. key] = text
    end
  end
  local description, err = qqmail.config(options)
  if description then
    add({ shown = tostring(description), fields = settings.everything(description) }, "config")
  else
    add(M.of_error(err), "config")
  end
  local message = with.message or send.message()
  local mailer
  local built = qqmail.message(send.merge({ from = send.USER }, message))
  if built then
    add({ findings = settings.everything(built:lint("qq")) }, "lint")
  end
  mailer, err = qqmail.new(options)
  if mailer then
    if with.driver then
      mailer.settings.io, mailer.settings.io_driver = with.driver, with.driver
    end
    local receipt, failure = mailer:send(message)
    add(receipt and { receipt = settings.everything(receipt) } or M.of_error(failure), "send")
    local summary = mailer:send_all({ message })
    add({ summary = settings.everything(summary) }, "send_all")
    receipt, failure = mailer:notify(message)
    add(receipt and {} or M.of_error(failure), "notify")
    -- Of a message the doctor takes no more than the recipients.
    if not with.message then
      add(check(mailer, message), "check")
      add(check(mailer, message, { lang = "zh", send = true }), "check zh")
    end
    add(of_mailer(mailer), "mailer")
    mailer:close()
    add(of_mailer(mailer), "closed")
  else
    add(M.of_error(err), "new")
  end
  for name, list in pairs(with.notes or {}) do
    out["told " .. name] = table.concat(list, "\n")
  end
  return out
end

return M
