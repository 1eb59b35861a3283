#!/usr/bin/env bash
# `make demo`: a shop under load in a private PostgreSQL, captured into Parquet files by a client that is
# killed on the way. Ends with "demo: OK ..." only if the files hold the rows that were there before and every
# change since, each exactly once. Leaves
# build/demo, and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh

seconds=${DEMO_SECONDS:-20}
out=build/demo
bin=$("${PG_CONFIG:-pg_config}" --bindir)
export PATH=$bin:$PATH

say() { printf '\n\033[1mdemo: %s\033[0m\n' "$*"; }

# PostgreSQL refuses to run as root.
server_user=$(id -un)
if [[ $(id -u) -eq 0 ]]; then server_user=$(id -un postgres 2>/dev/null || echo nobody); fi
as_server() {
  if [[ $(id -u) -ne 0 ]]; then "$@"; return; fi
  setpriv --reuid="$server_user" --regid="$(id -g "$server_user")" --clear-groups -- "$@"
}

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
  if [[ -f $run_directory/data/postmaster.pid ]]; then
    as_server pg_ctl stop -D "$run_directory/data" -m immediate -s >/dev/null 2>&1 || true
  fi
}
mkdir -p build
exec 9>build/.demo-lock
flock -n 9 || { echo "demo: another make demo runs in this tree; wait for it" >&2; exit 1; }
rm -rf "$out"
mkdir -p "$out"
before_end=stop_all
start_run

# --- a private server -----------------------------------------------------------------------------

say "starting a private PostgreSQL in $run_directory as user $server_user"
unset "${!PG@}" 2>/dev/null || true
chmod 755 "$run_directory"
mkdir "$run_directory/data" "$run_directory/lib"
cp build/wal2arrow.so "$run_directory/lib/"
[[ $(id -u) -ne 0 ]] || chown "$server_user" "$run_directory" "$run_directory/data"
(
  cd "$run_directory"
  as_server initdb -D data --no-sync --auth=trust --username=postgres --encoding=UTF8 --locale=C \
    >initdb.log || { cat initdb.log; exit 1; }
  {
    echo "listen_addresses = ''"
    echo "unix_socket_directories = '$run_directory'"
    echo "wal_level = logical"
    echo "fsync = off  # it is thrown away in a minute"
    echo "dynamic_library_path = '$run_directory/lib:\$libdir'"
    # Servers since August 2026 load only the plugins that are named here.
    if as_server postgres --describe-config | grep '^output_plugin_libraries' >/dev/null; then
      echo "output_plugin_libraries = 'pgoutput, test_decoding, wal2arrow'"
    fi
  } >>data/postgresql.conf
  as_server pg_ctl start -D data -l server.log -w -s
)
source="host=$run_directory user=postgres dbname=shop"
sql() { psql -X -q -v ON_ERROR_STOP=1 -d "$source" "$@"; }
psql -X -q -d "host=$run_directory user=postgres dbname=postgres" -c 'CREATE DATABASE shop'
sql -f examples/shop/schema.sql -f examples/shop/start.sql -f examples/shop/journal.sql

say "arrowcdc setup --tables 'shop.*'"
build/arrowcdc setup --source "$source" --slot demo --tables 'shop.*'

# --- load, capture, kill --------------------------------------------------------------------------

# exec: the process that is killed below must be the client itself. For use in a subshell.
stream() {
  exec build/arrowcdc stream --source "$source" --slot demo --tables 'shop.*' --sink "parquet:$out/changes" \
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

# Rows by COPY arrive in records that hold many of them.
copy_events() {
  local i=0
  while true; do
    i=$((i + 1))
    seq -f "{\"row\": %.0f, \"batch\": $i}|copy" 1 500 |
      sql -c "COPY shop.events (payload, kind) FROM STDIN WITH (DELIMITER '|')" || return 0
    sleep 1
  done
}

say "the rows that the shop has already are copied first"
start_client
await_streaming || { echo "demo: the client does not stream" >&2; exit 1; }

say "$seconds s of orders, payments, renamed customers, a dropped column, batches of events, all streamed"
pgbench -n -c 4 -j 2 -T "$seconds" --random-seed="${DEMO_SEED:-rand}" --max-tries=1000 \
  -f examples/shop/order_new.sql@10 -f examples/shop/order_pay.sql@8 -f examples/shop/order_delete.sql@3 \
  -f examples/shop/customer_rename.sql@1 -f examples/shop/event_batch.sql@2 "$source" \
  >"$run_directory/pgbench.log" 2>&1 </dev/null &
load=($!)
pgbench_pid=$!
copy_events &
load+=($!)

sleep $((seconds / 2)) &  # waited for, so that a signal ends it at once
load+=($!)
wait "${load[2]}"
unset 'load[2]'
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
say "a column is dropped under load (examples/shop/drop_column.sql)"
sql -f examples/shop/drop_column.sql

wait "$pgbench_pid" || { cat "$run_directory/pgbench.log" >&2; exit 1; }
kill "${load[1]}" 2>/dev/null || true
wait "${load[1]}" 2>/dev/null || true
load=()
processed=$(sed -nE 's/^number of transactions actually processed: ([0-9]+).*/\1/p' \
  "$run_directory/pgbench.log")
say "the load has ended: $processed transactions; letting the client finish"
kill -TERM "$client"
wait "$client"
client=
(stream --until now)

# --- the proof ------------------------------------------------------------------------------------

say "comparing the replay of the files with the tables, and with a journal that triggers kept of every change"
.venv/bin/python tests/replay/compare_replay.py --parquet "$out/changes" --conninfo "$source" \
  --journal audit.journal --tables shop.customers shop.orders shop.events | tee "$run_directory/compare.log"
verdict=$(sed -nE 's/^total (rows=[1-9][0-9]* lost=0 duplicated=0) wrong=0$/\1/p' \
  "$run_directory/compare.log")
[[ -n $verdict ]]

say "the same once more as a user would: what 'arrowcdc sql' prints, run by DuckDB, against the tables"
.venv/bin/python tests/replay/compare_state.py build/arrowcdc "$out/changes" "$source" \
  shop.customers shop.orders shop.events | tee "$run_directory/state.log"
[[ $(tail -n 1 "$run_directory/state.log") == 'state OK' ]]

say "some customers as they are now, from the files alone"
build/arrowcdc sql "$out/changes" shop.customers >"$out/customers.sql"
query="import duckdb; state = open('$out/customers.sql').read(); print(duckdb.sql(
  'SELECT number, handle, email, balance FROM (' + state + ') ORDER BY number LIMIT 8'))"
.venv/bin/python -c "$query"
echo "The files are in $out/changes, the query is in $out/customers.sql. To look again:"
echo "  .venv/bin/python -c \"$query\""

say "arrowcdc teardown"
build/arrowcdc teardown --source "$source" --slot demo --yes
finished=yes
echo
echo "demo: OK $verdict"
