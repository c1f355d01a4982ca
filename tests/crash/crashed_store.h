// A store whose writer was killed, and hands to change its bytes with.

#ifndef DAYBOOK_TESTS_CRASH_CRASHED_STORE_H_
#define DAYBOOK_TESTS_CRASH_CRASHED_STORE_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "daybook/store.h"
#include "log/format.h"
#include "tests/temp_folder.h"

namespace daybook::testing {

struct FrameAt {
  std::uint64_t offset = 0, end = 0;
  FrameKind kind = FrameKind::kData;
  std::uint64_t first_position = 0, events = 0;
};

class CrashedStore {
 public:
  struct Plan {
    std::uint64_t events = 8;
    std::size_t data_bytes = 300;
    std::uint64_t segment_bytes_max = std::uint64_t{1} << 20;
    bool close = false;  // closed, not killed
  };
  // Makes the store in a child process that kills itself right after its last append. Each event is
  // a frame of its own.
  explicit CrashedStore(const Plan& plan);

  [[nodiscard]] std::filesystem::path path() const { return folder_ / "store"; }
  [[nodiscard]] std::filesystem::path log(std::uint64_t first_position) const;
  [[nodiscard]] std::vector<std::uint64_t> segments() const;
  [[nodiscard]] std::vector<FrameAt> frames(std::uint64_t segment) const;
  [[nodiscard]] SegmentHeader header(std::uint64_t segment) const;

  // Bytes of a segment.
  [[nodiscard]] std::string Get(std::uint64_t segment, std::uint64_t offset,
                                std::uint64_t bytes) const;
  void Put(std::uint64_t segment, std::uint64_t offset, const std::string& bytes) const;
  void Zero(std::uint64_t segment, std::uint64_t begin, std::uint64_t end) const;
  void Flip(std::uint64_t segment, std::uint64_t offset) const;

  // WAKE as if the last durable position had been this one; or gone.
  void SetWake(std::uint64_t position) const;
  void RemoveWake() const;
  void RemoveIndex() const;
  void RemoveSidecars() const;

  // Everything but what is derived: STORE, WAKE and the log, by name.
  [[nodiscard]] std::map<std::string, std::string> Contents() const;

  // Checks that the reader sees the first `events` events as they were appended, and no more; an
  // end where damage stands is told as such. "" or what is wrong.
  enum class End { kWhole, kDamage };
  static std::string Check(const Reader& reader, std::uint64_t events, End end = End::kWhole);
  // Opens, checks the first `events`, appends, reopens, verifies. "" or what is wrong; `*notices`
  // gets what the first opening said.
  std::string GoesOnAfter(std::uint64_t events, std::string* notices) const;

 private:
  void Make() const;

  const Plan plan_;
  TempFolder folder_;
};

// The event at a position of a CrashedStore.
std::string StreamOfEvent(std::uint64_t position);
std::string DataOfEvent(std::uint64_t position, std::size_t bytes);

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_CRASH_CRASHED_STORE_H_
