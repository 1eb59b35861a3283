#!/usr/bin/env bash
# `make lint`: the house rules (tools/tidy.py), formatting, clang-tidy. `make format` writes the formatting.
#   tools/lint.sh          formatting and clang-tidy of files that differ from main, and of untracked ones
#   tools/lint.sh all      of all files
#   tools/lint.sh format   formats all files
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in clang-format clang-tidy; do
  command -v $tool >/dev/null || { echo "lint: $tool is missing: apt-get install $tool" >&2; exit 1; }
done

all_files() { git ls-files -co --exclude-standard -- '*.cc' '*.h'; }
changed_files() {
  git diff --name-only --diff-filter=d main -- '*.cc' '*.h'
  git ls-files -o --exclude-standard -- '*.cc' '*.h'
}

# The build that compiles the file: what make test does not, the benchmark does.
build_of() {
  if grep -qF "\"$PWD/$1\"" build-asan/compile_commands.json; then echo build-asan; else echo build; fi
}

if [[ ${1:-} == format ]]; then
  mapfile -t files < <(all_files)
  clang-format -i "${files[@]}"
  exit 0
fi
[[ ${1:-} == all ]] && list=all_files || list=changed_files
mapfile -t files < <($list | sort -u)

failed=0
python3 tools/tidy.py || failed=1
if [[ ${#files[@]} -gt 0 ]]; then
  clang-format --dry-run -Werror "${files[@]}" || failed=1
  if [[ ! -f build-asan/compile_commands.json ]]; then
    echo "lint: clang-tidy needs build-asan: run 'make test' first" >&2
    exit 1
  fi
  for file in "${files[@]}"; do
    if [[ $file == *.cc ]]; then printf '%s\n%s\n' "$(build_of "$file")" "$file"; fi
  done | xargs -r -P "$(nproc)" -n 2 clang-tidy --quiet --extra-arg=-Wno-unknown-warning-option -p \
    2>/dev/null || failed=1
fi
[[ $failed == 0 ]] && echo "lint: OK"
exit $failed
