# SPDX-License-Identifier: Apache-2.0
# Counts the heap of a program (spanring/heap.h); preloaded or linked, without libspanring. Never built with a sanitizer: each
# of them brings an allocator of its own.
add_library(spanring_heap SHARED
  heap_early.c heap_early.h heap_interpose.c heap_next.c heap_next.h)
add_library(spanring::spanring_heap ALIAS spanring_heap)
set(sanitize "${SPANRING_SANITIZE}")
set(SPANRING_SANITIZE "")
spanring_target(spanring_heap)
set(SPANRING_SANITIZE "${sanitize}")
target_link_libraries(spanring_heap PUBLIC spanring::headers PRIVATE ${CMAKE_DL_LIBS})
# A compiler that knows what malloc is would turn these functions into calls of themselves.
target_compile_options(spanring_heap PRIVATE
  -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free)
set_target_properties(spanring_heap PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
  LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/libspanring_heap.map)
# Blocks and pointers to its functions outlive a dlclose.
target_link_options(spanring_heap PRIVATE
  -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/libspanring_heap.map -Wl,-z,nodelete)
install(TARGETS spanring_heap EXPORT spanring-targets)
