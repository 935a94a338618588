#!/bin/sh
# tally.sh: runs each argument as a command and adds up what they report.
#
#   tools/tally.sh 'name: command' 'name: command' ...
#
# A command reports by its last line of the form
# "N passed, N failed, N skipped". One that reports nothing, reports no test
# at all, or fails without reporting a failure counts as one failure: a suite
# that did not run is never a suite that passed. All commands are run; the
# last line printed here is the sum, and the exit status says whether
# anything failed.
set -u

out=$(mktemp) && rc_file=$(mktemp) || exit 2
trap 'rm -f "$out" "$rc_file"' EXIT
trap 'exit 130' INT TERM

passed=0 failed=0 skipped=0
pattern='^[0-9][0-9]* passed, [0-9][0-9]* failed, [0-9][0-9]* skipped$'

for entry; do
  name=${entry%%: *}
  command=${entry#*: }
  printf '%s: ' "$name"
  { sh -c "$command" 2>&1 </dev/null; echo $? >"$rc_file"; } | tee "$out"
  rc=$(cat "$rc_file")
  line=$(grep -a "$pattern" "$out" | tail -n 1)
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
