#!/bin/sh
# demo.sh: sends one real mail to a private Postfix and shows what arrived.
set -eu
cd "$(dirname "$0")/.."
LUA=${LUA:-lua5.4}
LUA_PATH="lua/?.lua;lua/?/init.lua;./?.lua;;" \
  LUA_CPATH="build/$LUA/?.so;;" exec "$LUA" tools/demo.lua
