#!/usr/bin/env bash
# The tests of the Python package, its examples and its tour, against the extension module of the release
# build. Part of `make test`.
#   tools/python_test.sh [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."

exec timeout 600 tools/python.sh -m pytest -q -p no:cacheprovider "$@" python/tests
