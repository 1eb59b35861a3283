#!/usr/bin/env bash
# `make demo`: a shop under load in a private PostgreSQL (SOURCE=mysql: MySQL), captured into Parquet files by
# a client that is killed on the way. Ends with "demo: OK ..." only if the files hold the rows that were there
# before and every change since, each exactly once. Leaves build/demo, and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh

seconds=${DEMO_SECONDS:-20}
out=build/demo
tables=(shop.customers shop.orders shop.events)

say() { printf '\n\033[1mdemo: %s\033[0m\n' "$*"; }

case ${SOURCE:-postgres} in
  postgres | mysql) . "tools/demo_${SOURCE:-postgres}.sh" ;;
  *) echo "demo: SOURCE is postgres or mysql" >&2; exit 2 ;;
esac

client=
load=()
finished=
stop_all() {
  if [[ -z $finished ]]; then
    echo "demo: FAILED" >&2
    if cp "$run_directory/server.log" "$out/" 2>/dev/null; then
      echo "demo: the server's log is $out/server.log" >&2
    fi
  fi
  if [[ -n $client ]]; then kill -KILL "$client" 2>/dev/null || true; fi
  if [[ ${#load[@]} -gt 0 ]]; then kill "${load[@]}" 2>/dev/null || true; fi
  stop_server
}
mkdir -p build
exec 9>build/.demo-lock
flock -n 9 || { echo "demo: another make demo runs in this tree; wait for it" >&2; exit 1; }
rm -rf "$out"
mkdir -p "$out"
before_end=stop_all
start_run

start_server
say "arrowcdc setup --tables 'shop.*'"
build/arrowcdc setup --source "$source" "${slot[@]}" --tables 'shop.*'

# --- load, capture, kill --------------------------------------------------------------------------

# exec: the process that is killed below must be the client itself. For use in a subshell.
stream() {
  exec build/arrowcdc stream --source "$source" "${slot[@]}" --tables 'shop.*' --sink "parquet:$out/changes" \
    --roll-age 2s --progress 2s --log text "$@"
}
start_client() {
  stream 2> >(tee -a "$run_directory/client.log" >&2) &
  client=$!
}
# The log is followed for as long as the client runs.
await_streaming() {
  timeout 60 grep -q 'streaming changes' \
    <(exec tail -n +1 -F --pid="$client" "$run_directory/client.log" 2>&1)
}

say "the rows that the shop has already are copied first"
start_client
await_streaming || { echo "demo: the client does not stream" >&2; exit 1; }

say "$seconds s of orders, payments, renamed customers, a dropped column, batches of events, all streamed"
start_load

sleep $((seconds / 2)) &  # waited for, so that a signal ends it at once
half=$!
load+=("$half")
wait "$half"
unset 'load[-1]'
if ! kill -0 "$client" 2>/dev/null; then
  wait "$client" || true
  client=
  echo "demo: the client ended by itself" >&2
  exit 1
fi
kill -KILL "$client"
wait "$client" 2>/dev/null || true
say "killed the client (kill -9); starting it again"
start_client
say "a column is dropped under load"
drop_column

await_load
load=()
say "the load has ended: $processed transactions; letting the client finish"
kill -TERM "$client"
# 3: where the machine is busy it has not begun to stream yet.
wait "$client" || [[ $? == 3 ]]
client=
(stream --until now)

# --- the proof ------------------------------------------------------------------------------------

say "comparing the replay of the files with the tables, and with a journal that triggers kept of every change"
compare | tee "$run_directory/compare.log"
verdict=$(sed -nE 's/^total (rows=[1-9][0-9]* lost=0 duplicated=0) wrong=0$/\1/p' \
  "$run_directory/compare.log")
[[ -n $verdict && $(tail -n 1 "$run_directory/compare.log") == 'state OK' ]]

say "some customers as they are now, from the files alone"
build/arrowcdc sql "$out/changes" shop.customers >"$out/customers.sql"
query="import duckdb; state = open('$out/customers.sql').read(); print(duckdb.sql(
  'SELECT number, handle, email, balance FROM (' + state + ') ORDER BY number LIMIT 8'))"
.venv/bin/python -c "$query"
echo "The files are in $out/changes, the query is in $out/customers.sql. To look again:"
echo "  .venv/bin/python -c \"$query\""

end_capture
finished=yes
echo
echo "demo: OK $verdict"
