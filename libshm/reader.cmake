# SPDX-License-Identifier: Apache-2.0
# The readers' end of a ring, for the agent and for `spanring-analyze rings`. Never part of the installed library.
add_library(spanring_ring_reader STATIC
  async_reader.c async_reader.h clock_model.c clock_model.h fault_guard.c fault_guard.h process_reader.c process_reader.h ring_reader.c ring_reader.h
  ring_stack.c ring_stack.h sampling.c sampling.h shared_file.c shared_file.h
  statistics_reader.c statistics_reader.h system_directory.c system_directory.h)
add_library(spanring::ring_reader ALIAS spanring_ring_reader)
spanring_room(spanring_ring_reader)
target_link_libraries(spanring_ring_reader PUBLIC spanring::headers spanring::base)
spanring_target(spanring_ring_reader)
