--- Does one thing at one of its sizes, several times, and says how long it took.
--
--     client.lua case=rows scale=10 port=2525 file=...
--
-- A hundred times at scale 1, ten times at 10, once at 100: all scales have the
-- same number of units to do, so that only their size makes a difference.

local client = require("client")
local net = require("qqmail.net")
local qqmail = require("qqmail")

local LARGEST = 100

local function send(mailer, message)
  assert(mailer:send(message))
end

-- What reads a message to its end, without a server.
local function read_all(message)
  for piece in assert(qqmail.message(message)):chunks() do
    assert(#piece > 0)
  end
end

-- Each answers a function that does `count` units at once, and is called so many times.
local CASES = {}

-- Others each time: the library remembers addresses, of which few would fit.
local function address_lists(times, count)
  local lists = {}
  for run = 1, times do
    lists[run] = {}
    for index = 1, count do
      lists[run][index] = ("user%03d%06d@discard.test"):format(run, index)
    end
  end
  return lists
end

function CASES.recipients(settings, count, times)
  local mailer, lists = client.mailer(settings), address_lists(times, count)
  return function()
    local message = client.message(1)
    message.to = table.remove(lists)
    send(mailer, message)
  end
end

function CASES.attachment(settings)
  local mailer = client.mailer(settings)
  return function()
    local message = client.message(1)
    message.attachments = { settings.file }
    send(mailer, message)
  end
end

local function header_case(words)
  return function(_, count)
    local message = client.message(1)
    message.from = "bench@example.com"
    message.headers = { ["X-Trace"] = words:rep(math.floor(count / #words)) }
    return function()
      read_all(message)
    end
  end
end

CASES.header = header_case("one word of many ")
CASES.chinese_header = header_case("磁盘空间不足，")

function CASES.rows(_, count)
  local rows = {}
  for index = 1, count do
    rows[index] = { name = "server <" .. index .. ">", used = index % 100, state = "full & slow" }
  end
  local template = assert(qqmail.template.compile(
    "<table>\n{{#rows}}\n<tr><td>{{name}}<td>{{used}}<td>{{state}}</tr>\n{{/rows}}\n</table>\n"))
  local vars = { rows = rows }
  return function()
    assert(template:render(vars))
  end
end

function CASES.queue(settings, count)
  local mailer = client.mailer(settings, { max = count, bytes = 4294967296, dir = false })
  return function()
    for index = 1, count do
      assert(mailer:notify(client.message(index)))
    end
    assert(assert(mailer:flush(600)).sent == count, "not all mails were sent")
  end
end

local function main()
  local settings = client.settings(arg)
  local times = LARGEST / settings.scale
  local run = CASES[settings.case](settings, settings.base * settings.scale, times)
  -- At scale 1, so that what is done once does not count against the small ones.
  CASES[settings.case](settings, settings.base, 1)()
  collectgarbage()
  local began, cpu = net.now(), os.clock()
  for _ = 1, times do
    run()
  end
  print(("seconds=%.6f cpu=%.6f"):format(net.now() - began, os.clock() - cpu))
end

client.run(main)
