// The file STATUS of a projection: a record of kind "status" (record.h), replaced by its runner.

#ifndef DAYBOOK_PROJECTIONS_STATUS_FILE_H_
#define DAYBOOK_PROJECTIONS_STATUS_FILE_H_

#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "daybook/options.h"
#include "daybook/projection_status.h"
#include "daybook/store.h"
#include "daybook/values.h"

namespace daybook {

[[nodiscard]] Timestamp SystemNow();

// As it is written, and read again: kNotFound, kDataLoss.
absl::Status WriteStatusFile(const std::filesystem::path& projection,
                             const ProjectionStatus& status);
absl::StatusOr<ProjectionStatus> ReadStatusFile(const std::filesystem::path& projection);

// Fills head, events_behind and seconds_behind from `scanned` and what the reader sees now.
absl::Status FillBehind(const Reader& reader, ProjectionStatus* status);

// How many events were scanned in a second, over the last ten seconds or so. Not thread-safe.
class RateMeter {
 public:
  // To be called about once a second.
  void Add(std::chrono::steady_clock::time_point now, Position scanned);
  [[nodiscard]] double per_second() const;

 private:
  struct Sample {
    std::chrono::steady_clock::time_point time;
    Position scanned;
  };
  std::deque<Sample> samples_;
};

// Replaces the file once a second, from a thread of its own, so that a handler that hangs does not
// keep the heartbeat; and at once when told to. Thread-safe.
class StatusWriter {
 public:
  // `status` is called by the thread, and must not wait for a handler. Where the file cannot be
  // written `on_notice` (may be empty) hears so, once until it works again.
  StatusWriter(std::filesystem::path projection, std::function<ProjectionStatus()> status,
               NoticeHandler on_notice);
  // Writes it a last time.
  ~StatusWriter();
  StatusWriter(const StatusWriter&) = delete;
  StatusWriter& operator=(const StatusWriter&) = delete;

  // Something has changed that operators want to know at once.
  void Soon();

 private:
  void Run();
  void WriteOnce();

  const std::filesystem::path projection_;
  const std::function<ProjectionStatus()> status_;
  const NoticeHandler on_notice_;
  Mutex mutex_;
  CondVar changed_;
  bool soon_ DAYBOOK_GUARDED_BY(mutex_) = false;
  bool stopping_ DAYBOOK_GUARDED_BY(mutex_) = false;
  bool failing_ = false;  // only the thread looks at it
  Thread thread_;
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_STATUS_FILE_H_
