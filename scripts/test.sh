#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Build and run every test. usage: scripts/test.sh [--quick]
#   --quick   the release build only
# Without it: the release build with all tests, then under the address and undefined behaviour sanitizers all but the label
# "abi" (they look at the files of a release build), and under the thread sanitizer the labels "unit" and "stress" (it sees
# threads, not processes). Exit status 0: all passed. ctest's summary of each build stands at the end.
set -euo pipefail

quick=0
case ${1:-} in
  '') ;;
  --quick) quick=1 ;;
  *)
    echo "usage: scripts/test.sh [--quick]" >&2
    exit 2
    ;;
esac

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/spanring-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$top"
failed=0

# run PRESET [CTEST OPTION...]: build, test, keep the summary.
run() {
  local preset=$1
  shift
  scripts/build.sh "$preset"
  echo "== test: $preset"
  if ! ctest --preset "$preset" --no-tests=error --parallel "${SPANRING_JOBS:-$(nproc)}" "$@" 2>&1 | tee "$work/$preset.txt"; then
    failed=1
  fi
}

scripts/packages.sh
run release
if ((quick == 0)); then
  export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1}
  export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
  export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}
  run asan-ubsan -LE '^abi$'
  run tsan -L '^(unit|stress)$'
fi

for summary in "$work"/*.txt; do
  printf '\n== %s\n' "$(basename "$summary" .txt)"
  sed -n '/tests passed/,$p' "$summary"
done
exit "$failed"
