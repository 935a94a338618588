--- The truth table: sessions of three messages that are cut at every byte, and what
-- the caller is told held against what the server has and what really left.
local logins = require("qqmail.logins")
local qqmail = require("qqmail")
local send = require("spec.support.send")
local wiretap = require("spec.support.wiretap")

local M = {}

local MESSAGES = 3

-- Sessions between two looks at what the server has.
local BATCH = 100

--- Every way to cut a session; `side` is whose bytes are counted, `layer` which: those
-- of the dialogue, or those of TLS records.
M.COMBINATIONS = {}

local function add_combinations(mode, layer)
  for _, body in ipairs({ "DATA", "BDAT" }) do
    for _, how in ipairs({ "fin", "rst" }) do
      for _, side in ipairs({ "in", "out" }) do
        M.COMBINATIONS[#M.COMBINATIONS + 1] = { mode = mode, layer = layer, body = body, how = how,
          side = side, window = body == "BDAT" and 3 or 1 }
      end
    end
  end
end

add_combinations("plain", "smtp")
add_combinations("implicit", "smtp")
add_combinations("implicit", "wire")

--- What is done about a failure: `times` is how many connections of a session are cut
-- (nil: all), `copies` how many of one message the server may take, `final` what may
-- become of a message whose login was not the one that was cut.
M.POLICIES = {
  { name = "retry = false", retry = false, copies = 1,
    final = { sent = true, unknown = true, no = true } },
  { name = "retry = true", retry = true, times = 1, copies = 1,
    final = { sent = true, unknown = true } },
  { name = 'when_unknown = "retry"', retry = { when_unknown = "retry" }, times = 1, copies = 2,
    final = { sent = true } },
}

-- --- one session ----------------------------------------------------------------

local function subject_of(session, index)
  return ("s%05d-%d"):format(session, index)
end

local function next_number(bench)
  bench.sessions = bench.sessions + 1
  return bench.sessions
end

local RAW = "Message-ID: <%s@t>\r\nSubject: %s\r\n\r\n.x\r\n"

-- Headers take long to cut and tell nothing new: one message has those that are made
-- for it, the others little more than a name.
local function new_message(session, index)
  local subject = subject_of(session, index)
  if index == 2 then
    return { to = "a@test.local", subject = subject, text = ".x\n" }
  end
  return { raw = RAW:format(subject, subject),
    envelope = { from = send.USER, to = { "a@test.local" } } }
end

local function header(message, name)
  return ("\n" .. message):match("\n" .. name .. ": (%S+)\r")
end

local function half()
  return 0.5
end

local function new_mailer(sweep)
  local mailer = assert(qqmail.new(send.options(sweep.server, {
    window = sweep.combination.window, retry = sweep.policy.retry, pool = { max = 1 },
    from = send.USER, lang = "en",
  })))
  local driver = wiretap.driver()
  mailer.settings.io = { wait = driver.wait, sleep = driver.pause }
  mailer.settings.io_driver = driver
  mailer.random = half
  return mailer, driver
end

local function verdict_of(receipt, err)
  if receipt then
    return { verdict = "sent", id = receipt.message_id, queue_id = receipt.queue_id }
  end
  return { verdict = err.delivered, kind = err.kind, code = err.code, phase = err.phase }
end

-- By number of the message: the list of its results.
local function run(sweep, number)
  local results, messages = {}, {}
  for index = 1, MESSAGES do
    results[index] = {}
    messages[index] = new_message(number, index)
  end
  logins.forget_all()
  local mailer, driver = new_mailer(sweep)
  mailer:send_all(messages, { progress = false, on_result = function(receipt, err, _, index)
    table.insert(results[index], verdict_of(receipt, err))
  end })
  mailer:close()
  return results, driver.streams
end

-- --- what left, what arrived ------------------------------------------------------

-- Where a message that begins at a place of a dialogue ends, and where its end mark.
local function end_of(text, line, at)
  local size = line:match("^BDAT (%d+) LAST$")
  if size then
    return at + size - 1
  elseif line == "DATA" then
    return select(2, text:find("\r\n.\r\n", at, true)) or math.huge
  end
end

-- The messages that are whole in what was said.
local function add_whole(found, text)
  local at = 1
  while at <= #text do
    local _, stop = text:find("\r\n", at, true)
    if not stop then
      return
    end
    local last = end_of(text, text:sub(at, stop - 2), stop + 1)
    if last and last > #text then
      return
    elseif last then
      found[header(text:sub(stop + 1, last), "Subject")] = true
    end
    at = (last or stop) + 1
  end
end

local function whole_messages(streams)
  local found = {}
  for _, stream in ipairs(streams) do
    add_whole(found, stream:text())
  end
  return found
end

-- By subject: the copies the server took.
local function take_copies(server)
  local copies = {}
  for _, message in ipairs(server:messages()) do
    local subject = header(message.data, "Subject")
    copies[subject] = copies[subject] or {}
    table.insert(copies[subject], { id = header(message.data, "Message%-ID"),
      reply = message.reply })
  end
  server:clear()
  return copies
end

-- --- the judgement ----------------------------------------------------------------

local function is_confirmed(result, copies)
  for _, copy in ipairs(copies) do
    if copy.reply and copy.reply:find("^250 ") and copy.id == result.id
      and copy.reply:find(result.queue_id, 1, true) then
      return true
    end
  end
  return false
end

local function have_one_id(copies)
  for _, copy in ipairs(copies) do
    if not copy.id or copy.id ~= copies[1].id then
      return false
    end
  end
  return true
end

-- By verdict: what is wrong with it, or nil.
local WRONG = {}

function WRONG.sent(result, copies)
  return not is_confirmed(result, copies) and "sent, and the server never said so"
end

function WRONG.unknown(_, _, had_left)
  return not had_left and "unknown, and it had not left"
end

function WRONG.no(_, copies, had_left)
  return #copies > 0 and "no, and the server has it" or had_left and "no, and it had left"
end

-- A login that was cut is not tried again, whatever the policy says.
local function is_of_login(result)
  return result.kind == "auth" and result.phase == "auth" and result.verdict == "no"
end

local function complaint(policy, results, copies, had_left)
  local result = results[1]
  if #results ~= 1 then
    return #results .. " results"
  elseif result.kind == "timeout" then
    return "the session hung"
  elseif #copies > policy.copies then
    return #copies .. " copies"
  elseif not have_one_id(copies) then
    return "copies with different ids"
  elseif not policy.final[result.verdict] and not is_of_login(result) then
    return "lost: " .. result.verdict .. " " .. result.code
  end
  return WRONG[result.verdict](result, copies, had_left) or nil
end

local function tally(counts, result, copies)
  counts[result.verdict] = counts[result.verdict] + 1
  counts.twice = counts.twice + (#copies > 1 and 1 or 0)
end

local function judge(sweep, session, copies)
  for index = 1, MESSAGES do
    local subject = subject_of(session.number, index)
    local results, here = session.results[index], copies[subject] or {}
    local why = complaint(sweep.policy, results, here, session.left[subject])
    if why then
      table.insert(sweep.exceptions, ("cut at %d, message %d: %s"):format(session.at, index, why))
    end
    tally(sweep.counts, results[1] or { verdict = "no" }, here)
  end
end

-- --- the sweep --------------------------------------------------------------------

local function try(sweep, at)
  sweep.server:set({ ["cut_" .. sweep.combination.side .. "_after"] = at,
    cut_times = sweep.policy.times or false })
  sweep.counts.sessions = sweep.counts.sessions + 1
  local number = next_number(sweep.bench)
  local results, streams = run(sweep, number)
  return { at = at, number = number, results = results, left = whole_messages(streams) }
end

local function judge_all(sweep, sessions)
  local copies = take_copies(sweep.server)
  for _, session in ipairs(sessions) do
    judge(sweep, session, copies)
  end
end

--- Cuts sessions at every `step`-th byte, from `first` on.
-- @tparam table bench of `new`
-- @tparam table policy
-- @tparam number first
-- @tparam number step
-- @treturn table `exceptions` (texts), `counts` (`sessions`; of messages `sent`, `no`,
-- `unknown`, and `twice` at the server)
function M.sweep(bench, policy, first, step)
  local sweep = { bench = bench, server = bench.server, combination = bench.combination,
    policy = policy, exceptions = {},
    counts = { sessions = 0, sent = 0, no = 0, unknown = 0, twice = 0 } }
  local sessions = {}
  for at = first, bench.length, step do
    sessions[#sessions + 1] = try(sweep, at)
    if #sessions == BATCH then
      judge_all(sweep, sessions)
      sessions = {}
    end
  end
  judge_all(sweep, sessions)
  return sweep
end

-- How many bytes one side says, QUIT and all.
local function length_of(combination, stream, record)
  if combination.layer == "wire" then
    return combination.side == "in" and stream.left or stream.heard
  elseif combination.side == "in" then
    return #stream:text()
  end
  return #(table.concat(send.said(record.lines, "S"), "\r\n") .. "\r\n")
end

-- The length of a session that nobody cuts.
local function measure(bench)
  local number = next_number(bench)
  local _, streams = run({ server = bench.server, combination = bench.combination,
    policy = { retry = false } }, number)
  local records, left = bench.server:connections(), whole_messages(streams)
  assert(#streams == 1 and #records == number, "more than one connection")
  for index = 1, MESSAGES do
    assert(left[subject_of(number, index)], "a message was not seen to leave")
  end
  assert(#bench.server:messages() == MESSAGES, "not all messages arrived")
  bench.server:clear()
  return length_of(bench.combination, streams[1], records[number])
end

--- A server to cut sessions at, and how long they are without a cut.
-- @tparam table combination
-- @treturn table bench; `length` in bytes
function M.new(combination)
  local bench = { combination = combination, sessions = 0, server = send.server({
    mode = combination.mode, how = combination.how, mechanisms = "PLAIN",
    chunking = combination.body == "BDAT", cut_wire = combination.layer == "wire",
  }) }
  -- With TLS the second one resumes the first: which is longer depends on the side.
  bench.length = math.max(measure(bench), measure(bench))
  return bench
end

return M
