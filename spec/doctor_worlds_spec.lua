-- `qqmail doctor` where things really are broken: real ports, names, certificates and
-- clocks in private network namespaces. Each world must be named, with its remedy, in
-- both languages; and the examples in the documentation are what is seen here.
local examples = require("spec.support.doctor_examples")
local json = require("spec.support.json")
local options = require("qqmail.options")
local send = require("spec.support.send")
local shell = require("spec.support.shell")
local world = require("spec.support.world")
local worlds = require("spec.support.worlds")

local PAGES = { en = "docs/doctor.md", zh = "docs/doctor.zh-CN.md" }

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

-- What is said, whatever lines it is broken into.
local function squeeze(text)
  return (text:gsub("%s+", ""))
end

local function logins_of(result)
  local count = 0
  for _, server in ipairs(result.servers) do
    for _, connection in ipairs(server.connections or {}) do
      for _, line in ipairs(connection.lines) do
        count = count + (line.dir == "C" and line.line:find("^AUTH") and 1 or 0)
      end
    end
  end
  return count
end

local function mails_of(result)
  local count = 0
  for _, server in ipairs(result.servers) do
    count = count + #(server.messages or {})
  end
  return count
end

local function check_secrets(text)
  send.lacks(text, worlds.CODE)
  send.lacks(text, "MyPassword1")
end

describe("the doctor in a broken world", function()
  for _, example in ipairs(examples.list) do
    local missing = examples.missing(example)
    local case = missing and pending or it

    for _, lang in ipairs({ "en", "zh" }) do
      case(("names cause and remedy of %s (%s)%s"):format(example.name, lang,
        missing and ": " .. missing or ""), function()
        local result = examples.run(example, lang)
        assert.equal("", result.stderr)
        assert.equal(example.exit, result.status, result.stdout)
        local said = squeeze(result.stdout)
        for _, words in ipairs(example[lang]) do
          send.has(said, squeeze(words))
        end
        assert.is_true(logins_of(result) <= 1)
        assert.equal(0, mails_of(result))
        check_secrets(result.stdout)
        -- What the documentation shows is what is seen.
        send.has(read(PAGES[lang]), examples.normalise(result.stdout))
      end)
    end
  end

  -- Each variable in its turn, in a world without a name server.
  local SCRIPT = [[for name in %s; do for form in "" --json; do
    env QQMAIL_USER=10001@qq.com "$name"=%s %s bin/qqmail doctor $form
  done; done]]

  local no_world = world.missing()
  local no_world_case = no_world and pending or it
  no_world_case("shows no code that was put into another variable", function()
    local names = {}
    for name in pairs(options.by_env) do
      names[#names + 1] = name
    end
    table.sort(names)
    local result = world.run({ command = { "sh", "-c",
      SCRIPT:format(table.concat(names, " "), worlds.CODE, shell.lua) } })
    assert.is_true(#result.stdout > 0)
    check_secrets(result.stdout .. result.stderr)
  end)

  local example = examples.list[#examples.list]
  local missing = examples.missing(example)
  local case = missing and pending or it
  case("says the same as JSON", function()
    local result = examples.run(example, "en", { "--json" })
    assert.equal(example.exit, result.status)
    local object = json.decode(result.stdout)
    assert.equal(example.exit, object.exit)
    assert.equal("envelope", object.steps[#object.steps].name)
    assert.equal(501, object.error.smtp.code)
    check_secrets(result.stdout)
  end)
end)
