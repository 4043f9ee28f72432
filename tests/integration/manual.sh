#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Manual pages are sound and complete, and completion completes.
#   manual.sh BIN_DIR API_PAGES_SCRIPT INCLUDE_DIR
set -eu
bin=$1 script=$2 include=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { echo "manual.sh: $*" >&2; exit 1; }

# Every command of the overview has a page, and a formatter has nothing to complain of.
"$bin/spanring-analyze" man "$folder"
"$bin/spanring-agent" man "$folder"
commands=$("$bin/spanring-analyze" help | sed -n 's/^  \([a-z][a-z-]*\)  *[a-z].*/\1/p' | grep -v '^spanring' | sort -u)
[ "$(echo "$commands" | wc -l)" -ge 15 ] || fail "no commands in the overview"
for command in $commands; do
  [ -s "$folder/spanring-analyze-$command.1" ] || fail "no page for $command"
done
if command -v python3 >/dev/null; then
  python3 "$script" 0.0.0 "$include" "$folder"
  for name in spanring spanring_begin spanring_async_end spanring_testing_find; do
    [ -s "$folder/$name.3" ] || fail "no page $name.3"
  done
  grep -q '^\.SH DECLARATIONS' "$folder/spanring.3" || fail "spanring.3 declares nothing"
  # Every function that is exported is found by its name.
  sed -n 's/.*SPANRING_API.*[ *]\(spanring_[a-z0-9_]*\)(.*/\1/p' "$include"/spanring/*.h | grep -v '__' | while read -r name; do
    [ -s "$folder/$name.3" ] || fail "no page $name.3"
  done
fi
if command -v groff >/dev/null; then
  for page in "$folder"/*.1 "$folder"/*.3; do
    grep -q '^\.so ' "$page" && continue
    complaints=$(groff -man -Tutf8 -ww "$page" 2>&1 >/dev/null) || fail "$page: $complaints"
    [ -z "$complaints" ] || fail "$page: $complaints"
  done
else
  echo "manual.sh: groff is not here: pages were not formatted"
fi

# What bash would offer.
offer() { # WORD...: the last one is completed
  bash -c '
    source "$1/words"; shift
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    _'"${program//-/_}"'
    echo "${COMPREPLY[*]}"' bash "$folder" "$@"
}
expect() { # EXPECTED WORD...
  local expected=$1; shift
  local got; got=$(offer "$@")
  [ "$got" = "$expected" ] || fail "bash offers '$got' for '$*', not '$expected'"
}
program=spanring-analyze
"$bin/$program" completion bash > "$folder/words"
expect "latency" $program laten
expect "--json" $program latency --js
expect "always" $program latency --color al
expect "--threads" $program latency --thr
program=spanring-agent
"$bin/$program" completion bash > "$folder/words"
expect "record" $program rec
expect "posix" $program run --io po
expect "--retain-bytes --retain-age --retain-free" $program run --retain
for shell in zsh fish; do
  for program in spanring-analyze spanring-agent; do
    "$bin/$program" completion $shell > "$folder/words.$shell"
    [ -s "$folder/words.$shell" ] || fail "nothing for $shell"
    if command -v $shell >/dev/null; then $shell -n "$folder/words.$shell" || fail "$shell does not read its script"; fi
  done
done

# Wrong words.
code=0; "$bin/spanring-analyze" completion bahs 2> "$folder/err" || code=$?
[ $code = 2 ] && grep -q "did you mean 'bash'" "$folder/err" || fail "completion bahs: exit $code: $(cat "$folder/err")"
code=0; "$bin/spanring-analyze" man "$folder/none" 2> "$folder/err" || code=$?
[ $code = 6 ] && grep -q "$folder/none" "$folder/err" || fail "man into nowhere: exit $code: $(cat "$folder/err")"
code=0; "$bin/spanring-analyze" help --search wombat 2> "$folder/err" || code=$?
[ $code = 1 ] || fail "help --search wombat: exit $code"
"$bin/spanring-analyze" help --search percentile | grep -q '^help latency' || fail "help --search percentile misses latency"
