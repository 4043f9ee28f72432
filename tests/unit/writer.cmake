# SPDX-License-Identifier: Apache-2.0
# The writer library, seen from outside: programs that use it, and their files read by a reader of the tests' own.
add_library(spanring_test_ring_view STATIC ${CMAKE_CURRENT_LIST_DIR}/ring_view.c ${CMAKE_CURRENT_LIST_DIR}/ring_view.h)
target_link_libraries(spanring_test_ring_view PUBLIC spanring::test_support spanring::headers)
spanring_target(spanring_test_ring_view)

foreach(name test_writer test_writer_limits test_writer_threads test_writer_environment test_writer_killed
    test_writer_syscalls test_writer_model test_writer_context test_writer_async test_writer_sampling)
  add_executable(${name} ${CMAKE_CURRENT_LIST_DIR}/${name}.c)
  target_link_libraries(${name} PRIVATE spanring::spanring_static spanring_test_ring_view)
  spanring_target(${name})
  string(REPLACE test_ unit. test ${name})
  add_test(NAME ${test} COMMAND ${name})
  set_tests_properties(${test} PROPERTIES LABELS unit TIMEOUT 120 SKIP_RETURN_CODE 77)
endforeach()
include(${CMAKE_CURRENT_LIST_DIR}/heap.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/testing.cmake)

add_executable(test_cpp_span ${CMAKE_CURRENT_LIST_DIR}/test_cpp_span.c ${CMAKE_CURRENT_LIST_DIR}/cpp_scenarios.cpp
  ${CMAKE_CURRENT_LIST_DIR}/cpp_scenarios.h)
target_link_libraries(test_cpp_span PRIVATE spanring::spanring_static spanring_test_ring_view)
spanring_target(test_cpp_span)
add_test(NAME unit.cpp_span COMMAND test_cpp_span)
set_tests_properties(unit.cpp_span PROPERTIES LABELS unit TIMEOUT 120)
