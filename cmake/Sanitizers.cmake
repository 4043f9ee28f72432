# SPDX-License-Identifier: Apache-2.0
# Sanitizers and coverage, per target, chosen by preset.
function(spanring_sanitize target)
  if(SPANRING_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${SPANRING_SANITIZE} -fno-omit-frame-pointer -g)
    if(SPANRING_SANITIZE MATCHES "undefined")
      target_compile_options(${target} PRIVATE -fno-sanitize-recover=all)
    endif()
    target_link_options(${target} PRIVATE -fsanitize=${SPANRING_SANITIZE})
  endif()
  if(SPANRING_FUZZ)
    # Coverage feedback for libFuzzer from all our code, not only from the target's own file.
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  if(SPANRING_COVERAGE)
    target_compile_options(${target} PRIVATE --coverage -fprofile-update=atomic -O0 -g)
    target_link_options(${target} PRIVATE --coverage)
  endif()
endfunction()
