-- Templates in folders and in messages: escaping by part, confinement to the folder,
-- nothing out of the data in a header, one template for many rows.
local errors = require "qqmail.errors"
local messages = require "spec.support.messages"
local parser = require "qqmail.template.parser"
local qqmail = require "qqmail"
local send = require "spec.support.send"
local settings = require "spec.support.settings"
local shell = require "spec.support.shell"
local template = require "qqmail.template"

local root, remove

local function put(files)
  for name, text in pairs(files) do
    shell.write(root .. "/" .. name, text)
  end
end

local function put_welcome()
  put({
    ["welcome/subject.txt"] = "Hi {{name}}\n",
    ["welcome/body.txt"] = "Dear {{name}},\n{{>footer}}",
    ["welcome/body.html"] = "{{<layouts/base}}\n{{$content}}\n<p>{{name}}</p>\n{{/content}}\n"
      .. "{{/layouts/base}}\n",
    ["layouts/base.html"] = "<body>\n  {{$content}}{{/content}}\n  {{>footer}}\n</body>\n",
    ["footer.html"] = "<p>&copy; {{name}}</p>\n",
    ["footer.txt"] = "(c) {{name}}\n",
  })
end

-- Runs f and answers how many templates were compiled meanwhile.
local function compiled_in(f)
  local compile, count = parser.compile, 0
  parser.compile = function(...)
    count = count + 1
    return compile(...)
  end
  f()
  parser.compile = compile
  return count
end

local function folder(options)
  return assert(template.folder(root, options))
end

local function refused(code, result, err)
  assert.is_nil(result)
  assert.is_true(errors.is(err))
  assert.equal(code, err.code, tostring(err))
  assert.equal("message", err.kind)
  return err
end

before_each(function()
  root, remove = shell.folder()
end)

after_each(function()
  remove()
end)

describe("a folder of templates", function()
  it("gives subject, text and HTML, each escaped as it must be", function()
    put_welcome()
    local parts = assert(folder():render("welcome", { name = "<A & B>" }))
    assert.same({
      subject = "Hi <A & B>",
      text = "Dear <A & B>,\n(c) <A & B>\n",
      html = "<body>\n  <p>&lt;A &amp; B&gt;</p>\n\n  <p>&copy; &lt;A &amp; B&gt;</p>\n</body>\n",
    }, parts)
  end)

  it("may have folders in it, and templates of some parts", function()
    put({ ["zh/orders/body.txt"] = "{{>line}}{{>top}}", ["zh/orders/line.txt"] = "near\n",
      ["line.txt"] = "far\n", ["top.txt"] = "top\n" })
    assert.same({ text = "near\ntop\n" }, folder():render("zh/orders", {}))
  end)

  it("tells file, line and column of a missing variable", function()
    put_welcome()
    local _, err = folder({ lang = "en" }):render("welcome", {})
    assert.equal('template welcome/subject.txt, line 1, column 4: there is no variable "name"',
      err.message)
    put({ ["welcome/subject.txt"] = "Hi", ["welcome/body.txt"] = "x" })
    _, err = folder({ lang = "en" }):render("welcome", {})
    assert.same({ "welcome/body.html", 3, 4, "name" },
      { err.template, err.line, err.column, err.variable })
    assert.equal("<p></p>", folder({ strict = false }):render("welcome", {}).html:match("<p></p>"))
  end)

  it("says what is wrong with a file", function()
    put({ ["a/subject.txt"] = "\n{{#x}}", ["b/body.txt"] = "\196\227" })
    local err = refused("template.syntax", folder():get("a"))
    assert.same({ "a/subject.txt", 2, 1 }, { err.template, err.line, err.column })
    err = refused("template.bad_utf8", folder():get("b"))
    assert.equal("b/body.txt", err.template)
    refused("template.not_found", folder():get("c"))
    refused("template.not_found", folder():get("a/subject.txt/x"))
    -- A FIFO without a writer would be waited for.
    shell.run(("cd %s && mkdir -p d/subject.txt e && mkfifo e/body.txt"):format(shell.quote(root)))
    refused("template.unreadable", folder():get("d"))
    refused("template.unreadable", folder():get("e"))
  end)

  it("compiles a file once", function()
    put_welcome()
    local mails = folder()
    assert.equal(6, compiled_in(function()
      for _ = 1, 10 do
        assert(mails:render("welcome", { name = "x" }))
      end
    end))
    remove()
    assert.equal("Hi y", assert(mails:render("welcome", { name = "y" })).subject)
  end)

  it("looks for a partial once", function()
    put_welcome()
    local mails, disk = folder(), require "qqmail.disk"
    assert(mails:render("welcome", { name = "x" }))
    local read, count = disk.read, 0
    disk.read = function(...)
      count = count + 1
      return read(...)
    end
    assert(mails:render("welcome", { name = "x" }))
    disk.read = read
    assert.equal(0, count)
  end)

  it("looks at the files each time where it is asked to", function()
    put_welcome()
    local kept, watched = folder(), folder({ reload = true })
    for _, mails in ipairs({ kept, watched }) do
      assert.equal("Hi x", mails:render("welcome", { name = "x" }).subject)
    end
    put({ ["welcome/subject.txt"] = "Bye {{name}}", ["footer.html"] = "new" })
    assert.equal("Hi x", kept:render("welcome", { name = "x" }).subject)
    assert.equal(2, compiled_in(function()
      local parts = watched:render("welcome", { name = "x" })
      assert.equal("Bye x", parts.subject)
      assert.is_truthy(parts.html:find("new", 1, true))
    end))
  end)
end)

describe("nothing outside the folder", function()
  local NAMES = { "../secret", "..", ".", "/etc", "a/../../secret", "a//b", "", "a/", "./a",
    "a/.hidden", "a\0b", "a\\..\\b", "a\nb", "~", "$HOME", "a b", ("x"):rep(300) }

  it("is reached by the name of a template", function()
    for _, name in ipairs(NAMES) do
      refused("template.bad_name", folder():get(name))
    end
    refused("template.bad_name", folder():get(nil))
    refused("template.bad_name", folder():get(1))
  end)

  it("is reached by a partial, a layout or a name out of the data", function()
    put({ ["secret.txt"] = "secret", ["mails/a/body.txt"] = "{{>*name}}",
      ["mails/b/body.txt"] = "{{>../../secret}}",
      ["mails/c/body.txt"] = "{{</etc/passwd}}{{//etc/passwd}}",
      ["mails/d/body.txt"] = "{{<*name}}{{/*name}}" })
    for _, options in ipairs({ {}, { strict = false }, { reload = true } }) do
      local mails = assert(template.folder(root .. "/mails", options))
      for _, name in ipairs(NAMES) do
        for _, mail in ipairs({ "a", "d" }) do
          local err = refused("template.bad_name", mails:render(mail, { name = name }))
          assert.is_nil(name ~= "" and #name > 2 and err.message:find(name, 1, true) or nil)
        end
      end
      refused("template.bad_name", mails:render("b", {}))
      refused("template.bad_name", mails:render("c", {}))
    end
  end)

  it("is reached by a symbolic link; those that stay inside are followed", function()
    put({ ["secret/body.txt"] = "secret", ["mails/a/body.txt"] = "{{>inside}}{{#x}}{{>out}}{{/x}}",
      ["mails/b/text.txt"] = "kept", ["mails/c/none.txt"] = "" })
    shell.run(("cd %s/mails && ln -s ../secret link && ln -s ../b/text.txt a/inside.txt"
      .. " && ln -s ../../secret/body.txt a/out.txt && ln -s /etc/passwd c/body.txt")
      :format(shell.quote(root)))
    local mails = assert(template.folder(root .. "/mails", { strict = false }))
    assert.same({ text = "kept" }, mails:render("a", {}))
    refused("template.bad_name", mails:render("a", { x = true }))
    refused("template.bad_name", mails:get("link"))
    refused("template.bad_name", mails:get("c"))
    shell.run(("ln -s mails %s/current"):format(shell.quote(root)))
    assert.same({ text = "kept" }, assert(template.folder(root .. "/current")):render("a", {}))
  end)

  it("is reached by a message, whose template may be anybody's choice", function()
    put({ ["secret/body.txt"] = "secret", ["mails/a/body.txt"] = "a" })
    local mailer = assert(qqmail.new({ io = "memory", host = "localhost", tls = "none",
      from = "a@x.org", templates = root .. "/mails" }))
    for _, name in ipairs({ "../secret", root .. "/secret", "./a", "/" }) do
      refused("template.bad_name", mailer:send({ to = "b@x.org", template = name }))
    end
    assert(mailer:send({ to = "b@x.org", template = "a" }))
    mailer:close()
  end)
end)

local EVIL = { "x\r\nBcc: evil@x.org", "x\nBcc: evil@x.org", "x\rBcc: evil@x.org", "\r\n\r\nbody",
  "x\0Bcc: evil@x.org", "x\r\n Bcc: evil@x.org", "x\226\128\168Bcc: evil@x.org", "\27[31mx",
  "x\194\133Bcc: evil@x.org", "=?utf-8?q?=0D=0ABcc:_evil=40x.org?=", "x\11\12Bcc: evil@x.org" }

describe("the subject", function()
  it("is one line, whatever the data hold", function()
    local mail = assert(template.mail({ subject = "[{{{a}}}] {{>p}}", text = "t" },
      { partials = { p = "{{a}}\n" } }))
    local built = {}
    for index, value in ipairs(EVIL) do
      local subject = mail:render({ a = value }).subject
      assert.is_nil(subject:find("[%c\127]"), subject)
      assert.is_nil(subject:find("\194[\128-\159]"))
      built[index] = messages.build({ subject = "none", template = mail, vars = { a = value } })
    end
    for index, facts in ipairs({ messages.read((unpack or table.unpack)(built)) }) do
      assert.is_nil(messages.header(facts, "Bcc"), EVIL[index])
      assert.is_truthy(messages.header(facts, "Subject"), EVIL[index])
      assert.equal("body\r\n", facts.text)
    end
  end)

  it("loses the line breaks of its file", function()
    local mail = assert(template.mail({ subject = "\r\n a\r\n{{#x}}\nb\n{{/x}}\n\n" }))
    assert.equal("a b", mail:render({ x = true }).subject)
    assert.equal("", assert(template.mail({ subject = " \n" })):render().subject)
  end)

  it("takes long runs of blanks in a time that grows with their length", function()
    local mail = assert(template.mail({ subject = "a{{a}}b{{a}}" }))
    assert.equal("a" .. (" "):rep(300000) .. "b", mail:render({ a = (" "):rep(300000) }).subject)
  end)
end)

describe("a message with a template", function()
  local function welcome(more, defaults)
    put_welcome()
    local spec = { subject = "none", text = "none", template = "welcome", vars = { name = "小明" } }
    for key, value in pairs(more or {}) do
      spec[key] = value
    end
    return messages.build(spec, defaults or { templates = root })
  end

  it("has the parts of the template", function()
    local facts = messages.read(welcome())
    assert.equal("Hi 小明", facts.subject)
    assert.equal("Dear 小明,\r\n(c) 小明\r\n", facts.text)
    assert.is_truthy(facts.html:find("<p>小明</p>", 1, true))
  end)

  it("keeps what it gives itself", function()
    local facts = messages.read(welcome({ subject = "mine", text = false }))
    assert.equal("mine", facts.subject)
    assert.equal("text/html", facts.structure)
  end)

  it("does not render what it does not take", function()
    put({ ["a/subject.txt"] = "{{missing}}", ["a/body.txt"] = "{{x}}" })
    local facts = messages.read(welcome({ template = "a", vars = { x = 1 }, subject = "mine" }))
    assert.equal("1\r\n", facts.text)
  end)

  it("takes a path where the option is not set, and templates from elsewhere", function()
    assert.equal("Hi 小明", messages.read(welcome({ template = root .. "/welcome" }, {})).subject)
    assert.equal("Hi 小明", messages.read(welcome({ template = root .. "//welcome/" }, {})).subject)
    local got = assert(folder():get("welcome"))
    assert.equal("Hi 小明", messages.read(welcome({ template = got }, {})).subject)
    local stored = assert(template.mail({ subject = "{{name}}!", text = "t\n" }))
    assert.equal("小明!", messages.read(welcome({ template = stored }, {})).subject)
  end)

  it("leaves the table of its caller as it is", function()
    put_welcome()
    local spec = { from = "a@x.org", to = "b@x.org", template = root .. "/welcome",
      vars = { name = "x" } }
    assert(qqmail.message(spec))
    assert.same({ from = "a@x.org", to = "b@x.org", template = root .. "/welcome",
      vars = { name = "x" } }, spec)
  end)

  it("is refused with the place of what is missing", function()
    put_welcome()
    local err = messages.refused({ subject = "none", template = root .. "/welcome", vars = {} },
      "template.missing_variable", "vars.name")
    assert.same({ "welcome/subject.txt", 1, 4 }, { err.template, err.line, err.column })
  end)

  it("is refused for a value that is not UTF-8, which is named", function()
    put_welcome()
    local err = messages.refused({ subject = "none", template = root .. "/welcome",
      vars = { name = "\196\227\186\195" } }, "template.bad_utf8", "vars.name")
    assert.same({ "welcome/subject.txt", 1, 4, "name" },
      { err.template, err.line, err.column, err.variable })
    assert.is_nil(tostring(err):find("charset", 1, true))
  end)

  it("is refused without a look at all of its template", function()
    local cover = require "qqmail.cover"
    local mend, given = cover.mend, nil
    cover.mend = function(err, fields)
      given = fields
      return mend(err, fields)
    end
    local stored = assert(template.mail({ text = "{{a}}" }))
    messages.refused({ subject = "x", text = "none", template = stored, vars = {} },
      "template.missing_variable", "vars.a")
    cover.mend = mend
    assert.equal("x", given.subject)
    assert.is_nil(given.template)
    assert.is_nil(given.vars)
  end)

  it("is refused where its fields do not fit", function()
    put_welcome()
    local path = root .. "/welcome"
    messages.refused({ vars = {} }, "message.bad_value", "vars")
    messages.refused({ template = path, vars = "x" }, "message.bad_value", "vars")
    messages.refused({ template = {} }, "message.bad_value", "template")
    messages.refused({ template = false }, "message.bad_value", "template")
    messages.refused({ template = path, charset = "gb18030" }, "message.bad_value", "charset")
    messages.refused({ template = "welcome" }, "template.no_folder", "template")
    messages.refused({ template = root .. "/none" }, "template.not_found", "template")
    local built, err = qqmail.message({ raw = "From: a@x.org\nTo: b@x.org\n\nx", template = path })
    assert.is_nil(built)
    assert.equal("message.raw_conflict", err.code)
  end)

  it("speaks the language of its mailer", function()
    put_welcome()
    local mailer = assert(qqmail.new({ io = "memory", host = "localhost", tls = "none",
      from = "a@x.org", templates = root, lang = "zh" }))
    local _, err = mailer:send({ to = "b@x.org", template = "welcome" })
    assert.equal('模板 welcome/subject.txt 第 1 行第 4 列：没有变量 "name"', err.message)
    mailer:close()
  end)
end)

describe("the option templates", function()
  it("may come from the environment", function()
    local loaded = assert(settings.load({ host = "mx.test" }, { QQMAIL_TEMPLATES = root }))
    assert.equal(root, loaded.templates)
  end)
end)

describe("many messages with one template", function()
  it("compile it once", function()
    put_welcome()
    local mailer = assert(qqmail.new({ io = "memory", host = "localhost", tls = "none",
      from = "a@x.org", templates = root }))
    local number = 0
    local function next_row()
      number = number + 1
      if number <= 1000 then
        return { to = "b@x.org", template = "welcome",
          vars = { name = number ~= 500 and "Nr. " .. number or nil } }
      end
    end
    local summary
    assert.equal(6, compiled_in(function()
      summary = assert(mailer:send_all(next_row, { progress = false }))
    end))
    assert.same({ 999, 1 }, { summary.sent, summary.failed })
    assert.same({ 500, "template.missing_variable" },
      { summary.errors[1].index, summary.errors[1].err.code })
    assert.is_truthy(mailer.outbox[999].data:find("Nr. 1000", 1, true))
    mailer:close()
  end)
end)

describe("a message with a template that another account sends", function()
  after_each(send.stop)

  it("is made of the variables it was given, which may refer to each other", function()
    put_welcome()
    local first = send.server({ replies = { auth = "535 5.7.8 Wrong" } })
    local second = send.server()
    local other = send.options(second)
    other.retry, other.timeout, other.lang = nil, nil, nil
    local mailer = send.mailer(first, { failover = { other }, templates = root })
    local vars = { name = "Ann" }
    vars.self = vars
    local receipt, err = mailer:send({ to = "b@test.local", template = "welcome", vars = vars })
    assert.is_table(receipt, tostring(err))
    assert.is_truthy(second:messages()[1].data:find("Hi Ann", 1, true))
    mailer:close()
  end)
end)

describe("the guide", function()
  it("shows templates that work as it says", function()
    for _, page in ipairs({ "docs/templates.md", "docs/templates.zh-CN.md" }) do
      local file = assert(io.open(page, "rb"))
      local text = file:read("*a")
      file:close()
      local count = 0
      for name, body in text:gmatch("```html\n<!%-%- ([%w/.]+) %-%->\n(.-)```") do
        put({ [name] = body, ["footer.html"] = "<p>bye</p>\n" })
        count = count + 1
      end
      assert.equal(2, count)
      assert.equal("<html><body>\n  <p>Hello &lt;Ann&gt;</p>\n  <p>bye</p>\n</body></html>\n",
        folder():render("welcome", { name = "<Ann>" }).html)
      local _, err = folder({ lang = "en" }):render("welcome", {})
      assert.equal(text:match("```\n(template [^\n]*)\n```"), err.message)
    end
  end)
end)
