# SPDX-License-Identifier: Apache-2.0
add_library(spanring_test_agent_files STATIC unit/agent_files.c unit/agent_files.h)
target_include_directories(spanring_test_agent_files PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/unit)
target_link_libraries(spanring_test_agent_files PUBLIC spanring::test_support spanring::headers)
spanring_target(spanring_test_agent_files)

foreach(test IN ITEMS shared_file ring_reader agent_clock_model agent_breaker agent_retention agent_sampler agent_drain agent_unfinished agent_async agent_ending agent_statistics agent_tail agent_tail_choice agent_users agent_memory_cap)
  add_executable(test_${test} unit/test_${test}.c)
  target_link_libraries(test_${test} PRIVATE spanring_test_agent_files spanring::agent_parts)
  spanring_target(test_${test})
  add_test(NAME unit.${test} COMMAND test_${test})
  set_tests_properties(unit.${test} PROPERTIES LABELS unit)
endforeach()

target_link_libraries(test_agent_tail_choice PRIVATE m)

# Settings of the agent, and the page that lists them.
add_executable(test_agent_config unit/test_agent_config.c)
target_link_libraries(test_agent_config PRIVATE spanring_test_agent_files spanring::agent_parts)
target_compile_definitions(test_agent_config PRIVATE SPANRING_TEST_DOCS="${PROJECT_SOURCE_DIR}/docs")
spanring_target(test_agent_config)
add_test(NAME unit.agent_config COMMAND test_agent_config)
set_tests_properties(unit.agent_config PROPERTIES LABELS unit TIMEOUT 120)

# Requests for metrics, and the page that lists what is served.
add_executable(test_agent_http unit/test_agent_http.c)
target_link_libraries(test_agent_http PRIVATE spanring::test_support spanring::agent_parts)
target_compile_definitions(test_agent_http PRIVATE SPANRING_TEST_DOCS="${PROJECT_SOURCE_DIR}/docs")
spanring_target(test_agent_http)
add_test(NAME unit.agent_http COMMAND test_agent_http)
set_tests_properties(unit.agent_http PROPERTIES LABELS unit)

# What status and top make of an answer.
add_executable(test_agent_view unit/test_agent_view.c)
target_link_libraries(test_agent_view PRIVATE spanring::test_support spanring::agent_parts)
spanring_target(test_agent_view)
add_test(NAME unit.agent_view COMMAND test_agent_view)
set_tests_properties(unit.agent_view PROPERTIES LABELS unit)

# Both ways to wait and read; the ring's restrictions are tried with requests of the test's own.
add_executable(test_agent_loop unit/test_agent_loop.c)
target_link_libraries(test_agent_loop PRIVATE spanring::test_support spanring::agent_parts PkgConfig::URING)
spanring_target(test_agent_loop)
add_test(NAME unit.agent_loop COMMAND test_agent_loop)
set_tests_properties(unit.agent_loop PROPERTIES LABELS unit TIMEOUT 120)

# The thread that merges; needs a store.
add_executable(test_agent_merger unit/test_agent_merger.c)
target_link_libraries(test_agent_merger PRIVATE spanring_test_session spanring_test_store_rows spanring::agent_parts)
spanring_target(test_agent_merger)
add_test(NAME unit.agent_merger COMMAND test_agent_merger)
set_tests_properties(unit.agent_merger PROPERTIES LABELS unit TIMEOUT 120)

# Every look of the agent at a shared file is caught where it calls the system or another room (support/access_trap.h).
add_executable(test_agent_hostile unit/test_agent_hostile.c support/access_trap.c support/access_trap.h)
target_link_libraries(test_agent_hostile PRIVATE spanring_test_agent_files spanring::agent_parts)
target_link_options(test_agent_hostile PRIVATE -Wl,--wrap=mmap,--wrap=munmap,--wrap=shared_file_read,--wrap=fault_guard_run)
spanring_target(test_agent_hostile)
add_test(NAME unit.agent_hostile COMMAND test_agent_hostile)
set_tests_properties(unit.agent_hostile PROPERTIES LABELS unit TIMEOUT 600)
