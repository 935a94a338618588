--- Looks through HTML for what mail readers and filters stumble over.
--
-- No parser: one walk from tag to tag, whose time grows with the length of the text
-- whatever is in it.
-- @module qqmail.lint.html

local M = {}

-- Bytes of a link's text that are looked at.
local SHOWN_MAX = 256

-- A name is no longer (RFC 1035 section 2.3.4); the rest leaves room for a login.
local HOST_MAX = 512

-- Links of a text that are compared.
local LINKS_MAX = 200

-- Elements whose content is no text to be read.
local OPAQUE = {
  script = "</[sS][cC][rR][iI][pP][tT]", style = "</[sS][tT][yY][lL][eE]",
  title = "</[tT][iI][tT][lL][eE]",
}

-- Where a tag ends: a ">" inside quotes is not it. A quote that is never closed is none.
local function end_of_tag(self, pos)
  local html = self.html
  while true do
    local at = html:find("[\"'>]", pos)
    if not at then
      return nil
    end
    local char = html:sub(at, at)
    if char == ">" then
      return at
    end
    local close = not self.unclosed[char] and html:find(char, at + 1, true)
    self.unclosed[char] = not close
    pos = (close or at) + 1
  end
end

local function value_at(text, pos)
  local quote = text:sub(pos, pos)
  if quote == '"' or quote == "'" then
    local close = text:find(quote, pos + 1, true) or #text + 1
    return text:sub(pos + 1, close - 1), close + 1
  end
  local close = text:find("%s", pos) or #text + 1
  return text:sub(pos, close - 1), close
end

-- Names in lower case; of two alike the first counts.
local function attributes(text)
  local out, pos = {}, 1
  while true do
    local first, last = text:find("%a[%w%-:]*", pos)
    if not first then
      return out
    end
    local key, at = text:sub(first, last):lower(), text:match("^%s*=%s*()", last + 1)
    local value
    if at then
      value, pos = value_at(text, at)
    else
      pos = last + 1
    end
    out[key] = out[key] or value or ""
  end
end

local function host_of(url)
  local host = url:match("^%s*[hH][tT][tT][pP][sS]?://([^/?#%s]+)")
  if not host or #host > HOST_MAX then
    return nil
  end
  return (host:match("@(.*)$") or host):gsub(":%d+$", ""):lower()
end

-- The host that a link's text says it leads to.
local function shown_host(text)
  local word = text:match("^%s*(%S+)%s*$")
  if not word then
    return nil
  end
  local host = host_of(word) or word:lower():match("^(www%.[%w%.%-]+)")
  return host and host:find("%.%a") and host or nil
end

-- Under the second labels of these countries everybody has a domain.
local SHARED = { com = true, net = true, org = true, gov = true, edu = true, co = true, ac = true }

local function owner_of(host)
  local rest, second, top = host:match("([%w%-]+)%.([%w%-]+)%.(%a+)$")
  if not top then
    return host
  elseif #top == 2 and SHARED[second] then
    return rest .. "." .. second .. "." .. top
  end
  return second .. "." .. top
end

local function close_link(self)
  local link = self.link
  self.link = nil
  if not link or #self.links >= LINKS_MAX then
    return
  end
  local shown = shown_host(table.concat(link.text))
  if shown and owner_of(shown) ~= owner_of(link.host) then
    self.links[#self.links + 1] = { shown = shown, host = link.host }
  end
end

local function see_text(self, text)
  if not self.has_words then
    self.has_words = text:gsub("&nbsp;", " "):gsub("\194\160", " "):find("%S") ~= nil
  end
  local link = self.link
  if link and link.size < SHOWN_MAX then
    link.text[#link.text + 1] = text:sub(1, SHOWN_MAX)
    link.size = link.size + #text
  end
end

local function is_remote(source)
  return source:find("^%s*[hH][tT][tT][pP][sS]?:") ~= nil or source:find("^%s*//") ~= nil
end

local function see_image(self, source)
  self.images = self.images + 1
  local scheme = source:match("^%s*(%a+):")
  scheme = scheme and scheme:lower()
  if scheme == "cid" then
    self.cids[#self.cids + 1] = source:match(":%s*(%S*)")
  elseif scheme == "data" then
    self.data_images = self.data_images + 1
  elseif is_remote(source) then
    self.remote_images = self.remote_images + 1
  end
end

local function see_background(self, given)
  if given.background and is_remote(given.background) then
    self.remote_images = self.remote_images + 1
  end
end

local ON_TAG = {
  img = function(self, given)
    see_image(self, given.src or "")
  end,
  a = function(self, given)
    close_link(self)
    local host = host_of(given.href or "")
    self.link = host and { host = host, text = {}, size = 0 }
  end,
  ["/a"] = close_link,
  body = see_background, table = see_background, td = see_background,
  script = function(self)
    self.script = true
  end,
  form = function(self)
    self.form = true
  end,
  link = function(self, given)
    local rel = (given.rel or ""):lower()
    self.stylesheet = self.stylesheet or rel:find("stylesheet", 1, true) ~= nil
  end,
}

local function skip_content(self, name, pos)
  local close = self.html:find(OPAQUE[name], pos) or #self.html + 1
  if name == "style" and self.html:sub(pos, close - 1):lower():find("@import", 1, true) then
    self.stylesheet = true
  end
  return close
end

-- From a "<"; answers where to go on.
local function see_tag(self, at)
  local html = self.html
  if html:sub(at, at + 3) == "<!--" then
    local _, close = html:find("-->", at + 4, true)
    return (close or #html) + 1
  end
  local name = html:match("^/?%a[%w]*", at + 1)
  if not name then
    see_text(self, "<")
    return at + 1
  end
  local first = at + 1 + #name
  local close = end_of_tag(self, first)
  if not close then
    return #html + 1
  end
  name = name:lower()
  if ON_TAG[name] then
    ON_TAG[name](self, attributes(html:sub(first, close - 1)))
  end
  return OPAQUE[name] and skip_content(self, name, close + 1) or close + 1
end

--- What is in a text.
-- @tparam string html
-- @treturn table `images`, `remote_images`, `data_images` (numbers), `cids` (list, of
--   images), `links` (list of `{ shown =, host = }` that differ), `script`, `form`,
--   `stylesheet`, `has_words`
function M.look(html)
  local self = { html = html, unclosed = {}, images = 0, remote_images = 0, data_images = 0,
    cids = {}, links = {}, has_words = false }
  local pos = 1
  while pos <= #html do
    local at = html:find("<", pos, true) or #html + 1
    if at > pos then
      see_text(self, html:sub(pos, at - 1))
    end
    pos = at <= #html and see_tag(self, at) or #html + 1
  end
  close_link(self)
  return self
end

return M
