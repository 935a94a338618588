#!/bin/sh
# Runs a private nginx until standard input ends: nginx.sh PROGRAM PREFIX
#
# PREFIX/nginx.conf is its configuration, PREFIX/master the process id and
# PREFIX/out what it prints. It ends with whoever holds the other end of
# standard input, however that one ended; signals sent to the whole group
# (Ctrl-C) must not come before. The session of its own is what finds workers
# whose master was killed.
set -eu

program=$1 prefix=$2
trap '' INT TERM HUP

setsid "$program" -p "$prefix" -c nginx.conf -e logs/error.log \
  </dev/null >"$prefix/out" 2>&1 &
pid=$!
echo "$pid" >"$prefix/master.new"
mv "$prefix/master.new" "$prefix/master"
cat >/dev/null

# The process group is gone with its last process.
n=0
kill -TERM "$pid" 2>/dev/null || true
while kill -0 "-$pid" 2>/dev/null && [ $n -lt 50 ]; do
  [ "$(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null)" != Z ] || break
  sleep 0.1
  n=$((n + 1))
done
kill -KILL "-$pid" 2>/dev/null || true
wait
rm -rf "$prefix"
