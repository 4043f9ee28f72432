# SPDX-License-Identifier: Apache-2.0
# A sanitizer's library must come first in a process; clients that know nothing of it do not load an extension that wants one.
if(NOT SPANRING_SANITIZE)
  foreach(client IN ITEMS shell python)
    add_test(NAME integration.sql_${client} COMMAND ${CMAKE_CURRENT_LIST_DIR}/sql_clients.sh ${client}
      $<TARGET_FILE:spanring_sqlite> ${CMAKE_CURRENT_SOURCE_DIR}/golden/store-v1.db.zst)
    set_tests_properties(integration.sql_${client} PROPERTIES LABELS integration SKIP_RETURN_CODE 77)
  endforeach()
endif()
