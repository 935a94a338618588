-- check_rock.lua [nginx]: sends a mail over TLS with the qqmail that is
-- installed, to the scripted server that comes with it; with `nginx` from
-- inside a private nginx. CERTS is a folder with certificates, WORK one to
-- write to. Knows nothing of the checkout.

local certs, work = os.getenv("CERTS"), os.getenv("WORK")
local qqmail = require "qqmail"
local net = require "qqmail.net"

local ACCOUNT = { user = "10001@qq.com", password = "abcdefghijklmnop" }

local function start_server()
  return qqmail.testing.server { scenario = "qq", cert = certs .. "/good.pem",
    key = certs .. "/good.key", users = { [ACCOUNT.user] = ACCOUNT.password } }
end

local function send_here(port)
  local mailer = assert(qqmail.new { host = "localhost", port = port, tls = "implicit",
    user = ACCOUNT.user, password = ACCOUNT.password,
    tls_options = { ca_file = certs .. "/ca.pem" } })
  local receipt, err = mailer:send { to = "a@example.com", subject = "主题", text = "正文" }
  if not receipt then
    error(tostring(err))
  end
  mailer:close()
end

local CONFIGURATION = [[
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
daemon off;
pid WORK/nginx.pid;
error_log WORK/error.log;
events {}
http {
  access_log off;
  client_body_temp_path WORK/body;
  proxy_temp_path WORK/proxy;
  fastcgi_temp_path WORK/fastcgi;
  uwsgi_temp_path WORK/uwsgi;
  scgi_temp_path WORK/scgi;
  lua_package_path "PATH;;";
  lua_package_cpath "CPATH;;";
  init_by_lua_block {
    mailer = require("qqmail").setup {
      host = "localhost", port = PORT, tls = "implicit", user = "USER", password = "CODE",
      tls_options = { ca_file = "CERTS/ca.pem" }, outbox = "WORK/outbox",
    }
  }
  server {
    listen unix:WORK/http.sock;
    location / {
      content_by_lua_block {
        local _, err = mailer:send { to = "a@example.com", subject = "主题", text = "正文" }
        ngx.print(tostring(err))
      }
      log_by_lua_block {
        mailer:notify { to = "a@example.com", subject = "主题", text = "正文" }
      }
    }
  }
}
]]

local function write_configuration(port)
  local values = { WORK = work, PATH = package.path, CPATH = package.cpath, PORT = tostring(port),
    USER = ACCOUNT.user, CODE = ACCOUNT.password, CERTS = certs }
  local file = assert(io.open(work .. "/nginx.conf", "w"))
  file:write((CONFIGURATION:gsub("%u+", values)))
  file:close()
end

-- Waits until something is ready, for ten seconds.
local function try(action, what)
  local deadline = net.now() + 10
  while net.now() < deadline do
    local value = action()
    if value then
      return value
    end
    net.sleep(0.02)
  end
  error(what .. " failed")
end

local function request()
  local stream = net.connect({ path = work .. "/http.sock" })
  if not stream then
    return nil
  end
  stream:write("GET / HTTP/1.0\r\n\r\n")
  local parts = {}
  while net.wait(stream:fd(), "r", 10) do
    local bytes = stream:read(16384)
    if not bytes then
      break
    end
    parts[#parts + 1] = bytes
  end
  stream:close()
  return table.concat(parts):match("\r\n\r\n(.*)$")
end

local function send_from_nginx(port, server)
  write_configuration(port)
  local pipe = io.popen(("nginx -p %s -c nginx.conf -e error.log 2>&1 & echo $!"):format(work))
  local pid = pipe:read("*l")
  local answer = try(request, "a request to nginx")
  local is_sent = server:wait(2, 10)
  os.execute("kill -QUIT " .. pid)
  pipe:read("*a") -- until it has ended
  pipe:close()
  assert(answer == "nil", answer)
  if not is_sent then
    error("the mail of notify did not arrive: " .. assert(io.open(work .. "/error.log")):read("*a"))
  end
end

local server = start_server()
if arg[1] == "nginx" then
  send_from_nginx(server.port, server)
else
  send_here(server.port)
  assert(#server:messages() == 1)
end
server:stop()
