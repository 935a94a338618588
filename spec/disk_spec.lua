local disk = require "qqmail.disk"
local shell = require "spec.support.shell"

local root, remove_root

local function path(name)
  return root .. "/" .. name
end

local function read(name)
  local file = io.open(path(name), "rb")
  if not file then
    return nil
  end
  local text = file:read("*a")
  file:close()
  return text
end

local function put(name, text)
  local file = assert(io.open(path(name), "wb"))
  assert(file:write(text))
  assert(file:close())
end

local function mode(name)
  return (shell.run("stat -c %a " .. shell.quote(path(name))):gsub("%s+$", ""))
end

-- Everything in the folder of the test, dot files too.
local function everything()
  return (shell.run("ls -A " .. shell.quote(root)):gsub("%s+$", ""))
end

local function assert_failure(expected, result, name, text, ...)
  assert.is_nil(result)
  assert.are.equal(expected, name)
  assert.is_string(text)
  assert.are.equal(0, select("#", ...))
end

-- Open descriptors of files below the folder of the test.
local function open_here()
  local out = shell.run(("ls -l /proc/%d/fd"):format(disk.pid()))
  return select(2, out:gsub(" %-> " .. root:gsub("%p", "%%%0"), ""))
end

-- A child process that runs `code` with `disk` and `root` at hand.
local function child_command(code)
  put("child.lua", ([[
    local root = %q
    package.path, package.cpath = %q, %q
  ]]):format(root, package.path, package.cpath) .. code)
  return shell.quote(shell.lua) .. " " .. shell.quote(path "child.lua")
end

local function run_child(code)
  local output, status = shell.run(child_command(code))
  assert.are.equal(0, status, output)
  return output
end

describe("qqmail.disk", function()
  before_each(function()
    root, remove_root = shell.folder()
  end)

  after_each(function()
    remove_root()
  end)

  describe("folder", function()
    it("is made with those above it, for its owner alone", function()
      assert.is_true(disk.folder(path "a/b/c"))
      assert.are.equal("700", mode "a")
      assert.are.equal("700", mode "a/b/c")
      assert.is_true(disk.folder(path "a/b/c"))
      assert.is_true(disk.folder(path "a/b/c/"))
    end)

    it("may be readable, but not writable by others", function()
      assert.is_true(disk.folder(path "a"))
      shell.run("chmod 755 " .. path "a")
      assert.is_true(disk.folder(path "a"))
      for _, open in ipairs { "770", "720", "702", "777" } do
        shell.run(("chmod %s %s"):format(open, path "a"))
        assert_failure("too_open", disk.folder(path "a"))
        assert.are.equal(open, mode "a")
      end
    end)

    it("belongs to the user", function()
      if disk.uid() ~= 0 then
        assert_failure("not_owner", disk.folder("/"))
        return
      end
      assert.is_true(disk.folder(path "a"))
      shell.run("chown 12345 " .. path "a")
      assert_failure("not_owner", disk.folder(path "a"))
    end)

    it("is no link and no file", function()
      put("file", "")
      assert.is_true(disk.folder(path "real"))
      shell.run(("ln -s real %s; ln -s nowhere %s"):format(path "link", path "dangling"))
      assert_failure("ENOTDIR", disk.folder(path "file"))
      assert_failure("ENOTDIR", disk.folder(path "file/below"))
      assert_failure("ENOTDIR", disk.folder(path "link"))
      assert_failure("ENOTDIR", disk.folder(path "link/"))
      assert_failure("ENOTDIR", disk.folder(path "dangling"))
      assert.is_true(disk.folder(path "link/below"))
      assert_failure("ENAMETOOLONG", disk.folder(path(("x"):rep(300))))
      assert_failure("ENOENT", disk.folder(""))
    end)

    it("is removed when it is empty", function()
      assert.is_true(disk.folder(path "a/b"))
      assert_failure("ENOTEMPTY", disk.remove_folder(path "a"))
      assert.is_true(disk.remove_folder(path "a/b"))
      assert.is_true(disk.remove_folder(path "a"))
      assert_failure("ENOENT", disk.remove_folder(path "a"))
    end)
  end)

  describe("list", function()
    it("is sorted by bytes and leaves out dot files", function()
      for _, name in ipairs { "b", "a.part", ".hidden", "a", "B", "..x" } do
        put(name, "")
      end
      assert.is_true(disk.folder(path "c"))
      assert.are.same({ "B", "a", "a.part", "b", "c" }, disk.list(root))
    end)

    it("may be empty", function()
      assert.are.same({}, disk.list(root))
    end)

    it("holds thousands of names", function()
      local names = {}
      for i = 1, 3000 do
        names[i] = ("%05d.eml"):format(i)
        assert(disk.write(path(names[i]), false, ""))
      end
      assert.are.same(names, disk.list(root))
    end)

    it("needs a folder", function()
      put("file", "")
      assert_failure("ENOENT", disk.list(path "missing"))
      assert_failure("ENOTDIR", disk.list(path "file"))
    end)
  end)

  describe("write", function()
    it("puts all pieces into a private file", function()
      assert.is_true(disk.write(path "mail", false, "one ", "", "t\0w\r\no ", 3))
      assert.are.equal("one t\0w\r\no 3", read "mail")
      assert.are.equal("600", mode "mail")
      assert.are.equal("mail", everything())
    end)

    it("reaches the medium where that is asked for", function()
      assert.is_true(disk.write(path "mail", true, "text"))
      assert.are.equal("text", read "mail")
      assert.is_true(disk.write(path "none", true))
      assert.are.equal("", read "none")
    end)

    it("replaces a file, and what a dead writer left", function()
      put("mail", "old")
      put("mail.part", "half of a longer te")
      assert.is_true(disk.write(path "mail", false, "new"))
      assert.are.equal("new", read "mail")
      assert.are.equal("mail", everything())
    end)

    it("follows no link", function()
      put("victim", "untouched")
      shell.run(("cd %s && ln -s victim mail && ln -s victim mail.part"):format(root))
      assert.is_true(disk.write(path "mail", false, "new"))
      assert.are.equal("untouched", read "victim")
      assert.are.equal("new", read "mail")
    end)

    it("takes a message of megabytes", function()
      local piece = ("0123456789abcdef"):rep(65536)
      assert.is_true(disk.write(path "mail", false, piece, piece, piece, "end"))
      assert.is_true(read "mail" == piece:rep(3) .. "end")
    end)

    it("leaves nothing behind when it fails", function()
      assert.is_true(disk.folder(path "folder"))
      put("file", "")
      local before = everything()
      for _, sync in ipairs { true, false } do
        assert_failure("EISDIR", disk.write(path "folder", sync, "x"))
        assert_failure("EISDIR", disk.write(path "folder/", sync, "x"))
        assert_failure("ENOTDIR", disk.write(path "file/mail", sync, "x"))
        assert_failure("ENOENT", disk.write(path "missing/mail", sync, "x"))
        assert_failure("ENOENT", disk.write("", sync, "x"))
        assert_failure("ENAMETOOLONG", disk.write(path(("x"):rep(300)), sync, "x"))
      end
      assert.are.equal(before, everything())
      assert.are.equal(0, open_here())
    end)

    -- A limit on the size of files, as a full disk cannot be had.
    it("leaves nothing behind when the disk takes no more", function()
      local command = child_command([[
        local disk = require "qqmail.disk"
        local kilobytes = ("x"):rep(8192)
        print(disk.write(root .. "/mail", true, "short"))
        print(disk.write(root .. "/mail2", true, "short", kilobytes))
        local writer = assert(disk.create(root .. "/mail3"))
        print(writer:write(kilobytes))
        print(writer:write("x"))
        print(writer:commit())
      ]])
      local output = shell.run("trap '' XFSZ; ulimit -f 1; " .. command)
      assert.are.equal("true\nnil\tEFBIG\tfile too large\nnil\tEFBIG\tfile too large\n"
        .. ("nil\tclosed\tthe file is closed\n"):rep(2), output)
      assert.are.equal("child.lua\nmail", everything())
      assert.are.equal("short", read "mail")
    end)

    it("works in a finalizer while the state is closed", function()
      run_child [[
        local disk
        local function finish()
          assert(disk.write(root .. "/mail", true, "last ", "words"))
          assert(disk.write(root .. "/missing/mail", true, "x") == nil)
        end
        if newproxy then
          kept = newproxy(true)
          getmetatable(kept).__gc = finish
        else
          kept = setmetatable({}, { __gc = finish })
        end
        -- Younger than the object, so 5.1 would unload it first.
        disk = require "qqmail.disk"
      ]]
      assert.are.equal("last words", read "mail")
      assert.are.equal("child.lua\nmail", everything())
    end)
  end)

  describe("a writer", function()
    it("shows the file only when it is whole", function()
      for _, sync in ipairs { false, true } do
        local writer = assert(disk.create(path "mail"))
        assert.is_true(writer:write("one "))
        assert.are.same({ "mail.part" }, disk.list(root))
        assert.is_true(writer:write("two"))
        assert.is_nil(read "mail")
        assert.are.equal("600", mode "mail.part")
        assert.is_true(writer:commit(sync))
        assert.are.equal("one two", read "mail")
        assert.are.same({ "mail" }, disk.list(root))
        writer:close()
        assert.are.equal("one two", read "mail")
        assert.is_true(disk.remove(path "mail"))
      end
    end)

    it("leaves nothing when it is closed, and then says so", function()
      local writer = assert(disk.create(path "mail"))
      assert.is_true(writer:write("text"))
      writer:close()
      writer:close()
      assert.are.equal("", everything())
      assert_failure("closed", writer:write("x"))
      assert_failure("closed", writer:commit(true))
    end)

    it("leaves nothing when it is forgotten", function()
      local writer = assert(disk.create(path "mail"))
      assert.is_true(writer:write("text"))
      assert.are.equal("mail.part", everything())
      assert.are.equal(1, open_here())
      writer = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      assert.are.equal("", everything())
      assert.are.equal(0, open_here())
    end)

    it("is closed at the end of its block", function()
      local chunk = (loadstring or load)("local writer <close> = ...; writer:write('text')")
      if not chunk then
        return pending("needs Lua 5.4")
      end
      chunk(assert(disk.create(path "mail")))
      assert.are.equal("", everything())
    end)

    it("leaves what was there before when it is given up", function()
      assert(disk.write(path "mail", false, "old"))
      local writer = assert(disk.create(path "mail"))
      assert.is_true(writer:write("new"))
      writer:close()
      assert.are.equal("old", read "mail")
    end)

    it("is closed by a failure", function()
      assert.is_true(disk.folder(path "mail"))
      local writer = assert(disk.create(path "mail"))
      assert_failure("EISDIR", writer:commit(true))
      assert_failure("closed", writer:commit(true))
      assert.are.equal("mail", everything())
      assert_failure("ENOENT", disk.create(path "missing/mail"))
    end)

    it("leaves its .part to the next one when its process is killed", function()
      shell.run(child_command [[
        local disk = require "qqmail.disk"
        local writer = assert(disk.create(root .. "/mail"))
        assert(writer:write("half"))
        os.execute("kill -9 " .. disk.pid())
      ]])
      assert.are.equal("child.lua\nmail.part", everything())
      assert.are.equal("half", read "mail.part")
      assert.is_true(disk.write(path "mail", false, "whole"))
      assert.are.equal("child.lua\nmail", everything())
      assert.are.equal("whole", read "mail")
    end)
  end)

  describe("files", function()
    it("are renamed and removed", function()
      assert(disk.write(path "a", false, "1"))
      assert(disk.write(path "b", false, "2"))
      assert.is_true(disk.rename(path "a", path "b"))
      assert.are.equal("1", read "b")
      assert_failure("ENOENT", disk.rename(path "a", path "b"))
      assert.is_true(disk.remove(path "b"))
      assert_failure("ENOENT", disk.remove(path "b"))
    end)

    it("have a size and a time", function()
      assert(disk.write(path "a", false, "12345"))
      shell.run("touch -d @1000000000.5 " .. path "a")
      local size, time = disk.size(path "a")
      assert.are.equal(5, size)
      assert.are.equal(1000000000.5, time)
      shell.run(("cd %s && ln -s a link"):format(root))
      assert_failure("unsupported", disk.size(path "link"))
      assert_failure("unsupported", disk.size(root))
      assert_failure("ENOENT", disk.size(path "missing"))
    end)
  end)

  describe("lock", function()
    it("has one holder", function()
      local lock = assert(disk.lock(path "lock"))
      assert.are.equal("600", mode "lock")
      assert_failure("busy", disk.lock(path "lock"))
      lock:close()
      lock:close()
    end)

    it("is free when it is forgotten", function()
      local function take()
        local lock = assert(disk.lock(path "lock"))
        assert.are.equal(1, open_here())
        assert.is_userdata(lock) -- held until here
      end
      take()
      collectgarbage()
      collectgarbage()
      assert(disk.lock(path "lock")):close()
      assert.are.equal(0, open_here())
    end)

    it("is free when its holder was killed", function()
      local pipe = assert(io.popen("exec " .. child_command [[
        lock = assert(require("qqmail.disk").lock(root .. "/lock"))
        io.write(require("qqmail.disk").pid(), "\n")
        io.flush()
        require("qqmail.net").sleep(600)
      ]]))
      local pid = assert(tonumber(pipe:read("*l")))
      assert_failure("busy", disk.lock(path "lock"))
      shell.run(("kill -9 %d"):format(pid))
      pipe:close() -- waits for the end of the child
      assert(disk.lock(path "lock")):close()
    end)

    it("is another one when the file is", function()
      local lock = assert(disk.lock(path "lock"))
      assert.is_true(disk.remove(path "lock"))
      local other = assert(disk.lock(path "lock"))
      assert_failure("busy", disk.lock(path "lock"))
      lock:close()
      assert_failure("busy", disk.lock(path "lock"))
      other:close()
    end)

    it("is a regular file", function()
      put("file", "")
      shell.run(("cd %s && ln -s file link && mkfifo fifo"):format(root))
      assert_failure("ELOOP", disk.lock(path "link"))
      assert_failure("unsupported", disk.lock(path "fifo"))
      assert_failure("EISDIR", disk.lock(root))
      assert_failure("ENOENT", disk.lock(path "missing/lock"))
      assert_failure("ENOTDIR", disk.lock(path "file/lock"))
    end)
  end)

  it("reads regular files, of a folder alone where it is given", function()
    shell.run(("mkdir %s/top && ln -s ../b %s/top/link && mkfifo %s/top/fifo"):format(root, root,
      root))
    put("top/a", "some text")
    put("b", "")
    assert.equal("some text", disk.read(path "top/a", 100))
    assert.equal("some", disk.read(path "top/a", 4, path "top"))
    assert.equal("", disk.read(path "top/a", 0))
    assert.equal("", disk.read(path "top/link", 100))
    assert_failure("outside", disk.read(path "b", 100, path "top"))
    assert_failure("outside", disk.read(path "top/link", 100, path "top"))
    assert_failure("ENOENT", disk.read(path "c", 100, path "top"))
    assert_failure("ENOENT", disk.read(path "c", 100))
    assert_failure("ENOTDIR", disk.read(path "top/a/b", 100, path "top"))
    for _, name in ipairs({ "top/fifo", "top" }) do
      assert_failure("unsupported", disk.read(path(name), 100))
      assert_failure("unsupported", disk.read(path(name), 100, root))
    end
    assert.has_error(function() disk.read(path "b", -1) end)
  end)

  it("knows who it is", function()
    assert.are.equal(shell.run("id -u"), disk.uid() .. "\n")
    assert.is_true(disk.pid() > 1)
  end)

  it("refuses paths with a NUL byte", function()
    local bad = path "a\0b"
    for _, name in ipairs { "folder", "list", "create", "remove", "remove_folder", "size", "lock",
      "write" } do
      assert_failure("control_character", disk[name](bad))
    end
    assert_failure("control_character", disk.rename(bad, path "b"))
    assert_failure("control_character", disk.rename(path "b", bad))
    assert_failure("control_character", disk.read(bad, 1))
    assert_failure("control_character", disk.read(path "b", 1, bad))
    assert.are.equal("", everything())
  end)

  it("raises for wrong types alone", function()
    for _, call in ipairs {
      function() disk.folder() end,
      function() disk.list({}) end,
      function() disk.write(path "a", "text") end,
      function() disk.write(path "a", false, "text", {}) end,
      function() disk.write(path "a", false, "text", nil) end,
      function() disk.create(path "a"):write() end,
      function() disk.create(path "a"):commit(1) end,
      function() disk.rename(path "a") end,
      function() disk.lock(true) end,
    } do
      assert.has_error(call)
    end
    collectgarbage()
    collectgarbage()
    assert.are.equal("", everything())
  end)
end)
