#!/bin/sh
# check_exports.sh MODULE.so...: a module exports its luaopen_* and nothing
# else, so that no other module of the process can bind to our functions.
set -u

[ $# -gt 0 ] || { echo "usage: $0 module.so..." >&2; exit 2; }
bad=0
for module; do
  name=$(basename "$module" .so)
  got=$(nm -D --defined-only "$module" | awk '{ print $NF }' |
    grep -v -x -e _init -e _fini | sort | tr '\n' ' ')
  if [ "$got" != "luaopen_qqmail_$name " ]; then
    echo "$module: exports [$got], should be luaopen_qqmail_$name"
    bad=1
  fi
done
[ "$bad" -eq 0 ] && echo "check_exports: $# modules, one symbol each"
exit "$bad"
