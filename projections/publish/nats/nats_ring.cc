#include "projections/publish/nats/nats_ring.h"

namespace daybook {

NatsRing::Slot& NatsRing::Push(std::uint64_t sequence, std::string_view key) {
  if (end_ - first_ == slots_.size()) {
    std::vector<Slot> larger(slots_.size() * 2);
    for (std::uint64_t i = first_; i < end_; ++i) {
      larger[i & (larger.size() - 1)] = std::move(At(i));
    }
    slots_ = std::move(larger);
  }
  ++end_;
  Slot& slot = back();
  slot.sequence = sequence;
  slot.key = key;
  slot.subject.clear();
  slot.answered = false;
  slot.outcome = Outcome::kRetry;
  slot.stream_sequence = 0;
  slot.status = absl::OkStatus();
  return slot;
}

NatsRing::Slot* NatsRing::FirstUnanswered() {
  for (std::uint64_t i = first_; i < end_; ++i) {
    if (!At(i).answered) return &At(i);
  }
  return nullptr;
}

const NatsRing::Slot* NatsRing::LastDuplicateOfRun(bool* proven) {
  std::uint64_t last = first_;
  const auto is = [&](std::uint64_t number, Outcome outcome) {
    return number < end_ && At(number).answered && At(number).outcome == outcome;
  };
  while (is(last + 1, Outcome::kDuplicate)) ++last;
  *proven = is(last + 1, Outcome::kDone);
  return &At(last);
}

}  // namespace daybook
