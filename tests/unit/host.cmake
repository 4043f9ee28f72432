# SPDX-License-Identifier: Apache-2.0
# The writer library as a guest: signals, clocks and loaders of other people's programs.
set(host_dir ${CMAKE_CURRENT_LIST_DIR})

# Copies of the library as a later release would bring them: another version, and another contract.
get_target_property(host_sources spanring SOURCES)
list(TRANSFORM host_sources PREPEND ${PROJECT_SOURCE_DIR}/libshm/)
file(READ ${PROJECT_SOURCE_DIR}/include/spanring/version.h host_version_header)
string(REPLACE "\"${PROJECT_VERSION}\"" "\"99.0.0\"" host_newer "${host_version_header}")
string(REPLACE "SPANRING_ABI_VERSION 1u" "SPANRING_ABI_VERSION 99u" host_other_abi "${host_newer}")
foreach(variant newer other_abi)
  file(CONFIGURE OUTPUT host_${variant}/spanring/version.h CONTENT "${host_${variant}}" @ONLY)
  add_library(host_spanring_${variant} SHARED ${host_sources})
  target_include_directories(host_spanring_${variant} BEFORE PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/host_${variant})
  target_link_libraries(host_spanring_${variant} PRIVATE Threads::Threads PUBLIC spanring::headers)
  target_link_options(host_spanring_${variant} PRIVATE
    -Wl,--version-script=${PROJECT_SOURCE_DIR}/libshm/libspanring.map -Wl,-z,nodelete)
  spanring_target(host_spanring_${variant})
endforeach()

foreach(variant static shared newer other_abi by_hand)
  add_library(host_plugin_${variant} MODULE ${host_dir}/host_plugin.c ${host_dir}/host_plugin.h)
  spanring_target(host_plugin_${variant})
  string(TOUPPER ${variant} name)
  list(APPEND host_plugins SPANRING_TEST_PLUGIN_${name}="$<TARGET_FILE:host_plugin_${variant}>")
endforeach()
target_link_libraries(host_plugin_static PRIVATE spanring::spanring_static)
# Linked without the option that keeps it mapped, as a makefile of somebody's own may do.
target_include_directories(host_plugin_by_hand PRIVATE ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(host_plugin_by_hand PRIVATE $<TARGET_FILE:spanring_static> Threads::Threads)
add_dependencies(host_plugin_by_hand spanring_static)
target_link_libraries(host_plugin_shared PRIVATE spanring::spanring)
target_link_libraries(host_plugin_newer PRIVATE host_spanring_newer)
target_link_libraries(host_plugin_other_abi PRIVATE host_spanring_other_abi)

foreach(name test_host_signals test_host_clocks test_host_dlopen)
  add_executable(${name} ${host_dir}/${name}.c)
  target_link_libraries(${name} PRIVATE spanring::spanring_static spanring_test_ring_view ${CMAKE_DL_LIBS})
  spanring_target(${name})
  string(REPLACE test_ unit. test ${name})
  add_test(NAME ${test} COMMAND ${name})
  set_tests_properties(${test} PROPERTIES LABELS unit TIMEOUT 600 SKIP_RETURN_CODE 77)
endforeach()
target_compile_definitions(test_host_dlopen PRIVATE ${host_plugins})
add_dependencies(test_host_dlopen host_plugin_static host_plugin_shared host_plugin_newer host_plugin_other_abi
  host_plugin_by_hand)

# The conversions of times, beside the clocks that they convert.
target_link_libraries(test_host_clocks PRIVATE spanring::kernels)
