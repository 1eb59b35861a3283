# The demo's server is a private PostgreSQL, sourced by tools/demo.sh.
# shellcheck shell=bash

bin=$("${PG_CONFIG:-pg_config}" --bindir)
export PATH=$bin:$PATH
slot=(--slot demo)

# PostgreSQL refuses to run as root.
server_user=$(id -un)
if [[ $(id -u) -eq 0 ]]; then server_user=$(id -un postgres 2>/dev/null || echo nobody); fi
as_server() {
  if [[ $(id -u) -ne 0 ]]; then "$@"; return; fi
  setpriv --reuid="$server_user" --regid="$(id -g "$server_user")" --clear-groups -- "$@"
}

stop_server() {
  if [[ -f $run_directory/data/postmaster.pid ]]; then
    as_server pg_ctl stop -D "$run_directory/data" -m immediate -s >/dev/null 2>&1 || true
  fi
}

start_server() {
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
  psql -X -q -d "host=$run_directory user=postgres dbname=postgres" -c 'CREATE DATABASE shop'
  sql -f examples/shop/schema.sql -f examples/shop/start.sql -f examples/shop/journal.sql
}

sql() { psql -X -q -v ON_ERROR_STOP=1 -d "$source" "$@"; }

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

start_load() {
  pgbench -n -c 4 -j 2 -T "$seconds" --random-seed="${DEMO_SEED:-rand}" --max-tries=1000 \
    -f examples/shop/order_new.sql@10 -f examples/shop/order_pay.sql@8 -f examples/shop/order_delete.sql@3 \
    -f examples/shop/customer_rename.sql@1 -f examples/shop/event_batch.sql@2 "$source" \
    >"$run_directory/pgbench.log" 2>&1 </dev/null &
  load+=($!)
  copy_events &
  load+=($!)
}

drop_column() { sql -f examples/shop/drop_column.sql; }

await_load() {
  wait "${load[0]}" || { cat "$run_directory/pgbench.log" >&2; exit 1; }
  kill "${load[1]}" 2>/dev/null || true
  wait "${load[1]}" 2>/dev/null || true
  processed=$(sed -nE 's/^number of transactions actually processed: ([0-9]+).*/\1/p' \
    "$run_directory/pgbench.log")
}

compare() {
  .venv/bin/python tests/replay/compare_replay.py --parquet "$out/changes" --conninfo "$source" \
    --journal audit.journal --tables "${tables[@]}"
  say "the same once more as a user would: what 'arrowcdc sql' prints, run by DuckDB, against the tables"
  .venv/bin/python tests/replay/compare_state.py build/arrowcdc "$out/changes" "$source" "${tables[@]}"
}

end_capture() {
  say "arrowcdc teardown"
  build/arrowcdc teardown --source "$source" "${slot[@]}" --yes
}
