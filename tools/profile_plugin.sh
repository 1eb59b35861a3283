#!/usr/bin/env bash
# What a row costs, counted under callgrind: for a table of all mapped types and for some of the benchmark's,
# a backend decodes 2,000 rows and 6,000 rows through the plugin. What is done for every row is the difference
# of the two; what is done once a relation is not in it. Then the client's decoder reads the same frames once
# and three times. Needs valgrind and what `make bench` installs.
#   tools/profile_plugin.sh [wal2arrow.so]      another build of the plugin than build/wal2arrow.so
#   KEEP=DIRECTORY tools/profile_plugin.sh      leaves profiles (for callgrind_annotate) and frames there
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh
bin=$("${PG_CONFIG:-pg_config}" --bindir)
start_run
server=$run_directory
configure build -DARROWCDC_BENCH=ON -DCMAKE_BUILD_TYPE=Release
cmake --build build --target wal2arrow arrowcdc_bench_table_sql wal2arrow_decoder_benchmark \
  >"$run_directory/build.log" || { cat "$run_directory/build.log"; exit 1; }
plugin=${1:-$PWD/build/wal2arrow.so}
chown postgres "$server"
install -m 755 "$plugin" "$server/wal2arrow.so"
export PGHOST=$server PGUSER=postgres PGDATABASE=postgres

as_postgres() { runuser -u postgres -- "$@"; }
before_end=stop_server
stop_server() {
  as_postgres "$bin/pg_ctl" -D "$server/data" -m fast -w stop >/dev/null 2>&1 || true
  wait
}

as_postgres "$bin/initdb" -D "$server/data" -A trust >/dev/null
cat >>"$server/data/postgresql.conf" <<C
listen_addresses = ''
unix_socket_directories = '$server'
wal_level = logical
autovacuum = off
dynamic_library_path = '$server:\$libdir'
C
if "$bin/postgres" --describe-config 2>/dev/null | grep ^output_plugin_libraries >/dev/null; then
  echo "output_plugin_libraries = 'wal2arrow'" >>"$server/data/postgresql.conf"
fi
as_postgres "$bin/pg_ctl" -D "$server/data" -l "$server/log" -w start >/dev/null

tables="all_types narrow wide one_row"
create_sql() { # create_sql TABLE
  [[ $1 == all_types ]] || { build/bench/arrowcdc_bench_table_sql "$1" 0 0; return; }
  echo "CREATE TABLE all_types (id bigint PRIMARY KEY, b bool, i2 int2, i4 int4, f4 float4, f8 float8, o oid,
    n numeric(12,2), nn numeric, t text, v varchar(20), c char(5), bin bytea, d date, ts timestamp,
    tz timestamptz, ti time, tt timetz, iv interval, u uuid, j json, jb jsonb, ia int[], ta text[])"
}
insert_sql() { # insert_sql TABLE FROM TO
  # A transaction a row, so that every batch has one.
  if [[ $1 == one_row ]]; then
    local insert
    insert=$(build/bench/arrowcdc_bench_table_sql one_row n n)
    echo "DO \$do\$ BEGIN FOR n IN $2..$3 LOOP $insert COMMIT; END LOOP; END \$do\$"
    return
  fi
  [[ $1 == all_types ]] || { build/bench/arrowcdc_bench_table_sql "$@"; return; }
  echo "INSERT INTO all_types SELECT g, g % 2 = 0, g % 100, g, g, g, g, g * 1.25, g * 3.14159, 'text ' || g,
    'v' || g, 'c', '\xdeadbeef', '2026-01-01', '2026-01-01 12:00', '2026-01-01 12:00Z', '12:00', '12:00+02',
    '1 day', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{\"a\": 1}',
    '{\"a\": [1, 2.5, \"x\"]}', ARRAY[1, 2, 3], ARRAY['a', 'b'] FROM generate_series($2, $3) g"
}
position() { psql -qAt -c "SELECT pg_current_wal_flush_lsn()"; }

# One slot a table, made when the others' rows are done, so that a run decodes nothing but its own.
declare -A end
psql -q -c "CREATE PUBLICATION p FOR ALL TABLES"
for table in $tables; do
  psql -q -c "$(create_sql "$table")"
  psql -q -c "SELECT pg_create_logical_replication_slot('$table', 'wal2arrow')" >/dev/null
  psql -q -c "$(insert_sql "$table" 1 2000)"
  end[${table}_1]=$(position)
  psql -q -c "$(insert_sql "$table" 2001 6000)"
  end[${table}_2]=$(position)
  psql -qAt -c "SELECT encode(data, 'hex') FROM pg_logical_slot_peek_binary_changes(
    '$table', NULL, NULL, 'publication_names', 'p')" >"$server/frames.$table"
done
stop_server

# Long copies by vectors: callgrind counts each byte of `rep movsb` as an instruction.
GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1073741824
GLIBC_TUNABLES+=:glibc.cpu.x86_rep_stosb_threshold=1073741824
export GLIBC_TUNABLES
as_postgres valgrind --tool=callgrind --trace-children=yes --callgrind-out-file="$server/calls.%p" \
  "$bin/postgres" -D "$server/data" >"$server/valgrind.log" 2>&1 &
until psql -qAt -c "SELECT 1" >/dev/null 2>&1; do sleep 0.2; done
for table in $tables; do
  for run in 1 2; do
    psql -qAt -c "SELECT pg_backend_pid()" -c "SELECT count(*) FROM pg_logical_slot_peek_binary_changes(
      '$table', '${end[${table}_$run]}', NULL, 'publication_names', 'p')" >"$server/run.$table.$run"
  done
done
stop_server

# count FILE FUNCTION: calls of it, and the instructions spent in it and below. Its name is a prefix.
count() {
  awk -v wanted="$2" '
    /^c?fn=\(/ { id = $0; sub(/^c?fn=\(/, "", id); sub(/\).*/, "", id)
      if (index($0, ") ")) {
        name = $0; sub(/^[^)]*\) /, "", name); gsub(/\(anonymous namespace\)::/, "", name)
        sub(/\(.*/, "", name); sub(/.*::/, "", name); names[id] = name
      }
      if ($0 ~ /^cfn=/) called = names[id] }
    /^calls=/ { split(substr($0, 7), part, " ")
      if (called == wanted) { calls += part[1]; getline; cost += $2 } }
    END { print calls + 0, cost + 0 }' "$1"
}
total() { awk '/^totals:/ { print $2 }' "$1"; }
for table in $tables; do
  first=$server/calls.$(head -n 1 "$server/run.$table.1")
  second=$server/calls.$(head -n 1 "$server/run.$table.2")
  if [[ -n ${KEEP:-} ]]; then install -D -m 644 "$second" "$KEEP/server.$table"; fi
  printf '%s\n%-26s%12s%12s%14s\n' "$table" "  calls of" "2,000 rows" "6,000 rows" "a row"
  for function in heap_deform_tuple SearchSysCache1 OutputFunctionCall numeric_out MemoryContextAlloc palloc \
    OutputPluginWrite; do
    read -r a _ < <(count "$first" $function)
    read -r b _ < <(count "$second" $function)
    printf '  %-24s%12s%12s%14s\n' "$function" "$a" "$b" \
      "$(awk "BEGIN { printf \"%.2f\", ($b - $a) / 4000 }")"
  done
  printf '  %-24s\n' "instructions"
  read -r _ a < <(count "$first" OnChange)
  read -r _ b < <(count "$second" OnChange)
  printf '  %-24s%12s%12s%14s\n' "  of the change callback" "$a" "$b" $(((b - a) / 4000))
  a=$(total "$first") b=$(total "$second")
  printf '  %-24s%12s%12s%14s\n' "  in all" "$a" "$b" $(((b - a) / 4000))
done

decode() { # decode TABLE ROUNDS
  valgrind --tool=callgrind --callgrind-out-file="$server/decode.$1.$2" \
    build/src/postgres/decode/wal2arrow_decoder_benchmark "$2" <"$server/frames.$1" 2>/dev/null
}
printf '%-26s%12s%12s%14s%14s\n' "decoder, instructions" "batches" "rows" "a batch" "a row"
for table in $tables; do
  read -r batches rows < <(decode "$table" 1)
  decode "$table" 3 >/dev/null
  if [[ -n ${KEEP:-} ]]; then
    install -D -m 644 -t "$KEEP" "$server/decode.$table.3" "$server/frames.$table"
  fi
  cost=$((($(total "$server/decode.$table.3") - $(total "$server/decode.$table.1")) / 2))
  printf '  %-24s%12s%12s%14s%14s\n' "$table" "$batches" "$rows" $((cost / batches)) $((cost / rows))
done
