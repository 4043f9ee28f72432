# SPDX-License-Identifier: Apache-2.0
# A second reader of the store format (decode_segment.py) against libstore.
add_executable(spanring-test-rich decoder/rich_program.c)
target_link_libraries(spanring-test-rich PRIVATE spanring::spanring_static)
spanring_target(spanring-test-rich)

add_library(spanring_test_decoder STATIC
  decoder/dump_segment.c decoder/dump_segment.h decoder/rich_store.c decoder/rich_store.h
  decoder/rich_file.c decoder/rich_file.h decoder/store_exercise.c decoder/store_exercise.h)
target_link_libraries(spanring_test_decoder PUBLIC spanring_test_store_rows)
spanring_target(spanring_test_decoder)

add_executable(make_rich_golden decoder/make_rich_golden.c)
target_link_libraries(make_rich_golden PRIVATE spanring_test_decoder)
spanring_target(make_rich_golden)

add_executable(test_decoder decoder/test_decoder.c)
target_link_libraries(test_decoder PRIVATE spanring_test_decoder spanring_test_session PkgConfig::ZSTD)
target_compile_definitions(test_decoder PRIVATE SPANRING_GOLDEN_DIRECTORY="${CMAKE_CURRENT_SOURCE_DIR}/golden"
  SPANRING_DECODER="${CMAKE_CURRENT_SOURCE_DIR}/decoder/decode_segment.py"
  SPANRING_FORMAT="${PROJECT_SOURCE_DIR}/docs/store-format.md")
spanring_target(test_decoder)
add_dependencies(test_decoder spanring-test-rich spanring-test-tail spanring-test-producer spanring-agent)
add_test(NAME golden.python_decoder COMMAND test_decoder)
set_tests_properties(golden.python_decoder PROPERTIES LABELS integration TIMEOUT 600
  ENVIRONMENT SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY})

add_executable(test_store_flips decoder/test_store_flips.c)
target_link_libraries(test_store_flips PRIVATE spanring_test_decoder)
spanring_target(test_store_flips)
add_test(NAME unit.store_flips COMMAND test_store_flips)
set_tests_properties(unit.store_flips PROPERTIES LABELS unit TIMEOUT 3600)

# Rows of a segment: its replay makes its inputs itself, changes of a segment that has rows in every table.
add_executable(replay_segment fuzz/fuzz_segment.c)
target_link_libraries(replay_segment PRIVATE spanring_test_decoder PkgConfig::SQLITE)
spanring_target(replay_segment)
add_test(NAME fuzz.segment COMMAND replay_segment)
set_tests_properties(fuzz.segment PROPERTIES LABELS fuzz)
if(SPANRING_FUZZ)
  spanring_fuzz_program(segment spanring_test_decoder PkgConfig::SQLITE)
endif()

add_executable(replay_pages fuzz/fuzz_pages.c)
target_link_libraries(replay_pages PRIVATE spanring_test_decoder)
spanring_target(replay_pages)
add_test(NAME fuzz.pages COMMAND replay_pages)
set_tests_properties(fuzz.pages PROPERTIES LABELS fuzz TIMEOUT 1800)
if(SPANRING_FUZZ)
  spanring_fuzz_program(pages spanring_test_decoder)
endif()

add_executable(test_bombs decoder/test_bombs.c)
target_link_libraries(test_bombs PRIVATE spanring_test_decoder PkgConfig::SQLITE PkgConfig::ZSTD)
spanring_target(test_bombs)
add_dependencies(test_bombs spanring-analyze)
add_test(NAME integration.bombs COMMAND test_bombs)
set_tests_properties(integration.bombs PROPERTIES LABELS integration TIMEOUT 600
  ENVIRONMENT SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
