# Picks a clang for the sanitizer and fuzz presets; Debian's carries its version in the name.

find_program(DAYBOOK_CLANG NAMES clang-14 clang-15 clang-16 clang-17 clang-18 clang-19 clang
                                 REQUIRED)
find_program(DAYBOOK_CLANGXX NAMES clang++-14 clang++-15 clang++-16 clang++-17 clang++-18
                                   clang++-19 clang++ REQUIRED)
mark_as_advanced(DAYBOOK_CLANG DAYBOOK_CLANGXX)
set(CMAKE_C_COMPILER ${DAYBOOK_CLANG})
set(CMAKE_CXX_COMPILER ${DAYBOOK_CLANGXX})
