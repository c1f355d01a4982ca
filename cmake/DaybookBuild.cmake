# Settings of the whole build: ccache, sanitizers, warnings.

if(PROJECT_IS_TOP_LEVEL)
  find_program(DAYBOOK_CCACHE ccache)
  mark_as_advanced(DAYBOOK_CCACHE)
  foreach(language C CXX)
    if(DAYBOOK_CCACHE AND NOT DEFINED CMAKE_${language}_COMPILER_LAUNCHER)
      set(CMAKE_${language}_COMPILER_LAUNCHER ${DAYBOOK_CCACHE})
    endif()
  endforeach()
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
  endif()
endif()

# What ccache needs to see through a precompiled header, beside its sloppiness pch_defines and
# time_macros.
add_compile_options($<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>
                    "$<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>")

# The presets compile the sources of a target together (CMAKE_UNITY_BUILD), in a third of the time.
# g++ then takes a source for a header, whose public types have members of private ones.
if(CMAKE_UNITY_BUILD)
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()

# A sanitizer must see every translation unit, so these are not per target.
if(DAYBOOK_SANITIZE)
  add_compile_options(-fsanitize=${DAYBOOK_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${DAYBOOK_SANITIZE})
endif()
if(DAYBOOK_ASSERTIONS)
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
endif()

# Sets language level and warnings of one of our own targets.
#
# A designated initializer that leaves members at their defaults is how options and events are meant
# to be written, so g++'s -Wmissing-field-initializers is off. So is its -Wmaybe-uninitialized,
# which sees ghosts in Abseil's InlinedVector.
function(daybook_target_defaults target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  target_compile_options(
    ${target}
    PRIVATE -Wall
            -Wextra
            -Wconversion
            -Wshadow
            -Wno-missing-field-initializers
            $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
            $<$<CXX_COMPILER_ID:Clang,AppleClang>:-Wthread-safety>
            $<$<BOOL:${DAYBOOK_WERROR}>:-Werror>)
endfunction()
