# SPDX-License-Identifier: Apache-2.0
# What strangers compile and link against: each public header alone, as C11 and C++; the symbols of the shared library.
set(abi_dir ${CMAKE_CURRENT_LIST_DIR})
set(abi_generated ${CMAKE_CURRENT_BINARY_DIR}/abi)
set(abi_headers export version record ring_abi spanring heap rollout testing)
foreach(header ${abi_headers})
  foreach(extension c cpp)
    set(source ${abi_generated}/alone_${header}.${extension})
    file(CONFIGURE OUTPUT ${source} CONTENT "#include <spanring/${header}.h>\nextern int not_empty;\n")
    list(APPEND abi_alone_sources ${source})
  endforeach()
endforeach()
add_library(spanring_test_headers_alone OBJECT ${abi_alone_sources})
target_link_libraries(spanring_test_headers_alone PRIVATE spanring::headers)
target_compile_options(spanring_test_headers_alone PRIVATE -pedantic)
set_target_properties(spanring_test_headers_alone PROPERTIES C_EXTENSIONS OFF CXX_EXTENSIONS OFF)
spanring_target(spanring_test_headers_alone)

foreach(test header_c.c header_cpp.cpp)
  get_filename_component(name ${test} NAME_WE)
  add_executable(test_${name} ${abi_dir}/${test})
  target_link_libraries(test_${name} PRIVATE spanring::spanring)
  spanring_target(test_${name})
  add_test(NAME abi.${name} COMMAND test_${name})
  set_tests_properties(abi.${name} PROPERTIES LABELS abi TIMEOUT 60)
endforeach()

# A rule of the sources: who may look at memory that programs can write, and how.
add_test(NAME abi.shared_reads COMMAND sh ${abi_dir}/check_shared_reads.sh ${PROJECT_SOURCE_DIR})
set_tests_properties(abi.shared_reads PROPERTIES LABELS abi TIMEOUT 60)

add_test(NAME abi.cpp_header COMMAND sh ${abi_dir}/cpp_header.sh ${PROJECT_SOURCE_DIR}/include ${CMAKE_CXX_COMPILER} g++
  clang++)
set_tests_properties(abi.cpp_header PROPERTIES LABELS abi TIMEOUT 120 SKIP_RETURN_CODE 77)

if(NOT SPANRING_SANITIZE AND NOT SPANRING_COVERAGE)
  add_test(NAME abi.exports COMMAND sh ${abi_dir}/check_exports.sh $<TARGET_FILE:spanring>
    ${abi_dir}/../../libshm/libspanring.map)
  set_tests_properties(abi.exports PROPERTIES LABELS abi TIMEOUT 60 SKIP_RETURN_CODE 77)
  add_test(NAME abi.exports_heap COMMAND sh ${abi_dir}/check_exports.sh $<TARGET_FILE:spanring_heap>
    ${abi_dir}/../../libshm/libspanring_heap.map)
  set_tests_properties(abi.exports_heap PROPERTIES LABELS abi TIMEOUT 60 SKIP_RETURN_CODE 77)
  # Beside each object the compiler writes how much stack its functions need.
  target_compile_options(spanring_static PRIVATE -fstack-usage)
  add_test(NAME abi.guest COMMAND sh ${abi_dir}/check_guest.sh $<TARGET_FILE:spanring> $<TARGET_FILE:spanring_static>
    ${CMAKE_BINARY_DIR}/libshm/CMakeFiles/spanring_static.dir)
  set_tests_properties(abi.guest PROPERTIES LABELS abi TIMEOUT 120 SKIP_RETURN_CODE 77)
  add_test(NAME abi.consume COMMAND bash ${abi_dir}/consume.sh ${CMAKE_BINARY_DIR} ${CMAKE_GENERATOR} ${CMAKE_C_COMPILER}
    ${CMAKE_CXX_COMPILER})
  set_tests_properties(abi.consume PROPERTIES LABELS abi TIMEOUT 300 SKIP_RETURN_CODE 77)
endif()
