# SPDX-License-Identifier: Apache-2.0
# The agent's end of a ring. Never part of the installed library.
add_library(spanring_ring_reader STATIC
  fault_guard.c fault_guard.h process_reader.c process_reader.h ring_reader.c ring_reader.h shared_file.c shared_file.h)
add_library(spanring::ring_reader ALIAS spanring_ring_reader)
spanring_room(spanring_ring_reader)
target_link_libraries(spanring_ring_reader PUBLIC spanring::headers spanring::base)
spanring_target(spanring_ring_reader)
