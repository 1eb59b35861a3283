#!/usr/bin/env bash
# Part of `make test`: PostgreSQL's own files for logical decoding, of contrib/test_decoding, run with our
# slots beside. They come from Debian's source package, once, into build-majors/sources. Exits with 77,
# "skipped", where that cannot be fetched, or isolationtester is not there (postgresql-server-dev has it).
#   tools/postgres_files.sh TEST      TEST: the program postgres_files_test
set -euo pipefail
test=$(realpath "$1")
cd "$(dirname "$0")/.."
. tools/common.sh
start_run

package=postgresql-15
version=15.18-0+deb12u1
sources=$PWD/build-majors/sources/$package-$version

# By a private state of apt, from the mirrors that this machine uses.
fetch_sources() {
  local directory=$run_directory/apt file
  mkdir -p "$directory"/{lists/partial,cache/archives/partial,sources,download}
  : >"$directory/status"
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    grep -qsE '^(URIs:|deb ).*debian' "$file" || continue
    sed 's/^Types:.*/Types: deb-src/; s/^deb /deb-src /' "$file" >"$directory/sources/$(basename "$file")"
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
  (
    export APT_CONFIG=$directory/apt.conf
    cd "$directory/download"
    apt-get -qq update && apt-get -qq source --download-only "$package=$version"
  ) || return 1
  mkdir -p "$sources"
  tar -xjf "$directory"/download/*.orig.tar.bz2 -C "$sources" --strip-components=1 --wildcards \
    '*/contrib/test_decoding/*' '*/src/test/isolation/specs/*' || return 1
  touch "$sources/complete"
}

if [[ ! -e $sources/complete ]]; then
  rm -rf "$sources"
  if ! fetch_sources >"$run_directory/fetch.log" 2>&1; then
    cat "$run_directory/fetch.log"
    echo "postgres files: skipped, the sources of $package $version could not be fetched"
    exit 77
  fi
fi
tester=$("${PG_CONFIG:-pg_config}" --pkglibdir)/pgxs/src/test/isolation/isolationtester
if [[ ! -x $tester ]]; then
  echo "postgres files: skipped, no $tester"
  exit 77
fi
ARROWCDC_POSTGRES_SOURCES=$sources ARROWCDC_ISOLATIONTESTER=$tester run "$test"
