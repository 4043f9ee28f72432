# SPDX-License-Identifier: Apache-2.0
add_library(spanring_test_scrape STATIC
  support/exposition.c support/exposition.h support/http_client.c support/http_client.h)
target_link_libraries(spanring_test_scrape PUBLIC spanring::test_support PRIVATE m)
spanring_target(spanring_test_scrape)

foreach(story IN ITEMS metrics prometheus)
  add_executable(test_${story} integration/test_${story}.c)
  target_link_libraries(test_${story} PRIVATE spanring_test_session spanring_test_scrape m)
  target_compile_definitions(test_${story} PRIVATE SPANRING_TEST_EXAMPLES="${PROJECT_SOURCE_DIR}/examples")
  spanring_target(test_${story})
  add_dependencies(test_${story} spanring-test-producer spanring-agent spanring-analyze)
  add_test(NAME integration.${story} COMMAND test_${story})
  set_tests_properties(integration.${story} PROPERTIES LABELS integration TIMEOUT 600
    ENVIRONMENT SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
endforeach()
add_library(spanring_test_pty STATIC support/pty_view.c support/pty_view.h)
target_link_libraries(spanring_test_pty PUBLIC spanring::test_support util)
spanring_target(spanring_test_pty)

add_executable(test_top integration/test_top.c)
target_link_libraries(test_top PRIVATE spanring_test_session spanring_test_pty)
spanring_target(test_top)
add_dependencies(test_top spanring-test-producer spanring-agent spanring-analyze)
add_executable(test_analyze_watch integration/cli/test_analyze_watch.c integration/cli/cli_answer.c integration/cli/cli_answer.h)
target_link_libraries(test_analyze_watch PRIVATE spanring_test_pty spanring::store m)
spanring_target(test_analyze_watch)
add_dependencies(test_analyze_watch spanring-analyze)
add_test(NAME integration.analyze_watch COMMAND test_analyze_watch)
set_tests_properties(integration.analyze_watch PROPERTIES LABELS integration TIMEOUT 600
  ENVIRONMENT SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY})

add_test(NAME integration.top COMMAND test_top)
set_tests_properties(integration.top PROPERTIES LABELS integration TIMEOUT 600
  ENVIRONMENT SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
# Without io_uring the waiting is another one.
add_test(NAME integration.metrics_posix COMMAND test_metrics)
set_tests_properties(integration.metrics_posix PROPERTIES LABELS integration TIMEOUT 600
  ENVIRONMENT "SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};SPANRING_AGENT_IO=posix")
