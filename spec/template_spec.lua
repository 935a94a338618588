-- Templates: the cases of the Mustache specification, and what it leaves open.
local errors = require "qqmail.errors"
local json = require "spec.support.json"
local template = require "qqmail.template"

local CORPUS = "../shared/corpora/mustache-spec/"

-- Of the specification: what is required, and the optional parts that are supported.
local CASES = { comments = 12, delimiters = 14, interpolation = 42, inverted = 22, partials = 12,
  sections = 34, ["~dynamic-names"] = 21, ["~inheritance"] = 27 }

-- `null` is what Lua calls nil.
local function plain(value)
  if value == json.null then
    return nil
  elseif type(value) ~= "table" then
    return value
  end
  local out = {}
  for key, field in pairs(value) do
    out[key] = plain(field)
  end
  return out
end

local function read_cases(name)
  local file = io.open(CORPUS .. name .. ".json", "rb")
  if not file then
    return nil
  end
  local text = file:read("*a")
  file:close()
  return json.decode(text).tests
end

describe("the Mustache specification:", function()
  for name, count in pairs(CASES) do
    local cases = read_cases(name)
    if not cases then
      pending(name .. " (" .. CORPUS .. " is absent)")
    else
      it(name, function()
        for _, case in ipairs(cases) do
          local compiled = assert(template.compile(case.template, { strict = false }))
          local out, err = compiled:render(plain(case.data), case.partials)
          assert.equal(case.expected, out, case.name .. ": " .. tostring(err))
        end
        assert.equal(count, #cases)
      end)

      it(name .. ", with the line ends of Windows", function()
        local function windows(text)
          return (text:gsub("\r?\n", "\r\n"))
        end
        for _, case in ipairs(cases) do
          local partials = {}
          for key, text in pairs(case.partials or {}) do
            partials[key] = windows(text)
          end
          local out = assert(template.compile(windows(case.template), { strict = false }))
            :render(plain(case.data), partials)
          -- Values keep the line ends they have.
          assert.equal(case.expected:gsub("\r", ""), (out:gsub("\r", "")), case.name)
        end
      end)
    end
  end
end)

local function render(text, vars, options)
  local out, err = template.render(text, vars, options)
  assert.is_nil(err, tostring(err))
  return out
end

-- The error of a template that fails, checked for what each must have.
local function failure(code, text, vars, options)
  local out, err = template.render(text, vars, options)
  assert.is_nil(out)
  assert.is_true(errors.is(err))
  assert.equal(code, err.code)
  assert.same({ "message", "config", "no", "never" },
    { err.kind, err.phase, err.delivered, err.retry })
  return err
end

local function fails_at(line, column, code, text, vars, options)
  local err = failure(code, text, vars, options)
  assert.same({ line, column }, { err.line, err.column }, err.message)
  return err
end

local EN = { lang = "en" }

describe("a template that is wrong", function()
  it("is refused with the place and what was expected", function()
    for text, wanted in pairs({
      ["a\n你好{{a"] = { 2, 3, "}} is expected" },
      ["{{{a}}"] = { 1, 1, "}}} is expected" },
      ["{{#a}}\n\n {{/b}}"] = { 3, 2, "{{/a}} is expected (opened in line 1), not {{/b}}" },
      ["x {{#a}}\r\n"] = { 1, 3, "{{/a}} is expected" },
      ["\n{{/a}}"] = { 2, 1, "nothing is open" },
      ["{{}}"] = { 1, 1, "a name is expected" },
      ["{{#}}{{/}}"] = { 1, 1, "a name is expected" },
      ["{{>*}}"] = { 1, 1, "a name is expected" },
      ["{{a b}}"] = { 1, 1, "without blanks" },
      ["{{a..b}}"] = { 1, 1, "each dot" },
      ["{{.a}}"] = { 1, 1, "each dot" },
      ["{{=<%=}}"] = { 1, 1, "new delimiters" },
      ["{{=a b c=}}"] = { 1, 1, "new delimiters" },
      ["{{= = = =}}"] = { 1, 1, "new delimiters" },
      ["{{<p}}{{$a}}{{/p}}"] = { 1, 13, "{{/a}} is expected" },
      ["{{=<% %>=}}<%# a%>"] = { 1, 12, "never ended" },
    }) do
      local err = fails_at(wanted[1], wanted[2], "template.syntax", text, {}, EN)
      assert.is_truthy(err.message:find(wanted[3], 1, true), err.message)
    end
  end)

  it("because it is no UTF-8 is refused with the place", function()
    fails_at(2, 3, "template.bad_utf8", "a\n你好\255", {})
    fails_at(1, 1, "template.bad_utf8", "\239\187\191\196\227", {}) -- GBK behind a mark
  end)

  it("says so in Chinese as well", function()
    local err = failure("template.syntax", "{{#a}}", {}, { lang = "zh", name = "周报" })
    assert.equal('模板 周报 第 1 行第 1 列："a" 没有结束，缺少 {{/a}}', err.message)
    assert.equal("周报", err.template)
  end)

  it("raises only for an argument of a wrong type", function()
    local compiled = assert(template.compile("x"))
    for _, call in ipairs({
      function() template.compile(1) end, function() template.compile("", 1) end,
      function() template.compile("", { strict = 1 }) end,
      function() template.compile("", { escape = "xml" }) end,
      function() compiled:render(print) end, function() compiled:render({}, "") end,
      function() template.folder("") end, function() template.mail("x") end,
      function() template.mail({ subject = 1 }) end,
    }) do
      assert.has_error(call)
    end
    local _, err = template.compile("", { stric = false, lang = "en" })
    assert.equal("config.unknown_option", err.code)
    assert.is_truthy(err.message:find("did you mean", 1, true))
    _, err = template.mail({ body = "x" })
    assert.equal("config.unknown_option", err.code)
  end)
end)

describe("a byte order mark", function()
  it("is left out", function()
    assert.equal("xy", render("\239\187\191x{{a}}", { a = "y" }))
    assert.equal("y", render("\239\187\191{{#a}}\ny{{/a}}", { a = true }))
  end)
end)

describe("a missing variable", function()
  it("is an error with name and place", function()
    local err = fails_at(2, 5, "template.missing_variable", "x\n  你好{{user.name}}",
      { user = { mail = "secret@x.org" } }, { lang = "en", name = "t" })
    assert.equal('template t, line 2, column 5: there is no variable "user.name"', err.message)
    assert.same({ "user.name", "vars.user.name", "t" }, { err.variable, err.field, err.template })
    assert.is_nil(tostring(err):find("secret", 1, true))
    fails_at(1, 1, "template.missing_variable", "{{{a}}}", {})
    fails_at(1, 1, "template.missing_variable", "{{a.b.c}}", { a = "text" })
    fails_at(1, 1, "template.missing_variable", "{{>*a}}", {})
  end)

  it("in a partial tells the place there", function()
    local err = fails_at(2, 1, "template.missing_variable", "{{>p}}", {},
      { partials = { p = "\n{{a}}" } })
    assert.equal("p", err.template)
  end)

  it("is allowed for a section", function()
    assert.equal("-", render("{{#a}}{{b}}{{/a}}{{^a}}-{{/a}}{{#a.b.c}}x{{/a.b.c}}", {}))
  end)

  it("writes nothing when not strict", function()
    assert.equal("[]", render("[{{a}}{{a.b}}{{>p}}{{>*a}}]", {}, { strict = false }))
  end)

  it("goes for a partial, too; a name out of the data is not shown", function()
    fails_at(1, 2, "template.missing_partial", " {{>p}}", {})
    fails_at(1, 1, "template.missing_partial", "{{<p}}{{/p}}", {})
    local err = fails_at(1, 1, "template.missing_partial", "{{>*a}}", { a = "hunter2" }, EN)
    assert.is_nil(tostring(err):find("hunter2", 1, true))
  end)
end)

describe("values", function()
  it("are written as people write them", function()
    local text = "{{a}}"
    for value, wanted in pairs({ [0] = "0", [1] = "1", [-1.5] = "-1.5", [0.1] = "0.1",
      [1e15] = "1000000000000000", [1e100] = "1e+100", [true] = "true", [""] = "" }) do
      assert.equal(wanted, render(text, { a = value }))
    end
    assert.equal("false", render(text, { a = false }))
    assert.equal("0", render(text, { a = -1 * 0.0 }))
    assert.equal("9007199254740991", render(text, { a = 9007199254740991 }))
    if math.type then
      assert.equal("9223372036854775807", render(text, { a = math.maxinteger }))
    end
  end)

  it("are escaped for HTML, or not", function()
    local vars = { a = [[<b c="d" e='f'>&]] }
    assert.equal("&lt;b c=&quot;d&quot; e=&#39;f&#39;&gt;&amp;", render("{{a}}", vars))
    assert.equal(vars.a .. vars.a, render("{{{a}}}{{& a }}", vars))
    assert.equal(vars.a, render("{{a}}", vars, { escape = "none" }))
  end)

  it("decide about sections", function()
    local text = "{{#a}}+{{/a}}{{^a}}-{{/a}}"
    for _, row in ipairs({ { false, "-" }, { "", "-" }, { {}, "-" }, { 0, "+" }, { "x", "+" },
      { true, "+" }, { { 1, 2 }, "++" }, { { b = 1 }, "+" }, { { false, false }, "++" } }) do
      assert.equal(row[2], render(text, { a = row[1] }))
    end
    assert.equal("1 2 ", render("{{#a}}{{.}} {{/a}}", { a = { 1, 2 } }))
  end)

  it("that are no data are errors, also when not strict", function()
    for _, text in ipairs({ "{{a}}", "{{#a}}{{/a}}", "{{^a}}{{/a}}", "{{>*a}}", "{{&a}}" }) do
      for _, value in ipairs({ print, io.stdout, coroutine.create(function() end) }) do
        local err = fails_at(1, 1, "template.bad_value", text, { a = value },
          { strict = false, lang = "en" })
        assert.is_truthy(err.message:find("data only", 1, true))
      end
    end
    fails_at(1, 1, "template.bad_value", "{{#a}}{{/a}}", { a = { 1, print } })
    fails_at(1, 1, "template.bad_value", "{{a}}", { a = {} }, { strict = false })
    fails_at(1, 1, "template.bad_value", "{{a}}", { a = 0 / 0 })
    fails_at(1, 1, "template.bad_value", "{{a}}", { a = math.huge })
  end)

  it("are read without their metatables", function()
    local function forbidden()
      error("called")
    end
    local meta = { __index = forbidden, __tostring = forbidden, __len = forbidden,
      __pairs = forbidden, __ipairs = forbidden, __call = forbidden, __eq = forbidden,
      __concat = forbidden, __metatable = "locked" }
    local vars = setmetatable({ a = setmetatable({ b = 1 }, meta),
      list = setmetatable({ setmetatable({ n = 2 }, meta) }, meta) }, meta)
    assert.equal("1 2", render("{{a.b}} {{#list}}{{n}}{{/list}}", vars))
    fails_at(1, 1, "template.missing_variable", "{{c}}", vars)
    fails_at(1, 1, "template.bad_value", "{{a}}", vars)
    assert.equal("x", render("x{{#c}}{{/c}}", vars))
  end)

  it("are never read as a template", function()
    local vars = { a = "{{b}} {{=<% %>=}} {{>p}}", b = "no" }
    assert.equal(vars.a .. "|" .. vars.a, render("{{{a}}}|{{&a}}", vars))
    assert.equal(vars.a, render("{{#a}}{{{.}}}{{/a}}", vars))
  end)

  it("may refer to each other", function()
    local vars = { name = "n" }
    vars.self = vars
    assert.equal("n", render("{{#self}}{{#self}}{{self.self.name}}{{/self}}{{/self}}", vars))
  end)
end)

describe("white space", function()
  it("at the end is kept like any other text", function()
    for _, text in ipairs({ "  ", "x\n  ", "{{! }}x\n\t", "{{#a}}\nx\n{{/a}}\n \n  " }) do
      local wanted = text:gsub("{{[!#/]a? ?}}\n?", "")
      assert.equal(wanted, render(text, { a = true }))
    end
  end)
end)

describe("inheritance", function()
  it("leaves lines that are indented less than their block as they are", function()
    assert.equal("[\n    a\n b\n]\n", render("[\n{{$x}}\n    a\n b\n{{/x}}\n]\n", {}))
  end)

  it("does not take a block inside its own replacement for another", function()
    assert.equal("[ab]", render("{{<p}}{{$x}}a{{$x}}b{{/x}}{{/x}}{{/p}}", {},
      { partials = { p = "[{{$x}}c{{/x}}]" } }))
  end)

  it("renders a block with the blocks known where it was written", function()
    local partials = { p = "{{<q}}{{$b}}<{{$a}}p{{/a}}>{{/b}}{{/q}}",
      q = "{{$a}}q{{/a}}{{$b}}q{{/b}}" }
    assert.equal("mine<mine>", render("{{<p}}{{$a}}mine{{/a}}{{/p}}", {}, { partials = partials }))
    assert.equal("q<p>", render("{{>p}}", {}, { partials = partials }))
  end)

  it("moves all lines of a layout's block, values excepted", function()
    local layout = "<div>\n  {{$body}}\n  {{/body}}\n</div>\n"
    assert.equal("<div>\n  a\n\n    b\n  x\ny\n</div>\n",
      render("{{<l}}\n{{$body}}\na\n\n  b\n{{v}}\n{{/body}}\n{{/l}}\n", { v = "x\ny" },
        { partials = { l = layout } }))
  end)
end)

describe("partials", function()
  it("are compiled once where they belong to the template", function()
    local partials = { p = "{{a}}" }
    local compiled = assert(template.compile("{{>p}}", { partials = partials }))
    assert.equal("1", compiled:render({ a = 1 }))
    partials.p = "changed"
    assert.equal("2", compiled:render({ a = 2 }))
    assert.equal("given", compiled:render({}, { p = "given" }))
    assert.equal("3", compiled:render({}, { p = assert(template.compile("3")) }))
  end)

  it("that are wrong say where", function()
    local err = fails_at(2, 1, "template.syntax", "{{>p}}", {}, { partials = { p = "\n{{a" } })
    assert.equal("p", err.template)
    failure("template.bad_value", "{{>p}}", {}, { partials = { p = 1 } })
  end)
end)

describe("a limit", function()
  local limits = template.limits

  local function passes(name, text, vars, options)
    local err = failure("template.limit", text, vars, options)
    assert.is_truthy(err.message:find(name, 1, true), err.message)
  end

  it("stops partials that contain themselves", function()
    passes("depth", "{{>p}}", {}, { partials = { p = "x{{>p}}" } })
    passes("depth", "{{>*n}}", { n = "p" }, { partials = { p = "{{>*n}}" } })
    passes("depth", "{{<p}}{{/p}}", {}, { partials = { p = "{{<p}}{{/p}}" } })
    local vars = {}
    vars.v = vars
    passes("depth", "{{>p}}", vars, { partials = { p = "{{#v}}{{>p}}{{/v}}" } })
  end)

  it("stops partials that grow without writing anything", function()
    local partials = {}
    for index = 1, 100 do
      partials["p" .. index] = ("{{>p%d}}{{>p%d}}"):format(index + 1, index + 1)
    end
    partials.p101 = ""
    passes("steps", "{{>p1}}", {}, { partials = partials })
  end)

  it("holds for the result", function()
    local list = {}
    for index = 1, 200 do
      list[index] = index
    end
    passes("output_bytes", "{{#list}}{{#list}}{{x}}{{/list}}{{/list}}",
      { list = list, x = ("y"):rep(1000) })
  end)

  it("holds for the template", function()
    assert.equal(limits.template_bytes, #render(("x"):rep(limits.template_bytes), {}))
    passes("template_bytes", ("x"):rep(limits.template_bytes + 1), {})
  end)

  it("holds for sections inside each other", function()
    local function nested(count)
      return ("{{#a}}"):rep(count) .. "x" .. ("{{/a}}"):rep(count)
    end
    assert.equal("x", render(nested(limits.nesting), { a = true }))
    passes("nesting", nested(limits.nesting + 1), { a = true })
  end)

  it("holds for names, delimiters and white space", function()
    passes("name_bytes", "{{" .. ("a"):rep(256) .. "}}", {})
    passes("name_parts", "{{a" .. (".a"):rep(32) .. "}}", {})
    passes("delimiter_bytes", "{{=" .. ("<"):rep(33) .. " >=}}", {})
    passes("indentation", " {{>p}}", {}, { partials = { p = (" "):rep(300) .. "{{>p}}" } })
  end)
end)

describe("the time", function()
  -- Bytecode instructions in place of a clock, which others on the machine would disturb.
  local function work(f)
    local count = 0
    if jit then
      jit.off()
    end
    debug.sethook(function() count = count + 1 end, "", 100)
    f()
    debug.sethook()
    if jit then
      jit.on()
    end
    return count
  end

  local SHAPES = {
    function(n) return ("{{a}}"):rep(n) end,
    function(n) return ("x{{! }}"):rep(n) end,
    function(n) return ("{{#a}}\n{{/a}}\n"):rep(n) end,
    function(n) return ("\n"):rep(n) .. ("{{a}}\n"):rep(n) end,
    function(n) return "{{<p}}" .. ("{{$a}}\n {{/a}}"):rep(n) .. "{{/p}}" end,
    function(n) return ("{{=< >=}}<={{ }}=>"):rep(n) end,
  }

  it("grows with the length of the template", function()
    for index, shape in ipairs(SHAPES) do
      local function costs(n)
        local text = shape(n)
        return work(function()
          render(text, { a = "1" }, { partials = { p = "{{$a}}{{/a}}" } })
        end)
      end
      local small, large = costs(500), costs(4000)
      assert.is_true(large < 12 * small, ("shape %d: %d, then %d"):format(index, small, large))
    end
  end)
end)
