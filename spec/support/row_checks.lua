--- What an error must tell whose row is known, in both languages.
local assert = require("luassert")
local errors = require("qqmail.errors")

local M = {}

local function about(err, name)
  return ("%s of: %s"):format(name, err.text)
end

-- The error of a result, which must advise in its language.
local function error_of(results, lang)
  local result = results[lang][#results[lang]]
  local err = assert.is_table(result.err, "the mail was sent") and result.err
  assert.is_true(errors.kinds[err.kind], err.kind)
  assert.is_true(#(err.hint or "") > 10, about(err, "hint"))
  return err
end

local function is_chinese(text)
  return text:find("[\228-\233][\128-\191][\128-\191]") ~= nil
end

--- Asserts that the last mail failed as a case expects, in both languages.
-- @tparam table results of spec/support/row_cases.lua
-- @tparam table case of spec/diagnosis_rows.lua
-- @treturn table the error in English
-- @treturn table and in Chinese
function M.errors(results, case)
  local en, zh = error_of(results, "en"), error_of(results, "zh")
  for name, value in pairs(case.expect) do
    assert.equal(value, en[name], about(en, name))
    assert.equal(value, zh[name], about(zh, name))
  end
  assert.is_false(is_chinese(en.hint), en.hint)
  assert.is_true(is_chinese(zh.hint), zh.hint)
  return en, zh
end

local function expectation(row)
  local never = row.retry == "never"
  return {
    phase = row.phase, delivered = "no", retry = row.retry, code = row.as,
    retry_after = (not never) and row.after or nil,
  }
end

--- Asserts that a reply was understood as its row of replies.jsonl says.
function M.reply(results, row)
  for _, err in ipairs({ M.errors(results, { expect = expectation(row) }) }) do
    assert.equal(row.code, err.smtp.code)
    assert.equal(row.enhanced, err.smtp.enhanced)
    assert.equal(row.text, err.smtp.text)
    assert.equal(err.code:match("^%a+"), err.kind)
    if row.retry == "never" then
      assert.is_nil(err.retry_after)
    end
  end
end

return M
