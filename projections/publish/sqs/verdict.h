// What an answer of SQS means.

#ifndef DAYBOOK_PROJECTIONS_PUBLISH_SQS_VERDICT_H_
#define DAYBOOK_PROJECTIONS_PUBLISH_SQS_VERDICT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/sink.h"
#include "projections/publish/sqs/client.h"

namespace daybook::sqs {

// OK where the request was done. Otherwise kResourceExhausted (throttled), kUnavailable,
// kDeadlineExceeded, kNotFound (the queue), kUnauthenticated, kPermissionDenied, kInvalidArgument
// (of what was sent), kFailedPrecondition (the queue, its keys, or no SQS at all).
absl::Status StatusOfAnswer(const Answer& answer);

struct EntryVerdict {
  Outcome outcome = Outcome::kRetry;
  absl::Status status;
};

struct BatchVerdict {
  std::vector<EntryVerdict> entries;  // as many as the request had
  // The request was refused for one of its entries, and the answer does not say which.
  bool is_unclear = false;
};

// Of a SendMessageBatch with so many entries, whose Ids are their numbers.
BatchVerdict JudgeBatch(const Answer& answer, std::size_t entries);

// MaximumMessageSize from the answer to GetQueueAttributes; `otherwise` where it is not there.
// kFailedPrecondition: that is no answer of SQS.
absl::StatusOr<std::size_t> MessageBytesMaxOf(const Answer& answer, std::size_t otherwise);

}  // namespace daybook::sqs

#endif  // DAYBOOK_PROJECTIONS_PUBLISH_SQS_VERDICT_H_
