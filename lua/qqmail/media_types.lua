--- Media types of files, by their extension.
-- A short table on purpose: what people attach. Everything else is
-- `application/octet-stream`, which every reader can save.
-- @module qqmail.media_types

local M = {}

--- The type of what is not in the table.
M.default = "application/octet-stream"

local OFFICE = "application/vnd.openxmlformats-officedocument."

--- Types by extension, in lower case.
M.by_extension = {
  pdf = "application/pdf", rtf = "application/rtf",
  doc = "application/msword", xls = "application/vnd.ms-excel",
  ppt = "application/vnd.ms-powerpoint",
  docx = OFFICE .. "wordprocessingml.document", xlsx = OFFICE .. "spreadsheetml.sheet",
  pptx = OFFICE .. "presentationml.presentation",
  odt = "application/vnd.oasis.opendocument.text",
  ods = "application/vnd.oasis.opendocument.spreadsheet",
  epub = "application/epub+zip",
  txt = "text/plain", log = "text/plain", md = "text/markdown", csv = "text/csv",
  htm = "text/html", html = "text/html", css = "text/css", ics = "text/calendar",
  vcf = "text/vcard", xml = "application/xml", json = "application/json",
  js = "text/javascript", yaml = "application/yaml", yml = "application/yaml",
  zip = "application/zip", gz = "application/gzip", tgz = "application/gzip",
  tar = "application/x-tar", ["7z"] = "application/x-7z-compressed",
  rar = "application/vnd.rar", bz2 = "application/x-bzip2", xz = "application/x-xz",
  png = "image/png", jpg = "image/jpeg", jpeg = "image/jpeg", gif = "image/gif",
  webp = "image/webp", svg = "image/svg+xml", bmp = "image/bmp", ico = "image/x-icon",
  tif = "image/tiff", tiff = "image/tiff", heic = "image/heic", avif = "image/avif",
  mp3 = "audio/mpeg", m4a = "audio/mp4", wav = "audio/wav", ogg = "audio/ogg",
  flac = "audio/flac", amr = "audio/amr", mp4 = "video/mp4", mov = "video/quicktime",
  webm = "video/webm", avi = "video/x-msvideo", mkv = "video/x-matroska",
  -- base64 is not allowed for message/rfc822 (RFC 2045 section 6.4).
  eml = "application/octet-stream",
}

--- The type of a file.
-- @tparam ?string name a file name or path
-- @treturn string
function M.guess(name)
  local extension = name and name:match("%.([%w]+)$")
  return extension and M.by_extension[extension:lower()] or M.default
end

return M
