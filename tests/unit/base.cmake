# SPDX-License-Identifier: Apache-2.0
foreach(module IN ITEMS text units json)
  add_executable(test_${module} unit/test_${module}.c)
  target_link_libraries(test_${module} PRIVATE spanring::test_support)
  spanring_target(test_${module})
  add_test(NAME unit.${module} COMMAND test_${module})
  set_tests_properties(unit.${module} PROPERTIES LABELS unit)
endforeach()
