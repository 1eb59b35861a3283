#!/usr/bin/env bash
# `make lint`: formatting, the house rules, clang-tidy. `make format` writes the formatting.
#   tools/lint.sh          files that differ from main, and untracked ones
#   tools/lint.sh all      all files
#   tools/lint.sh format   formats all files
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in clang-format clang-tidy; do
  command -v $tool >/dev/null || { echo "lint: $tool is missing: apt-get install $tool" >&2; exit 1; }
done

mapfile -t all < <(git ls-files -co --exclude-standard -- '*.cc' '*.h')
if [[ ${1:-} == format ]]; then
  clang-format -i "${all[@]}"
  exit 0
fi
files=("${all[@]}")
if [[ ${1:-} != all ]]; then
  mapfile -t files < <({ git diff --name-only --diff-filter=d main -- '*.cc' '*.h'; git ls-files -o --exclude-standard -- '*.cc' '*.h'; } | sort -u)
fi

failed=0
complain() { echo "lint: $*" >&2; failed=1; }

# House rules.
for file in "${all[@]}"; do
  lines=$(wc -l <"$file")
  ((lines <= 800)) || complain "$file has $lines lines; a file is read in one sitting (800)"
  head -n 1 "$file" | grep -q '^//' || [[ $file == *.cc ]] || complain "$file does not begin with what it is for"
done
if grep -nE '\b(sleep|usleep|sleep_for|sleep_until|nanosleep)\(' $(git ls-files -co --exclude-standard -- '*_test.cc' 'tests/*.cc') /dev/null |
  grep -v '^tests/support/wait.cc:' >&2; then
  complain "a test sleeps; wait for a condition instead (tests/support/wait.h)"
fi

if [[ ${#files[@]} -gt 0 ]]; then
  clang-format --dry-run -Werror "${files[@]}" || failed=1
  sources=()
  for file in "${files[@]}"; do [[ $file == *.cc ]] && sources+=("$file"); done
  if [[ ${#sources[@]} -gt 0 ]]; then
    [[ -f build-asan/compile_commands.json ]] || { echo "lint: clang-tidy needs build-asan: run 'make test' first" >&2; exit 1; }
    # What make test does not compile, the benchmark does.
    for source in "${sources[@]}"; do
      directory=build-asan
      grep -qF "\"$PWD/$source\"" build-asan/compile_commands.json || directory=build
      printf '%s\n%s\n' $directory "$source"
    done | xargs -P "$(nproc)" -n 2 clang-tidy --quiet --extra-arg=-Wno-unknown-warning-option -p 2>/dev/null || failed=1
  fi
fi
[[ $failed == 0 ]] && echo "lint: OK"
exit $failed
