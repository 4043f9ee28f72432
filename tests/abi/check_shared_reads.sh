#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Usage: check_shared_reads.sh SOURCE_DIR
# The rule of libshm/ring_reader.h, read off the sources: memory that programs can write is mapped in a few files only, and there each
# word is loaded by one call of ring_order.h inside a function that runs under the fault guard. Everybody else sees copies.
set -u
cd "$1" || exit 1
failures=0
complain() {
	printf '%s\n%s\n' "$1" "$2" >&2
	failures=$((failures + 1))
}

# 1. Who maps files of programs.
may_map='^(libshm/(ring|process|statistics|async)_reader\.c|agent/(loop/doorbell|commands/ctl_file)\.c):'
found=$(grep -nE '[^_a-z]mmap\(' agent/*.c agent/*/*.c analyze/*.c analyze/*/*.c libstore/*.c base/*.c libshm/*_reader.c 2>/dev/null | grep -vE "$may_map")
[ -z "$found" ] || complain "mapped outside of the readers:" "$found"

# 2. The mappings are the readers' own; ctl, which writes control words, is one.
found=$(grep -nE 'reader(->|\.)(header|file)\b' agent/*.c agent/*/*.c analyze/*.c analyze/*/*.c 2>/dev/null | grep -v '^agent/commands/ctl_file\.c:')
[ -z "$found" ] || complain "a mapping of a reader used outside of it:" "$found"

# 3. In a function touch_*, and in what it calls, shared words are loaded and stored through ring_order.h, one word a call; elsewhere not at all.
for file in libshm/ring_reader.c libshm/process_reader.c libshm/statistics_reader.c libshm/async_reader.c agent/loop/doorbell.c; do
	found=$(awk -v file="$file" '
		/^[a-z].*\(.*\{$/ { inside = ($0 ~ /touch_|copy_slot/) }
		/^}/ { inside = 0 }
		inside && /(header|page|block|slots\[i\]|from)(->|\[)/ && !/ring_order_/ { print file ":" FNR ": " $0 }
		!inside && /(reader->header|bell->page|touch->header|touch\.header)->/ && !/&bell->page->bell/ { print file ":" FNR ": " $0 }
	' "$file")
	[ -z "$found" ] || complain "a shared word used in place:" "$found"
done
[ "$failures" -eq 0 ] || { echo "docs/agent.md, \"Distrust\", says why: copy, check the copy, use the copy" >&2; exit 1; }
