#!/bin/sh
# tally.sh: runs each argument as a command and adds up what they report.
#
#   tools/tally.sh [-j JOBS] 'name: command' 'name: command' ...
#
# A command reports by its last line of the form
# "N passed, N failed, N skipped". One that reports nothing, reports no test
# at all, or fails without reporting a failure counts as one failure: a suite
# that did not run is never a suite that passed. All commands are run, up to
# JOBS at a time (default 1), the output of each in one piece; the last line
# printed here is the sum, and the exit status says whether anything failed.
set -u

jobs=1
if [ "${1-}" = -j ]; then
  jobs=$2
  shift 2
fi

dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

count=0
for entry; do
  count=$((count + 1))
  printf '%s' "${entry%%: *}" >"$dir/$count.name"
  printf '%s' "${entry#*: }" >"$dir/$count.command"
done

# Alone, a command is seen at work; beside others, when it has ended.
cat >"$dir/run" <<'EOF'
cd "$1" || exit 0
out=$2/$3.out
if [ "$4" -eq 1 ]; then
  printf '%s: ' "$(cat "$2/$3.name")"
  { sh "$2/$3.command" 2>&1 </dev/null; echo $? >"$2/$3.rc"; } | tee "$out"
else
  sh "$2/$3.command" >"$out" 2>&1 </dev/null
  echo $? >"$2/$3.rc"
  { printf '%s: ' "$(cat "$2/$3.name")"; cat "$out"; } | flock "$2/run" cat
fi
exit 0
EOF
seq "$count" | xargs -P "$jobs" -I '{}' sh "$dir/run" "$PWD" "$dir" '{}' "$jobs"

passed=0 failed=0 skipped=0
pattern='^[0-9][0-9]* passed, [0-9][0-9]* failed, [0-9][0-9]* skipped$'

for number in $(seq "$count"); do
  name=$(cat "$dir/$number.name")
  rc=$(cat "$dir/$number.rc")
  line=$(grep -a "$pattern" "$dir/$number.out" | tail -n 1)
  if [ -z "$line" ]; then
    echo "$name: reported no result (exit status $rc)"
    failed=$((failed + 1))
    continue
  fi
  # shellcheck disable=SC2086 # the line is split into its six words
  set -- $line
  if [ $(($1 + $3 + $5)) -eq 0 ]; then
    echo "$name: ran no test"
    failed=$((failed + 1))
  elif [ "$rc" -ne 0 ] && [ "$3" -eq 0 ]; then
    echo "$name: exit status $rc without a failed test"
    failed=$((failed + 1))
  fi
  passed=$((passed + $1)) failed=$((failed + $3)) skipped=$((skipped + $5))
done

if [ $((passed + failed)) -eq 0 ]; then
  echo "nothing was tested"
  failed=1
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
