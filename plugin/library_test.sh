#!/usr/bin/env bash
# What the server's linker sees of wal2arrow.so: its symbols and the libraries it needs.
#   library_test.sh WAL2ARROW.SO [FAULT BUILD OF IT]
set -euo pipefail
library=$1
here=$(dirname "$0")

exported=$(nm -D --defined-only "$library" | awk '{print $3}' | LC_ALL=C sort | xargs)
expected='Pg_magic_func _PG_init _PG_output_plugin_init'
if [[ $exported != "$expected" ]]; then
  echo "exported: $exported" >&2
  echo "expected: $expected" >&2
  exit 1
fi

needed=$(readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | LC_ALL=C sort | xargs)
if [[ $needed != 'libc.so.6 liblz4.so.1 libzstd.so.1' ]]; then
  echo "needs $needed; it may need libc.so.6 and the compression libraries only" >&2
  exit 1
fi
if ldd "$library" | grep -E 'stdc\+\+|libgcc|libarrow|libpq'; then
  echo "is linked with a library that may not be in the server" >&2
  exit 1
fi

# Of the server it uses what the lists name, so that it loads into older minors and the fault build knows what
# can fail.
imported=$(nm -D --undefined-only "$library" |
  awk '$1 == "U" && $2 !~ /@|^LZ4F_|^ZSTD_/ {print $2}' | LC_ALL=C sort -u)
points=$(sed -nE 's/^[A-Z]+\((.*)\)$/\1/p' "$here/testing/fault_points.inc")
known=$({ grep -v '^#' "$here/imports.txt"; echo "$points"; } | LC_ALL=C sort -u)
unknown=$(LC_ALL=C comm -23 <(echo "$imported") <(echo "$known") | xargs)
if [[ -z $imported || -n $unknown ]]; then
  echo "uses of the server what neither imports.txt nor fault_points.inc names: $unknown" >&2
  exit 1
fi

# What makes faults is in the build for tests only.
traces() { { nm "$1"; strings -a "$1"; } | grep -ciE 'fault_injection|wal2arrow_fault|__wrap_' || true; }
if [[ $# -gt 1 && $(traces "$2") -eq 0 ]]; then
  echo "the fault build shows no trace of faults: the search for them finds nothing" >&2
  exit 1
fi
if [[ $(traces "$library") -ne 0 ]]; then
  echo "holds traces of the fault build" >&2
  exit 1
fi

# No code may run before the server calls: static constructors beyond the compiler's own frame_dummy.
constructors=$(readelf -W -S "$library" | awk '
  $2 == ".init_array" || $3 == ".init_array" {
    for (i = 1; i <= NF; ++i) if ($i == "INIT_ARRAY") print $(i + 3)
  }')
if [[ -n $constructors && $((16#$constructors)) -gt 8 ]]; then
  echo "has static constructors" >&2
  exit 1
fi
# Read-only after relocation, all symbols bound at load.
readelf -W -l "$library" | grep -q GNU_RELRO
readelf -d "$library" | grep -q 'FLAGS.*NOW'
echo "exports $exported; needs $needed"
