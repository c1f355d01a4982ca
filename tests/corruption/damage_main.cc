// Every damage to a small store, one at a time, by suites:
//
//   daybook_damage                      all suites
//   daybook_damage --suite log_bits     one of them
//   daybook_damage --case 'flip clean log/00000000000000000001.log 4711 3' [--store FOLDER]
//
// A suite says what it counted on a line `counted: {...}`. Where a case fails, the store is kept
// and the line that tries the case again is printed. DAYBOOK_SOAK=1 takes every case and
// asks everybody, without it two of five are taken; DAYBOOK_TEST_SHORT=1 takes every 97th case.

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "tests/corruption/damage_lab.h"
#include "tests/corruption/damage_run.h"
#include "tests/corruption/damage_shapes.h"
#include "tests/corruption/damage_suites.h"
#include "tests/temp_folder.h"

namespace daybook::testing {
namespace {

int RunOne(const std::vector<Shape>& shapes, const std::filesystem::path& folder,
           const std::string& text) {
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    if (text.find(" " + shapes[i].name + " ") == std::string::npos) continue;
    auto damage = ParseDamage(text, shapes[i].names);
    if (!damage) break;
    damage->shape = static_cast<std::uint8_t>(i);
    Counts counts{};
    Lab lab(folder / "lab", shapes);
    const std::string wrong = lab.Judge(*damage,
                                        {.decide = damage->kind == DamageKind::kFlip,
                                         .verify = true,
                                         .reader = true,
                                         .store = true},
                                        &counts);
    std::cout << text << ": " << (wrong.empty() ? "as it should" : wrong) << "\n";
    for (std::size_t c = 0; c < kCounts; ++c) {
      if (counts[c] != 0) std::cout << "  " << NameOf(static_cast<Count>(c)) << "\n";
    }
    return wrong.empty() ? 0 : 1;
  }
  std::cerr << "there is no such case: " << text << "\n";
  return 2;
}

int Main(const std::vector<std::string>& arguments) {
  std::string suite, one, store;
  for (std::size_t i = 0; i + 1 < arguments.size(); i += 2) {
    if (arguments[i] == "--suite") suite = arguments[i + 1];
    if (arguments[i] == "--case") one = arguments[i + 1];
    if (arguments[i] == "--store") store = arguments[i + 1];
  }
  // In memory where that can be: this is about bytes, not about devices.
  if (std::getenv("TMPDIR") == nullptr && std::filesystem::is_directory("/dev/shm")) {
    setenv("TMPDIR", "/dev/shm", 1);
  }
  const TempFolder folder;
  const auto shapes = store.empty() ? MakeShapes(folder.path()) : LoadShapes(store, folder.path());
  if (!shapes.ok()) {
    std::cerr << shapes.status() << "\n";
    return 2;
  }
  if (!one.empty()) return RunOne(*shapes, folder.path(), one);
  bool known = false;
  bool good = true;
  for (const Suite& candidate : AllSuites()) {
    if (!suite.empty() && suite != candidate.name) continue;
    known = true;
    good = RunSuite(candidate, *shapes, folder.path()) && good;
  }
  if (known) return good ? 0 : 1;
  std::cerr << "there is no suite " << suite << "\n";
  return 2;
}

}  // namespace
}  // namespace daybook::testing

int main(int argc, char** argv) {
  return daybook::testing::Main(std::vector<std::string>(argv + 1, argv + argc));
}
