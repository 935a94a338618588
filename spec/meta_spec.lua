-- Things that are written in more than one place, and must agree.
local shell = dofile("spec/support/shell.lua")

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function sorted(set)
  local out = {}
  for name in pairs(set) do
    out[#out + 1] = name
  end
  table.sort(out)
  return out
end

-- Every match of a pattern, sorted, each once.
local function all(text, pattern)
  local set = {}
  for name in text:gmatch(pattern) do
    set[name] = true
  end
  return sorted(set)
end

local function readme(suffix)
  return read("README" .. (suffix or "") .. ".md")
end

-- The rows of the table under a heading: first cells, without back quotes.
local function table_rows(text, heading)
  local section = assert(text:match("\n## " .. heading .. "\n(.-)\n## "), heading)
  local set = {}
  for cell in section:gmatch("\n| `([%w_]+)`") do
    set[cell] = true
  end
  return sorted(set)
end

describe("the version", function()
  local version = require("qqmail")._VERSION

  it("is plain SemVer", function()
    assert.is_truthy(version:find("^%d+%.%d+%.%d+$"))
  end)

  it("is the same in the C part", function()
    assert.are.equal(version, read("csrc/base/qm_version.h"):match('QM_VERSION "([^"]+)"'))
    assert.are.equal(version, require("qqmail.core")._VERSION)
  end)

  it("is the same in the rockspec", function()
    local path = ("rockspec/qqmail-%s-1.rockspec"):format(version)
    local text = read(path)
    assert.are.equal(version .. "-1", text:match('\nversion = "([^"]+)"'))
    assert.are.equal("v" .. version, text:match('tag = "([^"]+)"'))
  end)

  it("heads the changelog", function()
    local top = read("CHANGELOG.md"):match("\n## %[([^%]]+)%] %- %d%d%d%d%-%d%d%-%d%d\n")
    assert.are.equal(version, top)
  end)
end)

describe("made files", function()
  it("the rockspec lists what the tree and the Makefile have", function()
    local output, status = shell.run(shell.lua .. " tools/rockspec.lua")
    assert.are.equal(0, status, output)
  end)

  it("docs/options.md is what the option rows say", function()
    local output, status = shell.run("LUA_PATH='lua/?.lua;lua/?/init.lua;;' " .. shell.lua
      .. " tools/options_doc.lua")
    assert.are.equal(0, status, output)
  end)

  it("the options and exit codes of the command in docs/doctor.md are its own", function()
    local output, status = shell.run(shell.lua .. " tools/doctor_doc.lua")
    assert.are.equal(0, status, output)
  end)

  it("docs/providers.md is what the presets say", function()
    local output, status = shell.run("LUA_PATH='lua/?.lua;lua/?/init.lua;;' " .. shell.lua
      .. " tools/providers_doc.lua")
    assert.are.equal(0, status, output)
  end)

  it("docs/errors.md is what the catalogue says", function()
    local output, status = shell.run("LUA_PATH='lua/?.lua;lua/?/init.lua;;' " .. shell.lua
      .. " tools/errors_doc.lua")
    assert.are.equal(0, status, output)
  end)
end)

describe("the public face", function()
  local qqmail = require "qqmail"
  local types = read("types/qqmail.d.lua")

  local function functions_of(module)
    local set = {}
    for name, value in pairs(module) do
      if type(value) == "function" then
        set[name] = true
      end
    end
    return sorted(set)
  end

  it("is typed", function()
    assert.are.same(functions_of(qqmail), all(types, "\nfunction qqmail%.([%w_]+)%("))
  end)

  it("is in both READMEs", function()
    for _, suffix in ipairs { "", ".zh-CN" } do
      assert.are.same(functions_of(qqmail), all(readme(suffix), "\n| `qqmail%.([%w_]+)%("))
    end
  end)

  it("the methods of a mailer are typed and in the README", function()
    local mailer = assert(qqmail.new { io = "memory", host = "localhost", tls = "none" })
    local methods = {}
    for name, value in pairs(getmetatable(mailer).__index) do
      if type(value) == "function" and not name:find("^_") then
        methods[name] = true
      end
    end
    mailer:close()
    assert.are.same(sorted(methods), all(types, "\nfunction Mailer:([%w_]+)%("))
    assert.are.same(sorted(methods), all(readme(), "\n| `mailer:([%w_]+)%("))
  end)

  it("every option is typed", function()
    local class = types:match("%-%-%-@class qqmail%.Options\n(.-)\n\n")
    local typed = all(class, "%-%-%-@field ([%w_]+)")
    local wanted = {}
    for _, row in ipairs(require("qqmail.options").list) do
      if not row.unsupported then
        wanted[row.key:match("^[%w_]+")] = true
      end
    end
    assert.are.same(sorted(wanted), typed)
  end)

  it("every kind of error is in both READMEs and the types", function()
    local kinds = sorted(require("qqmail.errors").kinds)
    assert.are.same(kinds, table_rows(readme(), "Errors"))
    assert.are.same(kinds, table_rows(readme(".zh-CN"), "错误"))
    assert.are.same(kinds, all(types:match("@field kind ([^\n]+)"), '"([%w_]+)"'))
  end)
end)

describe("the READMEs and guides", function()
  -- Headings by their depth, and the lines of code without their comments.
  local function shape(text)
    local depths, code, inside = {}, {}, false
    for line in text:gmatch("[^\n]*") do
      if line:find("^%s*```") then
        inside = not inside
      elseif inside then
        code[#code + 1] = line:gsub("%s+%-%-.*$", ""):gsub("%s+#.*$", ""):gsub('"你好"', '"Hi"')
      elseif line:find("^#+ ") then
        depths[#depths + 1] = #line:match("^#+")
      end
    end
    return depths, code
  end

  it("have the same headings and the same code", function()
    for _, page in ipairs { "README", "docs/openresty", "docs/errors", "docs/troubleshooting",
      "docs/providers", "docs/templates", "docs/login", "docs/dkim", "docs/smime",
      "docs/messages" } do
      local depths, code = shape(read(page .. ".md"))
      local depths_zh, code_zh = shape(read(page .. ".zh-CN.md"))
      assert.are.same(depths, depths_zh)
      assert.are.same(code, code_zh)
    end
  end)

  it("point to files that are there", function()
    for _, page in ipairs { "README.md", "README.zh-CN.md", "CONTRIBUTING.md",
      "docs/openresty.md", "docs/openresty.zh-CN.md", "docs/templates.md",
      "docs/templates.zh-CN.md", "docs/messages.md", "docs/messages.zh-CN.md" } do
      local folder = page:match("^.*/") or "./"
      for target in read(page):gmatch("%]%(([%w_%./%-]+)%)") do
        local _, status = shell.run("test -e " .. shell.quote(folder .. target))
        assert.are.equal(0, status, page .. ": " .. target)
      end
    end
  end)

  it("hold Lua that compiles", function()
    local text = readme() .. read("docs/openresty.md") .. read("docs/errors.md")
      .. read("docs/troubleshooting.md") .. read("docs/templates.md") .. read("docs/dkim.md")
      .. read("docs/smime.md") .. read("docs/messages.md")
    for chunk in text:gmatch("```lua\n(.-)```") do
      local load_text = loadstring or load
      assert.is_truthy(load_text(chunk:gsub("…", "x")), chunk)
    end
  end)

  it("name only make targets that exist", function()
    local makefile = read("Makefile")
    for _, page in ipairs { "README.md", "README.zh-CN.md", "CONTRIBUTING.md" } do
      for target in read(page):gmatch("[\n`]make ([a-z][%w%-]*)") do
        assert.is_truthy(makefile:find("\n" .. target .. ":", 1, true), page .. ": " .. target)
      end
    end
  end)
end)

describe("the examples", function()
  it("compile", function()
    for _, path in ipairs { "01_plain", "02_html_attachment", "03_env", "04_errors",
      "05_many", "06_template", "07_forward",
      "openresty/alert/alert", "openresty/contact/contact", "openresty/digest/digest" } do
      assert(loadfile("examples/" .. path .. ".lua"))
    end
  end)
end)
