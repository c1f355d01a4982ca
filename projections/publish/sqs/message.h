// An event as a message of SQS.

#ifndef DAYBOOK_PROJECTIONS_PUBLISH_SQS_MESSAGE_H_
#define DAYBOOK_PROJECTIONS_PUBLISH_SQS_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/cloud_event.h"
#include "daybook/name_template.h"
#include "daybook/sink.h"

namespace daybook::sqs {

inline constexpr std::size_t kEntriesMax = 10;  // of a request
inline constexpr std::size_t kMessageBytesDefault = std::size_t{256} << 10;

struct Message {
  std::uint64_t sequence = 0;
  std::string group;      // empty in a standard queue
  std::string json;       // its entry of a request, without the brace and the Id in front
  std::size_t bytes = 0;  // as SQS counts them: the body, and names, types, values of attributes
};

// What of a name SQS takes as a group or a deduplication id: itself, or "h-" and its hash.
std::string IdOf(std::string_view name);

// How messages are made.
struct MessageForm {
  bool is_fifo = false;
  NameTemplate group;
  std::vector<std::pair<std::string, NameTemplate>> attributes;
};

// Makes messages; keeps its memory. Not thread-safe.
class MessageWriter {
 public:
  MessageWriter(MessageForm form, std::string_view incarnation, std::size_t bytes_max)
      : form_(std::move(form)), envelope_(incarnation), bytes_max_(bytes_max) {}

  // kOutOfRange: it is too large; kInvalidArgument: it is nothing that SQS takes.
  absl::StatusOr<Message> Write(const OutgoingEvent& outgoing);

 private:
  void AddAttribute(std::string_view name, std::string_view value, Message* message);

  const MessageForm form_;
  CloudEvent envelope_;
  const std::size_t bytes_max_;
  std::string body_, name_;
};

// The body of a SendMessageBatch: entry i has the Id "i".
std::string WriteBatch(std::string_view queue_url, std::span<const Message> messages);

}  // namespace daybook::sqs

#endif  // DAYBOOK_PROJECTIONS_PUBLISH_SQS_MESSAGE_H_
