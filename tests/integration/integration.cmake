# SPDX-License-Identifier: Apache-2.0
add_executable(spanring-test-producer integration/producer.c)
target_link_libraries(spanring-test-producer PRIVATE spanring::spanring_static Threads::Threads)
spanring_target(spanring-test-producer)

add_library(spanring_test_session STATIC
  support/clock_wait.h support/session.c support/session.h support/stored.c support/stored.h)
target_link_libraries(spanring_test_session PUBLIC spanring::test_support spanring::store spanring::headers)
spanring_target(spanring_test_session)

foreach(story IN ITEMS end_to_end producer_killed agent_killed overflow ring_directory command_line record)
  add_executable(test_${story} integration/test_${story}.c)
  target_link_libraries(test_${story} PRIVATE spanring_test_session)
  spanring_target(test_${story})
  add_dependencies(test_${story} spanring-test-producer spanring-agent spanring-analyze)
  add_test(NAME integration.${story} COMMAND test_${story})
  set_tests_properties(integration.${story} PROPERTIES LABELS integration TIMEOUT 1800
    ENVIRONMENT SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
endforeach()
