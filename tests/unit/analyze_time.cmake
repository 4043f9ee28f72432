# SPDX-License-Identifier: Apache-2.0
# When things were: the critical path, timelines, heat maps.
foreach(module IN ITEMS critical_path heat_map lane_levels)
  add_executable(test_analyze_${module} unit/test_analyze_${module}.c)
  target_link_libraries(test_analyze_${module} PRIVATE spanring::test_support spanring::kernels)
  spanring_target(test_analyze_${module})
  add_test(NAME unit.analyze_${module} COMMAND test_analyze_${module})
  set_tests_properties(unit.analyze_${module} PROPERTIES LABELS unit)
endforeach()

add_executable(test_analyze_time integration/cli/test_analyze_time.c integration/cli/cli_store.c integration/cli/cli_store.h)
target_link_libraries(test_analyze_time PRIVATE spanring::test_support spanring::store)
spanring_target(test_analyze_time)
add_dependencies(test_analyze_time spanring-analyze)
add_test(NAME integration.analyze_time COMMAND test_analyze_time)
set_tests_properties(integration.analyze_time PROPERTIES LABELS integration ENVIRONMENT
  "SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};SPANRING_TEST_CLI=${CMAKE_CURRENT_SOURCE_DIR}/integration/cli")
