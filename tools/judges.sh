#!/bin/sh
# judges.sh [SOURCE TARGET]: installs the parsers of spec/judges, as its lock
# file pins them, into build/judges; or those of another folder, such as the
# peers of bench/peers. Does nothing when they are there.
set -eu
cd "$(dirname "$0")/.."

source=${1-spec/judges}
target=${2-build/judges}

wanted=$(cat "$source/package.json" "$source/package-lock.json" | sha256sum)
is_there() {
  [ "$(cat "$target/.wanted" 2>/dev/null)" = "$wanted" ]
}
is_there && exit 0

command -v npm >/dev/null || {
  echo "judges: npm is missing: what needs the packages of $source is skipped"
  exit 0
}

# Suites that start side by side wait here for the first of them.
mkdir -p build
exec 9>"$target.lock"
flock 9
is_there && exit 0

work=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cp "$source/package.json" "$source/package-lock.json" spec/judges/.npmrc "$work"
install() {
  (cd "$work" && npm ci --omit=dev --ignore-scripts --loglevel=error)
}
install || install || install || {
  echo "judges: npm could not install them: what needs them is skipped"
  exit 0
}
printf '%s\n' "$wanted" >"$work/.wanted"
rm -rf "$target"
mv "$work" "$target"
