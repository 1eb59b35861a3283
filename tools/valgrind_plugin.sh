#!/usr/bin/env bash
# `make valgrind`: the plugin's tests against a server that runs under valgrind's memcheck, with the fault
# build of the plugin, in whose memory contexts every piece is a malloc of its own. Fails at whatever memcheck
# reports and valgrind.supp does not name.
#   tools/valgrind_plugin.sh       all tests of the plugin, and errors at some of the fault points
#   tools/valgrind_plugin.sh BUILD [GTEST_FILTER]
#                                  of a directory that is built: those of wal2arrow_test that the filter names
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh
command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 1; }
build=${1:-build-asan}
filter=${2:-*}
start_run

if [[ $# -eq 0 ]]; then
  configure "$build" "${sanitized_build[@]}"
  run cmake --build "$build" -j "$(nproc)" \
    --target wal2arrow_test wal2arrow_faults wal2arrow_fault_injection_test
fi

logs=$run_directory/logs
mkdir -m 1777 "$logs"
plugin=$build/faults/wal2arrow.so
[[ $plugin == /* ]] || plugin=$PWD/$plugin
export ARROWCDC_PLUGIN=$plugin
export ARROWCDC_FAULTS=few
install -m 644 tools/valgrind.supp "$run_directory/valgrind.supp"
export ARROWCDC_SERVER_PREFIX="valgrind --quiet --error-limit=no --num-callers=30
  --suppressions=$run_directory/valgrind.supp --track-origins=no --gen-suppressions=no --log-file=$logs/%p"

code=0
run "$build/plugin/wal2arrow_test" --gtest_filter="$filter" || code=$?
if [[ $# -eq 0 ]]; then run "$build/plugin/wal2arrow_fault_injection_test" || code=$?; fi

processes=$(find "$logs" -type f | wc -l)
reports=$(find "$logs" -type f -size +0)
if [[ $processes -eq 0 ]]; then
  echo "valgrind: no process of a server ran under valgrind" >&2
  exit 1
fi
if [[ -n $reports ]]; then
  cat $reports >&2
  echo "valgrind: memcheck has reported what is above" >&2
  exit 1
fi
[[ $code -eq 0 ]] || exit "$code"
echo "valgrind: OK, nothing to report from $processes processes"
