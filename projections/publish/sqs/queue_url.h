// The URL of a queue: what it names, and where requests go to.

#ifndef DAYBOOK_PROJECTIONS_PUBLISH_SQS_QUEUE_URL_H_
#define DAYBOOK_PROJECTIONS_PUBLISH_SQS_QUEUE_URL_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace daybook::sqs {

struct QueueUrl {
  bool is_plain_http = false;
  std::string host;       // as it stands in the URL, without the port
  std::string authority;  // with the port, where there is one
  std::string account;
  std::string queue;

  [[nodiscard]] bool is_fifo() const { return queue.ends_with(".fifo"); }
  // "https://HOST:PORT/", where all requests go to.
  [[nodiscard]] std::string Endpoint() const;
  // By which SQS knows the queue.
  [[nodiscard]] std::string ForRequests() const;
  // As the user writes it.
  [[nodiscard]] std::string ToString() const;
};

// kInvalidArgument says what is wrong; the message never repeats a password.
absl::StatusOr<QueueUrl> ParseQueueUrl(std::string_view url);

// The region that a host of AWS has in its name; empty where it has none.
std::string_view RegionOfHost(std::string_view host);

}  // namespace daybook::sqs

#endif  // DAYBOOK_PROJECTIONS_PUBLISH_SQS_QUEUE_URL_H_
