# Installs the library, its headers, the CMake package and the pkg-config file.

include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(DAYBOOK_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Daybook)
get_property(DAYBOOK_INSTALLED GLOBAL PROPERTY DAYBOOK_LIBRARIES)
install(
  TARGETS daybook_core ${DAYBOOK_INSTALLED}
  EXPORT DaybookTargets
  FILE_SET HEADERS)
install(
  EXPORT DaybookTargets
  NAMESPACE daybook::
  DESTINATION ${DAYBOOK_CMAKE_DIR})

configure_package_config_file(
  ${CMAKE_CURRENT_LIST_DIR}/DaybookConfig.cmake.in ${PROJECT_BINARY_DIR}/DaybookConfig.cmake
  INSTALL_DESTINATION ${DAYBOOK_CMAKE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/DaybookConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(
  FILES ${PROJECT_BINARY_DIR}/DaybookConfig.cmake
        ${PROJECT_BINARY_DIR}/DaybookConfigVersion.cmake
        ${CMAKE_CURRENT_LIST_DIR}/FindLMDB.cmake
        ${CMAKE_CURRENT_LIST_DIR}/FindNATS.cmake
        ${CMAKE_CURRENT_LIST_DIR}/FindRdKafka.cmake
        ${CMAKE_CURRENT_LIST_DIR}/FindxxHash.cmake
  DESTINATION ${DAYBOOK_CMAKE_DIR})

# A static library hands everything that it needs to whoever links it; a shared one keeps it to
# itself.
set(DAYBOOK_PC_REQUIRES "absl_status absl_statusor")
set(DAYBOOK_PC_PRIVATE absl_cord absl_hash absl_raw_hash_set absl_strings capnp lmdb libxxhash)
list(JOIN DAYBOOK_PC_PRIVATE " " DAYBOOK_PC_PRIVATE)
if(NOT BUILD_SHARED_LIBS)
  string(APPEND DAYBOOK_PC_REQUIRES " ${DAYBOOK_PC_PRIVATE}")
  set(DAYBOOK_PC_PRIVATE "")
endif()
file(RELATIVE_PATH DAYBOOK_PC_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
     ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" DAYBOOK_PC_PREFIX ${DAYBOOK_PC_PREFIX})
configure_file(${CMAKE_CURRENT_LIST_DIR}/daybook.pc.in ${PROJECT_BINARY_DIR}/daybook.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/daybook.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# daybook-<name>.pc for each library that stands on the core.
foreach(target IN LISTS DAYBOOK_INSTALLED)
  string(REPLACE daybook_ "" DAYBOOK_PC_NAME ${target})
  get_property(own GLOBAL PROPERTY DAYBOOK_OWN_${target})
  string(REPLACE _ - own "${own}")
  list(JOIN own " " DAYBOOK_PC_OWN)
  get_property(foreign GLOBAL PROPERTY DAYBOOK_FOREIGN_${target})
  list(JOIN foreign " " DAYBOOK_PC_FOREIGN)
  # What a static library needs, those who link it need too.
  if(NOT BUILD_SHARED_LIBS)
    string(APPEND DAYBOOK_PC_OWN " ${DAYBOOK_PC_FOREIGN}")
    set(DAYBOOK_PC_FOREIGN "")
  endif()
  set(file daybook-${DAYBOOK_PC_NAME}.pc)
  configure_file(${CMAKE_CURRENT_LIST_DIR}/daybook-library.pc.in ${PROJECT_BINARY_DIR}/${file}
                 @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${file} DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
