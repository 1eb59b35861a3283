#!/usr/bin/env bash
# `make fuzz`: the decoder under libFuzzer. What it finds is left in build-fuzz; its growing corpus too.
#   tools/fuzz.sh [seconds]
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
compiler=${CLANGXX:-$(command -v clang++ || command -v clang++-14 || true)}
if [[ -z $compiler ]]; then
  echo "fuzz: no clang++; on Debian: apt-get install clang-14 libclang-rt-14-dev, or set CLANGXX" >&2
  exit 1
fi
if ! echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
  "$compiler" -fsanitize=fuzzer -x c++ - -o /dev/null 2>/dev/null; then
  echo "fuzz: $compiler has no libFuzzer; on Debian: apt-get install libclang-rt-14-dev" >&2
  exit 1
fi

cmake -S . -B build-fuzz -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER="$compiler" \
  -DARROWCDC_FUZZ=ON >/dev/null
cmake --build build-fuzz --target wal2arrow_decoder_fuzz
mkdir -p build-fuzz/corpus/wal2arrow_decoder
build-fuzz/fuzz/wal2arrow_decoder_fuzz -max_total_time="$seconds" -max_len=8192 -rss_limit_mb=3000 \
  -print_final_stats=1 -artifact_prefix=build-fuzz/ \
  build-fuzz/corpus/wal2arrow_decoder fuzz/corpus/wal2arrow_decoder
