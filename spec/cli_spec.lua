-- The command `qqmail` and its `doctor`.
local arguments = require("qqmail.cli.arguments")
local certs = require("spec.support.certs")
local errors = require("qqmail.errors")
local exit_codes = require("qqmail.cli.exit_codes")
local json = require("spec.support.json")
local main = require("qqmail.cli.main")
local send = require("spec.support.send")
local shell = require("spec.support.shell")
local terminal = require("qqmail.cli.terminal")

-- Runs the command in this process: exit code, output, complaints.
local function run(words, world)
  local out, complaints = {}, {}
  world = world or {}
  local status = main.run(words, {
    write = world.write or function(text)
      out[#out + 1] = text
      return true
    end,
    complain = function(text)
      complaints[#complaints + 1] = text
    end,
    getenv = world.getenv or function() end,
    is_terminal = world.is_terminal or false,
  })
  return status, table.concat(out), table.concat(complaints)
end

local function refused(words, ...)
  local status, out, complaints = run(words)
  assert.equal(exit_codes.USAGE, status)
  assert.equal("", out)
  for _, part in ipairs({ ... }) do
    send.has(complaints, part)
  end
  return complaints
end

local folder, remove

-- The words that lead to a server, the code in a file.
local function words_for(server, more)
  local path = folder .. "/code"
  shell.write(path, send.CODE .. "\n")
  local words = { "doctor", "--lang=en", "--provider", "qq", "--host", server.host, "--port",
    ("%d"):format(server.port), "--tls", server.mode, "--user", send.USER, "--ca-file",
    certs.path("ca.pem"), "--password-file", path, "--timeout", "20" }
  for _, word in ipairs(more or {}) do
    words[#words + 1] = word
  end
  return words
end

describe("the command line", function()
  before_each(function()
    errors.set_lang("en")
  end)
  after_each(function()
    errors.set_lang(nil)
  end)

  it("gives help in both languages", function()
    for lang, words in pairs({ en = "Usage: qqmail", zh = "用法：qqmail" }) do
      errors.set_lang(lang)
      for _, line in ipairs({ { "--help" }, { "-h" }, { "help" }, { "help", "doctor" },
        { "doctor", "--help" }, { "doctor", "-h" } }) do
        local status, out = run(line)
        assert.equal(0, status)
        send.has(out, words)
        send.has(out, "doctor")
      end
    end
    local _, out = run({ "help", "doctor", "--lang", "zh" })
    send.has(out, "--password-file FILE")
  end)

  it("lists every option in the help, within 80 columns", function()
    local layout = require("qqmail.doctor.layout")
    for _, lang in ipairs({ "en", "zh" }) do
      errors.set_lang(lang)
      local _, out = run({ "help", "doctor" })
      for _, row in ipairs(require("qqmail.cli.doctor").options) do
        send.has(out, "--" .. row.name)
      end
      for line in out:gmatch("[^\n]+") do
        assert.is_true(layout.width(line) <= 80, line)
      end
    end
  end)

  it("tells the version", function()
    local status, out = run({ "--version" })
    assert.equal(0, status)
    assert.equal("qqmail " .. require("qqmail")._VERSION .. "\n", out)
  end)

  it("without words shows the help and fails", function()
    refused({}, "Usage: qqmail")
  end)

  it("names what may have been meant", function()
    refused({ "docter" }, 'unknown command "docter"', 'did you mean "doctor"?')
    refused({ "help", "docter" }, 'did you mean "doctor"?')
    refused({ "doctor", "--hots", "x" }, "unknown option --hots", "did you mean --host?")
    refused({ "--verison" }, "unknown option")
    refused({ "xyzzy" }, "unknown command")
  end)

  it("complains of what is missing, or too much", function()
    refused({ "doctor", "--host" }, "--host needs a value")
    refused({ "doctor", "--json=1" }, "--json takes no value")
    refused({ "doctor", "--lang", "fr" }, '"zh" or "en"')
    send.lacks(refused({ "doctor", send.CODE }, "a word that belongs to no option"), send.CODE)
    send.lacks(refused({ "doctor", "-p" .. send.CODE }, "unknown option -p"), send.CODE)
  end)

  it("takes the last of several languages", function()
    refused({ "doctor", "--lang=en", "--lang=zh", "--nothing" }, "未知选项 --nothing")
  end)

  it("takes no password, for everybody could read it", function()
    for _, words in ipairs({ { "--password", send.CODE }, { "--password=" .. send.CODE },
      { "--token=" .. send.CODE }, { "--url", "smtps://u%40qq.com:" .. send.CODE .. "@h:465" },
      { "--url=smtps://u:" .. send.CODE .. "@h" },
      { "--url=smtps://u@qq.com:" .. send.CODE .. "@h" } }) do
      local line = { "doctor" }
      for _, word in ipairs(words) do
        line[#line + 1] = word
      end
      send.lacks(refused(line, "QQMAIL_PASSWORD", "--password-file"), send.CODE)
    end
  end)

  it("says when the password file cannot be read", function()
    refused({ "doctor", "--password-file", "/nowhere/at/all" }, "/nowhere/at/all")
  end)

  it("reads words in every form", function()
    local rows = { { name = "to", value = "A", many = true }, { name = "json" },
      { name = "port", value = "N" }, { name = "help" } }
    assert.same({ to = { "a", "b=c" }, json = true, port = "1", "x", "--y" },
      arguments.parse({ "--to", "a", "--json", "x", "--to=b=c", "--port=1", "--", "--y" }, rows))
    assert.same({ help = true, port = "-h" }, arguments.parse({ "-h", "--port", "-h" }, rows))
    assert.is_nil(arguments.parse({ "-x" }, rows))
    assert.same({ "-" }, arguments.parse({ "-" }, rows))
  end)
end)

describe("colours", function()
  local function colour(env, is_terminal)
    local style = terminal.style(function(name)
      return env[name]
    end, is_terminal)
    return style.colour("failed", "x") ~= "x", style.width
  end

  it("are for terminals, and not where they are not wanted", function()
    assert.is_true(colour({}, true))
    assert.is_true(colour({ NO_COLOR = "" }, true))
    assert.is_false(colour({}, false))
    assert.is_false(colour({ NO_COLOR = "1" }, true))
    assert.is_false(colour({ TERM = "dumb" }, true))
  end)

  it("come with the terminal's width", function()
    assert.equal(100, select(2, colour({ COLUMNS = "100" }, true)))
    assert.equal(80, select(2, colour({ COLUMNS = "100" }, false)))
    assert.equal(40, select(2, colour({ COLUMNS = "1" }, true)))
  end)
end)

describe("exit codes", function()
  it("are one for every kind of error", function()
    for kind in pairs(errors.kinds) do
      local code = exit_codes.of({ kind = kind, phase = "auth" })
      assert.is_true(code >= 64 and code <= 78, kind)
    end
    assert.equal(0, exit_codes.of(nil))
    assert.equal(69, exit_codes.of({ kind = "timeout", phase = "connect" }))
    assert.equal(75, exit_codes.of({ kind = "timeout", phase = "ehlo" }))
  end)
end)

describe("qqmail doctor", function()
  before_each(function()
    folder, remove = shell.folder()
  end)
  after_each(function()
    remove()
    send.stop()
  end)

  it("prints the steps as they come, and that all is well", function()
    local server = send.qq_server()
    local status, out, complaints = run(words_for(server))
    assert.equal(0, status, out .. complaints)
    assert.equal("", complaints)
    for _, part in ipairs({ "✓ settings", "✓ code", "✓ login", "All is well." }) do
      send.has(out, part)
    end
    send.lacks(out, "\27")
    send.lacks(out, send.CODE)
    assert.equal(1, server:auth_attempts())
  end)

  it("asks about recipients and sends a mail when told to", function()
    local server = send.qq_server()
    assert.equal(0, (run(words_for(server, { "--to", "a@qq.com", "--to=b@qq.com" }))))
    assert.equal(2, send.count(server, "RCPT"))
    assert.same({}, server:messages())
    assert.equal(0, (run(words_for(server, { "--to", "a@qq.com", "--send" }))))
    assert.equal(1, #server:messages())
  end)

  it("prints colours on a terminal", function()
    local _, out = run(words_for(send.qq_server()), { is_terminal = true })
    send.has(out, "\27[32m✓\27[0m settings")
  end)

  it("prints one JSON object", function()
    local server = send.qq_server({ users = {} })
    local status, out = run(words_for(server, { "--json" }))
    assert.equal(77, status)
    assert.equal(1, select(2, out:gsub("\n", "")))
    local object = json.decode(out)
    assert.is_false(object.ok)
    assert.equal(77, object.exit)
    assert.equal("settings", object.steps[1].name)
    assert.equal("auth", object.error.phase)
    assert.equal("failed", object.steps[#object.steps].status)
    send.lacks(out, send.CODE)
  end)

  it("reports wrong settings as a failed first step", function()
    local status, out = run({ "doctor", "--lang", "en", "--host", "h.test", "--port", "70000",
      "--user", "a@h.test" })
    assert.equal(78, status)
    send.has(out, "✗ settings")
    send.has(out, "port")
  end)

  it("refuses recipients that are none", function()
    local status, out, complaints = run(words_for(send.qq_server(), { "--to", "nobody" }))
    assert.equal(exit_codes.DATAERR, status)
    assert.equal("", out)
    send.has(complaints, "no '@'")
    status, out = run(words_for(send.qq_server(), { "--to", "nobody", "--json" }))
    assert.equal(exit_codes.DATAERR, status)
    local object = json.decode(out)
    assert.equal("message.bad_address", object.error.code)
    assert.equal(exit_codes.DATAERR, object.exit)
    assert.same({}, object.steps)
    assert.equal(exit_codes.CONFIG, (run(words_for(send.qq_server(), { "--to=" }))))
  end)

  it("fails when its output cannot be written", function()
    local status = run(words_for(send.qq_server()), { write = function()
      return nil
    end })
    assert.equal(exit_codes.IOERR, status)
  end)

  -- The first connection would have the number of standard output.
  it("never prints into a connection when standard output is closed", function()
    local server = send.qq_server()
    local words = words_for(server, { "--send" })
    for index, word in ipairs(words) do
      words[index] = shell.quote(word)
    end
    local _, status = shell.run(("sh -c %s"):format(shell.quote(("exec %s bin/qqmail %s >&-")
      :format(shell.lua, table.concat(words, " ")))))
    assert.equal(exit_codes.IOERR, status)
    assert.equal(1, #server:messages())
    assert.same({}, server:defects())
  end)

  it("is a program that reads environment and .env", function()
    local server = send.qq_server({ users = {} })
    shell.write(folder .. "/.env", ("QQMAIL_PASSWORD=%s\nQQMAIL_LANG=zh\n"):format(send.CODE))
    local pipe = assert(io.popen("pwd"))
    local root = pipe:read("*l")
    pipe:close()
    local url = ("smtps://user%%40qq.com@127.0.0.1:%d"):format(server.port)
    local out, status = shell.run(("cd %s && chmod 600 .env && QQMAIL_PROVIDER=qq "
      .. "QQMAIL_CA_FILE=%s QQMAIL_URL=%s %s %s doctor"):format(shell.quote(folder),
      shell.quote(certs.path("ca.pem")), shell.quote(url), shell.lua,
      shell.quote(root .. "/bin/qqmail")))
    assert.equal(77, status, out)
    send.has(out, ".env:1 QQMAIL_PASSWORD")
    send.has(out, "失败于：登录")
    send.lacks(out, send.CODE)
    assert.equal(1, server:auth_attempts())
  end)

  it("reads the code from standard input", function()
    local server = send.qq_server()
    local words = words_for(server)
    for index, word in ipairs(words) do
      words[index] = word == folder .. "/code" and "-" or shell.quote(word)
    end
    local out, status = shell.run(("echo %s | %s bin/qqmail %s"):format(send.CODE, shell.lua,
      table.concat(words, " ")))
    assert.equal(0, status, out)
  end)
end)
