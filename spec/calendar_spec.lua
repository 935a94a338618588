-- Invitations: what readers find in them, judged by Python's email package.

local json = require "spec.support.json"
local messages = require "spec.support.messages"
local message = require "qqmail.message"

local build, read, refused = messages.build, messages.read, messages.refused
local with_file = messages.with_file

local function ics(method, more)
  return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\n"
    .. (method and "METHOD:" .. method .. "\r\n" or "")
    .. "BEGIN:VEVENT\r\nUID:1@example.com\r\nDTSTAMP:20260101T000000Z\r\n"
    .. "DTSTART:20260102T010000Z\r\nSUMMARY:周会\r\n" .. (more or "")
    .. "END:VEVENT\r\nEND:VCALENDAR\r\n"
end

local function last(facts)
  return facts.parts[#facts.parts]
end

describe("a calendar", function()
  it("goes among the texts and as a file, both with the same text", function()
    for _, method in ipairs({ "PUBLISH", "REQUEST", "REPLY", "CANCEL", "COUNTER" }) do
      local facts = read(build({ html = "<b>", calendar = { method = method,
        data = ics(method) } }))
      assert.equal("mixed(alternative(text/plain,text/html,text/calendar),application/ics)",
        facts.structure)
      local part = facts.parts[3]
      assert.same({ "text/calendar", method, "UTF-8", ics(method) },
        { part.type, part.method, part.charset, part.text })
      assert.equal(json.null, part.disposition)
      assert.same({ "application/ics", "invite.ics", "attachment", part.sha256 },
        { last(facts).type, last(facts).name, last(facts).disposition, last(facts).sha256 })
    end
  end)

  it("may be all there is", function()
    local facts = read(build({ text = "none", calendar = ics("CANCEL") }))
    assert.equal("mixed(text/calendar,application/ics)", facts.structure)
    facts = read(build({ text = "none", calendar = { data = ics("CANCEL"), attach = false } }))
    assert.equal("text/calendar", facts.structure)
    assert.equal("CANCEL", facts.parts[1].method)
  end)

  it("has a file of the name that is wanted, behind the others, or none", function()
    local facts = read(build({ attachments = { { data = "x", name = "a.txt" } },
      calendar = { data = ics("REQUEST"), name = "会议 邀请.ics" } }))
    assert.equal("mixed(alternative(text/plain,text/calendar),text/plain,application/ics)",
      facts.structure)
    assert.equal("会议 邀请.ics", last(facts).name)
    facts = read(build({ calendar = { data = ics("REQUEST"), attach = false } }))
    assert.equal("alternative(text/plain,text/calendar)", facts.structure)
  end)

  it("takes its method from the text", function()
    local function method_of(data, method)
      return read(build({ calendar = { data = data, method = method } })).parts[2].method
    end
    assert.equal("REQUEST", method_of(ics("REQUEST")))
    assert.equal("REQUEST", method_of(ics("request"), "Request"))
    assert.equal("REPLY", method_of((ics("REPLY"):gsub("\r\n", "\n"))))
    assert.equal("CANCEL", method_of((ics("CANCEL"):gsub("METHOD:", "METH\r\n OD;X-A=b:"))))
    -- Said in a text or in a folded line it is no method.
    assert.equal(json.null, method_of(ics(nil,
      "DESCRIPTION:x\\nMETHOD:REQUEST and\r\n METHOD:ADD\r\n")))
  end)

  it("without a method gets the one that is given", function()
    local facts = read(build({ calendar = { method = "request", data = ics() } }))
    assert.equal("REQUEST", facts.parts[2].method)
    assert.equal((ics():gsub("VCALENDAR\r\n", "VCALENDAR\r\nMETHOD:REQUEST\r\n", 1)),
      facts.parts[2].text)
    assert.equal(facts.parts[2].sha256, last(facts).sha256)
  end)

  it("comes out with CRLF and whole, whatever the editor wrote", function()
    local expected = ics("REQUEST")
    for _, given in ipairs({ (expected:gsub("\r\n", "\n")), (expected:gsub("\r\n", "\r")),
      "\239\187\191" .. expected, expected:sub(1, -3) }) do
      local facts = read(build({ calendar = given }))
      assert.equal(expected, facts.parts[2].text)
      assert.equal(facts.parts[2].sha256, last(facts).sha256)
    end
    with_file(expected:gsub("\r\n", "\n"), function(path)
      assert.equal(expected, read(build({ calendar = { path = path } })).parts[2].text)
    end)
  end)

  it("that contradicts its method is refused", function()
    local err = refused({ calendar = { method = "REQUEST", data = ics("CANCEL") } },
      "message.bad_calendar", "calendar.method")
    assert.matches("is REQUEST, but the calendar says METHOD:CANCEL", err.message, 1, true)
    err = refused({ calendar = (ics("ADD"):gsub("BEGIN:VEVENT", "METHOD:REPLY\r\n%0", 1)) },
      "message.bad_calendar", "calendar")
    assert.matches("METHOD:ADD and METHOD:REPLY", err.message, 1, true)
    local _, zh = message.new(messages.spec_with({ calendar = { method = "REQUEST",
      data = ics("CANCEL") } }), { lang = "zh" })
    assert.matches("REQUEST.*METHOD:CANCEL", tostring(zh))
  end)

  it("may have blank lines behind it", function()
    local expected = ics("REQUEST")
    for _, more in ipairs({ ("\r\n"):rep(100), "\n\n", " \n\t\r\n ", "  " }) do
      local facts = read(build({ calendar = expected:sub(1, -3) .. more }))
      assert.equal(expected, facts.parts[2].text)
      assert.equal(facts.parts[2].sha256, last(facts).sha256)
    end
  end)

  it("that is none is refused", function()
    refused({ calendar = "invite.ics" }, "message.bad_calendar", "calendar", 1)
    refused({ calendar = ics("REQUEST"):sub(1, 100) }, "message.bad_calendar", "calendar")
    refused({ calendar = { data = "" } }, "message.bad_calendar", "calendar", 1)
    refused({ calendar = (ics("REQUEST"):gsub("周", "\255")) }, "message.bad_utf8", "calendar",
      (ics("REQUEST"):find("周", 1, true)))
    refused({ calendar = { path = "/nonexistent" } }, "message.unreadable", "calendar")
    local err = refused({ calendar = { method = "CANCELLED", data = ics() } },
      "message.bad_value", "calendar.method")
    assert.matches("did you mean CANCEL?", err.message, 1, true)
    refused({ calendar = ics("NOTHING") }, "message.bad_value", "calendar")
    refused({ calendar = 5 }, "message.bad_value", "calendar")
    refused({ calendar = { data = "x", methd = "y" } }, "message.unknown_field", "calendar.methd")
    refused({ calendar = {} }, "message.bad_value", "calendar")
    refused({ calendar = { data = "x", path = "y" } }, "message.bad_value", "calendar")
    refused({ calendar = { data = ics(), attach = "no" } }, "message.bad_value",
      "calendar.attach")
    refused({ calendar = { data = ics(), method = 5 } }, "message.bad_value", "calendar.method")
  end)

  it("keeps to its place", function()
    for _, ending in ipairs({ "\r\nX: y", "\nX: y", "\rX: y", "\0", ";x=y", " x", "\"" }) do
      refused({ calendar = { data = ics(), method = "REQUEST" .. ending } },
        "message.bad_value", "calendar.method")
    end
    for byte = 0, 31 do
      refused({ calendar = { data = ics(), name = "a" .. string.char(byte) .. ".ics" } },
        "message.control_character", "calendar.name", 2)
      local char = string.char(byte)
      if not char:find("[\t\r\n]") then
        refused({ calendar = ics("REQUEST", "X-A:" .. char .. "\r\n") },
          "message.control_character", "calendar",
          ics("REQUEST", "X-A:"):find("X-A:", 1, true) + 4)
      end
    end
    refused({ calendar = { data = ics(), name = "dir/" } }, "message.bad_name", "calendar.name")
  end)

  it("is read in a time that grows with its length", function()
    local long = ics("REQUEST", "X-LONG" .. ("a"):rep(200000) .. "\r\n "
      .. ("METHOD"):rep(50000) .. "\r\n")
    assert.equal("REQUEST", build({ calendar = long }).parts.calendar.method)
  end)
end)
