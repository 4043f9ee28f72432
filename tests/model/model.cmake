# SPDX-License-Identifier: Apache-2.0
# The durability order, model checked (label model). Needs the package spin; without it these are skipped.
foreach(variant IN ITEMS right TAIL_FIRST CURSOR_APART TOTALS_APART RESUME_TAIL NO_LAP TAG_FIRST HEAD_FIRST RETRY_BLIND
    STATISTICS_NEW)
  add_test(NAME model.durability.${variant} COMMAND ${CMAKE_CURRENT_LIST_DIR}/check.sh ${variant})
  set_tests_properties(model.durability.${variant} PROPERTIES LABELS model SKIP_RETURN_CODE 77 TIMEOUT 300
    ENVIRONMENT CC=${CMAKE_C_COMPILER})
endforeach()
