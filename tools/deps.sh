#!/bin/sh
# deps.sh: installs what the build, the tests and the checks need on Debian 12.
#
#   tools/deps.sh run        build, tests and the demo
#   tools/deps.sh run dev    and the linters, sanitizers and documentation
#   tools/deps.sh run bench  and what the measurements run in
#
# Does nothing when all of it is there. Starts no service: the specs run
# private instances of the servers they need. `luajit` is not in the list on
# purpose, luajit2 provides the command and the two packages exclude each
# other.
set -eu

run='gcc libc6-dev make lua5.4 liblua5.4-dev lua5.3 liblua5.3-dev luajit2
  libluajit2-5.1-dev lua5.1 liblua5.1-0-dev libssl-dev openssl lua-busted
  luarocks postfix dovecot-core python3 procps nginx libnginx-mod-http-lua
  lua-cqueues lua-luv lua-posix iproute2 faketime libidn2-0 python3-dkim'
dev='clang clang-tidy clang-format cppcheck valgrind gcovr binutils lua-check
  lua-ldoc lua-discount shellcheck git gcc-aarch64-linux-gnu
  libc6-dev-arm64-cross qemu-user-static'
bench='nginx libnginx-mod-http-lua curl valgrind lua-socket lua-sec libgmime-3.0-dev
  libcurl4-openssl-dev pkg-config'

wanted=
for group; do
  case $group in
    run) wanted="$wanted $run" ;;
    dev) wanted="$wanted $dev" ;;
    bench) wanted="$wanted $bench" ;;
    *) echo "usage: $0 run [dev] [bench]" >&2; exit 2 ;;
  esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "deps: not a Debian system; these packages, or their like, are needed:"
  # shellcheck disable=SC2086 # a list of words
  printf '  %s\n' $wanted
  exit 0
fi

# Node runs the judges of spec/judges; one that did not come from Debian does.
case " $* " in
  *' run '*) command -v node >/dev/null && command -v npm >/dev/null ||
    wanted="$wanted nodejs npm" ;;
esac

missing=
for package in $wanted; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || status=
  [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "deps: installing$missing"
sudo=
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "deps: needs root (or sudo) to install$missing" >&2
    exit 1
  }
  sudo=sudo
fi

# A server that is installed must not be started: the usual switch for that is
# a policy file, put there for the time of the installation only.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap '$sudo rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM
  printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
  $sudo chmod 755 "$policy"
fi

if command -v debconf-set-selections >/dev/null; then
  echo 'postfix postfix/main_mailer_type select No configuration' |
    $sudo debconf-set-selections
fi
$sudo apt-get update -q
# shellcheck disable=SC2086 # a list of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
  --no-install-recommends $missing </dev/null
