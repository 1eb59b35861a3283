#!/usr/bin/env bash
# Puts read_frames.mjs and the apache-arrow that package-lock.json names into a directory. Quick when they are
# there.
#   install.sh DIRECTORY
set -euo pipefail
source=$(cd "$(dirname "$0")" && pwd)
target=$1

for program in node npm; do
  command -v "$program" >/dev/null || {
    echo "$program is missing: the tests with npm's apache-arrow need it; run 'make setup'" >&2
    exit 1
  }
done
mkdir -p "$target"
cp "$source/read_frames.mjs" "$target"
if cmp -s "$source/package-lock.json" "$target/node_modules/.installed-lock.json"; then exit 0; fi
cp "$source/package.json" "$source/package-lock.json" "$source/.npmrc" "$target"
cd "$target"
npm ci --ignore-scripts --no-audit --no-fund
cp package-lock.json node_modules/.installed-lock.json
