# SPDX-License-Identifier: Apache-2.0
# spanring_fuzz_target(name libraries...): fuzz/fuzz_<name>.c as a test that replays fuzz/corpus/<name>, and with SPANRING_FUZZ as a libFuzzer
# program too. The libraries are those of the build; give the whole build -fsanitize=fuzzer-no-link,address to guide libFuzzer.
function(spanring_fuzz_target name)
  add_executable(replay_${name} fuzz/fuzz_${name}.c fuzz/replay.c)
  target_link_libraries(replay_${name} PRIVATE ${ARGN})
  spanring_target(replay_${name})
  add_test(NAME fuzz.${name} COMMAND replay_${name} ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name})
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz)
  if(SPANRING_FUZZ)
    add_executable(fuzz_${name} fuzz/fuzz_${name}.c)
    target_link_libraries(fuzz_${name} PRIVATE ${ARGN})
    spanring_target(fuzz_${name})
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  endif()
endfunction()

spanring_fuzz_target(batch_decode spanring::store)
spanring_fuzz_target(w3c spanring::spanring_static)
include(${CMAKE_CURRENT_LIST_DIR}/ring.cmake OPTIONAL)
