# For the doors, sourced: a temporary directory of the run, an orderly end however the run ends, and the
# builds.
# shellcheck shell=bash

# All that the run's programs put into TMPDIR goes with it. Its path is short: PostgreSQL's sockets lie below.
run_directory=
run_job=
before_end=  # a function that ends what the run has started besides

start_run() {
  run_directory=$(mktemp -d "${TMPDIR:-/tmp}/arrowcdc-run-XXXXXX")
  chmod 1777 "$run_directory"
  export TMPDIR=$run_directory
  trap end_run EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

# Private servers are ended by their own guards once their test is dead; wait for those before the directory
# goes.
end_run() {
  trap '' INT TERM HUP
  if [[ -n $run_job ]]; then
    kill -TERM -- "-$run_job" 2>/dev/null || true
    wait "$run_job" 2>/dev/null || true
  fi
  if [[ -n $before_end ]]; then "$before_end"; fi
  local tries
  for ((tries = 0; tries < 100; tries++)); do
    compgen -G "$run_directory/arrowcdc-test-*/data" >/dev/null || break
    sleep 0.1
  done
  rm -rf "$run_directory"
}

# Runs a command in a process group of its own, so that the end of the run reaches all of it at once.
run() {
  set -m
  "$@" </dev/null &
  run_job=$!
  set +m
  local code=0
  wait "$run_job" || code=$?
  run_job=
  return "$code"
}

# configure DIRECTORY ARGUMENT...: the build in that directory, with the server of PG_CONFIG; what cmake said
# is shown where it fails.
configure() {
  local directory=$1
  shift
  run cmake -S . -B "$directory" -G Ninja "-DPG_CONFIG=${PG_CONFIG:-pg_config}" "$@" \
    >"$run_directory/configure.log" || { cat "$run_directory/configure.log"; return 1; }
}
release_build=(-DCMAKE_BUILD_TYPE=Release -DARROWCDC_TESTS=OFF)
python_build=(-DARROWCDC_PYTHON=ON "-DPython_EXECUTABLE=$PWD/.venv/bin/python")
sanitized_build=(-DCMAKE_BUILD_TYPE=Debug "-DCMAKE_CXX_FLAGS_DEBUG=-Og -g1" -DARROWCDC_SANITIZE=ON)
