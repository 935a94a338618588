--- Encodings other projects collected: decoded values and line rules, not bytes.
--
-- Nothing here decodes quoted-printable, so what the rows about decoding hold and
-- mean is encoded, and Python must read it back.

local codec = require("qqmail.core").codec
local json = require "spec.support.json"
local python = require "spec.support.python"

local FOLDER = "../shared/corpora/encodings/"

local function bytes_of(value)
  if type(value) == "string" then
    return value
  end
  return (value["$hex"]:gsub("%x%x", function(pair)
    return string.char(tonumber(pair, 16))
  end))
end

local function hex(text)
  return (text:gsub(".", function(c)
    return ("%02x"):format(c:byte())
  end))
end

local function read_rows(name)
  local rows = json.read_lines(FOLDER .. name .. ".jsonl")
  if not rows then
    pending("the corpus is not here")
  end
  return rows or {}
end

-- RFC 2045 section 6.7: lines of at most 76 printable ASCII characters, with
-- CRLF between them and no blank before it; nothing else is a control character.
local function check_lines(encoded, id)
  for line in (encoded .. "\r\n"):gmatch("(.-)\r\n") do
    assert.is_true(#line <= 76, id)
    assert.is_nil(line:find("[^\t\32-\126]"), id)
    assert.is_nil(line:find("[ \t]$"), id)
    for escape in line:gmatch("=(..?)") do
      assert.is_truthy(escape:find("^[%dA-F][%dA-F]$"), id .. ": " .. line)
    end
  end
end

-- What Python's quopri makes of texts, one process for all.
local function decoded(list)
  local lines = {}
  for index, text in ipairs(list) do
    lines[index] = hex(text)
  end
  local output = python.run([[
import quopri, sys
for word in sys.argv[1].split(","):
    print(quopri.decodestring(bytes.fromhex(word)).hex())
]], table.concat(lines, ","))
  local out = {}
  for line in output:gmatch("(%x*)\n") do
    out[#out + 1] = bytes_of({ ["$hex"] = line })
  end
  assert.equal(#list, #out)
  return out
end

-- Every line end is one of the mail.
local function with_crlf(text)
  return (text:gsub("\r\n", "\n"):gsub("\r", "\n"):gsub("\n", "\r\n"))
end

-- In two pieces, cut anywhere, as in one.
local function streamed(make, text, cut)
  local stream = make()
  return stream:update(text:sub(1, cut)) .. stream:update(text:sub(cut + 1)) .. stream:finish()
end

describe("encoding corpus", function()
  it("base64", function()
    for _, row in ipairs(read_rows("base64")) do
      local input = bytes_of(row.input)
      assert.equal(row.output, codec.base64(input), row.id)
      assert.equal(input, codec.base64_decode(row.output), row.id)
      for cut = 0, #input do
        assert.equal(row.output, streamed(codec.base64_stream, input, cut), row.id)
      end
    end
  end)

  it("quoted-printable, as text", function()
    local ids, texts, encoded = {}, {}, {}
    local function add(id, text)
      ids[#ids + 1], texts[#texts + 1] = id, text
      encoded[#encoded + 1] = codec.qp(text)
    end
    for _, row in ipairs(read_rows("quoted-printable")) do
      add(row.id, bytes_of(row.input))
      if row.dir == "decode" then
        add(row.id .. ", decoded", bytes_of(row.output))
      end
    end
    for index, back in ipairs(decoded(encoded)) do
      check_lines(encoded[index], ids[index])
      assert.equal(with_crlf(texts[index]), with_crlf(back), ids[index])
      for cut = 0, #texts[index] do
        assert.equal(encoded[index], streamed(codec.qp_stream, texts[index], cut), ids[index])
      end
    end
  end)

  it("quoted-printable, as the collection encodes text", function()
    local ours, theirs, ids = {}, {}, {}
    for _, row in ipairs(read_rows("quoted-printable")) do
      if row.dir == "encode" and row.mode == "text" then
        ids[#ids + 1], theirs[#theirs + 1] = row.id, row.reference
        ours[#ours + 1] = codec.qp(bytes_of(row.input))
      end
    end
    local their_texts = decoded(theirs)
    for index, text in ipairs(decoded(ours)) do
      assert.equal(their_texts[index], text, ids[index])
    end
  end)

  -- RFC 2045 section 6.7 (4): a line end that is data has to be encoded. What must
  -- stay as it is goes as base64 here, always.
  it("quoted-printable, as data", function()
    local references, inputs = {}, {}
    for _, row in ipairs(read_rows("quoted-printable")) do
      if row.mode == "binary" then
        references[#references + 1], inputs[#inputs + 1] = row.reference, row.input
        local lines = codec.base64(row.input, true)
        assert.equal(row.input, codec.base64_decode((lines:gsub("\r\n", ""))), row.id)
      end
    end
    assert.same(inputs, decoded(references))
  end)
end)
