-- doctor_doc.lua [--write]: the made parts of docs/doctor.md and its Chinese twin. With
-- --write all of them, the examples from real runs in broken worlds (which needs private
-- namespaces and faketime); without, the options and exit codes are compared, and
-- spec/doctor_worlds_spec.lua compares the examples. Run from the root.
package.path = "./?.lua;" .. package.path

local errors = require "qqmail.errors"
local exit_codes = require "qqmail.cli.exit_codes"
local main = require "qqmail.cli.main"

local PAGES = {
  { path = "docs/doctor.md", lang = "en" }, { path = "docs/doctor.zh-CN.md", lang = "zh" },
}

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local PARTS = {}

function PARTS.options(lang)
  return "```text\n" .. main.help(main.commands[1], lang) .. "```\n"
end

-- Kinds that end in the same way share a row.
PARTS["exit-codes"] = function(lang)
  local numbers, by_number = {}, {}
  for _, row in ipairs(exit_codes.rows) do
    local number = exit_codes[row.name]
    if not by_number[number] then
      by_number[number] = { name = row.name, kinds = {} }
      numbers[#numbers + 1] = number
    end
    table.insert(by_number[number].kinds, "`" .. row.kind .. "`")
  end
  table.sort(numbers)
  local usage = errors.resolve({ en = "the command line is wrong", zh = "命令行有误" }, lang)
  local output = errors.resolve({ en = "the output cannot be written", zh = "无法写出结果" }, lang)
  local good = errors.resolve({ en = "no step failed", zh = "没有步骤失败" }, lang)
  by_number[exit_codes.USAGE] = { name = "USAGE", text = usage }
  by_number[exit_codes.IOERR] = { name = "IOERR", text = output }
  by_number[exit_codes.OK] = { name = "OK", text = good }
  for number in pairs({ [exit_codes.USAGE] = 1, [exit_codes.IOERR] = 1, [exit_codes.OK] = 1 }) do
    numbers[#numbers + 1] = number
  end
  table.sort(numbers)
  local lines = { lang == "zh" and "| 退出码 | 名称 | 错误类别（`err.kind`） |"
    or "| code | name | kind of the error |", "|---|---|---|" }
  for _, number in ipairs(numbers) do
    local row = by_number[number]
    lines[#lines + 1] = ("| %d | `EX_%s` | %s |"):format(number, row.name,
      row.text or table.concat(row.kinds, " "))
  end
  return table.concat(lines, "\n") .. "\n"
end

function PARTS.examples(lang)
  local examples = require "spec.support.doctor_examples"
  local out = {}
  for index, example in ipairs(examples.list) do
    local why = examples.missing(example)
    if why then
      error(example.name .. ": " .. why, 0)
    end
    out[index] = examples.markdown(example, lang)
  end
  return table.concat(out, "\n")
end

local QUICK = { "options", "exit-codes" }
local ALL = { "options", "exit-codes", "examples" }

-- The page with its made parts as they have to be.
local function make(text, lang, names)
  for _, name in ipairs(names) do
    local first, last = ("<!-- made: %s -->\n"):format(name), ("<!-- end: %s -->"):format(name)
    local _, from = text:find(first, 1, true)
    local till = text:find(last, 1, true)
    assert(from and till, "no marks of " .. name)
    text = text:sub(1, from) .. "\n" .. PARTS[name](lang) .. "\n" .. text:sub(till)
  end
  return text
end

local bad = 0
for _, page in ipairs(PAGES) do
  local text = read(page.path)
  if arg[1] == "--write" then
    write(page.path, make(text, page.lang, ALL))
    print("doctor_doc: wrote " .. page.path)
  elseif make(text, page.lang, QUICK) ~= text then
    print("doctor_doc: " .. page.path .. " is out of date: make doctor-doc")
    bad = 1
  end
end
os.exit(bad)
