#!/bin/sh
# judges.sh: installs the parsers of spec/judges, as its lock file pins them,
# into build/judges. Does nothing when they are there.
set -eu
cd "$(dirname "$0")/.."

source=spec/judges
target=build/judges

wanted=$(cat "$source/package.json" "$source/package-lock.json" | sha256sum)
is_there() {
  [ "$(cat "$target/.wanted" 2>/dev/null)" = "$wanted" ]
}
is_there && exit 0

command -v npm >/dev/null || {
  echo "judges: npm is missing: what needs the parsers of $source is skipped"
  exit 0
}

# Suites that start side by side wait here for the first of them.
mkdir -p build
exec 9>build/judges.lock
flock 9
is_there && exit 0

work=$(mktemp -d build/judges.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cp "$source/package.json" "$source/package-lock.json" "$source/.npmrc" "$work"
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
