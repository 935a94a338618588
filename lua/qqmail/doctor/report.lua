--- What a check found: a list of steps, in their order, as a table and as text.
-- @module qqmail.doctor.report

local callback = require("qqmail.callback")
local errors = require("qqmail.errors")
local layout = require("qqmail.doctor.layout")

local M = {}

local Report = {}
Report.__index = Report

--- The names of the steps as people read them.
M.NAMES = {
  settings = { en = "settings", zh = "设置" }, code = { en = "code", zh = "授权码" },
  from = { en = "from", zh = "发件人" }, dns = { en = "dns", zh = "域名解析" },
  connect = { en = "connect", zh = "连接" }, tls = { en = "tls", zh = "TLS" },
  greeting = { en = "greeting", zh = "应答" }, ehlo = { en = "ehlo", zh = "扩展" },
  auth = { en = "login", zh = "登录" }, envelope = { en = "envelope", zh = "信封" },
  mail = { en = "mail", zh = "投递" },
}

local MARKS = { ok = "✓", warning = "!", failed = "✗", skipped = "-" }

-- Columns of the names, and of everything before the text of a step.
local NAME_WIDTH, TEXT_AT = 9, 21

-- Lines of the dialogue shown under a failure.
local LAST_LINES = 6

local WORDS = {
  cause = { en = "Cause", zh = "原因" }, remedy = { en = "Remedy", zh = "办法" },
  help = { en = "See", zh = "详见" }, dialogue = { en = "Last lines", zh = "最后对话" },
  not_reached = { en = "Not reached: ", zh = "未到达：" },
  comma = { en = ", ", zh = "、" }, colon = { en = ": ", zh = "：" },
  good = { en = "All is well.", zh = "一切正常。" },
  warned = { en = "It works; see the lines marked with !.", zh = "可以使用；请留意标有 ! 的行。" },
  bad = { en = "Failed at: ", zh = "失败于：" },
  seconds = { en = "s", zh = "秒" },
}

local function say(self, text)
  return errors.resolve(text, self.lang)
end

local WORSE = { skipped = 0, ok = 1, warning = 2, failed = 3 }

-- Control characters of a server's text must not reach a terminal.
local function one_line(text)
  return text and (text:gsub("%c+", " "):gsub("\194[\128-\159]", " "))
end

-- A secret that was pasted into the wrong option is masked like everywhere.
local function safe(self, text)
  text = one_line(say(self, text))
  return text and self.cover and self.cover:text(text) or text
end

local function plain_note(self, note)
  return { status = note.status or "ok", code = note.code, text = safe(self, note.text),
    hint = safe(self, note.hint) }
end

--- Add a step. Texts are strings or `{ en =, zh = }`.
-- @tparam table spec `name`, `status`, `text`, and maybe `seconds`, `hint`, `help_url`,
-- `code`, `details`, `notes` (list of `{ status =, text =, hint =, code = }`), `error`
-- @treturn table the step
function Report:add(spec)
  local step = { name = spec.name, status = spec.status or "ok", seconds = spec.seconds,
    text = safe(self, spec.text), hint = safe(self, spec.hint), help_url = spec.help_url,
    code = spec.code, notes = {} }
  step.details = self.cover and self.cover:shown(spec.details or {}) or spec.details or {}
  for index, note in ipairs(spec.notes or {}) do
    step.notes[index] = plain_note(self, note)
    if WORSE[step.notes[index].status] > WORSE[step.status] then
      step.status, step.code = step.notes[index].status, step.code or step.notes[index].code
    end
  end
  if step.status == "failed" then
    self.ok, self.error, self.failed = false, spec.error, step
  end
  self[#self + 1] = step
  if self.on_step and self.raised == nil then
    local ok, why = callback.call(self.on_step, step, self)
    self.raised = not ok and (why or "on_step failed") or nil
  end
  return step
end

--- The step of a name.
-- @tparam string name
-- @treturn ?table
function Report:step(name)
  for _, step in ipairs(self) do
    if step.name == name then
      return step
    end
  end
end

-- --- as text --------------------------------------------------------------------

local function plain_colour(_, text)
  return text
end

local function put(lines, indent, text, width, head)
  for index, line in ipairs(layout.wrap(text, math.max(20, width - indent))) do
    lines[#lines + 1] = (index == 1 and head or (" "):rep(indent)) .. line
  end
end

local function seconds_text(self, step)
  if not step.seconds then
    return (" "):rep(TEXT_AT - NAME_WIDTH - 4)
  end
  local text = ("%.2f "):format(step.seconds) .. say(self, WORDS.seconds)
  return (" "):rep(TEXT_AT - NAME_WIDTH - 5 - layout.width(text)) .. text .. " "
end

local function add_remedy(self, lines, hint, indent, style)
  put(lines, indent, say(self, WORDS.remedy) .. say(self, WORDS.colon) .. hint, style.width,
    (" "):rep(indent))
end

local function add_notes(self, lines, step, style)
  for _, note in ipairs(step.notes) do
    local mark = note.status == "ok" and "" or style.colour(note.status, MARKS[note.status]) .. " "
    local indent = TEXT_AT + (mark == "" and 0 or 2)
    put(lines, indent, note.text, style.width, (" "):rep(TEXT_AT) .. mark)
    if note.hint then
      add_remedy(self, lines, note.hint, indent, style)
    end
  end
end

local function add_labelled(self, lines, label, text, width)
  local head = "  " .. layout.pad(say(self, label) .. say(self, WORDS.colon), 8) .. " "
  put(lines, layout.width(head), text, width, head)
end

local function add_dialogue(self, lines, transcript)
  local shown, was_spoken = {}, false
  for _, line in ipairs(transcript or {}) do
    local is_remark = line.dir == "*"
    was_spoken = was_spoken or not is_remark
    if not (is_remark and line.line:find("^%S+ %-> %S+$")) then
      shown[#shown + 1] = ("    %s: %s"):format(line.dir, one_line(line.line))
    end
  end
  if not was_spoken then
    return
  end
  lines[#lines + 1] = "  " .. (say(self, WORDS.dialogue) .. say(self, WORDS.colon)):gsub(" $", "")
  for index = math.max(1, #shown - LAST_LINES + 1), #shown do
    lines[#lines + 1] = shown[index]
  end
end

-- In its line a failed step says what happened; what that means stands at the end.
local function what_happened(self, step)
  return step.status == "failed" and self.error and one_line(self.error.message) or step.text
end

--- One step as text.
-- @tparam table step
-- @tparam ?table style `width` (columns), `colour` (function of a status and a text)
-- @treturn string lines, each ended
function Report:render_step(step, style)
  style = { width = style and style.width or 80, colour = style and style.colour or plain_colour }
  local lines = {}
  local head = style.colour(step.status, MARKS[step.status]) .. " "
    .. layout.pad(say(self, M.NAMES[step.name]), NAME_WIDTH) .. " " .. seconds_text(self, step)
    .. " "
  put(lines, TEXT_AT, what_happened(self, step), style.width, head)
  if step.status == "warning" and step.hint then
    add_remedy(self, lines, step.hint, TEXT_AT, style)
  end
  add_notes(self, lines, step, style)
  return table.concat(lines, "\n") .. "\n"
end

local function names_of(self, names)
  local out = {}
  for index, name in ipairs(names) do
    out[index] = say(self, M.NAMES[name])
  end
  return table.concat(out, say(self, WORDS.comma))
end

local function verdict(self)
  for _, step in ipairs(self) do
    if step.status == "warning" then
      return say(self, WORDS.warned)
    end
  end
  return say(self, WORDS.good)
end

--- What stands below the steps: cause and remedy of a failure, or that all is well.
-- @tparam ?table style as of `render_step`
-- @treturn string
function Report:render_end(style)
  local width, colour = style and style.width or 80, style and style.colour or plain_colour
  local step, lines = self.failed, { "" }
  if not step then
    lines[2] = colour("ok", verdict(self))
    return table.concat(lines, "\n") .. "\n"
  end
  lines[2] = colour("failed", say(self, WORDS.bad) .. say(self, M.NAMES[step.name]))
    .. " (" .. tostring(step.code) .. ")"
  if step.text ~= what_happened(self, step) then
    add_labelled(self, lines, WORDS.cause, step.text, width)
  end
  if step.hint then
    add_labelled(self, lines, WORDS.remedy, step.hint, width)
  end
  if step.help_url then
    add_labelled(self, lines, WORDS.help, step.help_url, width)
  end
  add_dialogue(self, lines, self.error and self.error.transcript)
  if #self.not_reached > 0 then
    put(lines, 4, say(self, WORDS.not_reached) .. names_of(self, self.not_reached), width, "  ")
  end
  return table.concat(lines, "\n") .. "\n"
end

--- The whole as text, without colours.
function Report:__tostring()
  local parts = {}
  for index, step in ipairs(self) do
    parts[index] = self:render_step(step)
  end
  parts[#parts + 1] = self:render_end()
  return (table.concat(parts):gsub("\n$", ""))
end

-- --- as plain data ----------------------------------------------------------------

local ERROR_FIELDS = { "kind", "code", "phase", "delivered", "retry", "retry_after", "message",
  "hint", "help_url", "field", "not_tried" }

--- An error as plain data.
-- @tparam ?table err
-- @treturn ?table
function M.plain_error(err)
  if not err then
    return nil
  end
  local out = { smtp = err.smtp and { code = err.smtp.code, enhanced = err.smtp.enhanced,
    text = err.smtp.text } }
  for _, name in ipairs(ERROR_FIELDS) do
    out[name] = err[name]
  end
  out.transcript = err.transcript
  return out
end

--- The whole as a table of strings, numbers, booleans and tables, for JSON.
-- @treturn table
function Report:plain()
  local steps = {}
  for index, step in ipairs(self) do
    local details = next(step.details) ~= nil and step.details or nil
    steps[index] = { name = step.name, status = step.status, seconds = step.seconds,
      text = step.text, hint = step.hint, help_url = step.help_url, code = step.code,
      details = details, notes = #step.notes > 0 and step.notes or nil }
  end
  return { ok = self.ok, lang = self.lang, version = self.version, host = self.host,
    port = self.port, tls = self.tls, user = self.user, seconds = self.seconds, steps = steps,
    not_reached = #self.not_reached > 0 and self.not_reached or nil,
    error = M.plain_error(self.error) }
end

--- A report without steps.
-- @tparam string lang
-- @tparam ?function on_step called with each step as it ends, and the report
-- @tparam ?table cover of the settings, see `qqmail.cover`
-- @treturn table `ok`, `error`, `lang`, `not_reached`, and the steps as a list
function M.new(lang, on_step, cover)
  return setmetatable({ ok = true, lang = lang, not_reached = {}, on_step = on_step,
    cover = cover }, Report)
end

return M
