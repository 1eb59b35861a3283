#!/usr/bin/env bash
# Part of `make test`: MySQL and MariaDB for the tests of src/mysql, from Debian's packages, unpacked and not
# installed, each run by the loader and the libraries of its own release. They are fetched once, into
# build-majors/servers, with an initialized data directory that tests copy. Exits with 77, "skipped", where
# none of them can be had.
#   tools/mysql_files.sh [COMMAND ...]                  then runs the command
#   tools/mysql_files.sh --mariadb-11.8 [COMMAND ...]   with that one, of trixie, in place of both
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh
start_run
python=$PWD/.venv/bin/python
. tools/servers.sh

# fetch_closure NAME RELEASE PACKAGE...: the packages with all that they need, the C library too.
fetch_closure() {
  local name=$1 release=$2 file
  shift 2
  local site
  site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security | head -1)
  [[ -n $site ]] || return 1
  make_apt "$name" "$release" deb
  rm -f "$servers/$name/apt/sources"/*
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site $release main" \
    >"$servers/$name/apt/sources/debian.list"
  mkdir -p "$servers/$name/root"
  (
    export APT_CONFIG=$servers/$name/apt/apt.conf
    # The release file of a copy of sid may be older than it says it is good for.
    options=(-qq -o Acquire::Check-Valid-Until=false -o Debug::NoLocking=1 -o APT::Install-Recommends=false)
    apt-get "${options[@]}" update && apt-get "${options[@]}" -y --download-only install "$@"
  ) >&2 || return 1
  for file in "$servers/$name/apt/cache/archives"/*.deb; do
    dpkg-deb -x "$file" "$servers/$name/root" || return 1
  done
  rm -rf "$servers/$name/apt"
}

# server NAME PROGRAM ARGUMENT...
server() {
  local root=$servers/$1/root loader
  loader=$(compgen -G "$root/lib*/ld-linux-*.so.*" || compgen -G "$root/usr/lib*/ld-linux-*.so.*")
  shift
  local program=$1
  shift
  run "${loader%%$'\n'*}" --library-path \
    "$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu:$root/usr/lib" "$root/usr/sbin/$program" "$@"
}

initialize_mysql() {
  local usr=$servers/$1/root/usr
  server "$1" mysqld --no-defaults --user=root --basedir="$usr" --datadir="$servers/$1/data" \
    --lc-messages-dir="$usr/share/mysql" --secure-file-priv=NULL --mysqlx=OFF --performance-schema=OFF \
    --innodb-buffer-pool-size=64M --initialize-insecure
}

initialize_mariadb() {
  local usr=$servers/$1/root/usr share name loader
  share=$usr/share/mysql
  [[ -d $share/charsets ]] || ln -sfn mariadb "$share"
  name=mysql
  [[ -e $share/mysql_system_tables.sql ]] || name=mariadb
  mkdir -p "$servers/$1/data"
  {
    printf '%s;\n' "SET @auth_root_socket = NULL, @skip_auth_anonymous = 1" "CREATE DATABASE mysql" \
      "USE mysql"
    cat "$share/${name}_system_tables.sql" "$share/${name}_performance_tables.sql" \
      "$share/${name}_system_tables_data.sql"
  } >"$run_directory/bootstrap.sql"
  loader=$(compgen -G "$servers/$1/root/usr/lib64/ld-linux-*.so.*" ||
    compgen -G "$servers/$1/root/lib64/ld-linux-*.so.*")
  "${loader%%$'\n'*}" --library-path \
    "$servers/$1/root/usr/lib/x86_64-linux-gnu:$servers/$1/root/lib/x86_64-linux-gnu" "$usr/sbin/mariadbd" \
    --no-defaults --user=root --basedir="$usr" --datadir="$servers/$1/data" --bootstrap \
    --lc-messages-dir="$usr/share/mysql" --character-sets-dir="$usr/share/mysql/charsets" \
    --innodb-buffer-pool-size=64M <"$run_directory/bootstrap.sql"
}

# fetch PROGRAM NAME RELEASE PACKAGE...: fetched again where an earlier version left PROGRAM out.
fetch() {
  local program=$1 name=$2
  shift
  [[ -e $servers/$name/complete && -e $servers/$name/root/usr/bin/$program ]] && return 0
  rm -rf "${servers:?}/$name"
  mkdir -p "$servers/$name"
  if fetch_closure "$@" >"$run_directory/fetch.log" 2>&1 &&
    "initialize_${name%%-*}" "$name" >>"$run_directory/fetch.log" 2>&1; then
    touch "$servers/$name/complete"
  else
    tail -n 20 "$run_directory/fetch.log"
    echo "mysql files: $name of Debian $2 could not be fetched; its tests are skipped"
    return 1
  fi
}

there=0
# One fetches at a time: several tests ask for the same.
mkdir -p "$servers"
exec {lock}>"$servers/mysql.lock"
flock "$lock"
if [[ ${1:-} == --mariadb-11.8 ]]; then
  shift
  fetch mariadb-binlog mariadb-11.8 trixie mariadb-server-core mariadb-client-core mariadb-client && there=1
  mkdir -p "$servers/newer"
  ln -sfn ../mariadb-11.8 "$servers/newer/mariadb"
  servers=$servers/newer
else
  fetch mysqlbinlog mysql sid mysql-server-core mysql-client-core && there=1
  fetch mariadb-binlog mariadb bookworm mariadb-server-core mariadb-client-core mariadb-client && there=1
fi
exec {lock}>&-
if [[ $there == 0 ]]; then
  echo "mysql files: skipped, neither MySQL nor MariaDB can be had"
  exit 77
fi
if [[ $# -gt 0 ]]; then ARROWCDC_MYSQL_SERVERS=$servers run "$@"; fi
