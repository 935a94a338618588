--- The DKIM-Signature field: which fields of a mail it names, and how it is written
-- (RFC 6376 section 3.5).
-- @module qqmail.dkim.fields

local M = {}

-- A field that is named once more than it is there cannot be added on the way without
-- breaking the signature (RFC 6376 section 8.15): readers show the first Subject they
-- find. "always": named also when there is none.
--
-- "present": only where there is one, as servers may add one to a mail without: Date and
-- Message-ID (RFC 6409 section 8), what mailing lists write.
--
-- "as_is": named as often as it is there; whoever sends a mail on puts a block of his
-- own in front (RFC 5322 section 3.6.6).
local RULES = {
  { "From", "always" }, { "Sender", "present" }, { "Reply-To", "always" }, { "To", "always" },
  { "Cc", "always" }, { "Subject", "always" }, { "Date", "present" }, { "Message-ID", "present" },
  { "In-Reply-To", "present" }, { "References", "present" }, { "MIME-Version", "always" },
  { "Content-Type", "always" }, { "Content-Transfer-Encoding", "always" },
  { "Content-Disposition", "present" }, { "Content-ID", "present" },
  { "Disposition-Notification-To", "present" }, { "List-Unsubscribe", "present" },
  { "List-Unsubscribe-Post", "present" }, { "List-Id", "present" }, { "List-Help", "as_is" },
  { "List-Subscribe", "as_is" }, { "List-Post", "as_is" }, { "List-Owner", "as_is" },
  { "List-Archive", "as_is" }, { "Feedback-ID", "as_is" }, { "Auto-Submitted", "as_is" },
  { "Resent-Date", "as_is" }, { "Resent-From", "as_is" }, { "Resent-Sender", "as_is" },
  { "Resent-To", "as_is" }, { "Resent-Cc", "as_is" }, { "Resent-Message-ID", "as_is" },
}

local IS_RULED = {}
for _, rule in ipairs(RULES) do
  IS_RULED[rule[1]:lower()] = true
end

-- RFC 6376 section 5.4.1 and what else is written or taken out on the way.
local CHANGED = { ["return-path"] = true, received = true, ["dkim-signature"] = true, bcc = true,
  ["resent-bcc"] = true, ["authentication-results"] = true, ["received-spf"] = true,
  ["delivered-to"] = true, ["content-length"] = true, status = true, ["x-status"] = true,
  ["domainkey-signature"] = true }

--- Whether servers add, change or remove such a field, so that no signature over it
-- would last.
-- @tparam string name
-- @treturn boolean
function M.is_changed_on_the_way(name)
  name = name:lower()
  return CHANGED[name] == true or name:find("^arc%-") ~= nil
    or name:find("^x%-qqmail%-outbox") ~= nil
end

local function add(out, name, count)
  for _ = 1, count do
    out[#out + 1] = name
  end
end

--- What h= names.
-- @tparam table entry of the setting `dkim`
-- @tparam function count (name) -> how many fields of that name there are
-- @treturn table list of names
function M.names(entry, count)
  local out = {}
  for _, rule in ipairs(RULES) do
    local name, way = rule[1], rule[2]
    local there = count(name)
    local is_closed = entry.oversign and (way == "always" or (way == "present" and there > 0))
    add(out, name, there + (is_closed and 1 or 0))
  end
  for _, name in ipairs(entry.headers) do
    local there = count(name)
    if not IS_RULED[name:lower()] then
      add(out, name, there + (entry.oversign and 1 or 0))
    elseif entry.oversign and there == 0 then
      M.add_missing(out, name)
    end
  end
  return out
end

--- Name a field that is not there, unless the list has it already.
-- @tparam table out list of names
-- @tparam string name
function M.add_missing(out, name)
  for _, other in ipairs(out) do
    if other:lower() == name:lower() then
      return
    end
  end
  out[#out + 1] = name
end

-- --- writing --------------------------------------------------------------------

-- Lines of no more than 78 columns, where there is a place to break.
local LINE = 76

local Writer = {}
Writer.__index = Writer

-- Adds a piece behind which a line may end.
function Writer:put(piece)
  if self.column > 1 and self.column + #piece > LINE then
    self.parts[#self.parts + 1] = "\r\n "
    self.column = 1
  end
  self.parts[#self.parts + 1] = piece
  self.column = self.column + #piece
end

-- A tag; a blank before it is where the line may break.
function Writer:tag(name, value)
  local text = ("%s=%s;"):format(name, value)
  if self.column > 1 and self.column + 1 + #text > LINE then
    self.parts[#self.parts + 1], self.column = "\r\n ", 1
  elseif self.column > 1 then
    self.parts[#self.parts + 1], self.column = " ", self.column + 1
  end
  self.parts[#self.parts + 1] = text
  self.column = self.column + #text
end

function Writer:break_line()
  self.parts[#self.parts + 1], self.column = "\r\n ", 1
end

-- RFC 6376 section 2.11: what has a meaning in a tag, or is not ASCII, goes as =XX.
local function quoted(text)
  return (text:gsub("[^!-:<>-~]", function(char)
    return ("=%02X"):format(char:byte())
  end))
end

local function put_names(writer, names)
  for i, name in ipairs(names) do
    local prefix, suffix = i == 1 and "h=" or "", i == #names and ";" or ":"
    writer:put(prefix .. name .. suffix)
  end
end

--- The field up to its signature: what is signed, and what the signature stands behind.
-- @tparam table entry of the setting `dkim`
-- @tparam table names of the fields
-- @tparam string body_hash base64
-- @tparam number now seconds since 1970
-- @treturn string ends with "b="
function M.unsigned(entry, names, body_hash, now)
  local start = "DKIM-Signature:"
  local writer = setmetatable({ parts = { start }, column = #start }, Writer)
  writer:tag("v", "1")
  writer:tag("a", entry.algorithm)
  writer:tag("c", entry.canonicalization)
  writer:tag("d", entry.domain)
  writer:tag("s", entry.selector)
  if entry.identity then
    writer:tag("i", quoted(entry.identity))
  end
  writer:tag("t", ("%.0f"):format(now))
  if entry.expires then
    writer:tag("x", ("%.0f"):format(now + entry.expires))
  end
  writer:break_line()
  put_names(writer, names)
  writer:break_line()
  writer:tag("bh", body_hash)
  writer:break_line()
  writer.parts[#writer.parts + 1] = "b="
  return table.concat(writer.parts)
end

--- A value in base64, in lines that go on behind "b=".
-- @tparam string value
-- @treturn string
function M.folded(value)
  local parts, at, room = {}, 1, LINE - 3
  while at <= #value do
    parts[#parts + 1] = value:sub(at, at + room - 1)
    at, room = at + room, LINE - 1
  end
  return table.concat(parts, "\r\n ")
end

return M
