local dotenv = require "qqmail.dotenv"
local errors = require "qqmail.errors"

local CORPUS = "../shared/corpora/dotenv/cases.jsonl"

-- Rows of the corpus that ask for expansion. Their agreed keys are required of
-- us all the same, since agreed values never depend on it; what is skipped is
-- the comparison with the parsers that expand, because we never do.
local NO_EXPANSION = "$NAME is ordinary text here"

local function parse(text)
  local vars, info = dotenv.parse(text)
  assert.is_table(vars, tostring(info))
  return vars, info
end

local function fails(text)
  local vars, err = dotenv.parse(text)
  assert.is_nil(vars)
  assert.is_true(errors.is(err))
  return err
end

describe("dotenv", function()
  before_each(function()
    errors.set_lang("en")
  end)
  after_each(function()
    errors.set_lang(nil)
  end)

  it("reads plain values", function()
    assert.are.same({ A = "1", B = "two words", C = "", ["D.E-F"] = "x" },
      parse "A=1\n  B = two words \t\nC=\nD.E-F=x")
  end)

  it("takes export", function()
    assert.are.same({ A = "1", B = "2", exportC = "3", export = "4" },
      parse "export A=1\n \texport\t B=2\nexportC=3\nexport=4\n")
  end)

  it("takes # as a comment only after white space", function()
    assert.are.same({ A = "a#b", B = "a", C = "#c", D = "", E = "x", F = "y#z" },
      parse "# top\nA=a#b\nB=a # b\nC=#c\nD= # d\nE='x'#e\nF=\"y#z\" # f\n")
  end)

  it("expands nothing", function()
    assert.are.same({ A = "$HOME", B = "${HOME}x", C = "$(id)", D = "`id`x" },
      parse "A=$HOME\nB=\"${HOME}x\"\nC=$(id)\nD='`id`x'\n")
  end)

  it("knows five escapes in double quotes and none elsewhere", function()
    assert.are.same({ A = "1\n2\r3\t4\\5\"6\\z\\$", B = "a\\nb", C = "a\\nb", D = "a\\nb" },
      parse 'A="1\\n2\\r3\\t4\\\\5\\"6\\z\\$"\nB=\'a\\nb\'\nC=`a\\nb`\nD=a\\nb\n')
  end)

  it("keeps an escaped backslash before the closing quote", function()
    assert.are.same({ A = "x\\", B = "y" }, parse 'A="x\\\\"\nB=y')
  end)

  it("reads quoted values over several lines and counts them", function()
    local vars, info = parse "A=\"1\n2\"\nB='3\n4\n'\nC=`5`\n"
    assert.are.same({ A = "1\n2", B = "3\n4\n", C = "5" }, vars)
    assert.are.same({ A = 1, B = 3, C = 6 }, info.lines)
  end)

  it("drops a byte order mark and takes every line end", function()
    assert.are.same({ A = "1", B = "2", C = "3\n4" },
      parse "\239\187\191A=1\r\nB=2\rC='3\r\n4'\r\n")
  end)

  it("lets the last of equal names win", function()
    assert.are.same({ A = "2" }, parse "A=1\nA=2\n")
  end)

  it("names the line where an unclosed quote began, and not the value", function()
    for _, quote in ipairs { '"', "'", "`" } do
      local err = fails("A=1\nPASSWORD=" .. quote .. "hunter2\nB=2\n")
      assert.are.equal("dotenv.unterminated", err.code)
      assert.are.equal(2, err.line)
      assert.is_truthy(tostring(err):find(".env:2", 1, true))
      assert.is_nil(tostring(err):find("hunter2", 1, true))
    end
  end)

  it("refuses text behind the closing quote", function()
    local err = fails("A='it's'\n")
    assert.are.equal("dotenv.trailing", err.code)
    assert.are.equal(1, err.line)
  end)

  it("warns of lines that are no assignment, without their text", function()
    local vars, info = parse "hunter2 secret\nA=1\nB: 2\n=x\n"
    assert.are.same({ A = "1" }, vars)
    local lines = {}
    for i, warning in ipairs(info.warnings) do
      lines[i] = warning.line
      assert.is_nil(warning.message:find("hunter2", 1, true))
    end
    assert.are.same({ 1, 3, 4 }, lines)
  end)

  it("refuses more than 1 MiB", function()
    local full = "A=" .. ("x"):rep(dotenv.MAX_SIZE - 2)
    assert.are.equal(dotenv.MAX_SIZE - 2, #parse(full).A)
    assert.are.equal("dotenv.too_large", fails(full .. "x").code)
  end)

  it("takes one pass over hostile input", function()
    local many = 200000
    parse("A=" .. (" "):rep(many) .. "x" .. (" "):rep(many) .. "y\n")
    parse(("A= x\n"):rep(many))
    parse((" "):rep(many) .. "A" .. (" "):rep(many) .. "B")
    fails('A="' .. ("\\"):rep(many))
    parse("A='" .. ("\\'"):rep(many) .. "'")
    parse(("export "):rep(many / 2))
  end)

  describe("load", function()
    it("tells an absent file from an unreadable one", function()
      local vars, err = dotenv.load("spec/no/such/.env")
      assert.is_nil(vars)
      assert.is_nil(err)
      assert.is_nil(dotenv.load("spec"))
      vars, err = dotenv.load(".env", {
        read_file = function()
          return nil, "Permission denied"
        end,
      })
      assert.is_nil(vars)
      assert.are.equal("dotenv.unreadable", err.code)
    end)

    it("reads a file", function()
      local path = os.tmpname()
      local file = assert(io.open(path, "wb"))
      file:write("A=1\n")
      file:close()
      local vars = dotenv.load(path)
      os.remove(path)
      assert.are.same({ A = "1" }, vars)
    end)

    it("says when everybody may read the file", function()
      local function public(mode)
        local _, info = dotenv.load(".env", {
          read_file = function()
            return "A=1"
          end,
          mode = function()
            return mode
          end,
        })
        return info.public
      end
      assert.is_true(public(tonumber("644", 8)))
      assert.is_false(public(tonumber("640", 8)))
      assert.is_false(public(nil))
    end)
  end)
end)

local function rows()
  local file = io.open(CORPUS)
  if not file then
    return nil
  end
  local json = require "spec.support.json"
  local list = {}
  for line in file:lines() do
    list[#list + 1] = json.decode(line)
  end
  file:close()
  return list
end

-- Values none of the three parsers reads as we do, and why.
local ESCAPES = [[in double quotes five escapes are known: "\ " and "\a" are none of them]]
local OURS = {
  ["godotenv/godotenv_test.go/compare/32"] = { why = ESCAPES, FOO = "bar\\\n\\ b\\az" },
  ["godotenv/godotenv_test.go/compare/33"] = { why = ESCAPES, FOO = "bar\\r\\ b\\az" },
}

local function has_same_keys(one, other)
  for key in pairs(one) do
    if other[key] == nil then
      return false
    end
  end
  for key in pairs(other) do
    if one[key] == nil then
      return false
    end
  end
  return true
end

-- Beyond what all agree on: the keys are those one of the parsers finds, and each
-- value is what one of them reads. An error is one where a parser gives one too.
local function check_company(row, vars, err)
  local keys_known, seen = false, {}
  for _, name in ipairs({ "dotenv_js", "godotenv", "python_dotenv" }) do
    local answer = row[name]
    if vars and answer.vars then
      keys_known = keys_known or has_same_keys(vars, answer.vars)
    elseif err and answer.error then
      keys_known = true
    end
    for key, value in pairs(answer.vars or {}) do
      seen[key] = seen[key] or {}
      seen[key][value] = true
    end
  end
  assert.is_true(keys_known, row.id)
  for key, value in pairs(vars or {}) do
    local ours = OURS[row.id]
    if ours then
      assert.are.equal(ours[key], value, ours.why)
    else
      assert.is_true(seen[key][value], row.id .. ": " .. key)
    end
  end
end

describe("dotenv corpus", function()
  local list = rows()
  if not list then
    pending("agreed values of three parsers (corpus absent)")
    return
  end

  for _, row in ipairs(list) do
    it("agrees: " .. row.id, function()
      local vars, err = dotenv.parse(row.input)
      for key, value in pairs(row.agreed_keys or {}) do
        assert.is_table(vars, tostring(err))
        assert.are.equal(value, vars[key])
      end
      if row.consensus then
        assert.are.same(row.consensus, vars)
      end
      check_company(row, vars, not vars and err)
    end)

    if row.has_expansion then
      it("keeps the dollar: " .. row.id .. " (" .. NO_EXPANSION .. ")", function()
        local vars = assert(dotenv.parse(row.input))
        local dollars = 0
        for _, value in pairs(vars) do
          dollars = dollars + (value:find("$", 1, true) and 1 or 0)
        end
        assert.is_true(dollars > 0)
      end)
    end
  end
end)
