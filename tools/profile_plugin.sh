#!/usr/bin/env bash
# Counts, under callgrind, what the plugin calls while it decodes rows of all mapped types: twice, with 2,000 and with 6,000 rows.
# What is called for every row grows with them; what is called once a relation does not. Needs valgrind and a release build (make build).
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh
plugin=${1:-$PWD/build/wal2arrow.so}
bin=$("${PG_CONFIG:-pg_config}" --bindir)
start_run
server=$run_directory
chown postgres "$server"
install -m 755 "$plugin" "$server/wal2arrow.so"
export PGHOST=$server PGUSER=postgres PGDATABASE=postgres

as_postgres() { runuser -u postgres -- "$@"; }
before_end=stop_server
stop_server() { as_postgres "$bin/pg_ctl" -D "$server/data" -m fast -w stop >/dev/null 2>&1 || true; }

as_postgres "$bin/initdb" -D "$server/data" -A trust >/dev/null
cat >>"$server/data/postgresql.conf" <<C
listen_addresses = ''
unix_socket_directories = '$server'
wal_level = logical
autovacuum = off
dynamic_library_path = '$server:\$libdir'
C
if "$bin/postgres" --describe-config 2>/dev/null | grep -q ^output_plugin_libraries; then
  echo "output_plugin_libraries = 'wal2arrow'" >>"$server/data/postgresql.conf"
fi
as_postgres "$bin/pg_ctl" -D "$server/data" -l "$server/log" -w start >/dev/null

insert() {
  psql -q -c "INSERT INTO m SELECT g, g % 2 = 0, g % 100, g, g, g, g, g * 1.25, g * 3.14159, 'text ' || g, 'v' || g, 'c', '\xdeadbeef',
    '2026-01-01', now(), now(), '12:00', '12:00+02', '1 day', gen_random_uuid(), '{\"a\": 1}', '{\"a\": [1, 2.5, \"x\"]}', ARRAY[1, 2, 3], ARRAY['a', 'b']
    FROM generate_series($1, $2) g"
}
psql -q -c "CREATE TABLE m (id bigint PRIMARY KEY, b bool, i2 int2, i4 int4, f4 float4, f8 float8, o oid, n numeric(12,2), nn numeric, t text,
  v varchar(20), c char(5), bin bytea, d date, ts timestamp, tz timestamptz, ti time, tt timetz, iv interval, u uuid, j json, jb jsonb, ia int[], ta text[])" \
  -c "CREATE PUBLICATION p FOR TABLE m" -c "SELECT pg_create_logical_replication_slot('profile', 'wal2arrow')" >/dev/null
insert 1 2000
end_of_first=$(psql -qAt -c "SELECT pg_current_wal_flush_lsn()")
insert 2001 6000
stop_server

as_postgres valgrind --tool=callgrind --trace-children=yes --callgrind-out-file="$server/calls.%p" "$bin/postgres" -D "$server/data" \
  >"$server/valgrind.log" 2>&1 &
until psql -qAt -c "SELECT 1" >/dev/null 2>&1; do sleep 0.2; done
decode() { # decode LABEL UPTO
  psql -qAt -c "SELECT pg_backend_pid()" -c "SELECT count(*) FROM pg_logical_slot_peek_binary_changes('profile', $2, NULL, 'publication_names', 'p')" \
    >"$server/run.$1"
}
decode first "'$end_of_first'"
decode second NULL
stop_server
wait

count() { # count FILE FUNCTION
  awk -v wanted="$2" '/^c?fn=\(/ { id = $0; sub(/^c?fn=\(/, "", id); sub(/\).*/, "", id); if (index($0, ") ")) { name = $0; sub(/^[^)]*\) /, "", name); names[id] = name }
      if ($0 ~ /^cfn=/) called = names[id] }
    /^calls=/ { split(substr($0, 7), part, " "); if (called == wanted) calls += part[1] } END { print calls + 0 }' "$1"
}
first=$server/calls.$(head -n 1 "$server/run.first")
second=$server/calls.$(head -n 1 "$server/run.second")
printf '%-24s%12s%12s\n' "calls of" "2,000 rows" "6,000 rows"
for function in heap_deform_tuple SearchSysCache1 SearchCatCache1 OutputFunctionCall OidOutputFunctionCall numeric_out MemoryContextAlloc palloc OutputPluginWrite; do
  printf '%-24s%12s%12s\n' "$function" "$(count "$first" "$function")" "$(count "$second" "$function")"
done
total() { awk '/^totals:/ { print $2 }' "$1"; }
printf '%-24s%12s%12s\n' "instructions" "$(total "$first")" "$(total "$second")"
