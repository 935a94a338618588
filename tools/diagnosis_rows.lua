-- diagnosis_rows.lua: prints what is known to go wrong when mail is sent, and how
-- spec/diagnose_world_spec.lua makes it happen, or why it cannot be.
package.path = "./?.lua;" .. package.path

local json = require("spec.support.json")
local rows = require("spec.diagnosis_rows")

local replies = {}
for _, row in ipairs(json.read_lines("spec/replies.jsonl")) do
  replies[row.name] = row
end

local function of_reply(row)
  local where = row.host and "in a world that holds " .. row.host or "by a scripted server"
  return ("reply %d in %s, said %s"):format(row.code, row.phase, where)
end

local function of_case(case)
  if case.world then
    return "world \"" .. case.world .. "\""
  end
  return case.server and "scripted server" or "refused settings"
end

local function of_cases(cases)
  local kinds, seen = {}, {}
  for _, case in ipairs(cases) do
    local kind = of_case(case)
    if not seen[kind] then
      kinds[#kinds + 1] = kind
      seen[kind] = true
    end
  end
  return ("%s (%d)"):format(table.concat(kinds, ", "), #cases)
end

local known, list = {}, {}
local function add(name)
  if not known[name] then
    known[name] = true
    list[#list + 1] = name
  end
end

-- The rest of the replies are variants and lines of other servers.
for _, name in ipairs(rows.names) do
  add(name)
end
for _, row in ipairs(json.read_lines("spec/replies.jsonl")) do
  add(row.name)
end

local made = 0
for _, name in ipairs(list) do
  local how = not rows.impossible[name]
    and (replies[name] and of_reply(replies[name]) or of_cases(rows.made[name]))
  made = made + (how and 1 or 0)
  print(("%-28s %s"):format(name, how or "CANNOT BE: " .. rows.impossible[name]))
end
print(("%d rows: %d produced, %d not producible"):format(#list, made, #list - made))
