# SPDX-License-Identifier: Apache-2.0
add_test(NAME integration.manual COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/integration/manual.sh
  ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ${PROJECT_SOURCE_DIR}/packaging/manual/api_pages.py ${PROJECT_SOURCE_DIR}/include)
set_tests_properties(integration.manual PROPERTIES LABELS integration TIMEOUT 300)
