# SPDX-License-Identifier: Apache-2.0
# Names and numbers of system calls, as this compiler's headers have them: systemd tells its groups by name.
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/syscall_names.c "#include <sys/syscall.h>\n")
execute_process(COMMAND ${CMAKE_C_COMPILER} -dM -E ${CMAKE_CURRENT_BINARY_DIR}/syscall_names.c
  OUTPUT_VARIABLE syscall_macros COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "#define SYS_[a-z0-9_]+ " syscall_macros "${syscall_macros}")
set(syscall_rows "")
foreach(macro IN LISTS syscall_macros)
  string(REGEX REPLACE "#define SYS_([a-z0-9_]+) " "\\1" name "${macro}")
  string(APPEND syscall_rows "\t{\"${name}\", SYS_${name}},\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/generated/syscall_table.h @ONLY CONTENT "#include <sys/syscall.h>
static const struct {
	const char *name;
	long number;
} syscall_table[] = {
${syscall_rows}};
")

add_executable(test_sandbox integration/test_sandbox.c)
target_include_directories(test_sandbox PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/generated)
target_link_libraries(test_sandbox PRIVATE spanring_test_session spanring::agent_parts)
spanring_target(test_sandbox)
add_dependencies(test_sandbox spanring-test-producer spanring-agent spanring-analyze)
add_test(NAME integration.sandbox COMMAND test_sandbox)
set_tests_properties(integration.sandbox PROPERTIES LABELS integration TIMEOUT 300
  ENVIRONMENT SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY})

# A story with everything given up.
foreach(story IN ITEMS end_to_end retention)
  add_test(NAME integration.${story}_strict COMMAND test_${story})
  set_tests_properties(integration.${story}_strict PROPERTIES LABELS integration TIMEOUT 1800
    ENVIRONMENT "SPANRING_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};SPANRING_AGENT_SANDBOX=strict")
endforeach()

# The units for systemd, as they are installed (B37).
add_test(NAME integration.systemd_units COMMAND ${PROJECT_SOURCE_DIR}/tests/integration/systemd_units.sh
  ${PROJECT_BINARY_DIR}/packaging/systemd ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ${CMAKE_INSTALL_FULL_BINDIR})
set_tests_properties(integration.systemd_units PROPERTIES LABELS integration TIMEOUT 120 SKIP_RETURN_CODE 77)
