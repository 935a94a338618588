-- What qqmail.json writes is read by Python's json, which nobody here wrote, and is
-- one line of valid UTF-8 whatever goes in.
local json = require("qqmail.json")
local python = require("spec.support.python")
local read_json = require("spec.support.json")
local shell = require("spec.support.shell")

local encode = json.encode

-- Python's strict reading, written again in ASCII with sorted keys; raises where
-- Python refuses it.
local PROGRAM = [[
import json, sys
def refuse(word):
    raise ValueError(word)
for line in open(sys.argv[1], "rb").read().split(b"\n")[:-1]:
    value = json.loads(line.decode("utf-8"), parse_constant=refuse)
    sys.stdout.write(json.dumps(value, sort_keys=True) + "\n")
]]

local function as_python_reads(lines)
  local folder, remove = shell.folder()
  shell.write(folder .. "/lines", table.concat(lines, "\n") .. "\n")
  local out = {}
  for line in python.run(PROGRAM, folder .. "/lines"):gmatch("[^\n]+") do
    out[#out + 1] = line
  end
  remove()
  return out
end

describe("json.encode", function()
  it("writes what Python reads back", function()
    local cases = {
      { nil, "null" }, { true, "true" }, { false, "false" }, { json.null, "null" },
      { 0, "0" }, { -0.0, "0" }, { 465, "465" }, { 465.0, "465" }, { -3, "-3" },
      { 2 ^ 53, "9007199254740992" }, { 0.1, "0.1" }, { 1 / 3, "0.3333333333333333" },
      { 1e300, "1e+300" }, { 5e-324, "5e-324" }, { 0 / 0, "null" }, { 1 / 0, "null" },
      { -1 / 0, "null" }, { "", '""' }, { 'a"b\\c', [["a\"b\\c"]] },
      { "磁盘", [["\u78c1\u76d8"]] }, { "😀", [["\ud83d\ude00"]] },
      { {}, "[]" }, { json.object({}), "{}" }, { { 1, "a", { true } }, '[1, "a", [true]]' },
      { { b = 1, a = { c = {} } }, '{"a": {"c": []}, "b": 1}' },
      { { json.null, 2 }, "[null, 2]" },
    }
    local lines, expected = {}, {}
    for index, case in ipairs(cases) do
      lines[index], expected[index] = assert(encode(case[1])), case[2]
    end
    local got = as_python_reads(lines)
    for index in ipairs(cases) do
      -- 2^53 is a float for some Luas: both readers must agree on its value.
      local value = got[index]:gsub("^9007199254740992%.0$", "9007199254740992")
      assert.equal(expected[index], value, lines[index])
    end
  end)

  it("writes whole numbers without a fraction, large integers too", function()
    assert.equal("1048576", encode(1024 * 1024))
    assert.equal("3", encode(6 / 2))
    local largest = rawget(math, "maxinteger")
    if largest then
      assert.equal("9223372036854775807", encode(largest))
    end
  end)

  it("gives valid UTF-8 for any bytes, on one line", function()
    local lines, count = {}, 0
    for first = 0, 255 do
      for _, rest in ipairs({ "", "\128", "\191\128", "\159\191\191", "a", "\n", "\244" }) do
        count = count + 1
        lines[count] = assert(encode(string.char(first) .. rest))
      end
    end
    for _, line in ipairs(lines) do
      assert.is_nil(line:find("[%z\1-\31\127]"), line)
    end
    local got = as_python_reads(lines)
    assert.equal(count, #got)
  end)

  it("replaces what is no character, byte by byte", function()
    local bad = "\239\191\189"
    for text, expected in pairs({
      ["\255"] = bad, ["a\192\128b"] = "a" .. bad .. bad .. "b", ["\237\160\128"] = bad:rep(3),
      ["\244\144\128\128"] = bad:rep(4), ["\228\189"] = bad .. bad, ["\224\159\191"] = bad:rep(3),
      ["\228\189\160\255"] = "你" .. bad,
    }) do
      assert.equal('"' .. expected .. '"', encode(text))
    end
  end)

  it("escapes what ends a line or moves a cursor", function()
    assert.equal([["\n\r\t\b\f\u0000\u001b\u007f"]], encode("\n\r\t\b\f\0\27\127"))
    assert.equal([["\u2028\u2029\u0085\u009b"]], encode("\226\128\168\226\128\169\194\133\194\155"))
  end)

  it("sorts the keys, those of a given order first", function()
    local value = { time = 1, level = 2, b = 3, a = 4 }
    assert.equal('{"a":4,"b":3,"level":2,"time":1}', encode(value))
    assert.equal('{"time":1,"level":2,"a":4,"b":3}', encode(value, { "time", "level", "event" }))
  end)

  it("refuses what has no form", function()
    local loop = {}
    loop.inner = { loop }
    local deep = {}
    for _ = 1, json.MAX_DEPTH do
      deep = { deep }
    end
    for _, value in ipairs({ print, { a = print }, { { io.stdout } }, { 1, a = 2 },
      { [1] = 1, [3] = 3 }, { [1.5] = 1 }, loop, deep }) do
      local text, why = encode(value)
      assert.is_nil(text)
      assert.is_string(why)
    end
    assert.is_string(encode(deep[1]))
  end)

  it("writes a table that stands in two places twice", function()
    local shared = { 1 }
    assert.equal("[[1],[1]]", encode({ shared, shared }))
  end)

  it("is linear in the length of a text", function()
    local text = ("\255\n磁"):rep(100000)
    assert.equal(100000, select(2, encode(text):gsub("磁", "")))
    assert.equal(text:gsub("\255", "\239\191\189"), read_json.decode(encode(text)))
  end)
end)
