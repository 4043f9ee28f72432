# SPDX-License-Identifier: Apache-2.0
# Two runs against each other: the statistics alone, and the commands.
add_executable(test_analyze_change unit/test_analyze_change.c)
target_link_libraries(test_analyze_change PRIVATE spanring::test_support spanring::kernels m)
spanring_target(test_analyze_change)
add_test(NAME unit.analyze_change COMMAND test_analyze_change)
set_tests_properties(unit.analyze_change PROPERTIES LABELS unit)

foreach(command IN ITEMS compare check why)
  add_executable(test_analyze_${command} integration/cli/test_analyze_${command}.c integration/cli/cli_store.c integration/cli/cli_store.h
    integration/cli/run_store.c integration/cli/run_store.h)
  target_link_libraries(test_analyze_${command} PRIVATE spanring::test_support spanring::store m)
  spanring_target(test_analyze_${command})
  add_dependencies(test_analyze_${command} spanring-analyze)
  add_test(NAME integration.analyze_${command} COMMAND test_analyze_${command})
  set_tests_properties(integration.analyze_${command} PROPERTIES LABELS integration ENVIRONMENT
    "SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};SPANRING_TEST_GOLDEN=${CMAKE_CURRENT_SOURCE_DIR}/integration/cli/golden")
endforeach()
