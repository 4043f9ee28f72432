# SPDX-License-Identifier: Apache-2.0
# What is recorded of what is begun: sampler, rollout, and the control words from outside.
add_executable(test_rollout unit/test_rollout.c)
target_link_libraries(test_rollout PRIVATE spanring::spanring_static spanring::test_support m)
spanring_target(test_rollout)
add_test(NAME unit.rollout COMMAND test_rollout)
set_tests_properties(unit.rollout PROPERTIES LABELS unit)

foreach(test IN ITEMS sampler_choice agent_ctl)
  add_executable(test_${test} unit/test_${test}.c)
  target_link_libraries(test_${test} PRIVATE spanring_test_agent_files spanring::agent_parts)
  spanring_target(test_${test})
  add_test(NAME unit.${test} COMMAND test_${test})
  set_tests_properties(unit.${test} PROPERTIES LABELS unit TIMEOUT 120)
endforeach()
