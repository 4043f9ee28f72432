# SPDX-License-Identifier: Apache-2.0
add_executable(test_ring_spsc stress/test_ring_spsc.c)
target_link_libraries(test_ring_spsc PRIVATE spanring::spanring_static spanring::ring_reader spanring::test_support)
spanring_target(test_ring_spsc)
add_test(NAME stress.ring_spsc COMMAND test_ring_spsc)
set_tests_properties(stress.ring_spsc PROPERTIES LABELS "stress" TIMEOUT 900)
