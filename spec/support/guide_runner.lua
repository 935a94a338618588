-- Runs the examples of a guide, one after the other, as a program of its own in a
-- folder that holds the files they name:
--
--   lua guide_runner.lua PAGE PORT CA
--
-- Each block of Lua is a whole program, but for `qqmail` and `mailer`, which the
-- first block makes. Mailers get the scripted server at that port, and whatever else
-- an example gives them. Prints a line for each block: mails sent, then its heading.

local page, port, ca_file = arg[1], tonumber(arg[2]), arg[3]
local qqmail = require "qqmail"

local SERVER = {
  host = "localhost", port = port, tls = "implicit", tls_options = { ca_file = ca_file },
  user = "user@qq.com", password = "abcdefghijklmnop", retry = false, lang = "en",
}

local sent = 0

-- What an example does not look at must not go wrong unseen.
local function checked(mailer)
  return setmetatable({}, { __index = function(_, name)
    return function(_, ...)
      local result, err = mailer[name](mailer, ...)
      assert(result, err)
      sent = sent + (name == "send" and 1 or 0)
      return result
    end
  end })
end

local shown = setmetatable({
  new = function(options)
    for key, value in pairs(SERVER) do
      options[key] = value
    end
    local mailer, err = qqmail.new(options)
    return mailer and checked(mailer), err
  end,
}, { __index = qqmail })

local world = setmetatable({
  print = function() end,
  require = function(name)
    return name == "qqmail" and shown or require(name)
  end,
}, { __index = _G })

local function run(code, heading)
  -- What the first block keeps in locals is there for all others.
  if not world.mailer then
    code = code .. "\nreturn qqmail, mailer"
  end
  local chunk
  if setfenv then
    chunk = setfenv(assert(loadstring(code, heading)), world)
  else
    chunk = assert(load(code, heading, "t", world))
  end
  local first, second = chunk()
  if not world.mailer then
    world.qqmail, world.mailer = assert(first), assert(second)
  end
end

local heading, block
for line in io.lines(page) do
  if block and line == "```" then
    sent = 0
    run(table.concat(block, "\n"), heading)
    print(sent .. " " .. heading)
    block = nil
  elseif block then
    block[#block + 1] = line
  elseif line == "```lua" then
    block = {}
  else
    heading = line:match("^#+ (.*)") or heading
  end
end
