// The batches of an import on their way between the thread that fills them and the one that appends
// them.

#ifndef DAYBOOK_CLI_BATCH_QUEUE_H_
#define DAYBOOK_CLI_BATCH_QUEUE_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daybook/append.h"

namespace daybook::cli {

// A commit, and the records that it was made of.
struct Batch {
  struct Line {
    std::size_t offset, size;  // of the record within `text`
    std::uint64_t number;      // in the input
    EventId id;
    std::pair<std::uint64_t, std::uint64_t> stream_hash;
  };
  Commit commit;
  std::string text;
  std::vector<Line> lines;  // one for each event of the commit

  [[nodiscard]] std::string_view record(const Line& line) const {
    return std::string_view(text).substr(line.offset, line.size);
  }
  void Clear() {
    commit.Clear();
    text.clear();
    lines.clear();
  }
};

// Thread-safe. Batches go round: filled ones to the appender, empty ones back, with their memory.
class BatchQueue {
 public:
  explicit BatchQueue(std::size_t batches) {
    for (std::size_t i = 0; i < batches; ++i) free_.push_back(std::make_unique<Batch>());
  }

  // An empty batch; waits for one. nullptr after Stop().
  std::unique_ptr<Batch> TakeFree() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopped_ || !free_.empty(); });
    return stopped_ ? nullptr : Pop(free_);
  }
  void GiveFilled(std::unique_ptr<Batch> batch) { Push(filled_, std::move(batch)); }
  // No more batches will be given.
  void Finish() {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    changed_.notify_all();
  }

  // The next filled batch; waits for one. nullptr after the last.
  std::unique_ptr<Batch> TakeFilled() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return finished_ || !filled_.empty(); });
    return filled_.empty() ? nullptr : Pop(filled_);
  }
  void GiveFree(std::unique_ptr<Batch> batch) { Push(free_, std::move(batch)); }
  // The appender cannot go on: TakeFree gives nothing more.
  void Stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

 private:
  using Batches = std::deque<std::unique_ptr<Batch>>;

  static std::unique_ptr<Batch> Pop(Batches& batches) {
    std::unique_ptr<Batch> batch = std::move(batches.front());
    batches.pop_front();
    return batch;
  }
  void Push(Batches& batches, std::unique_ptr<Batch> batch) {
    const std::lock_guard lock(mutex_);
    batches.push_back(std::move(batch));
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  Batches free_, filled_;  // all under mutex_
  bool finished_ = false;
  bool stopped_ = false;
};

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_BATCH_QUEUE_H_
