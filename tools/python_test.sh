#!/usr/bin/env bash
# The tests of the Python package and its examples, against the extension module of the release build. Part of `make test`.
#   tools/python_test.sh [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."

cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DARROWCDC_TESTS=OFF -DARROWCDC_PYTHON=ON -DPG_CONFIG="${PG_CONFIG:-pg_config}" \
  -DPython_EXECUTABLE="$PWD/.venv/bin/python" >/dev/null
cmake --build build --target arrowcdc_python wal2arrow
PYTHONPATH=$PWD/build/python PYTHONDONTWRITEBYTECODE=1 exec timeout 600 \
  .venv/bin/python -m pytest -q -p no:cacheprovider "$@" python/tests
