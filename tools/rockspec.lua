-- rockspec.lua [--write]: makes the rockspec from the tree.
--
-- Without --write it only compares: exit status 1 when the committed file is
-- not what the tree asks for, or is not the only one. Run from the root. The
-- sources of the C modules come from the Makefile, the version from
-- csrc/base/qm_version.h, the Lua modules from lua/.

local REVISION = 1

-- What each C module is linked with.
local LINKS = {
  ["qqmail.core"] = { libraries = { "dl" } },
  ["qqmail.crypto"] = { libraries = { "crypto" }, openssl = true },
  ["qqmail.disk"] = { libraries = { "dl" } },
  ["qqmail.net"] = { libraries = { "pthread", "dl" } },
  ["qqmail.tls"] = { libraries = { "ssl", "crypto" }, openssl = true },
}

local HEAD = [[
-- Made by tools/rockspec.lua; `make rockspec` writes it anew.
rockspec_format = "3.0"
package = "qqmail"
version = "%s-%d"
source = {
  -- No public address yet (RFC 2606 name); `luarocks make` builds the checkout.
  url = "git+https://example.invalid/qqmail.git",
  tag = "v%s",
}
description = {
  summary = "E-mail over SMTP, with verified TLS and a C core",
  detailed = [=[
qqmail sends e-mail through an SMTP server: presets for QQ Mail and others,
implicit TLS and STARTTLS with certificate verification on, messages with
text, HTML, attachments and inline images, and errors that say what to do.
The protocol and MIME work is done in C; there are no rock dependencies.]=],
  license = "MIT",
  labels = { "email", "smtp", "mime", "tls", "network" },
}
supported_platforms = { "linux" }
dependencies = { "lua >= 5.1, < 5.5" }
external_dependencies = {
  OPENSSL = { header = "openssl/ssl.h", library = "ssl" },
}
build = {
  type = "builtin",
  modules = {
]]

local TAIL = [[
  },
  install = { bin = { "bin/qqmail" } },
  copy_directories = { "types", "examples" },
}
test = {
  type = "command",
  command = "make test",
}
]]

local function lines_of(command)
  local out = {}
  local pipe = assert(io.popen(command))
  for line in pipe:lines() do
    out[#out + 1] = line
  end
  pipe:close()
  return out
end

local function read(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local text = file:read("*a")
  file:close()
  return text
end

local function quoted(list)
  local out = {}
  for index, item in ipairs(list) do
    out[index] = ("%q"):format(item)
  end
  return table.concat(out, ", ")
end

local function c_module(name, sources)
  local link = assert(LINKS[name], "no link line for " .. name)
  local out = { ('    ["%s"] = {\n      sources = {\n'):format(name) }
  for _, source in ipairs(sources) do
    out[#out + 1] = ("        %q,\n"):format(source)
  end
  out[#out + 1] = "      },\n"
  if link.openssl then
    out[#out + 1] = '      incdirs = { "csrc", "$(OPENSSL_INCDIR)" },\n'
    out[#out + 1] = '      libdirs = { "$(OPENSSL_LIBDIR)" },\n'
  else
    out[#out + 1] = '      incdirs = { "csrc" },\n'
  end
  if #link.libraries > 0 then
    out[#out + 1] = ("      libraries = { %s },\n"):format(quoted(link.libraries))
  end
  out[#out + 1] = "    },\n"
  return table.concat(out)
end

local function lua_module(path)
  local name = path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
  return ('    ["%s"] = %q,\n'):format(name, path)
end

local function modules()
  local out = {}
  for _, line in ipairs(lines_of("make -s --no-print-directory print-sources")) do
    local words = {}
    for word in line:gmatch("%S+") do
      words[#words + 1] = word
    end
    out[#out + 1] = c_module(table.remove(words, 1), words)
  end
  for _, path in ipairs(lines_of("find lua -name '*.lua' | LC_ALL=C sort")) do
    out[#out + 1] = lua_module(path)
  end
  return table.concat(out)
end

local version = assert(read("csrc/base/qm_version.h"), "run from the root")
  :match('#define QM_VERSION "([^"]+)"')
local path = ("rockspec/qqmail-%s-%d.rockspec"):format(version, REVISION)
local text = HEAD:format(version, REVISION, version) .. modules() .. TAIL

if arg[1] == "--write" then
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
  print("rockspec: wrote " .. path)
  os.exit(0)
end

local found = lines_of("ls rockspec/*.rockspec *.rockspec 2>/dev/null")
if #found ~= 1 or found[1] ~= path then
  print(("rockspec: there should be %s alone, there is [%s]"):format(path,
    table.concat(found, " ")))
  os.exit(1)
end
if read(path) ~= text then
  print("rockspec: " .. path .. " is not what the tree asks for: make rockspec")
  os.exit(1)
end
print("rockspec: " .. path .. " agrees with the tree")
