#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The long campaigns: the same tests with ten times the rounds, and each fuzz target for ten million inputs or a minute, whichever ends first.
# SPANRING_TEST_SCALE (default 10), SPANRING_SOAK_DURATION (default 10m), SPANRING_FUZZ_RUNS (default 10000000) and SPANRING_FUZZ_SECONDS
# (default 60) change the lengths.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top"
export SPANRING_TEST_SCALE=${SPANRING_TEST_SCALE:-10}
seconds=${SPANRING_FUZZ_SECONDS:-60}
runs=${SPANRING_FUZZ_RUNS:-10000000}

scripts/test.sh

echo "== a hundred million spans without an agent"
SPANRING_TEST_SCALE=100 ctest --test-dir build --output-on-failure --no-tests=error -R '^integration\.host_agent$'

echo "== a thousand pairs of equal stores, and as many with a slow-down of 10 %"
SPANRING_TEST_SCALE=100 ctest --test-dir build --output-on-failure --no-tests=error -R '^integration\.analyze_compare$'

echo "== programs that come and go for ten minutes: nothing grows, nothing is lost"
build/bin/spanring-bench soak --duration "${SPANRING_SOAK_DURATION:-10m}"

echo "== the durability order with one span more"
SPANRING_MODEL_RECORDS=5 ctest --test-dir build --output-on-failure --no-tests=error -R '^model\.durability\.right$'

if command -v valgrind >/dev/null; then
  echo "== leaks, as valgrind sees them"
  rings=$(mktemp -d "${TMPDIR:-/tmp}/spanring-valgrind.XXXXXX")
  trap 'rm -rf "$rings"' EXIT
  SPANRING_DIR=$rings valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite,indirect,possible --error-exitcode=9 \
    build/bin/spanring-test-producer --threads 16 --trees 200
  rm -rf "$rings"
else
  echo "test-nightly.sh: no valgrind, so leaks were looked for by the address sanitizer only; install the package valgrind" >&2
fi

if ! command -v prometheus >/dev/null; then
  echo "test-nightly.sh: no Prometheus server, so metrics were read by our own parser only; install the package prometheus" >&2
fi

if ! command -v clang >/dev/null; then
  echo "test-nightly.sh: no clang, so nothing was fuzzed; install the packages clang and libclang-rt-dev" >&2
  exit 1
fi
scripts/build.sh fuzz
corpus=$(mktemp -d "${TMPDIR:-/tmp}/spanring-fuzz.XXXXXX")
trap 'rm -rf "$corpus"' EXIT
found=0
for target in build/fuzz/bin/fuzz_*; do
  [[ -x $target ]] || continue
  name=$(basename "$target")
  seeds=tests/fuzz/corpus/${name#fuzz_}
  mkdir -p "$corpus/$name"
  arguments=("$corpus/$name")
  if [[ -d $seeds ]]; then
    arguments+=("$seeds")
  fi
  echo "== fuzz: $name, $runs inputs or $seconds s"
  "$target" -runs="$runs" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="$top/build/fuzz/" "${arguments[@]}"
  found=$((found + 1))
done
if ((found == 0)); then
  echo "test-nightly.sh: the fuzz build made no target" >&2
  exit 1
fi
echo "fuzzed $found targets"
