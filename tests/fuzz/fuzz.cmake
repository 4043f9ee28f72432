# SPDX-License-Identifier: Apache-2.0
# spanring_fuzz_target(name rounds libraries...): fuzz/fuzz_<name>.c as a test that replays fuzz/corpus/<name> and `rounds` inputs made of it, and
# with SPANRING_FUZZ as a libFuzzer program too, guided by the coverage of all our code (cmake/Sanitizers.cmake).
function(spanring_fuzz_program name)
  add_executable(fuzz_${name} fuzz/fuzz_${name}.c)
  target_link_libraries(fuzz_${name} PRIVATE ${ARGN})
  spanring_target(fuzz_${name})
  target_compile_definitions(fuzz_${name} PRIVATE SPANRING_FUZZ)
  target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
endfunction()

function(spanring_fuzz_target name rounds)
  add_executable(replay_${name} fuzz/fuzz_${name}.c fuzz/mutate.c fuzz/mutate.h fuzz/replay.c)
  target_link_libraries(replay_${name} PRIVATE ${ARGN} spanring::test_support)
  spanring_target(replay_${name})
  add_test(NAME fuzz.${name} COMMAND replay_${name} ${rounds} ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name})
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 1800)
  if(SPANRING_FUZZ)
    spanring_fuzz_program(${name} ${ARGN})
  endif()
endfunction()

spanring_fuzz_target(batch_decode 1000000 spanring::store)
spanring_fuzz_target(rollup_bins 1000000 spanring::store)
spanring_fuzz_target(w3c 1000000 spanring::spanring_static)
spanring_fuzz_target(config_file 1000000 spanring::agent_parts)
spanring_fuzz_target(where 1000000 spanring::kernels)
spanring_fuzz_target(http 1000000 spanring::agent_parts)
spanring_fuzz_target(document 1000000 spanring::agent_parts)
spanring_fuzz_target(import 300000 spanring::import)
spanring_fuzz_target(arguments 1000000 spanring::agent_parts spanring::kernels)
target_sources(replay_arguments PRIVATE ${PROJECT_SOURCE_DIR}/analyze/options/options.c ${PROJECT_SOURCE_DIR}/analyze/options/options_own.c
  ${PROJECT_SOURCE_DIR}/analyze/options/options_plain.c)
if(SPANRING_FUZZ)
  target_sources(fuzz_arguments PRIVATE ${PROJECT_SOURCE_DIR}/analyze/options/options.c ${PROJECT_SOURCE_DIR}/analyze/options/options_own.c
    ${PROJECT_SOURCE_DIR}/analyze/options/options_plain.c)
endif()
spanring_fuzz_target(baseline 300000 spanring::baseline)

# A hostile program's files: its replay makes its inputs itself, mutations of a sound ring.
add_executable(replay_ring fuzz/fuzz_ring.c)
target_link_libraries(replay_ring PRIVATE spanring_test_agent_files spanring::agent_parts)
spanring_target(replay_ring)
add_test(NAME fuzz.ring COMMAND replay_ring)
set_tests_properties(fuzz.ring PROPERTIES LABELS fuzz)
if(SPANRING_FUZZ)
  spanring_fuzz_program(ring spanring_test_agent_files spanring::agent_parts)
endif()
