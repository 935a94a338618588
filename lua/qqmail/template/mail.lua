--- The template of a whole mail: subject, text and HTML, each escaped as it must be.
-- @module qqmail.template.mail

local renderer = require "qqmail.template.renderer"

local M = {}

local Mail = { __name = "qqmail.template.mail" }
Mail.__index = Mail

--- The parts, in the order in which they are rendered.
M.parts = { "subject", "text", "html" }

-- A line break in a subject would begin another header field. Whatever brings one, the
-- template or the data, leaves a blank; so do the other control characters, C1 and the
-- separators of Unicode among them.
local function one_line(text)
  text = text:gsub("\194[\128-\159]", " "):gsub("\226\128[\168\169]", " ")
  text = text:gsub("[%z\1-\31\127]+", " ")
  return text:match("^ *(.-)$"):match("^(.*[^ ]) *$") or ""
end

--- Render some of the parts.
-- @tparam table self mail
-- @tparam table vars
-- @tparam ?string lang of errors
-- @tparam function wants (part): whether it is to be rendered
-- @treturn ?table `subject`, `text`, `html`
-- @treturn ?table error
function M.render(self, vars, lang, wants)
  local out = {}
  for _, part in ipairs(M.parts) do
    local source = self.sources[part]
    if source and wants(part) then
      local text, err = renderer.render(source, vars, { escapes = part == "html",
        strict = self.strict, lang = lang, find_partial = self.find_partial })
      if not text then
        return nil, err
      end
      out[part] = part == "subject" and one_line(text) or text
    end
  end
  return out
end

local function always()
  return true
end

--- Render all parts.
-- @tparam ?table vars
-- @treturn ?table `subject`, `text`, `html`: those the template has
-- @treturn ?table error
function Mail:render(vars)
  if vars ~= nil and type(vars) ~= "table" then
    error("template:render: vars must be a table, not a " .. type(vars), 2)
  end
  return M.render(self, vars or {}, self.lang, always)
end

--- @tparam table sources compiled templates: `subject`, `text`, `html`
-- @tparam table options `strict`, `lang`, `find_partial`
-- @treturn table mail
function M.new(sources, options)
  return setmetatable({ sources = sources, strict = options.strict, lang = options.lang,
    find_partial = options.find_partial }, Mail)
end

--- @param value anything
-- @treturn boolean
function M.is(value)
  return type(value) == "table" and getmetatable(value) == Mail
end

return M
