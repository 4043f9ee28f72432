# SPDX-License-Identifier: Apache-2.0
if(TARGET spanring-bench)
  add_executable(test_bench ${CMAKE_CURRENT_LIST_DIR}/test_bench.c)
  target_link_libraries(test_bench PRIVATE spanring::test_support PkgConfig::SQLITE)
  spanring_target(test_bench)
  add_dependencies(test_bench spanring-bench spanring-agent)
  add_test(NAME integration.bench COMMAND test_bench)
  set_tests_properties(integration.bench PROPERTIES LABELS integration TIMEOUT 600
    ENVIRONMENT SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  if(heap_needs_plain_path)
    set_tests_properties(integration.bench PROPERTIES DISABLED ON)
  endif()
endif()
