--- LuaSocket's smtp over one kept connection, with LuaSec for TLS. Settings: those of all
-- clients (README.md), and NODELAY: without Nagle's algorithm, which LuaSocket leaves on.

local ltn12 = require("ltn12")
local mime = require("mime")
local smtp = require("socket.smtp")
local socket = require("socket")

local FROM, TO = "<bench@example.com>", "<user@discard.test>"
local mails = tonumber(os.getenv("MAILS"))
local is_tls = os.getenv("TLS") == "implicit"

local function read(setting)
  local file = assert(io.open(os.getenv(setting), "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local text, html = read("TEXT"), read("HTML")

local function word(value)
  return "=?UTF-8?B?" .. mime.b64(value) .. "?="
end

local function lines(source)
  return ltn12.source.chain(source,
    ltn12.filter.chain(mime.encode("base64"), mime.wrap("base64")))
end

local function part(kind, source)
  return { headers = { ["content-type"] = kind, ["content-transfer-encoding"] = "base64" },
    body = lines(source) }
end

local function text_part(kind, template, number)
  return part(kind .. "; charset=utf-8",
    ltn12.source.string((template:gsub("{n}", tostring(number)))))
end

local function message(number)
  local body = { text_part("text/plain", text, number), text_part("text/html", html, number) }
  local file = os.getenv("FILE")
  if file then
    body = { { headers = { ["content-type"] = "multipart/alternative" }, body = body },
      part("application/octet-stream", ltn12.source.file(assert(io.open(file, "rb")))) }
  end
  return smtp.message {
    headers = {
      from = word("告警中心") .. " " .. FROM, to = TO, subject = word("磁盘告警 " .. number),
      ["message-id"] = ("<%d.%d@example.com>"):format(os.time(), number),
      ["content-type"] = "multipart/" .. (file and "mixed" or "alternative"),
    },
    body = body,
  }
end

local function plain_socket()
  local connection = assert(socket.tcp4())
  if os.getenv("NODELAY") == "true" then
    assert(connection:setoption("tcp-nodelay", true))
  end
  return connection
end

-- smtp.open() asks for an object that connects, and then speaks TLS.
local function tls_socket()
  local inner = plain_socket()
  local wrapper = {}
  function wrapper.connect(_, host, port)
    assert(inner:connect(host, port))
    inner = assert(require("ssl").wrap(inner, { mode = "client", protocol = "any",
      options = { "all" }, verify = "peer", cafile = os.getenv("CA") }))
    return inner:dohandshake()
  end
  for _, name in ipairs { "settimeout", "send", "receive", "close" } do
    wrapper[name] = function(_, ...)
      return inner[name](inner, ...)
    end
  end
  return wrapper
end

local function open()
  local server = smtp.open("127.0.0.1", tonumber(os.getenv("PORT")),
    is_tls and tls_socket or plain_socket)
  server:auth("u", "p", server:greet("client.example"))
  return server
end

local function send(server, number)
  server:send { from = FROM, rcpt = TO, source = message(number) }
end

local function send_warm()
  local server = open()
  send(server, 0)
  local began = socket.gettime()
  for number = 1, mails do
    send(server, number)
  end
  local seconds = socket.gettime() - began
  server:quit()
  server:close()
  return seconds
end

local function send_first()
  local seconds = 0
  for number = 0, mails do
    local began = socket.gettime()
    local server = open()
    send(server, number)
    seconds = seconds + (number > 0 and socket.gettime() - began or 0)
    server:quit()
    server:close()
  end
  return seconds
end

local seconds = (os.getenv("MODE") == "first" and send_first or send_warm)()
print(("seconds=%.6f sent=%d"):format(seconds, mails))
