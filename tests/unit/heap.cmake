# SPDX-License-Identifier: Apache-2.0
# Heap bytes of spans, and the library that counts them. A sanitizer brings an allocator of its own, so only the first is for it.
add_executable(test_span_heap ${CMAKE_CURRENT_LIST_DIR}/test_span_heap.c)
target_link_libraries(test_span_heap PRIVATE spanring::spanring_static spanring_test_ring_view)
set(heap_tests span_heap)

if(NOT SPANRING_SANITIZE)
  add_executable(test_heap ${CMAKE_CURRENT_LIST_DIR}/test_heap.c ${CMAKE_CURRENT_LIST_DIR}/heap_new.cpp
    ${CMAKE_CURRENT_LIST_DIR}/heap_new.h)
  target_compile_options(test_heap PRIVATE -fno-builtin)
  target_link_libraries(test_heap PRIVATE spanring::spanring_heap spanring::test_support Threads::Threads)

  set(heap_room ${PROJECT_SOURCE_DIR}/libshm)
  add_executable(test_heap_early ${CMAKE_CURRENT_LIST_DIR}/test_heap_early.c ${heap_room}/heap_early.c
    ${heap_room}/heap_interpose.c ${heap_room}/heap_next.c)
  target_include_directories(test_heap_early PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(test_heap_early PRIVATE -fno-builtin)
  target_link_libraries(test_heap_early PRIVATE spanring::headers spanring::test_support ${CMAKE_DL_LIBS})
  # The version of the symbol that this C library has had from its start on this processor, and still answers to.
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64")
    set(dlsym_version GLIBC_2.2.5)
  else()
    set(dlsym_version GLIBC_2.17)
  endif()
  target_compile_definitions(test_heap_early PRIVATE SPANRING_DLSYM_VERSION="${dlsym_version}")

  add_library(heap_plugin MODULE ${CMAKE_CURRENT_LIST_DIR}/heap_plugin.c)
  target_link_libraries(heap_plugin PRIVATE spanring::headers)
  spanring_target(heap_plugin)
  foreach(variant static shared linked own)
    set(program spanring-test-heap-${variant})
    add_executable(${program} ${CMAKE_CURRENT_LIST_DIR}/heap_program.c)
    target_compile_options(${program} PRIVATE -fno-builtin)
    spanring_target(${program})
    string(TOUPPER ${variant} name)
    list(APPEND heap_programs SPANRING_TEST_PROGRAM_${name}="$<TARGET_FILE:${program}>")
  endforeach()
  target_link_libraries(spanring-test-heap-static PRIVATE spanring::spanring_static ${CMAKE_DL_LIBS})
  target_link_libraries(spanring-test-heap-shared PRIVATE spanring::spanring Threads::Threads ${CMAKE_DL_LIBS})
  target_link_libraries(spanring-test-heap-linked PRIVATE spanring::spanring_heap spanring::spanring_static
    ${CMAKE_DL_LIBS})
  target_sources(spanring-test-heap-own PRIVATE ${CMAKE_CURRENT_LIST_DIR}/heap_own_malloc.c)
  target_link_libraries(spanring-test-heap-own PRIVATE spanring::spanring_static ${CMAKE_DL_LIBS})

  add_executable(test_heap_preload ${CMAKE_CURRENT_LIST_DIR}/test_heap_preload.c)
  target_link_libraries(test_heap_preload PRIVATE spanring_test_ring_view)
  target_compile_definitions(test_heap_preload PRIVATE ${heap_programs}
    SPANRING_TEST_HEAP="$<TARGET_FILE:spanring_heap>" SPANRING_TEST_PLUGIN="$<TARGET_FILE:heap_plugin>")
  add_dependencies(test_heap_preload spanring_heap heap_plugin spanring-test-heap-static spanring-test-heap-shared
    spanring-test-heap-linked spanring-test-heap-own)
  list(APPEND heap_tests heap heap_early heap_preload)
endif()

# LD_PRELOAD takes no path with a space or a colon in it, so in such a folder there is nothing to preload.
set(heap_needs_plain_path "")
if(CMAKE_BINARY_DIR MATCHES "[ :]")
  message(STATUS "unit.heap_preload and integration.record_heap are left out: the build folder has a space or colon in its name")
  set(heap_needs_plain_path ON)
endif()

foreach(name ${heap_tests})
  spanring_target(test_${name})
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT 120)
  if(name STREQUAL "heap_preload" AND heap_needs_plain_path)
    set_tests_properties(unit.${name} PROPERTIES DISABLED ON)
  endif()
endforeach()
