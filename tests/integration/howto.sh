#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The last block of commands of every page of docs/howto works as it stands.
#   howto.sh BIN_DIR DOCS_DIR
set -eu
bin=$(cd "$1" && pwd) docs=$(realpath "$2")
folder=$(mktemp -d)
rings=$(mktemp -d /dev/shm/spanring-howto.XXXXXX)
trap 'rm -rf "$folder" "$rings"' EXIT
export PATH=$bin:$PATH SPANRING_DIR=$rings
unset SPANRING_STORE

failed=0 ran=0
for page in "$docs"/howto/*.md; do
  awk '/^```sh$/ { block = ""; on = 1; next } /^```$/ { on = 0 } on { block = block $0 "\n" } END { printf "%s", block }' "$page" > "$folder/block"
  [ -s "$folder/block" ] || { [ "$(basename "$page")" = README.md ] && continue; echo "howto.sh: no sh block: $page"; failed=$((failed + 1)); continue; }
  scratch=$(mktemp -d "$folder/page.XXXXXX")
  ln -s "$docs" "$scratch/docs"
  code=0
  (cd "$scratch" && timeout 120 bash -eu "$folder/block" > "$folder/out" 2>&1 < /dev/null) || code=$?
  ran=$((ran + 1))
  # A red flag (1) of a benchmark is a matter of the machine: no time is judged here.
  if [ $code -ne 0 ] && ! { [ $code -eq 1 ] && awk '/^gate / { next } /red flag$/ { red = 1 } END { exit !red }' "$folder/out"; }; then
    echo "howto.sh: exit $code: $page"
    tail -5 "$folder/out" | sed 's/^/    /'
    failed=$((failed + 1))
  fi
done
[ $ran -ge 20 ] || { echo "howto.sh: only $ran pages were found"; exit 1; }
echo "$ran pages, $failed failed"
[ $failed -eq 0 ]
