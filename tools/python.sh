#!/usr/bin/env bash
# Python with the package of the release build, which is brought up to date first.
#   tools/python.sh examples/python/live_duckdb.py HOST DATABASE USER
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh

{
  cmake -S . -B build -G Ninja "-DPG_CONFIG=${PG_CONFIG:-pg_config}" \
    "${release_build[@]}" "${python_build[@]}" >/dev/null
  cmake --build build --target arrowcdc_python wal2arrow
} >&2
export PYTHONPATH=$PWD/build/python PYTHONDONTWRITEBYTECODE=1
exec .venv/bin/python "$@"
