# daybook_module(<name> SOURCES <file>... [DEPS <module>...] [LIBS <target>...])
#
# Declares a module of core/: the object library daybook_<name> (alias daybook::<name>), whose
# objects become part of daybook::core. DEPS are the modules below it, LIBS the third-party targets
# that its sources use.
#
# Every module sees core/ ("io/file.h"), core/include ("daybook/store.h") and what is generated into
# core/ of the build folder ("log/event.capnp.h").
function(daybook_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS;LIBS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES)
    message(FATAL_ERROR "daybook_module(${name}): bad arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  set(target daybook_${name})
  add_library(${target} OBJECT ${arg_SOURCES})
  add_library(daybook::${name} ALIAS ${target})
  daybook_target_defaults(${target})
  target_include_directories(
    ${target} PUBLIC ${PROJECT_SOURCE_DIR}/core ${PROJECT_SOURCE_DIR}/core/include
                     ${PROJECT_BINARY_DIR}/core)
  target_link_libraries(${target} PUBLIC absl::status absl::statusor Threads::Threads ${arg_LIBS})
  foreach(dep IN LISTS arg_DEPS)
    target_link_libraries(${target} PUBLIC daybook_${dep})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY DAYBOOK_CORE_MODULES ${target})
  set_property(GLOBAL APPEND PROPERTY DAYBOOK_CORE_LIBS ${arg_LIBS})
endfunction()

# daybook_library(<name> HEADERS <file>... [SOURCES <file>...] [PUBLIC <target>...] [LIBS
# <target>...] [PKG_CONFIG <package>...])
#
# Declares a library that stands on the core and is installed beside it: daybook_<name>, alias
# daybook::<name>, with the public headers in include/ of its folder. PUBLIC are the libraries of
# ours that its headers include (daybook_<other>), LIBS what only its sources use, PKG_CONFIG the
# names that those have for pkg-config.
#
# Beside public headers it sees kv, io and base of the core, for tables, files and threads of its
# own, and its own folder by its name ("snapshot/ladder.h").
function(daybook_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "HEADERS;SOURCES;PUBLIC;LIBS;PKG_CONFIG")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_HEADERS)
    message(FATAL_ERROR "daybook_library(${name}): bad arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  set(target daybook_${name})
  add_library(${target} ${arg_SOURCES})
  add_library(daybook::${name} ALIAS ${target})
  daybook_target_defaults(${target})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/core)
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS include FILES ${arg_HEADERS})
  target_link_libraries(
    ${target}
    PUBLIC daybook_core ${arg_PUBLIC}
    PRIVATE ${arg_LIBS} absl::strings absl::flat_hash_map absl::flat_hash_set Threads::Threads)
  set_target_properties(
    ${target}
    PROPERTIES EXPORT_NAME ${name}
               LINKER_LANGUAGE CXX
               VERSION ${PROJECT_VERSION}
               SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  set_property(GLOBAL APPEND PROPERTY DAYBOOK_LIBRARIES ${target})
  set_property(GLOBAL PROPERTY DAYBOOK_OWN_${target} daybook ${arg_PUBLIC})
  set_property(GLOBAL PROPERTY DAYBOOK_FOREIGN_${target} ${arg_PKG_CONFIG})
endfunction()
