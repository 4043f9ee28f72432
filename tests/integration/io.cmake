# SPDX-License-Identifier: Apache-2.0
add_executable(test_io integration/test_io.c)
target_link_libraries(test_io PRIVATE spanring_test_session)
spanring_target(test_io)
add_dependencies(test_io spanring-test-producer spanring-agent spanring-analyze)
add_test(NAME integration.io COMMAND test_io)
set_tests_properties(integration.io PROPERTIES LABELS integration TIMEOUT 600
  ENVIRONMENT SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY})

# The stories that depend on how the agent waits and reads, once more without io_uring. Any test does the same with
# SPANRING_AGENT_IO in its environment.
foreach(story IN ITEMS end_to_end agent_killed overflow statistics)
  add_test(NAME integration.${story}_posix COMMAND test_${story})
  set_tests_properties(integration.${story}_posix PROPERTIES LABELS integration TIMEOUT 1800
    ENVIRONMENT "SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};SPANRING_AGENT_IO=posix")
endforeach()
