# SPDX-License-Identifier: Apache-2.0
# An agent whose disk hangs on demand (support/gate_vfs.c).
add_executable(spanring-test-hanging-agent ${PROJECT_SOURCE_DIR}/agent/main.c support/gate_vfs.c)
target_link_libraries(spanring-test-hanging-agent PRIVATE spanring::agent_parts PkgConfig::SQLITE)
spanring_target(spanring-test-hanging-agent)

add_executable(test_store_fails integration/test_store_fails.c)
target_link_libraries(test_store_fails PRIVATE spanring_test_session spanring::agent_parts)
spanring_target(test_store_fails)
add_dependencies(test_store_fails spanring-test-producer spanring-test-hanging-agent spanring-test-agent spanring-agent spanring-analyze)
add_test(NAME integration.store_fails COMMAND test_store_fails)
set_tests_properties(integration.store_fails PROPERTIES LABELS integration TIMEOUT 900
  ENVIRONMENT SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
