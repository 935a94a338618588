--- What the specs of messages share.

local assert = require "luassert"
local errors = require "qqmail.errors"
local mail_reader = require "spec.support.mail_reader"
local message = require "qqmail.message"
local shell = require "spec.support.shell"

local M = {}

M.FROM, M.TO = "sender@example.com", "rcpt@example.com"

--- A small message with more fields; the value "none" takes one away.
function M.spec_with(more)
  local spec = { from = M.FROM, to = M.TO, subject = "s", text = "body\n" }
  for key, value in pairs(more or {}) do
    if value == "none" then
      value = nil
    end
    spec[key] = value
  end
  return spec
end

function M.build(more, defaults)
  local built, err = message.new(M.spec_with(more), defaults)
  assert.is_nil(err)
  return built
end

--- The error of a message, checked for what every such error must tell.
function M.refused(more, code, field, position)
  local built, err = message.new(M.spec_with(more), { lang = "en" })
  assert.is_nil(built)
  assert.is_true(errors.is(err))
  assert.equal(code, err.code)
  assert.equal(field, err.field)
  assert.equal(position, err.position)
  assert.same({ "message", "config", "no", "never" },
    { err.kind, err.phase, err.delivered, err.retry })
  return err
end

-- Encoded-words between the quotes of `name` are no standard, but what web
-- mailers of Chinese providers read; Python reads them too, and says so. UTF-8
-- before the @ is what RFC 6532 section 3.2 allows.
local function is_tolerated(defect)
  return defect == "Content-Type: InvalidHeaderDefect"
    or defect:match("^[%a-]+: (.*)$") == "NonASCIILocalPartDefect"
end

--- That a message is well formed, as Python sees it.
-- @tparam table facts of read_mail.py
-- @tparam ?number columns most of a line in the header, default 78
function M.check(facts, columns)
  for _, defect in ipairs(facts.defects) do
    assert.is_true(is_tolerated(defect), defect)
  end
  assert.is_false(facts.lines.bare)
  assert.is_false(facts.lines.nul)
  assert.is_true(facts.lines.complete)
  assert.is_true(facts.lines.longest <= 998)
  assert.is_true(facts.lines.longest_header <= (columns or 78))
end

--- What Python reads in a message, or in several of them.
function M.read(...)
  local texts = {}
  for index, built in ipairs({ ... }) do
    texts[index] = type(built) == "string" and built or tostring(built)
  end
  local list = mail_reader.read(texts)
  for _, facts in ipairs(list) do
    M.check(facts)
  end
  return (unpack or table.unpack)(list)
end

--- The one field of that name.
function M.header(facts, name)
  local found
  for _, pair in ipairs(facts.headers) do
    if pair[1]:lower() == name:lower() then
      assert.is_nil(found)
      found = pair[2]
    end
  end
  return found
end

--- Calls run(path, folder) beside a file of that content.
function M.with_file(content, run)
  local folder, remove = shell.folder()
  local path = folder .. "/file.bin"
  shell.write(path, content)
  run(path, folder)
  remove()
end

return M
