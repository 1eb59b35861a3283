#!/usr/bin/env bash
# Makes the recordings that lie here: the binlog that the statements of a file give, and what SELECT says of
# the tables behind it, tab-separated.
#   record.sh CLIENT DATADIR FLAVOR
# CLIENT: a command for a superuser, "mysql -uroot -S /tmp/s"; DATADIR: of that server, whose binlog begins
# anew; FLAVOR: mysql (recorded with 9.7.4) or mariadb (10.11.19).
set -eu
cd "$(dirname "$0")"
client=$1 data=$2 flavor=$3

# "-- select TABLE:SELECT ..." and the lines of comment below it, as one line each.
selects() {
  awk '/^-- select / { if (line) print line; line = substr($0, 11); next }
       /^--   / && line { line = line " " substr($0, 6); next }
       { if (line) print line; line = "" }
       END { if (line) print line }'
}

reset="RESET BINARY LOGS AND GTIDS"
[[ $flavor == mysql ]] || reset="RESET MASTER"

for sql in "$flavor"_*.sql; do
  name=${sql%.sql}
  $client -e "DROP DATABASE IF EXISTS d; CREATE DATABASE d DEFAULT CHARACTER SET utf8mb4; $reset"
  cat "${name/#$flavor/common}.sql" "$sql" 2>/dev/null | $client --default-character-set=utf8mb4 d
  $client -e "FLUSH BINARY LOGS"
  cp "$data/binlog.000001" "$name.binlog"
  chmod 0644 "$name.binlog"
  : > "$name.tsv"
  while read -r line; do
    printf '# %s\n' "${line%%:*}" >> "$name.tsv"
    $client --default-character-set=utf8mb4 -N -B d >> "$name.tsv" \
      <<< "SET time_zone='+00:00'; ${line#*:}"
  done < <(cat "${name/#$flavor/common}.sql" "$sql" 2>/dev/null | selects)
done
