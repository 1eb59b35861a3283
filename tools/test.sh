#!/usr/bin/env bash
# `make test`: the release build, to see that it builds, and the build with ASan and UBSan, whose tests are
# run. Tests that run the command as a whole run the sanitized one, unless ARROWCDC_COMMAND names another.
#   tools/test.sh [ctest arguments]      tools/test.sh -R support
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh

jobs=$(nproc)
pg_config=${PG_CONFIG:-pg_config}
started=$SECONDS
start_run

echo "test: building the release (build) and the sanitized tests (build-asan)"
run cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DARROWCDC_TESTS=OFF -DARROWCDC_PYTHON=ON \
  -DPython_EXECUTABLE="$PWD/.venv/bin/python" -DPG_CONFIG="$pg_config" >"$run_directory/configure.log" ||
  { cat "$run_directory/configure.log"; exit 1; }
run cmake --build build -j "$jobs"
run cmake -S . -B build-asan -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG="-O1 -g1" -DARROWCDC_SANITIZE=ON -DPG_CONFIG="$pg_config" \
  >"$run_directory/configure.log" || { cat "$run_directory/configure.log"; exit 1; }
run cmake --build build-asan -j "$jobs"
built=$SECONDS

export UBSAN_OPTIONS=print_stacktrace=1
export ASAN_OPTIONS=detect_stack_use_after_return=1
echo "test: running the tests"
run ctest --test-dir build-asan --output-on-failure --no-tests=error --timeout 600 -j "$jobs" "$@"
echo "test: OK, $((built - started)) s building, $((SECONDS - built)) s testing"
