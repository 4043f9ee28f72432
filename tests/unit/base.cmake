# SPDX-License-Identifier: Apache-2.0
foreach(module IN ITEMS text units json)
  add_executable(test_${module} unit/test_${module}.c)
  target_link_libraries(test_${module} PRIVATE spanring::test_support)
  spanring_target(test_${module})
  add_test(NAME unit.${module} COMMAND test_${module})
  set_tests_properties(unit.${module} PROPERTIES LABELS unit)
endforeach()

# Lines of the log, taken apart by SQLite's JSON functions.
add_executable(test_log unit/test_log.c)
target_link_libraries(test_log PRIVATE spanring::test_support PkgConfig::SQLITE)
spanring_target(test_log)
add_test(NAME unit.log COMMAND test_log)
set_tests_properties(unit.log PROPERTIES LABELS unit)
