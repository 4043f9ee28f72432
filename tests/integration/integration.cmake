# SPDX-License-Identifier: Apache-2.0
add_executable(spanring-test-producer integration/producer.c)
target_link_libraries(spanring-test-producer PRIVATE spanring::spanring_static Threads::Threads)
spanring_target(spanring-test-producer)

add_executable(spanring-test-context integration/context_program.c)
target_link_libraries(spanring-test-context PRIVATE spanring::spanring_static)
spanring_target(spanring-test-context)

add_executable(spanring-test-sampling integration/sampling_program.c)
target_link_libraries(spanring-test-sampling PRIVATE spanring::spanring_static Threads::Threads)
spanring_target(spanring-test-sampling)

add_executable(spanring-test-async integration/async_program.c integration/async_log.h)
target_link_libraries(spanring-test-async PRIVATE spanring::spanring_static Threads::Threads)
spanring_target(spanring-test-async)

add_executable(spanring-test-tail integration/tail_program.c)
target_link_libraries(spanring-test-tail PRIVATE spanring::spanring_static Threads::Threads)
spanring_target(spanring-test-tail)

foreach(program IN ITEMS ending drops measured flood ringer)
  add_executable(spanring-test-${program} integration/${program}_program.c)
  target_link_libraries(spanring-test-${program} PRIVATE spanring::spanring_static)
  spanring_target(spanring-test-${program})
endforeach()

add_library(spanring_test_session STATIC
  support/all_users.c support/all_users.h support/clock_wait.h support/session.c support/session.h support/stored.c support/stored.h)
target_link_libraries(spanring_test_session PUBLIC spanring::test_support spanring::store spanring::headers)
spanring_target(spanring_test_session)

foreach(story IN ITEMS end_to_end producer_killed agent_killed unfinished overflow ring_directory command_line configuration record
    context async sampling statistics ending books footprint retention merge two_agents hostile_neighbour live_read system_mode quota spoof attach)
  add_executable(test_${story} integration/test_${story}.c)
  target_link_libraries(test_${story} PRIVATE spanring_test_session)
  spanring_target(test_${story})
  add_dependencies(test_${story} spanring-test-producer spanring-test-context spanring-test-sampling spanring-test-async spanring-test-ending
    spanring-test-drops spanring-test-measured spanring-test-flood spanring-test-ringer spanring-agent spanring-analyze)
  add_test(NAME integration.${story} COMMAND test_${story})
  set_tests_properties(integration.${story} PROPERTIES LABELS integration TIMEOUT 1800
    ENVIRONMENT SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
endforeach()

add_executable(spanring-test-cost integration/cost_program.c)
target_link_libraries(spanring-test-cost PRIVATE spanring::spanring_static)
spanring_target(spanring-test-cost)
add_executable(test_overhead integration/test_overhead.c)
target_link_libraries(test_overhead PRIVATE spanring_test_session spanring::agent_parts)
spanring_target(test_overhead)
add_dependencies(test_overhead spanring-test-cost spanring-agent spanring-analyze)
add_test(NAME integration.overhead COMMAND test_overhead)
set_tests_properties(integration.overhead PROPERTIES LABELS integration TIMEOUT 300
  ENVIRONMENT SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY})

# A sanitizer brings an allocator of its own: nothing to count.
if(NOT SPANRING_SANITIZE)
  add_executable(test_record_heap integration/test_record_heap.c)
  target_link_libraries(test_record_heap PRIVATE spanring_test_session)
  target_compile_definitions(test_record_heap PRIVATE SPANRING_TEST_FOLDER="${PROJECT_SOURCE_DIR}/docs")
  spanring_target(test_record_heap)
  add_dependencies(test_record_heap spanring-test-heap-static heap_plugin indexer spanring-agent spanring-analyze)
  add_test(NAME integration.record_heap COMMAND test_record_heap)
  set_tests_properties(integration.record_heap PROPERTIES LABELS integration TIMEOUT 300
    ENVIRONMENT SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  if(heap_needs_plain_path)
    set_tests_properties(integration.record_heap PROPERTIES DISABLED ON)
  endif()
endif()

# It computes itself which traces the agent must keep.
add_executable(test_tail_keep integration/test_tail_keep.c)
target_link_libraries(test_tail_keep PRIVATE spanring_test_session spanring::agent_parts m)
spanring_target(test_tail_keep)
add_dependencies(test_tail_keep spanring-test-tail spanring-agent spanring-analyze)
add_test(NAME integration.tail_keep COMMAND test_tail_keep)
set_tests_properties(integration.tail_keep PROPERTIES LABELS integration TIMEOUT 300
  ENVIRONMENT SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY})

include(${CMAKE_CURRENT_LIST_DIR}/host.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/bench.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/io.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/fault.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/store_fails.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/manual.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/metrics.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/service.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/sandbox.cmake)

# It looks for what is left in shared memory, where other tests record, too.
set_tests_properties(integration.record PROPERTIES RUN_SERIAL ON)
if(heap_needs_plain_path)
  set_tests_properties(integration.footprint PROPERTIES DISABLED ON)
endif()
include(${CMAKE_CURRENT_LIST_DIR}/sql.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/calls.cmake)
