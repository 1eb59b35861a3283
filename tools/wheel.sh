#!/usr/bin/env bash
# `make wheel`: the Python package as dist/arrowcdc-*.whl. It links the libarrow of pyarrow and bundles none.
# The wheel is then installed, with the pyarrow that it asks for, into a virtual environment of its own, and
# used against a private server.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh
start_run

rm -f dist/arrowcdc-*.whl
echo "wheel: building; the first time takes minutes"
pip=(-m pip --quiet --disable-pip-version-check --no-input)
.venv/bin/python "${pip[@]}" wheel --no-deps --no-build-isolation --wheel-dir dist python/
wheel=$(ls "$PWD"/dist/arrowcdc-*.whl)
cmake --build build-wheel --target wal2arrow >/dev/null

.venv/bin/python -m venv "$run_directory/venv"
"$run_directory/venv/bin/python" "${pip[@]}" install --only-binary :all: "$wheel"
cd "$run_directory"
export ARROWCDC_PLUGIN=$OLDPWD/build-wheel/wal2arrow.so
run "$run_directory/venv/bin/python" -I "$OLDPWD/tools/wheel_check.py"
echo "wheel: ${wheel#"$OLDPWD/"}"
