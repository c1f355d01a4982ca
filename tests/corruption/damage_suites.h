// Which damages there are, and who is asked about each.

#ifndef DAYBOOK_TESTS_CORRUPTION_DAMAGE_SUITES_H_
#define DAYBOOK_TESTS_CORRUPTION_DAMAGE_SUITES_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/corruption/damage_lab.h"
#include "tests/corruption/damage_shapes.h"

namespace daybook::testing {

struct Job {
  DamageCase damage;
  Levels levels;
};

struct Suite {
  std::string name;
  std::function<std::vector<Job>(const std::vector<Shape>&)> jobs;
  // A suite that shows that the rest can fail: every job must.
  bool must_fail = false;
};

const std::vector<Suite>& AllSuites();

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_CORRUPTION_DAMAGE_SUITES_H_
