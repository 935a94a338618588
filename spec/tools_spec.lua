local shell = dofile("spec/support/shell.lua")

local TALLY = "tools/tally.sh"

local function last_line(text)
  return text:match("([^\n]*)\n$")
end

describe("tally.sh", function()
  local root, remove

  before_each(function()
    root, remove = shell.folder()
  end)

  after_each(function()
    remove()
  end)

  local function tally(...)
    local words = { TALLY }
    for _, entry in ipairs { ... } do
      words[#words + 1] = shell.quote(entry)
    end
    local output, status = shell.run(table.concat(words, " "))
    return last_line(output), status
  end

  it("adds up", function()
    local line, status = tally("a: echo '3 passed, 0 failed, 1 skipped'",
      "b: echo noise; echo '39 passed, 0 failed, 0 skipped'")
    assert.are.equal("42 passed, 0 failed, 1 skipped", line)
    assert.are.equal(0, status)
  end)

  it("takes the last report of a suite", function()
    local line = tally("a: echo '3 passed, 0 failed, 0 skipped';"
      .. " echo '5 passed, 0 failed, 0 skipped'")
    assert.are.equal("5 passed, 0 failed, 0 skipped", line)
  end)

  it("fails when a test failed, and runs the rest all the same", function()
    local line, status = tally("a: echo '1 passed, 2 failed, 0 skipped'; exit 1",
      "b: echo '1 passed, 0 failed, 0 skipped'")
    assert.are.equal("2 passed, 2 failed, 0 skipped", line)
    assert.are.equal(1, status)
  end)

  it("counts a suite that reports nothing as failed", function()
    local line, status = tally("a: true", "b: echo '1 passed, 0 failed, 0 skipped'")
    assert.are.equal("1 passed, 1 failed, 0 skipped", line)
    assert.are.equal(1, status)
  end)

  it("counts a suite without tests as failed", function()
    local line = tally("a: echo '0 passed, 0 failed, 0 skipped'")
    assert.are.equal("0 passed, 1 failed, 0 skipped", line)
  end)

  it("counts a suite that dies after a clean report as failed", function()
    local line = tally("a: echo '4 passed, 0 failed, 0 skipped'; kill -9 $$")
    assert.are.equal("4 passed, 1 failed, 0 skipped", line)
  end)

  it("runs several at a time when told to, each in one piece", function()
    local output, status = shell.run(TALLY .. " -j 2 " .. shell.quote("a: "
      .. "until [ -e " .. root .. "/b ]; do :; done; echo A; "
      .. "echo '1 passed, 0 failed, 0 skipped'") .. " " .. shell.quote("b: touch " .. root
      .. "/b; echo B; echo '2 passed, 1 failed, 0 skipped'"))
    assert.are.equal("3 passed, 1 failed, 0 skipped", last_line(output))
    assert.are.equal(1, status)
    assert.is_truthy(output:find("b: B\n2 passed", 1, true), output)
    assert.is_truthy(output:find("a: A\n1 passed", 1, true), output)
  end)

  it("fails when there is nothing to run", function()
    local line, status = tally()
    assert.are.equal("0 passed, 1 failed, 0 skipped", line)
    assert.are.equal(1, status)
  end)
end)

describe("the busted output handler", function()
  local root, remove

  before_each(function()
    root, remove = shell.folder()
  end)

  after_each(function()
    remove()
  end)

  local function run(spec, flags)
    shell.write(root .. "/x_spec.lua", spec)
    local output, status = shell.run(('%s "$(command -v busted)" -f .busted'
      .. " --output=spec/support/counting_handler.lua %s %s/x_spec.lua"):format(shell.lua,
      flags or "", root))
    return last_line(output), status
  end

  it("counts each kind of outcome", function()
    local line, status = run([[
      it("passes", function() end)
      it("fails", function() assert.is_true(false) end)
      it("raises", function() error("x") end)
      it("is skipped", function() pending("later") end)
      describe("d", function() teardown(function() error("x") end) it("passes", function() end) end)
    ]])
    assert.are.equal("2 passed, 3 failed, 1 skipped", line)
    assert.are_not.equal(0, status)
  end)

  it("reports a file that does not load", function()
    local line, status = run("it(")
    assert.are.equal("0 passed, 1 failed, 0 skipped", line)
    assert.are_not.equal(0, status)
  end)

  it("reports nothing when a helper does not load", function()
    shell.write(root .. "/helper.lua", "error('x')")
    local line, status = run("it('passes', function() end)", "--helper=" .. root .. "/helper.lua")
    assert.is_nil((line or ""):find("passed"))
    assert.are_not.equal(0, status)
  end)
end)

-- A small tree that breaks no rule; each case adds one file.
local function tree()
  local root, remove = shell.folder()
  shell.write(root .. "/csrc/base/qm_a.h", "int qm_a_get(void);\n")
  shell.write(root .. "/csrc/base/qm_a.c", table.concat({
    '#include "base/qm_a.h"', "", "int qm_a_get(void)", "{", "    return 1;", "}", "",
  }, "\n"))
  shell.write(root .. "/spec/c/test_a.c", "int main(void)\n{\n    return 0;\n}\n")
  return root, remove
end

describe("check_floors.lua", function()
  local root, remove

  before_each(function()
    root, remove = tree()
  end)

  after_each(function()
    remove()
  end)

  local function check()
    return shell.run(shell.lua .. " tools/check_floors.lua " .. root)
  end

  it("is content with a clean tree", function()
    local output, status = check()
    assert.are.equal("check_floors: 3 files, 0 offences\n", output)
    assert.are.equal(0, status)
  end)

  local PLANTS = {
    { "an upper floor", "csrc/base/qm_x.c", '#include "codec/qm_a.h"\n',
      "csrc/base/qm_x.c:1: floor base must not include floor codec" },
    { "a sister floor", "csrc/smtp/qm_x.c", '\n#include "mime/qm_a.h"\n',
      "csrc/smtp/qm_x.c:2: floor smtp must not include floor mime" },
    { "a quote include without its floor", "csrc/codec/qm_x.c", '#include "qm_a.h"\n',
      'csrc/codec/qm_x.c:1: "qm_a.h" does not begin with its floor' },
    { "a climbing include", "csrc/codec/qm_x.c", '#include "../lua/lq_a.h"\n',
      'csrc/codec/qm_x.c:1: "../lua/lq_a.h" does not begin with its floor' },
    { "an unknown floor", "csrc/attic/qm_x.c", "int x;\n", "csrc/attic/qm_x.c:1: not on a floor" },
    { "Lua below", "csrc/mime/qm_x.c", "#include <lua.h>\n", "<lua.h> is not for floor mime" },
    { "OpenSSL outside tls", "csrc/smtp/qm_x.c", "#  include <openssl/ssl.h>\n",
      "<openssl/ssl.h> is not for floor smtp" },
    { "sockets outside net", "csrc/tls/qm_x.c", "#include <sys/socket.h>\n",
      "<sys/socket.h> is not for floor tls" },
    { "ctype", "csrc/base/qm_x.c", "#include <ctype.h>\n", "<ctype.h> is not for floor base" },
    { "a banned function", "csrc/base/qm_x.c", "int f(void)\n{\n    return atoi(s);\n}\n",
      "csrc/base/qm_x.c:3: atoi() is banned" },
    { "the heap", "csrc/codec/qm_x.c", "    p = malloc(3);\n",
      "malloc(): the heap is reached through base/qm_mem.h" },
    { "a struct typedef", "csrc/base/qm_x.h", "typedef struct a b;\n", "no typedef of structs" },
    { "a wide line", "csrc/base/qm_x.h", "/* " .. ("x"):rep(78) .. " */\n",
      "84 columns, 80 allowed" },
    { "white space at the end", "spec/c/test_x.c", "int x; \n", "spec/c/test_x.c:1: white space" },
    { "a long file", "csrc/base/qm_x.h", ("int x;\n"):rep(601), "601 lines, 600 allowed" },
    { "a wide Lua line", "lua/x.lua", "-- " .. ("x"):rep(98) .. "\n", "101 columns, 100 allowed" },
  }

  for _, plant in ipairs(PLANTS) do
    it("finds " .. plant[1], function()
      shell.write(root .. "/" .. plant[2], plant[3])
      local output, status = check()
      assert.is_truthy(output:find(plant[4], 1, true), output)
      assert.are.equal(1, status)
    end)
  end

  it("does not mind words in comments and strings, fields, or longer names", function()
    shell.write(root .. "/csrc/base/qm_x.c", table.concat({
      "/* atoi(s) and", " * malloc(3) */ // free(p)", '    x = "atoi(s)\\"malloc(3)";',
      "    m->free(p);", "    qm_mem_free(p);", "    a.exit(1);",
      "/* " .. ("é"):rep(70) .. " */", "",
    }, "\n"))
    local output = check()
    assert.are.equal("check_floors: 4 files, 0 offences\n", output)
  end)

  it("fails when there is nothing to check", function()
    shell.run("rm -r " .. root .. "/csrc " .. root .. "/spec")
    assert.are.equal(1, select(2, check()))
  end)
end)

describe("check_functions.lua", function()
  local root, remove

  before_each(function()
    root, remove = tree()
  end)

  after_each(function()
    remove()
  end)

  local function check()
    return shell.run(shell.lua .. " tools/check_functions.lua " .. root)
  end

  local function body(lines)
    return "int f(int a,\n      int b)\n{\n" .. ("    x();\n"):rep(lines - 2) .. "}\n"
  end

  it("is content with short functions", function()
    local output, status = check()
    assert.are.equal("check_functions: 2 functions, median 3, 90 % at most 3, longest 3 lines\n",
      output)
    assert.are.equal(0, status)
  end)

  it("finds one that is too long", function()
    shell.write(root .. "/csrc/base/qm_x.c", body(80))
    assert.is_nil((check()):find("f() has", 1, true))
    shell.write(root .. "/csrc/base/qm_x.c", body(81))
    local output, status = check()
    local wanted = "csrc/base/qm_x.c:3: f() has 81 lines, 80 allowed"
    assert.is_truthy(output:find(wanted, 1, true), output)
    assert.are.equal(1, status)
  end)

  it("finds too many long ones", function()
    shell.write(root .. "/csrc/base/qm_x.c", body(41))
    local output, status = check()
    assert.is_truthy(output:find("90th percentile is 41 lines", 1, true), output)
    assert.are.equal(1, status)
  end)
end)

describe("check_exports.sh", function()
  local root, remove

  before_each(function()
    root, remove = shell.folder()
  end)

  after_each(function()
    remove()
  end)

  local function check(source)
    shell.write(root .. "/x.c", source)
    local made, failed = shell.run(("cc -shared -fPIC -o %s/thing.so %s/x.c"):format(root, root))
    assert.are.equal(0, failed, made)
    return shell.run("tools/check_exports.sh " .. root .. "/thing.so")
  end

  it("wants luaopen_ and nothing else", function()
    assert.are.equal(0, select(2, check("int luaopen_qqmail_thing(void) { return 0; }\n")))
    local output, status = check("int luaopen_qqmail_thing(void) { return 0; }\nint leak;\n")
    assert.is_truthy(output:find("exports [leak luaopen_qqmail_thing ]", 1, true), output)
    assert.are.equal(1, status)
    assert.are.equal(1, select(2, check("int luaopen_other(void) { return 0; }\n")))
  end)
end)
