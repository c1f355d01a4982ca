// Reads a store from a process that does not write it: with read rights only, up to what is
// durable, woken by the writer.

#ifndef DAYBOOK_STORE_FOLLOWER_H_
#define DAYBOOK_STORE_FOLLOWER_H_

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "index/active_index.h"
#include "io/wake_page.h"
#include "store/catch_up.h"
#include "store/reader_impl.h"

namespace daybook {

// The last position that the log itself proves to be on the device: the events of the frames that a
// later promise, a watermark or a seal covers. Where a promise behind a bad frame covers that
// frame, its first position: the read is to run into the damage.
std::uint64_t ProvenPosition(const LogSegment& segment);

class Follower : public Reader::Impl {
 public:
  static absl::StatusOr<std::shared_ptr<Reader::Impl>> Open(const std::filesystem::path& directory,
                                                            const ReaderOptions& options);
  Follower(std::filesystem::path directory, const StoreHeader& store, const ReaderOptions& options)
      : Impl(std::move(directory), store, options.on_notice),
        access_(options.access),
        heads_(&segments_) {}

  absl::StatusOr<ReadView> View() override;
  Position visible() override;
  Position durable() override { return visible(); }
  absl::StatusOr<Position> WaitVisible(Position position,
                                       std::chrono::milliseconds timeout) override {
    return AwaitDurable(position, timeout, nullptr);
  }
  absl::StatusOr<Position> AwaitDurable(Position position, std::chrono::milliseconds timeout,
                                        const std::function<bool()>& keep_going) override;
  void WakeWaiters() override;

 private:
  absl::Status OpenSealed(const std::shared_ptr<const LogSegment>& log, std::uint64_t last_position,
                          const SidecarKey& key) DAYBOOK_REQUIRES(mutex_);
  absl::Status OpenLast(const std::shared_ptr<const LogSegment>& log) DAYBOOK_REQUIRES(mutex_);
  absl::Status OpenAll() DAYBOOK_REQUIRES(mutex_);
  // Looks how far the writer is, and follows. Cheap where nothing moved.
  absl::Status Refresh();
  absl::Status Follow(std::uint64_t limit) DAYBOOK_REQUIRES(mutex_);
  // Nothing behind what is visible can be read, because of this.
  void StopAt(absl::Status damage) DAYBOOK_REQUIRES(mutex_);
  absl::Status NextSegment() DAYBOOK_REQUIRES(mutex_);
  void UseSidecars() DAYBOOK_REQUIRES(mutex_);
  void OpenWake();
  // The durable position that WAKE says; 0 where it says nothing.
  [[nodiscard]] std::uint64_t WakePosition() const;

  const FileAccess access_;
  SegmentHeads heads_;
  // Set at opening, or when the first writer comes.
  std::atomic<const WakeReader*> wake_{nullptr};
  std::unique_ptr<const WakeReader> wake_owner_;
  std::atomic<std::uint64_t> visible_{0};

  Mutex mutex_;
  // The last segment, while it grows.
  std::unique_ptr<CatchUp> catch_up_ DAYBOOK_GUARDED_BY(mutex_);
  // Where the log goes on once the last segment is sealed and everything in it seen.
  std::uint64_t next_position_ DAYBOOK_GUARDED_BY(mutex_) = 1;
  // Sealed segments whose index is still in memory, until their sidecars are there.
  std::vector<std::shared_ptr<Segment>> without_sidecar_ DAYBOOK_GUARDED_BY(mutex_);
  std::shared_ptr<Segment> last_ DAYBOOK_GUARDED_BY(mutex_);
  absl::Status damage_ DAYBOOK_GUARDED_BY(mutex_);  // what stands in the way of going on
  std::atomic<bool> damaged_{false};                // whether anything does
};

}  // namespace daybook

#endif  // DAYBOOK_STORE_FOLLOWER_H_
