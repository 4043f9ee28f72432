#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The long campaigns: the same tests with ten times the rounds, and each fuzz target for a minute.
# SPANRING_TEST_SCALE (default 10) and SPANRING_FUZZ_SECONDS (default 60) change the lengths.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top"
export SPANRING_TEST_SCALE=${SPANRING_TEST_SCALE:-10}
seconds=${SPANRING_FUZZ_SECONDS:-60}

scripts/test.sh

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
  echo "== fuzz: $name, $seconds s"
  "$target" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="$top/build/fuzz/" "${arguments[@]}"
  found=$((found + 1))
done
if ((found == 0)); then
  echo "test-nightly.sh: the fuzz build made no target" >&2
  exit 1
fi
echo "fuzzed $found targets"
