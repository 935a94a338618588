--- Event loops for specs: `cqueues` and `luv`, where they are installed.
--
-- A loop has `driver`; `run(body, ...)`, which runs functions side by side until
-- all have returned; `missing`, why it cannot run, or nil. What a function
-- raises does not stop the others, and is raised in the end.
local M = {}

local function load(name)
  local ok, module = pcall(require, name)
  return ok and module or nil, not ok and name .. " is not installed" or nil
end

-- cqueues ----------------------------------------------------------------------

local cqueues, no_cqueues = load("cqueues")

local function run_cqueues(...)
  local controller = cqueues.new()
  for _, body in ipairs({ ... }) do
    controller:wrap(body)
  end
  local first
  for why in controller:errors() do
    first = first or why
  end
  if first then
    error(first, 0)
  end
end

M.cqueues = {
  driver = cqueues and require("qqmail.io.cqueues"), run = run_cqueues, missing = no_cqueues,
}

-- luv --------------------------------------------------------------------------

local luv, no_luv = load("luv")

-- What is raised behind a wait ends the process. Where a wait may be inside
-- pcall, and that is everywhere but in Lua 5.1, it is caught before.
local has_pcall = jit or _VERSION ~= "Lua 5.1"

local function run_luv(...)
  local first
  local function note(ok, why)
    first = first or (not ok and why) or nil
  end
  for _, body in ipairs({ ... }) do
    note(coroutine.resume(coroutine.create(function()
      if has_pcall then
        note(pcall(body))
      else
        body()
      end
    end)))
  end
  luv.run()
  if first then
    error(first, 0)
  end
end

M.luv = { driver = luv and require("qqmail.io.luv"), run = run_luv, missing = no_luv }

return M
