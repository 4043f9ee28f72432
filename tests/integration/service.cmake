# SPDX-License-Identifier: Apache-2.0
# The agent as a service: settings that change while it runs, and what a service manager hears.
foreach(story IN ITEMS reload service_manager)
  add_executable(test_${story} integration/test_${story}.c)
  target_link_libraries(test_${story} PRIVATE spanring_test_session spanring::agent_parts PkgConfig::SQLITE)
  spanring_target(test_${story})
  add_dependencies(test_${story} spanring-test-producer spanring-test-hanging-agent spanring-agent spanring-analyze)
  add_test(NAME integration.${story} COMMAND test_${story})
  set_tests_properties(integration.${story} PROPERTIES LABELS integration TIMEOUT 900
    ENVIRONMENT SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
endforeach()
