#!/usr/bin/env bash
# `make package`: Debian packages of the command and of the plugin, and wheels of the Python package, in
# dist/.
#   tools/package.sh [command] [plugins] [wheels]      nothing named: all of them
# What a package needs is found by dpkg-shlibdeps: it runs on the release of Debian that it was built on. The
# plugin asks for a server that is not older than the headers that it was built with. A major version of
# PostgreSQL whose headers cannot be fetched is skipped, and said to be.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh
. tools/servers.sh
python=$PWD/.venv/bin/python
parts=("$@")
[[ $# -gt 0 ]] || parts=(command plugins wheels)
start_run

build=$PWD/build-package
version=$(sed -nE 's/^project\(arrowcdc VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)
architecture=$(dpkg --print-architecture)
maintainer="${DEBFULLNAME:-arrowcdc developers} <${DEBEMAIL:-arrowcdc@packages.invalid}>"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
private=usr/lib/arrowcdc
made=()
skipped=()

umask 022
mkdir -p dist

# --- what both kinds of packages need ---------------------------------------------------------------------

# depends_of STAGE FILE...: what dpkg-shlibdeps says that these programs and libraries need.
depends_of() {
  local stage=$1 arguments=() file
  shift
  for file in "$@"; do arguments+=(-e"$file"); done
  mkdir -p "$run_directory/shlibs/debian"
  printf 'Source: arrowcdc\n\nPackage: arrowcdc\nArchitecture: any\n' >"$run_directory/shlibs/debian/control"
  # A library that the package brings is no package's.
  (cd "$run_directory/shlibs" && dpkg-shlibdeps -O --ignore-missing-info "-S$stage" "-l$stage/$private" \
    "${arguments[@]}" 2>"$run_directory/shlibs.log") |
    sed -n 's/^shlibs:Depends=//p' || { cat "$run_directory/shlibs.log" >&2; return 1; }
}

# write_control STAGE PACKAGE DEPENDS SUMMARY <<<description
write_control() {
  local stage=$1 package=$2 depends=$3 summary=$4
  mkdir -p "$stage/DEBIAN"
  cat >"$stage/DEBIAN/control" <<C
Package: $package
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du -sk --exclude=DEBIAN "$stage" | cut -f 1)
Depends: $depends
Section: database
Priority: optional
Description: $summary
$(sed -E 's/^$/./; s/^/ /')
C
}

# write_documents STAGE PACKAGE: what each package has to have below /usr/share/doc.
write_documents() {
  local directory=$1/usr/share/doc/$2
  mkdir -p "$directory"
  install -m 644 packaging/debian/copyright "$directory/copyright"
  gzip -9nc CHANGELOG.md >"$directory/CHANGELOG.md.gz"
  printf '%s (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n -- %s  %s\n' "$2" "$version" \
    "$maintainer" "$(LC_ALL=C date -R -u -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$directory/changelog.gz"
}

# build_package STAGE PACKAGE
build_package() {
  local stage=$1 file=dist/$2_${version}_$architecture.deb
  (cd "$stage" && find . -type f ! -path './DEBIAN/*' -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' md5sum) \
    >"$stage/DEBIAN/md5sums"
  # The same tree makes the same package.
  find "$stage" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
  rm -f "dist/$2"_*.deb
  dpkg-deb --root-owner-group -Zxz --build "$stage" "$file" >/dev/null
  made+=("$file")
}

# --- the command ------------------------------------------------------------------------------------------

# Libraries of the pinned pyarrow that the file needs, and those that they need.
add_arrow() {
  local wheel=$1 stage=$2 file=$3 name
  for name in $(readelf -d "$file" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p'); do
    [[ -e $wheel/$name && ! -e $stage/$private/$name ]] || continue
    install -D -m 644 "$wheel/$name" "$stage/$private/$name"
    strip --strip-unneeded "$stage/$private/$name"
    add_arrow "$wheel" "$stage" "$wheel/$name"
  done
}

package_command() {
  local stage=$run_directory/command wheel licence script
  echo "package: building the command (build-package); the first time takes minutes"
  # Arrow comes with the package, so it is the pinned one, whatever this machine has.
  configure build-package "${release_build[@]}" -DCMAKE_INSTALL_PREFIX=/usr \
    -DCMAKE_DISABLE_FIND_PACKAGE_Arrow=ON "-DARROWCDC_ARROW_DIRECTORY=/$private"
  run cmake --build "$build" --target arrowcdc_cli arrowcdc_documents >"$run_directory/build.log" ||
    { cat "$run_directory/build.log"; return 1; }
  DESTDIR=$stage cmake --install "$build" --component command --strip >/dev/null
  wheel=$(.venv/bin/python -c 'import os, pyarrow; print(os.path.dirname(pyarrow.__file__))')
  add_arrow "$wheel" "$stage" "$stage/usr/bin/arrowcdc"
  # Where Debian's zsh looks for those of packages.
  mv "$stage/usr/share/zsh/site-functions" "$stage/usr/share/zsh/vendor-completions"
  find "$stage/usr/share/man" -type f -exec gzip -9n {} +

  local documents=$stage/usr/share/doc/arrowcdc
  write_documents "$stage" arrowcdc
  install -m 644 README.md "$documents/README.md"
  mkdir -p "$documents/docs" "$documents/arrow"
  install -m 644 docs/*.md "$documents/docs"
  install -D -m 644 -t "$documents/examples/monitoring" examples/monitoring/*
  for licence in LICENSE NOTICE; do
    gzip -9nc "$(dirname "$wheel")"/pyarrow-*.dist-info/licenses/$licence.txt \
      >"$documents/arrow/$licence.txt.gz"
  done

  install -D -m 644 packaging/arrowcdc@.service "$stage/lib/systemd/system/arrowcdc@.service"
  install -d -m 750 "$stage/etc/arrowcdc"
  mkdir -p "$stage/DEBIAN"
  for script in postinst prerm postrm; do
    install -m 755 "packaging/debian/arrowcdc.$script" "$stage/DEBIAN/$script"
  done
  local depends
  depends=$(depends_of "$stage" "$stage/usr/bin/arrowcdc" "$stage/$private"/*.so*)
  write_control "$stage" arrowcdc "$depends, adduser" "row changes of a database as Apache Arrow" <<D
arrowcdc streams the row changes of PostgreSQL, MySQL and MariaDB as Apache
Arrow record batches, and stores them as Parquet files in which every change
is there exactly once, whatever crashes on the way.

The server needs nothing for it. To PostgreSQL the output plugin wal2arrow
(postgresql-15-wal2arrow and its like) makes it cost less.
D
  build_package "$stage" arrowcdc
}

# --- the plugin -------------------------------------------------------------------------------------------

# package_plugin MAJOR PG_CONFIG
package_plugin() {
  local major=$1 pg_config=$2 package=postgresql-$1-wal2arrow headers minor stage library depends
  local directory=build-package-$major
  stage=$run_directory/$package
  headers=$("$pg_config" --includedir-server)
  minor=$(sed -nE 's/^#define PG_VERSION "([^ "]+).*/\1/p' "$headers"/pg_config*.h | head -n 1)
  [[ ${minor%%.*} == "$major" ]] || { skipped+=("$package (headers are of $minor)"); return 0; }
  PG_CONFIG=$pg_config configure "$directory" "${release_build[@]}" -DARROWCDC_PLUGIN_ONLY=ON
  run cmake --build "$directory" --target wal2arrow >"$run_directory/build.log" ||
    { cat "$run_directory/build.log"; return 1; }
  plugin/library_test.sh "$directory/wal2arrow.so" >/dev/null
  library=$stage/usr/lib/postgresql/$major/lib/wal2arrow.so
  install -D -m 644 "$directory/wal2arrow.so" "$library"
  strip --strip-unneeded "$library"
  write_documents "$stage" "$package"
  mkdir -p "$stage/DEBIAN"
  sed "s/@MAJOR@/$major/g" packaging/debian/wal2arrow.prerm >"$stage/DEBIAN/prerm"
  chmod 755 "$stage/DEBIAN/prerm"
  # Built for a newer minor release, it need not load into an older server.
  depends="postgresql-$major (>= $minor), $(depends_of "$stage" "$library")"
  write_control "$stage" "$package" "$depends" "PostgreSQL $major output plugin that builds Arrow columns" <<D
wal2arrow turns the changes that PostgreSQL decodes from its log into
Apache Arrow columns, inside the server. arrowcdc reads them.

Built with the headers of PostgreSQL $minor. New connections load it, without
a restart.
D
  build_package "$stage" "$package"
}

package_plugins() {
  local own major pg_config=${PG_CONFIG:-pg_config}
  own=$("$pg_config" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
  for major in 15 16 17 18; do
    if [[ $major == "$own" ]]; then
      package_plugin "$major" "$pg_config"
    elif [[ $major != 15 ]] && provide_server "$major" >"$run_directory/fetch.log" 2>&1; then
      package_plugin "$major" "$servers/$major/pg_config"
    else
      skipped+=("postgresql-$major-wal2arrow (no headers of PostgreSQL $major)")
    fi
  done
}

package_wheels() {
  local code=0
  run tools/portable_wheels.sh || code=$?
  case $code in 0) ;; 77) skipped+=("wheels") ;; *) return "$code" ;; esac
}

for part in "${parts[@]}"; do
  case $part in
    command) package_command ;;
    plugins) package_plugins ;;
    wheels) package_wheels ;;
    *) echo "package: no part $part" >&2; exit 2 ;;
  esac
done
for file in "${made[@]}"; do echo "package: $file"; done
for file in "${skipped[@]}"; do echo "package: skipped $file"; done
