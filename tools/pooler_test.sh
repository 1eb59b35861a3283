#!/usr/bin/env bash
# Part of `make test`: what is said through a real PgBouncer. Exits with 77, "skipped", where Debian's package
# cannot be fetched.
#   tools/pooler_test.sh BUILD      BUILD has postgres_pooler_test
set -euo pipefail
tests=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
. tools/common.sh
. tools/servers.sh
start_run

release=$(. /etc/os-release && echo "$VERSION_CODENAME")
directory=$servers/pgbouncer
if [[ ! -e $directory/complete ]]; then
  rm -rf "$directory"
  packages=(pgbouncer libevent-2.1-7 libc-ares2)
  if ! fetch_debian pgbouncer "$release" "${packages[@]}" 2>"$run_directory/fetch.log"; then
    cat "$run_directory/fetch.log"
    echo "pooler: skipped, PgBouncer could not be fetched"
    exit 77
  fi
  touch "$directory/complete"
fi
# The pooler's user must be able to read it, and cannot where this tree lies in somebody's home.
cp -a "$directory/root" "$run_directory/pgbouncer"
chmod -R a+rX "$run_directory/pgbouncer"
export LD_LIBRARY_PATH=$run_directory/pgbouncer/usr/lib/x86_64-linux-gnu
export ARROWCDC_PGBOUNCER=$run_directory/pgbouncer/usr/sbin/pgbouncer
"$ARROWCDC_PGBOUNCER" --version | head -1
run "$tests/src/postgres/postgres_pooler_test"
echo "pooler: OK"
