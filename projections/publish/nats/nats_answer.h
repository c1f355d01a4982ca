// What JetStream answers to a publish, and what becomes of the event.

#ifndef DAYBOOK_PUBLISH_NATS_NATS_ANSWER_H_
#define DAYBOOK_PUBLISH_NATS_NATS_ANSWER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "daybook/sink.h"

namespace daybook {

struct NatsAnswer {
  // kDuplicate is what the broker says; it is not believed before it is looked at
  // (nats_session.h).
  Outcome outcome = Outcome::kRetry;
  std::uint64_t sequence = 0;  // in the JetStream stream, of kDone and kDuplicate
  absl::Status status;
};

// Reads {"stream":"S","seq":7} with "duplicate":true, or {"error":{"code":..,"err_code":..,
// "description":".."}}. What is neither is kRetry: it proves nothing.
NatsAnswer ParsePublishAnswer(std::string_view json);

// What an error of JetStream's API, by its err_code, tells a publisher to do. A code that is not
// known is kUnavailable: it is tried again, and the line stands until somebody looks.
absl::Status StatusOfApiError(std::uint64_t err_code, std::string_view description);

}  // namespace daybook

#endif  // DAYBOOK_PUBLISH_NATS_NATS_ANSWER_H_
