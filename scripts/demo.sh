#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The main job, end to end, on this machine: build, index a folder while it is traced, and look at the result.
# usage: scripts/demo.sh [FOLDER]     default: the machine's documentation, else this source tree
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=${1:-/usr/share/doc}
work=$(mktemp -d "${TMPDIR:-/tmp}/spanring-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT
store=$work/store

section() {
  printf '\n== %s\n' "$*"
}

# "name count errors" per line, sorted: what the indexer says it did.
counts_of_indexer() {
  awk '/^spans begun by name$/ { on = 1; getline; next } on && ($1 == "total" || NF != 3) { exit } on { print $1, $2, $3 }' "$1" |
    LC_ALL=C sort
}

# The same out of `latency --json`: one key per line, in the order name, count, errors.
counts_of_latency() {
  awk -F'"' '
    $2 == "name" { name = $4 }
    $2 == "count" { count = $3; gsub(/[^0-9]/, "", count) }
    $2 == "errors" { errors = $3; gsub(/[^0-9]/, "", errors); print name, count, errors }
  ' "$1" | LC_ALL=C sort
}

"$top/scripts/packages.sh"
"$top/scripts/build.sh" release
bin=$top/build/bin

# A folder with hardly a file in it (container images leave the documentation out) shows nothing.
if [[ $# -eq 0 && $(find "$folder" -type f 2>/dev/null | head -n 100 | wc -l) -lt 100 ]]; then
  folder=$top
fi

section "indexer $folder, recorded"
"$bin/spanring-agent" record -o "$store" -- "$bin/indexer" "$folder" | tee "$work/record.txt"

section "latency"
"$bin/spanring-analyze" latency "$store"
section "memory"
"$bin/spanring-analyze" memory "$store"
section "slowest spans"
"$bin/spanring-analyze" slowest "$store"

section "trace of the slowest file"
"$bin/spanring-analyze" slowest --json --name file "$store" >"$work/slowest.json"
trace=$(grep -m 1 -o '"trace_id": *"[0-9a-f]*"' "$work/slowest.json" | grep -o '[0-9a-f]\{32\}')
"$bin/spanring-analyze" trace "$trace" "$store" >"$work/trace.txt"
head -n 40 "$work/trace.txt"
lines=$(wc -l <"$work/trace.txt")
if ((lines > 40)); then
  echo "... and $((lines - 40)) lines more"
fi

section "audit"
"$bin/spanring-analyze" audit "$store"

section "the indexer's own counts against the stored ones"
"$bin/spanring-analyze" latency --json "$store" >"$work/latency.json"
counts_of_indexer "$work/record.txt" >"$work/own.txt"
counts_of_latency "$work/latency.json" >"$work/stored.txt"
if [[ ! -s $work/own.txt ]] || ! diff "$work/own.txt" "$work/stored.txt"; then
  echo "demo.sh: counts differ (< indexer, > store)" >&2
  exit 1
fi
echo "counts agree"

section "the report"
page=$(cd "$bin/.." && pwd)/demo-report.html
"$bin/spanring-analyze" report "$store" -q -o "$page"
echo "all of it in one page: $page"
