// Runs a suite in two processes, so that a crash, a SIGBUS or a hang is a failure with a name.

#ifndef DAYBOOK_TESTS_CORRUPTION_DAMAGE_RUN_H_
#define DAYBOOK_TESTS_CORRUPTION_DAMAGE_RUN_H_

#include <filesystem>
#include <vector>

#include "tests/corruption/damage_shapes.h"
#include "tests/corruption/damage_suites.h"

namespace daybook::testing {

// Prints failures and what was counted. Whether all is as it should be.
bool RunSuite(const Suite& suite, const std::vector<Shape>& shapes,
              const std::filesystem::path& folder);

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_CORRUPTION_DAMAGE_RUN_H_
