#!/bin/sh
# check_rock.sh VERSION INTERPRETER...: `luarocks make` of a copy of this tree,
# offline, into a tree of its own; then each interpreter loads it from another
# folder and writes a mail to a file.
set -eu

version=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/source"
tar --exclude=./build --exclude=./.git -cf - . | tar -xf - -C "$work/source"
(cd "$work/source" && luarocks --lua-version="$version" make \
  --tree="$work/tree" >"$work/log" 2>&1) || { cat "$work/log" >&2; exit 1; }

for lua; do
  mkdir -p "$work/mail"
  (cd / && env -u QQMAIL_BUILD \
    LUA_PATH="$work/tree/share/lua/$version/?.lua;$work/tree/share/lua/$version/?/init.lua" \
    LUA_CPATH="$work/tree/lib/lua/$version/?.so" OUT="$work/mail" "$lua" - <<'LUA'
local qqmail = require "qqmail"
local mailer = assert(qqmail.new { provider = "qq", user = "10001@qq.com",
  password = "abcdefghijklmnop", io = { file = os.getenv("OUT") } })
local receipt, err = mailer:send { to = "a@example.com", subject = "主题", text = "正文" }
if not receipt then
  error(tostring(err))
end
mailer:close()
LUA
  )
  [ -n "$(ls "$work/mail")" ] || { echo "$lua: no mail written" >&2; exit 1; }
  rm -r "$work/mail"
  echo "check_rock: rock for $version works under $lua"
done
