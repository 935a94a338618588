local core = require "qqmail.core"
local messages = require "spec.support.messages"
local shell = require "spec.support.shell"

local build, read, with_file = messages.build, messages.read, messages.with_file

describe("reading", function()
  local function everything()
    return build({ text = ("你好 and more\n"):rep(20), html = "<p>caf\195\169</p>\n.\n",
      attachments = { { data = ("\0\1\2\3"):rep(100), name = "x" }, ".busted" },
      inline = { a = { data = "png" } } })
  end

  it("gives the same bytes whatever the size of the pieces", function()
    local built = everything()
    local whole = tostring(built)
    assert.equal(#whole, built:size())
    for _, len in ipairs({ 1, 2, 3, 7, 77, 4096, 65536, 1000000 }) do
      local pieces = {}
      for piece in built:chunks(len) do
        assert.is_true(#piece <= len and #piece > 0)
        pieces[#pieces + 1] = piece
      end
      assert.is_true(table.concat(pieces) == whole)
    end
  end)

  it("can be repeated, and done twice at a time", function()
    local built = everything()
    local whole = tostring(built)
    local first, second = built:handle(), built:handle()
    assert.not_equal(first, second)
    assert(first:rewind())
    assert(second:rewind())
    local a, b = first:read(1000), second:read(1000)
    a, b = a .. first:read(1000000), b .. second:read(1000000)
    assert.is_true(a == whole and b == whole)
    assert.is_nil(first:read())
    assert(first:rewind())
    assert.is_true(first:read(1000000) == whole)
    assert.is_true(tostring(built) == whole)
    collectgarbage()
    assert(second:rewind(true))
    assert.equal(#second:read(1000000), built:size(true))
  end)

  it("notices a file that changed", function()
    with_file("content", function(path)
      local built = build({ attachments = { path } })
      shell.write(path, "other content")
      local ok, err = pcall(tostring, built)
      assert.is_false(ok)
      assert.same({ "message.source_changed", "attachments[1]" }, { err.code, err.field })
      ok, err = built:save(path .. ".eml")
      assert.is_nil(ok)
      assert.equal("message.source_changed", err.code)
      assert.is_nil(io.open(path .. ".eml"))
      local handle = built:handle()
      assert(handle:rewind())
      local bytes, name
      repeat
        bytes, name = handle:read(10)
      until not bytes
      assert.equal("source_changed", name)
    end)
  end)

  it("asks a reader function for more, once", function()
    local calls = 0
    local built = build({ text = "none", attachments = { { read = function(len)
      assert.equal(65536, len)
      calls = calls + 1
      return calls <= 3 and ("piece %d "):format(calls) or nil
    end } } })
    assert.is_nil(built:size())
    local handle = built:handle()
    assert.equal(handle, built:handle())
    assert(handle:rewind())
    local text = ""
    while true do
      local bytes, name = handle:read(40)
      if name == "again" then
        assert(built:refill())
      elseif not bytes then
        break
      end
      text = text .. (bytes or "")
    end
    assert.equal(4, calls)
    assert.equal(24, read(text).parts[1].size)
    local ok, err = pcall(tostring, built)
    assert.is_false(ok)
    assert.equal("message.not_repeatable", err.code)
  end)

  it("fails where a reader fails", function()
    local function failing(read_piece, size)
      local built = build({ attachments = { { read = read_piece, size = size } } })
      local ok, err = pcall(tostring, built)
      assert.is_false(ok)
      assert.equal("attachments[1]", err.field)
      return err.code, err
    end
    assert.equal("message.source_failed", (failing(function() return nil, "gone" end)))
    assert.equal("message.source_failed", (failing(function() return true end)))
    assert.equal("message.source_failed", (failing(function() return "" end)))
    for _, read_piece in ipairs({ function() return nil end, function() return "123456" end }) do
      local code, err = failing(read_piece, 5)
      assert.equal("message.source_changed", code)
      -- There is no file that one could leave alone.
      assert.matches("more or fewer bytes than size says", err.message, 1, true)
      assert.is_nil(tostring(err):find("file", 1, true))
    end
  end)

  it("saves the whole message or nothing", function()
    local built = everything()
    with_file("old", function(path, folder)
      assert.is_true(built:save(path))
      local file = assert(io.open(path, "rb"))
      assert.is_true(file:read("*a") == tostring(built))
      file:close()
      local ok, err = built:save(folder .. "/no/such/folder")
      assert.is_nil(ok)
      assert.equal("message.not_saved", err.code)
      assert.equal("file.bin\n", (shell.run("ls " .. folder)))
    end)
  end)

  it("writes to an open file, and goes on where a function was asked", function()
    local size = 300000
    local function with_reader()
      local given = 0
      return build({ attachments = { { name = "r", read = function(most)
        local len = math.min(most, size - given)
        given = given + len
        return len > 0 and ("x"):rep(len) or nil
      end } } })
    end
    with_file("", function(path)
      local file = assert(io.open(path, "wb"))
      assert.is_true(file:write("before\n") and true)
      assert.is_true(everything():write(file))
      assert.is_true(with_reader():write(file))
      file:close()
      file = assert(io.open(path, "rb"))
      local written = file:read("*a")
      file:close()
      assert.equal("before\n", written:sub(1, 7))
      assert.is_true(#written > size * 4 / 3)
      assert.matches("\r\n%-%-[%w=_]+%-%-\r\n$", written)
    end)
  end)

  it("writes the same to whatever has a method for it", function()
    local built, pieces = everything(), {}
    assert.is_true(built:write({ write = function(_, piece)
      pieces[#pieces + 1] = piece
      return true
    end }))
    assert.is_true(table.concat(pieces) == tostring(built))
    local ok, err = built:write({ write = function() return nil, "no room" end })
    assert.is_nil(ok)
    assert.equal("message.not_saved", err.code)
    assert.matches("no room", err.message, 1, true)
  end)

  it("tells of a full disk, and of a source that fails on the way", function()
    local full = assert(io.open("/dev/full", "wb"))
    full:setvbuf("no")
    local ok, err = everything():write(full)
    full:close()
    assert.is_nil(ok)
    assert.equal("message.not_saved", err.code)
    with_file("", function(path)
      local file = assert(io.open(path, "wb"))
      ok, err = build({ attachments = { { name = "r", read = function()
        return nil, "gone"
      end } } }):write(file)
      file:close()
      assert.is_nil(ok)
      assert.same({ "message.source_failed", "attachments[1]" }, { err.code, err.field })
    end)
  end)

  it("of a closed handle raises", function()
    local handle = build():handle()
    assert(handle:rewind())
    assert(handle:read())
    handle:close()
    handle:close()
    local ok, err = pcall(handle.read, handle)
    assert.is_false(ok)
    assert.matches("closed", err)
  end)
end)

describe("core.message", function()
  local function field_error(spec)
    spec.boundary = ("b"):rep(26)
    local handle, name, _, field, position = core.message(spec)
    assert.is_nil(handle)
    return name, field, position
  end

  it("answers name, place and position", function()
    assert.same({ "control_character", "headers[2]", 2 }, { field_error({
      headers = { { name = "A", text = "b" }, { name = "B", text = "c\n" } } }) })
    assert.same({ "syntax", "headers[1][2].address", 3 }, { field_error({
      headers = { { name = "To",
        addresses = { { address = "a@b.c" }, { address = "a@@" } } } } }) })
    assert.same({ "bad_utf8", "html", 2 }, { field_error({ html = { data = "x\255" } }) })
    assert.same({ "system", "attachments[2]", 1 }, { field_error({
      attachments = { { source = { data = "" } }, { source = { path = "/none" } } } }) })
    assert.same({ "non_ascii", "headers[1]", 1 }, { field_error({
      headers = { { name = "A", raw = "你" } } }) })
    assert.same({ "misuse", "headers[1]", 1 }, { field_error({ headers = { { name = "A" } } }) })
  end)

  it("raises for wrong types", function()
    assert(core.message({ boundary = ("b"):rep(26) }))
    local raised = {}
    for index, spec in ipairs({ { headers = 5 }, { headers = { 5 } }, { text = 5 },
      { attachments = { {} } }, { attachments = { { source = { read = 5 } } } },
      { headers = { { name = 5, text = "x" } } }, { boundary = 5 } }) do
      raised[index] = not pcall(core.message, spec)
    end
    assert.same({ true, true, true, true, true, true, true }, raised)
  end)

  it("keeps alive what it points at", function()
    local function make()
      return assert(core.message({ boundary = ("b"):rep(26),
        text = { data = ("x"):rep(100) .. "\n" },
        attachments = { { name = "n" .. tostring({}), source = { data = ("y"):rep(1000) } } } }))
    end
    local handle = make()
    local copy = assert(handle:copy())
    collectgarbage()
    collectgarbage()
    assert(handle:rewind())
    local whole = handle:read(10000)
    handle:close()
    handle = nil -- luacheck: ignore
    collectgarbage()
    assert(copy:rewind())
    assert.equal(whole, copy:read(10000))
  end)

  it("hashes text the same way in every version", function()
    assert.equal("5nbc2xb67wiy2pfw2v37pyxfre", core.hash("order-42"))
    assert.equal("uoax6bf2ewuom3pwoikmovicsm", core.hash(""))
  end)
end)
