# Tests. A test that cannot run here (no data folder, no rights) says "SKIPPED: why" on a line of
# its own, or exits with 77; scripts/test counts both.

# Lines, but no variables: what is read of a test that crashed, in a fifth less of its compilation.
set(DAYBOOK_TEST_DEBUG $<$<AND:$<CONFIG:Debug>,$<CXX_COMPILER_ID:GNU>>:-g1>)

# daybook_test_headers(<source> <header>)
#
# What the test programs share: a precompiled header. It serves objects that are compiled as its own
# are, that is, for an executable.
function(daybook_test_headers source header)
  add_library(daybook_test_headers OBJECT ${source})
  daybook_target_defaults(daybook_test_headers)
  set_target_properties(daybook_test_headers PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(daybook_test_headers PRIVATE -fPIE ${DAYBOOK_TEST_DEBUG})
  target_include_directories(daybook_test_headers PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(daybook_test_headers PRIVATE absl::strings absl::status absl::statusor
                                                     Catch2::Catch2)
  target_precompile_headers(daybook_test_headers PRIVATE ${header})
endfunction()

# daybook_test_executable(<target> SOURCES <file>... [LIBS <target>...] [CORE <target>])
#
# A Catch2 program, with the core or with what stands in its place. It may include the modules' own
# headers, "tests/catch.h", and what else stands in tests/.
function(daybook_test_executable target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "CORE" "SOURCES;LIBS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES)
    message(FATAL_ERROR "${target}: bad arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_CORE)
    set(arg_CORE daybook_core)
  endif()
  add_executable(${target} ${arg_SOURCES})
  daybook_target_defaults(${target})
  target_compile_options(${target} PRIVATE ${DAYBOOK_TEST_DEBUG})
  target_include_directories(
    ${target} PRIVATE ${PROJECT_SOURCE_DIR}/core ${PROJECT_BINARY_DIR}/core ${PROJECT_SOURCE_DIR}
                      ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${target} PRIVATE ${arg_CORE} daybook_catch_main ${arg_LIBS})
  target_precompile_headers(${target} REUSE_FROM daybook_test_headers)
endfunction()

# daybook_add_test(<name> COMMAND <command>... [LABELS <label>...] [TIMEOUT <seconds>] [PROPERTIES
# <name> <value>...])
#
# add_test with the properties that every test of ours has. What has long to run begins first.
function(daybook_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "COMMAND;LABELS;PROPERTIES")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_test(NAME ${name} COMMAND ${arg_COMMAND})
  set_tests_properties(
    ${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} COST ${arg_TIMEOUT} SKIP_RETURN_CODE 77
                       LABELS "${arg_LABELS}" ${arg_PROPERTIES})
  # `concurrency_tests` builds what the run under ThreadSanitizer needs, and no more.
  list(GET arg_COMMAND 0 program)
  if("concurrency" IN_LIST arg_LABELS AND TARGET ${program})
    if(NOT TARGET concurrency_tests)
      add_custom_target(concurrency_tests)
    endif()
    add_dependencies(concurrency_tests ${program})
  endif()
endfunction()

# daybook_unit_test(<module> SOURCES <file>... [LIBS <target>...] [LABELS <label>...] [TIMEOUT
# <seconds>])
#
# The unit tests of one module: the program daybook_<module>_test and the ctest entry unit.<module>
# with the labels `unit`, the module's name and LABELS. The label `concurrency` adds the test to the
# run under ThreadSanitizer.
function(daybook_unit_test module)
  if(NOT DAYBOOK_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;LIBS;LABELS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "daybook_unit_test(${module}): unknown: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  daybook_test_executable(daybook_${module}_test SOURCES ${arg_SOURCES} LIBS ${arg_LIBS})
  daybook_add_test(unit.${module} COMMAND daybook_${module}_test LABELS unit ${module} ${arg_LABELS}
                   TIMEOUT ${arg_TIMEOUT})
endfunction()

# daybook_fuzzer(<name> SOURCES <file>... [LIBS <target>...])
#
# A libFuzzer program daybook_<name>_fuzz, and a ctest entry fuzz.<name> that runs it for as long as
# the table in tests/fuzz/run.py says. Only in a build with DAYBOOK_BUILD_FUZZERS.
function(daybook_fuzzer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
  set(target daybook_${name}_fuzz)
  add_executable(${target} ${arg_SOURCES})
  daybook_target_defaults(${target})
  target_include_directories(
    ${target} PRIVATE ${PROJECT_SOURCE_DIR}/core ${PROJECT_BINARY_DIR}/core ${PROJECT_SOURCE_DIR})
  target_compile_options(${target} PRIVATE -fsanitize=fuzzer)
  target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  target_link_libraries(${target} PRIVATE daybook_core absl::status absl::statusor absl::strings
                                          ${arg_LIBS})
  add_dependencies(fuzzers ${target})
  if(DAYBOOK_BUILD_TESTS)
    daybook_add_test(
      fuzz.${name}
      COMMAND ${PROJECT_SOURCE_DIR}/tests/fuzz/run.py smoke ${name} --build ${PROJECT_BINARY_DIR}
      LABELS fuzz
      TIMEOUT 300)
  endif()
endfunction()
