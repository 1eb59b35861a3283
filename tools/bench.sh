#!/usr/bin/env bash
# `make bench`: builds the release and the benchmark, runs it, leaves the figures in
# bench/results/latest.json.
#   QUICK=1    smaller workloads, about eight minutes
#   PEERS=all  contenders that are downloaded, too
#   B="..."    further arguments of `arrowcdc_bench run`: B="--workloads narrow --rounds 7"
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh

# Whatever is refused, the run goes on: the contender's figures are null then.
build_debezium() {
  tools/setup.sh peers &&
    run mvn --batch-mode --no-transfer-progress --file bench/debezium/pom.xml \
      -Dbench.directory="$PWD/build/bench/debezium" compile
}

start_run
tools/setup.sh bench
configure build "${release_build[@]}" "${python_build[@]}" -DARROWCDC_BENCH=ON
run cmake --build build --target arrowcdc_bench arrowcdc_python -j "$(nproc)"

arguments=()
[[ ${QUICK:-0} == 0 ]] || arguments+=(--quick)
if [[ ${PEERS:-} == all ]]; then
  arguments+=(--peers)
  rm -rf build/bench/debezium
  build_debezium >build/bench/debezium.log 2>&1 ||
    echo "bench: Debezium could not be had, see build/bench/debezium.log"
fi
commit=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
[[ -z $(git status --porcelain 2>/dev/null) ]] || commit+=-changed
# shellcheck disable=SC2086  # B holds several words
run build/bench/arrowcdc_bench run "${arguments[@]}" --commit "$commit" ${B:-}

# The family mysql; left out where B names workloads of PostgreSQL.
if [[ ${B:-} != *--workloads* ]]; then
  run cmake --build build --target arrowcdc_bench_mysql -j "$(nproc)"
  mysql=(--output bench/results/mysql.json)
  [[ ${QUICK:-0} == 0 ]] || mysql+=(--quick)
  [[ ${PEERS:-} != all ]] || mysql+=(--peers)
  run tools/mysql_files.sh build/bench/arrowcdc_bench_mysql "${mysql[@]}" || [[ $? == 77 ]]
fi
