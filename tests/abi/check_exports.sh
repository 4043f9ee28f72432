#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_exports.sh LIBRARY MAP: the library shows exactly the symbols of its map, needs only libc, calls nothing that could end,
# interrupt or write into its host, and stays loaded.
set -eu
library=$1
map=$2
for tool in nm readelf; do
	command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

sed -n 's/^\t\t\([a-z0-9_]*\);$/\1/p' "$map" | sort >"$work/wanted"
nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$work/found"
[ -s "$work/wanted" ] || { echo "no symbols in $map"; failed=1; }
diff -u "$work/wanted" "$work/found" || { echo "exported symbols differ from $map"; failed=1; }

readelf -dW "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -v -e '^libc\.so' -e '^ld-' >"$work/needed" || true
[ ! -s "$work/needed" ] || { echo "needs more than libc:"; cat "$work/needed"; failed=1; }

nm -D --undefined-only "$library" | awk '{ sub(/@.*/, "", $2); print $2 }' >"$work/imports"
if grep -x -e abort -e exit -e _exit -e __assert_fail -e signal -e sigaction -e raise -e pthread_create -e malloc -e calloc \
	-e realloc -e free -e printf -e fprintf -e __fprintf_chk -e perror -e syslog "$work/imports"; then
	echo "imports what a guest in another program must not call"
	failed=1
fi

readelf -dW "$library" | grep -q NODELETE || { echo "may be unloaded: -z nodelete is missing"; failed=1; }
readelf -dW "$library" | grep -q 'SONAME.*libspanring[a-z_]*\.so\.[0-9]' || { echo "no versioned soname"; failed=1; }
readelf -lW "$library" | grep 'GNU_STACK' | grep -q 'RWE' && { echo "executable stack"; failed=1; }
exit $failed
