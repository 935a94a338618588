--- The command `qqmail`: finds the subcommand, gives help, answers an exit code.
-- @module qqmail.cli.main

local arguments = require("qqmail.cli.arguments")
local covers = require("qqmail.cover")
local errors = require("qqmail.errors")
local exit_codes = require("qqmail.cli.exit_codes")
local layout = require("qqmail.doctor.layout")
local suggest = require("qqmail.suggest")

local M = {}

--- The subcommands, in the order of the help. A module has `summary`, `about`, `options`,
-- `run(given, world)` and maybe `misuse(words)`.
M.commands = {
  { name = "doctor", module = "qqmail.cli.doctor" },
}

local HELP_ROW = { name = "help", doc = { en = "this text", zh = "显示本说明" } }

local WORDS = {
  usage = { en = "Usage: qqmail %s", zh = "用法：qqmail %s" },
  commands = { en = "Commands:", zh = "子命令：" },
  options = { en = "Options:", zh = "选项：" },
  more = { en = "`qqmail help COMMAND` tells more about one of them.",
    zh = "`qqmail help 子命令` 显示详细说明。" },
  try = { en = "See `qqmail %s`.", zh = "参见 `qqmail %s`。" },
  version = { en = "version of qqmail", zh = "显示版本" },
  help = { en = "help with a command", zh = "显示子命令的说明" },
}

local function say(lang, text)
  return errors.resolve(text, lang)
end

local function find(name)
  for _, command in ipairs(M.commands) do
    if command.name == name then
      return command
    end
  end
end

local function names()
  local out = { "help" }
  for _, command in ipairs(M.commands) do
    out[#out + 1] = command.name
  end
  return out
end

-- --- help -----------------------------------------------------------------------

local function rows_text(rows, lang)
  local widest, lines = 0, {}
  for _, row in ipairs(rows) do
    widest = math.max(widest, layout.width(row[1]))
  end
  for _, row in ipairs(rows) do
    local text = layout.wrap(say(lang, row[2]), 76 - widest)
    for index, line in ipairs(text) do
      lines[#lines + 1] = "  " .. layout.pad(index == 1 and row[1] or "", widest) .. "  " .. line
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

local function general_help(lang)
  local rows = {}
  for _, command in ipairs(M.commands) do
    rows[#rows + 1] = { command.name, require(command.module).summary }
  end
  rows[#rows + 1] = { "help COMMAND", WORDS.help }
  local options = { { "--help, -h", HELP_ROW.doc }, { "--version", WORDS.version } }
  return say(lang, WORDS.usage):format("COMMAND [OPTION...]") .. "\n\n" .. say(lang, WORDS.commands)
    .. "\n" .. rows_text(rows, lang) .. "\n" .. say(lang, WORDS.options) .. "\n"
    .. rows_text(options, lang) .. "\n" .. say(lang, WORDS.more) .. "\n"
end

--- The help of one subcommand.
-- @tparam table command of `commands`
-- @tparam string lang
-- @treturn string
function M.help(command, lang)
  local module, rows = require(command.module), {}
  for _, row in ipairs(module.options) do
    rows[#rows + 1] = { "--" .. row.name .. (row.value and " " .. row.value or ""), row.doc }
  end
  rows[#rows + 1] = { "--help, -h", HELP_ROW.doc }
  return say(lang, WORDS.usage):format(command.name .. " [OPTION...]") .. "\n\n"
    .. table.concat(layout.wrap(say(lang, module.about), 78), "\n") .. "\n\n"
    .. say(lang, WORDS.options) .. "\n" .. rows_text(rows, lang)
end

-- --- running ----------------------------------------------------------------------

-- A code may have been pasted for a word of the command line.
local function complain(world, why, where)
  world.complain(("qqmail: %s\n%s\n"):format(world.cover:text(say(world.lang, why)),
    say(world.lang, WORDS.try):format(where)))
  return exit_codes.USAGE
end

local function unknown_command(world, name)
  local meant = suggest.closest(name, names())
  return complain(world, {
    en = ('unknown command "%s"'):format(name) .. (meant and ('; did you mean "%s"?'):format(meant)
      or ""),
    zh = ("未知子命令“%s”"):format(name) .. (meant and ("，是否想写“%s”？"):format(meant) or ""),
  }, "--help")
end

-- The language is needed before the options are read; of several the last one counts.
local function language(words)
  local found
  for index, word in ipairs(words) do
    local value = word:match("^%-%-lang=(.*)$") or (word == "--lang" and words[index + 1])
    if value == "zh" or value == "en" then
      found = value
    end
  end
  return found or errors.lang()
end

local function tell(world, text)
  return world.write(text) and exit_codes.OK or exit_codes.IOERR
end

local function run_command(command, words, world)
  local module = require(command.module)
  local where = "help " .. command.name
  local why = module.misuse and module.misuse(words)
  if why then
    return complain(world, why, where)
  end
  local rows = { HELP_ROW }
  for _, row in ipairs(module.options) do
    rows[#rows + 1] = row
  end
  local given
  given, why = arguments.parse(words, rows)
  if not given then
    return complain(world, why, where)
  elseif given.help then
    return tell(world, M.help(command, world.lang))
  elseif given.lang and given.lang ~= world.lang then
    return complain(world, { en = '--lang is "zh" or "en"', zh = "--lang 只能是 zh 或 en" }, where)
  end
  local status
  status, why = module.run(given, world)
  return status or complain(world, why, where)
end

local function help_on(name, world)
  local command = name and find(name)
  if name and not command and name ~= "help" then
    return unknown_command(world, name)
  end
  return tell(world, command and M.help(command, world.lang) or general_help(world.lang))
end

local function rest_of(words)
  local out = {}
  for index = 2, #words do
    out[index - 1] = words[index]
  end
  return out
end

local function dispatch(words, world)
  local first = words[1]
  if not first then
    world.complain(general_help(world.lang))
    return exit_codes.USAGE
  elseif first == "--help" or first == "-h" then
    return tell(world, general_help(world.lang))
  elseif first == "--version" then
    return tell(world, "qqmail " .. require("qqmail")._VERSION .. "\n")
  elseif first == "help" then
    return help_on(words[2], world)
  end
  local command = find(first)
  if command then
    return run_command(command, rest_of(words), world)
  elseif first:find("^%-") then
    return complain(world, { en = "unknown option " .. first, zh = "未知选项 " .. first }, "--help")
  end
  return unknown_command(world, first)
end

local function write_to(file)
  return function(text)
    return file:write(text) and file:flush() and true
  end
end

-- The number of a standard stream that is closed would be that of the first connection,
-- and what is printed would go to the server. What was opened for reading takes it.
local function hold_streams()
  local held = {}
  for index = 1, 3 do
    held[index] = io.open("/dev/null", "r")
  end
  return held
end

--- Run the command.
-- @tparam table words of the command line
-- @tparam ?table world for tests: `write`, `complain` (functions of a text), `getenv`,
-- `is_terminal`
-- @treturn number exit code
function M.run(words, world)
  world = world or { held = hold_streams() }
  local cover = covers.new()
  cover:learn_all(words)
  return dispatch(words, {
    write = world.write or write_to(io.stdout), complain = world.complain or write_to(io.stderr),
    getenv = world.getenv or os.getenv, lang = language(words), is_terminal = world.is_terminal,
    cover = cover, held = world.held,
  })
end

return M
