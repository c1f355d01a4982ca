#include "projections/publish/sqs/lanes.h"

#include <utility>

namespace daybook::sqs {

void Lanes::Add(Message message) {
  if (!message.group.empty()) {
    const auto [at, is_new] = groups_.try_emplace(message.group);
    if (!is_new) {
      at->second.push_back(std::move(message));
      ++behind_;
      return;
    }
  }
  const std::uint64_t sequence = message.sequence;
  ready_.emplace(sequence, std::move(message));
}

std::vector<Message> Lanes::TakeBatch(std::size_t entries_max, std::size_t bytes_max) {
  std::vector<Message> batch;
  std::size_t bytes = 0;
  while (!ready_.empty() && batch.size() < entries_max) {
    const auto first = ready_.begin();
    if (!batch.empty() && bytes + first->second.bytes > bytes_max) break;
    bytes += first->second.bytes;
    batch.push_back(std::move(first->second));
    ready_.erase(first);
  }
  return batch;
}

void Lanes::Settle(const std::string& group) {
  const auto at = groups_.find(group);
  if (at == groups_.end()) return;
  if (at->second.empty()) {
    groups_.erase(at);
    return;
  }
  const std::uint64_t sequence = at->second.front().sequence;
  ready_.emplace(sequence, std::move(at->second.front()));
  at->second.pop_front();
  --behind_;
}

std::vector<std::uint64_t> Lanes::Clear() {
  std::vector<std::uint64_t> given_up;
  given_up.reserve(ready_.size() + behind_);
  for (const auto& [sequence, message] : ready_) given_up.push_back(sequence);
  for (const auto& [group, messages] : groups_) {
    for (const Message& message : messages) given_up.push_back(message.sequence);
  }
  ready_.clear();
  groups_.clear();
  behind_ = 0;
  return given_up;
}

}  // namespace daybook::sqs
