-- The catalogue against the sources: no code without a row, no row without a use, and
-- nothing left out in either language.
local catalogue = require "qqmail.catalogue"
local diagnose = require "qqmail.diagnose"
local errors = require "qqmail.errors"
local options = require "qqmail.options"

-- First parts of codes that are no kinds.
local PREFIXES = { url = "config", dotenv = "config", template = "message", outbox = true,
  smime = "message" }

-- Files whose dotted words are names of something else.
local OTHER_WORDS = { ["lua/qqmail/catalogue.lua"] = true, ["lua/qqmail/io/reasons.lua"] = true }

local function lua_files()
  local out = {}
  local pipe = assert(io.popen("find lua -name '*.lua' | sort"))
  for path in pipe:lines() do
    if not path:find("^lua/qqmail/testing/") and not OTHER_WORDS[path] then
      out[#out + 1] = path
    end
  end
  pipe:close()
  return out
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function is_module(name)
  local file = io.open("lua/qqmail/" .. name:gsub("%.", "/") .. ".lua", "rb")
  return file ~= nil and file:close() ~= nil
end

-- Fields of messages and names of files that look like codes.
local NO_CODES = { ["smime.sign"] = true, ["smime.encrypt"] = true, ["smime.opaque"] = true,
  ["smime.p7m"] = true }

-- Strings of the sources that have the form of a code.
local function codes_in(path)
  local out = {}
  for text in read(path):gmatch('"([a-z_]+%.[a-z0-9_]+)"') do
    local first = text:match("^[a-z_]+")
    if (errors.kinds[first] or PREFIXES[first]) and not options.by_key[text]
      and not is_module(text) and not NO_CODES[text] then
      out[text] = path
    end
  end
  return out
end

local function used_codes()
  local out = { cancelled = "lua/qqmail/dispatch.lua" }
  for _, path in ipairs(lua_files()) do
    for code, where in pairs(codes_in(path)) do
      out[code] = where
    end
  end
  for name in read("lua/qqmail/url.lua"):gmatch('fault%("([a-z_]+)"') do
    out["url." .. name] = "lua/qqmail/url.lua"
  end
  for _, rule in ipairs(catalogue.rules) do
    out[rule.as] = "a rule"
  end
  return out
end

local function is_chinese(text)
  return text:find("[\228-\233][\128-\191][\128-\191]") ~= nil
end

local function check_text(text, where)
  assert.equal("table", type(text), where)
  for _, lang in ipairs { "en", "zh" } do
    local words = text[lang]
    assert.equal("string", type(words), where)
    for _, filler in ipairs { "TODO", "FIXME", "xxx", "lorem", "%s", "  " } do
      assert.is_nil(words:find(filler, 1, true), where .. ": " .. words)
    end
    assert.is_nil(words:find("^%s") or words:find("%s$"), where .. ": " .. words)
  end
  assert.is_true(is_chinese(text.zh), where .. ": " .. text.zh)
  assert.is_false(is_chinese(text.en), where .. ": " .. text.en)
end

-- Where the provider has no page of its own that is encrypted.
local CLEAR_URLS = { ["http://mail.163.com/help/help_spam_16.htm"] = true }

local function check_url(url, where)
  if url and not CLEAR_URLS[url] then
    assert.is_truthy(url:find("^https://[%w.-]+/[!-~]*$"), where .. ": " .. url)
  end
end

describe("the catalogue", function()
  it("lists every code the sources use", function()
    local missing = {}
    for code, where in pairs(used_codes()) do
      if not diagnose.code(code) then
        missing[#missing + 1] = code .. " of " .. where
      end
    end
    table.sort(missing)
    assert.same({}, missing)
  end)

  it("lists no code that nothing uses", function()
    local used, idle = used_codes(), {}
    for _, row in ipairs(catalogue.codes) do
      if not used[row.code] then
        idle[#idle + 1] = row.code
      end
    end
    assert.same({}, idle)
  end)

  it("lists each code once, with a kind and all that is to be said", function()
    local seen = {}
    for _, row in ipairs(catalogue.codes) do
      assert.is_nil(seen[row.code], row.code)
      seen[row.code] = true
      assert.is_true(errors.kinds[diagnose.kind_of(row.code)], row.code)
      assert.is_true(errors.retries[row.retry], row.code)
      assert.is_true(row.retry_after == nil or row.retry == "later", row.code)
      check_text(row.cause, row.code)
      check_text(row.hint, row.code)
      check_url(row.url, row.code)
    end
  end)

  it("keeps the codes of a kind together where their names do", function()
    local seen, last = {}, nil
    for _, row in ipairs(catalogue.codes) do
      local kind = diagnose.kind_of(row.code)
      if not row.code:find("^outbox") and kind == row.code:match("^[^.]+") and kind ~= last
        and not row.warning then
        assert.is_nil(seen[kind], row.code)
        seen[kind], last = true, kind
      end
    end
  end)

  it("has a title and a general advice for each kind", function()
    local seen = {}
    for _, row in ipairs(catalogue.kinds) do
      check_text(row.title, row.kind)
      check_text(row.hint, row.kind)
      seen[row.kind] = true
    end
    assert.same(errors.kinds, seen)
    check_text(catalogue.when_unknown, "when_unknown")
  end)

  it("has only rules that lead somewhere", function()
    for i, rule in ipairs(catalogue.rules) do
      local where = ("rule %d, %s"):format(i, rule.as)
      assert.is_table(diagnose.code(rule.as), where)
      for _, phase in ipairs(rule.phase or {}) do
        assert.is_true(errors.phases[phase], where)
      end
      for _, part in ipairs(rule.text or {}) do
        assert.equal(diagnose.lower(part), part, where)
      end
      if rule.hint then
        check_text(rule.hint, where)
      end
      check_url(rule.url, where)
      local is_failure = rule.failure or rule.reason ~= nil
      assert.equal(is_failure, rule.says ~= nil, where)
    end
  end)

  it("binds short and common words to a code or a phase", function()
    for i, rule in ipairs(catalogue.rules) do
      for _, part in ipairs(rule.text or {}) do
        local is_plain = not part:find("[%s:#%[]")
        local is_bound = rule.code or rule.phase or rule.enhanced
        assert.is_true(not is_plain or #part > 10 or is_bound ~= nil,
          ("rule %d: %s"):format(i, part))
      end
    end
  end)

  it("has no rule that stands behind one that takes all it would take", function()
    local function covers(wide, narrow)
      for _, name in ipairs { "phase", "code", "enhanced", "host", "reason", "port", "tls",
        "address", "text" } do
        for _, value in ipairs(wide[name] and (narrow[name] or { false }) or {}) do
          local found = false
          for _, item in ipairs(wide[name]) do
            found = found or item == value
          end
          if not found then
            return false
          end
        end
      end
      return not wide.ipv6 and (wide.failure or wide.reason ~= nil)
        == (narrow.failure or narrow.reason ~= nil)
    end
    for i, rule in ipairs(catalogue.rules) do
      for j = 1, i - 1 do
        assert.is_false(covers(catalogue.rules[j], rule),
          ("rule %d (%s) hides rule %d (%s)"):format(j, catalogue.rules[j].as, i, rule.as))
      end
    end
  end)

  it("has every code that the pages for users name, and the pages every place they point to",
    function()
      for _, page in ipairs { "troubleshooting", "errors" } do
        for _, suffix in ipairs { ".md", ".zh-CN.md" } do
          local text = read("docs/" .. page .. suffix)
          for code in text:gmatch("`([a-z]+%.[a-z0-9_]+)`") do
            local first = code:match("^[a-z]+")
            if errors.kinds[first] or PREFIXES[first] then
              assert.is_table(diagnose.code(code), page .. suffix .. ": " .. code)
            end
          end
          for anchor in text:gmatch("%]%(#([^%)]+)%)") do
            local id = text:find('<a id="' .. anchor .. '"></a>', 1, true) ~= nil
            local title = "\n## " .. anchor:gsub("-", " ")
            local heading = ("\n" .. text:lower()):find(title, 1, true)
            assert.is_true(id or heading ~= nil, page .. suffix .. ": " .. anchor)
          end
        end
      end
    end)

  it("is followed by the errors of a kind that differs from the code's name", function()
    assert.equal("timeout", diagnose.kind_of("connect.timeout"))
    assert.equal("config", diagnose.kind_of("url.host"))
    assert.equal("auth", diagnose.kind_of("auth.of_my_own"))
  end)
end)
