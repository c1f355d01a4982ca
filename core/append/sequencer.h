// The sequencer: whether a commit may go in, and where it stands. Everything here happens under one
// lock, touches memory only, and never waits: what would have to wait is said to the caller, who
// waits without the lock and comes again.

#ifndef DAYBOOK_APPEND_SEQUENCER_H_
#define DAYBOOK_APPEND_SEQUENCER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "append/commit.h"
#include "append/group.h"
#include "log/segment_writer.h"
#include "log/spare.h"

namespace daybook {

// What the answer to a commit can be.
struct Sequenced {
  enum class Outcome : std::uint8_t {
    kDone,         // it is in `group`
    kRejected,     // `status` says why; it rests on what is visible
    kWaitVisible,  // the verdict rests on `position`, which is not visible yet
    kLookAgain,    // something became visible that the caller has not looked at
    kWaitSpare,    // there is no spare segment of `bytes` yet
    kWaitRoom,     // too many bytes are on their way
  };
  Outcome outcome = Outcome::kDone;
  absl::Status status;
  std::uint64_t position = 0;
  std::uint64_t bytes = 0;
  std::shared_ptr<Group> group;
};

// Not thread-safe: its owner's lock is held around every call.
class Sequencer {
 public:
  struct Config {
    std::function<Timestamp()> clock;
    std::uint64_t segment_bytes_max = 0;
    std::uint64_t staged_bytes_max = std::uint64_t{64} << 20;
    std::uint64_t group_bytes_max = std::uint64_t{8} << 20;  // a larger commit stands alone
  };

  Sequencer(Config config, const LogTail& tail, std::int64_t last_recorded_at, SpareMaker* spare);

  // Checks the commit, whose ids and conditions the caller has looked up to `looked_upto`, and
  // gives it its place. `visible` is the position up to which verdicts may rest. `open` is the
  // group that still takes commits, or nullptr; a new one is made where it cannot take this one.
  Sequenced Sequence(Commit::Impl* commit, std::uint64_t looked_upto, std::uint64_t visible,
                     const std::shared_ptr<Group>& open);

  // Room for a watermark after all that is sequenced. False where the segment has none.
  bool ReserveWatermark();

  // A group is done: its commits are visible, or have failed with all others.
  void Finished(const Group& group, std::uint64_t visible);
  // The segment was sealed where it stands.
  void Sealed() { sealed_ = true; }
  // The segment is to be sealed where it stands. False where it is sealed.
  bool ReserveSeal() { return !std::exchange(sealed_, true); }

  [[nodiscard]] std::uint64_t sequenced() const { return sequenced_; }
  [[nodiscard]] std::int64_t last_recorded_at() const { return last_recorded_at_; }
  // How far the clock was last found behind; 0 where it is not.
  [[nodiscard]] std::int64_t clock_behind_ns() const { return clock_behind_ns_; }

 private:
  struct OnItsWay {
    std::uint64_t last_position;
    const Commit::Impl* commit;
  };

  bool CheckIds(const Commit::Impl& commit, std::uint64_t looked_upto, Sequenced* result) const;
  bool CheckVersions(const Commit::Impl& commit, std::uint64_t looked_upto, std::uint64_t visible,
                     Sequenced* result) const;
  bool CheckConditions(const Commit::Impl& commit, std::uint64_t looked_upto,
                       Sequenced* result) const;
  bool FindRoom(const Commit::Impl& commit, const std::shared_ptr<Group>& open, std::uint64_t bytes,
                Sequenced* result);
  void Place(Commit::Impl* commit, Group* group);
  // Where enough of the segment is used.
  void RequestSpare();
  std::int64_t NextTime();

  const Config config_;
  SpareMaker* const spare_;

  // The segment into which the next commit goes, and where its frame would begin.
  SegmentPlan segment_;
  std::uint64_t offset_;
  bool sealed_;
  bool spare_requested_ = false;

  std::uint64_t sequenced_;
  std::int64_t last_recorded_at_;
  std::int64_t clock_behind_ns_ = 0;
  std::uint64_t staged_bytes_ = 0;
  std::deque<OnItsWay> on_their_way_;
  std::uint64_t forgotten_upto_;  // commits up to here are no longer in on_their_way_
};

}  // namespace daybook

#endif  // DAYBOOK_APPEND_SEQUENCER_H_
