#!/bin/sh
# sanitized.sh: runs a command whose modules are built with the sanitizers.
#
# The runtime is preloaded, as the interpreter itself is not instrumented. The
# programs that the command starts inherit it; what they leak (python3, say)
# is theirs: a leak counts when one of our frames is in its stack. Every other
# report counts, whoever made it.
set -u

logs=$(mktemp -d) || exit 2
trap 'rm -rf "$logs"' EXIT

runtime=$("${CC:-gcc}" -print-file-name=libasan.so)
QQMAIL_INSTRUMENTED=asan \
  ASAN_OPTIONS="detect_leaks=1:abort_on_error=1:log_path=$logs/log" \
  LSAN_OPTIONS="exitcode=0:suppressions=" \
  UBSAN_OPTIONS="print_stacktrace=1" \
  LD_PRELOAD="$runtime" "$@"
rc=$?

bad=
for log in "$logs"/log*; do
  [ -e "$log" ] || continue
  if grep -qE 'ERROR: AddressSanitizer|runtime error' "$log" ||
    { grep -q 'LeakSanitizer: detected' "$log" && grep -qE '(csrc|spec/c)/' "$log"; }; then
    bad=1
    cat "$log" >&2
  fi
done
[ -z "$bad" ] || exit 99
exit "$rc"
