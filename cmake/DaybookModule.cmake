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
