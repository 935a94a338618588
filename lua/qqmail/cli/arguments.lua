--- Words of a command line as options, by a list of what there is.
-- @module qqmail.cli.arguments

local suggest = require("qqmail.suggest")

local M = {}

local function by_name(rows)
  local out, names = {}, {}
  for _, row in ipairs(rows) do
    out[row.name] = row
    names[#names + 1] = row.name
  end
  return out, names
end

local function fault(en, zh)
  return nil, { en = en, zh = zh }
end

-- What stands behind a single dash may be a secret, as in "-pSECRET": it is not shown.
local function unknown(word, name, names)
  if not name then
    return fault("unknown option " .. word:sub(1, 2), "未知选项 " .. word:sub(1, 2))
  end
  local meant = suggest.closest(name, names)
  return fault(("unknown option --%s"):format(name) .. (meant and ("; did you mean --%s?")
    :format(meant) or ""), ("未知选项 --%s"):format(name) .. (meant and ("，是否想写 --%s？")
    :format(meant) or ""))
end

-- "--name=value", "--name" "value", "--name"; answers how many words were used.
local function take(out, rows, names, words, index)
  local name, value = words[index]:match("^%-%-([^=]+)=(.*)$")
  name = name or words[index]:match("^%-%-(.+)$")
  local row = name and rows[name]
  if not row then
    return unknown(words[index], name, names)
  elseif not row.value then
    if value then
      return fault(("--%s takes no value"):format(name), ("--%s 不带参数"):format(name))
    end
    out[name] = true
    return 1
  end
  local used = value and 1 or 2
  value = value or words[index + 1]
  if not value then
    return fault(("--%s needs a value"):format(name), ("--%s 需要参数"):format(name))
  end
  if row.many then
    out[name] = out[name] or {}
    table.insert(out[name], value)
  else
    out[name] = value
  end
  return used
end

--- Read words.
-- @tparam table words
-- @tparam table rows of options: `name`, `value` (what it takes, as shown in the help),
-- `many` (may be repeated)
-- @treturn ?table by name: true, a text or a list of texts; and the other words as a list
-- @treturn ?table what is wrong, `{ en =, zh = }`
function M.parse(words, rows)
  local known, names = by_name(rows)
  local out, index = {}, 1
  while words[index] do
    local word = words[index]
    if word == "--" then
      for rest = index + 1, #words do
        out[#out + 1] = words[rest]
      end
      break
    elseif word == "-h" then
      word = "--help"
    end
    if word:find("^%-.") then
      local used, why = take(out, known, names, word == words[index] and words or { word },
        word == words[index] and index or 1)
      if not used then
        return nil, why
      end
      index = index + used
    else
      out[#out + 1] = word
      index = index + 1
    end
  end
  return out
end

return M
