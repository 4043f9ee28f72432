# SPDX-License-Identifier: Apache-2.0
# Stories in which the traced program is the test itself, in a child of its own.
foreach(story IN ITEMS host_fork host_agent host_threads host_environment host_identity)
  add_executable(test_${story} ${CMAKE_CURRENT_LIST_DIR}/test_${story}.c ${CMAKE_CURRENT_LIST_DIR}/host_books.c
    ${CMAKE_CURRENT_LIST_DIR}/host_books.h)
  target_link_libraries(test_${story} PRIVATE spanring_test_session spanring_test_ring_view spanring::spanring_static)
  spanring_target(test_${story})
  add_dependencies(test_${story} spanring-test-producer spanring-agent spanring-analyze)
  add_test(NAME integration.${story} COMMAND test_${story})
  set_tests_properties(integration.${story} PROPERTIES LABELS integration TIMEOUT 1800 SKIP_RETURN_CODE 77
    ENVIRONMENT SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
endforeach()
