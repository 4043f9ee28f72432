# SPDX-License-Identifier: Apache-2.0
add_test(NAME integration.manual COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/integration/manual.sh
  ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ${PROJECT_SOURCE_DIR}/packaging/manual/api_pages.py ${PROJECT_SOURCE_DIR}/include)
set_tests_properties(integration.manual PROPERTIES LABELS integration TIMEOUT 300)

# The table of requirements, command by command; a sanitizer tells nothing more of them than the tests of the commands do.
if(NOT SPANRING_SANITIZE AND TARGET spanring-bench)
  add_test(NAME integration.requirements COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/integration/requirements.sh
    ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ${PROJECT_SOURCE_DIR}/docs/requirements.md)
  set_tests_properties(integration.requirements PROPERTIES LABELS integration TIMEOUT 600)
  add_test(NAME integration.howto COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/integration/howto.sh
    ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ${PROJECT_SOURCE_DIR}/docs)
  set_tests_properties(integration.howto PROPERTIES LABELS integration TIMEOUT 600)
endif()
