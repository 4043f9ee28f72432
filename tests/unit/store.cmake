# SPDX-License-Identifier: Apache-2.0
add_library(spanring_test_store_rows STATIC
  unit/store_fixture.c unit/store_fixture.h unit/store_rows.c unit/store_rows.h)
target_link_libraries(spanring_test_store_rows PUBLIC spanring::test_support spanring::store)
target_include_directories(spanring_test_store_rows PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/unit)
spanring_target(spanring_test_store_rows)

foreach(module IN ITEMS catalog codec page_file store store_children store_damage store_evict store_full store_hostile store_rollup store_scan)
  add_executable(test_${module} unit/test_${module}.c)
  target_link_libraries(test_${module} PRIVATE spanring_test_store_rows PkgConfig::SQLITE)
  spanring_target(test_${module})
  add_test(NAME unit.${module} COMMAND test_${module})
  set_tests_properties(unit.${module} PROPERTIES LABELS unit)
endforeach()

add_executable(make_golden_store golden/make_golden_store.c golden/golden_store.h)
target_link_libraries(make_golden_store PRIVATE spanring::store)
spanring_target(make_golden_store)

add_executable(test_store_golden unit/test_store_golden.c)
target_link_libraries(test_store_golden PRIVATE spanring_test_store_rows PkgConfig::ZSTD)
target_compile_definitions(test_store_golden PRIVATE SPANRING_GOLDEN_DIRECTORY="${CMAKE_CURRENT_SOURCE_DIR}/golden")
spanring_target(test_store_golden)
add_test(NAME unit.store_golden COMMAND test_store_golden)
set_tests_properties(unit.store_golden PROPERTIES LABELS unit)

# What a writer does to its files is noted (support/power_log.h), and power is lost at each point of it.
add_executable(test_store_power unit/test_store_power.c support/power_log.c support/power_log.h)
target_link_libraries(test_store_power PRIVATE spanring_test_store_rows PkgConfig::SQLITE)
target_link_options(test_store_power PRIVATE -Wl,--wrap=open,--wrap=rename,--wrap=unlink)
spanring_target(test_store_power)
add_test(NAME unit.store_power COMMAND test_store_power)
set_tests_properties(unit.store_power PROPERTIES LABELS unit TIMEOUT 1800)
