#!/usr/bin/env bash
# Installs what building and testing need: Debian packages, and a virtual environment in the tree. Quick when
# all is there.
#   tools/setup.sh build   what the build and the demo need
#   tools/setup.sh bench   that, the Python package, and what the benchmark compares with
#   tools/setup.sh peers   Java for the contenders that are downloaded
#   tools/setup.sh monitor what tests of `stream --http` use where it is there: a browser, promtool
#   tools/setup.sh package what `make package` and `make package-test` need besides
#   tools/setup.sh         what building and testing need
set -euo pipefail
cd "$(dirname "$0")/.."

scope=${1:-all}
pg_config=${PG_CONFIG:-pg_config}

build_packages=(g++ cmake ninja-build pkg-config ccache libpq-dev libmariadb-dev libkrb5-dev libssl-dev
  liblz4-dev libzstd-dev libdeflate-dev libspdlog-dev libfmt-dev libcli11-dev libre2-dev libmicrohttpd-dev
  libyaml-cpp-dev nlohmann-json3-dev python3-venv)
test_packages=(zlib1g-dev libgtest-dev libgmock-dev librapidcheck-dev strace valgrind python3-dev)
# A browser for the page of `stream --http`, and promtool for its metrics. Tests that lack them say so.
monitor_packages=(chromium prometheus)
# simdjson parses wal2json's output. The rivals' plugins are those packaged for the server's major version.
bench_packages=(libsimdjson-dev python3-dev)
peer_packages=(openjdk-17-jdk-headless maven)
# libpq for wheels is built; the shells, man and lintian look at what a package has.
package_packages=(dpkg-dev bison flex mmdebstrap lintian man-db zsh fish)
bench_plugins=(wal2json decoderbufs)
# Always as one: a plugin compiled against the headers of a newer minor need not load into an older server.
server_packages=(postgresql-15 postgresql-client-15 postgresql-server-dev-15)

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# --- Debian packages ------------------------------------------------------------------------------

missing=()

add_missing() {
  local installed name
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^installed //p' || true)
  for name in "$@"; do
    grep -qx -- "$name" <<<"$installed" || missing+=("$name")
  done
}

# Server programs and headers are there, of the same version.
server_ready() {
  local bin headers version
  command -v "$pg_config" >/dev/null || return 1
  bin=$("$pg_config" --bindir) && headers=$("$pg_config" --includedir-server) || return 1
  [[ -x $bin/initdb && -x $bin/pgbench && -r $headers/postgres.h ]] || return 1
  version=$("$bin/postgres" --version | sed -E 's/^[^0-9]*([0-9.a-z]+).*/\1/')
  grep -qs "define PG_VERSION \"$version" "$headers"/pg_config*.h
}

collect_missing() {
  [[ $scope != peers ]] || add_missing "${peer_packages[@]}"
  [[ $scope != monitor ]] || add_missing "${monitor_packages[@]}"
  [[ $scope != package ]] || add_missing "${package_packages[@]}"
  add_missing "${build_packages[@]}"
  [[ $scope != all ]] || add_missing "${test_packages[@]}"
  # One test reads our Arrow messages with JavaScript's implementation. Any node will do, Debian's or not.
  if [[ $scope == all ]] && ! { command -v node && command -v npm; } >/dev/null; then
    missing+=(nodejs npm)
  fi
  if ! server_ready; then
    [[ $pg_config =~ ^(pg_config|/usr/bin/pg_config|/usr/lib/postgresql/15/bin/pg_config)$ ]] ||
      fail "$pg_config is not usable: server programs and headers of one version are needed"
    missing+=("${server_packages[@]}")
  fi
  [[ $scope != bench ]] || collect_bench
}

# A rival whose plugin is not there is left out of the figures, with the reason.
collect_bench() {
  local plugin major=15
  add_missing "${bench_packages[@]}"
  if command -v "$pg_config" >/dev/null; then
    major=$("$pg_config" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
  fi
  for plugin in "${bench_plugins[@]}"; do
    if apt-cache show "postgresql-$major-$plugin" >/dev/null 2>&1 || [[ $major == 15 ]]; then
      add_missing "postgresql-$major-$plugin"
    else
      say "no package postgresql-$major-$plugin: it will not take part"
    fi
  done
}

# A server package wants to make a cluster at its first installation and to start clusters at each, and that
# of prometheus to start one. None of it is ours to do: these two files, which exist only while apt runs, say
# no. A cluster that runs goes on running, one that is down stays down.
no_cluster=/etc/postgresql-common/createcluster.d/arrowcdc-setup.conf
no_start=/usr/sbin/policy-rc.d
made_files=()

remove_made_files() { [[ ${#made_files[@]} -eq 0 ]] || rm -f "${made_files[@]}"; }

hold_clusters() {
  trap remove_made_files EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  mkdir -p "$(dirname "$no_cluster")"
  made_files+=("$no_cluster")
  echo 'create_main_cluster = off' >"$no_cluster"
  if [[ ! -e $no_start ]]; then
    made_files+=("$no_start")
    printf '#!/bin/sh\ncase "$1" in postgresql*|prometheus*) exit 101 ;; esac\nexit 0\n' >"$no_start"
    chmod 755 "$no_start"
  fi
}

install_packages() {
  command -v apt-get >/dev/null ||
    fail "these Debian packages are missing, and there is no apt-get: ${missing[*]}"
  if [[ $(id -u) -ne 0 ]]; then
    fail "packages are missing; as root, run:
  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
  fi
  say "installing ${missing[*]}"
  hold_clusters
  export DEBIAN_FRONTEND=noninteractive
  local apt=(apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -qq)
  "${apt[@]}" update
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null
  remove_made_files
  server_ready || fail "server and headers of PostgreSQL differ still: $("$pg_config" --version), see
  $pg_config --includedir-server"
}

# --- virtual environment --------------------------------------------------------------------------

# name==version lines that the environment must hold.
requirements() {
  local files=(tools/requirements.txt)
  [[ $scope != all ]] || files+=(tools/requirements-python.txt)
  { cat "${files[@]}"; [[ $scope != bench ]] || grep '^nanobind==' tools/requirements-python.txt; } |
    sed -E 's/[[:space:]]*#.*//; /^$/d' | while read -r line; do
    # The Python package, which the benchmark builds too, links the libarrow of pyarrow, whatever the system
    # has.
    if [[ $line != pyarrow==* || $scope != build ]] || ! pkg-config --exists arrow parquet 2>/dev/null; then
      echo "$line"
    fi
  done
}

# pip writes INSTALLER last, so a package without it is half unpacked.
venv_ready() {
  [[ -x .venv/bin/python ]] && .venv/bin/python -I -S -c '' 2>/dev/null || return 1
  local line
  for line in $(requirements); do
    compgen -G ".venv/lib/python3*/site-packages/${line/==/-}.dist-info/INSTALLER" >/dev/null || return 1
  done
}

make_venv() {
  local python=/usr/bin/python3
  [[ -x $python ]] || python=python3
  if [[ -L .venv ]]; then
    [[ -x .venv/bin/python ]] ||
      fail ".venv is a link to $(readlink .venv), which is not a virtual environment; remove the link"
    say "completing the virtual environment $(readlink .venv)"
  else
    say "making the virtual environment .venv"
    rm -rf .venv
    "$python" -m venv .venv
  fi
  local wanted
  mapfile -t wanted < <(requirements)
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --only-binary :all: \
    --no-deps "${wanted[@]}"
  venv_ready || fail "the virtual environment is still incomplete"
}

collect_missing
if [[ ${#missing[@]} -gt 0 ]]; then install_packages; fi
if ! venv_ready; then make_venv; fi
server=$("$("$pg_config" --bindir)/postgres" --version | sed -E 's/^[^0-9]*([0-9.]+).*/\1/')
say "everything is there: PostgreSQL $server, $(requirements | wc -l) packages in .venv"
