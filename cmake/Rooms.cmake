# SPDX-License-Identifier: Apache-2.0
# A room is a folder; another room includes its headers as "room/header.h", and can do so only if it links the room's
# target: the include path of a target holds one link, to its own folder. So a wrong #include does not compile.
function(spanring_room target)
  get_filename_component(room ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  set(view ${CMAKE_BINARY_DIR}/rooms/${room})
  file(MAKE_DIRECTORY ${view})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${view}/${room} SYMBOLIC)
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${view}>)
endfunction()
