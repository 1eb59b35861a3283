# The demo's server is a private MySQL, sourced by tools/demo.sh.
# shellcheck shell=bash

slot=()
seconds=${DEMO_SECONDS:-12}  # it starts more slowly than PostgreSQL, and there is more to compare
mysql_files=$PWD/build-majors/servers/mysql
server=

# mysql_command PROGRAM: to mysql_argv, by the loader and the libraries of its own release.
mysql_command() {
  local usr=$mysql_files/root/usr loader
  loader=$(compgen -G "$mysql_files/root/lib*/ld-linux-*.so.*" || compgen -G "$usr/lib*/ld-linux-*.so.*")
  mysql_argv=("${loader%%$'\n'*}" --library-path "$usr/lib/x86_64-linux-gnu:$usr/lib" "$usr/$1" --no-defaults)
}

stop_server() {
  if [[ -n $server ]]; then kill -KILL "$server" 2>/dev/null || true; fi
}

start_server() {
  tools/mysql_files.sh
  [[ -e $mysql_files/complete ]] || { echo "demo: MySQL could not be had" >&2; exit 1; }
  say "starting a private MySQL in $run_directory"
  local usr=$mysql_files/root/usr
  cp -r "$mysql_files/data" "$run_directory/data"
  mysql_command sbin/mysqld
  "${mysql_argv[@]}" --basedir="$usr" --datadir="$run_directory/data" --lc-messages-dir="$usr/share/mysql" \
    --character-sets-dir="$usr/share/mysql/charsets" --plugin-dir="$usr/lib/mysql/plugin" \
    --socket="$run_directory/socket" --pid-file="$run_directory/pid" --skip-networking --mysqlx=OFF \
    --secure-file-priv=NULL --user="$(id -un)" --server-id=1 --log-bin=binlog \
    --binlog-row-metadata=FULL --gtid-mode=ON --enforce-gtid-consistency=ON --max-binlog-size=4M \
    --sync-binlog=0 --innodb-flush-log-at-trx-commit=0 \
    >"$run_directory/server.log" 2>&1 </dev/null &
  server=$!
  timeout 60 grep -q 'ready for connections' \
    <(exec tail -n +1 -F --pid="$server" "$run_directory/server.log" 2>&1) ||
    { echo "demo: MySQL does not start" >&2; exit 1; }
  source="mysql://root@localhost/?socket=$(sed 's|/|%2F|g' <<<"$run_directory/socket")"
  mysql_command bin/mysql
  client_argv=("${mysql_argv[@]}" --socket="$run_directory/socket" --user=root)
  local file
  for file in schema start journal load; do sql <"examples/shop/mysql/$file.sql"; done
}

sql() { "${client_argv[@]}" --skip-column-names; }

# Four clients, each with other settings of what is logged.
start_load() {
  local settings
  for settings in "binlog_row_image = FULL" "binlog_row_image = NOBLOB" \
    "binlog_transaction_compression = ON" "binlog_row_value_options = PARTIAL_JSON"; do
    echo "SET SESSION $settings; CALL audit.work($seconds)" |
      sql >"$run_directory/load-${#load[@]}.log" 2>&1 &
    load+=($!)
  done
}

drop_column() { sql <examples/shop/mysql/drop_column.sql; }

await_load() {
  local pid
  for pid in "${load[@]}"; do
    wait "$pid" || { cat "$run_directory"/load-*.log >&2; exit 1; }
  done
  processed=$(awk '{ steps += $1 } END { print steps }' "$run_directory"/load-*.log)
}

compare() {
  .venv/bin/python tests/replay/compare_mysql.py --parquet "$out/changes" --command build/arrowcdc \
    --journal audit.journal --tables "${tables[@]}" -- "${client_argv[@]}"
}

end_capture() {
  kill -TERM "$server"
  wait "$server" || true
  server=
}
