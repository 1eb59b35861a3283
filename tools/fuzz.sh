#!/usr/bin/env bash
# `make fuzz`: the fuzz targets under libFuzzer, one after the other. What it finds is left in build-fuzz; its
# growing corpora too.
#   tools/fuzz.sh [seconds [target...]]      seconds for each; tools/fuzz.sh 600 values
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
[[ $# == 0 ]] || shift
targets=("$@")
if [[ ${#targets[@]} == 0 ]]; then
  mapfile -t targets < <(basename -s _fuzz.cc -a fuzz/*_fuzz.cc)
fi

needed="on Debian: apt-get install clang-14 libclang-rt-14-dev, or set CLANGXX"
compiler=${CLANGXX:-$(command -v clang++ || command -v clang++-14 || true)}
if [[ -z $compiler ]]; then
  echo "fuzz: no clang++; $needed" >&2
  exit 1
fi
if ! echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
  "$compiler" -fsanitize=fuzzer,address -x c++ - -o /dev/null 2>/dev/null; then
  echo "fuzz: $compiler lacks libFuzzer or AddressSanitizer; $needed" >&2
  exit 1
fi

cmake -S . -B build-fuzz -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER="$compiler" \
  -DARROWCDC_FUZZ=ON >/dev/null
cmake --build build-fuzz --target "${targets[@]/%/_fuzz}"
for target in "${targets[@]}"; do
  mkdir -p "build-fuzz/corpus/$target"
  "build-fuzz/fuzz/${target}_fuzz" -max_total_time="$seconds" -max_len=8192 \
    -rss_limit_mb=3000 -malloc_limit_mb=256 -print_final_stats=1 -artifact_prefix="build-fuzz/${target}_" \
    "build-fuzz/corpus/$target" "fuzz/corpus/$target"
done
