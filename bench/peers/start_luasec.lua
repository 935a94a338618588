--- LuaSocket and LuaSec: one mail over TLS to port P, whose authority is CA, and the end.

local ltn12 = require("ltn12")
local mime = require("mime")
local smtp = require("socket.smtp")
local socket = require("socket")
local ssl = require("ssl")

local TEXT = ("The disk of the server is nearly full. 磁盘空间不足。\n"):rep(20)

local PARAMETERS = { mode = "client", protocol = "any", options = { "all", "no_sslv2", "no_sslv3" },
  verify = "peer", cafile = os.getenv("CA") }

-- What socket.smtp takes for a socket: TLS begins as soon as it is connected.
local Secure = {}
Secure.__index = function(_, name)
  return Secure[name] or function(self, ...)
    return self.socket[name](self.socket, ...)
  end
end

function Secure:connect(host, port)
  assert(self.socket:connect(host, port))
  self.socket:setoption("tcp-nodelay", true)
  self.socket = assert(ssl.wrap(self.socket, PARAMETERS))
  assert(self.socket:dohandshake())
  return 1
end

local function create()
  return setmetatable({ socket = assert(socket.tcp()) }, Secure)
end

local function encoded(text)
  return ltn12.source.chain(ltn12.source.string(text),
    ltn12.filter.chain(mime.encode("base64"), mime.wrap("base64")))
end

local function message()
  return smtp.message {
    headers = {
      from = "bench@example.com", to = "user@discard.test",
      subject = "=?UTF-8?B?" .. mime.b64("磁盘告警 1") .. "?=",
      ["message-id"] = ("<%d@example.com>"):format(os.time()),
      ["content-type"] = "text/plain; charset=utf-8", ["content-transfer-encoding"] = "base64",
    },
    body = encoded(TEXT),
  }
end

assert(smtp.send {
  from = "<bench@example.com>", rcpt = "<user@discard.test>", source = message(),
  server = "127.0.0.1", port = os.getenv("P"), user = "u", password = "p", create = create,
})
