#!/usr/bin/env bash
# `make wheel`: the Python package as dist/arrowcdc-*.whl. It links the libarrow of pyarrow and bundles none.
set -euo pipefail
cd "$(dirname "$0")/.."

rm -f dist/arrowcdc-*.whl
.venv/bin/python -m pip wheel --quiet --disable-pip-version-check --no-input --no-deps --no-build-isolation --wheel-dir dist python/
ls dist/arrowcdc-*.whl
