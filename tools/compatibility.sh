#!/usr/bin/env bash
# Client and plugin of different versions. The other half is built from history: that of before transactions
# came while they are in progress.
#   tools/compatibility.sh BUILD [command]
# BUILD has compatibility_test, this command and this plugin. Without `command`, a part of `make test`: the
# plugin of then. With it: the command of then, which takes as long to build as this one.
# Exits with 77, "skipped", where there is no history to build from.
set -euo pipefail
tests=$(cd "$1" && pwd)
half=${2:-plugin}
cd "$(dirname "$0")/.."
. tools/common.sh
commit=dff005a
start_run

if ! git cat-file -e "$commit^{commit}" 2>/dev/null; then
  echo "compatibility: skipped, there is no history of this tree to build the version of then from"
  exit 77
fi
old=$PWD/build-compatibility
mkdir -p "$old/source"
if [[ ! -e $old/source/.complete ]]; then
  git archive "$commit" | tar -x -C "$old/source"
  ln -sfn "$PWD/.venv" "$old/source/.venv"
  touch "$old/source/.complete"
fi
cd "$old/source"
configure "$old/build" "${release_build[@]}"
if [[ $half == command ]]; then
  run cmake --build "$old/build" --target arrowcdc_cli -j "$(nproc)"
  ARROWCDC_COMMAND=$old/build/arrowcdc run "$tests/tests/end_to_end/compatibility_test" \
    --gtest_filter='OldCommand.*'
else
  run cmake --build "$old/build" --target wal2arrow -j "$(nproc)"
  ARROWCDC_PLUGIN=$old/build/wal2arrow.so run "$tests/tests/end_to_end/compatibility_test" \
    --gtest_filter='OldPlugin.*'
fi
echo "compatibility: OK"
