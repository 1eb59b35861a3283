#!/usr/bin/env bash
# Part of `make test`: types of PostGIS and pgvector, in a server that has both. Exits with 77, "skipped",
# where they cannot be fetched.
#   tools/extensions.sh BUILD      BUILD has values_server_test
set -euo pipefail
tests=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
. tools/common.sh
. tools/servers.sh
python=$PWD/.venv/bin/python
start_run

if ! provide_server extensions 2>"$run_directory/fetch.log"; then
  cat "$run_directory/fetch.log"
  echo "extensions: skipped, PostGIS and pgvector could not be fetched"
  exit 77
fi
# The server's user must be able to read its programs, and cannot where this tree lies in somebody's home.
mkdir "$run_directory/extensions"
cp -a "$servers/extensions"/{bin,headers,libraries,pg_config,root} "$run_directory/extensions"
export ARROWCDC_PLUGIN=$tests/wal2arrow.so PG_CONFIG=$run_directory/extensions/pg_config
export LD_LIBRARY_PATH=$run_directory/extensions/libraries
code=0
run "$tests/tests/values/values_server_test" --gtest_filter='ExtensionTypes.*' \
  >"$run_directory/test.log" 2>&1 || code=$?
cat "$run_directory/test.log"
[[ $code == 0 ]] || exit "$code"
if grep -q SKIPPED "$run_directory/test.log"; then
  echo "extensions: the server that was fetched lacks one" >&2
  exit 1
fi
