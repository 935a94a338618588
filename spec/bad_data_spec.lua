--- Bad data from callers comes back as an error: nothing raises, nothing is
-- left out without a word, nothing takes long.
local pool = require("qqmail.pool")
local qqmail = require("qqmail")
local shell = require("spec.support.shell")

local errors = qqmail.errors

local function mailer(more)
  local options = { host = "127.0.0.1", port = 1, tls = "none", from = "a@test.local",
    io = "memory", lang = "en" }
  for key, value in pairs(more or {}) do
    options[key] = value
  end
  return assert(qqmail.new(options))
end

local function message(more)
  local spec = { from = "a@test.local", to = "b@test.local", text = "x" }
  for key, value in pairs(more or {}) do
    spec[key] = value
  end
  return spec
end

local function refused(code, field, receipt, err)
  assert.is_nil(receipt)
  assert.is_true(errors.is(err))
  assert.equal(code, err.code)
  assert.equal(field, err.field)
end

describe("bad data", function()
  describe("in a list", function()
    it("leaves out nobody behind a nil", function()
      for _, field in ipairs({ "to", "cc", "bcc", "reply_to" }) do
        refused("message.bad_value", field,
          qqmail.message(message({ [field] = { "a@test.local", nil, "c@test.local" } })))
      end
    end)

    it("leaves out no name", function()
      refused("message.bad_value", "to",
        qqmail.message(message({ to = { "a@test.local", boss = "c@test.local" } })))
      refused("message.bad_value", "headers",
        qqmail.message(message({ headers = { { "X-A", "1" }, ["X-B"] = "2" } })))
    end)

    it("leaves out no attachment", function()
      local one = { data = "1", name = "1.txt" }
      refused("message.bad_value", "attachments",
        qqmail.message(message({ attachments = { one, nil, one } })))
      refused("message.bad_value", "attachments",
        qqmail.message(message({ attachments = { one, [0] = one } })))
    end)

    it("ends where it holds itself", function()
      local list = {}
      list[1] = list
      refused("message.bad_value", "to[1]",
        qqmail.message(message({ to = list, charset = "gb18030" })))
    end)
  end)

  describe("in the date", function()
    it("may be any second", function()
      for _, moment in ipairs({ -1, 0, 1, 1735660799, 1735660800 }) do
        local built, err = qqmail.message(message({ date = moment }))
        assert.is_table(built, tostring(err))
      end
    end)

    it("is told with the offset of this host", function()
      local built = assert(qqmail.message(message({ date = 1720000000 })))
      local pipe = assert(io.popen("LC_ALL=C date -R -d @1720000000"))
      local expected = pipe:read("*l")
      pipe:close()
      assert.is_truthy(tostring(built):find("Date: " .. expected, 1, true))
    end)
  end)

  describe("of a raw message", function()
    local function raw(header)
      return { raw = "From: a@test.local\nTo: b@test.local\n" .. header .. "\nhi\n" }
    end

    it("needs no Message-ID", function()
      local lines = {}
      local box = mailer({ log = function(level, text)
        lines[#lines + 1] = level .. " " .. text
      end })
      local receipt, err = box:send(raw(""))
      assert.is_table(receipt, tostring(err))
      assert.is_nil(receipt.message_id)
      assert.equal(0, box:stats().hook_errors)
      assert.equal("info sent a message: kept in memory", lines[#lines])
    end)

    it("may be blanks for the most part", function()
      -- With a square of the length this would take minutes.
      local blanks = ("\n" .. (" "):rep(900)):rep(250)
      local built, err = qqmail.message(raw("Subject: x" .. blanks .. "y\n"))
      assert.is_table(built, tostring(err))
    end)
  end)

  describe("of a source", function()
    it("is an error of the memory driver", function()
      local box = mailer()
      refused("message.source_failed", "attachments[1]", box:send(message({
        attachments = { { name = "x", read = function()
          return nil, "boom"
        end } },
      })))
      assert.same({}, box.outbox)
    end)

    it("may be read once by the memory driver", function()
      local box = mailer()
      local pieces = { "1" }
      local built = assert(qqmail.message(message({
        attachments = { { name = "x", read = function()
          return table.remove(pieces)
        end } },
      })))
      assert.is_table(box:send(built))
      refused("message.not_repeatable", nil, box:send(built))
      assert.equal(1, #box.outbox)
    end)
  end)

  describe("of the settings", function()
    it("can be shown whatever the headers are called", function()
      local list = assert(qqmail.config({ host = "h.test", tls = "none", from = "a@test.local",
        headers = { name = { "x" }, address = { "y" } } }))
      assert.is_truthy(tostring(list):find("headers", 1, true))
    end)

    it("in a public file are refused by the first call of a program, too", function()
      local folder, remove = shell.folder()
      shell.write(folder .. "/.env", "QQMAIL_HOST=h.test\n")
      shell.run("chmod 644 " .. shell.quote(folder .. "/.env"))
      local here = shell.run("pwd"):gsub("%s+$", "")
      local function absolute(path)
        return (path:gsub("[^;]+", function(item)
          return item:sub(1, 1) == "/" and item or here .. "/" .. item
        end))
      end
      local code = ("package.path = %q package.cpath = %q print(select(2, require('qqmail')"
        .. ".config()).code)"):format(absolute(package.path), absolute(package.cpath))
      local output = shell.run(("cd %s && env QQMAIL_ENV=production %s -e %s"):format(
        shell.quote(folder), shell.lua, shell.quote(code)))
      remove()
      assert.equal("config.public_file\n", output)
    end)

    it("holds no word of io that nobody reads", function()
      local function f() end
      for _, io in ipairs({ { file = "x", sync = true }, { wait = f, sleep = f, connect = f },
        { file = "" }, { wait = f, sleep = f, file = "x" }, { wait = f }, {} }) do
        refused("config.invalid_value", "io",
          qqmail.new({ host = "h.test", tls = "none", from = "a@test.local", io = io }))
      end
    end)

    it("asks for no driver that is not there", function()
      local box = mailer({ io = "ngx" })
      local receipt, err = box:send(message())
      assert.is_nil(receipt)
      assert.equal("config.driver_unavailable", err.code)
    end)
  end)

  it("keeps no connection that comes back after close", function()
    local kept = pool.new({ max = 2, idle = 50 })
    local quit = 0
    kept:close()
    kept:give({
      sent_count = 1,
      is_over = function()
        return false
      end,
      quit = function()
        quit = quit + 1
      end,
    }, 0)
    assert.equal(1, quit)
    assert.is_nil(kept:take(0))
  end)
end)
