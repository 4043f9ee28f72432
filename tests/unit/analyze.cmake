# SPDX-License-Identifier: Apache-2.0
# Kernels of the analyzer: pure, no store.
foreach(module IN ITEMS books call_away chart estimate growth guess quantile self_time sketch text tree trend where)
  add_executable(test_analyze_${module} unit/test_analyze_${module}.c)
  target_link_libraries(test_analyze_${module} PRIVATE spanring::test_support spanring::kernels m)
  spanring_target(test_analyze_${module})
  add_test(NAME unit.analyze_${module} COMMAND test_analyze_${module})
  set_tests_properties(unit.analyze_${module} PROPERTIES LABELS unit)
endforeach()

# It chooses what is kept as the agent does.
target_link_libraries(test_analyze_estimate PRIVATE spanring::agent_parts)

# The commands, as real processes on real stores.
add_executable(test_analyze_cli integration/cli/test_analyze_cli.c integration/cli/cli_store.c integration/cli/cli_store.h)
target_link_libraries(test_analyze_cli PRIVATE spanring::test_support spanring::store m)
spanring_target(test_analyze_cli)
add_dependencies(test_analyze_cli spanring-analyze)
add_test(NAME integration.analyze_cli COMMAND test_analyze_cli)
set_tests_properties(integration.analyze_cli PROPERTIES LABELS integration ENVIRONMENT
  "SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};SPANRING_TEST_GOLDEN=${CMAKE_CURRENT_SOURCE_DIR}/integration/cli/golden")

add_executable(test_analyze_words integration/cli/test_analyze_words.c integration/cli/cli_store.c integration/cli/cli_store.h)
target_link_libraries(test_analyze_words PRIVATE spanring::test_support spanring::store)
spanring_target(test_analyze_words)
add_dependencies(test_analyze_words spanring-analyze)
add_test(NAME integration.analyze_words COMMAND test_analyze_words)
set_tests_properties(integration.analyze_words PROPERTIES LABELS integration ENVIRONMENT
  "SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")

add_executable(test_self_time_of_stores integration/cli/test_self_time.c)
target_link_libraries(test_self_time_of_stores PRIVATE spanring_test_store_rows PkgConfig::SQLITE)
spanring_target(test_self_time_of_stores)
add_dependencies(test_self_time_of_stores spanring-analyze)
add_test(NAME integration.self_time COMMAND test_self_time_of_stores)
set_tests_properties(integration.self_time PROPERTIES LABELS integration ENVIRONMENT SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY})

add_executable(test_analyze_query integration/cli/test_analyze_query.c integration/cli/cli_store.c integration/cli/cli_store.h)
target_link_libraries(test_analyze_query PRIVATE spanring::test_support spanring::store m)
spanring_target(test_analyze_query)
add_dependencies(test_analyze_query spanring-analyze)
add_test(NAME integration.analyze_query COMMAND test_analyze_query)
set_tests_properties(integration.analyze_query PROPERTIES LABELS integration ENVIRONMENT
  "SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
foreach(command IN ITEMS memory overhead)
  add_executable(test_analyze_${command} integration/cli/test_analyze_${command}.c integration/cli/cli_answer.c
    integration/cli/cli_answer.h)
  target_link_libraries(test_analyze_${command} PRIVATE spanring::test_support spanring::store m)
  spanring_target(test_analyze_${command})
  add_dependencies(test_analyze_${command} spanring-analyze)
  add_test(NAME integration.analyze_${command} COMMAND test_analyze_${command})
  set_tests_properties(integration.analyze_${command} PROPERTIES LABELS integration ENVIRONMENT
    "SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};SPANRING_TEST_GOLDEN=${CMAKE_CURRENT_SOURCE_DIR}/integration/cli/golden")
endforeach()

# The tables for SQLite, linked in; integration/sql.cmake loads them as an extension.
add_executable(test_sql_tables unit/test_sql_tables.c)
target_link_libraries(test_sql_tables PRIVATE spanring_test_store_rows spanring::sql m)
spanring_target(test_sql_tables)
add_test(NAME unit.sql_tables COMMAND test_sql_tables)
set_tests_properties(unit.sql_tables PROPERTIES LABELS unit)
add_executable(test_import integration/cli/test_import.c)
target_link_libraries(test_import PRIVATE spanring::test_support spanring::store)
spanring_target(test_import)
add_dependencies(test_import spanring-analyze)
add_test(NAME integration.import COMMAND test_import)
set_tests_properties(integration.import PROPERTIES LABELS integration ENVIRONMENT "SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
add_executable(test_doctor integration/cli/test_doctor.c)
target_link_libraries(test_doctor PRIVATE spanring_test_session)
spanring_target(test_doctor)
add_dependencies(test_doctor spanring-analyze spanring-agent)
add_test(NAME integration.doctor COMMAND test_doctor)
set_tests_properties(integration.doctor PROPERTIES LABELS integration ENVIRONMENT "SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
add_executable(test_export integration/cli/test_export.c integration/cli/export_store.c integration/cli/export_store.h integration/cli/store_lines.c integration/cli/store_lines.h)
target_link_libraries(test_export PRIVATE spanring::test_support spanring::store spanring::import)
spanring_target(test_export)
add_dependencies(test_export spanring-analyze)
add_test(NAME integration.export COMMAND test_export)
set_tests_properties(integration.export PROPERTIES LABELS integration ENVIRONMENT "SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")

add_executable(test_exact integration/cli/test_exact.c)
target_link_libraries(test_exact PRIVATE spanring::test_support spanring::store m)
spanring_target(test_exact)
add_dependencies(test_exact spanring-analyze)
add_test(NAME integration.exact COMMAND test_exact)
set_tests_properties(integration.exact PROPERTIES LABELS integration ENVIRONMENT "SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
