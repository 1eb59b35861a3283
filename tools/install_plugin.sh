#!/usr/bin/env bash
# `make install-plugin`: builds the plugin for the server of PG_CONFIG and copies it into the library
# directory of that server (below DESTDIR). Says what is missing to build it, and installs no packages: the
# machine of a database is not ours to change.
set -euo pipefail
cd "$(dirname "$0")/.."

pg_config=${PG_CONFIG:-pg_config}
fail() { printf 'install-plugin: %s\n' "$*" >&2; exit 1; }

command -v "$pg_config" >/dev/null ||
  fail "there is no $pg_config: name the server's with PG_CONFIG=/path/to/pg_config"
missing=()
for program in cmake ninja pkg-config g++; do command -v "$program" >/dev/null || missing+=("$program"); done
[[ -e $("$pg_config" --includedir-server)/postgres.h ]] || missing+=("PostgreSQL's server headers")
for library in liblz4 libzstd; do
  pkg-config --exists "$library" 2>/dev/null || missing+=("$library with its headers")
done
if [[ ${#missing[@]} -gt 0 ]]; then
  printf -v list '%s, ' "${missing[@]}"
  fail "missing: ${list%, }. On Debian: apt-get install cmake ninja-build pkg-config g++ liblz4-dev" \
    "libzstd-dev libkrb5-dev libssl-dev postgresql-server-dev-$("$pg_config" --version |
      sed -E 's/^[^0-9]*([0-9]+).*/\1/')"
fi

cmake -S . -B build-plugin -G Ninja -DCMAKE_BUILD_TYPE=Release -DARROWCDC_PLUGIN_ONLY=ON \
  "-DPG_CONFIG=$pg_config" >/dev/null
cmake --build build-plugin --target wal2arrow
install -D -m 755 build-plugin/wal2arrow.so "${DESTDIR:-}$("$pg_config" --pkglibdir)/wal2arrow.so"
echo "install-plugin: ${DESTDIR:-}$("$pg_config" --pkglibdir)/wal2arrow.so; new connections load it"
