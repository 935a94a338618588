--- Asks parsers nobody of this project wrote what they read in our messages:
-- Python's email package, and those of spec/judges (mailparser, ical.js,
-- mailauth). One process of each for any number of messages.

local json = require "spec.support.json"
local mail_reader = require "spec.support.mail_reader"
local shell = require "spec.support.shell"
local writer = require "qqmail.json"

local M = {}

local MODULES = "build/judges/node_modules"

--- Whether the parsers of spec/judges are installed; `make judges` says why not.
-- @treturn boolean
function M.is_here()
  local _, status = shell.run("command -v node && test -d " .. MODULES)
  return status == 0
end

-- Answers come with null for what a message has not: here as nil.
local function without_nulls(value)
  if type(value) ~= "table" then
    return value
  end
  for key, inner in pairs(value) do
    if inner == json.null then
      value[key] = nil
    else
      without_nulls(inner)
    end
  end
  return value
end

local function write(path, data)
  local file = assert(io.open(path, "wb"))
  assert(file:write(data))
  assert(file:close())
end

local function ask(jobs)
  local folder, remove = shell.folder()
  for index, job in ipairs(jobs) do
    local path = ("%s/%d.eml"):format(folder, index)
    write(path, job.message)
    jobs[index] = { [job.kind] = path, keys = job.keys }
  end
  write(folder .. "/jobs.json", writer.encode(jobs))
  local output, status = shell.run(("NODE_PATH=%s node spec/judges/judge.js %s/jobs.json")
    :format(MODULES, folder))
  remove()
  assert(status == 0, output)
  local answers = without_nulls(json.decode(output))
  for index, answer in ipairs(answers) do
    assert(not answer.error, ("message %d: %s"):format(index, tostring(answer.error)))
  end
  return answers
end

--- What mailparser reads in messages.
-- @tparam table messages list of strings
-- @treturn table list of the objects that judge.js makes of them
function M.mailparser(messages)
  local jobs = {}
  for index, message in ipairs(messages) do
    jobs[index] = { kind = "mail", message = message }
  end
  return ask(jobs)
end

--- What mailauth says of the DKIM signatures of messages.
-- @tparam table list of `{ message =, keys = { [name] = TXT record } }`
-- @treturn table for each a list of `{ result =, domain =, selector =, ... }`
function M.mailauth(list)
  local jobs = {}
  for index, one in ipairs(list) do
    jobs[index] = { kind = "dkim", message = one.message, keys = writer.object(one.keys or {}) }
  end
  return ask(jobs)
end

--- What Python's email package reads in messages, null as nil.
-- @tparam table messages list of strings
-- @treturn table list of the objects that read_mail.py prints
function M.python(messages)
  return without_nulls(mail_reader.read(messages))
end

--- The SHA-256 of texts, from a program that is not ours either.
-- @tparam table list
-- @treturn table list of hexadecimal strings
function M.sha256(list)
  local folder, remove = shell.folder()
  local names, out = {}, {}
  for index, data in ipairs(list) do
    names[index] = tostring(index)
    write(folder .. "/" .. index, data)
  end
  local output, status = shell.run(("cd %s && sha256sum -- %s")
    :format(folder, table.concat(names, " ")))
  remove()
  assert(status == 0, output)
  for digest in output:gmatch("(%x+)  %d+\n") do
    out[#out + 1] = digest
  end
  return out
end

-- --- both in the same words ---------------------------------------------------

-- An empty text and none are not told apart by every parser.
local function given(text)
  return text ~= "" and text or nil
end

local function lf(text)
  return text and text:gsub("\r\n", "\n")
end

local function ids_of(text)
  local out = {}
  for id in (text or ""):gmatch("<[^>]*>") do
    out[#out + 1] = id
  end
  return out
end

local function part_of(part)
  return { name = part.name, type = part.type, cid = part.cid, disposition = part.disposition,
    sha256 = part.sha256, calendar = part.calendar, method = part.params and part.params.method,
    message = part.message }
end

local function people_of(answer, facts)
  for _, key in ipairs({ "from", "sender", "reply_to", "to", "cc" }) do
    facts[key] = answer[key]
  end
  return facts
end

local function is_body(part)
  return part.disposition == nil and part.cid == nil
    and (part.type == "text/plain" or part.type == "text/html")
end

-- The values of fields by their names in lower case, in their order.
local function fields_of(pairs_of)
  local out = {}
  for _, pair in ipairs(pairs_of) do
    local key = pair[1]:lower()
    out[key] = out[key] or {}
    table.insert(out[key], pair[2])
  end
  return out
end

--- An answer of Python in the words both parsers are compared in: people,
-- `subject`, `text` and `html` with "\n" as line ends, `message_id`,
-- `in_reply_to`, `references`, `fields` (lists, by name in lower case), and `parts`:
-- what is no text of the mail, in its order.
-- @tparam table answer of `python`
-- @treturn table
function M.words_of_python(answer)
  local parts = {}
  for _, part in ipairs(answer.parts) do
    if not is_body(part) then
      parts[#parts + 1] = part_of(part)
    end
  end
  local fields = fields_of(answer.headers)
  return people_of(answer, {
    subject = given(answer.subject), text = lf(given(answer.text)), html = lf(answer.html),
    parts = parts,
    message_id = fields["message-id"] and fields["message-id"][1],
    in_reply_to = fields["in-reply-to"] and fields["in-reply-to"][1],
    references = ids_of(fields.references and fields.references[1]), fields = fields,
  })
end

--- An answer of mailparser in the same words.
-- @tparam table answer of `mailparser`
-- @treturn table
function M.words_of_mailparser(answer)
  local parts = {}
  for index, part in ipairs(answer.parts) do
    parts[index] = part_of(part)
  end
  return people_of(answer, {
    subject = given(answer.subject), text = given(answer.text), html = answer.html,
    parts = parts, message_id = answer.message_id, in_reply_to = answer.in_reply_to,
    references = answer.references, fields = fields_of(answer.headers),
  })
end

return M
