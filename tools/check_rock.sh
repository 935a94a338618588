#!/bin/sh
# check_rock.sh VERSION INTERPRETER...: `luarocks make` of a copy of this tree,
# offline, into a tree of its own; then the command in it is run, and each interpreter
# loads it from another folder and sends a mail over TLS to the scripted server that comes with it.
# The interpreter `nginx` stands for an nginx with the Lua module.
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

# The command as LuaRocks wraps it, with the environment of nobody.
(cd / && env -u QQMAIL_BUILD -u LUA_PATH -u LUA_CPATH "$work/tree/bin/qqmail" doctor --help |
  grep -q -e '--password-file') || { echo "check_rock: no qqmail doctor" >&2; exit 1; }
echo "check_rock: rock for $version brings qqmail doctor"

script=$(pwd)/tools/check_rock.lua

for lua; do
  inside=
  if [ "$lua" = nginx ]; then
    lua=luajit inside=nginx
  fi
  mkdir "$work/run"
  (cd / && env -u QQMAIL_BUILD \
    LUA_PATH="$work/tree/share/lua/$version/?.lua;$work/tree/share/lua/$version/?/init.lua" \
    LUA_CPATH="$work/tree/lib/lua/$version/?.so" CERTS="$work/certs" WORK="$work/run" \
    "$lua" "$script" $inside)
  rm -rf "$work/run"
  echo "check_rock: rock for $version sends a mail under ${inside:-$lua}"
done
