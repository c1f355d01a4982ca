// What stands behind a Reader: in the writer's process the writer itself, in others a follower of
// the log.

#ifndef DAYBOOK_STORE_READER_IMPL_H_
#define DAYBOOK_STORE_READER_IMPL_H_

#include <chrono>
#include <filesystem>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "daybook/store.h"
#include "log/format.h"
#include "read/segments.h"
#include "read/view.h"
#include "store/store_file.h"

namespace daybook {

inline absl::Status NotInTime(Position position, std::uint64_t head) {
  return absl::DeadlineExceededError(
      absl::StrCat("position ", position.value(), " did not come in time; the head is ", head));
}

// Thread-safe.
class Reader::Impl {
 public:
  Impl(std::filesystem::path directory, const StoreHeader& store, NoticeHandler on_notice)
      : directory_(std::move(directory)),
        store_(store),
        incarnation_(UuidText(store.incarnation)),
        on_notice_(std::move(on_notice)) {}
  virtual ~Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // What a read works on. kFailedPrecondition where there is nothing to be read any more (a forked
  // child).
  virtual absl::StatusOr<ReadView> View() = 0;
  [[nodiscard]] virtual Position visible() = 0;
  [[nodiscard]] virtual Position durable() = 0;
  virtual absl::StatusOr<Position> WaitVisible(Position position,
                                               std::chrono::milliseconds timeout) = 0;
  virtual absl::StatusOr<Position> AwaitDurable(Position position,
                                                std::chrono::milliseconds timeout,
                                                const std::function<bool()>& keep_going) = 0;
  virtual void WakeWaiters() = 0;
  // Fills what only the writer knows.
  virtual void FillStats(StoreStats* stats) { static_cast<void>(stats); }

  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  [[nodiscard]] const StoreHeader& store() const { return store_; }
  [[nodiscard]] const std::string& incarnation() const { return incarnation_; }

 protected:
  const std::filesystem::path directory_;
  const StoreHeader store_;
  const std::string incarnation_;
  const NoticeHandler on_notice_;
  SegmentSet segments_;
};

}  // namespace daybook

#endif  // DAYBOOK_STORE_READER_IMPL_H_
