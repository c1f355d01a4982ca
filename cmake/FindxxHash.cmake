# Finds xxHash, which ships a pkg-config file but on Debian no CMake package: the target
# xxHash::xxhash (the name that xxHash's own package has where there is one), xxHash_VERSION.

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(PC_xxHash QUIET libxxhash)
endif()

find_path(xxHash_INCLUDE_DIR xxhash.h HINTS ${PC_xxHash_INCLUDE_DIRS})
find_library(xxHash_LIBRARY xxhash HINTS ${PC_xxHash_LIBRARY_DIRS})
mark_as_advanced(xxHash_INCLUDE_DIR xxHash_LIBRARY)

if(xxHash_INCLUDE_DIR AND EXISTS ${xxHash_INCLUDE_DIR}/xxhash.h)
  set(xxHash_VERSION "")
  foreach(part MAJOR MINOR RELEASE)
    file(STRINGS ${xxHash_INCLUDE_DIR}/xxhash.h line
         REGEX "^#define[ \t]+XXH_VERSION_${part}[ \t]+[0-9]+")
    string(REGEX REPLACE "^#define[ \t]+XXH_VERSION_${part}[ \t]+([0-9]+).*" "\\1" number
                         "${line}")
    list(APPEND xxHash_VERSION ${number})
  endforeach()
  list(JOIN xxHash_VERSION "." xxHash_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  xxHash
  REQUIRED_VARS xxHash_LIBRARY xxHash_INCLUDE_DIR
  VERSION_VAR xxHash_VERSION)

if(xxHash_FOUND AND NOT TARGET xxHash::xxhash)
  add_library(xxHash::xxhash UNKNOWN IMPORTED)
  set_target_properties(
    xxHash::xxhash PROPERTIES IMPORTED_LOCATION ${xxHash_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES
                                                            ${xxHash_INCLUDE_DIR})
endif()
