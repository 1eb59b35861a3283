#!/usr/bin/env bash
# Part of `make test`: the plugin built with the headers of the newest major version of PostgreSQL, its own
# tests against a server of that version, and those that compare it with that version's pgoutput. Exits with
# 77, "skipped", where the server cannot be fetched.
#   tools/newest_major.sh BUILD      BUILD has wal2arrow_test
set -euo pipefail
tests=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
. tools/common.sh
. tools/servers.sh
python=$PWD/.venv/bin/python
major=18
start_run

if ! provide_server "$major" 2>"$run_directory/fetch.log"; then
  cat "$run_directory/fetch.log"
  echo "newest major: skipped, PostgreSQL $major could not be fetched"
  exit 77
fi
build=$PWD/build-majors/newest
configure "$build" "${release_build[@]}" "-DPG_CONFIG=$servers/$major/pg_config"
run cmake --build "$build" --target wal2arrow -j "$(nproc)"
plugin/library_test.sh "$build/wal2arrow.so"

# The server's user must be able to read its programs, and cannot where this tree lies in somebody's home.
cp -a "$servers/$major" "$run_directory/$major"
"$run_directory/$major/pg_config" --version
export ARROWCDC_PLUGIN=$build/wal2arrow.so PG_CONFIG=$run_directory/$major/pg_config
run "$tests/plugin/wal2arrow_test"
for name in kinds_agree plugins_agree; do run "$tests/tests/end_to_end/${name}_test"; done
run "$tests/src/postgres/postgres_server_test" --gtest_filter='CatchUpServer.*'
echo "newest major: OK"
