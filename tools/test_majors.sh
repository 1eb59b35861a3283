#!/usr/bin/env bash
# `make test-majors`: builds the plugin for each major version of PostgreSQL and runs its tests, and those of
# the command with a server, against a server of that version; the tests of MySQL's source with MariaDB 11.8.
# A server that cannot be fetched is skipped, and said to be.
#   tools/test_majors.sh [15|16|17|18|mariadb ...]      TARGETS="wal2arrow_test" tools/test_majors.sh 17
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh
. tools/servers.sh
python=$PWD/.venv/bin/python
majors=("$@")
[[ $# -gt 0 ]] || majors=(15 16 17 18 mariadb)
targets=(wal2arrow_test wal2arrow_fault_injection_test batching_test walsender_test standby_test contract_test
  stored_values_test fault_test snapshot_limits_test snapshot_interrupted_test plugins_agree_test
  kinds_agree_test same_wal_test)
[[ -z ${TARGETS:-} ]] || read -ra targets <<<"$TARGETS"
start_run

echo "test-majors: building the tests (build-asan)"
configure build-asan "${sanitized_build[@]}"
run cmake --build build-asan -j "$(nproc)" --target "${targets[@]}"

summary=()
failed=0
note() { summary+=("$1"); echo "test-majors: $1"; }
test_mariadb() {
  local target code
  local tests=(mysql_source_server_test mysql_snapshot_server_test mysql_parquet_pipeline_test
    mysql_same_binlog_test mysql_cuts_test mysql_complaints_test)
  run cmake --build build-asan -j "$(nproc)" --target "${tests[@]}"
  for target in "${tests[@]}"; do
    code=0
    run tools/mysql_files.sh --mariadb-11.8 "$(find build-asan -name "$target" -type f -perm -u+x)" \
      >"$run_directory/$target.log" 2>&1 || code=$?
    case $code in
      0) note "MariaDB 11.8: $target passed" ;;
      77) note "MariaDB 11.8 skipped: the server could not be fetched" ;;
      *)
        cat "$run_directory/$target.log"
        note "MariaDB 11.8: $target FAILED"
        failed=1
        ;;
    esac
  done
}

for major in "${majors[@]}"; do
  if [[ $major == mariadb ]]; then
    test_mariadb
    continue
  fi
  if ! provide_server "$major"; then
    note "$major skipped: the server could not be fetched"
    continue
  fi
  pg_config=$servers/$major/pg_config
  build=$PWD/build-majors/$major
  headers=$(sed -nE 's/^#define PG_VERSION "([^ "]+).*/\1/p' "$servers/$major/headers"/pg_config*.h |
    head -n 1)
  version="$("$pg_config" --version), headers of $headers"
  echo "test-majors: $version"
  configure "$build" "${sanitized_build[@]}" "-DPG_CONFIG=$pg_config"
  run cmake --build "$build" -j "$(nproc)" --target wal2arrow wal2arrow_faults wal2arrow_unsafe
  plugin/library_test.sh "$build/wal2arrow.so" "$build/faults/wal2arrow.so" ||
    { note "$version: library FAILED"; failed=1; }
  # The server's user must be able to read its programs, and cannot where this tree lies in somebody's home.
  cp -a "$servers/$major" "$run_directory/$major"
  for target in "${targets[@]}"; do
    library=$build/wal2arrow.so
    [[ $target != wal2arrow_fault_injection_test ]] || library=$build/faults/wal2arrow.so
    program=$(find build-asan -name "$target" -type f -perm -u+x)
    if ARROWCDC_PLUGIN=$library ARROWCDC_UNSAFE=$build/tests/wal2arrow_unsafe.so \
      PG_CONFIG=$run_directory/$major/pg_config run "$program" >"$run_directory/$target.log" 2>&1; then
      skipped=$(sed -nE 's/^\[  SKIPPED \] ([A-Za-z0-9_./]+)$/\1/p' "$run_directory/$target.log" | xargs)
      note "$version: $target passed${skipped:+, skipped: $skipped}"
    else
      cat "$run_directory/$target.log"
      note "$version: $target FAILED"
      failed=1
    fi
  done
done
printf 'test-majors: %s\n' 'all of it:' "${summary[@]}"
exit "$failed"
