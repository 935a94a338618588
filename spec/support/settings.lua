--- Settings from a world that holds only what the spec says.
local assert = require "luassert"
local config = require "qqmail.config"
local errors = require "qqmail.errors"

local M = {}

--- What an authorization code looks like.
M.CODE = "abcdefghijklmnop"

-- A world of its own: `env` and `files` are all there is.
function M.load(given, env, files, mode)
  env, files = env or {}, files or {}
  return config.load(given, {
    getenv = function(name)
      return env[name]
    end,
    read_file = function(path)
      return files[path]
    end,
    mode = function()
      return mode
    end,
  })
end

function M.good(given, env, files, mode)
  local settings, err = M.load(given, env, files, mode)
  assert.is_table(settings, tostring(err))
  return settings
end

function M.bad(given, env, files, mode)
  local settings, err = M.load(given, env, files, mode)
  assert.is_nil(settings)
  assert.is_true(errors.is(err))
  assert.are.equal("config", err.kind)
  assert.are.equal("no", err.delivered)
  return err
end

function M.qq(more)
  local given = { user = "10001@qq.com", password = M.CODE }
  for key, value in pairs(more or {}) do
    given[key] = value
  end
  return given
end

function M.warning(settings, code)
  for _, item in ipairs(settings.warnings) do
    if item.code == code then
      return item
    end
  end
  return nil
end

function M.has(text, part)
  assert.is_truthy(tostring(text):find(part, 1, true), tostring(text) .. " lacks " .. part)
end

-- Everything that can be reached from a value, as one text.
function M.everything(value, seen, out)
  seen, out = seen or {}, out or {}
  out[#out + 1] = tostring(value)
  if type(value) == "table" and not seen[value] then
    seen[value] = true
    for key, item in pairs(value) do
      M.everything(key, seen, out)
      M.everything(item, seen, out)
    end
    M.everything(getmetatable(value), seen, out)
  end
  return table.concat(out, "\n")
end

return M
