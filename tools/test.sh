#!/usr/bin/env bash
# `make test`: the release build, to see that it builds, and the build with ASan and UBSan, whose tests are
# run. Tests that run the command as a whole run the sanitized one, unless ARROWCDC_COMMAND names another.
#   tools/test.sh [ctest arguments]      tools/test.sh -R support
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh

jobs=$(nproc)
started=$SECONDS
start_run

echo "test: building the release (build) and the sanitized tests (build-asan)"
configure build "${release_build[@]}" "${python_build[@]}"
run cmake --build build -j "$jobs"
configure build-asan "${sanitized_build[@]}"
run cmake --build build-asan -j "$jobs"
built=$SECONDS

export UBSAN_OPTIONS=print_stacktrace=1
export ASAN_OPTIONS=detect_stack_use_after_return=1
export LSAN_OPTIONS=suppressions=$PWD/tools/lsan.supp:print_suppressions=0
echo "test: running the tests"
run ctest --test-dir build-asan --output-on-failure --no-tests=error --timeout 600 -j "$jobs" \
  --output-log "$run_directory/ctest.log" "$@"
# Also cases that one program of many skips: ctest calls the program passed.
skipped=$(grep -c '\*\*\*Skipped' "$run_directory/ctest.log" || true)
cases=$(sed -nE 's/^\[  SKIPPED \] (.*) \([0-9]+ ms\)$/\1/p' \
  build-asan/Testing/Temporary/LastTest.log | sort -u)
count=$(grep -c . <<<"$cases" || true)
[[ $count == 0 ]] || echo "test: cases skipped: $(tr '\n' ' ' <<<"$cases")"
echo "test: OK, $skipped tests and $count cases skipped, $((built - started)) s building," \
  "$((SECONDS - built)) s testing"
