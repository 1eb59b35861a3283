#!/usr/bin/env bash
# Python with the package of the release build, which is brought up to date first.
#   tools/python.sh examples/python/live_duckdb.py HOST DATABASE USER
set -euo pipefail
cd "$(dirname "$0")/.."

{
  cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DARROWCDC_TESTS=OFF -DARROWCDC_PYTHON=ON -DPG_CONFIG="${PG_CONFIG:-pg_config}" \
    -DPython_EXECUTABLE="$PWD/.venv/bin/python" >/dev/null
  cmake --build build --target arrowcdc_python wal2arrow
} >&2
export PYTHONPATH=$PWD/build/python PYTHONDONTWRITEBYTECODE=1
exec .venv/bin/python "$@"
