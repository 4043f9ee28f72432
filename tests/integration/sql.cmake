# SPDX-License-Identifier: Apache-2.0
# A sanitizer's library must come first in a process; clients that know nothing of it do not load an extension that wants one.
if(NOT SPANRING_SANITIZE)
  foreach(client IN ITEMS shell python)
    add_test(NAME integration.sql_${client} COMMAND ${CMAKE_CURRENT_LIST_DIR}/sql_clients.sh ${client}
      $<TARGET_FILE:spanring_sqlite> ${CMAKE_CURRENT_SOURCE_DIR}/golden/store-v1.db.zst)
    set_tests_properties(integration.sql_${client} PROPERTIES LABELS integration SKIP_RETURN_CODE 77)
  endforeach()
endif()

add_executable(test_analyze_sql integration/cli/test_analyze_sql.c integration/cli/cli_store.c integration/cli/cli_store.h)
target_link_libraries(test_analyze_sql PRIVATE spanring::test_support spanring::store)
spanring_target(test_analyze_sql)
add_dependencies(test_analyze_sql spanring-analyze)
add_test(NAME integration.analyze_sql COMMAND test_analyze_sql)
set_tests_properties(integration.analyze_sql PROPERTIES LABELS integration
  ENVIRONMENT SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY})

# Hostile texts into every sink.
add_executable(spanring-test-hostile integration/hostile_program.c)
target_link_libraries(spanring-test-hostile PRIVATE spanring::spanring_static)
spanring_target(spanring-test-hostile)
find_program(SPANRING_PYTHON python3)
if(SPANRING_PYTHON)
  add_test(NAME integration.sinks
    COMMAND ${SPANRING_PYTHON} -B ${CMAKE_CURRENT_LIST_DIR}/cli/sinks.py ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  set_tests_properties(integration.sinks PROPERTIES LABELS integration TIMEOUT 600 SKIP_RETURN_CODE 77)
  if(TARGET spanring-bench)
    add_test(NAME integration.report
      COMMAND ${SPANRING_PYTHON} -B ${CMAKE_CURRENT_LIST_DIR}/cli/check_report.py ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
    set_tests_properties(integration.report PROPERTIES LABELS integration TIMEOUT 600)
  endif()
endif()
