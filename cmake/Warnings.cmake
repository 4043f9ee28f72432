# SPDX-License-Identifier: Apache-2.0
# One function gives a target our warnings and hardening; nothing is set directory-wide.
include(CheckCCompilerFlag)

set(SPANRING_WARNINGS
  -Wall -Wextra -Wformat=2 -Wconversion -Wsign-conversion -Wshadow -Wimplicit-fallthrough -Wvla
  -Wnull-dereference -Wundef -Werror=format-security)
set(SPANRING_WARNINGS_C
  -Wstrict-prototypes -Wmissing-prototypes -Werror=implicit -Werror=incompatible-pointer-types -Werror=int-conversion)
set(SPANRING_WARNINGS_GNU -Wtrampolines -Wbidi-chars=any -Wcast-align=strict -Warray-bounds=2)

# On the span path these cost about half a nanosecond, inside the spread of the runs (docs/decisions/0003).
set(SPANRING_HARDENING -fstack-protector-strong -fstack-clash-protection)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|i.86")
  list(APPEND SPANRING_HARDENING -fcf-protection=full)
endif()

function(spanring_target target)
  target_compile_options(${target} PRIVATE
    ${SPANRING_WARNINGS} $<$<COMPILE_LANGUAGE:C>:${SPANRING_WARNINGS_C}>
    $<$<C_COMPILER_ID:GNU>:${SPANRING_WARNINGS_GNU}>
    $<$<BOOL:${SPANRING_WERROR}>:-Werror>
    ${SPANRING_HARDENING} -fvisibility=hidden)
  if(NOT SPANRING_SANITIZE)
    target_compile_options(${target} PRIVATE
      $<$<CONFIG:Release,RelWithDebInfo>:-U_FORTIFY_SOURCE> $<$<CONFIG:Release,RelWithDebInfo>:-D_FORTIFY_SOURCE=3>)
  endif()
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  get_target_property(type ${target} TYPE)
  if(type MATCHES "EXECUTABLE|SHARED_LIBRARY|MODULE_LIBRARY")
    target_link_options(${target} PRIVATE -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code -Wl,--as-needed)
    if(type STREQUAL "EXECUTABLE")
      target_link_options(${target} PRIVATE -pie)
    elseif(NOT SPANRING_SANITIZE)
      target_link_options(${target} PRIVATE -Wl,-z,defs)
    endif()
  endif()
  spanring_sanitize(${target})
endfunction()
