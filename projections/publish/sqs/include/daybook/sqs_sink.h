// The sink for Amazon SQS: each event one message of a queue, FIFO or standard.
//
// URL: sqs://HOST[:PORT]/ACCOUNT/QUEUE, by https, as
// sqs://sqs.eu-west-1.amazonaws.com/123456789012/orders.fifo; sqs+http://HOST:PORT/... by plain
// http, for an emulator. A URL with a user or a password is refused. A queue whose name ends in
// `.fifo` is a FIFO queue.
//
// What it guarantees:
//   FIFO      0 lost; in order per group; 0 doubled where everything that was not acknowledged is
//             sent again within five minutes, which is how long SQS knows a repeat by its
//             deduplication id. Later it is stored twice, with the same dedupe key.
//   standard  0 lost. Order is not kept, and repeats are not dropped: that is what such queues are.
// SQS cannot be asked what it holds, so a session begins without a mark (SessionBegun::knows).
//
// A message's body is the event as CloudEvents JSON; its attributes are `dedupe_key` and
// `content_type` (application/cloudevents+json). In a FIFO queue the deduplication id is the dedupe
// key, and the group is what the template `key` gives, {stream} by default. SQS takes groups of 1
// to 128 letters, digits and signs of ASCII: any other becomes "h-" and its 128-bit hash in hex, so
// that equal ones stay equal. One message of a group is on its way at a time: a group gets as many
// messages a second as requests fit in one, one after another.
//
// An event that makes more than the queue's MaximumMessageSize (asked for when a session begins) is
// poison with kOutOfRange, one that SQS refuses by itself is poison with kInvalidArgument.
//
// Fields of SinkSettings:
//   key               group of a FIFO queue; refused for a standard queue. One that splits a stream
//                     is refused unless `unordered`.
//   headers           up to eight more attributes of the message; one that is empty is left out.
//   tls_ca_file       the authorities that are trusted, instead of the system's.
//   credentials_file  AWS's file of credentials ([profile], aws_access_key_id = ...). Without it
//                     they come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where there is
//                     one, AWS_SESSION_TOKEN. They are read anew when a session begins.
//   options           region (else as the host says, else AWS_REGION, else AWS_DEFAULT_REGION),
//                     profile ("default"), max_message_bytes (less than the queue's own),
//                     requests (on their way at once: 1 to 64, 16 without it).
// `destination`, tls_certificate_file and tls_key_file are refused. The rights that it needs are
// sqs:SendMessage and sqs:GetQueueAttributes. Proxies are taken from the environment (https_proxy),
// but not for plain http.

#ifndef DAYBOOK_SQS_SINK_H_
#define DAYBOOK_SQS_SINK_H_

#include <memory>

#include "absl/status/statusor.h"
#include "daybook/sink.h"

namespace daybook {

// Looks at the settings and connects to nothing yet. kInvalidArgument: a URL or a setting that
// makes no sense; kPermissionDenied, kNotFound, kUnauthenticated: credentials that are not there.
absl::StatusOr<std::unique_ptr<Sink>> OpenSqsSink(const SinkSettings& settings);

}  // namespace daybook

#endif  // DAYBOOK_SQS_SINK_H_
