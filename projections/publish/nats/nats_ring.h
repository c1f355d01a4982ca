// The events of a session that have no outcome yet, in the order in which they were sent.

#ifndef DAYBOOK_PUBLISH_NATS_NATS_RING_H_
#define DAYBOOK_PUBLISH_NATS_NATS_RING_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "daybook/sink.h"

namespace daybook {

// A queue whose slots keep their memory, found by number: that of the slot's event among all that
// were pushed since the last Clear(), from 0. Its memory is that of the most that ever waited.
class NatsRing {
 public:
  struct Slot {
    std::uint64_t sequence = 0;  // of the event
    std::string key, subject;
    std::chrono::steady_clock::time_point sent;
    bool answered = false;
    Outcome outcome = Outcome::kRetry;
    std::uint64_t stream_sequence = 0;
    absl::Status status;

    void Fail(Outcome with, absl::Status why) {
      answered = true;
      outcome = with;
      status = std::move(why);
    }
  };

  [[nodiscard]] bool empty() const { return first_ == end_; }
  [[nodiscard]] Slot& front() { return At(first_); }
  [[nodiscard]] Slot& back() { return At(end_ - 1); }
  [[nodiscard]] std::uint64_t back_number() const { return end_ - 1; }
  // nullptr: it has its outcome, or never was.
  [[nodiscard]] Slot* Find(std::uint64_t number) {
    return number >= first_ && number < end_ ? &At(number) : nullptr;
  }
  [[nodiscard]] Slot* FirstUnanswered();

  Slot& Push(std::uint64_t sequence, std::string_view key);
  void PopFront() { ++first_; }
  void Clear() { first_ = end_ = 0; }

  // The front is a duplicate: the last one of those that follow each other from it on. `proven`:
  // the one behind them is stored, which was to stand behind the last of them only.
  [[nodiscard]] const Slot* LastDuplicateOfRun(bool* proven);

 private:
  Slot& At(std::uint64_t number) { return slots_[number & (slots_.size() - 1)]; }

  std::vector<Slot> slots_ = std::vector<Slot>(256);  // a power of two
  std::uint64_t first_ = 0, end_ = 0;
};

}  // namespace daybook

#endif  // DAYBOOK_PUBLISH_NATS_NATS_RING_H_
