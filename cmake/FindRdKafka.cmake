# Finds librdkafka, which ships a pkg-config file but on Debian no CMake package: the target
# RdKafka::rdkafka (the name that its own package has where there is one), RdKafka_VERSION.

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(PC_RdKafka QUIET rdkafka)
endif()

find_path(RdKafka_INCLUDE_DIR librdkafka/rdkafka.h HINTS ${PC_RdKafka_INCLUDE_DIRS})
find_library(RdKafka_LIBRARY rdkafka HINTS ${PC_RdKafka_LIBRARY_DIRS})
mark_as_advanced(RdKafka_INCLUDE_DIR RdKafka_LIBRARY)

# #define RD_KAFKA_VERSION 0x020002ff
if(RdKafka_INCLUDE_DIR AND EXISTS ${RdKafka_INCLUDE_DIR}/librdkafka/rdkafka.h)
  file(STRINGS ${RdKafka_INCLUDE_DIR}/librdkafka/rdkafka.h line
       REGEX "^#define[ \t]+RD_KAFKA_VERSION[ \t]+0x[0-9a-fA-F]+")
  set(RdKafka_VERSION "")
  if(line MATCHES "0x([0-9a-fA-F][0-9a-fA-F])([0-9a-fA-F][0-9a-fA-F])([0-9a-fA-F][0-9a-fA-F])")
    foreach(part ${CMAKE_MATCH_1} ${CMAKE_MATCH_2} ${CMAKE_MATCH_3})
      math(EXPR number "0x${part}")
      list(APPEND RdKafka_VERSION ${number})
    endforeach()
    list(JOIN RdKafka_VERSION "." RdKafka_VERSION)
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  RdKafka
  REQUIRED_VARS RdKafka_LIBRARY RdKafka_INCLUDE_DIR
  VERSION_VAR RdKafka_VERSION)

if(RdKafka_FOUND AND NOT TARGET RdKafka::rdkafka)
  add_library(RdKafka::rdkafka UNKNOWN IMPORTED)
  set_target_properties(
    RdKafka::rdkafka PROPERTIES IMPORTED_LOCATION ${RdKafka_LIBRARY}
                                INTERFACE_INCLUDE_DIRECTORIES ${RdKafka_INCLUDE_DIR})
endif()
