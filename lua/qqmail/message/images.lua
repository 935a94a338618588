--- The field `embed_images` of a message: pictures that its HTML names go with it.
--
-- `src="logo.png"` becomes `src="cid:..."`, and the file a part of the message. Files
-- come from one folder and no other, wherever a path or a symbolic link leads. What is
-- on the web stays there; comments, scripts and text are not touched.
-- @module qqmail.message.images

local content = require "qqmail.message.content"
local core = require "qqmail.core"
local data_url = require "qqmail.message.data_url"
local disk = require "qqmail.disk"
local fault = require "qqmail.message.fault"
local media_types = require "qqmail.media_types"

local M = {}

local codec = core.codec

-- Most bytes of all pictures of one message that come from the folder.
local HELD_MAX = 64 * 1024 * 1024

local KEYS = { "folder", "data_urls" }

local FORMS = { en = "a folder or { folder =, data_urls = }",
  zh = "目录或 { folder =, data_urls = }" }

local function shown(url)
  url = url:gsub("[%c\127]", "?")
  return #url <= 80 and url or url:sub(1, 60):gsub("[\192-\255]?[\128-\191]*$", "") .. "..."
end

-- --- the field --------------------------------------------------------------------

local function options_of(lang, value)
  if type(value) == "string" then
    value = { folder = value }
  elseif type(value) ~= "table" then
    return nil, fault.type(lang, "embed_images", FORMS, value)
  end
  local ok, err = content.check_keys(lang, "embed_images", value, KEYS)
  if not ok then
    return nil, err
  elseif value.folder ~= nil and type(value.folder) ~= "string" then
    return nil, fault.type(lang, "embed_images.folder", { en = "a string", zh = "字符串" },
      value.folder)
  elseif value.data_urls ~= nil and type(value.data_urls) ~= "boolean" then
    return nil, fault.type(lang, "embed_images.data_urls",
      { en = "true or false", zh = " true 或 false" }, value.data_urls)
  elseif value.folder == nil and not value.data_urls then
    return nil, fault.new(lang, "message.bad_value", "embed_images",
      { en = "names no folder", zh = "没有给出目录" })
  end
  return value
end

-- --- one picture ------------------------------------------------------------------

local function bad(self, code, image, en, zh)
  return nil, fault.new(self.lang, code, "html", {
    en = ('has "%s", %s'):format(shown(image.url), en),
    zh = ('引用了 "%s"，%s'):format(shown(image.url), zh),
  }, { position = image.first })
end

-- The path in the folder: no query, no fragment, and "/" is the folder itself, as on
-- a web site. nil: it is not a path but a URL with a scheme or a host.
local function local_path(url)
  if url:find("^%a[%w+.-]*:") or url:find("^[/\\][/\\]") or url:find("^#") then
    return nil
  end
  local path, parts = data_url.unescape(url:match("^[^?#]*")), {}
  for part in path:gmatch("[^/]+") do
    if part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return table.concat(parts, "/")
end

-- The second: a part of the path is a file.
local ABSENT = { ENOENT = true, ENOTDIR = true }

local function too_large(self, image)
  return bad(self, "message.too_large", image,
    ("with which its pictures are larger than %d bytes"):format(HELD_MAX),
    ("图片总计超过 %d 字节"):format(HELD_MAX))
end

-- Read at once: a path that was looked at could lead elsewhere when it is opened.
local function read_picture(self, image, name)
  local path = self.folder .. "/" .. name
  local data, code, why = disk.read(path, self.room + 1, self.folder)
  if data and #data <= self.room then
    self.room = self.room - #data
    return data
  elseif data then
    return too_large(self, image)
  elseif code == "outside" then
    return bad(self, "message.image_outside", image, "which is outside of the folder",
      "不在该目录之内")
  elseif ABSENT[code] then
    return bad(self, "message.image_not_found", image,
      "but " .. shown(path) .. " is not there", "但 " .. shown(path) .. " 不存在")
  end
  return bad(self, "message.unreadable", image, "which cannot be read: " .. why,
    "无法读取：" .. why)
end

-- The part; nil without an error: the picture stays where it is.
local function file_part(self, image)
  local name = local_path(image.url)
  if not name or name == "" then
    return nil
  end
  local media_type = media_types.guess(name)
  local is_image = media_type:find("^image/") ~= nil
  if image.css and not is_image then
    -- A font, or another style sheet: no reader would look for these in the mail.
    return nil
  elseif name:find("%z") then
    return bad(self, "message.image_outside", image, "which holds NUL", "含有 NUL")
  end
  local data, err = read_picture(self, image, name)
  if not data then
    return nil, err
  elseif not is_image then
    return bad(self, "message.bad_image", image, "whose name is not that of a picture",
      "文件名不是图片")
  end
  return { source = { data = data }, name = codec.base_name(name), type = media_type,
    field = "embed_images." .. shown(name) }
end

local function data_part(self, image)
  local media_type = data_url.type_of(image.url)
  if not media_type or not media_type:find("^image/") then
    return nil
  end
  local read = data_url.read(image.url)
  if not read or read.data == "" then
    return bad(self, "message.bad_image", image, "which is not base64", "不是合法的 base64")
  end
  return { source = { data = read.data }, type = media_type, field = "embed_images.data",
    name = ("image%d%s"):format(#self.parts + 1, read.extension) }
end

local function key_of(self, image)
  if data_url.is(image.url) then
    return self.data_urls and image.url or nil
  end
  return self.folder and local_path(image.url)
end

-- Content ids never come again: readers that keep pictures could show an old one.
local function add(self, part)
  if not self.prefix then
    local random, name, text = core.random(16)
    if not random then
      return nil, fault.core(self.lang, nil, name, text)
    end
    self.prefix = core.hash(random)
  end
  self.parts[#self.parts + 1] = part
  part.cid = ("%s.%d@qqmail"):format(self.prefix, #self.parts)
  return part
end

-- The content id of a picture; false: it stays where it is.
local function cid_of(self, image)
  local key = key_of(self, image)
  if not key then
    return false
  elseif self.cids[key] == nil then
    local part, err = (data_url.is(key) and data_part or file_part)(self, image)
    if part then
      part, err = add(self, part)
    end
    if err then
      return nil, err
    end
    self.cids[key] = part and part.cid or false
  end
  return self.cids[key]
end

-- --- the whole --------------------------------------------------------------------

local function rewrite(self, html, images)
  local pieces, at = {}, 1
  for _, image in ipairs(images) do
    local cid, err = cid_of(self, image)
    if cid then
      pieces[#pieces + 1] = html:sub(at, image.first - 1)
      pieces[#pieces + 1] = "cid:" .. cid
      at = image.last + 1
    elseif cid == nil then
      return nil, err
    end
  end
  pieces[#pieces + 1] = html:sub(at)
  return table.concat(pieces)
end

local function source_text(lang, source)
  if source.data then
    return source.data
  end
  return content.read_whole(lang, "html", source.path)
end

local function embed(lang, options, source)
  local html, err = source_text(lang, source)
  if not html then
    return nil, nil, err
  end
  local list, name, text = codec.html_images(html)
  if not list then
    return nil, nil, fault.core(lang, "html", name, text)
  end
  local self = { lang = lang, folder = options.folder, data_urls = options.data_urls,
    room = HELD_MAX, cids = {}, parts = {} }
  html, err = rewrite(self, html, list)
  return html and { data = html }, self.parts, err
end

--- Make parts of the pictures that HTML names.
-- @tparam ?string lang
-- @param value a folder, or `{ folder =, data_urls = true }`
-- @tparam ?table source of the HTML
-- @treturn ?table source of the HTML that refers to the parts
-- @treturn ?table list of inline parts
-- @treturn ?table error
function M.embed(lang, value, source)
  local options, err = options_of(lang, value)
  if not options then
    return nil, nil, err
  elseif not source then
    return nil, nil, fault.new(lang, "message.bad_value", "embed_images",
      { en = "has no use without html", zh = "需要与 html 一起使用" })
  end
  return embed(lang, options, source)
end

return M
