#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Goal: spanring.hpp compiles alone with -std=c++17 and c++20, with and without exceptions, by every compiler that is there, and
# what it expands to neither allocates nor throws.
# usage: cpp_header.sh INCLUDE_DIR CXX_COMPILER ...    exit 77: nm is not installed
set -eu
include=$1
shift
command -v nm >/dev/null || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/use.cpp" <<'CXX'
#include <spanring/spanring.hpp>
int use(std::string_view text, const spanring::context &parent) noexcept {
	SPANRING_CXX_SPAN(span, "use");
	SPANRING_CXX_SPAN_CHILD_OF(child, "child", parent);
	SPANRING_CXX_SET(span, "text", text);
	SPANRING_CXX_SET(span, "number", 1);
	SPANRING_CXX_EVENT(child, "event");
	span.set_status(spanring::status::ok);
	spanring::span moved(static_cast<spanring::span &&>(child));
	static spanring::site site = SPANRING_SITE_INIT("async", SPANRING_KIND_INTERNAL);
	spanring::async_span async(site, parent);
	const spanring::attached_context turn(async);
	SPANRING_CXX_SET(async, "number", 1);
	return moved ? 1 : 0;
}
CXX
printf '#include <spanring/spanring.hpp>\nint not_empty;\n' >"$work/alone.cpp"
flags="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Werror -O1 -c"
for compiler in "$@"; do
	command -v "$compiler" >/dev/null || continue
	for standard in c++17 c++20; do
		for extra in "" "-fno-exceptions -fno-rtti"; do
			for source in alone use; do
				# shellcheck disable=SC2086  # the flags are words
				"$compiler" -std=$standard $flags $extra -I"$include" "$work/$source.cpp" -o "$work/$source.o"
			done
			if nm -u "$work/use.o" | grep -v -e ' spanring_' -e ' __gxx_personality_v0$' -e ' __stack_chk_fail$' \
				-e ' spanring__' -e ' _GLOBAL_OFFSET_TABLE_$' -e 'ZSt9terminatev$' -e '__clang_call_terminate$' \
				-e ' __cxa_begin_catch$' >"$work/others"; then
				echo "$compiler -std=$standard $extra needs more than libspanring:"
				cat "$work/others"
				exit 1
			fi
		done
	done
done
