#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Row B39 (threat T23), what check_exports.sh does not look at: the shared library is read-only after relocation, bound at load and has no
# executable stack; the static one shows only names of the project and calls nothing that could end, interrupt or write into its
# host; no function of either needs more than 1 KiB of stack.
# usage: check_guest.sh SHARED STATIC OBJECT_DIR    exit 77: a tool is not installed
set -eu
shared=$1
static=$2
objects=$3
stack_bytes_max=1024
for tool in nm readelf; do
	command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
complain() {
	echo "$1"
	failed=1
}

readelf -lW "$shared" >"$work/segments"
readelf -dW "$shared" >"$work/dynamic"
grep -q GNU_RELRO "$work/segments" || complain "no RELRO segment"
grep -q 'BIND_NOW\|Flags:.*NOW' "$work/dynamic" || complain "not bound at load, so RELRO is partial"
grep GNU_STACK "$work/segments" | grep -q ' RW ' || complain "no mark for a stack that is not executable"
grep -q TEXTREL "$work/dynamic" && complain "text relocations"
awk '$1 == "LOAD" && $0 ~ /RWE/ { found = 1 } END { exit !found }' "$work/segments" && complain "a segment is writable and executable"

nm -g --defined-only "$static" | awk 'NF == 3 { print $3 }' | grep -v '^spanring_' >"$work/foreign" || true
[ ! -s "$work/foreign" ] || { complain "the static library shows names that are not the project's:"; cat "$work/foreign"; }
nm -g --undefined-only "$static" | awk 'NF == 2 { print $2 }' | sort -u >"$work/calls"
if grep -x -e abort -e exit -e _exit -e __assert_fail -e signal -e sigaction -e raise -e kill -e pthread_create -e malloc -e calloc \
	-e realloc -e free -e printf -e fprintf -e __fprintf_chk -e perror -e syslog -e time -e gettimeofday -e localtime "$work/calls"; then
	complain "the static library calls what a guest in another program must not call"
fi

# Left out: reading back what test mode recorded, which the tests of users call, not a traced program.
set -- $(find "$objects" -name '*.su' ! -name 'testing*')
[ $# -gt 0 ] || { echo "skipped: the compiler wrote no stack usage"; exit 77; }
cat "$@" | awk -F '\t' -v most=$stack_bytes_max '$2 > most || $3 ~ /^dynamic$/ { print $1 ": " $2 " bytes, " $3 }' >"$work/large"
[ ! -s "$work/large" ] || { complain "more than $stack_bytes_max bytes of stack in one function:"; cat "$work/large"; }
exit $failed
