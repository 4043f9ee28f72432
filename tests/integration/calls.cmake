# SPDX-License-Identifier: Apache-2.0
# Call paths: their own store, made of spans whose figures the test computes itself.
add_executable(test_analyze_calls integration/cli/test_analyze_calls.c integration/cli/call_store.c integration/cli/call_store.h
  integration/cli/cli_answer.c integration/cli/cli_answer.h)
target_link_libraries(test_analyze_calls PRIVATE spanring::test_support spanring::store m)
spanring_target(test_analyze_calls)
add_dependencies(test_analyze_calls spanring-analyze)
add_test(NAME integration.analyze_calls COMMAND test_analyze_calls)
set_tests_properties(integration.analyze_calls PROPERTIES LABELS integration ENVIRONMENT
  "SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};SPANRING_TEST_GOLDEN=${CMAKE_CURRENT_SOURCE_DIR}/integration/cli/golden")

add_executable(test_analyze_flame integration/cli/test_analyze_flame.c integration/cli/call_store.c integration/cli/call_store.h)
target_link_libraries(test_analyze_flame PRIVATE spanring::test_support spanring::store)
spanring_target(test_analyze_flame)
add_dependencies(test_analyze_flame spanring-analyze)
add_test(NAME integration.analyze_flame COMMAND test_analyze_flame)
set_tests_properties(integration.analyze_flame PROPERTIES LABELS integration TIMEOUT 300 ENVIRONMENT
  "SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};SPANRING_TEST_CLI=${CMAKE_CURRENT_SOURCE_DIR}/integration/cli")

add_executable(test_analyze_noisy integration/cli/test_analyze_noisy.c integration/cli/call_store.c integration/cli/call_store.h
  integration/cli/cli_answer.c integration/cli/cli_answer.h)
target_link_libraries(test_analyze_noisy PRIVATE spanring::test_support spanring::store m)
spanring_target(test_analyze_noisy)
add_dependencies(test_analyze_noisy spanring-analyze)
add_test(NAME integration.analyze_noisy COMMAND test_analyze_noisy)
set_tests_properties(integration.analyze_noisy PROPERTIES LABELS integration ENVIRONMENT
  "SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};SPANRING_TEST_GOLDEN=${CMAKE_CURRENT_SOURCE_DIR}/integration/cli/golden")
