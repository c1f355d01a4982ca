// What the events of a log say, checked against each other: the bodies by two readers, versions and
// links of every stream, and what is derived from them.

#ifndef DAYBOOK_STORE_VERIFY_EVENTS_H_
#define DAYBOOK_STORE_VERIFY_EVENTS_H_

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "append/heads.h"
#include "daybook/store.h"
#include "index/active_index.h"
#include "index/head_store.h"
#include "kv/lmdb_snapshot.h"
#include "store/verify_check.h"
#include "store/verify_walk.h"

namespace daybook {

// A stream, as far as it was walked.
struct StreamState {
  Spine spine;
  std::array<std::uint64_t, kHeadPositionsMax>
      last{};  // positions of its last events, newest first
  std::int64_t effective_min = INT64_MAX;
  std::int64_t effective_max = INT64_MIN;
  bool beyond_loss = false;  // an event between was lost: its skips cannot be recomputed any more
};
using StreamStates = absl::flat_hash_map<std::string, StreamState>;

// index/, against the heads of the streams at the position up to which it was applied.
class HeadsCheck {
 public:
  // What stands in `directory`/index now. Where there is none, or a newer one comes along
  // meanwhile, nothing is found.
  HeadsCheck(const std::filesystem::path& directory, const StoreIdentity& identity,
             FileAccess access, std::vector<Finding>* findings);

  // The position up to which it was applied; 0 where it is not there or damaged.
  [[nodiscard]] std::uint64_t applied() const { return applied_; }
  // To be called once, when all events up to applied() were seen and none behind it. `lossy`:
  // events before it were lost.
  void Check(const StreamStates& streams, bool lossy);
  // The catalogue, at the end.
  void CheckCatalogue(const LogPicture& picture, const WalkResult& walk);

 private:
  void Find(const absl::Status& status);
  void Find(std::string_view hint);

  std::vector<Finding>* const findings_;
  std::optional<LmdbSnapshot> snapshot_;
  std::uint64_t applied_ = 0;
};

// The sidecar of one segment, against an index that is rebuilt beside the walk.
class SidecarCheck {
 public:
  SidecarCheck(const std::filesystem::path& directory, const LogPicture& picture,
               std::vector<Finding>* findings)
      : directory_(directory), picture_(picture), findings_(findings) {}

  // Sidecars of the segments that begin at these positions are written anew instead of being
  // checked.
  void Rewrite(std::set<std::uint64_t> first_positions) { rewrite_ = std::move(first_positions); }
  [[nodiscard]] std::uint64_t rewritten() const { return rewritten_; }
  [[nodiscard]] const absl::Status& write_status() const { return write_status_; }

  void BeginSegment(const LogFile& file);
  void Add(std::uint64_t offset, const RecordHeader& record, const EventView& event);
  void Lose(PositionSpan positions);
  void EndSegment(const LogFile& file, const SegmentEnd& end);

 private:
  void FillUpTo(std::uint64_t position);
  // What the sidecar of the segment must say; false where that cannot be known.
  bool KeyOf(const LogFile& file, const SegmentEnd& end, SidecarKey* key) const;
  void Write(const LogFile& file, const SegmentEnd& end);
  void Check(const LogFile& file, const SegmentEnd& end);

  const std::filesystem::path directory_;
  const LogPicture& picture_;
  std::vector<Finding>* const findings_;
  std::unique_ptr<ActiveIndex> index_;
  bool lossy_ = false;
  std::set<std::uint64_t> rewrite_;
  std::uint64_t rewritten_ = 0;
  absl::Status write_status_;
};

// What is the first difference between a sidecar and the index that the log gives, or nullptr.
// `lossy`: only what both know is compared.
const char* CompareIndexes(const ActiveIndex& log, const SegmentIndex& sidecar, bool lossy);

class EventsCheck {
 public:
  EventsCheck(HeadsCheck* heads, SidecarCheck* sidecars, StoreCheck* check)
      : heads_(heads), sidecars_(sidecars), check_(check) {}

  void OnEvent(const LogSegment& segment, std::uint64_t offset, const RecordHeader& record,
               const EventView& event);
  void OnLost(PositionSpan positions);
  void Finish();

 private:
  void CheckBody(const LogSegment& segment, std::uint64_t offset, const RecordHeader& record,
                 const EventView& event);
  const char* CheckLinks(const RecordHeader& record, StreamState* stream);
  [[nodiscard]] bool IsLost(std::uint64_t position) const;

  HeadsCheck* const heads_;
  SidecarCheck* const sidecars_;
  StoreCheck* const check_;
  StreamStates streams_;
  std::vector<PositionSpan> lost_;  // ascending
  bool heads_checked_ = false;
};

}  // namespace daybook

#endif  // DAYBOOK_STORE_VERIFY_EVENTS_H_
