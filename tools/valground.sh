#!/bin/sh
# valground.sh: runs a command under valgrind; an invalid access, a use of
# undefined data or a definite leak makes it fail. Programs that the command
# starts run as they are.
QQMAIL_INSTRUMENTED=valgrind exec valgrind -q --error-exitcode=99 \
  --leak-check=full --errors-for-leak-kinds=definite \
  --show-leak-kinds=definite --num-callers=24 "$@"
