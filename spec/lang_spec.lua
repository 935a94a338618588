-- In which language errors speak, from the first one on: under each environment a
-- program of its own.
local LUA, BUILD = os.getenv("LUA") or "lua", os.getenv("QQMAIL_BUILD") or "build/lua5.4"

-- Prints the language and the text of errors that are made before there is a mailer, and
-- of one that a mailer makes.
local PROGRAM = [[
package.path, package.cpath = "lua/?.lua;lua/?/init.lua;" .. package.path, "%s/?.so"
local qqmail = require "qqmail"
local given = %s
local function options(more)
  for key, value in pairs(given) do
    more[key] = value
  end
  return more
end
local function show(_, err)
  print(err.lang, err.hint ~= nil and err.message .. " " .. err.hint)
end
show(qqmail.new(options { host = "smtp@qq.com" }))
show(qqmail.new(options { hots = "x" }))
show(qqmail.new(options { host = "h", rules = { {} } }))
show(qqmail.new(options { url = "nonsense" }))
show(qqmail.new(options { host = "h", failover = { { hots = 1 } } }))
show(qqmail.config(options { host = "h", port = 465, tls = "starttls" }))
local mailer = assert(qqmail.new(options { host = "h" }))
show(mailer:send { from = "a@b.c" })
mailer:close()
show(mailer:send { from = "a@b.c", to = "a@b.c" })
if not given.lang then
  show(qqmail.message { to = 5 })
  show(nil, qqmail.errors.new { kind = "auth", code = "auth.refused", text = { en = "no",
    zh = "不" } })
end
]]

local function run(environment, given)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(PROGRAM:format(BUILD, given or "{}"))
  file:close()
  local pipe = assert(io.popen(("env -u QQMAIL_LANG -u LC_ALL -u LC_MESSAGES -u LANG %s %s %s 2>&1")
    :format(environment, LUA, path)))
  local text = pipe:read("*a")
  pipe:close()
  os.remove(path)
  return text
end

local function check(environment, lang, given)
  local text, count = run(environment, given), 0
  for line in text:gmatch("[^\n]+") do
    count = count + 1
    local first, rest = line:match("^(%S+)\t(.+)$")
    assert.equal(lang, first, environment .. ": " .. line)
    local is_chinese = rest:find("[\228-\233][\128-\191][\128-\191]") ~= nil
    assert.equal(lang == "zh", is_chinese, environment .. ": " .. line)
  end
  assert.equal(given and given:find("lang", 1, true) and 8 or 10, count, text)
end

describe("the language of errors", function()
  for environment, lang in pairs {
    [""] = "en",
    ["LANG=zh_CN.UTF-8"] = "zh",
    ["LANG=zh_TW"] = "zh",
    ["LANG=zh.UTF-8"] = "zh",
    ["LANG=zh"] = "zh",
    ["LANG=zh-Hans"] = "zh",
    ["LC_MESSAGES=zh_CN.UTF-8 LANG=en_US.UTF-8"] = "zh",
    ["LC_MESSAGES=en_US.UTF-8 LANG=zh_CN.UTF-8"] = "en",
    ["LC_ALL=C LANG=zh_CN.UTF-8"] = "en",
    ["LC_ALL=POSIX LANG=zh_CN.UTF-8"] = "en",
    ["LC_ALL= LANG=zh_CN.UTF-8"] = "zh",
    ["LANG=C.UTF-8"] = "en",
    ["LANG=zha_CN"] = "en",
    ["LANG=de_DE.UTF-8"] = "en",
    ["QQMAIL_LANG=zh LC_ALL=C"] = "zh",
    ["QQMAIL_LANG=zh_CN.UTF-8"] = "zh",
    ["QQMAIL_LANG=en LC_ALL=zh_CN.UTF-8"] = "en",
  } do
    it("is " .. lang .. " under: " .. environment, function()
      check(environment, lang)
    end)
  end

  it("is that of the option, whatever the environment says", function()
    check("LC_ALL=C QQMAIL_LANG=en", "zh", '{ lang = "zh" }')
    check("LC_ALL=zh_CN.UTF-8 QQMAIL_LANG=zh", "en", '{ lang = "en" }')
  end)
end)
