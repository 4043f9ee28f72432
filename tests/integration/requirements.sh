#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every command of docs/requirements.md does what its row says: it runs, and exits 0.
#   requirements.sh BIN_DIR REQUIREMENTS.md
set -eu
bin=$(cd "$1" && pwd) page=$(realpath "$2")
folder=$(mktemp -d)
rings=$(mktemp -d /dev/shm/spanring-requirements.XXXXXX)
trap 'rm -rf "$folder" "$rings"' EXIT
export PATH=$bin:$PATH SPANRING_DIR=$rings STORE=$folder/after BEFORE=$folder/before
unset SPANRING_STORE
cd "$folder"
for store in "$BEFORE" "$STORE"; do
  spanring-bench load --duration 400ms --users 4 --mix read:3:100us,write:1:300us --max-p95 1h --min-rate 1 --keep "$store" >/dev/null
done

failed=0 ran=0
# The last cell of each row; a command once, however many rows show it.
while IFS= read -r command; do
  code=0
  bash -c "set -e; $command" > "$folder/out" 2>&1 < /dev/null || code=$?
  ran=$((ran + 1))
  # A red flag (1) of a benchmark is a matter of the machine: no time is judged here.
  if [ $code -ne 0 ] && ! { [ $code -eq 1 ] && [[ $command == *spanring-bench* ]] && grep -q 'red flag\|"gates"' "$folder/out"; }; then
    echo "requirements.sh: exit $code: $command"
    sed 's/^/    /' "$folder/out" | tail -5
    failed=$((failed + 1))
  fi
done < <(sed -n 's/^| [0-9][0-9.]* |.*| `\(.*\)` |$/\1/p' "$page" | awk '!seen[$0]++')
[ $ran -ge 80 ] || { echo "requirements.sh: only $ran commands were found"; exit 1; }
echo "$ran commands, $failed failed"
[ $failed -eq 0 ]
