// Which of the waiting messages may be sent: of each group one at a time, so that nothing of a
// group passes what is not settled. In a standard queue, where nothing has a group, all may.

#ifndef DAYBOOK_PROJECTIONS_PUBLISH_SQS_LANES_H_
#define DAYBOOK_PROJECTIONS_PUBLISH_SQS_LANES_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "projections/publish/sqs/message.h"

namespace daybook::sqs {

class Lanes {
 public:
  void Add(Message message);
  // Takes the oldest of those that may be sent, at most so many and of so many bytes together; each
  // message by itself must be within the bytes.
  std::vector<Message> TakeBatch(std::size_t entries_max, std::size_t bytes_max);
  // The message of this group that was taken is stored: the next one may be sent.
  void Settle(const std::string& group);

  // How many may be sent now.
  [[nodiscard]] std::size_t ready() const { return ready_.size(); }
  [[nodiscard]] bool empty() const { return ready_.empty() && behind_ == 0; }
  // Gives up all, and says which.
  std::vector<std::uint64_t> Clear();

 private:
  std::map<std::uint64_t, Message> ready_;  // by their sequence
  // Of each group that has a message among the ready ones or on its way: those behind it.
  absl::flat_hash_map<std::string, std::deque<Message>> groups_;
  std::size_t behind_ = 0;
};

}  // namespace daybook::sqs

#endif  // DAYBOOK_PROJECTIONS_PUBLISH_SQS_LANES_H_
