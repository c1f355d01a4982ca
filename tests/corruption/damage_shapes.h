// The store that is damaged, in the shapes that a store can be found in.

#ifndef DAYBOOK_TESTS_CORRUPTION_DAMAGE_SHAPES_H_
#define DAYBOOK_TESTS_CORRUPTION_DAMAGE_SHAPES_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/corruption/answers.h"
#include "tests/corruption/damage_case.h"
#include "tests/corruption/store_tree.h"

namespace daybook::testing {

// Where a frame of a log file stands, or what stands before and behind the frames.
struct FramePlace {
  std::uint8_t file = 0;
  std::uint64_t begin = 0, end = 0;
  std::uint64_t events = 0;
  std::uint64_t durable_upto = 0;
};

struct Shape {
  std::string name;
  std::vector<std::string> names;  // of the files, in order
  std::vector<std::string> files;  // what they hold
  bool is_cheat = false;           // see MakeShapes
  std::uint8_t last_log = 0;       // the file that can end in a torn tail
  bool has_witness = false;        // something outside of the log saw its last position
  Truth of_reader;                 // what a reader answers, without the damage
  Truth of_store;                  // and the writer
  std::vector<FramePlace> frames;  // in order
  std::vector<RecordPlace> records;

  [[nodiscard]] const std::string& NameOf(const ChangedBytes& change) const {
    return names[change.file];
  }
  // Where the frame begins that holds this byte of a log file: 0 in the header, the end of the last
  // frame behind it.
  [[nodiscard]] std::uint64_t FrameBegin(std::uint8_t file, std::uint64_t offset) const;
  // The one window that docs/format/recovery.md states: no witness, and of the frames from the
  // first that was hit on, none that is left says that it was on the device.
  [[nodiscard]] bool IsWindow(const std::vector<ChangedBytes>& changes) const;
  // Within the window: whether the last group alone was hit.
  [[nodiscard]] bool IsLastGroup(const std::vector<ChangedBytes>& changes) const;
};

// Makes them:
//   clean        closed: a watermark at the end, WAKE
//   live         copied while the writer lives: the last group has no promise, but WAKE has seen it
//   unwitnessed  the same as a power loss may leave it: without WAKE
//   sealed       the last segment ends in a seal, with its sidecar, and nothing follows
// and two about which the judge is told what is not true, so that it must find fault:
//   lied         clean, but an event is expected to be another one
//   overclaimed  unwitnessed, but a witness is expected
absl::StatusOr<std::vector<Shape>> MakeShapes(const std::filesystem::path& scratch);

// Shapes as a run that failed left them, and back.
void SaveShapes(const std::vector<Shape>& shapes, const std::filesystem::path& folder);
absl::StatusOr<std::vector<Shape>> LoadShapes(const std::filesystem::path& folder,
                                              const std::filesystem::path& scratch);

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_CORRUPTION_DAMAGE_SHAPES_H_
