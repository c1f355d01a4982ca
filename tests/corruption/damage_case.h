// One damage to the files of a store: which bytes become what, as a value that fits a line of text.

#ifndef DAYBOOK_TESTS_CORRUPTION_DAMAGE_CASE_H_
#define DAYBOOK_TESTS_CORRUPTION_DAMAGE_CASE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/corruption/store_tree.h"

namespace daybook::testing {

inline constexpr std::uint32_t kSectorBytes = 512;

enum class DamageKind : std::uint8_t {
  kNone,  // as it is: what must be found harmless
  kFlip,  // the bit `other_at` of the byte at `at`
  kCut,   // the file ends at `at`
  kZero,  // the sector at `at` is zeros
  kCopy,  // the sector at `at` stands over the one at `other_at` in `other_file`
  kSwap,  // the two sectors have changed places
};

// What is done to one of the shapes of a store (see damage_shapes.h). Files are numbers: the place
// of the name among the names of the shape's files.
struct DamageCase {
  DamageKind kind = DamageKind::kNone;
  std::uint8_t shape = 0;
  std::uint8_t file = 0;
  std::uint8_t other_file = 0;
  std::uint32_t at = 0;
  std::uint32_t other_at = 0;
};
static_assert(sizeof(DamageCase) == 12);

// Bytes of one file that a case changes.
struct ChangedBytes {
  std::uint8_t file = 0;
  std::uint64_t at = 0;
  std::string bytes;  // that stand there afterwards; of a cut none
  std::uint64_t end = 0;
};

// What the case changes, sector by sector and without those that stay as they are. Of a cut: one
// entry, from the cut to the old end.
std::vector<ChangedBytes> ChangesOf(const DamageCase& damage,
                                    const std::vector<std::string>& files);

// "flip clean log/00000000000000000001.log 4711 3", and back. `names` are those of the shape.
std::string ToText(const DamageCase& damage, const std::string& shape,
                   const std::vector<std::string>& names);
std::optional<DamageCase> ParseDamage(const std::string& text,
                                      const std::vector<std::string>& names);

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_CORRUPTION_DAMAGE_CASE_H_
