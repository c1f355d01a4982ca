// Does one damage to a store on disk, asks verify, a reader and a writer about it, and judges what
// they say.

#ifndef DAYBOOK_TESTS_CORRUPTION_DAMAGE_LAB_H_
#define DAYBOOK_TESTS_CORRUPTION_DAMAGE_LAB_H_

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/corruption/damage_case.h"
#include "tests/corruption/damage_shapes.h"

namespace daybook::testing {

// What goes wrong on purpose, to see that it is noticed.
enum class Sabotage : std::uint8_t { kNone, kCrash, kHang, kBlameAnother, kLookAway };

// Who is asked about a case.
struct Levels {
  Sabotage sabotage = Sabotage::kNone;
  // The code that decides, by itself: for the log the frame scanner and the decision about the
  // tail, in memory; for a sidecar its checks; for the LMDB file the check of its pages and what
  // stands in its tables.
  bool decide = false;
  bool verify = false;
  bool reader = false;
  bool store = false;         // opened for writing, read, and appended to
  Depth depth = Depth::kAll;  // of the reader
};

// What is counted.
enum class Count : std::uint8_t {
  kCases,
  kNoChange,       // the bytes are the same: nothing was damaged
  kFound,          // verify names it
  kHarmless,       // verify says nothing, and every answer is as before
  kWindow,         // the window of docs/format/recovery.md: the last group alone
  kWindowWider,    // the same, and the promise for the group before it went with it
  kDecided,        // the code that decides was asked by itself
  kDecidedTorn,    // and said torn or intact, within the window
  kDecidedSame,    // a page of LMDB passed, and its tables hold what they held
  kReader,         // readers that opened
  kReaderSame,     // all their answers as before
  kReaderSaid,     // answers refused, each naming the file
  kReaderRefused,  // did not open, naming the file
  kStore,
  kStoreSame,
  kStoreSaid,
  kStoreRefused,
  kStoreCleared,  // a tail was cleared, beyond all that was acknowledged
  kVerifyMicroseconds,
  kReaderMicroseconds,
  kStoreMicroseconds,
};
inline constexpr std::size_t kCounts = 21;
const char* NameOf(Count count);
using Counts = std::array<std::uint64_t, kCounts>;

class Lab {
 public:
  // Works in `folder`, which is its own.
  Lab(std::filesystem::path folder, const std::vector<Shape>& shapes)
      : folder_(std::move(folder)), shapes_(shapes) {}

  // Judges one case and leaves the store as it was. What is wrong, or empty.
  std::string Judge(const DamageCase& damage, const Levels& levels, Counts* counts);

 private:
  void Load(std::uint8_t shape);
  void Apply(const std::vector<ChangedBytes>& changes) const;
  void Undo(const std::vector<ChangedBytes>& changes) const;

  // `everybody` is set where the code by itself does not say what comes of it.
  std::string DecideDerived(const Shape& shape, const std::vector<ChangedBytes>& changes,
                            bool* everybody, Counts* counts) const;
  std::string Ask(const Shape& shape, const std::vector<ChangedBytes>& changes,
                  const Levels& levels, Counts* counts) const;
  std::string AskVerify(const Shape& shape, const std::vector<ChangedBytes>& changes, bool* found,
                        Counts* counts) const;
  std::string AskReader(const Shape& shape, const std::vector<ChangedBytes>& changes, bool found,
                        Depth depth, Counts* counts) const;
  std::string AskStore(const Shape& shape, const std::vector<ChangedBytes>& changes, bool found,
                       Counts* counts) const;

  const std::filesystem::path folder_;
  const std::vector<Shape>& shapes_;
  int loaded_ = -1;
  std::vector<std::string> tables_;  // what the LMDB file of the loaded shape holds
};

// The case decided in memory, by the code that opening runs. What is wrong, or empty.
std::string DecideInMemory(const Shape& shape, const std::vector<ChangedBytes>& changes,
                           Counts* counts);

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_CORRUPTION_DAMAGE_LAB_H_
