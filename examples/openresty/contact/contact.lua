-- A contact form whose text arrives as a mail.
--
-- From is the account's own address; the visitor is in Reply-To, so that an
-- answer goes there. A mail that claims to come *from* the visitor would be
-- refused by many servers (SPF, DMARC), and rightly so.
--
-- Against header injection nothing is done here: the library refuses line ends
-- and other control characters in every field, and whatever is no address, with
-- an error that names the field, before a byte of the mail is sent.
local qqmail = require "qqmail"

local M = {}

-- Most bytes of each field.
local FIELDS = { name = 100, address = 254, text = 20000 }
local NAMES = { "name", "address", "text" }

-- What a field of the mail is called in the form.
local ORIGIN = { ["reply_to.name"] = "name", reply_to = "address", text = "text" }

local PAGE = [[
<!DOCTYPE html>
<meta charset="utf-8">
<title>Contact</title>
<p>$note</p>
<form method="post">
<p><label>Name <input name="name" value="$name"></label>
<p><label>E-mail <input name="address" type="email" value="$address"></label>
<p><label>Message <textarea name="text">$text</textarea></label>
<p><button>Send</button>
</form>
]]

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local mailer, to

function M.setup(options)
  -- A visitor does not wait for three minutes.
  mailer, to = qqmail.setup { timeout = 20 }, options.to
end

function M.start()
  mailer:start()
end

-- The form, with what was typed: nobody types it again for one mistake.
local function show(status, note, values)
  ngx.status = status
  ngx.header.content_type = "text/html; charset=utf-8"
  ngx.print((PAGE:gsub("%$(%l+)", function(name)
    local text = name == "note" and note or values[name] or ""
    return (text:gsub('[&<>"]', ENTITIES))
  end)))
end

-- What was posted; texts only, as a field may be there twice or without a value.
local function read()
  ngx.req.read_body()
  local values = {}
  for name, value in pairs(ngx.req.get_post_args(10) or {}) do
    values[name] = type(value) == "string" and value or nil
  end
  return values
end

-- The first field that cannot be right. Whether an address is one is left to
-- the library.
local function find_fault(values)
  for _, name in ipairs(NAMES) do
    local value = values[name] or ""
    if not value:find("%S") then
      return name, "Please fill in: " .. name
    elseif #value > FIELDS[name] then
      return name, "Too long: " .. name
    end
  end
end

local function send(values)
  return mailer:send {
    to = to,
    -- By name: in the short form { "a", "b" } a visitor called a@b.example would
    -- be a second address.
    reply_to = { name = values.name, address = values.address },
    subject = "Contact form",
    text = values.text,
  }
end

local function receive()
  local values = read()
  local fault, note = find_fault(values)
  if fault then
    return show(400, note, values)
  end
  local receipt, err = send(values)
  if receipt then
    return show(200, "Thank you. Your message has been sent.", {})
  end
  local field = err.kind == "message" and ORIGIN[err.field]
  if field then
    return show(400, "Please correct: " .. field, values)
  end
  -- What went wrong concerns nobody outside; the library has told error.log.
  if err.delivered == "unknown" then
    return show(502, "Your message may have been sent; please do not send it again now.", {})
  end
  show(503, "Your message could not be sent. Please try again later.", values)
end

function M.handle()
  local method = ngx.req.get_method()
  if method == "POST" then
    receive()
  elseif method == "GET" or method == "HEAD" then
    show(200, "Write to us.", {})
  else
    ngx.status, ngx.header.allow = 405, "GET, HEAD, POST"
  end
end

return M
