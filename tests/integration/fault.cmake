# SPDX-License-Identifier: Apache-2.0
# The agent and the analyzer with file operations that fail on demand (support/fault_vfs.h). This agent begins a new segment every
# 16,384 spans, so that a short campaign meets the end of many.
add_library(spanring_test_fault OBJECT support/fault_vfs.c support/fault_vfs.h)
target_link_libraries(spanring_test_fault PUBLIC PkgConfig::SQLITE)
target_include_directories(spanring_test_fault PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
spanring_target(spanring_test_fault)
function(spanring_faulty target)
  target_link_libraries(${target} PRIVATE spanring_test_fault PkgConfig::SQLITE)
  target_link_options(${target} PRIVATE -Wl,--wrap=open,--wrap=rename)
endfunction()

add_executable(spanring-test-agent ${PROJECT_SOURCE_DIR}/agent/main.c ${PROJECT_SOURCE_DIR}/agent/commit/handover.c)
target_compile_definitions(spanring-test-agent PRIVATE "STORE_SEGMENT_SPANS_MAX=UINT64_C(16384)")
target_link_libraries(spanring-test-agent PRIVATE spanring::agent_parts)
spanring_faulty(spanring-test-agent)
spanring_target(spanring-test-agent)

get_target_property(analyze_sources spanring-analyze SOURCES)
list(TRANSFORM analyze_sources PREPEND ${PROJECT_SOURCE_DIR}/analyze/)
get_target_property(analyze_libraries spanring-analyze LINK_LIBRARIES)
add_executable(spanring-test-analyze ${analyze_sources})
target_link_libraries(spanring-test-analyze PRIVATE ${analyze_libraries})
spanring_faulty(spanring-test-analyze)
spanring_target(spanring-test-analyze)

add_dependencies(test_agent_killed spanring-test-agent)
add_dependencies(test_retention spanring-test-agent)
add_dependencies(test_merge spanring-test-agent)
add_dependencies(test_live_read spanring-test-agent)

add_executable(test_fault_loop integration/test_fault_loop.c)
target_link_libraries(test_fault_loop PRIVATE spanring_test_session spanring_test_store_rows)
spanring_faulty(test_fault_loop)
spanring_target(test_fault_loop)
add_dependencies(test_fault_loop spanring-test-producer spanring-test-agent spanring-test-analyze spanring-agent spanring-analyze)
add_test(NAME integration.fault_loop COMMAND test_fault_loop)
set_tests_properties(integration.fault_loop PROPERTIES LABELS integration TIMEOUT 3600
  ENVIRONMENT SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY})

# Here, beside the failing file operations that it needs.
add_executable(test_store_merge unit/test_store_merge.c)
target_link_libraries(test_store_merge PRIVATE spanring_test_store_rows Threads::Threads)
spanring_faulty(test_store_merge)
spanring_target(test_store_merge)
add_test(NAME unit.store_merge COMMAND test_store_merge)
set_tests_properties(unit.store_merge PROPERTIES LABELS unit)
