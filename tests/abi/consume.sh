#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Goal: what is installed can be used: through find_package (shared and static) and through pkg-config, from C and from C++, with the
# heap library and the C++ header.
# usage: consume.sh BUILD_DIR GENERATOR C_COMPILER CXX_COMPILER    exit 77: cannot run here
set -euo pipefail

build=$1
generator=$2
cc=$3
cxx=$4
work=$(mktemp -d "${TMPDIR:-/tmp}/spanring-consume.XXXXXX")
trap 'rm -rf "$work"' EXIT
prefix=$work/installed

command -v pkg-config >/dev/null || exit 77
cmake --install "$build" --prefix "$prefix" >/dev/null

cat >"$work/app.c" <<'C'
#include <spanring/spanring.h>
#include <stdio.h>
int main(void) {
	struct spanring_counters counters;
	SPANRING_BEGIN(span, "consumed");
	SPANRING_SET_I64(span, "answer", 42);
	spanring_end(span);
	spanring_counters_read(&counters);
	printf("%s %d\n", spanring_version(), (int)counters.ended);
	return 0;
}
C
cp "$work/app.c" "$work/app_cpp.cpp"
cat >"$work/app_hpp.cpp" <<'CXX'
#include <spanring/heap.h>
#include <spanring/spanring.hpp>
#include <cstdio>
int main() {
	spanring_counters counters;
	SPANRING_CXX_SPAN(span, "consumed");
	SPANRING_CXX_SET(span, "answer", 42);
	span.end();
	spanring_counters_read(&counters);
	std::printf("%s %d\n", spanring_version(), spanring_heap_counters() ? (int)counters.ended : -1);
}
CXX
cat >"$work/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES C CXX)
find_package(spanring REQUIRED)
foreach(source app.c app_cpp.cpp)
  foreach(library spanring spanring_static)
    string(MAKE_C_IDENTIFIER ${source}_${library} name)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE spanring::${library})
  endforeach()
endforeach()
add_executable(app_hpp app_hpp.cpp)
set_target_properties(app_hpp PROPERTIES CXX_STANDARD 17)
target_link_libraries(app_hpp PRIVATE spanring::spanring_heap spanring::spanring)
CMAKE
cmake -G "$generator" -S "$work" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" >/dev/null
cmake --build "$work/build" >/dev/null

libraries=$(dirname "$(find "$prefix" -name 'libspanring.so' | head -n 1)")
export PKG_CONFIG_PATH=$libraries/pkgconfig
# shellcheck disable=SC2046  # the flags are words
"$cc" "$work/app.c" -o "$work/by_pkg_config" $(pkg-config --cflags --libs spanring)

export SPANRING_DIR=$work/rings
export LD_LIBRARY_PATH=$libraries
version=$(pkg-config --modversion spanring)
for program in "$work"/build/app_* "$work/by_pkg_config"; do
  [[ -x $program && -f $program ]] || continue
  said=$("$program")
  if [[ $said != "$version 1" ]]; then
    echo "consume.sh: $(basename "$program") says \"$said\", expected \"$version 1\"" >&2
    exit 1
  fi
done
