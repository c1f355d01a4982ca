# Finds nats.c: the target NATS::NATS, NATS_VERSION. Debian's package of it has a CMake package that
# wants a static library which is not in it.

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(PC_NATS QUIET libnats)
endif()

find_path(NATS_INCLUDE_DIR nats/nats.h HINTS ${PC_NATS_INCLUDE_DIRS})
find_library(NATS_LIBRARY nats HINTS ${PC_NATS_LIBRARY_DIRS})
mark_as_advanced(NATS_INCLUDE_DIR NATS_LIBRARY)

if(NATS_INCLUDE_DIR AND EXISTS ${NATS_INCLUDE_DIR}/nats/version.h)
  file(STRINGS ${NATS_INCLUDE_DIR}/nats/version.h line REGEX "^#define[ \t]+NATS_VERSION_STRING")
  string(REGEX REPLACE ".*\"([^\"]+)\".*" "\\1" NATS_VERSION "${line}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  NATS
  REQUIRED_VARS NATS_LIBRARY NATS_INCLUDE_DIR
  VERSION_VAR NATS_VERSION)

if(NATS_FOUND AND NOT TARGET NATS::NATS)
  add_library(NATS::NATS UNKNOWN IMPORTED)
  set_target_properties(
    NATS::NATS PROPERTIES IMPORTED_LOCATION ${NATS_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES
                                                            ${NATS_INCLUDE_DIR})
endif()
