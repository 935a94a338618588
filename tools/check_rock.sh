#!/bin/sh
# check_rock.sh VERSION INTERPRETER...: `luarocks make` of a copy of this tree,
# offline, into a tree of its own; then each interpreter loads it from another
# folder and sends a mail over TLS to the scripted server that comes with it.
set -eu

version=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/source"
tar --exclude=./build --exclude=./.git -cf - . | tar -xf - -C "$work/source"
(cd "$work/source" && luarocks --lua-version="$version" make \
  --tree="$work/tree" >"$work/log" 2>&1) || { cat "$work/log" >&2; exit 1; }

sh "$work/source/spec/support/certs.sh" "$work/certs"

for lua; do
  (cd / && env -u QQMAIL_BUILD \
    LUA_PATH="$work/tree/share/lua/$version/?.lua;$work/tree/share/lua/$version/?/init.lua" \
    LUA_CPATH="$work/tree/lib/lua/$version/?.so" CERTS="$work/certs" "$lua" - <<'LUA'
local certs = os.getenv("CERTS")
local qqmail = require "qqmail"
local server = qqmail.testing.server { scenario = "qq", cert = certs .. "/good.pem",
  key = certs .. "/good.key", users = { ["10001@qq.com"] = "abcdefghijklmnop" } }
local mailer = assert(qqmail.new { host = "localhost", port = server.port, tls = "implicit",
  user = "10001@qq.com", password = "abcdefghijklmnop",
  tls_options = { ca_file = certs .. "/ca.pem" } })
local receipt, err = mailer:send { to = "a@example.com", subject = "主题", text = "正文" }
if not receipt then
  error(tostring(err))
end
mailer:close()
assert(#server:messages() == 1)
server:stop()
LUA
  )
  echo "check_rock: rock for $version sends a mail under $lua"
done
